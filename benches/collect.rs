//! `make bench`: events taken over HTTP and gRPC, per CPU-second of the collector's process.
//!
//! Clients, Kafka and the collector share the machine's cores, so what counts is the CPU time of
//! the collector (user and system, everything counted) and not how many come in a second. Three
//! ways: one event a request on kept connections, NDJSON of 1,000 events, gRPC calls of 1,000
//! records of Kafka with a place each, as a stock `plumber relay` sends them. An event counts once
//! it was acknowledged; afterwards Kafka must have as many records.
//!
//! `EDDY_BENCH_SECONDS` changes the length of each, `EDDY_BENCH_BYTES` that of an event (200).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]
#![allow(missing_docs)]

#[expect(
    dead_code,
    reason = "only other benchmarks fill topics and read tables"
)]
mod load;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::{Buf, BufMut, Bytes};
use load::events::Seeded;
use load::s3::{create_bucket, lake, setting};
use load::services::{create_topic, free_port};
use load::worker::{Worker, wait_until};
use prost::Message;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use tonic::Status;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::transport::{Channel, Endpoint};

const TOKEN: &str = "a-token-of-a-bench-0123456789";
const PARTITIONS: i32 = 4;
/// Events of a batch.
const BATCH: usize = 1_000;
/// Before anything is measured.
const WARM_UP: Duration = Duration::from_secs(2);

/// A way to send, and how many clients do at once.
#[derive(Debug, Clone, Copy)]
enum Way {
    Single,
    Ndjson,
    Grpc,
}

const WAYS: [(Way, &str, usize); 3] = [
    (Way::Single, "HTTP, one event a request", 64),
    (Way::Ndjson, "HTTP, NDJSON of 1,000 events", 8),
    (Way::Grpc, "gRPC, calls of 1,000 records", 10),
];

/// What all clients need.
struct Target {
    http: String,
    grpc: String,
    /// Those of a batch, all of them others.
    values: Vec<Bytes>,
    ndjson: Bytes,
    /// The number of the next event, which is the offset of a record of Kafka.
    next: AtomicI64,
    /// Events that were acknowledged.
    taken: AtomicU64,
    end: AtomicBool,
}

fn main() {
    let number = |name: &str, otherwise: u64| {
        std::env::var(name).map_or(otherwise, |text| text.parse().expect("a number"))
    };
    let seconds = Duration::from_secs(number("EDDY_BENCH_SECONDS", 10));
    let bytes = usize::try_from(number("EDDY_BENCH_BYTES", 200)).unwrap();
    println!("events of {bytes} bytes");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for (way, name, clients) in WAYS {
        println!("{name}, {clients} clients");
        measure(&runtime, way, clients, bytes, seconds);
    }
}

#[expect(clippy::disallowed_methods, reason = "a bench measures real time")]
fn measure(
    runtime: &tokio::runtime::Runtime,
    way: Way,
    clients: usize,
    bytes: usize,
    seconds: Duration,
) {
    let topic = format!("collect-{}", eddy_engine::Clock::system().new_id());
    let folder = tempfile::tempdir().unwrap();
    let (worker, target) = started(&topic, folder.path(), bytes);
    let sending: Vec<_> = (0..clients)
        .map(|_| runtime.spawn(send(Arc::clone(&target), way)))
        .collect();
    std::thread::sleep(WARM_UP);
    let (before, taken) = (worker.used().cpu, target.taken.load(Ordering::SeqCst));
    let start = Instant::now();
    std::thread::sleep(seconds);
    let (wall, used) = (start.elapsed(), worker.used());
    let events = (target.taken.load(Ordering::SeqCst) - taken) as f64;
    target.end.store(true, Ordering::SeqCst);
    let mut latencies = Vec::new();
    for client in sending {
        latencies.extend(runtime.block_on(client).unwrap());
    }
    latencies.sort_unstable();
    let at = |part: f64| {
        let index = (latencies.len() - 1) as f64 * part;
        latencies[index as usize].as_secs_f64() * 1e3
    };
    let (cpu, wall) = ((used.cpu - before).as_secs_f64(), wall.as_secs_f64());
    println!("  events per CPU-second  {:.0}", events / cpu);
    println!("  events/s               {:.0}", events / wall);
    println!("  CPU of the collector   {cpu:.2} s of {wall:.2} s");
    println!(
        "  p50, p99 of a request  {:.1}, {:.1} ms",
        at(0.5),
        at(0.99)
    );
    println!("  peak memory            {} MiB", used.memory_max >> 20);
    assert_eq!(
        records(&topic),
        target.taken.load(Ordering::SeqCst),
        "Kafka has what was acknowledged"
    );
}

/// A collector that takes events, and what its clients send.
fn started(topic: &str, folder: &Path, bytes: usize) -> (Worker, Arc<Target>) {
    create_topic(topic, PARTITIONS);
    create_bucket(topic);
    let address = || format!("127.0.0.1:{}", free_port());
    let (http, grpc) = (address(), address());
    let config = configuration(topic, &http, &grpc);
    let worker = Worker::start_as(folder, &config, &["--roles", "collector"]);
    wait_until(Duration::from_secs(60), &worker.log, || {
        [&http, &grpc]
            .iter()
            .all(|address| std::net::TcpStream::connect(address.as_str()).is_ok())
    });
    let mut random = Seeded::new(11);
    let values: Vec<Bytes> = (0..BATCH).map(|_| event(&mut random, bytes)).collect();
    let target = Target {
        http: format!("http://{http}/v1/collection"),
        grpc: format!("http://{grpc}"),
        ndjson: values.join(&b'\n').into(),
        values,
        next: AtomicI64::new(1),
        taken: AtomicU64::new(0),
        end: AtomicBool::new(false),
    };
    (worker, Arc::new(target))
}

/// Sends until the end; the answer is how long each request took.
async fn send(target: Arc<Target>, way: Way) -> Vec<Duration> {
    match way {
        Way::Single => send_http(&target, None).await,
        Way::Ndjson => send_http(&target, Some("application/x-ndjson")).await,
        Way::Grpc => send_grpc(&target).await,
    }
}

#[expect(clippy::disallowed_methods, reason = "a bench measures real time")]
async fn send_http(target: &Target, batches: Option<&'static str>) -> Vec<Duration> {
    let client = reqwest::Client::new();
    let (kind, events) = match batches {
        Some(kind) => (kind, BATCH as u64),
        None => ("application/json", 1),
    };
    let mut took = Vec::new();
    while !target.end.load(Ordering::Relaxed) {
        let body = match batches {
            Some(_) => target.ndjson.clone(),
            None => {
                let number = target.next.fetch_add(1, Ordering::Relaxed) as usize;
                target.values[number % BATCH].clone()
            }
        };
        let start = Instant::now();
        let request = client.post(&target.http).header("Batch-Token", TOKEN);
        let request = request.header("Content-Type", kind).body(body);
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 200);
        answer.bytes().await.unwrap();
        took.push(start.elapsed());
        target.taken.fetch_add(events, Ordering::Relaxed);
    }
    took
}

#[expect(clippy::disallowed_methods, reason = "a bench measures real time")]
async fn send_grpc(target: &Target) -> Vec<Duration> {
    let endpoint = Endpoint::from_shared(target.grpc.clone()).unwrap();
    let channel: Channel = endpoint.connect().await.unwrap();
    let mut grpc = tonic::client::Grpc::new(channel);
    let mut took = Vec::new();
    while !target.end.load(Ordering::Relaxed) {
        let first = target.next.fetch_add(BATCH as i64, Ordering::Relaxed);
        let mut request = tonic::Request::new(call(&target.values, first));
        let token = TOKEN.parse().unwrap();
        request.metadata_mut().insert("streamdal-token", token);
        let start = Instant::now();
        grpc.ready().await.unwrap();
        let path = "/services.GRPCCollector/AddKafkaRecord".parse().unwrap();
        grpc.unary(request, path, Raw).await.unwrap();
        took.push(start.elapsed());
        target.taken.fetch_add(BATCH as u64, Ordering::Relaxed);
    }
    took
}

/// `records.KafkaSinkRecord`, as far as it is filled.
#[derive(Clone, PartialEq, Message)]
struct Record {
    #[prost(string, tag = "1")]
    topic: String,
    #[prost(bytes = "vec", tag = "2")]
    key: Vec<u8>,
    #[prost(bytes = "vec", tag = "3")]
    value: Vec<u8>,
    #[prost(int64, tag = "4")]
    timestamp: i64,
    #[prost(int64, tag = "5")]
    offset: i64,
    #[prost(int32, tag = "6")]
    partition: i32,
}

#[derive(Clone, PartialEq, Message)]
struct Call {
    #[prost(message, repeated, tag = "1")]
    records: Vec<Record>,
}

/// A call with the records from this offset on.
fn call(values: &[Bytes], first: i64) -> Bytes {
    let records = (first..).zip(values).map(|(offset, value)| Record {
        topic: "orders".to_owned(),
        key: format!("customer-{}", offset % 10_000).into_bytes(),
        value: value.to_vec(),
        timestamp: 1_790_000_000_000_000_001 + offset,
        offset,
        partition: 3,
    });
    let call = Call {
        records: records.collect(),
    };
    call.encode_to_vec().into()
}

/// Messages that are bytes already.
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}

/// One event of so many bytes, as a page makes it: more than half of it nobody has seen before.
fn event(random: &mut Seeded, bytes: usize) -> Bytes {
    let mut text = String::from("{\"kind\":\"click\",\"page\":\"/products/shoes\",\"user\":\"");
    let rest = bytes.saturating_sub(text.len() + 2);
    random.id(&mut text, rest);
    text.push_str("\"}");
    text.into()
}

/// How many records the topic has.
fn records(topic: &str) -> u64 {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", setting("EDDY_TEST_KAFKA"))
        .create()
        .unwrap();
    let ends = (0..PARTITIONS).map(|partition| {
        let timeout = Duration::from_secs(30);
        let (start, end) = consumer
            .fetch_watermarks(topic, partition, timeout)
            .unwrap();
        u64::try_from(end - start).unwrap()
    });
    ends.sum()
}

fn configuration(topic: &str, http: &str, grpc: &str) -> String {
    format!(
        "{}\n[kafka]\n\"bootstrap.servers\" = \"{}\"\n[http]\nlisten = \"\"\n\
         [connect]\nlisten = \"\"\n[postgres]\nlisten = \"\"\n[flight]\nlisten = \"\"\n\
         [collector]\nhttp_listen = \"{http}\"\ngrpc_listen = \"{grpc}\"\n\
         [collections.bench]\ntopic = \"{topic}\"\ntoken = \"{TOKEN}\"\n",
        lake(topic),
        setting("EDDY_TEST_KAFKA"),
    )
}
