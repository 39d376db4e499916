//! What the machine does right now, in the unit that a sink is measured in: CPU time of Kafka's own
//! client that reads the same records and does nothing with them.

use std::time::Duration;

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::s3::setting;
use super::usage::Cpu;

/// Reads `count` records of `topic` from its beginning, one `poll` a record, and answers the CPU
/// time of all threads that took part.
pub(crate) fn reading_alone(topic: &str, partitions: i32, count: u64) -> Duration {
    let before = Cpu::now();
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", setting("EDDY_TEST_KAFKA"))
        .set("group.id", format!("{topic}-reading-alone"))
        .set("enable.auto.commit", "false")
        .set("fetch.queue.backoff.ms", "5")
        .create()
        .unwrap();
    let mut all = TopicPartitionList::new();
    for partition in 0..partitions {
        all.add_partition_offset(topic, partition, Offset::Beginning)
            .unwrap();
    }
    consumer.assign(&all).unwrap();
    let (mut read, mut bytes) = (0, 0);
    while read < count {
        let message = consumer.poll(Duration::from_secs(60));
        let message = message.expect("the records are there").unwrap();
        bytes += message.payload().map_or(0, <[u8]>::len);
        read += 1;
    }
    assert!(bytes > 0, "records without values");
    // While the consumer lives: its threads are counted as long as they run.
    let used = Cpu::now().since(&before);
    drop(consumer);
    used
}
