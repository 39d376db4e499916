//! Writes the events of a request to Kafka, and answers when all of them are acknowledged.
//!
//! Room is reserved for all of a request's events at once and before the first is sent: two
//! requests that each held part of it would wait for each other for ever.

use std::borrow::Cow;
use std::time::Duration;

use bytes::Bytes;
use eddy_engine::Clock;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::error::{Error, ErrorKind, Result};
use crate::kafka::{Delivery, KafkaConfig, Outgoing, Producer, ProducerOptions};

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
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Event {
    pub(super) key: Option<Bytes>,
    pub(super) value: Bytes,
    /// Of this one alone, behind those of its batch.
    pub(super) headers: Vec<(Cow<'static, str>, Bytes)>,
}

impl Event {
    /// One without headers of its own.
    pub(super) fn new(key: Option<Bytes>, value: Bytes) -> Self {
        Self {
            key,
            value,
            headers: Vec::new(),
        }
    }

    /// Bytes of its key and its value.
    pub(super) fn payload(&self) -> usize {
        self.key.as_ref().map_or(0, Bytes::len) + self.value.len()
    }

    /// Bytes on the way to Kafka.
    pub(super) fn size(&self) -> usize {
        let headers = self.headers.iter();
        let headers: usize = headers.map(|(name, value)| name.len() + value.len()).sum();
        self.payload() + headers + BESIDE
    }
}

/// Writes to Kafka.
pub(super) struct Sender {
    producer: Producer,
    events: Semaphore,
    kibibytes: Semaphore,
    bytes_max: usize,
}

impl Sender {
    /// A client that has so many bytes on their way at most, and tries for `hold` unless the
    /// configuration says otherwise.
    ///
    /// # Errors
    /// `Invalid` for a configuration that librdkafka refuses.
    pub(super) fn new(
        kafka: &KafkaConfig,
        memory_bytes: usize,
        hold: Duration,
        clock: Clock,
    ) -> Result<Self> {
        let mut kafka = kafka.clone();
        // What a request was told isn't there must not come after all, much later.
        if kafka.get("delivery.timeout.ms").is_none() {
            let hold_ms = hold.as_millis().max(1_000).to_string();
            kafka = kafka.with("delivery.timeout.ms", hold_ms);
        }
        let room = ProducerOptions {
            in_flight_records: PRODUCER_EVENTS,
            in_flight_bytes: PRODUCER_BYTES,
        };
        let bytes_max = memory_bytes.clamp(1 << 20, PRODUCER_BYTES / 2);
        Ok(Self {
            producer: Producer::new(&kafka, room, clock)?,
            events: Semaphore::new(EVENTS),
            kibibytes: Semaphore::new(bytes_max >> 10),
            bytes_max,
        })
    }

    /// Whether the request could ever be sent.
    pub(super) fn fits(&self, batch: &Batch) -> bool {
        batch.events.len() <= EVENTS && batch.size() <= self.bytes_max
    }

    /// Waits until so many events of so many bytes together may be on their way; more than there
    /// may be get all of it.
    ///
    /// # Errors
    /// `Unavailable` when the collector is closed.
    pub(super) async fn room(
        &self,
        events: usize,
        bytes: usize,
    ) -> Result<[SemaphorePermit<'_>; 2]> {
        let closed = |_| Error::unavailable("the collector is closed");
        let events = permits(events.min(EVENTS));
        let events = self.events.acquire_many(events).await.map_err(closed)?;
        let kibibytes = permits(bytes.min(self.bytes_max) >> 10);
        let kibibytes = self.kibibytes.acquire_many(kibibytes).await;
        Ok([events, kibibytes.map_err(closed)?])
    }

    /// Sends all events, and waits until Kafka has acknowledged all of them. What comes behind one
    /// that can't be sent isn't sent.
    ///
    /// # Errors
    /// The first event's that wasn't: `NotFound`, `Invalid`, `Unavailable` as the producer says;
    /// others may be there.
    pub(super) async fn send(&self, batch: &Batch) -> Result<()> {
        let _room = self.room(batch.events.len(), batch.size()).await?;
        let mut deliveries = Vec::with_capacity(batch.events.len());
        let mut failed = None;
        let mut headers = lent(&batch.headers);
        for event in &batch.events {
            match self
                .hand_over(&batch.topic, event, &mut headers, batch.headers.len())
                .await
            {
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

    /// Sends all events for which there is [`Sender::room`], and tells of each what became of it:
    /// errors are those of [`Sender::send`].
    pub(super) async fn send_each(&self, topic: &str, events: &[&Event]) -> Vec<Result<()>> {
        let mut deliveries = Vec::with_capacity(events.len());
        let mut headers = Vec::new();
        for event in events {
            deliveries.push(self.hand_over(topic, event, &mut headers, 0).await);
        }
        let mut outcomes = Vec::with_capacity(events.len());
        for delivery in deliveries {
            outcomes.push(match delivery {
                Ok(delivery) => delivery.wait().await.map(drop),
                Err(error) => Err(error),
            });
        }
        outcomes
    }

    /// Hands one event to the client; `headers` begins with as many as all events have.
    async fn hand_over<'a>(
        &self,
        topic: &str,
        event: &'a Event,
        headers: &mut Vec<Header<'a>>,
        of_all: usize,
    ) -> Result<Delivery> {
        headers.truncate(of_all);
        let own = event.headers.iter();
        headers.extend(own.map(|(name, value)| (name.as_ref(), Some(value.as_ref()))));
        let record = Outgoing {
            topic,
            partition: None,
            key: event.key.as_deref(),
            value: Some(&event.value),
            headers,
            timestamp_ms: None,
        };
        self.producer.send(&record).await
    }
}

type Header<'a> = (&'a str, Option<&'a [u8]>);

fn lent(headers: &[(String, Bytes)]) -> Vec<Header<'_>> {
    let headers = headers.iter();
    headers
        .map(|(name, value)| (name.as_str(), Some(value.as_ref())))
        .collect()
}

impl Batch {
    /// Bytes on the way to Kafka: each record has its own headers.
    pub(super) fn size(&self) -> usize {
        let headers = self.headers.iter();
        let headers: usize = headers.map(|(name, value)| name.len() + value.len()).sum();
        let events: usize = self.events.iter().map(Event::size).sum();
        events + self.events.len().saturating_mul(headers)
    }
}

fn permits(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// Whether the broker said that an event is larger than it takes.
pub(super) fn is_too_large(error: &Error) -> bool {
    error.kind() == ErrorKind::Invalid && error.says_too_large()
}
