//! `make bench`: how much slower a sink is beside ten queries that mean harm.
//!
//! A backlog of events goes into a table, once with nobody asking and once with ten clients that
//! ask what takes all that they are given, again and again. Prints records per second of both, what
//! became of the queries, and the worker's peak memory. The bar: the sink is at most 20 % slower.
//!
//! `EDDY_BENCH_RECORDS` changes the number of events.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]
#![allow(missing_docs)]

#[allow(dead_code, reason = "the other benchmarks use the rest")]
mod load;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use eddy_engine::read::Snapshot;
use eddy_engine::{Clock, Lake};
use load::s3::{self, create_bucket, lake, setting};
use load::services::{create_topic, fill, free_port};
use load::worker::{Worker, wait_until};

const PARTITIONS: i32 = 4;

/// What is asked; `{t}` is the table.
const STATEMENTS: [&str; 10] = [
    "SELECT count(*) FROM {t} a, {t} b, {t} c",
    "SELECT count(*) FROM {t} a JOIN {t} b ON a._offset + b._offset < 0",
    "SELECT * FROM {t} ORDER BY random()",
    "SELECT count(DISTINCT _value) FROM {t}",
    "SELECT count(*) FROM {t} WHERE _value_text ~ '(a|b|c)*(d|e|f)*x{1,200}y'",
    "SELECT value FROM generate_series(1, 1000000000000) ORDER BY random()",
    "SELECT value, count(*) FROM generate_series(1, 1000000000000) GROUP BY value",
    "WITH RECURSIVE r AS (SELECT 1 AS x UNION ALL SELECT x + 1 FROM r) SELECT max(x) FROM r",
    "SELECT array_agg(_value) FROM {t}",
    "SELECT sum(u) FROM (SELECT unnest(range(100000)) AS u FROM generate_series(1, 100000000))",
];

fn main() {
    let records: u64 = std::env::var("EDDY_BENCH_RECORDS").map_or(1_000_000, |text| {
        text.parse().expect("EDDY_BENCH_RECORDS is a number")
    });
    let quiet = run(records, false);
    let beside = run(records, true);
    println!("records/s, nobody asks        {quiet:.0}");
    println!("records/s, ten hostile queries {beside:.0}");
    println!(
        "slower by                     {:.0} %",
        (1.0 - beside / quiet) * 100.0
    );
}

/// Records per second of one backlog.
#[expect(clippy::disallowed_methods, reason = "a bench measures real time")]
fn run(records: u64, is_asked: bool) -> f64 {
    let topic = format!("hostile-{}", Clock::system().new_id());
    create_topic(&topic, PARTITIONS);
    create_bucket(&topic);
    fill(&topic, records);
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let lake = runtime.block_on(s3::open(&topic));
    let port = free_port();
    let start = Instant::now();
    let worker = Worker::start(folder.path(), &configuration(&topic, port));
    let done = AtomicBool::new(false);
    let wall = thread::scope(|scope| {
        let asking: Vec<_> = STATEMENTS
            .iter()
            .filter(|_| is_asked)
            .map(|sql| {
                let sql = sql.replace("{t}", &format!("\"{topic}\""));
                let url = format!("http://127.0.0.1:{port}/api/v1/sql");
                let done = &done;
                scope.spawn(move || ask(&url, &sql, done))
            })
            .collect();
        wait_until(Duration::from_secs(900), &worker.log, || {
            accounted(&lake, &topic) >= records
        });
        let wall = start.elapsed();
        done.store(true, Ordering::Relaxed);
        let mut ends: BTreeMap<String, u64> = BTreeMap::new();
        for ended in asking.into_iter().flat_map(|asking| asking.join().unwrap()) {
            *ends.entry(ended).or_default() += 1;
        }
        if is_asked {
            println!("queries ended by              {ends:?}");
        }
        wall
    });
    let memory = worker.used().memory_max >> 20;
    println!("peak memory                   {memory} MiB");
    records as f64 / wall.as_secs_f64()
}

/// Asks until it is done; how each query ended.
fn ask(url: &str, sql: &str, done: &AtomicBool) -> Vec<String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let client = reqwest::Client::new();
    let body = serde_json::json!({ "sql": sql, "timeout": "10s" });
    let mut ends = Vec::new();
    while !done.load(Ordering::Relaxed) {
        let end = runtime.block_on(async {
            let answer = client.post(url).json(&body).send().await.ok()?;
            let mut last = Vec::new();
            let mut answer = answer;
            while let Ok(Some(chunk)) = answer.chunk().await {
                last = chunk.to_vec();
            }
            let last = String::from_utf8_lossy(&last).into_owned();
            let code = last.split("\"code\":\"").nth(1)?;
            Some(code.split('"').next()?.to_owned())
        });
        ends.push(end.unwrap_or_else(|| "an answer".to_owned()));
    }
    ends
}

fn configuration(topic: &str, port: u16) -> String {
    format!(
        "{}\n[kafka]\n\"bootstrap.servers\" = \"{}\"\n[http]\nlisten = \"127.0.0.1:{port}\"\n\
         [connect]\nlisten = \"\"\n[postgres]\nlisten = \"\"\n[flight]\nlisten = \"\"\n\
         [collector]\nhttp_listen = \"\"\ngrpc_listen = \"\"\n\
         [connectors.\"{topic}\"]\n\"topics\" = \"{topic}\"\n\"tasks.max\" = \"1\"\n",
        lake(topic),
        setting("EDDY_TEST_KAFKA"),
    )
}

/// Offsets accounted by the table, which a bench's topic has from 0 on without gaps.
fn accounted(lake: &Lake, topic: &str) -> u64 {
    let table = lake.table("topics", topic);
    let Some(snapshot) = Snapshot::load(lake, &table, None).unwrap() else {
        return 0;
    };
    let positions = snapshot.positions.values();
    positions
        .map(|position| u64::try_from(position.offset).unwrap())
        .sum()
}
