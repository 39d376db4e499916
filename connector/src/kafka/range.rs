//! Reads which offsets of a range hold a record, without a group: what a verification asks.

use std::ops::Range;
use std::time::Duration;

use eddy_engine::Clock;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use crate::error::{Error, Result};
use crate::kafka::client::ClientLog;
use crate::kafka::config::KafkaConfig;

/// How long the broker may yield nothing before a read is given up.
const PATIENCE: Duration = Duration::from_secs(30);

/// A consumer that reads ranges.
pub(crate) struct RangeReader {
    consumer: BaseConsumer<ClientLog>,
    clock: Clock,
}

impl RangeReader {
    /// Makes the client.
    ///
    /// # Errors
    /// `Invalid` for a configuration that librdkafka refuses.
    pub(crate) fn new(config: &KafkaConfig, clock: Clock) -> Result<Self> {
        let mut client = config.client()?;
        client.remove("group.instance.id");
        // librdkafka wants a group's name to assign partitions; the group is never joined.
        client.set("group.id", "eddy-verify");
        client.set("enable.auto.commit", "false");
        client.set("enable.partition.eof", "true");
        client.set("auto.offset.reset", "error");
        if client.get("isolation.level").is_none() {
            client.set("isolation.level", "read_committed");
        }
        let consumer = client
            .create_with_context(ClientLog::new(clock.clone(), "verify"))
            .map_err(|error| Error::kafka("the Kafka client can't be made", error))?;
        Ok(Self { consumer, clock })
    }

    /// The offsets of `range` at which there is a record.
    ///
    /// # Errors
    /// `Unavailable` when the broker doesn't answer.
    pub(crate) fn offsets(
        &self,
        topic: &str,
        partition: i32,
        range: Range<i64>,
    ) -> Result<Vec<i64>> {
        let failed = |error: KafkaError| {
            Error::kafka(
                format!("topic `{topic}`, partition `{partition}` can't be read"),
                error,
            )
        };
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, partition, Offset::Offset(range.start))
            .map_err(failed)?;
        self.consumer.assign(&list).map_err(failed)?;
        let mut found = Vec::new();
        let mut until = self.clock.monotonic() + PATIENCE;
        loop {
            match self.consumer.poll(Duration::from_millis(100)) {
                Some(Ok(message)) => {
                    if message.offset() >= range.end {
                        break;
                    }
                    if message.offset() >= range.start {
                        found.push(message.offset());
                    }
                    until = self.clock.monotonic() + PATIENCE;
                }
                // The end of what can be read: nothing beyond is a record.
                Some(Err(KafkaError::PartitionEOF(_))) => break,
                Some(Err(error)) => return Err(failed(error)),
                None => {}
            }
            if self.reached(range.end) {
                break;
            }
            if self.clock.monotonic() > until {
                return Err(Error::unavailable(format!(
                    "topic `{topic}`, partition `{partition}`: the broker yields nothing"
                )));
            }
        }
        self.consumer.unassign().map_err(failed)?;
        Ok(found)
    }

    /// Whether the consumer has come past the range without a record at its end.
    fn reached(&self, end: i64) -> bool {
        let Ok(positions) = self.consumer.position() else {
            return false;
        };
        positions
            .elements()
            .iter()
            .any(|element| matches!(element.offset(), Offset::Offset(offset) if offset >= end))
    }
}
