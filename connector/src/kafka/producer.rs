//! Writes records to Kafka byte for byte, each acknowledged by all in-sync replicas.
//!
//! Idempotent, so a retry of the client doubles nothing; bounded, so whoever sends too fast waits.
//! Load and replay use it; what to send and what to do about a failure is theirs.

use std::sync::Arc;
use std::time::Duration;

use eddy_engine::Clock;
use rdkafka::config::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::future_producer::DeliveryFuture;
use rdkafka::producer::{FutureProducer, FutureRecord, Producer as _};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::{Error, Result};
use crate::kafka::client::{ClientLog, Told};
use crate::kafka::config::KafkaConfig;

/// How much may be on its way at once.
#[derive(Debug, Clone, Copy)]
pub struct ProducerOptions {
    /// Records sent and not yet acknowledged. More is faster and holds more memory.
    pub in_flight_records: usize,
    /// Their bytes.
    pub in_flight_bytes: usize,
}

impl Default for ProducerOptions {
    fn default() -> Self {
        Self {
            in_flight_records: 50_000,
            in_flight_bytes: 64 << 20,
        }
    }
}

/// A record to be sent. Null and empty differ, for the key, the value and each header's value.
#[derive(Debug, Clone, Copy)]
pub struct Outgoing<'a> {
    /// The topic.
    pub topic: &'a str,
    /// The partition; `None` lets the key's hash decide, as Java's clients do.
    pub partition: Option<i32>,
    /// The key.
    pub key: Option<&'a [u8]>,
    /// The value; `None` is a tombstone.
    pub value: Option<&'a [u8]>,
    /// Names and values in order, duplicates kept.
    pub headers: &'a [(&'a str, Option<&'a [u8]>)],
    /// Milliseconds since the Unix epoch; `None` is now.
    pub timestamp_ms: Option<i64>,
}

/// Where a record ended up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delivered {
    /// The partition.
    pub partition: i32,
    /// The offset within it; below zero where the broker doesn't say it.
    pub offset: i64,
}

/// A record on its way.
pub struct Delivery {
    report: DeliveryFuture,
    topic: String,
    /// When it was sent, on the monotonic clock.
    sent: Duration,
    told: Told,
    _room: [OwnedSemaphorePermit; 2],
}

impl Delivery {
    /// Waits until Kafka has acknowledged the record.
    ///
    /// # Errors
    /// `NotFound` for a topic or partition that doesn't exist, `Invalid` for a record that the
    /// broker refuses (too large) and for a client that isn't let in ([`Error::is_denied`]),
    /// `Unavailable` when the broker didn't acknowledge it within `delivery.timeout.ms`: it may or
    /// may not be there.
    pub async fn wait(mut self) -> Result<Delivered> {
        self.acknowledged().await
    }

    /// The same, for whoever may stop waiting and begin again. Once it has answered it is over.
    ///
    /// # Errors
    /// As [`Delivery::wait`].
    pub(crate) async fn acknowledged(&mut self) -> Result<Delivered> {
        match (&mut self.report).await {
            Ok(Ok(delivery)) => Ok(Delivered {
                partition: delivery.partition,
                offset: delivery.offset,
            }),
            Ok(Err((error, _))) => Err(self.not_taken(error)),
            Err(_) => Err(Error::unavailable(
                "the producer was dropped before the acknowledgement",
            )),
        }
    }

    fn not_taken(&self, error: KafkaError) -> Error {
        let doing = format!("a record for topic `{}` was not taken", self.topic);
        let code = error.rdkafka_error_code();
        // That there was no answer in time says nothing of why.
        let timed_out = code == Some(RDKafkaErrorCode::MessageTimedOut);
        match self.told.since(self.sent).filter(|_| timed_out) {
            Some((why, reason)) => Error::kafka(format!("{doing} in time: {reason}"), why),
            None => Error::kafka(doing, error),
        }
    }
}

/// A producer. Its order per partition is the order of the calls of [`Producer::send`].
pub struct Producer {
    producer: FutureProducer<ClientLog>,
    clock: Clock,
    told: Told,
    records: Arc<Semaphore>,
    bytes: Arc<Semaphore>,
    bytes_max: usize,
}

impl Producer {
    /// Makes the client; it connects at the first record.
    ///
    /// # Errors
    /// `Invalid` for a configuration that librdkafka refuses.
    pub fn new(config: &KafkaConfig, options: ProducerOptions, clock: Clock) -> Result<Self> {
        Self::with_defaults(config, &[], options, clock)
    }

    /// The same with other keys that hold unless `config` says otherwise; what isn't among them is
    /// as for every producer.
    pub(super) fn with_defaults(
        config: &KafkaConfig,
        first: &[(&str, &str)],
        options: ProducerOptions,
        clock: Clock,
    ) -> Result<Self> {
        let log = ClientLog::new(clock.clone(), "producer");
        let told = log.told();
        let producer = settings(config, first)?
            .create_with_context(log)
            .map_err(|error| Error::kafka("the Kafka producer can't be made", error))?;
        let bytes_max = options.in_flight_bytes.clamp(1, 1 << 30);
        Ok(Self {
            producer,
            clock,
            told,
            records: Arc::new(Semaphore::new(options.in_flight_records.clamp(1, 90_000))),
            bytes: Arc::new(Semaphore::new(bytes_max)),
            bytes_max,
        })
    }

    /// Hands a record to the client, waiting while too much is on its way. The answer is the
    /// acknowledgement to wait for.
    ///
    /// # Errors
    /// As [`Delivery::wait`], for what the client refuses at once.
    pub async fn send(&self, record: &Outgoing<'_>) -> Result<Delivery> {
        let size = size(record).clamp(1, self.bytes_max);
        let room = [
            reserve(&self.records, 1).await?,
            reserve(&self.bytes, u32::try_from(size).unwrap_or(u32::MAX)).await?,
        ];
        let mut outgoing = native(record)?;
        loop {
            match self.producer.send_result(outgoing) {
                Ok(report) => {
                    let topic = record.topic.to_owned();
                    return Ok(Delivery {
                        report,
                        topic,
                        sent: self.clock.monotonic(),
                        told: self.told.clone(),
                        _room: room,
                    });
                }
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                    outgoing = back;
                    self.clock.sleep(Duration::from_millis(5)).await;
                }
                Err((error, _)) => {
                    let doing = format!("a record for topic `{}` can't be sent", record.topic);
                    return Err(Error::kafka(doing, error));
                }
            }
        }
    }

    /// Whether [`Producer::send`] would take the record without waiting for others.
    pub(crate) fn has_room(&self, record: &Outgoing<'_>) -> bool {
        let size = size(record).clamp(1, self.bytes_max);
        self.records.available_permits() > 0 && self.bytes.available_permits() >= size
    }

    /// The client, for what only transactions need.
    pub(super) fn client(&self) -> &FutureProducer<ClientLog> {
        &self.producer
    }

    /// The newest error that the client was told, and its words, unless it is from before `since`.
    pub(super) fn told_since(&self, since: Duration) -> Option<(KafkaError, String)> {
        self.told.since(since)
    }

    /// Waits until everything sent so far is acknowledged or failed. Blocks.
    ///
    /// # Errors
    /// `Unavailable` when `timeout` passes first.
    pub fn flush(&self, timeout: Duration) -> Result<()> {
        self.producer
            .flush(timeout)
            .map_err(|error| Error::kafka("not everything was acknowledged in time", error))
    }
}

/// What Eddy sets unless the configuration says otherwise. The partitioner is Java's, so a key goes
/// where other clients put it.
const DEFAULTS: [(&str, &str); 6] = [
    ("compression.type", "lz4"),
    ("linger.ms", "5"),
    ("message.max.bytes", "33554432"),
    ("queue.buffering.max.kbytes", "1048576"),
    ("partitioner", "murmur2_random"),
    ("delivery.timeout.ms", "120000"),
];

/// The configuration of an idempotent producer; `first` holds before the usual defaults, and
/// `config` before both.
///
/// # Errors
/// `Invalid` for a configuration that can't be read.
pub(super) fn settings(config: &KafkaConfig, first: &[(&str, &str)]) -> Result<ClientConfig> {
    let mut client = config.client()?;
    for consumer_only in ["group.id", "group.instance.id", "isolation.level"] {
        client.remove(consumer_only);
    }
    client.set("enable.idempotence", "true");
    client.set("acks", "all");
    for (key, value) in first.iter().chain(&DEFAULTS) {
        if client.get(key).is_none() {
            client.set(*key, *value);
        }
    }
    Ok(client)
}

async fn reserve(room: &Arc<Semaphore>, permits: u32) -> Result<OwnedSemaphorePermit> {
    Arc::clone(room)
        .acquire_many_owned(permits)
        .await
        .map_err(|_| Error::unavailable("the producer is closed"))
}

fn size(record: &Outgoing<'_>) -> usize {
    let length = |bytes: Option<&[u8]>| bytes.map_or(0, <[u8]>::len);
    let headers: usize = record
        .headers
        .iter()
        .map(|(name, value)| name.len() + length(*value))
        .sum();
    length(record.key) + length(record.value) + headers + 64
}

/// The same as librdkafka has them; none where there are none.
pub(super) fn headers(headers: &[(&str, Option<&[u8]>)]) -> Option<OwnedHeaders> {
    let mut native = None;
    for (name, value) in headers {
        native = Some(
            native
                .unwrap_or_else(|| OwnedHeaders::new_with_capacity(headers.len()))
                .insert(Header {
                    key: name,
                    value: *value,
                }),
        );
    }
    native
}

fn native<'a>(record: &Outgoing<'a>) -> Result<FutureRecord<'a, [u8], [u8]>> {
    if record.timestamp_ms == Some(0) {
        // librdkafka takes a zero for "now"; a wrong time would be silent.
        return Err(Error::invalid(
            "a record with the timestamp 1970-01-01T00:00:00.000Z can't be sent; \
             librdkafka would set the present time",
        ));
    }
    Ok(FutureRecord {
        topic: record.topic,
        partition: record.partition,
        payload: record.value,
        key: record.key,
        timestamp: record.timestamp_ms,
        headers: headers(record.headers),
    })
}
