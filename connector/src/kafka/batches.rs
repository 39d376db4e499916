//! Writes records to Kafka by the batch, each acknowledged by all in-sync replicas.
//!
//! A batch waits for one answer and not for one a record: what librdkafka reports is counted down
//! in a slot, and only records that failed are named. What a record says must be in Kafka once, so
//! the client is idempotent; when it has broken that promise to itself (a fatal error, after which
//! librdkafka takes nothing any more), another client takes its place. Whatever the old one had
//! under way gets its own answer: acknowledged, or to be sent again.
//!
//! How much is on its way at once is the caller's to bound.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use eddy_engine::Clock;
use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{
    BaseRecord, DeliveryResult, Producer as _, ProducerContext, ThreadedProducer,
};
use tokio::sync::oneshot;

use super::client::ClientLog;
use super::config::KafkaConfig;
use super::producer::{self, Outgoing};
use crate::error::{Error, Result};

/// How long to wait for room in librdkafka's queue, which is larger than what callers send.
const FULL: Duration = Duration::from_millis(5);
/// A client whose successor broke within this time is kept: what breaks at once isn't mended by
/// another one, and making them takes threads.
const MADE_AT_MOST_EVERY: Duration = Duration::from_secs(1);
/// How often, and how many times, a broken client is looked at until nobody waits for it.
const LOOKS_EVERY: Duration = Duration::from_millis(100);
const LOOKS: u32 = 600;

/// A producer of batches. Within a batch the order per partition is the order of
/// [`Batch::add`].
pub(crate) struct BatchProducer {
    config: KafkaConfig,
    clock: Clock,
    current: Mutex<Current>,
}

type Client = ThreadedProducer<Reports>;

struct Current {
    client: Arc<Client>,
    made: Duration,
}

/// Records that are sent, and answered together.
pub(crate) struct Batch<'a> {
    producer: &'a BatchProducer,
    client: Arc<Client>,
    topic: &'a str,
    slot: usize,
    /// Records that there will be, and those that were added.
    records: usize,
    added: usize,
    answer: oneshot::Receiver<Vec<Failed>>,
    /// Whether the slot was told that nothing more comes.
    is_whole: bool,
}

/// A record's number within its batch, and why it isn't there.
type Failed = (usize, KafkaError);

impl BatchProducer {
    /// Makes the client; it connects at the first record.
    ///
    /// # Errors
    /// `Invalid` for a configuration that librdkafka refuses.
    pub(crate) fn new(config: &KafkaConfig, clock: Clock) -> Result<Self> {
        let client = Arc::new(client(config, &clock)?);
        let made = clock.monotonic();
        Ok(Self {
            config: config.clone(),
            current: Mutex::new(Current { client, made }),
            clock,
        })
    }

    /// Begins a batch of exactly so many records for a topic.
    ///
    /// # Errors
    /// `Invalid` for more records or batches at once than anybody should have.
    pub(crate) fn begin<'a>(&'a self, topic: &'a str, records: usize) -> Result<Batch<'a>> {
        let client = self.client();
        let (done, answer) = oneshot::channel();
        let slot = client.context().open(records, done);
        let slot = slot.ok_or_else(|| Error::invalid("there are too many records at once"))?;
        Ok(Batch {
            producer: self,
            client,
            topic,
            slot,
            records,
            added: 0,
            answer,
            is_whole: false,
        })
    }

    /// The client of now; another one if the last one takes nothing any more.
    fn client(&self) -> Arc<Client> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((code, reason)) = current.client.client().fatal_error() else {
            return Arc::clone(&current.client);
        };
        let now = self.clock.monotonic();
        if now < current.made.saturating_add(MADE_AT_MOST_EVERY) {
            return Arc::clone(&current.client);
        }
        current.made = now;
        match client(&self.config, &self.clock) {
            Ok(client) => {
                tracing::error!(
                    %code,
                    reason,
                    "the Kafka client broke; another one goes on, and what was under way is sent \
                     again where it wasn't acknowledged"
                );
                let broken = std::mem::replace(&mut current.client, Arc::new(client));
                retire(broken, self.clock.clone());
            }
            Err(error) => tracing::error!(%error, "the Kafka client broke, and no other is made"),
        }
        Arc::clone(&current.client)
    }

    #[cfg(test)]
    fn break_client(&self) {
        let current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        super::native::breaking::break_client(current.client.client());
    }
}

/// Drops a client where that may take its time, once nobody waits for what it has under way.
fn retire(broken: Arc<Client>, clock: Clock) {
    let thread = std::thread::Builder::new().name("broken-producer".to_owned());
    let started = thread.spawn(move || {
        for _ in 0..LOOKS {
            if Arc::strong_count(&broken) == 1 {
                break;
            }
            clock.block(LOOKS_EVERY);
        }
        drop(broken);
    });
    if let Err(error) = started {
        tracing::warn!(%error, "a broken Kafka client was dropped at once");
    }
}

impl Batch<'_> {
    /// Hands the next record to the client. What it refuses is told by [`Batch::finish`].
    pub(crate) async fn add(&mut self, record: &Outgoing<'_>) {
        let number = self.added;
        self.added += 1;
        let tag = match tag(self.slot, number).filter(|_| number < self.records) {
            Some(tag) => tag,
            None => return,
        };
        let mut outgoing = match native(self.topic, record, tag) {
            Ok(outgoing) => outgoing,
            Err(error) => {
                self.client.context().report(tag, Some(error));
                return;
            }
        };
        loop {
            match self.client.send(outgoing) {
                Ok(()) => return,
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                    outgoing = back;
                    self.producer.clock.sleep(FULL).await;
                }
                Err((error, _)) => {
                    self.client.context().report(tag, Some(error));
                    return;
                }
            }
        }
    }

    /// Waits until Kafka has answered for every record. The answer names those that aren't there
    /// by their numbers, counted from 0, each with its reason: `NotFound` for a topic that doesn't
    /// exist, `Invalid` for what the broker refuses (too large, no rights), `Unavailable` for what
    /// may or may not be there.
    ///
    /// # Errors
    /// `Unavailable` when the client ended before it answered.
    pub(crate) async fn finish(mut self) -> Result<Vec<(usize, Error)>> {
        self.close();
        let failed = (&mut self.answer).await;
        let failed = failed.map_err(|_| {
            Error::unavailable("the producer was dropped before the acknowledgement")
        })?;
        if failed.is_empty() {
            return Ok(Vec::new());
        }
        let broken = self.client.client().fatal_error();
        let told = failed.into_iter();
        let told = told.map(|(number, error)| (number, told_of(self.topic, error, &broken)));
        Ok(told.collect())
    }

    /// Tells the slot that no more comes than was added.
    fn close(&mut self) {
        if !std::mem::replace(&mut self.is_whole, true) {
            let missing = self.records.saturating_sub(self.added);
            self.client.context().count_down(self.slot, missing + 1);
        }
    }
}

impl Drop for Batch<'_> {
    fn drop(&mut self) {
        self.close();
    }
}

/// What became of a record that isn't there. Nothing is the record's fault that comes of a broken
/// client, but for its size.
fn told_of(topic: &str, error: KafkaError, broken: &Option<(RDKafkaErrorCode, String)>) -> Error {
    let doing = format!("a record for topic `{topic}` was not taken");
    let is_its_own = error.rdkafka_error_code() == Some(RDKafkaErrorCode::MessageSizeTooLarge);
    match broken {
        Some((code, reason)) if !is_its_own => {
            let text = format!("{doing}, since the Kafka client broke ({code}: {reason})");
            Error::unavailable(text).with_source(error)
        }
        _ => Error::kafka(doing, error),
    }
}

fn client(config: &KafkaConfig, clock: &Clock) -> Result<Client> {
    let reports = Reports {
        log: ClientLog::new(clock.clone(), "collector"),
        slots: Mutex::default(),
    };
    producer::settings(config, &[])?
        .create_with_context(reports)
        .map_err(|error| Error::kafka("the Kafka producer can't be made", error))
}

type Native<'a> = BaseRecord<'a, [u8], [u8], usize>;

fn native<'a>(topic: &'a str, record: &Outgoing<'a>, tag: usize) -> Result<Native<'a>, KafkaError> {
    let headers = producer::headers(record.headers);
    // librdkafka takes a zero for "now"; a wrong time would be silent.
    if record.timestamp_ms == Some(0) {
        let code = RDKafkaErrorCode::InvalidTimestamp;
        return Err(KafkaError::MessageProduction(code));
    }
    Ok(BaseRecord {
        topic,
        partition: record.partition,
        payload: record.value,
        key: record.key,
        timestamp: record.timestamp_ms,
        headers,
        delivery_opaque: tag,
    })
}

/// What librdkafka says of records, counted by batch.
struct Reports {
    log: ClientLog,
    slots: Mutex<Slots>,
}

#[derive(Default)]
struct Slots {
    all: Vec<Option<Slot>>,
    free: Vec<usize>,
}

/// A batch that waits for its answer.
struct Slot {
    /// Records that weren't answered for, and one for whoever still adds some.
    left: usize,
    failed: Vec<Failed>,
    done: oneshot::Sender<Vec<Failed>>,
}

/// Half of the bits of a tag are the slot's, half the record's number.
const HALF: u32 = usize::BITS / 2;

fn tag(slot: usize, number: usize) -> Option<usize> {
    let fits = slot >> HALF == 0 && number >> HALF == 0;
    fits.then_some((slot << HALF) | number)
}

impl Reports {
    fn lock(&self) -> MutexGuard<'_, Slots> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open(&self, records: usize, done: oneshot::Sender<Vec<Failed>>) -> Option<usize> {
        let mut slots = self.lock();
        tag(slots.all.len(), records)?;
        let slot = slots.free.pop().unwrap_or(slots.all.len());
        if slot == slots.all.len() {
            slots.all.push(None);
        }
        if let Some(place) = slots.all.get_mut(slot) {
            *place = Some(Slot {
                left: records + 1,
                failed: Vec::new(),
                done,
            });
        }
        Some(slot)
    }

    fn report(&self, tag: usize, failed: Option<KafkaError>) {
        let (slot, number) = (tag >> HALF, tag & ((1 << HALF) - 1));
        let mut slots = self.lock();
        if let (Some(failed), Some(Some(slot))) = (failed, slots.all.get_mut(slot)) {
            slot.failed.push((number, failed));
        }
        slots.count_down(slot, 1);
    }

    fn count_down(&self, slot: usize, by: usize) {
        self.lock().count_down(slot, by);
    }
}

impl Slots {
    fn count_down(&mut self, slot: usize, by: usize) {
        let Some(place) = self.all.get_mut(slot) else {
            return;
        };
        let Some(open) = place else {
            return;
        };
        open.left = open.left.saturating_sub(by);
        if open.left > 0 {
            return;
        }
        if let Some(done) = place.take() {
            self.free.push(slot);
            // Nobody waits for it any more, if this fails.
            let _ = done.done.send(done.failed);
        }
    }
}

impl ClientContext for Reports {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        self.log.log(level, facility, line);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.log.error(error, reason);
    }

    fn stats_raw(&self, _statistics: &[u8]) {}
}

impl ProducerContext for Reports {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, tag: usize) {
        self.report(tag, result.as_ref().err().map(|(error, _)| error.clone()));
    }
}

#[cfg(test)]
mod tests;
