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
use crate::collect::deliver::{Delivery, Item, State, number_of};
use crate::collect::door::Opened;
use crate::collect::within;
use crate::error::ErrorKind;

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

impl Taking {
    /// Sends all records of the message; the answer is how many there are.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` for what is no record, and for records that Kafka never takes,
    /// `UNAVAILABLE` when the time is over. Others of the call may be in Kafka.
    pub(super) async fn take(&self, message: Bytes) -> Result<i64, Status> {
        let mut records = Records(message);
        let (mut taken, mut too_large, mut wrong) = (0, 0, 0);
        loop {
            let mut chunk = self.chunk(&mut records, taken)?;
            if chunk.is_empty() {
                break;
            }
            taken += chunk.len();
            self.wait_for_rate(chunk.len()).await?;
            self.send(&mut chunk).await?;
            too_large += number_of(&chunk, State::TooLarge);
            wrong += number_of(&chunk, State::Refused);
        }
        let why = match (too_large, wrong) {
            (0, 0) => return Ok(i64::try_from(taken).unwrap_or(i64::MAX)),
            (number, 0) => format!("{number} of {taken} records are larger than Kafka takes"),
            (0, number) => format!("Kafka refuses {number} of {taken} records for what they are"),
            (large, wrong) => format!(
                "of {taken} records {large} are larger than Kafka takes, and it refuses {wrong} \
                 for what they are"
            ),
        };
        let text = format!("{why}; the others are there");
        Err(Status::invalid_argument(text))
    }

    /// The next records, of which the first is the `first`th of the call.
    fn chunk(&self, records: &mut Records, first: usize) -> Result<Vec<Item>, Status> {
        let (mut chunk, mut bytes) = (Vec::new(), 0);
        while chunk.len() < CHUNK_RECORDS && bytes < CHUNK_BYTES {
            let Some(record) = records.next() else {
                break;
            };
            let index = first + chunk.len();
            let collection = &self.opened.collection;
            let event = record.and_then(|it| record::event(self.method, collection, index, it));
            let event = event.map_err(|wrong| {
                Status::invalid_argument(format!(
                    "record {index} (counted from 0) can't be read: {wrong}"
                ))
            })?;
            bytes += event.size();
            chunk.push(Item::new(event));
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
    async fn send(&self, chunk: &mut [Item]) -> Result<(), Status> {
        let collector = &self.grpc.0.collector;
        let (clock, topic) = (&collector.0.clock, &self.opened.topic);
        let delivery = Delivery {
            collector,
            sender: &self.grpc.0.sender,
            collection: &self.opened.collection,
            topic,
            of_all: &[],
        };
        loop {
            let leftover = delivery.attempt(chunk, self.left()).await;
            for mut other in leftover.elsewhere {
                let ended = within(clock, self.left(), other.changed()).await;
                let over = || Status::unavailable("the records are being sent already");
                // An error only says that it has ended.
                let _ = ended.ok_or_else(over)?;
            }
            if number_of(chunk, State::Left) == 0 {
                return Ok(());
            }
            let Some(error) = leftover.failed else {
                continue;
            };
            tracing::warn!(topic, %error, "records were not taken");
            if error.kind() == ErrorKind::NotFound {
                collector.0.topics.forget(topic);
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

    fn left(&self) -> Duration {
        let now = self.grpc.0.collector.0.clock.monotonic();
        self.until.saturating_sub(now)
    }
}
