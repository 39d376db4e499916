//! `make bench T=needle`: one key, one id or one word among 10,000,000 rows in 100 files on S3.
//!
//! The rows go through Kafka and the worker as any would, over 100 days so that there are 100 files
//! of one row group; compaction writes their filters. Fresh processes then answer, one that keeps
//! no blocks of files and one that does: the first needle of each finds nothing in memory. Prints,
//! for each kind of needle, the time and what the server says that it read; the same condition in
//! a form that filters know nothing of stands beside it.
//! Fails when an answer is wrong, or when a key or an id read more row groups than is allowed; a
//! word may, since nothing but one filter stands between it and a row group that hasn't got it.
//!
//! `EDDY_BENCH_ROWS` changes the rows, `EDDY_BENCH_FILES` the files.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]
#![allow(missing_docs)]

#[expect(
    dead_code,
    reason = "only other benchmarks have wide events and ask for what was used"
)]
mod load;

use std::path::Path;
use std::time::{Duration, Instant};

use eddy_engine::read::Snapshot;
use eddy_engine::{Clock, Lake};
use futures::StreamExt;
use load::events::Seeded;
use load::haystack::{Producing, common, id, key, word};
use load::s3::{self, create_bucket, lake, setting, table_files};
use load::services::{create_topic, free_port};
use load::worker::{Worker, wait_until};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

const PARTITIONS: i32 = 4;
/// Rows are committed so many times at least, so that each day has files to put together.
const WAVES: u64 = 4;
/// So many packs of filters are put together.
const PACKS_MANY: u64 = 16;
/// Needles of each kind.
const NEEDLES: u64 = 20;
/// What a key or an id may read.
const ROW_GROUPS_MOST: u64 = 3;
#[expect(clippy::disallowed_methods, reason = "a bench measures real time")]
fn main() {
    let number = |name: &str, default: u64| {
        let text = std::env::var(name).ok();
        text.map_or(default, |text| text.parse().expect("a number"))
    };
    let rows = number("EDDY_BENCH_ROWS", 10_000_000);
    let days = number("EDDY_BENCH_FILES", 100);
    let topic = format!("needle-{}", Clock::system().new_id());
    create_topic(&topic, PARTITIONS);
    create_bucket(&topic);
    let folder = tempfile::tempdir().unwrap();
    let runtime = Runtime::new().unwrap();
    let opened = runtime.block_on(s3::open(&topic));
    let files = || table_files(&opened, &topic);

    println!("writing {rows} rows of {days} days into `{topic}`");
    let start = Instant::now();
    let keys = "\"compact\" = \"false\"\n";
    let worker = Worker::start(folder.path(), &configuration(&topic, None, keys));
    let deadline = Duration::from_secs(7_200);
    let mut producing = Producing::new(&topic, days);
    for wave in 1..=WAVES {
        let until = rows * wave / WAVES;
        producing.up_to(until);
        wait_until(deadline, &worker.log, || files().1 == until);
    }
    let before = files().0;
    println!(
        "written, {:.0} MB of JSON, {before} files    {:.0} s",
        producing.bytes as f64 / 1e6,
        start.elapsed().as_secs_f64()
    );
    drop(worker);
    let start = Instant::now();
    let keys = "\"compact.after.ms\" = \"0\"\n\"compact.min.files\" = \"2\"\n\
                \"upkeep.interval.ms\" = \"1000\"\n";
    let worker = Worker::start(folder.path(), &configuration(&topic, None, keys));
    wait_until(deadline, &worker.log, || files().0 as u64 == days);
    // Each rewrite made a pack of filters; many become one.
    wait_until(deadline, &worker.log, || {
        days < PACKS_MANY || log(&worker).contains("filters were put together")
    });
    println!(
        "compacted, with filters           {:.0} s",
        start.elapsed().as_secs_f64()
    );
    drop(worker);
    let (data, filters) = sizes(&runtime, &opened, &topic, days);
    println!(
        "{:.1} MB of files, {:.1} MB of filters",
        data as f64 / 1e6,
        filters as f64 / 1e6
    );

    ask(runtime, folder.path(), &topic, rows);
}

/// The needles, with the cache of blocks and without.
fn ask(runtime: Runtime, folder: &Path, topic: &str, rows: u64) {
    let mut client = Client {
        runtime,
        client: reqwest::Client::new(),
        url: String::new(),
    };
    for (name, cache) in [
        ("no blocks kept", "memory = \"0\""),
        ("blocks kept in memory", ""),
    ] {
        let port = free_port();
        let keys = "\"compact\" = \"false\"\n";
        let configuration = configuration(topic, Some(port), keys);
        let configuration = format!("{configuration}[query.cache]\n{cache}\n");
        let worker = Worker::start(folder, &configuration);
        client.url = format!("http://127.0.0.1:{port}");
        wait_until(Duration::from_secs(60), &worker.log, || {
            client.sql("SELECT 1 AS one").is_some()
        });
        println!("\n{name}");
        measure(&client, topic, rows, &worker.log);
    }
}

fn measure(client: &Client, topic: &str, rows: u64, log: &Path) {
    println!("{:<34}{HEADER}", "needle");
    let mut random = Seeded::new(11);
    let mut wrong = Vec::new();
    for (name, filter) in KINDS {
        let answers: Vec<Answer> = (0..NEEDLES)
            .map(|_| {
                let n = random.below(rows);
                let sql = format!("SELECT n FROM \"{topic}\" WHERE {}", filter(n));
                let answer = client.ask(&sql);
                let found: Vec<Value> = if name.starts_with("nothing") {
                    vec![]
                } else {
                    vec![json!({"n": n})]
                };
                assert_eq!(answer.rows, found, "{sql}; the log is at {}", log.display());
                answer
            })
            .collect();
        let most = |what: &str| {
            answers
                .iter()
                .map(|answer| answer.read(what))
                .max()
                .unwrap()
        };
        let median = |what: &str| {
            let mut all: Vec<u64> = answers.iter().map(|answer| answer.read(what)).collect();
            all.sort_unstable();
            all[all.len() / 2]
        };
        let mut times: Vec<f64> = answers.iter().map(|answer| answer.ms).collect();
        let first = times[0];
        times.sort_by(f64::total_cmp);
        println!(
            "{name:<34}{first:>9.1}{:>9.1}{:>7}{:>8}{:>10}{:>12}{:>12}{:>9}{:>12}",
            times[times.len() / 2],
            most("files"),
            most("row_groups"),
            median("requests"),
            median("bytes"),
            median("cache_bytes"),
            answers[0].read("filter_requests"),
            answers[0].read("filter_bytes"),
        );
        let is_bound = name.starts_with("id = ") || name.starts_with("_key");
        if is_bound && most("row_groups") > ROW_GROUPS_MOST {
            wrong.push(name);
        }
    }
    println!(
        "(files, groups: the most of {NEEDLES}; requests, bytes, kept: the median; filters: the \
         first)"
    );
    assert!(
        wrong.is_empty(),
        "more than {ROW_GROUPS_MOST} row groups: {wrong:?}"
    );
}

const HEADER: &str =
    " first ms   median  files  groups  requests       bytes        kept  filters       bytes";

type Filter = fn(u64) -> String;

const KINDS: [(&str, Filter); 7] = [
    ("id = '...'", |n| format!("id = '{}'", id(n))),
    ("_key_text = '...'", |n| format!("_key_text = '{}'", key(n))),
    ("search('word')", |n| format!("search('{}')", word(n))),
    ("search of the id and a common word", |n| {
        format!("search('{} {}')", id(n), common(n % 7))
    }),
    ("nothing: an id that isn't there", |n| {
        format!("id = 'no{}'", id(n))
    }),
    ("nothing: a word that isn't there", |n| {
        format!("search('no{}')", word(n))
    }),
    ("id without filters: concat(id, '')", |n| {
        format!("concat(id, '') = '{}'", id(n))
    }),
];

/// Bytes of the table's files, and of the packs of filters that queries ask.
fn sizes(runtime: &Runtime, lake: &Lake, topic: &str, days: u64) -> (u64, u64) {
    let snapshot = Snapshot::load(lake, &lake.table("topics", topic), None).unwrap();
    let data = snapshot.unwrap().files.iter().map(|file| file.size).sum();
    let folder = lake.root().clone().join("_eddy").join("filters");
    let packs: Vec<_> = runtime.block_on(lake.store().list(Some(&folder)).collect());
    let packs = packs.into_iter().map(|pack| pack.unwrap().size);
    let asked = match days < PACKS_MANY {
        true => packs.sum(),
        // The one that stands for the others, which go a day later.
        false => packs.max().unwrap_or(0),
    };
    (data, asked)
}

fn log(worker: &Worker) -> String {
    std::fs::read_to_string(&worker.log).unwrap_or_default()
}

/// An answer and what the server says of it.
struct Answer {
    rows: Vec<Value>,
    ms: f64,
    reads: Value,
}

impl Answer {
    fn read(&self, what: &str) -> u64 {
        self.reads[what].as_u64().unwrap()
    }
}

struct Client {
    runtime: Runtime,
    client: reqwest::Client,
    url: String,
}

impl Client {
    #[expect(clippy::disallowed_methods, reason = "a bench measures real time")]
    fn ask(&self, sql: &str) -> Answer {
        let start = Instant::now();
        let rows = self.sql(sql).expect("an answer");
        let ms = start.elapsed().as_secs_f64() * 1e3;
        let queries = self.runtime.block_on(async {
            let get = self.client.get(format!("{}/api/v1/queries", self.url));
            get.send().await.unwrap().json::<Value>().await.unwrap()
        });
        let queries = queries["queries"].as_array().unwrap();
        let query = queries.iter().find(|query| query["sql"] == json!(sql));
        Answer {
            rows,
            ms,
            reads: query.expect("the query is listed")["reads"].clone(),
        }
    }

    fn sql(&self, sql: &str) -> Option<Vec<Value>> {
        self.runtime.block_on(async {
            let post = self.client.post(format!("{}/api/v1/sql", self.url));
            let answer = post.json(&json!({ "sql": sql })).send().await.ok()?;
            let text = answer.error_for_status().ok()?.text().await.ok()?;
            let rows = text.lines().map(|line| serde_json::from_str(line).unwrap());
            Some(rows.collect())
        })
    }
}

fn configuration(topic: &str, port: Option<u16>, keys: &str) -> String {
    let listen = port.map_or_else(String::new, |port| format!("127.0.0.1:{port}"));
    format!(
        "{}\n[kafka]\n\"bootstrap.servers\" = \"{}\"\n\"session.timeout.ms\" = \"6000\"\n\
         [http]\nlisten = \"{listen}\"\n[connect]\nlisten = \"\"\n\
         [postgres]\nlisten = \"\"\n[flight]\nlisten = \"\"\n\
         [collector]\nhttp_listen = \"\"\ngrpc_listen = \"\"\n\
         [connectors.\"{topic}\"]\n\"topics\" = \"{topic}\"\n{keys}",
        lake(topic),
        setting("EDDY_TEST_KAFKA"),
    )
}
