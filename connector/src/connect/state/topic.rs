//! The log as a compacted Kafka topic of one partition, as Connect's config topic.

use std::time::Duration;

use eddy_engine::Clock;
use tokio::runtime::{Builder, Runtime};

use super::entry::Entry;
use crate::error::{Error, ErrorKind, Result};
use crate::kafka::{self, KafkaConfig, Outgoing, Producer, ProducerOptions};

/// How long opening may wait for the broker.
const TIMEOUT: Duration = Duration::from_secs(30);

/// An open topic.
pub(in crate::connect) struct TopicLog {
    topic: String,
    producer: Producer,
    runtime: Runtime,
}

impl TopicLog {
    /// Opens the topic, or makes it, with what it holds.
    ///
    /// # Errors
    /// `Unavailable` without an answer of the broker; `Invalid` for settings that can't work.
    pub(super) fn open(
        kafka: &KafkaConfig,
        topic: &str,
        replication: i32,
        clock: &Clock,
    ) -> Result<(Self, Vec<Entry>)> {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Error::new(ErrorKind::Internal, "no runtime").with_source(error))?;
        runtime.block_on(kafka::make_compacted(kafka, topic, replication, clock))?;
        let records = kafka::read_all(kafka, topic, TIMEOUT, clock)?;
        let entries = records
            .into_iter()
            .map(|(key, value)| Entry { key, value })
            .collect();
        let options = ProducerOptions {
            in_flight_records: 100,
            in_flight_bytes: 16 << 20,
        };
        // Whoever asked waits for the answer: it must not take two minutes.
        let kafka = kafka
            .clone()
            .with("delivery.timeout.ms", "30000")
            .with("request.timeout.ms", "10000");
        let log = Self {
            topic: topic.to_owned(),
            producer: Producer::new(&kafka, options, clock.clone())?,
            runtime,
        };
        Ok((log, entries))
    }

    /// Adds entries.
    ///
    /// # Errors
    /// As [`crate::kafka::Delivery::wait`].
    pub(super) fn append(&mut self, entries: &[Entry]) -> Result<()> {
        self.runtime.block_on(async {
            for entry in entries {
                let record = Outgoing {
                    topic: &self.topic,
                    partition: Some(0),
                    key: Some(entry.key.as_bytes()),
                    value: entry.value.as_deref().map(str::as_bytes),
                    headers: &[],
                    timestamp_ms: None,
                };
                self.producer.send(&record).await?.wait().await?;
            }
            Ok(())
        })
    }
}
