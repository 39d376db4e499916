//! The way of one record from a batch to its table's writer.
//!
//! Nothing is copied but what the writer keeps. Which offsets a partition still expects, and what
//! becomes of it when the writer refuses, is noted in its lane; `run` acts on that. Where
//! converters, transforms or an errors policy have to look at the record first, `way` does.

use std::time::Duration;

use eddy_engine::{Header, Record};

use crate::error::Result;
use crate::kafka::{Headers, Message};
use crate::sink::topic::Slot;
use crate::sink::way::{Taken, Way};

/// Hands one record to its writer. One that can't be converted yet, and what follows it in its
/// partition, must be read again: its lane says why and doesn't flow.
pub(super) fn take<'b>(
    slot: &mut Slot,
    message: &Message<'b>,
    scratch: &mut Scratch<'b>,
    way: &mut Way<'_>,
) -> Result<()> {
    let (partition, offset) = (message.partition(), message.offset());
    let Some(lane) = slot.lanes.get_mut(&partition) else {
        return Ok(());
    };
    if !lane.flows() || slot.reset_due || offset < lane.next {
        return Ok(());
    }
    let Some(writer) = slot.writer.as_mut() else {
        return Ok(());
    };
    let (timestamp_ms, timestamp_type) = message.timestamp();
    let mut record = Record {
        partition,
        offset,
        timestamp_ms,
        timestamp_type,
        key: message.key(),
        value: message.value(),
        headers: &[],
        decoded: Default::default(),
    };
    message.headers(&mut scratch.raw);
    let (names, named);
    if scratch.name_headers() {
        record.headers = &scratch.headers;
    } else {
        names = readable_names(&scratch.raw);
        named = with_names(&names, &scratch.raw);
        record.headers = &named;
    }
    let taken = match way.is_open() {
        true => writer.append_at(&record, scratch.arrival_us).map(accounted),
        false => way.append(&slot.name, writer, &record, lane.held.as_ref())?,
    };
    match taken {
        Ok(Taken::Accounted) => {
            scratch.taken += 1;
            (lane.held, lane.trouble) = (None, None);
            lane.next = offset + 1;
            lane.leader_epoch = message.leader_epoch();
            lane.touched = true;
            Ok(())
        }
        Ok(Taken::Later(held)) => {
            lane.held = Some(held);
            lane.seek_at = Some(Duration::MAX);
            Ok(())
        }
        Ok(Taken::Refused) => {
            // Nothing of the partition counts from here on; the task ends after this batch.
            lane.seek_at = Some(Duration::MAX);
            Ok(())
        }
        Err(error) if error.kind() == eddy_engine::ErrorKind::Fenced => {
            slot.reset_due = true;
            Ok(())
        }
        Err(error) if error.kind() == eddy_engine::ErrorKind::Invalid => {
            tracing::debug!(%error, topic = %slot.name, partition, offset, "late record dropped");
            Ok(())
        }
        Err(error) => Err(error.into()),
    }
}

fn accounted((): ()) -> Taken {
    Taken::Accounted
}

/// Reused from record to record of a batch.
pub(super) struct Scratch<'b> {
    /// When the batch was read, in microseconds since the Unix epoch.
    arrival_us: i64,
    raw: Headers<'b>,
    headers: Vec<Header<'b>>,
    taken: u64,
}

impl Scratch<'_> {
    /// For the records of a batch that was read at this time.
    pub(super) fn new(arrival_us: i64) -> Self {
        Self {
            arrival_us,
            raw: Vec::new(),
            headers: Vec::new(),
            taken: 0,
        }
    }

    /// How many records were handed to their writers.
    pub(super) fn taken(&self) -> u64 {
        self.taken
    }

    /// Names the headers; `false` when a name isn't UTF-8, which Kafka says it is.
    fn name_headers(&mut self) -> bool {
        self.headers.clear();
        for (name, value) in &self.raw {
            let Ok(name) = std::str::from_utf8(name) else {
                return false;
            };
            self.headers.push(Header {
                name,
                value: *value,
            });
        }
        true
    }
}

/// Names that are kept readable where they aren't UTF-8.
fn readable_names(raw: &Headers<'_>) -> Vec<String> {
    raw.iter()
        .map(|(name, _)| String::from_utf8_lossy(name).into_owned())
        .collect()
}

fn with_names<'n>(names: &'n [String], raw: &Headers<'n>) -> Vec<Header<'n>> {
    let pairs = names.iter().zip(raw);
    pairs
        .map(|(name, (_, value))| Header {
            name,
            value: *value,
        })
        .collect()
}
