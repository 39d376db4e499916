//! Kafka's client alone: what `make bench T=replay` puts beside a replay of the same messages.
//!
//! `producing SERVERS SOURCE TARGET PARTITIONS COUNT` reads so many messages of topic `SOURCE` into
//! memory, and then sends them to the same partitions of `TARGET` in one plain loop, with the keys
//! that a replay's client has. Prints the seconds from the first message to the last
//! acknowledgement, and the bytes of the messages.

#![allow(clippy::unwrap_used, clippy::expect_used)]
#![allow(missing_docs)]

use std::time::{Duration, Instant};

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Message as _, OwnedMessage};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

/// Longer than anything here takes.
const DEADLINE: Duration = Duration::from_secs(120);

#[expect(clippy::disallowed_methods, reason = "a bench measures real time")]
fn main() {
    let mut arguments = std::env::args().skip(1);
    let mut next = || arguments.next().expect("five arguments");
    let (servers, source, target) = (next(), next(), next());
    let partitions: i32 = next().parse().unwrap();
    let count: usize = next().parse().unwrap();
    let messages = read(&servers, &source, partitions, count);
    let length = |bytes: Option<&[u8]>| bytes.map_or(0, <[u8]>::len);
    let bytes: usize = messages
        .iter()
        .map(|message| length(message.key()) + length(message.payload()))
        .sum();
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", &servers)
        .set("enable.idempotence", "true")
        .set("acks", "all")
        .set("compression.type", "lz4")
        .set("linger.ms", "5")
        .create()
        .unwrap();
    let begun = Instant::now();
    for message in &messages {
        send(&producer, &target, message);
    }
    producer.flush(DEADLINE).unwrap();
    println!("{} {bytes}", begun.elapsed().as_secs_f64());
}

fn send(producer: &BaseProducer, target: &str, message: &OwnedMessage) {
    let mut record = BaseRecord::<[u8], [u8]>::to(target).partition(message.partition());
    record.key = message.key();
    record.payload = message.payload();
    record.timestamp = message.timestamp().to_millis();
    while let Err((error, back)) = producer.send(record) {
        let full = KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull);
        assert!(error == full, "{error}");
        producer.poll(Duration::from_millis(5));
        record = back;
    }
    producer.poll(Duration::ZERO);
}

fn read(servers: &str, source: &str, partitions: i32, count: usize) -> Vec<OwnedMessage> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", servers)
        // Never joined, but the client wants a name.
        .set("group.id", "eddy-bench-producing")
        .set("enable.auto.commit", "false")
        .create()
        .unwrap();
    let mut list = TopicPartitionList::new();
    for partition in 0..partitions {
        list.add_partition_offset(source, partition, Offset::Beginning)
            .unwrap();
    }
    consumer.assign(&list).unwrap();
    let mut messages = Vec::with_capacity(count);
    while messages.len() < count {
        let message = consumer.poll(DEADLINE).expect("the topic has so many");
        messages.push(message.unwrap().detach());
    }
    messages
}
