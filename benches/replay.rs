//! `make bench T=replay`: what a replay into Kafka does, measured from outside, on S3.
//!
//! - A whole table into a new topic, against a plain loop of Kafka's client over the same messages
//!   (`connector/examples/producing.rs`), by turns: the bar is 0.8 times as fast. The same exactly
//!   once.
//! - From the statement to the first record in the target where one row in 1,000 is asked for: the
//!   bar is a second.
//! - `rate`: records a second as they arrive, within 2 %.
//! - `speed = 1`: how far the gaps of what arrives are from those of what was recorded.
//!
//! `EDDY_BENCH_RECORDS` changes how many records the table has, `EDDY_BENCH_ROUNDS` the rounds.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]
#![allow(missing_docs)]

#[allow(dead_code, reason = "only other benchmarks need the rest")]
mod load;

use std::process::Command;
use std::time::{Duration, Instant};

use load::beside::median;
use load::events::{Seeded, event};
use load::s3::{create_bucket, lake, setting};
use load::services::{create_topic, free_port, produce};
use load::worker::{Worker, wait_until};
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message as _;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use serde_json::{Value, json};

const PARTITIONS: i32 = 4;
/// Each row has a number below it; a filter of one takes one row in so many.
const PICKS: u64 = 1_000;
/// Records that are played back at the speed at which they were recorded.
const PACED: u64 = 300;
/// Longer than any replay here takes.
const DEADLINE: Duration = Duration::from_secs(600);

fn main() {
    let number = |name: &str, usual: u64| {
        std::env::var(name).map_or(usual, |text| text.parse().expect("a number"))
    };
    let room = Room::new(number("EDDY_BENCH_RECORDS", 1_000_000));
    let rounds = number("EDDY_BENCH_ROUNDS", 3);
    throughput(&room, rounds);
    first_record(&room, rounds);
    rates(&room);
    gaps(&room);
}

/// A worker with two recorded topics: a large one, and a small one whose records have gaps.
struct Room {
    worker: Worker,
    _folder: tempfile::TempDir,
    runtime: tokio::runtime::Runtime,
    client: reqwest::Client,
    url: String,
    large: String,
    paced: String,
    records: u64,
}

impl Room {
    fn new(records: u64) -> Self {
        let (large, paced) = (unique("replay"), unique("paced"));
        create_topic(&large, PARTITIONS);
        create_topic(&paced, 1);
        create_bucket(&large);
        let mut random = Seeded::new(7);
        produce(&large, records, |index, text| {
            let mut whole = String::new();
            event(&mut random, index, &mut whole);
            let rest = whole.strip_prefix('{').expect("an object");
            *text = format!("{{\"pick\": {}, {rest}", index % PICKS);
            1_764_000_000_000 + i64::try_from(index).unwrap()
        });
        let mut time_ms = 1_764_000_000_000;
        produce(&paced, PACED, |_, text| {
            time_ms += 5 + i64::try_from(random.below(90)).unwrap();
            "{}".clone_into(text);
            time_ms
        });
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let worker = Worker::start(folder.path(), &configuration(&[&large, &paced], port));
        let room = Self {
            worker,
            _folder: folder,
            runtime: tokio::runtime::Runtime::new().unwrap(),
            client: reqwest::Client::new(),
            url: format!("http://127.0.0.1:{port}/api/v1"),
            large,
            paced,
            records,
        };
        room.wait_committed(&room.large, records);
        room.wait_committed(&room.paced, PACED);
        room
    }

    /// Waits until a replay of the whole table would send so many.
    fn wait_committed(&self, topic: &str, records: u64) {
        let (name, _) = self.destination(PARTITIONS);
        let asked = json!({
            "sql": format!("SELECT * FROM \"{topic}\""),
            "destination": name,
            "plan": true,
        });
        wait_until(DEADLINE, &self.worker.log, || {
            let plan = self.post("replays", &asked);
            plan.is_some_and(|plan| plan["records"] == json!(records))
        });
    }

    /// A destination of its own with a new topic: their names.
    fn destination(&self, partitions: i32) -> (String, String) {
        let name = unique("target");
        create_topic(&name, partitions);
        let definition = json!({
            "name": name,
            "type": "kafka",
            "options": {"bootstrap.servers": setting("EDDY_TEST_KAFKA"), "topic": name},
        });
        wait_until(DEADLINE, &self.worker.log, || {
            self.post("destinations", &definition).is_some()
        });
        (name.clone(), name)
    }

    /// Starts a replay; its id.
    fn start(&self, from: &str, condition: &str, into: &str, options: &str) -> String {
        let with = match options {
            "" => String::new(),
            options => format!(" WITH ({options})"),
        };
        let sql = format!("SELECT * INTO \"{into}\" FROM \"{from}\"{condition}{with}");
        let started = self.post("replays", &json!({ "sql": sql })).expect(&sql);
        started["replay_id"].as_str().expect("an id").to_owned()
    }

    /// Waits until a replay is done.
    #[expect(clippy::disallowed_methods, reason = "a bench measures real time")]
    fn finish(&self, id: &str) -> Value {
        loop {
            let url = format!("{}/replays/{id}", self.url);
            let shown: Value = self.runtime.block_on(async {
                let answer = self.client.get(&url).send().await.unwrap();
                answer.json().await.unwrap()
            });
            match shown["state"].as_str() {
                Some("done") => return shown,
                Some("planned" | "running") => std::thread::sleep(Duration::from_millis(25)),
                _ => panic!("{shown}"),
            }
        }
    }

    fn post(&self, path: &str, body: &Value) -> Option<Value> {
        self.runtime.block_on(async {
            let post = self.client.post(format!("{}/{path}", self.url));
            let answer = post.json(body).send().await.ok()?;
            let is_good = answer.status().is_success();
            let answer = answer.json().await.ok()?;
            is_good.then_some(answer)
        })
    }
}

#[expect(clippy::disallowed_methods, reason = "a bench measures real time")]
fn throughput(room: &Room, rounds: u64) {
    let mut took: [Vec<f64>; 3] = Default::default();
    let mut bytes = 0;
    for _ in 0..rounds {
        for (at, options) in ["", "exactly_once = true"].into_iter().enumerate() {
            let (into, _) = room.destination(PARTITIONS);
            let begun = Instant::now();
            let id = room.start(&room.large, "", &into, options);
            let replay = room.finish(&id);
            took[at].push(begun.elapsed().as_secs_f64());
            assert_eq!(replay["acknowledged"], json!(room.records));
        }
        let target = unique("plain");
        create_topic(&target, PARTITIONS);
        let output = Command::new(setting("EDDY_PRODUCING"))
            .args([&setting("EDDY_TEST_KAFKA"), &room.large, &target])
            .args([PARTITIONS.to_string(), room.records.to_string()])
            .output()
            .expect("the plain loop starts");
        let text = String::from_utf8(output.stdout).unwrap();
        let (seconds, length) = text.trim().split_once(' ').expect("two numbers");
        took[2].push(seconds.parse().unwrap());
        bytes = length.parse().unwrap();
    }
    let [replay, once, plain] = took.map(median);
    println!(
        "{} records, {} MB, into Kafka",
        room.records,
        bytes / 1_000_000
    );
    let figures = |name: &str, seconds: f64| {
        let rate = room.records as f64 / seconds;
        let share = plain / seconds;
        println!("{name:<24} {seconds:>7.2} s {rate:>10.0} records/s {share:>6.2} of the loop");
    };
    figures("a replay", replay);
    figures("exactly once", once);
    figures("the client's plain loop", plain);
}

#[expect(clippy::disallowed_methods, reason = "a bench measures real time")]
fn first_record(room: &Room, rounds: u64) {
    let mut took = Vec::new();
    for round in 0..rounds {
        let (into, target) = room.destination(PARTITIONS);
        let reader = reader(&target, PARTITIONS);
        let begun = Instant::now();
        let picked = format!(" WHERE pick = {}", 7 + round);
        let id = room.start(&room.large, &picked, &into, "");
        let first = reader.poll(DEADLINE).expect("a record");
        first.expect("a record");
        took.push(begun.elapsed().as_secs_f64());
        room.finish(&id);
    }
    println!(
        "first of one row in {PICKS} of {}: {:.2} s",
        room.records,
        median(took)
    );
}

fn rates(room: &Room) {
    for (rate, picks) in [(1_000, 10), (20_000, 200)] {
        let (into, target) = room.destination(PARTITIONS);
        let reader = reader(&target, PARTITIONS);
        let picked = format!(" WHERE pick < {picks}");
        let id = room.start(&room.large, &picked, &into, &format!("rate = '{rate}/s'"));
        let count = (0..room.records).filter(|n| n % PICKS < picks).count();
        let arrived = arrivals(&reader, count);
        room.finish(&id);
        let time = arrived[count - 1].0.duration_since(arrived[0].0);
        let real = (count - 1) as f64 / time.as_secs_f64();
        let off = (real / f64::from(rate) - 1.0) * 100.0;
        println!("rate {rate}/s: {real:.1}/s over {count} records, {off:+.2} %");
    }
}

fn gaps(room: &Room) {
    let (into, target) = room.destination(1);
    let reader = reader(&target, 1);
    let id = room.start(&room.paced, "", &into, "speed = '1'");
    let arrived = arrivals(&reader, usize::try_from(PACED).unwrap());
    room.finish(&id);
    let mut off: Vec<f64> = arrived
        .windows(2)
        .map(|pair| {
            let real = pair[1].0.duration_since(pair[0].0).as_secs_f64() * 1e3;
            let recorded = pair[1].1 - pair[0].1;
            (real - recorded as f64).abs()
        })
        .collect();
    off.sort_by(f64::total_cmp);
    let at = |share: f64| off[((off.len() - 1) as f64 * share) as usize];
    println!(
        "gaps at speed 1, off by: p50 {:.1} ms, p95 {:.1} ms, worst {:.1} ms",
        at(0.5),
        at(0.95),
        at(1.0)
    );
}

/// When each of so many records came, and the time it was recorded at in milliseconds.
#[expect(clippy::disallowed_methods, reason = "a bench measures real time")]
fn arrivals(reader: &BaseConsumer, count: usize) -> Vec<(Instant, i64)> {
    let mut arrived = Vec::with_capacity(count);
    while arrived.len() < count {
        let record = reader.poll(DEADLINE).expect("a record").expect("a record");
        arrived.push((Instant::now(), record.timestamp().to_millis().unwrap()));
    }
    arrived
}

/// A reader of all that comes into a topic.
fn reader(topic: &str, partitions: i32) -> BaseConsumer {
    let reader: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", setting("EDDY_TEST_KAFKA"))
        // Never joined, but the client wants a name.
        .set("group.id", "eddy-bench-replay")
        .set("enable.auto.commit", "false")
        .set("fetch.wait.max.ms", "5")
        .create()
        .unwrap();
    let mut list = TopicPartitionList::new();
    for partition in 0..partitions {
        list.add_partition_offset(topic, partition, Offset::Beginning)
            .unwrap();
    }
    reader.assign(&list).unwrap();
    reader
}

fn unique(prefix: &str) -> String {
    format!("{prefix}-{}", eddy_engine::Clock::system().new_id())
}

fn configuration(topics: &[&str], port: u16) -> String {
    let mut text = format!(
        "{}\n[kafka]\n\"bootstrap.servers\" = \"{}\"\n[http]\nlisten = \"127.0.0.1:{port}\"\n\
         [connect]\nlisten = \"\"\n[postgres]\nlisten = \"\"\n[flight]\nlisten = \"\"\n\
         [collector]\nhttp_listen = \"\"\ngrpc_listen = \"\"\n",
        lake(topics[0]),
        setting("EDDY_TEST_KAFKA"),
    );
    for topic in topics {
        text.push_str(&format!(
            "[connectors.\"{topic}\"]\n\"topics\" = \"{topic}\"\n\"flush.interval.ms\" = \"5000\"\n"
        ));
    }
    text
}
