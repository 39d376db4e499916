//! `make bench T=restart`: from the start of a worker whose predecessor was killed with kill -9 to
//! its first commit.
//!
//! 500 records a second go into a topic all the while. The worker is killed right after a commit,
//! started again, and watched from outside: the time ends when the table has a new version. Prints
//! each round, the median and the worst, in the default configuration (a commit is due every 10 s)
//! and with a commit every second. `EDDY_BENCH_ROUNDS` changes the number of kills.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]
#![allow(missing_docs)]

#[allow(dead_code, reason = "only other benchmarks need the rest")]
mod load;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use eddy_engine::read::Snapshot;
use eddy_engine::{Clock, Lake};
use load::events::{Seeded, event};
use load::s3::{self, create_bucket, setting};
use load::services::create_topic;
use load::worker::{Worker, wait_until};
use rdkafka::config::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

const PARTITIONS: i32 = 4;
const RECORDS_PER_SECOND: u32 = 500;

fn main() {
    let rounds: usize = std::env::var("EDDY_BENCH_ROUNDS").map_or(5, |text| {
        text.parse().expect("EDDY_BENCH_ROUNDS is a number")
    });
    println!("seconds from the start after kill -9 to the next commit");
    measure("default", rounds, "");
    measure("every second", rounds, "\"flush.interval.ms\" = \"1000\"\n");
}

fn measure(name: &str, rounds: usize, keys: &str) {
    let topic = format!("restart-{}", Clock::system().new_id());
    create_topic(&topic, PARTITIONS);
    create_bucket(&topic);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let lake = runtime.block_on(s3::open(&topic));
    let stop = Arc::new(AtomicBool::new(false));
    let producing = thread::spawn({
        let (topic, stop) = (topic.clone(), Arc::clone(&stop));
        move || produce(&topic, &stop)
    });
    let folder = tempfile::tempdir().unwrap();
    let config = configuration(&topic, keys);
    let mut worker = Worker::start(folder.path(), &config);
    committed_after(&lake, &topic, 1, &worker);
    let mut took = Vec::new();
    for _ in 0..rounds {
        // Two more commits: it works as one that has run for a while.
        committed_after(&lake, &topic, version(&lake, &topic) + 1, &worker);
        drop(worker);
        let (before, start) = (version(&lake, &topic), now());
        worker = Worker::start(folder.path(), &config);
        committed_after(&lake, &topic, before, &worker);
        took.push(start.elapsed().as_secs_f64());
    }
    drop(worker);
    stop.store(true, Ordering::Relaxed);
    producing.join().unwrap();
    let rounds: Vec<String> = took.iter().map(|took| format!("{took:.2}")).collect();
    took.sort_by(f64::total_cmp);
    println!(
        "{name:<14} median {:.2}, worst {:.2}   ({})",
        took[took.len() / 2],
        took[took.len() - 1],
        rounds.join(", ")
    );
}

#[expect(clippy::disallowed_methods, reason = "a bench measures real time")]
fn now() -> Instant {
    Instant::now()
}

/// Waits for a version after `before`.
fn committed_after(lake: &Lake, topic: &str, before: u64, worker: &Worker) {
    wait_until(Duration::from_secs(120), &worker.log, || {
        version(lake, topic) > before
    });
}

fn version(lake: &Lake, topic: &str) -> u64 {
    let table = lake.table("topics", topic);
    Snapshot::load(lake, &table, None)
        .unwrap()
        .map_or(0, |snapshot| snapshot.version)
}

#[expect(clippy::disallowed_methods, reason = "a bench paces in real time")]
fn produce(topic: &str, stop: &AtomicBool) {
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", setting("EDDY_TEST_KAFKA"))
        .set("linger.ms", "5")
        .create()
        .unwrap();
    let mut random = Seeded::new(7);
    let (start, mut index) = (Instant::now(), 0_u32);
    while !stop.load(Ordering::Relaxed) {
        let mut text = String::new();
        event(&mut random, u64::from(index), &mut text);
        producer
            .send(BaseRecord::<(), _>::to(topic).payload(&text))
            .map_err(|error| error.0)
            .unwrap();
        index += 1;
        producer.poll(Duration::ZERO);
        let due = Duration::from_secs(1) * index / RECORDS_PER_SECOND;
        thread::sleep(due.saturating_sub(start.elapsed()));
    }
    producer.flush(Duration::from_secs(30)).unwrap();
}

fn configuration(topic: &str, keys: &str) -> String {
    format!(
        "{}\n[kafka]\n\"bootstrap.servers\" = \"{}\"\n[http]\nlisten = \"\"\n\
         [connect]\nlisten = \"\"\n[postgres]\nlisten = \"\"\n[flight]\nlisten = \"\"\n\
         [collector]\nhttp_listen = \"\"\ngrpc_listen = \"\"\n\
         [connectors.\"{topic}\"]\n\"topics\" = \"{topic}\"\n{keys}",
        s3::lake(topic),
        setting("EDDY_TEST_KAFKA"),
    )
}
