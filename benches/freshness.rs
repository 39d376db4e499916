//! `make bench`: from the producer's acknowledgement to visible in SQL over HTTP.
//!
//! Records go into one topic at a steady rate; a client asks `count(*)` without a pause between
//! answers. A record counts as visible when an answer that includes it has arrived. Prints p50, p99
//! and the worst, of one process at 500 records a second, and of a worker and a query node, which
//! are two, at 2,000. `EDDY_BENCH_SECONDS` changes the length.
//!
//! The same of `eddy dev`, from the answer to an event's request over HTTP, 100 a second
//! unless `EDDY_BENCH_RATE` says otherwise: `dev`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]
#![allow(missing_docs)]

#[expect(
    dead_code,
    reason = "only the other benchmark fills a topic and asks for what was used"
)]
mod load;

#[path = "load/dev.rs"]
mod dev;

use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use load::events::{Seeded, event};
use load::s3::{create_bucket, lake, setting};
use load::services::{create_topic, free_port};
use load::worker::{Worker, wait_until};
use rdkafka::ClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::message::Message as _;
use rdkafka::producer::{BaseRecord, DeliveryResult, ProducerContext, ThreadedProducer};

/// Which processes there are, and what they have to do.
struct Setting {
    name: &'static str,
    records_per_second: u64,
    /// The worker's part is to write alone, another process answers.
    apart: bool,
}

const SETTINGS: [Setting; 2] = [
    Setting {
        name: "one process",
        records_per_second: 500,
        apart: false,
    },
    Setting {
        name: "two processes",
        records_per_second: 2_000,
        apart: true,
    },
];

/// Tells when each record was acknowledged.
struct Acknowledged(mpsc::Sender<(i64, Instant)>);

impl ClientContext for Acknowledged {}

impl ProducerContext for Acknowledged {
    type DeliveryOpaque = ();

    #[expect(clippy::disallowed_methods, reason = "a bench measures real time")]
    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        let message = result.as_ref().expect("Kafka acknowledges");
        let _ = self.0.send((message.offset(), Instant::now()));
    }
}

fn main() {
    let seconds: u64 = std::env::var("EDDY_BENCH_SECONDS").map_or(30, |text| {
        text.parse().expect("EDDY_BENCH_SECONDS is a number")
    });
    for case in SETTINGS {
        measure(&case, seconds);
    }
    let rate: u64 = std::env::var("EDDY_BENCH_RATE").map_or(100, |text| {
        text.parse().expect("EDDY_BENCH_RATE is a number")
    });
    print(dev::measure(seconds, rate));
}

fn measure(case: &Setting, seconds: u64) {
    let topic = format!("fresh-{}", eddy_engine::Clock::system().new_id());
    create_topic(&topic, 1);
    create_bucket(&topic);
    let (folder, apart) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let port = free_port();
    let (mut worker_port, mut roles) = (port, vec![]);
    if case.apart {
        (worker_port, roles) = (free_port(), vec!["--roles", "worker"]);
    }
    let config = configuration(&topic, worker_port);
    let worker = Worker::start_as(folder.path(), &config, &roles);
    let _node = case.apart.then(|| {
        let config = configuration(&topic, port);
        Worker::start_as(apart.path(), &config, &["--roles", "query"])
    });
    let url = format!("http://127.0.0.1:{port}");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let client = reqwest::Client::new();
    let count = || runtime.block_on(count(&client, &url, &topic));
    let rate = case.records_per_second;
    produce(&topic, 1, rate);
    wait_until(Duration::from_secs(60), &worker.log, || count() == Some(1));

    let total = rate * seconds;
    let producing = thread::spawn({
        let topic = topic.clone();
        move || produce(&topic, total, rate)
    });
    let seen = watch(total, count, &worker);
    let acknowledged = producing.join().unwrap();
    println!("{}: {total} records at {rate}/s", case.name);
    print(delays(&acknowledged, &seen));
}

/// When an answer first showed at least so many of the records.
#[expect(clippy::disallowed_methods, reason = "a bench measures real time")]
fn watch(
    total: u64,
    mut count: impl FnMut() -> Option<u64>,
    worker: &Worker,
) -> Vec<(u64, Instant)> {
    let mut seen = Vec::new();
    wait_until(Duration::from_secs(600), &worker.log, || {
        loop {
            let now = count().unwrap_or(0).saturating_sub(1);
            if seen.last().is_none_or(|(last, _)| now > *last) {
                seen.push((now, Instant::now()));
            }
            if now >= total {
                return true;
            }
        }
    });
    seen
}

/// Sends `total` records at the rate and returns when each was acknowledged, by offset.
#[expect(clippy::disallowed_methods, reason = "a bench paces in real time")]
fn produce(topic: &str, total: u64, rate: u64) -> Vec<(i64, Instant)> {
    let (tx, rx) = mpsc::channel();
    let producer: ThreadedProducer<Acknowledged> = ClientConfig::new()
        .set("bootstrap.servers", setting("EDDY_TEST_KAFKA"))
        .set("acks", "all")
        .set("linger.ms", "5")
        .create_with_context(Acknowledged(tx))
        .unwrap();
    let mut random = Seeded::new(7);
    let start = Instant::now();
    for index in 0..total {
        let due = Duration::from_micros(index * 1_000_000 / rate);
        thread::sleep(due.saturating_sub(start.elapsed()));
        let mut text = String::new();
        event(&mut random, index, &mut text);
        producer
            .send(BaseRecord::<(), _>::to(topic).payload(&text))
            .map_err(|e| e.0)
            .unwrap();
    }
    (0..total)
        .map(|_| rx.recv_timeout(Duration::from_secs(30)).unwrap())
        .collect()
}

/// From each record's acknowledgement to visible.
fn delays(acknowledged: &[(i64, Instant)], seen: &[(u64, Instant)]) -> Vec<Duration> {
    acknowledged
        .iter()
        .map(|(offset, at)| {
            // The first record of the topic was the warm-up, so offset n is the n-th of these.
            let wanted = u64::try_from(*offset).unwrap();
            let visible = seen
                .iter()
                .find(|(count, _)| *count >= wanted)
                .expect("all were seen");
            visible.1.saturating_duration_since(*at)
        })
        .collect()
}

fn print(mut delays: Vec<Duration>) {
    delays.sort_unstable();
    let at = |part: f64| delays[((delays.len() - 1) as f64 * part) as usize].as_millis();
    println!("p50          {} ms", at(0.50));
    println!("p99          {} ms", at(0.99));
    println!("worst        {} ms", at(1.0));
}

async fn count(client: &reqwest::Client, url: &str, topic: &str) -> Option<u64> {
    let body = serde_json::json!({ "sql": format!("SELECT count(*) AS n FROM \"{topic}\"") });
    let answer = client
        .post(format!("{url}/api/v1/sql"))
        .json(&body)
        .send()
        .await
        .ok()?;
    let row: serde_json::Value = answer.json().await.ok()?;
    row.get("n")?.as_u64()
}

fn configuration(topic: &str, port: u16) -> String {
    format!(
        "{}\n[kafka]\n\"bootstrap.servers\" = \"{}\"\n[http]\nlisten = \"127.0.0.1:{port}\"\n\
         [connect]\nlisten = \"\"\n[postgres]\nlisten = \"\"\n\
         [collector]\nhttp_listen = \"\"\ngrpc_listen = \"\"\n[flight]\nlisten = \"127.0.0.1:0\"\n\
         [connectors.\"{topic}\"]\n\"topics\" = \"{topic}\"\n",
        lake(topic),
        setting("EDDY_TEST_KAFKA"),
    )
}
