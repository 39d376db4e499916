//! `make bench`: the engine alone, from records in memory to committed files on local disk.
//!
//! Two kinds of events: nested ones with drift, and the wide audit logs (91 kinds, some 5,000
//! leaves, every column kept). Prints what one CPU-second shreds (the appending thread) and what it
//! takes through (everything: shred, encode, commit), and the peak memory of the process without
//! the events, in a worker's default `worker.memory`, divided as the connector divides it for one
//! task; what librdkafka would hold is taken up by bytes that nobody reads. `redact` is the search
//! of the nested events for what must never land, alone; `redacted` and `encrypted` are the nested
//! events again, with such rules and into encrypted files, to be compared with `nested` of the same
//! run.
//!
//! `EDDY_BENCH_MB` changes the amount of JSON, `EDDY_BENCH_ONLY` picks one of them,
//! `EDDY_BENCH_CUT_MB` says after how many MiB in memory a cut comes, `EDDY_BENCH_MEMORY_MB` what
//! `worker.memory` is.

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
#[path = "load/events.rs"]
mod events;
#[allow(dead_code, reason = "other benchmarks need the rest")]
#[path = "load/usage.rs"]
mod usage;
#[allow(unused_imports, reason = "it has a test of its own")]
#[path = "../connector/src/connect/memory.rs"]
mod worker_memory;
#[path = "load/yardstick.rs"]
mod yardstick;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use audit::Audit;
use eddy_engine::budget::Budget;
use eddy_engine::redact::{self, Action, HashKey, Redaction, Redactor, Rule};
use eddy_engine::seal::Key;
use eddy_engine::write::{Start, TableWriter, WriterOptions};
use eddy_engine::{Clock, Lake, LakeOptions, Record, TimestampType, TopicId};
use events::{Seeded, event};
use worker_memory::Memory;

/// `worker.memory` in MiB, unless somebody says otherwise.
const MEMORY_MB: usize = 1_024;

/// Records between two publications of live rows, as a worker at full speed has them.
const PUBLISH: usize = 40_000;

fn main() {
    allocator::start();
    let megabytes = std::env::var("EDDY_BENCH_MB").map_or(400, |text| {
        text.parse()
            .expect("EDDY_BENCH_MB is a number of megabytes")
    });
    println!(
        "zstd(1) alone: {:.0} MB per CPU-second",
        yardstick::zstd_rate() / 1e6
    );
    let only = std::env::var("EDDY_BENCH_ONLY").ok();
    let wanted = |name: &str| only.as_deref().is_none_or(|only| only == name);
    for (name, prepare) in NESTED {
        if wanted(name) {
            let events = nested(megabytes.min(100) << 20);
            measure(name, &events, megabytes << 20, prepare);
        }
    }
    if wanted("redact") {
        let (events, bytes) = (nested(megabytes.min(100) << 20), megabytes << 20);
        redact("rules that touch nothing", &events, bytes, "customer.email");
        redact("one hash per event", &events, bytes, "did");
    }
    if wanted("wide") {
        let events = wide(megabytes.min(100) << 20);
        measure("wide", &events, megabytes << 20, |options| {
            // Every column is kept: some objects of the audit logs have more keys than the default
            // allows.
            options.limits.leaves = 10_000;
            options.limits.keys = 10_000;
        });
    }
}

/// Sets what a table is to be.
type Prepare = fn(&mut WriterOptions);

/// What the nested events are written to.
const NESTED: [(&str, Prepare); 3] = [
    ("nested", |_| {}),
    ("redacted", |options| {
        options.redaction = Some(redaction("did"));
    }),
    ("encrypted", |options| {
        let key = "a2V5IG9mIGEgYmVuY2gsIG9mIG5vIHVzZSBhdCBhbGw=";
        options.key = Some(Key::from_base64("bench", key).unwrap());
    }),
];

/// Rules of which the second finds something in each nested event, if `hash` is there.
fn redaction(hash: &str) -> Arc<Redaction> {
    let rules = [("password, **.secret", Action::Drop), (hash, Action::Hash)];
    let rules = rules
        .into_iter()
        .flat_map(|(paths, action)| Rule::parse_list(paths, action).unwrap());
    let options = redact::Options {
        hash_key: HashKey::new(b"a key for the bench, of no use"),
        ..redact::Options::default()
    };
    Redaction::new(rules.collect(), options).unwrap()
}

/// What one CPU-second looks through for what must never land.
fn redact(name: &str, events: &[String], bytes: usize, hash: &str) {
    let mut redactor = Redactor::new(redaction(hash));
    let (begun, mut taken, mut landed) = (thread_cpu(), 0, 0);
    for event in events.iter().cycle() {
        if taken >= bytes {
            break;
        }
        let redacted = redactor.redact(&record(0, "key", event));
        landed += redacted.record().value.unwrap().len();
        taken += event.len();
    }
    let rate = taken as f64 / 1e6 / (thread_cpu() - begun).as_secs_f64();
    println!(
        "{name}: {rate:.0} MB per CPU-second, of which {:.3} land",
        landed as f64 / taken as f64
    );
}

fn nested(bytes: usize) -> Vec<String> {
    let mut random = Seeded::new(20_251_124);
    let mut made = 0;
    let mut events = Vec::new();
    while made < bytes {
        let mut text = String::new();
        event(&mut random, events.len() as u64, &mut text);
        made += text.len();
        events.push(text);
    }
    events
}

fn wide(bytes: usize) -> Vec<String> {
    let mut audit = Audit::new(20_251_124);
    let mut made = 0;
    let mut events = Vec::new();
    while made < bytes {
        let text = audit.next();
        made += text.len();
        events.push(text);
    }
    events
}

#[expect(clippy::disallowed_methods, reason = "a bench measures real time")]
fn measure(name: &str, events: &[String], bytes: usize, prepare: Prepare) {
    let folder = tempfile::tempdir().unwrap();
    let worker_memory = std::env::var("EDDY_BENCH_MEMORY_MB").map_or(MEMORY_MB, |text| {
        text.parse().expect("EDDY_BENCH_MEMORY_MB is a number")
    });
    let memory = Memory::divide(worker_memory << 20, 1);
    usage::forget_memory_max();
    // What librdkafka would hold.
    let fetched = vec![1_u8; memory.queue];
    let mut writer = open(folder.path(), name, memory, prepare);
    let (begun, process) = (Instant::now(), cpu("/proc/self/stat"));
    let (records, taken, shredding) = feed(&mut writer, events, bytes);
    while writer.in_flight() {
        writer.wait_cut(Duration::from_secs(60)).unwrap();
    }
    let whole = cpu("/proc/self/stat") - process;
    let megabytes = taken as f64 / 1e6;
    let rate = |cpu: Duration| megabytes / cpu.as_secs_f64();
    println!("{name}: {records} records, {megabytes:.0} MB of JSON");
    println!("  columns     {}", writer.schema().flattened_fields().len());
    println!("  wall        {:.2} s", begun.elapsed().as_secs_f64());
    println!("  shred       {:.0} MB per CPU-second", rate(shredding));
    println!("  everything  {:.0} MB per CPU-second", rate(whole));
    println!("  on disk     {:.1} MB", size(folder.path()) as f64 / 1e6);
    std::hint::black_box(fetched);
    let own: usize = events.iter().map(|event| event.capacity()).sum();
    let peak = usage::memory_max().saturating_sub(own as u64);
    println!("  peak memory {} MiB of {worker_memory}", peak >> 20);
}

fn open(folder: &Path, name: &str, memory: Memory, prepare: Prepare) -> TableWriter {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let options = LakeOptions {
        url: format!("file://{}", folder.display()),
        options: BTreeMap::new(),
    };
    let lake = runtime.block_on(async { Lake::open(&options, Clock::system()).unwrap() });
    // Commits run on it until the process ends.
    std::mem::forget(runtime);
    let table = lake.table("topics", name);
    let mut options = WriterOptions::new(table, name, TopicId::new("bench"), "bench");
    prepare(&mut options);
    lake.live().keep_at_most(memory.committed);
    lake.reuse_at_most(memory.reused);
    options.budget = Budget::new(memory.writers);
    let most = memory.writers / 4;
    options.cut.bytes = options.cut.bytes.min(most);
    options.cut.bytes_wide = options.cut.bytes_wide.min(most);
    if let Ok(megabytes) = std::env::var("EDDY_BENCH_CUT_MB") {
        options.cut.bytes = megabytes.parse::<usize>().expect("megabytes") << 20;
        options.cut.bytes_wide = 0;
    }
    let mut writer = TableWriter::open(&lake, options).unwrap();
    writer.assign(&[(0, Start::at(0))]).unwrap();
    writer
}

/// Appends `bytes` of the events and starts the last cut. Returns the records, the bytes, and the
/// thread's CPU time without its waits for commits.
fn feed(writer: &mut TableWriter, events: &[String], bytes: usize) -> (i64, usize, Duration) {
    let begun = thread_cpu();
    let mut cutting = Duration::ZERO;
    let (mut records, mut taken) = (0, 0);
    while taken < bytes {
        let at = usize::try_from(records).unwrap();
        let value = &events[at % events.len()];
        let key = records.to_string();
        writer.append(&record(records, &key, value)).unwrap();
        taken += value.len();
        records += 1;
        if at % PUBLISH == 0 {
            writer.publish().unwrap();
            writer.poll().unwrap();
            if writer.due() || writer.must_pause() {
                let before = thread_cpu();
                writer.wait_cut(Duration::from_secs(60)).unwrap();
                writer.cut().unwrap();
                cutting += thread_cpu() - before;
            }
        }
    }
    let shredding = thread_cpu() - begun - cutting;
    writer.wait_cut(Duration::from_secs(60)).unwrap();
    writer.cut().unwrap();
    (records, taken, shredding)
}

fn record<'a>(offset: i64, key: &'a str, value: &'a str) -> Record<'a> {
    Record {
        partition: 0,
        offset,
        timestamp_ms: Some(1_764_000_000_000 + offset),
        timestamp_type: TimestampType::Create,
        key: Some(key.as_bytes()),
        value: Some(value.as_bytes()),
        headers: &[],
        decoded: Default::default(),
    }
}

fn thread_cpu() -> Duration {
    cpu("/proc/thread-self/stat")
}

/// User and system time, fields 14 and 15 of proc(5)'s stat, in ticks of 10 ms.
fn cpu(path: &str) -> Duration {
    let stat = std::fs::read_to_string(path).unwrap();
    let fields: Vec<&str> = stat
        .rsplit(')')
        .next()
        .unwrap()
        .split_whitespace()
        .collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    Duration::from_millis(ticks * 10)
}

fn size(folder: &Path) -> u64 {
    std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            let meta = entry.metadata().unwrap();
            if meta.is_dir() {
                size(&entry.path())
            } else {
                meta.len()
            }
        })
        .sum()
}
