//! The running Kafka that `make bench` hands over in the environment, and a topic to fill.

use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::config::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use super::events::{Seeded, event};
use super::s3::setting;

/// Makes `topic` with `partitions` partitions.
pub(crate) fn create_topic(topic: &str, partitions: i32) {
    let admin: AdminClient<_> = ClientConfig::new()
        .set("bootstrap.servers", setting("EDDY_TEST_KAFKA"))
        .create()
        .unwrap();
    let topic = NewTopic::new(topic, partitions, TopicReplication::Fixed(1));
    // Records of long ago are the broker's to remove otherwise.
    let topic = topic.set("retention.ms", "-1");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let made = runtime
        .block_on(admin.create_topics([&topic], &AdminOptions::new()))
        .unwrap();
    assert!(made.iter().all(Result::is_ok), "{made:?}");
}

/// Produces `count` events and returns their bytes. The seed is fixed.
pub(crate) fn fill(topic: &str, count: u64) -> u64 {
    let mut random = Seeded::new(20_251_124);
    let now = i64::try_from(now_ms()).unwrap();
    produce(topic, count, |index, text| {
        event(&mut random, index, text);
        now
    })
}

/// Produces `count` records with their numbers as keys and returns their bytes. `write` writes a
/// record's text and answers its time in milliseconds.
pub(crate) fn produce(
    topic: &str,
    count: u64,
    mut write: impl FnMut(u64, &mut String) -> i64,
) -> u64 {
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", setting("EDDY_TEST_KAFKA"))
        .set("linger.ms", "50")
        .set("acks", "all")
        .set("batch.size", "1000000")
        .create()
        .unwrap();
    let mut text = String::new();
    let mut bytes = 0;
    for index in 0..count {
        text.clear();
        let time_ms = write(index, &mut text);
        bytes += text.len() as u64;
        let key = index.to_string();
        let mut record = BaseRecord::to(topic)
            .key(&key)
            .payload(&text)
            .timestamp(time_ms);
        while let Err((error, back)) = producer.send(record) {
            assert!(full(&error), "{error}");
            producer.poll(Duration::from_millis(20));
            record = back;
        }
        if index % 1_000 == 0 {
            producer.poll(Duration::ZERO);
        }
    }
    producer.flush(Duration::from_secs(120)).unwrap();
    bytes
}

#[expect(clippy::disallowed_methods, reason = "records of a bench are of now")]
fn now_ms() -> u128 {
    let now = std::time::SystemTime::now();
    now.duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_millis()
}

fn full(error: &KafkaError) -> bool {
    error.rdkafka_error_code() == Some(RDKafkaErrorCode::QueueFull)
}

/// A port that nobody listens on.
pub(crate) fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}
