//! `make bench T=size`: what a table takes on disk, against `gzip -6` of the same events as NDJSON.
//!
//! The three sets of real events as they are, the audit logs again with other values in the same
//! shapes, and generated events; each through a writer in the default configuration, which keeps
//! the raw bytes of every record, and then compacted. Needs the program `gzip`.
//!
//! `EDDY_BENCH_MB` changes the size of the two large sets.

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
#[path = "load/audit.rs"]
mod audit;
#[allow(dead_code, reason = "other benchmarks need the rest")]
#[path = "load/disk.rs"]
mod disk;
#[path = "load/events.rs"]
mod events;

use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use eddy_engine::budget::Budget;
use eddy_engine::maintain::{Compaction, Keeper, Policy};
use eddy_engine::path::TablePath;
use eddy_engine::read::Snapshot;
use eddy_engine::write::{Start, TableWriter, WriterOptions};
use eddy_engine::{Lake, TopicId};

const REAL: [(&str, &str); 3] = [
    (
        "audit logs",
        include_str!("../tests/fixtures/saas-audit-logs.ndjson"),
    ),
    (
        "slack",
        include_str!("../tests/fixtures/slack-events.ndjson"),
    ),
    (
        "stripe",
        include_str!("../tests/fixtures/stripe-objects.ndjson"),
    ),
];

/// Records between two looks at whether a cut is due.
const LOOK: usize = 10_000;

fn main() {
    allocator::start();
    let megabytes: usize = std::env::var("EDDY_BENCH_MB")
        .map_or(100, |text| text.parse().expect("EDDY_BENCH_MB is a number"));
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let lake = disk::lake(&runtime, folder.path());
    println!("raw bytes kept; in parentheses parts of gzip -6");
    println!("events        records   JSON MB   gzip MB   files MB         compacted MB");
    for (name, lines) in REAL {
        let events: Vec<String> = lines.lines().map(|line| payload(line).to_owned()).collect();
        measure(&lake, name, &events);
    }
    let mut random = audit::Audit::new(20_251_124);
    let varied = up_to(megabytes << 20, |_| payload(&random.next()).to_owned());
    measure(&lake, "varied audit", &varied);
    let mut random = events::Seeded::new(20_251_124);
    let generated = up_to(megabytes << 20, |index| {
        let mut text = String::new();
        events::event(&mut random, index, &mut text);
        text
    });
    measure(&lake, "generated", &generated);
}

/// What a producer would send: the samples' last member.
fn payload(line: &str) -> &str {
    let (_, event) = line.split_once(",\"event\":").expect("a sample");
    event.strip_suffix('}').expect("a sample")
}

fn up_to(bytes: usize, mut next: impl FnMut(u64) -> String) -> Vec<String> {
    let (mut made, mut events) = (0, Vec::new());
    while made < bytes {
        let event = next(events.len() as u64);
        made += event.len() + 1;
        events.push(event);
    }
    events
}

fn measure(lake: &Lake, name: &str, events: &[String]) {
    let table = lake.table("topics", &name.replace(' ', "-"));
    write(lake, &table, events);
    let written = data_bytes(lake, &table);
    compact(lake, &table);
    let compacted = data_bytes(lake, &table);
    let json: usize = events.iter().map(|event| event.len() + 1).sum();
    let gzip = gzip(events) as f64;
    println!(
        "{name:<12} {:>8}  {:>8.2}  {:>8.2}   {:>8.2} ({:.2})    {:>8.2} ({:.2})",
        events.len(),
        json as f64 / 1e6,
        gzip / 1e6,
        written / 1e6,
        written / gzip,
        compacted / 1e6,
        compacted / gzip,
    );
}

fn write(lake: &Lake, table: &TablePath, events: &[String]) {
    let id = TopicId::new("bench");
    let options = WriterOptions::new(table.clone(), table.topic(), id, "bench");
    let mut writer = TableWriter::open(lake, options).unwrap();
    writer.assign(&[(0, Start::at(0))]).unwrap();
    for (offset, event) in (0..).zip(events) {
        writer
            .append(&disk::record(0, offset, None, event))
            .unwrap();
        if (offset as usize).is_multiple_of(LOOK) && writer.due() {
            writer.cut().unwrap();
            settle(&mut writer);
        }
    }
    writer.cut().unwrap();
    settle(&mut writer);
}

fn settle(writer: &mut TableWriter) {
    writer.wait_cut(Duration::from_secs(600)).unwrap();
    assert!(!writer.in_flight(), "the commit took ten minutes");
}

/// Puts small files together, whatever their age.
fn compact(lake: &Lake, table: &TablePath) {
    let policy = Policy {
        compaction: Some(Compaction {
            least_files: 2,
            settle: Duration::ZERO,
            ..Compaction::default()
        }),
        ..Policy::default()
    };
    let mut keeper = Keeper::new(lake, &Budget::unlimited());
    let halt = AtomicBool::new(false);
    keeper.pass(table, &policy, &halt).unwrap();
}

fn data_bytes(lake: &Lake, table: &TablePath) -> f64 {
    let snapshot = Snapshot::load(lake, table, None).unwrap().unwrap();
    snapshot.files.iter().map(|file| file.size).sum::<u64>() as f64
}

/// The bytes that `gzip -6` makes of the events, one a line.
fn gzip(events: &[String]) -> u64 {
    let mut child = Command::new("gzip")
        .args(["-6", "-c"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program `gzip`");
    let mut out = child.stdout.take().unwrap();
    let counter = std::thread::spawn(move || {
        let (mut buffer, mut bytes) = (vec![0; 1 << 16], 0);
        loop {
            match out.read(&mut buffer).unwrap() {
                0 => return bytes,
                read => bytes += read as u64,
            }
        }
    });
    let mut stdin = child.stdin.take().unwrap();
    for event in events {
        stdin.write_all(event.as_bytes()).unwrap();
        stdin.write_all(b"\n").unwrap();
    }
    drop(stdin);
    let bytes = counter.join().unwrap();
    assert!(child.wait().unwrap().success());
    bytes
}
