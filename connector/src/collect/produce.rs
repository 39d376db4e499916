//! Writes events to Kafka, and answers when all of them are acknowledged.
//!
//! Room is reserved for all of a request's events at once and before the first is sent: two
//! requests that each held part of it would wait for each other for ever.

use std::borrow::Cow;
use std::time::Duration;

use bytes::Bytes;
use eddy_engine::Clock;
use tokio::sync::{OnceCell, Semaphore, SemaphorePermit};

use super::seen::{MARK_LETTERS, Mark};
use crate::error::{Error, ErrorKind, Result};
use crate::kafka::{BatchProducer, KafkaConfig, Outgoing};

/// Events on their way at once. librdkafka takes twice as many, so that it never has to wait.
const EVENTS: usize = 50_000;
/// Half of what librdkafka takes.
const BYTES: usize = 1 << 29;
/// Bytes of librdkafka's batches (`batch.size`), unless the configuration says otherwise: then
/// some events are sent once more for nothing.
const BATCH: usize = 1_000_000;
/// What an event takes beside what is in it.
const BESIDE: usize = 64;
/// How long an event that is known if it comes again is tried, at least. As long as it is, it is
/// claimed, and one that comes again waits for it; once it is given up while a broker still has it,
/// nobody can tell any more. So it is longer than a broker waits for its replicas
/// (`replica.lag.time.max.ms`, 30 s) and another one takes to lead.
pub(super) const DECIDED: Duration = Duration::from_secs(120);
/// The header of a record that has its event's mark, behind those of the client.
pub(super) const ID: &str = "eddy-id";

/// One event.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Event {
    pub(super) key: Option<Bytes>,
    pub(super) value: Bytes,
    /// Of this one alone, behind those of its request.
    pub(super) headers: Vec<(Cow<'static, str>, Bytes)>,
    /// By which it is known if it comes again.
    pub(super) mark: Option<Mark>,
}

/// Headers that all events of a request have.
pub(super) type OfAll = [(Cow<'static, str>, Bytes)];

impl Event {
    /// One without headers of its own.
    pub(super) fn new(key: Option<Bytes>, value: Bytes) -> Self {
        Self {
            key,
            value,
            headers: Vec::new(),
            mark: None,
        }
    }

    /// Bytes of its key and its value.
    pub(super) fn payload(&self) -> usize {
        self.key.as_ref().map_or(0, Bytes::len) + self.value.len()
    }

    /// Bytes on the way to Kafka, but for the headers that others have, too.
    pub(super) fn size(&self) -> usize {
        let mark = self.mark.map_or(0, |_| ID.len() + MARK_LETTERS);
        self.payload() + length(&self.headers) + mark + BESIDE
    }
}

/// Bytes of headers, and what they take beside them.
fn length(headers: &OfAll) -> usize {
    let beside = size_of_val(headers);
    let headers = headers.iter();
    let bytes: usize = headers.map(|(name, value)| name.len() + value.len()).sum();
    bytes + beside
}

/// Bytes on the way to Kafka: each record has the headers of all.
pub(super) fn size<'a>(of_all: &OfAll, events: impl IntoIterator<Item = &'a Event>) -> usize {
    let of_all = length(of_all);
    let sizes = events.into_iter().map(|event| event.size() + of_all);
    sizes.sum()
}

/// Writes to Kafka.
pub(super) struct Sender {
    producer: BatchProducer,
    /// For events with marks, where these are tried for longer than others.
    marked: Option<BatchProducer>,
    /// For events that were refused for the batch that they were in: for its size, or for what
    /// another one is.
    alone: Alone,
    /// The same for events with marks.
    alone_marked: Alone,
    clock: Clock,
    events: Semaphore,
    kibibytes: Semaphore,
    bytes_max: usize,
}

impl Sender {
    /// One that has so many bytes on their way at most, and tries events for `hold`, those with
    /// marks for `decided` if that is longer, unless the configuration says otherwise.
    ///
    /// # Errors
    /// `Invalid` for a configuration that librdkafka refuses.
    pub(super) fn new(
        kafka: &KafkaConfig,
        memory_bytes: usize,
        hold: Duration,
        decided: Duration,
        clock: Clock,
    ) -> Result<Self> {
        let is_configured = kafka.get("delivery.timeout.ms").is_some();
        let client = |tried: Duration| {
            let mut kafka = kafka.clone();
            if !is_configured {
                let tried_ms = tried.as_millis().max(1_000).to_string();
                kafka = kafka.with("delivery.timeout.ms", tried_ms);
            }
            BatchProducer::new(&kafka, clock.clone())
        };
        // What a request was told isn't there must not come after all, much later: its client sends
        // it again. If it says so by its key, that is no matter.
        let lasts = decided > hold && !is_configured;
        let bytes_max = memory_bytes.clamp(1 << 20, BYTES);
        Ok(Self {
            producer: client(hold)?,
            marked: lasts.then(|| client(decided)).transpose()?,
            alone: Alone::new(kafka, hold),
            alone_marked: Alone::new(kafka, hold.max(decided)),
            clock: clock.clone(),
            events: Semaphore::new(EVENTS),
            kibibytes: Semaphore::new(bytes_max >> 10),
            bytes_max,
        })
    }

    /// Whether so many events of so many bytes together could ever be sent at once.
    pub(super) fn fits(&self, events: usize, bytes: usize) -> bool {
        events <= EVENTS && bytes <= self.bytes_max
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

    /// Sends all events, for which there is [`Sender::room`], with the headers that all of them
    /// have. The answer names those that aren't in Kafka by their numbers, each with its reason:
    /// `NotFound`, `Invalid` or `Unavailable`, as the producer says.
    ///
    /// # Errors
    /// `Unavailable` when the client ended; some of them may be there.
    pub(super) async fn send(
        &self,
        topic: &str,
        of_all: &OfAll,
        events: &[&Event],
    ) -> Result<Vec<(usize, Error)>> {
        let is_marked = events.iter().any(|event| event.mark.is_some());
        let marked = self.marked.as_ref().filter(|_| is_marked);
        let producer = marked.unwrap_or(&self.producer);
        let mut failed = send(producer, topic, of_all, events).await?;
        let is_again = |(number, error): &(usize, Error)| {
            let large = is_too_large(error)
                && events
                    .get(*number)
                    .is_some_and(|event| in_company(of_all, event));
            // Not every broker says which one it is.
            large || error.says_wrong_record()
        };
        if !failed.iter().any(is_again) {
            return Ok(failed);
        }
        let numbers: Vec<usize> = failed
            .extract_if(.., |one| is_again(one))
            .map(|one| one.0)
            .collect();
        let again: Vec<&Event> = numbers
            .iter()
            .filter_map(|number| events.get(*number).copied())
            .collect();
        let alone = match is_marked {
            true => &self.alone_marked,
            false => &self.alone,
        };
        match alone.send(&self.clock, topic, of_all, &again).await {
            Ok(refused) => {
                let refused = refused.into_iter();
                let refused =
                    refused.filter_map(|(number, error)| Some((*numbers.get(number)?, error)));
                failed.extend(refused);
            }
            // The others are there all the same. Of these nobody knows.
            Err(error) => failed.extend(numbers.into_iter().map(|number| {
                let text = format!("an event was not sent by itself: {error}");
                (number, Error::unavailable(text))
            })),
        }
        Ok(failed)
    }
}

/// A client whose batches are single records, made when there is one to send.
struct Alone {
    kafka: KafkaConfig,
    client: OnceCell<BatchProducer>,
}

impl Alone {
    /// One that tries events for so long, unless the configuration says otherwise.
    fn new(kafka: &KafkaConfig, tried: Duration) -> Self {
        let mut kafka = kafka.clone().with("batch.num.messages", "1");
        if kafka.get("delivery.timeout.ms").is_none() {
            let tried_ms = tried.as_millis().max(1_000).to_string();
            kafka = kafka.with("delivery.timeout.ms", tried_ms);
        }
        let client = OnceCell::new();
        Self { kafka, client }
    }

    async fn send(
        &self,
        clock: &Clock,
        topic: &str,
        of_all: &OfAll,
        events: &[&Event],
    ) -> Result<Vec<(usize, Error)>> {
        let make = async || BatchProducer::new(&self.kafka, clock.clone());
        let client = self.client.get_or_try_init(make).await?;
        send(client, topic, of_all, events).await
    }
}

/// Whether a batch may have had others beside the event: a larger one goes by itself anyway.
fn in_company(of_all: &OfAll, event: &Event) -> bool {
    size(of_all, [event]) < BATCH
}

/// Sends all events by one client, as [`Sender::send`] says.
async fn send(
    producer: &BatchProducer,
    topic: &str,
    of_all: &OfAll,
    events: &[&Event],
) -> Result<Vec<(usize, Error)>> {
    let mut batch = producer.begin(topic, events.len())?;
    let mut headers: Vec<(&str, Option<&[u8]>)> = Vec::with_capacity(of_all.len() + 8);
    headers.extend(of_all.iter().map(lent));
    let ids = events.iter().map(|event| event.mark.map(Mark::text));
    let ids: Vec<_> = ids.collect();
    for (event, id) in events.iter().zip(&ids) {
        headers.truncate(of_all.len());
        let id = id.as_ref().map(|id| (ID, Some(id.as_slice())));
        headers.extend(event.headers.iter().map(lent).chain(id));
        let record = Outgoing {
            topic,
            partition: None,
            key: event.key.as_deref(),
            value: Some(&event.value),
            headers: &headers,
            timestamp_ms: None,
        };
        batch.add(&record).await;
    }
    batch.finish().await
}

fn lent<'a>((name, value): &'a (Cow<'static, str>, Bytes)) -> (&'a str, Option<&'a [u8]>) {
    (name.as_ref(), Some(value.as_ref()))
}

fn permits(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// Whether the broker said that an event is larger than it takes.
pub(super) fn is_too_large(error: &Error) -> bool {
    error.kind() == ErrorKind::Invalid && error.says_too_large()
}

/// Whether the broker will never take an event, whatever its size. Said of one in a batch, it may
/// be about another one. Events have the time of the collector's clock: where the broker refuses
/// that, they are taken once the clock is right.
pub(super) fn is_wrong(error: &Error) -> bool {
    error.kind() == ErrorKind::Invalid && error.says_wrong_record()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;
    use crate::kafka::EmbeddedBroker;

    #[tokio::test(flavor = "multi_thread")]
    async fn an_event_is_too_large_only_where_its_batch_is_it_alone() {
        let broker = EmbeddedBroker::start().unwrap();
        broker.create_topic("small", 1).unwrap();
        let hold = Duration::from_secs(30);
        let clock = Clock::system();
        // Long enough for all of them to be in one batch.
        let kafka = broker.config().with("linger.ms", "1000");
        let sender = Sender::new(&kafka, 1 << 20, hold, hold, clock).unwrap();
        let events: Vec<Event> = (0..100u32)
            .map(|n| Event::new(None, Bytes::from(n.to_string())))
            .collect();
        let events: Vec<&Event> = events.iter().collect();
        broker.refuse_next_batch().unwrap();
        assert!(sender.alone.client.get().is_none());
        assert!(sender.send("small", &[], &events).await.unwrap().is_empty());
        assert!(sender.alone.client.get().is_some(), "the batch was refused");
        // Refused alone as well: one of them, whichever comes first.
        broker.refuse_next_batch().unwrap();
        broker.refuse_next_batch().unwrap();
        let failed = sender.send("small", &[], &events[..3]).await.unwrap();
        assert_eq!(failed.len(), 1);
        assert!(is_too_large(&failed[0].1));
        assert!(failed[0].0 < 3);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn an_event_that_is_refused_for_what_it_is_takes_no_other_with_it() {
        let broker = EmbeddedBroker::start().unwrap();
        broker.create_topic("compacted", 1).unwrap();
        let hold = Duration::from_secs(30);
        let kafka = broker.config().with("linger.ms", "1000");
        let sender = Sender::new(&kafka, 1 << 20, hold, hold, Clock::system()).unwrap();
        let events = keyed(false);
        let events: Vec<&Event> = events.iter().collect();
        broker.refuse_next_records().unwrap();
        let failed = sender.send("compacted", &[], &events[..3]).await.unwrap();
        assert!(failed.is_empty(), "the batch was refused: {failed:?}");
        // One of them alone as well.
        broker.refuse_next_records().unwrap();
        broker.refuse_next_records().unwrap();
        let failed = sender.send("compacted", &[], &events[..3]).await.unwrap();
        assert_eq!(failed.len(), 1);
        assert!(is_wrong(&failed[0].1), "{:?}", failed[0].1);
    }

    /// Events with keys that lie in both partitions of a topic, and marks if they shall.
    fn keyed(is_marked: bool) -> Vec<Event> {
        let numbers = 0..50_u32;
        let events = numbers.map(|number| {
            let key = number.to_string();
            let mark = is_marked.then(|| Mark::of([key.as_bytes()]));
            Event {
                mark,
                ..Event::new(Some(Bytes::from(key)), Bytes::from("{}"))
            }
        });
        events.collect()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn an_event_with_a_mark_is_tried_as_long_by_itself() {
        let broker = EmbeddedBroker::start().unwrap();
        broker.create_topic("small", 2).unwrap();
        let kafka = broker.config().with("linger.ms", "1000");
        let hold = Duration::from_secs(30);
        let sender = Sender::new(&kafka, 1 << 20, hold, DECIDED, Clock::system()).unwrap();
        let tried = |alone: &Alone| alone.kafka.get("delivery.timeout.ms").map(str::to_owned);
        assert_eq!(tried(&sender.alone).as_deref(), Some("30000"));
        assert_eq!(tried(&sender.alone_marked).as_deref(), Some("120000"));
        let events = keyed(true);
        let events: Vec<&Event> = events.iter().collect();
        broker.refuse_next_batch().unwrap();
        assert!(sender.send("small", &[], &events).await.unwrap().is_empty());
        assert!(sender.alone_marked.client.get().is_some());
        assert!(sender.alone.client.get().is_none());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_there_is_known_though_the_rest_cannot_be_sent_by_itself() {
        let broker = EmbeddedBroker::start().unwrap();
        broker.create_topic("small", 2).unwrap();
        let kafka = broker.config().with("linger.ms", "1000");
        let hold = Duration::from_secs(30);
        let mut sender = Sender::new(&kafka, 1 << 20, hold, hold, Clock::system()).unwrap();
        sender.alone = Alone::new(&kafka.with("linger.ms", "soon"), hold);
        let events = keyed(false);
        let events: Vec<&Event> = events.iter().collect();
        broker.refuse_next_batch().unwrap();
        let failed = sender.send("small", &[], &events).await.unwrap();
        assert!(!failed.is_empty() && failed.len() < events.len());
        assert!(failed.iter().all(|(_, error)| error.is_unavailable()));
    }
}
