//! Live rows of this process for another one: those that no commit holds yet.
//!
//! The rows are shared with their writer until they are sent, so few readers are served at once,
//! each for a bounded time: one that doesn't read would keep memory that its writer has given up.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use arrow_flight::FlightData;
use arrow_flight::encode::{DictionaryHandling, FlightDataEncoderBuilder};
use arrow_flight::error::FlightError;
use bytes::Bytes;
use eddy_engine::Clock;
use eddy_engine::read::{LiveBatch, LiveRange};
use futures::StreamExt;
use futures::stream::BoxStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tonic::Status;

use super::status::refused;
use super::wire::{Ask, Messages, Range, Said};
use crate::error::{Error, ErrorKind, Result};
use crate::query::Query;

/// Readers at once. Each reads what is new to it, a few milliseconds' work.
const READERS_MAX: usize = 16;

/// How long a reader may wait for its turn.
const TURN_MAX: Duration = Duration::from_millis(500);

/// How long a reader may take.
const READING_MAX: Duration = Duration::from_secs(30);

/// Messages that wait for a slow reader; few, because each may be large.
const MESSAGES_AHEAD: usize = 2;

/// Whose turn it is to read live rows.
#[derive(Debug, Clone)]
pub(super) struct Readers(Arc<Semaphore>);

impl Readers {
    /// Nobody reads yet.
    pub(super) fn new() -> Self {
        Self(Arc::new(Semaphore::new(READERS_MAX)))
    }

    async fn turn(&self, clock: &Clock) -> Result<OwnedSemaphorePermit> {
        let busy = || {
            let text =
                format!("{READERS_MAX} others read live rows already, which is all that may");
            Error::new(ErrorKind::Busy, text)
        };
        tokio::select! {
            turn = Arc::clone(&self.0).acquire_owned() => turn.map_err(|_| busy()),
            () = clock.sleep(TURN_MAX) => Err(busy()),
        }
    }
}

/// The uncommitted batches of a table that `ask` lacks.
pub(super) async fn live_rows(query: &Query, readers: &Readers, ask: &Ask) -> Result<Messages> {
    let clock = query.0.clock.clone();
    let turn = readers.turn(&clock).await?;
    let lakes = query.0.catalog.tables().lakes();
    let batches = lakes
        .iter()
        .filter(|lake| same_place(lake.url().as_str(), &ask.lake))
        .flat_map(|lake| {
            lake.live()
                .uncommitted(&lake.table(&ask.topics_dir, &ask.topic))
        });
    let batches: Vec<(u64, Arc<LiveBatch>)> = batches.collect();
    let numbers = batches.iter().map(|(number, _)| *number).collect();
    let process = query.process();
    let offer = Said::Offer { process, numbers }.bytes()?;
    let lacks = batches
        .into_iter()
        .filter(|(number, _)| !ask.held.contains(number));
    let lacks: Vec<_> = lacks.collect();
    let rows = futures::stream::iter(lacks).flat_map(|(number, live)| messages_of(number, &live));
    let first = message(Arc::new(Schema::empty()), offer, None);
    let all = first.chain(rows).map(|sent| sent.map_err(Status::from));
    Ok(bounded(all.boxed(), clock, turn))
}

/// Whether two processes call the same lake so; a slash at the end means nothing.
fn same_place(one: &str, other: &str) -> bool {
    one.trim_end_matches('/') == other.trim_end_matches('/')
}

/// Reads the messages in a task of its own, which gives the turn back and lets go of the rows when
/// they are sent, when their reader goes, and when it takes too long: one that stays and doesn't
/// read asks for nothing, so that nothing else would notice.
fn bounded(
    mut messages: BoxStream<'static, Result<FlightData, Status>>,
    clock: Clock,
    turn: OwnedSemaphorePermit,
) -> Messages {
    let (tx, rx) = mpsc::channel(MESSAGES_AHEAD);
    let sending = async move {
        let _turn = turn;
        while let Some(message) = messages.next().await {
            if tx.send(Some(message)).await.is_err() {
                return;
            }
        }
        // Without this the reader is told that it took too long. It may have gone, too.
        let _ = tx.send(None).await;
    };
    tokio::spawn(async move {
        tokio::select! {
            () = sending => {}
            () = clock.sleep(READING_MAX) => {}
        }
    });
    Box::pin(futures::stream::unfold(Some(rx), |rx| async move {
        let mut rx = rx?;
        match rx.recv().await {
            Some(Some(message)) => Some((message, Some(rx))),
            Some(None) => None,
            None => {
                let text = format!("the reader of live rows took longer than {READING_MAX:?}");
                let error = Error::new(ErrorKind::Timeout, text);
                Some((Err(refused(&error)), None))
            }
        }
    }))
}

type Encoded = BoxStream<'static, Result<FlightData, FlightError>>;

fn messages_of(number: u64, live: &LiveBatch) -> Encoded {
    let ranges = live
        .ranges
        .iter()
        .map(|range: &LiveRange| Range::from(range));
    let said = Said::Batch {
        number,
        ranges: ranges.collect(),
    };
    let said = match said.bytes() {
        Ok(said) => said,
        Err(error) => {
            let error = FlightError::ExternalError(Box::new(error));
            return futures::stream::iter([Err(error)]).boxed();
        }
    };
    // Its ranges come also where no offset in them has a row.
    let first = message(Arc::new(Schema::empty()), said, None);
    let rows = live.batches.clone();
    let rows = futures::stream::iter(rows)
        .flat_map(|batch| message(batch.schema(), Bytes::new(), Some(batch)));
    first.chain(rows).boxed()
}

fn message(schema: SchemaRef, said: Bytes, batch: Option<RecordBatch>) -> Encoded {
    let builder = FlightDataEncoderBuilder::new()
        .with_schema(schema)
        .with_metadata(said)
        .with_dictionary_handling(DictionaryHandling::Resend);
    builder.build(futures::stream::iter(batch.map(Ok))).boxed()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[tokio::test]
    async fn a_reader_that_does_not_read_keeps_its_turn_and_the_rows_for_a_time_only() {
        let (clock, readers) = (Clock::manual(0), Readers::new());
        let turn = readers.turn(&clock).await.unwrap();
        let rows = Arc::new(());
        let held = Arc::clone(&rows);
        let endless = futures::stream::repeat_with(move || {
            drop(Arc::clone(&held));
            Ok(FlightData::default())
        });
        let mut messages = bounded(endless.boxed(), clock.clone(), turn);
        assert!(messages.next().await.unwrap().is_ok());
        assert_eq!(readers.0.available_permits(), READERS_MAX - 1);
        clock.advance(READING_MAX);
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        assert_eq!(readers.0.available_permits(), READERS_MAX);
        assert_eq!(Arc::strong_count(&rows), 1, "nobody holds the rows");
        let rest: Vec<_> = messages.collect().await;
        let (last, before) = rest.split_last().unwrap();
        assert!(before.iter().all(Result::is_ok) && before.len() <= MESSAGES_AHEAD + 1);
        assert!(last.as_ref().unwrap_err().message().contains("took longer"));
    }

    #[tokio::test]
    async fn a_reader_that_reads_everything_gets_it_and_gives_its_turn_back() {
        let (clock, readers) = (Clock::manual(0), Readers::new());
        let turn = readers.turn(&clock).await.unwrap();
        let five = futures::stream::iter((0..5).map(|_| Ok(FlightData::default())));
        let messages: Vec<_> = bounded(five.boxed(), clock, turn).collect().await;
        assert!(messages.len() == 5 && messages.iter().all(Result::is_ok));
        while readers.0.available_permits() < READERS_MAX {
            tokio::task::yield_now().await;
        }
    }
}
