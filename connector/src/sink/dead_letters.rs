//! The dead-letter topic: a copy of each record that fails, as it came, at least once.
//!
//! A copy is acknowledged before the cut that accounts its record can begin. The record is a row
//! with `_error` besides, so a copy that the broker refuses for good is told of and passed over.
//! Nobody waits here for long: a task that has to wait for the broker goes on polling.

use std::collections::VecDeque;
use std::time::Duration;

use eddy_engine::{Clock, Lake, Record};

use crate::connect::{ConnectorConfig, DeadLetterTopic, ErrorPolicy};
use crate::error::{Error, ErrorKind, Result};
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
    waiting: VecDeque<Delivery>,
    /// A copy got lost: what its record is of must be read again.
    lost: bool,
    /// Copies that the broker refused.
    pub(super) refused: u64,
}

/// How long a record may wait for the copies before it, in the middle of a batch.
const ROOM: Duration = Duration::from_millis(50);

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
        let kafka = &patient(kafka, &config.errors);
        let made = ensure_topic(kafka, &topic.name, 1, topic.replication, clock.clone());
        lake.runtime().block_on(made)?;
        Ok(Some(Self {
            lake: lake.clone(),
            producer: Producer::new(kafka, IN_FLIGHT, clock)?,
            topic,
            connector: config.name.clone(),
            task,
            waiting: VecDeque::new(),
            lost: false,
            refused: 0,
        }))
    }

    /// Sends a copy of the record; `false` when too many aren't acknowledged yet.
    ///
    /// # Errors
    /// `Unavailable` when the broker didn't take one: the records must be read again.
    pub(super) fn send(&mut self, topic: &str, record: &Record<'_>, why: &Errant) -> Result<bool> {
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
        let name = self.topic.name.clone();
        let copy = Outgoing {
            topic: &name,
            partition: None,
            key: record.key,
            value: record.value,
            headers: &headers,
            // The client takes a zero for "now".
            timestamp_ms: record.timestamp_ms.map(|ms| ms.max(1)),
        };
        // One after the other, so that a broker that answers at all is never too slow.
        while !self.producer.has_room(&copy) {
            if self.waiting.is_empty() || !self.first_acknowledged(ROOM)? {
                return Ok(false);
            }
        }
        match self.lake.runtime().block_on(self.producer.send(&copy)) {
            Ok(delivery) => self.waiting.push_back(delivery),
            Err(error) => self.refused(error)?,
        }
        Ok(true)
    }

    /// Whether every copy is acknowledged; waits for that, but not longer than `within`.
    ///
    /// # Errors
    /// `Unavailable` when the broker didn't take one: the records must be read again. It stays so.
    pub(super) fn settle(&mut self, within: Duration) -> Result<bool> {
        let clock = self.lake.clock().clone();
        let until = clock.monotonic() + within;
        loop {
            if self.lost {
                return Err(Error::unavailable(format!(
                    "a dead letter was not taken by the topic `{}`; its record is read again",
                    self.topic.name
                )));
            }
            if self.waiting.is_empty() {
                return Ok(true);
            }
            if !self.first_acknowledged(until.saturating_sub(clock.monotonic()))? {
                return Ok(false);
            }
        }
    }

    /// Whether nothing waits for the broker.
    pub(super) fn is_settled(&self) -> bool {
        self.waiting.is_empty() && !self.lost
    }

    /// Takes in the acknowledgement of the copy that waits longest; `false` when it doesn't come.
    fn first_acknowledged(&mut self, within: Duration) -> Result<bool> {
        let Some(delivery) = self.waiting.front_mut() else {
            return Ok(true);
        };
        let clock = self.lake.clock();
        let answer = self.lake.runtime().block_on(async {
            tokio::select! {
                biased;
                answer = delivery.acknowledged() => Some(answer),
                () = clock.sleep(within) => None,
            }
        });
        let Some(answer) = answer else {
            return Ok(false);
        };
        self.waiting.pop_front();
        match answer {
            Ok(_) => Ok(true),
            Err(error) => self.refused(error).map(|()| true),
        }
    }

    fn refused(&mut self, error: Error) -> Result<()> {
        self.refused += 1;
        if error.kind() != ErrorKind::Invalid {
            self.lost = true;
            return Err(error);
        }
        tracing::error!(connector = %self.connector, task = self.task, topic = %self.topic.name,
            %error, "a dead letter was not taken; its row with `_error` is all there is of it");
        Ok(())
    }
}

/// The client goes on for as long as `errors.retry.timeout` says, unless its own key is set.
fn patient(kafka: &KafkaConfig, errors: &ErrorPolicy) -> KafkaConfig {
    const KEY: &str = "delivery.timeout.ms";
    let milliseconds = match errors.retry_timeout {
        // librdkafka's word for "for ever".
        None => 0,
        // Its own retries are no second attempt of ours; without any time it could send nothing.
        Some(timeout) if timeout.is_zero() => return kafka.clone(),
        // More than it waits for a batch to fill, and what it takes at most.
        Some(timeout) => timeout.as_millis().clamp(1_000, 2_147_483_647),
    };
    match kafka.get(KEY) {
        Some(_) => kafka.clone(),
        None => kafka.clone().with(KEY, milliseconds.to_string()),
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
