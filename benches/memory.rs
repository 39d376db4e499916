//! `make bench T=memory`: peak memory of a worker's engine with `worker.memory = "512MiB"`, fed
//! from a backlog as fast as it takes records.
//!
//! - `partitions`: one topic of 10,000 Kafka partitions;
//! - `topics`: 1,000 topics of 10 partitions, all of them open;
//! - `outputs`: one topic whose records spread over 5,000 output partitions (by day, which is how
//!   tables are partitioned today).
//!
//! Each case is a process of its own, so that its peak is its own. The budget is divided as the
//! connector divides it for one task; what librdkafka would hold is taken up by bytes that nobody
//! reads. The feeding loop does what a sink task does: it stops reading while the budget is over,
//! publishes live rows, and cuts what is due. At the end every record must be in the table.
//!
//! `EDDY_BENCH_SECONDS` changes how long a case is fed, `EDDY_BENCH_ONLY` picks one.

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
#[allow(dead_code, reason = "other benchmarks need the rest")]
#[path = "load/disk.rs"]
mod disk;
#[allow(dead_code, reason = "only the wide events need digits")]
#[path = "load/events.rs"]
mod events;
#[allow(dead_code, reason = "other benchmarks need the rest")]
#[path = "load/usage.rs"]
mod usage;
#[allow(unused_imports, reason = "it has a test of its own")]
#[path = "../connector/src/connect/memory.rs"]
mod worker_memory;

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use eddy_engine::budget::Budget;
use eddy_engine::read::Snapshot;
use eddy_engine::write::{CutPolicy, Start, TableWriter, WriterOptions};
use eddy_engine::{Clock, Lake, Record, TimestampType, TopicId};
use events::{Seeded, event};
use worker_memory::Memory;

/// `worker.memory`.
const MEMORY: usize = 512 << 20;

/// As a sink task has them.
const READ: usize = 4_096;
const PUBLISH: Duration = Duration::from_millis(150);
const PAUSE: Duration = Duration::from_millis(5);

/// Records of one partition that come one after the other, as a fetch brings them.
const RUN: i64 = 16;
/// Different events; more of them would only be memory of the bench itself.
const EVENTS: u64 = 4_096;

/// What a worker has to do with.
#[derive(Clone, Copy)]
struct Case {
    name: &'static str,
    topics: usize,
    partitions: i32,
    days: i64,
}

const CASES: [Case; 3] = [
    Case {
        name: "partitions",
        topics: 1,
        partitions: 10_000,
        days: 1,
    },
    Case {
        name: "topics",
        topics: 1_000,
        partitions: 10,
        days: 1,
    },
    Case {
        name: "outputs",
        topics: 1,
        partitions: 10,
        days: 5_000,
    },
];

fn main() {
    allocator::start();
    let named = |name: &str| CASES.into_iter().find(|case| case.name == name);
    if let Ok(name) = std::env::var("EDDY_BENCH_CASE") {
        return run(named(&name).expect("a case"));
    }
    let only = std::env::var("EDDY_BENCH_ONLY").ok();
    for case in CASES {
        if only.as_deref().is_none_or(|only| only == case.name) {
            let child = Command::new(std::env::current_exe().unwrap())
                .env("EDDY_BENCH_CASE", case.name)
                .status();
            assert!(child.unwrap().success(), "`{}` failed", case.name);
        }
    }
}

fn run(case: Case) {
    let seconds = std::env::var("EDDY_BENCH_SECONDS").map_or(60, |text| {
        text.parse().expect("EDDY_BENCH_SECONDS is a number")
    });
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let lake = disk::lake(&runtime, folder.path());
    let memory = Memory::divide(MEMORY, 1);
    lake.live().keep_at_most(memory.committed);
    lake.reuse_at_most(memory.reused);
    let fetched = vec![1_u8; memory.queue];
    let mut sink = Sink::open(&lake, case, memory.writers);
    println!("{}", case.name);
    println!(
        "  {} topics of {} partitions, {} days; open: {} MiB",
        case.topics,
        case.partitions,
        case.days,
        usage::memory_now() >> 20
    );
    let fed = sink.feed(Duration::from_secs(seconds));
    let drained = sink.drain();
    std::hint::black_box(fetched);
    let megabytes = sink.bytes as f64 / 1e6;
    println!(
        "  records          {}, {megabytes:.0} MB of JSON",
        sink.records
    );
    println!(
        "  flow             {:.1} MB of JSON per second, {:.1} with the last commits",
        megabytes / fed.as_secs_f64(),
        megabytes / (fed + drained).as_secs_f64()
    );
    println!("  longest pause    {:.1} s", sink.pause_max.as_secs_f64());
    println!(
        "  budget, most     {} of {} MiB",
        sink.held_max >> 20,
        memory.writers >> 20
    );
    println!(
        "  peak memory      {} MiB of {}",
        usage::memory_max() >> 20,
        MEMORY >> 20
    );
    let (files, rows, commits) = sink.landed();
    println!("  files, commits   {files}, {commits}");
    println!(
        "  on disk          {:.0} MB",
        disk::size(folder.path()) as f64 / 1e6
    );
    assert_eq!(rows, sink.records, "every record is in its table");
}

/// A sink task without Kafka.
struct Sink {
    lake: Lake,
    case: Case,
    budget: Arc<Budget>,
    events: Vec<String>,
    random: Seeded,
    slots: Vec<Slot>,
    records: u64,
    bytes: u64,
    publish_at: Duration,
    /// The longest time without a read.
    pause_max: Duration,
    held_max: usize,
}

struct Slot {
    writer: TableWriter,
    offsets: Vec<i64>,
}

impl Sink {
    fn open(lake: &Lake, case: Case, writers: usize) -> Self {
        let budget = Budget::new(writers);
        let slots = (0..case.topics).map(|topic| slot(lake, case, topic, &budget));
        let slots = slots.collect();
        let mut random = Seeded::new(20_251_124);
        let mut text = String::new();
        let events = (0..EVENTS).map(|index| {
            text.clear();
            event(&mut random, index, &mut text);
            text.clone()
        });
        Self {
            lake: lake.clone(),
            case,
            budget,
            events: events.collect(),
            random,
            slots,
            records: 0,
            bytes: 0,
            publish_at: Duration::ZERO,
            pause_max: Duration::ZERO,
            held_max: 0,
        }
    }

    /// Reads for `time`, and answers how long it took.
    fn feed(&mut self, time: Duration) -> Duration {
        let clock = self.lake.clock().clone();
        let start = clock.monotonic();
        let mut read_at = start;
        while clock.monotonic() - start < time {
            if self.slots.iter().any(|slot| slot.writer.must_pause()) {
                clock.block(PAUSE);
            } else {
                let now = clock.monotonic();
                self.pause_max = self.pause_max.max(now - read_at);
                self.read();
                read_at = clock.monotonic();
            }
            self.step(&clock);
        }
        self.pause_max = self.pause_max.max(clock.monotonic() - read_at);
        clock.monotonic() - start
    }

    /// What a task does between two reads.
    fn step(&mut self, clock: &Clock) {
        let publish = clock.monotonic() >= self.publish_at;
        if publish {
            self.publish_at = clock.monotonic() + PUBLISH;
        }
        for slot in &mut self.slots {
            if publish {
                slot.writer.publish().unwrap();
            }
            slot.writer.poll().unwrap();
            if slot.writer.due() {
                slot.writer.cut().unwrap();
            }
        }
        self.held_max = self.held_max.max(self.budget.used_bytes());
    }

    /// One batch of the consumer: runs of records of random partitions.
    fn read(&mut self) {
        for _ in 0..READ / RUN as usize {
            let topic = self.random.below(self.case.topics as u64) as usize;
            let partition = self.random.below(self.case.partitions as u64) as i32;
            for _ in 0..RUN {
                self.take(topic, partition);
            }
        }
    }

    fn take(&mut self, topic: usize, partition: i32) {
        let slot = &mut self.slots[topic];
        let offset = &mut slot.offsets[partition as usize];
        let value = &self.events[(self.records % EVENTS) as usize];
        let day = self.random.below(self.case.days as u64) as i64;
        let key = self.records.to_string();
        slot.writer
            .append(&Record {
                partition,
                offset: *offset,
                timestamp_ms: Some(1_764_000_000_000 - day * 86_400_000),
                timestamp_type: TimestampType::Create,
                key: Some(key.as_bytes()),
                value: Some(value.as_bytes()),
                headers: &[],
                decoded: Default::default(),
            })
            .unwrap();
        *offset += 1;
        self.records += 1;
        self.bytes += value.len() as u64;
    }

    /// Commits what is left, and answers how long that took.
    fn drain(&mut self) -> Duration {
        let clock = self.lake.clock().clone();
        let start = clock.monotonic();
        for slot in &mut self.slots {
            slot.writer.cut().unwrap();
        }
        for slot in &mut self.slots {
            // One that was busy cuts once more.
            while slot.writer.in_flight() {
                slot.writer.wait_cut(Duration::from_secs(600)).unwrap();
                slot.writer.cut().unwrap();
            }
        }
        clock.monotonic() - start
    }

    /// The files and rows of all tables, and the versions that they have.
    fn landed(&self) -> (usize, u64, u64) {
        let (mut files, mut rows, mut commits) = (0, 0, 0);
        for slot in &self.slots {
            let table = &slot.writer.options().table;
            let snapshot = Snapshot::load(&self.lake, table, None).unwrap().unwrap();
            files += snapshot.files.len();
            rows += snapshot.files.iter().map(|file| file.rows).sum::<u64>();
            commits += snapshot.version;
        }
        (files, rows, commits)
    }
}

fn slot(lake: &Lake, case: Case, topic: usize, budget: &Arc<Budget>) -> Slot {
    let name = format!("topic-{topic}");
    let table = lake.table("topics", &name);
    let mut options = WriterOptions::new(table, &name, TopicId::new(&name), "bench");
    options.budget = Arc::clone(budget);
    let most = budget.limit_bytes() / 4;
    options.cut = CutPolicy {
        bytes: CutPolicy::default().bytes.min(most),
        bytes_wide: CutPolicy::default().bytes_wide.min(most),
        ..CutPolicy::default()
    };
    let mut writer = TableWriter::open(lake, options).unwrap();
    let starts: Vec<_> = (0..case.partitions).map(|at| (at, Start::at(0))).collect();
    writer.assign(&starts).unwrap();
    Slot {
        writer,
        offsets: vec![0; case.partitions as usize],
    }
}
