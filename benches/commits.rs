//! `make bench T=commits`: what a commit costs as its table grows, and what following it costs.
//!
//! A writer on local disk makes thousands of commits of a few records each. Printed are the
//! milliseconds of CPU, of every thread, around some of them: the median, the mean with what comes
//! on top once in a while (checkpoints), and the most. Then a reader that holds the table's newest
//! snapshot is brought on by one version, again and again.
//!
//! `EDDY_BENCH_COMMITS` changes the number of commits, `EDDY_BENCH_PARTITIONS` that of the topic's
//! partitions, of which each commit moves some.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]
#![allow(missing_docs)]

#[allow(dead_code, unused_imports, reason = "it has a test of its own")]
#[path = "../src/allocator.rs"]
mod allocator;
#[allow(dead_code, reason = "what is on disk is another benchmark's question")]
#[path = "load/disk.rs"]
mod disk;
#[allow(dead_code, reason = "only the wide events need digits")]
#[path = "load/events.rs"]
mod events;
#[allow(dead_code, reason = "memory is another benchmark's question")]
#[path = "load/usage.rs"]
mod usage;

use std::time::{Duration, Instant};

use eddy_engine::Lake;
use eddy_engine::TopicId;
use eddy_engine::path::TablePath;
use eddy_engine::read::Snapshot;
use eddy_engine::write::{Start, TableWriter, WriterOptions};
use events::{Seeded, event};

/// Records of a commit.
const RECORDS: i64 = 5;
/// Commits around the one in question, so that noise of the machine evens out and one checkpoint is
/// among them.
const WINDOW: usize = 100;
/// The refreshes that are measured.
const REFRESHES: usize = 300;

fn main() {
    allocator::start();
    let commits = number("EDDY_BENCH_COMMITS", 10_000);
    let partitions = i32::try_from(number("EDDY_BENCH_PARTITIONS", 4)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let lake = disk::lake(&runtime, folder.path());
    let mut feed = Feed::new(&lake, partitions);
    let used: Vec<Duration> = (0..commits + WINDOW).map(|_| feed.measured()).collect();
    println!("commits of {RECORDS} records on {partitions} partitions, CPU of the process in ms");
    println!("  around the   median   mean   most");
    let places = [100, 1_000, 5_000, commits];
    for at in places.into_iter().filter(|at| *at <= commits) {
        report(at, &used[at - WINDOW / 2..at + WINDOW / 2]);
    }
    refresh(&lake, &mut feed);
}

fn number(name: &str, usual: usize) -> usize {
    std::env::var(name).map_or(usual, |text| {
        let number = text.parse();
        number.unwrap_or_else(|_| panic!("{name} is a number"))
    })
}

fn report(at: usize, used: &[Duration]) {
    let mut sorted: Vec<f64> = used.iter().map(|used| used.as_secs_f64() * 1e3).collect();
    sorted.sort_by(f64::total_cmp);
    let mean = sorted.iter().sum::<f64>() / sorted.len() as f64;
    println!(
        "  {at:>8}th {:>8.2} {mean:>6.2} {:>6.2}",
        sorted[sorted.len() / 2],
        sorted[sorted.len() - 1]
    );
}

/// Brings a snapshot on by one version, as a query does it.
#[expect(clippy::disallowed_methods, reason = "a bench measures real time")]
fn refresh(lake: &Lake, feed: &mut Feed) {
    let load = Instant::now();
    let mut snapshot = Snapshot::load(lake, &feed.table, None).unwrap().unwrap();
    let load = load.elapsed();
    let mut took = Vec::new();
    for _ in 0..REFRESHES {
        feed.commit();
        let start = Instant::now();
        let newer = snapshot.refresh(lake, &feed.table).unwrap();
        took.push(start.elapsed().as_secs_f64() * 1e3);
        assert_eq!(newer.version, snapshot.version + 1);
        snapshot = newer;
    }
    took.sort_by(f64::total_cmp);
    println!("a snapshot of {} files", snapshot.files.len());
    println!("  loaded anew in     {:.0} ms", load.as_secs_f64() * 1e3);
    println!(
        "  by one version in  {:.2} ms (median of {REFRESHES}, 99th percentile {:.2}, most {:.2})",
        took[REFRESHES / 2],
        took[REFRESHES / 100 * 99],
        took[REFRESHES - 1]
    );
}

/// A writer and its records.
struct Feed {
    writer: TableWriter,
    table: TablePath,
    random: Seeded,
    partitions: i32,
    offset: i64,
}

impl Feed {
    fn new(lake: &Lake, partitions: i32) -> Self {
        let table = lake.table("topics", "commits");
        let options = WriterOptions::new(table.clone(), "commits", TopicId::new("bench"), "bench");
        let mut writer = TableWriter::open(lake, options).unwrap();
        let starts: Vec<_> = (0..partitions).map(|at| (at, Start::at(0))).collect();
        writer.assign(&starts).unwrap();
        Self {
            writer,
            table,
            random: Seeded::new(20_251_124),
            partitions,
            offset: 0,
        }
    }

    /// Makes one commit and answers the CPU time of it, from the records on.
    fn measured(&mut self) -> Duration {
        let before = usage::Cpu::now();
        self.commit();
        usage::Cpu::now().since(&before)
    }

    fn commit(&mut self) {
        let mut text = String::new();
        for _ in 0..RECORDS {
            let (partition, offset) = (self.offset % i64::from(self.partitions), self.offset);
            text.clear();
            event(&mut self.random, offset.unsigned_abs(), &mut text);
            let partition = i32::try_from(partition).unwrap();
            let key = offset.to_string();
            let record = disk::record(partition, offset, Some(&key), &text);
            self.writer.append(&record).unwrap();
            self.offset += 1;
        }
        self.writer.cut().unwrap();
        let committed = self.writer.wait_cut(Duration::from_secs(60)).unwrap();
        assert!(!committed.is_empty(), "the commit took a minute");
    }
}
