//! Sends the records of one call, and goes on until all of them are in Kafka or its time is over.
//!
//! They go by chunks, so that a message of millions of tiny records takes the memory of thousands,
//! and a chunk's records are sent by whoever claims them first.

use std::time::Duration;

use bytes::Bytes;
use tonic::Status;

use super::fields::Method;
use super::record::{self, Records};
use super::{AGAIN, Grpc};
use crate::collect::door::Opened;
use crate::collect::produce::{Event, is_too_large};
use crate::collect::seen::{Claim, Found, Mark};
use crate::collect::within;
use crate::error::{Error, ErrorKind, Result};

/// What is sent at once.
const CHUNK_RECORDS: usize = 4_096;
const CHUNK_BYTES: usize = 4 << 20;

/// A call whose records are sent.
pub(super) struct Taking {
    pub(super) grpc: Grpc,
    pub(super) opened: Opened,
    pub(super) method: &'static Method,
    /// On the process's clock.
    pub(super) until: Duration,
}

/// Some records of a call.
#[derive(Default)]
struct Chunk {
    records: Vec<Record>,
    bytes: usize,
}

struct Record {
    event: Event,
    mark: Option<Mark>,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nobody has sent it yet.
    Left,
    /// It is in Kafka.
    Acknowledged,
    /// Kafka takes none that is so large.
    TooLarge,
}

impl Taking {
    /// Sends all records of the message; the answer is how many there are.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` for what is no record, and for records that are larger than Kafka takes,
    /// `UNAVAILABLE` when the time is over. Others of the call may be in Kafka.
    pub(super) async fn take(&self, message: Bytes) -> Result<i64, Status> {
        let mut records = Records(message);
        let (mut taken, mut too_large) = (0, 0);
        loop {
            let mut chunk = self.chunk(&mut records, taken)?;
            if chunk.records.is_empty() {
                break;
            }
            taken += chunk.records.len();
            self.wait_for_rate(chunk.records.len()).await?;
            self.send(&mut chunk).await?;
            too_large += chunk.number_of(State::TooLarge);
        }
        match too_large {
            0 => Ok(i64::try_from(taken).unwrap_or(i64::MAX)),
            number => Err(Status::invalid_argument(format!(
                "{number} of {taken} records are larger than Kafka takes; the others are there"
            ))),
        }
    }

    /// The next records, of which the first is the `first`th of the call.
    fn chunk(&self, records: &mut Records, first: usize) -> Result<Chunk, Status> {
        let mut chunk = Chunk::default();
        while chunk.records.len() < CHUNK_RECORDS && chunk.bytes < CHUNK_BYTES {
            let Some(record) = records.next() else {
                break;
            };
            let index = first + chunk.records.len();
            let collection = &self.opened.collection;
            let event = record.and_then(|it| record::event(self.method, collection, index, it));
            let (event, mark) = event.map_err(|wrong| {
                Status::invalid_argument(format!(
                    "record {index} (counted from 0) can't be read: {wrong}"
                ))
            })?;
            chunk.bytes += event.size();
            chunk.records.push(Record {
                event,
                mark,
                state: State::Left,
            });
        }
        Ok(chunk)
    }

    /// Waits until the token may send so many.
    async fn wait_for_rate(&self, records: usize) -> Result<(), Status> {
        let Some(rate) = self.opened.rate else {
            return Ok(());
        };
        let collector = &self.grpc.0.collector;
        loop {
            let now = collector.0.clock.monotonic();
            match collector
                .0
                .rates
                .take(&self.opened.token, rate, records, now)
            {
                Ok(()) => return Ok(()),
                Err(wait) if now + wait > self.until => {
                    let text = format!("the token may send {rate} events per second");
                    return Err(Status::resource_exhausted(text));
                }
                Err(wait) => collector.0.clock.sleep(wait).await,
            }
        }
    }

    /// Sends the records until none is left.
    async fn send(&self, chunk: &mut Chunk) -> Result<(), Status> {
        let clock = &self.grpc.0.collector.0.clock;
        loop {
            let (elsewhere, failed) = self.try_to_send(chunk).await;
            for mut other in elsewhere {
                let ended = within(clock, self.left(), other.changed()).await;
                let over = || Status::unavailable("the records are being sent already");
                // An error only says that it has ended.
                let _ = ended.ok_or_else(over)?;
            }
            if chunk.number_of(State::Left) == 0 {
                return Ok(());
            }
            let Some(error) = failed else {
                continue;
            };
            let topic = &self.opened.topic;
            tracing::warn!(topic, %error, "records were not taken");
            if error.kind() == ErrorKind::NotFound {
                self.grpc.0.collector.0.topics.forget(topic);
            }
            if self.left() <= AGAIN {
                // The details are for the log: they name what isn't the client's.
                return Err(Status::unavailable(
                    "Kafka doesn't take the records just now; some of them may be there",
                ));
            }
            clock.sleep(AGAIN).await;
        }
    }

    /// Sends those that are left and nobody else sends. The answer is who sends the others, and
    /// why not all of these are there.
    async fn try_to_send(
        &self,
        chunk: &mut Chunk,
    ) -> (Vec<tokio::sync::watch::Receiver<()>>, Option<Error>) {
        let collector = &self.grpc.0.collector;
        let mut claim = self.grpc.0.seen.claim(collector.0.clock.monotonic());
        let (mut mine, elsewhere) = chunk.claim(&mut claim);
        let events: Vec<&Event> = mine.iter().map(|record| &record.event).collect();
        let outcomes = match self.attempt(&events).await {
            Ok(outcomes) => outcomes,
            Err(error) => return (elsewhere, Some(error)),
        };
        let mut failed = None;
        let (mut number, mut bytes) = (0, 0);
        for (record, outcome) in mine.iter_mut().zip(outcomes) {
            match outcome {
                Ok(()) => {
                    record.state = State::Acknowledged;
                    number += 1;
                    bytes += record.event.payload();
                }
                Err(error) if is_too_large(&error) => record.state = State::TooLarge,
                Err(error) => failed = Some(error),
            }
        }
        let there = mine
            .iter()
            .filter(|record| record.state == State::Acknowledged);
        claim.acknowledge(there.filter_map(|record| record.mark));
        let now_ms = collector.0.clock.now_us() / 1_000;
        let counts = collector.0.statistics.of(&self.opened.collection);
        counts.count(number, bytes, now_ms);
        (elsewhere, failed)
    }

    /// Sends each of the events once, to a topic that is made if it isn't there.
    async fn attempt(&self, events: &[&Event]) -> Result<Vec<Result<()>>> {
        if events.is_empty() {
            return Ok(Vec::new());
        }
        let (grpc, opened) = (&self.grpc.0, &self.opened);
        let collector = &grpc.collector.0;
        let partitions = collector.collections.partitions(&opened.collection);
        let bytes = events.iter().map(|event| event.size()).sum();
        let ready = async {
            collector.topics.make(&opened.topic, partitions).await?;
            grpc.sender.room(events.len(), bytes).await
        };
        let ready = within(&collector.clock, self.left(), ready).await;
        let none = || Err(Error::unavailable("there was no room on the way to Kafka"));
        let _room = ready.unwrap_or_else(none)?;
        Ok(grpc.sender.send_each(&opened.topic, events).await)
    }

    fn left(&self) -> Duration {
        let now = self.grpc.0.collector.0.clock.monotonic();
        self.until.saturating_sub(now)
    }
}

impl Chunk {
    fn number_of(&self, state: State) -> usize {
        let records = self.records.iter();
        records.filter(|record| record.state == state).count()
    }

    /// Those that are left and are ours to send, and who sends the others. What can't be known
    /// again is always ours.
    fn claim(
        &mut self,
        claim: &mut Claim<'_>,
    ) -> (Vec<&mut Record>, Vec<tokio::sync::watch::Receiver<()>>) {
        let marks = self
            .records
            .iter()
            .filter(|record| record.state == State::Left);
        let marks: Vec<Mark> = marks.filter_map(|record| record.mark).collect();
        let mut found = claim.take(marks).into_iter();
        let (mut mine, mut elsewhere) = (Vec::new(), Vec::new());
        for record in &mut self.records {
            if record.state != State::Left {
                continue;
            }
            match record.mark.and_then(|_| found.next()) {
                None | Some(Found::Claimed) => mine.push(record),
                Some(Found::Acknowledged) => record.state = State::Acknowledged,
                Some(Found::Elsewhere(other)) => elsewhere.push(other),
            }
        }
        (mine, elsewhere)
    }
}
