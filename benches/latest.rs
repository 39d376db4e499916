//! `make bench T=latest`: the newest few rows of many, and the newest few that are rare, whole; and
//! needles: one key, one id, one word.
//!
//! 10,000,000 narrow rows of 100 days go through Kafka, the worker and compaction once; the lake of
//! 100 files on local disk is used again, and DuckDB reads the same files with the same bloom
//! filters. A second lake has ClickBench's shape: 105 columns, one row in 5,000 with a word in its
//! address. Hot is the median of the rounds, by turns, two threads each; cold is one question to
//! processes that just started. Both must give as many rows.
//!
//! `EDDY_BENCH_ROWS` changes the narrow rows, `EDDY_BENCH_WIDE` the wide ones (1,000,000),
//! `EDDY_BENCH_ROUNDS` the rounds (7).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]
#![allow(missing_docs)]

#[allow(dead_code, reason = "the other benchmarks use the rest")]
mod load;

use std::fmt::Write as _;

use load::beside::parquet;
use load::cached::Cached;
use load::events::Seeded;
use load::haystack::{Producing, RARE, id, key, word};
use load::pair::{COLUMNS, Pair, cold, heading, print};
use load::services::{create_topic, produce};

const PARTITIONS: i32 = 4;
const DAYS: u64 = 100;
/// Needles of each kind.
const NEEDLES: u64 = 20;
/// Rows are committed so many times at least, so that each day has files to put together.
const WAVES: u64 = 4;

fn main() {
    let number = |name: &str, default: u64| {
        let text = std::env::var(name).ok();
        text.map_or(default, |text| text.parse().expect("a number"))
    };
    let rows = number("EDDY_BENCH_ROWS", 10_000_000);
    let rounds = usize::try_from(number("EDDY_BENCH_ROUNDS", 7)).unwrap();
    narrow(&haystack(rows), rows, rounds);
    let wide_rows = number("EDDY_BENCH_WIDE", 1_000_000);
    wide(&hits(wide_rows), rounds);
}

fn haystack(rows: u64) -> Cached {
    let lake = Cached::open(&format!("haystack-{rows}"), "haystack");
    if !lake.is_made() {
        lake.begin();
        create_topic(&lake.topic, PARTITIONS);
        let mut producing = Producing::new(&lake.topic, DAYS);
        for wave in 1..=WAVES {
            producing.up_to(rows * wave / WAVES);
            lake.sink(rows * wave / WAVES, "\"compact\" = \"false\"\n");
        }
        lake.compact(usize::try_from(DAYS).unwrap());
        lake.end();
    }
    lake
}

/// A question about the narrow rows to Eddy and to DuckDB, which has its own words for some.
type Both<'a> = &'a dyn Fn(&str, &str, &str) -> [String; 2];

fn narrow(lake: &Cached, rows: u64, rounds: usize) {
    let files = lake.files();
    let mut pair = Pair::start(lake);
    let from = parquet(&files);
    let both = |eddy: &str, duckdb: &str, end: &str| {
        [
            format!("SELECT * FROM haystack {eddy} {end}"),
            format!("SELECT {COLUMNS} FROM {from} {duckdb} {end}"),
        ]
    };
    heading(&format!("{rows} narrow rows, {} files, hot", files.len()));
    let same = newest(rows, &both);
    for (name, question) in &same {
        print(name, pair.hot(&vec![question.clone(); rounds]));
    }
    let count = ["haystack", &from].map(|table| format!("SELECT count(*) FROM {table}"));
    print("count(*)", pair.hot(&vec![count; rounds]));
    let needles = needles(rows, &both);
    for (name, questions) in &needles {
        print(name, pair.hot(questions));
    }
    for (name, questions) in &needles {
        let eddy = &questions[0][0];
        pair.eddy.ask(eddy);
        println!("{name} reads {}", pair.eddy.reads(eddy));
    }
    drop(pair);
    heading("cold");
    for (name, question) in same.iter().take(3) {
        print(name, cold(lake, question));
    }
    print(needles[0].0, cold(lake, &needles[0].1[0]));
}
fn newest(rows: u64, both: Both<'_>) -> [(&'static str, [String; 2]); 4] {
    let of = |condition: &str| {
        let end = "ORDER BY _timestamp DESC LIMIT 10";
        both(condition, condition, end)
    };
    let once = word(rows / 3);
    [
        ("the newest", of("")),
        ("the newest of ten", of(&format!("WHERE status = {RARE}"))),
        ("the newest of one in 100", of("WHERE level = 'error'")),
        (
            "the newest with a text: LIKE '%...%'",
            of(&format!("WHERE text LIKE '%{once}%'")),
        ),
    ]
}

fn needles(rows: u64, both: Both<'_>) -> [(&'static str, Vec<[String; 2]>); 3] {
    let mut random = Seeded::new(11);
    let mut some = |one: &dyn Fn(u64) -> [String; 2]| -> Vec<[String; 2]> {
        (0..NEEDLES).map(|_| one(random.below(rows))).collect()
    };
    let by_id = some(&|n| {
        let condition = format!("WHERE id = '{}'", id(n));
        both(&condition, &condition, "")
    });
    let by_key = some(&|n| {
        let eddy = format!("WHERE _key_text = '{}'", key(n));
        both(&eddy, &format!("WHERE _key = '{}'::BLOB", key(n)), "")
    });
    let by_word = some(&|n| {
        let eddy = format!("WHERE search('{}')", word(n));
        both(&eddy, &format!("WHERE text LIKE '%{}%'", word(n)), "")
    });
    [
        ("one id", by_id),
        ("one key", by_key),
        ("one word: search('...')", by_word),
    ]
}

fn hits(rows: u64) -> Cached {
    let lake = Cached::open(&format!("hits-{rows}"), "hits");
    if !lake.is_made() {
        lake.begin();
        create_topic(&lake.topic, PARTITIONS);
        let mut random = Seeded::new(5);
        produce(&lake.topic, rows, |index, text| {
            hit(&mut random, index, text);
            1_767_614_400_000 + i64::try_from(index).unwrap()
        });
        lake.sink(rows, "\"compact\" = \"false\"\n");
        lake.end();
    }
    lake
}

/// A row of 105 columns: numbers of few and of many values, and texts.
fn hit(random: &mut Seeded, index: u64, out: &mut String) {
    write!(
        out,
        "{{\"EventTime\":{},\"URL\":\"http://",
        index * 7_919 % 1_000_003
    )
    .unwrap();
    random.id(out, 12);
    let rare = if random.below(5_000) == 0 {
        "google"
    } else {
        "example"
    };
    write!(out, ".{rare}.com/\"").unwrap();
    for column in 0..70 {
        let most = 2 << (column % 16);
        write!(out, ",\"n{column:02}\":{}", random.below(most)).unwrap();
    }
    for column in 0..33 {
        write!(out, ",\"t{column:02}\":\"").unwrap();
        let length = usize::try_from(random.below(12)).unwrap();
        random.id(out, length);
        out.push('"');
    }
    out.push('}');
}

fn wide(lake: &Cached, rounds: usize) {
    let files = lake.files();
    let mut pair = Pair::start(lake);
    let from = parquet(&files);
    let end = "WHERE \"URL\" LIKE '%google%' ORDER BY \"EventTime\" LIMIT 10";
    let question = [
        format!("SELECT * FROM hits {end}"),
        format!("SELECT {COLUMNS} FROM {from} {end}"),
    ];
    heading(&format!("105 columns, {} files", files.len()));
    print(
        "the first of one in 5,000, hot",
        pair.hot(&vec![question.clone(); rounds]),
    );
    drop(pair);
    print("cold", cold(lake, &question));
}
