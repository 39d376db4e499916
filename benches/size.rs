//! `make bench T=size`: what a table takes on disk, against `gzip -6` of the same events as NDJSON.
//!
//! The three sets of real events as they are, the audit logs again with other values in the same
//! shapes, and generated events; each through a writer in the default configuration, which keeps
//! the raw bytes of every record, and through one that elides them where columns and shape say the
//! same, and then compacted. What the columns take alone, without any way back to the bytes, is
//! the size of the files that keep them without the chunks of `_value`. Every row of the elided
//! table is read back and compared. Needs the program `gzip`.
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
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use arrow::array::{Array, AsArray};
use arrow::datatypes::Int64Type;
use bytes::Bytes;
use eddy_engine::budget::Budget;
use eddy_engine::elide::{Raw, Values};
use eddy_engine::maintain::{Compaction, Keeper, Policy};
use eddy_engine::path::TablePath;
use eddy_engine::read::Snapshot;
use eddy_engine::schema::{VALUE, VALUE_SHAPE};
use eddy_engine::write::{Start, TableWriter, WriterOptions};
use eddy_engine::{Lake, TopicId};
use object_store::ObjectStoreExt;
use object_store::path::Path;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::reader::{FileReader, SerializedFileReader};

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
    println!("MB on disk, raw bytes kept, elided and left out; in parentheses parts of gzip -6");
    println!(
        "events        records   JSON MB   gzip MB   files      {:<15} {:<15} {:<15} rows elided",
        "kept", "elided", "without"
    );
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
    let kept = lake.table("topics", &name.replace(' ', "-"));
    let elided = lake.table("topics", &format!("{}-elided", kept.topic()));
    write(lake, &kept, events, Raw::Keep);
    write(lake, &elided, events, Raw::Elide);
    let json: usize = events.iter().map(|event| event.len() + 1).sum();
    let gzip = gzip(events) as f64;
    for how in ["written", "compacted"] {
        if how == "compacted" {
            compact(lake, &kept);
            compact(lake, &elided);
        }
        let (whole, raw) = data_bytes(lake, &kept);
        let (less, _) = data_bytes(lake, &elided);
        let size = |bytes: f64| format!("{:>8.2} ({:.2})", bytes / 1e6, bytes / gzip);
        println!(
            "{name:<12} {:>8}  {:>8.2}  {:>8.2}   {how:<9} {} {} {} {:>8.3}",
            events.len(),
            json as f64 / 1e6,
            gzip / 1e6,
            size(whole),
            size(less),
            size(whole - raw),
            share_elided(lake, &elided, events),
        );
    }
}

/// The part of the rows that don't store their bytes; all have them.
fn share_elided(lake: &Lake, table: &TablePath, events: &[String]) -> f64 {
    let snapshot = Snapshot::load(lake, table, None).unwrap().unwrap();
    let (mut rows, mut elided) = (0, 0);
    for file in snapshot.files.iter() {
        let bytes = fetch(lake, &table.object(&file.path));
        let builder = ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap();
        let values = Values::of_file(builder.schema(), &snapshot.schema).unwrap();
        for batch in builder.build().unwrap() {
            let batch = batch.unwrap();
            let made = values.of(batch.columns()).unwrap();
            let offsets = batch["_offset"].as_primitive::<Int64Type>();
            for (row, offset) in offsets.values().iter().enumerate() {
                assert_eq!(made.value(row), events[*offset as usize].as_bytes(), "E7");
            }
            rows += batch.num_rows();
            elided += batch[VALUE].null_count();
        }
    }
    assert_eq!(rows, events.len());
    elided as f64 / rows as f64
}

fn write(lake: &Lake, table: &TablePath, events: &[String], raw: Raw) {
    let id = TopicId::new("bench");
    let mut options = WriterOptions::new(table.clone(), table.topic(), id, "bench");
    options.raw = raw;
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

/// The bytes of a table's files, and those of `_value` and `_value_shape` among them.
fn data_bytes(lake: &Lake, table: &TablePath) -> (f64, f64) {
    let snapshot = Snapshot::load(lake, table, None).unwrap().unwrap();
    let (mut whole, mut raw) = (0, 0);
    for file in snapshot.files.iter() {
        whole += file.size;
        raw += chunk_bytes(lake, &table.object(&file.path));
    }
    (whole as f64, raw as f64)
}

fn chunk_bytes(lake: &Lake, object: &Path) -> u64 {
    let reader = SerializedFileReader::new(fetch(lake, object)).unwrap();
    let groups = reader.metadata().row_groups().iter();
    let chunks = groups.flat_map(|group| group.columns());
    chunks
        .filter(|chunk| {
            let root = chunk.column_path().parts().first();
            root.is_some_and(|root| root == VALUE || root == VALUE_SHAPE)
        })
        .map(|chunk| u64::try_from(chunk.compressed_size()).unwrap())
        .sum()
}

fn fetch(lake: &Lake, object: &Path) -> Bytes {
    let (store, object) = (Arc::clone(lake.store()), object.clone());
    let bytes = lake.wait(async move { store.get(&object).await?.bytes().await });
    bytes.unwrap().unwrap()
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
