//! `make bench`: 1,000,000 events from a Kafka backlog to committed Parquet on S3.
//!
//! Prints records per second, MB of JSON per CPU-second of the worker process (user and system,
//! everything counted: Kafka client, decode, encode, upload, commit), and peak memory. The raw
//! bytes are kept, the configuration is the default one. One machine does half as much in some
//! minutes as in others, so what reading alone costs is measured before and after.
//!
//! `EDDY_BENCH_RECORDS` changes the number of events, `EDDY_BENCH_TASKS` that of the tasks (one).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]
#![allow(missing_docs)]

#[allow(dead_code, reason = "only the engine's benchmark has wide events")]
mod load;

use std::time::{Duration, Instant};

use eddy_engine::read::Snapshot;
use eddy_engine::{Clock, Lake};
use load::reading::reading_alone;
use load::s3::{self, create_bucket, lake, setting};
use load::services::{create_topic, fill};
use load::worker::{Used, Worker, wait_until};

const PARTITIONS: i32 = 4;

#[expect(clippy::disallowed_methods, reason = "a bench measures real time")]
fn main() {
    let records: u64 = std::env::var("EDDY_BENCH_RECORDS").map_or(1_000_000, |text| {
        text.parse().expect("EDDY_BENCH_RECORDS is a number")
    });
    let run = Clock::system().new_id();
    let topic = format!("bench-{run}");
    create_topic(&topic, PARTITIONS);
    create_bucket(&topic);
    println!("filling `{topic}` with {records} events");
    let bytes = fill(&topic, records);
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let lake = runtime.block_on(s3::open(&topic));
    let reading = reading_alone(&topic, PARTITIONS, records);
    let start = Instant::now();
    let worker = Worker::start(folder.path(), &configuration(&topic));
    wait_until(Duration::from_secs(600), &worker.log, || {
        accounted(&lake, &topic) >= records
    });
    let wall = start.elapsed();
    let used = worker.used();
    drop(worker);
    let reading = [reading, reading_alone(&topic, PARTITIONS, records)];
    report(records, bytes, wall, used);
    report_reading(bytes, used, reading);
}

/// What the worker's CPU time is in units of what reading alone took, before and after it.
fn report_reading(bytes: u64, used: Used, reading: [Duration; 2]) {
    let [before, after] = reading.map(|used| used.as_secs_f64());
    let megabytes = bytes as f64 / 1e6;
    println!(
        "reading alone, MB per CPU-second  {:.0} before, {:.0} after",
        megabytes / before,
        megabytes / after
    );
    println!(
        "the worker took as long as reading alone  {:.2} times",
        used.cpu.as_secs_f64() / ((before + after) / 2.0)
    );
}

fn report(records: u64, bytes: u64, wall: Duration, used: Used) {
    let megabytes = bytes as f64 / 1e6;
    let cpu = used.cpu.as_secs_f64();
    println!("records                  {records}");
    println!(
        "JSON                     {megabytes:.0} MB, {} bytes a record",
        bytes / records
    );
    println!("wall                     {:.2} s", wall.as_secs_f64());
    println!(
        "records/s                {:.0}",
        records as f64 / wall.as_secs_f64()
    );
    println!("CPU of the worker        {cpu:.2} s");
    println!("MB(JSON) per CPU-second  {:.1}", megabytes / cpu);
    println!("peak memory              {} MiB", used.memory_max >> 20);
}

fn configuration(topic: &str) -> String {
    let tasks = std::env::var("EDDY_BENCH_TASKS").unwrap_or_else(|_| "1".to_owned());
    format!(
        "{}\n[kafka]\n\"bootstrap.servers\" = \"{}\"\n[http]\nlisten = \"\"\n\
         [connect]\nlisten = \"\"\n[postgres]\nlisten = \"\"\n[flight]\nlisten = \"\"\n\
         [collector]\nhttp_listen = \"\"\ngrpc_listen = \"\"\n\
         [connectors.\"{topic}\"]\n\"topics\" = \"{topic}\"\n\"tasks.max\" = \"{tasks}\"\n",
        lake(topic),
        setting("EDDY_TEST_KAFKA"),
    )
}

/// Offsets accounted by the table, which a bench's topic has from 0 on without gaps.
fn accounted(lake: &Lake, topic: &str) -> u64 {
    let table = lake.table("topics", topic);
    match Snapshot::load(lake, &table, None).unwrap() {
        Some(snapshot) => snapshot
            .positions
            .values()
            .map(|position| u64::try_from(position.offset).unwrap())
            .sum(),
        None => 0,
    }
}
