//! `make bench T=compact`: 2,000 small files become few while a writer commits every second.
//!
//! Prints the number of files before and after, and what a core compacts in a second: MB of
//! Parquet read, as the peers publish it, and MB of the JSON that it holds. A compaction works on
//! one thread, whose CPU time is the core's; the wall time beside it has the store's in it, and the
//! writer's.
//!
//! The lake is on the S3 server that `make bench` starts, on local disk without one.
//! `EDDY_BENCH_FILES` changes the number of files.

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
#[allow(dead_code, reason = "there is no worker to configure")]
#[path = "load/s3.rs"]
mod s3;
#[allow(dead_code, reason = "other benchmarks need the rest")]
#[path = "load/usage.rs"]
mod usage;

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use eddy_engine::budget::Budget;
use eddy_engine::maintain::{Compacted, Compaction, Keeper, Policy};
use eddy_engine::path::TablePath;
use eddy_engine::read::Snapshot;
use eddy_engine::write::{Start, TableWriter, WriterOptions};
use eddy_engine::{Clock, Lake, TopicId};
use events::{Seeded, event};
use tokio::runtime::Runtime;

const PARTITIONS: i32 = 4;
/// Events of a small file.
const EVENTS: u64 = 500;
/// Events of each commit beside the compaction.
const BESIDE: u64 = 50;
/// As few files as a writer leaves that commits every second.
const FEW: usize = 32;
/// The worker's memory, of which a rewrite takes an eighth.
const MEMORY: usize = 800 << 20;

fn main() {
    allocator::start();
    let wanted: usize = std::env::var("EDDY_BENCH_FILES").map_or(2_000, |text| {
        text.parse().expect("EDDY_BENCH_FILES is a number")
    });
    let folder = tempfile::tempdir().unwrap();
    let runtime = Runtime::new().unwrap();
    let lake = open(&runtime, folder.path());
    let mut feed = Feed::new(&lake);
    println!("making {wanted} small files at {}", lake.url());
    for _ in 0..wanted {
        feed.commit(EVENTS);
    }
    let (before, _) = files(&lake, &feed.table);
    let stop = AtomicBool::new(false);
    let table = feed.table.clone();
    let done = thread::scope(|scope| {
        let keeping = scope.spawn(|| {
            let done = compact(&lake, &table);
            stop.store(true, Ordering::Relaxed);
            done
        });
        while !stop.load(Ordering::Relaxed) {
            feed.commit(BESIDE);
            lake.clock().block(Duration::from_secs(1));
        }
        keeping.join().unwrap()
    });
    report(&lake, &feed, before, &done);
}

fn open(runtime: &Runtime, folder: &Path) -> Lake {
    if std::env::var_os("EDDY_TEST_S3_ENDPOINT").is_none() {
        return disk::lake(runtime, folder);
    }
    let bucket = format!("bench-{}", Clock::system().new_id());
    s3::create_bucket(&bucket);
    runtime.block_on(s3::open(&bucket))
}

/// What the compactions did together, and what they took.
#[derive(Default)]
struct Done {
    compacted: Compacted,
    wall: Duration,
    cpu: Duration,
}

/// Passes over the table until few files are left.
fn compact(lake: &Lake, table: &TablePath) -> Done {
    let policy = Policy {
        compaction: Some(Compaction {
            settle: Duration::ZERO,
            ..Compaction::default()
        }),
        ..Policy::default()
    };
    let mut keeper = Keeper::new(lake, &Budget::new(MEMORY));
    let (halt, mut done) = (AtomicBool::new(false), Done::default());
    let (begun, used) = (lake.clock().monotonic(), usage::thread_cpu());
    while files(lake, table).0 >= FEW {
        let kept = keeper.pass(table, &policy, &halt).unwrap();
        done.compacted.rewrites += kept.compacted.rewrites;
        done.compacted.rows += kept.compacted.rows;
        done.compacted.bytes_read += kept.compacted.bytes_read;
        done.compacted.bytes_written += kept.compacted.bytes_written;
    }
    done.wall = lake.clock().monotonic() - begun;
    done.cpu = usage::thread_cpu() - used;
    done
}

fn report(lake: &Lake, feed: &Feed, before: usize, done: &Done) {
    let (after, rows) = files(lake, &feed.table);
    assert_eq!(rows, feed.events, "every record is in the table once");
    let read = done.compacted.bytes_read as f64 / 1e6;
    let json = feed.bytes as f64 / feed.events as f64 * done.compacted.rows as f64 / 1e6;
    let rate = |megabytes: f64, time: Duration| megabytes / time.as_secs_f64();
    println!("files before, after       {before}, {after}");
    println!("records, rows             {}, {rows}", feed.events);
    println!("rewrites                  {}", done.compacted.rewrites);
    println!(
        "Parquet read, written     {read:.1}, {:.1} MB",
        done.compacted.bytes_written as f64 / 1e6
    );
    println!(
        "MB(Parquet) per core-s    {:.1}; per second {:.1}",
        rate(read, done.cpu),
        rate(read, done.wall)
    );
    println!(
        "MB(JSON) per core-s       {:.1}; per second {:.1}",
        rate(json, done.cpu),
        rate(json, done.wall)
    );
    println!("wall                      {:.1} s", done.wall.as_secs_f64());
    println!(
        "peak memory               {} MiB",
        usage::memory_max() >> 20
    );
}

/// The files of the newest version and the rows in them.
fn files(lake: &Lake, table: &TablePath) -> (usize, u64) {
    let snapshot = Snapshot::load(lake, table, None).unwrap().unwrap();
    let rows = snapshot.files.iter().map(|file| file.rows).sum();
    (snapshot.files.len(), rows)
}

/// A writer and its records.
struct Feed {
    writer: TableWriter,
    table: TablePath,
    random: Seeded,
    events: u64,
    bytes: u64,
}

impl Feed {
    fn new(lake: &Lake) -> Self {
        let table = lake.table("topics", "compacted");
        let options = WriterOptions::new(table.clone(), "compacted", TopicId::new("id"), "bench");
        let mut writer = TableWriter::open(lake, options).unwrap();
        let starts: Vec<_> = (0..PARTITIONS).map(|at| (at, Start::at(0))).collect();
        writer.assign(&starts).unwrap();
        Self {
            writer,
            table,
            random: Seeded::new(20_251_124),
            events: 0,
            bytes: 0,
        }
    }

    fn commit(&mut self, count: u64) {
        let mut text = String::new();
        for _ in 0..count {
            let partitions = u64::from(PARTITIONS.unsigned_abs());
            let partition = i32::try_from(self.events % partitions).unwrap();
            let offset = i64::try_from(self.events / partitions).unwrap();
            text.clear();
            event(&mut self.random, self.events, &mut text);
            let key = self.events.to_string();
            let record = disk::record(partition, offset, Some(&key), &text);
            self.writer.append(&record).unwrap();
            self.events += 1;
            self.bytes += text.len() as u64;
        }
        self.writer.cut().unwrap();
        let committed = self.writer.wait_cut(Duration::from_secs(60)).unwrap();
        assert!(!committed.is_empty(), "the commit took a minute");
    }
}
