//! A topic that holds a state, read from its beginning and then followed for good.
//!
//! librdkafka goes on by itself after a broker was away, with a growing wait. A topic that was made
//! again is read from its beginning again.

use std::collections::BTreeSet;
use std::time::Duration;

use eddy_engine::Clock;
use rdkafka::Message as _;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use crate::error::{Error, Result};
use crate::kafka::client::ClientLog;
use crate::kafka::config::KafkaConfig;

/// A reader of one topic.
pub(crate) struct Tail {
    consumer: BaseConsumer<ClientLog>,
    topic: String,
    /// The partitions that weren't read to their end yet.
    unread: BTreeSet<i32>,
}

/// What the topic tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Told {
    /// Nothing new.
    Nothing,
    /// A record.
    Record {
        /// Its offset.
        offset: i64,
        /// Its key.
        key: String,
        /// Its value; none removes the key.
        value: Option<String>,
    },
    /// Everything that was there at first has been told.
    Whole,
}

impl Tail {
    /// Begins with the first record of each of the topic's partitions.
    ///
    /// # Errors
    /// `Invalid` for settings that librdkafka refuses.
    pub(crate) fn open(
        config: &KafkaConfig,
        topic: &str,
        partitions: i32,
        clock: &Clock,
    ) -> Result<Self> {
        let mut client = config.client()?;
        client.remove("group.instance.id");
        client.set("group.id", "eddy-state");
        client.set("group.protocol", "classic");
        client.set("enable.auto.commit", "false");
        client.set("auto.offset.reset", "earliest");
        client.set("isolation.level", "read_committed");
        client.set("enable.partition.eof", "true");
        client.set("fetch.wait.max.ms", "100");
        let failed = |error| Error::kafka(format!("topic `{topic}` can't be read"), error);
        let consumer: BaseConsumer<ClientLog> = client
            .create_with_context(ClientLog::new(clock.clone(), "state"))
            .map_err(failed)?;
        let mut list = TopicPartitionList::new();
        for partition in 0..partitions {
            list.add_partition_offset(topic, partition, Offset::Beginning)
                .map_err(failed)?;
        }
        consumer.assign(&list).map_err(failed)?;
        Ok(Self {
            consumer,
            topic: topic.to_owned(),
            unread: (0..partitions).collect(),
        })
    }

    /// What comes next, waiting for it at most for `wait`. Blocks.
    pub(crate) fn next(&mut self, wait: Duration) -> Told {
        match self.consumer.poll(wait) {
            None => Told::Nothing,
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                match self.unread.remove(&partition) && self.unread.is_empty() {
                    true => Told::Whole,
                    false => Told::Nothing,
                }
            }
            Some(Err(error)) => {
                tracing::debug!(%error, topic = self.topic, "following a state");
                Told::Nothing
            }
            Some(Ok(message)) => {
                let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                match message.key() {
                    Some(key) => Told::Record {
                        offset: message.offset(),
                        key: text(key),
                        value: message.payload().map(text),
                    },
                    None => Told::Nothing,
                }
            }
        }
    }
}
