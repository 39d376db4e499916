//! The dead-letter topic: a copy of each record that fails, as it came, at least once.
//!
//! A copy is acknowledged before the cut that accounts its record can begin. The record is a row
//! with `_error` besides, so a copy that the broker refuses for good is told of and passed over.

use eddy_engine::{Clock, Lake, Record};

use crate::connect::{ConnectorConfig, DeadLetterTopic};
use crate::error::{ErrorKind, Result};
use crate::kafka::{Delivery, KafkaConfig, Outgoing, Producer, ProducerOptions, ensure_topic};
use crate::sink::errant::Errant;

/// More than one batch rarely has; what goes beyond waits for acknowledgements.
const IN_FLIGHT: ProducerOptions = ProducerOptions {
    in_flight_records: 4_096,
    in_flight_bytes: 16 << 20,
};

/// Writes to the dead-letter topic of one task.
pub(super) struct DeadLetters {
    lake: Lake,
    producer: Producer,
    topic: DeadLetterTopic,
    connector: String,
    task: usize,
    waiting: Vec<Delivery>,
}

impl DeadLetters {
    /// Makes the topic where it doesn't exist, and the client; `None` without such a topic.
    ///
    /// # Errors
    /// `Invalid` when the broker refuses the topic, as with more copies than there are brokers;
    /// `Unavailable`.
    pub(super) fn open(
        lake: &Lake,
        kafka: &KafkaConfig,
        config: &ConnectorConfig,
        task: usize,
    ) -> Result<Option<Self>> {
        let Some(topic) = config.errors.dead_letters.clone() else {
            return Ok(None);
        };
        let clock: Clock = lake.clock().clone();
        let made = ensure_topic(kafka, &topic.name, 1, topic.replication, clock.clone());
        lake.runtime().block_on(made)?;
        Ok(Some(Self {
            lake: lake.clone(),
            producer: Producer::new(kafka, IN_FLIGHT, clock)?,
            topic,
            connector: config.name.clone(),
            task,
            waiting: Vec::new(),
        }))
    }

    /// Sends a copy of the record.
    ///
    /// # Errors
    /// `Unavailable` when the broker doesn't take it.
    pub(super) fn send(&mut self, topic: &str, record: &Record<'_>, why: &Errant) -> Result<()> {
        if self.waiting.len() >= IN_FLIGHT.in_flight_records {
            self.settle()?;
        }
        let context = match self.topic.context {
            true => context(topic, record, &self.connector, self.task, why),
            false => Vec::new(),
        };
        let headers = record
            .headers
            .iter()
            .map(|header| (header.name, header.value));
        let context = context
            .iter()
            .map(|(name, text)| (*name, Some(text.as_bytes())));
        let headers: Vec<(&str, Option<&[u8]>)> = headers.chain(context).collect();
        let copy = Outgoing {
            topic: &self.topic.name,
            partition: None,
            key: record.key,
            value: record.value,
            headers: &headers,
            // The client takes a zero for "now".
            timestamp_ms: record.timestamp_ms.map(|ms| ms.max(1)),
        };
        match self.lake.runtime().block_on(self.producer.send(&copy)) {
            Ok(delivery) => self.waiting.push(delivery),
            Err(error) => self.refused(error)?,
        }
        Ok(())
    }

    /// Waits until every copy is acknowledged.
    ///
    /// # Errors
    /// `Unavailable` when the broker doesn't: the records must be read again.
    pub(super) fn settle(&mut self) -> Result<()> {
        for delivery in std::mem::take(&mut self.waiting) {
            if let Err(error) = self.lake.runtime().block_on(delivery.wait()) {
                self.refused(error)?;
            }
        }
        Ok(())
    }

    fn refused(&self, error: crate::Error) -> Result<()> {
        if error.kind() != ErrorKind::Invalid {
            return Err(error);
        }
        tracing::error!(connector = %self.connector, task = self.task, topic = %self.topic.name,
            %error, "a dead letter was not taken; its row with `_error` is all there is of it");
        Ok(())
    }
}

/// The headers that say where the record was and what failed, in Connect's order.
fn context(
    topic: &str,
    record: &Record<'_>,
    connector: &str,
    task: usize,
    why: &Errant,
) -> Vec<(&'static str, String)> {
    vec![
        ("__connect.errors.topic", topic.to_owned()),
        ("__connect.errors.partition", record.partition.to_string()),
        ("__connect.errors.offset", record.offset.to_string()),
        ("__connect.errors.connector.name", connector.to_owned()),
        ("__connect.errors.task.id", task.to_string()),
        ("__connect.errors.stage", why.stage.as_str().to_owned()),
        ("__connect.errors.class.name", why.class.clone()),
        (
            "__connect.errors.exception.class.name",
            why.exception.to_owned(),
        ),
        ("__connect.errors.exception.message", why.message.clone()),
        ("__connect.errors.exception.stacktrace", why.trace()),
    ]
}
