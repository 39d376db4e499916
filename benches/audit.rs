//! `make bench T=audit`: small questions to a table of thousands of columns.
//!
//! Real audit logs (744 sets of keys, some 1,200 columns with 5,000 leaves) of 1,000 days, one kind
//! a day, go through Kafka, the worker and compaction once: 1,000 files that each have few of the
//! columns. The lake on local disk is used again. Prints the median time of each question by turns
//! with DuckDB over the same files, whose `union_by_name` reads every footer; two threads each.
//!
//! `EDDY_BENCH_ROUNDS` changes the rounds (20).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]
#![allow(missing_docs)]

#[allow(dead_code, reason = "the other benchmarks use the rest")]
mod load;

use load::audit::vary;
use load::beside::parquet;
use load::cached::Cached;
use load::events::Seeded;
use load::pair::{COLUMNS, Pair, heading, print};
use load::services::{create_topic, produce};

const SAMPLES: &str = include_str!("../tests/fixtures/saas-audit-logs.ndjson");

const PARTITIONS: i32 = 4;
const FILES: u64 = 1_000;
const ROWS_EACH: u64 = 100;
/// 2026-01-05T12:00:00Z; the days go back from it.
const NOON_MS: i64 = 1_767_614_400_000;
const DAY_MS: i64 = 86_400_000;

/// What lets the worker keep every column.
const WIDE: &str = "\"limits.leaves\" = \"10000\"\n\"limits.keys\" = \"10000\"\n";

fn main() {
    let rounds = std::env::var("EDDY_BENCH_ROUNDS").map_or(20, |text| {
        text.parse().expect("EDDY_BENCH_ROUNDS is a number")
    });
    let lake = made();
    let files = lake.files();
    let mut pair = Pair::start(&lake);
    let from = parquet(&files);
    heading(&format!("{} files, some 1,200 columns", files.len()));
    let day = "_timestamp >= '2025-06-01T00:00:00Z' AND _timestamp < '2025-06-02T00:00:00Z'";
    let of_day = format!("WHERE {day} AND level = 'info'");
    let first_of_day = format!("{of_day} LIMIT 1");
    for (name, select, ours, theirs) in [
        ("count(*)", "count(*)", "", ""),
        ("a day's rows by two columns", "count(*)", &of_day, &of_day),
        ("a row of a day", "*", &first_of_day, &first_of_day),
        (
            "a row by its key",
            "*",
            "WHERE _key_text = '54321'",
            "WHERE _key = '54321'::BLOB",
        ),
        (
            "the newest ten",
            "*",
            "ORDER BY _timestamp DESC LIMIT 10",
            "ORDER BY _timestamp DESC LIMIT 10",
        ),
    ] {
        let columns = if select == "*" { COLUMNS } else { select };
        let question = [
            format!("SELECT {select} FROM audit {ours}"),
            format!("SELECT {columns} FROM {from} {theirs}"),
        ];
        print(name, pair.hot(&vec![question; rounds]));
    }
}

/// The events themselves, without what they came in: their keys are the table's columns.
fn events() -> Vec<String> {
    let event = |line: &str| {
        let sample: serde_json::Value = serde_json::from_str(line).unwrap();
        sample["event"].to_string()
    };
    SAMPLES.lines().map(event).collect()
}

fn made() -> Cached {
    let lake = Cached::open("audit-1000", "audit");
    if !lake.is_made() {
        lake.begin();
        create_topic(&lake.topic, PARTITIONS);
        let mut random = Seeded::new(9);
        let events = events();
        let rows = FILES * ROWS_EACH;
        produce(&lake.topic, rows, |index, text| {
            let day = index % FILES;
            let event = &events[usize::try_from(day).unwrap() % events.len()];
            let level = if index == rows / 2 { "rare" } else { "info" };
            text.push_str(&format!("{{\"seq\":{index},\"level\":\"{level}\","));
            text.push_str(&vary(event, &mut random)[1..]);
            let day = i64::try_from(day).unwrap();
            NOON_MS - day * DAY_MS + i64::try_from(index / FILES).unwrap()
        });
        lake.sink(rows, &format!("{WIDE}\"compact\" = \"false\"\n"));
        lake.compact(usize::try_from(FILES).unwrap());
        lake.end();
    }
    lake
}
