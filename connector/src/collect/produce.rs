//! Writes the events of a request to Kafka, and answers when all of them are acknowledged.
//!
//! Room is reserved for all of a request's events at once and before the first is sent: two
//! requests that each held part of it would wait for each other for ever.

use std::sync::Arc;

use bytes::Bytes;
use eddy_engine::Clock;
use tokio::sync::Semaphore;

use super::CollectorOptions;
use crate::error::{Error, ErrorKind, Result};
use crate::kafka::{KafkaConfig, Outgoing, Producer, ProducerOptions};

/// Events on their way at once. The producer takes more, so that it never waits itself.
const EVENTS: usize = 50_000;
const PRODUCER_EVENTS: usize = 90_000;
const PRODUCER_BYTES: usize = 1 << 30;
/// What an event takes beside what is in it.
const BESIDE: usize = 64;

/// The events of one request.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) topic: String,
    /// Of each event.
    pub(super) headers: Vec<(String, Bytes)>,
    pub(super) events: Vec<Event>,
}

/// One event.
#[derive(Debug)]
pub(super) struct Event {
    pub(super) key: Option<Bytes>,
    pub(super) value: Bytes,
}

/// Writes to Kafka.
pub(super) struct Sender {
    producer: Producer,
    events: Arc<Semaphore>,
    kibibytes: Arc<Semaphore>,
    bytes_max: usize,
}

impl Sender {
    pub(super) fn new(
        kafka: &KafkaConfig,
        options: &CollectorOptions,
        clock: Clock,
    ) -> Result<Self> {
        let mut kafka = kafka.clone();
        // What a request was told isn't there must not come after all, much later.
        if kafka.get("delivery.timeout.ms").is_none() {
            let hold_ms = options.hold.as_millis().max(1_000).to_string();
            kafka = kafka.with("delivery.timeout.ms", hold_ms);
        }
        let room = ProducerOptions {
            in_flight_records: PRODUCER_EVENTS,
            in_flight_bytes: PRODUCER_BYTES,
        };
        let bytes_max = options.memory_bytes.clamp(1 << 20, PRODUCER_BYTES / 2);
        Ok(Self {
            producer: Producer::new(&kafka, room, clock)?,
            events: Arc::new(Semaphore::new(EVENTS)),
            kibibytes: Arc::new(Semaphore::new(bytes_max >> 10)),
            bytes_max,
        })
    }

    /// Whether the request could ever be sent.
    pub(super) fn fits(&self, batch: &Batch) -> bool {
        batch.events.len() <= EVENTS && batch.size() <= self.bytes_max
    }

    /// Sends all events, and waits until Kafka has acknowledged all of them.
    ///
    /// # Errors
    /// The first event's that wasn't: `NotFound`, `Invalid`, `Unavailable` as the producer says;
    /// others may be there.
    pub(super) async fn send(&self, batch: &Batch) -> Result<()> {
        let closed = |_| Error::unavailable("the collector is closed");
        let events = permits(batch.events.len()).min(permits(EVENTS));
        let _events = self.events.acquire_many(events).await.map_err(closed)?;
        let kibibytes = permits(batch.size().min(self.bytes_max) >> 10);
        let _bytes = self
            .kibibytes
            .acquire_many(kibibytes)
            .await
            .map_err(closed)?;
        let headers: Vec<(&str, Option<&[u8]>)> = batch
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), Some(value.as_ref())))
            .collect();
        let mut deliveries = Vec::with_capacity(batch.events.len());
        let mut failed = None;
        for event in &batch.events {
            let record = Outgoing {
                topic: &batch.topic,
                partition: None,
                key: event.key.as_deref(),
                value: Some(&event.value),
                headers: &headers,
                timestamp_ms: None,
            };
            match self.producer.send(&record).await {
                Ok(delivery) => deliveries.push(delivery),
                Err(error) => {
                    failed = Some(error);
                    break;
                }
            }
        }
        for delivery in deliveries {
            if let Err(error) = delivery.wait().await {
                failed.get_or_insert(error);
            }
        }
        failed.map_or(Ok(()), Err)
    }
}

impl Batch {
    /// Bytes on the way to Kafka: each record has its own headers.
    pub(super) fn size(&self) -> usize {
        let headers = self.headers.iter();
        let headers: usize = headers.map(|(name, value)| name.len() + value.len()).sum();
        let events = self.events.iter();
        let events =
            events.map(|event| event.key.as_ref().map_or(0, Bytes::len) + event.value.len());
        events.sum::<usize>() + self.events.len().saturating_mul(headers + BESIDE)
    }
}

fn permits(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// Whether the broker said that an event is larger than it takes.
pub(super) fn is_too_large(error: &Error) -> bool {
    error.kind() == ErrorKind::Invalid && error.says_too_large()
}
