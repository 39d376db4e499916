//! The way of one record from a batch to its table's writer.
//!
//! Nothing is copied but what the writer keeps. Which offsets a partition still expects, and what
//! becomes of it when the writer refuses, is noted in its lane; `run` acts on that.

use std::time::Duration;

use eddy_engine::{ErrorKind, Header, Record};

use crate::error::Result;
use crate::kafka::{Headers, Message};
use crate::sink::decode::{Decoder, Refused, append};
use crate::sink::topic::Slot;

/// Hands one record to its writer. One that can't be converted yet, and what follows it in its
/// partition, must be read again: its lane says why and doesn't flow.
pub(super) fn take<'b>(
    slot: &mut Slot,
    message: &Message<'b>,
    scratch: &mut Scratch<'b>,
    mut decoder: Option<&mut Decoder>,
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
    scratch.headers.clear();
    let mut taken = None;
    for (name, value) in &scratch.raw {
        match std::str::from_utf8(name) {
            Ok(name) => scratch.headers.push(Header {
                name,
                value: *value,
            }),
            Err(_) => {
                let decoder = decoder.take();
                taken = Some(take_with_odd_names(writer, &record, &scratch.raw, decoder));
                break;
            }
        }
    }
    let taken = taken.unwrap_or_else(|| {
        record.headers = &scratch.headers;
        append(writer, &record, decoder)
    });
    match taken {
        Ok(()) => {
            lane.held = None;
            lane.next = offset + 1;
            lane.leader_epoch = message.leader_epoch();
            lane.touched = true;
            Ok(())
        }
        Err(refused) => not_taken(slot, message, refused),
    }
}

/// Notes why a record was not taken.
fn not_taken(slot: &mut Slot, message: &Message<'_>, refused: Refused) -> Result<()> {
    let (partition, offset) = (message.partition(), message.offset());
    match refused {
        Refused::Later(why) => {
            if let Some(lane) = slot.lanes.get_mut(&partition) {
                lane.held = Some(why);
                lane.seek_at = Some(Duration::MAX);
            }
            Ok(())
        }
        Refused::Writer(error) if error.kind() == ErrorKind::Fenced => {
            slot.reset_due = true;
            Ok(())
        }
        Refused::Writer(error) if error.kind() == ErrorKind::Invalid => {
            tracing::debug!(%error, topic = %slot.name, partition, offset, "late record dropped");
            Ok(())
        }
        Refused::Writer(error) => Err(error.into()),
    }
}

/// Reused from record to record.
#[derive(Default)]
pub(super) struct Scratch<'b> {
    raw: Headers<'b>,
    headers: Vec<Header<'b>>,
}

/// Kafka says that a header's name is UTF-8; where it isn't, the name is kept readable.
fn take_with_odd_names(
    writer: &mut eddy_engine::write::TableWriter,
    record: &Record<'_>,
    raw: &Headers<'_>,
    decoder: Option<&mut Decoder>,
) -> Result<(), Refused> {
    let names: Vec<String> = raw
        .iter()
        .map(|(name, _)| String::from_utf8_lossy(name).into_owned())
        .collect();
    let headers: Vec<Header<'_>> = names
        .iter()
        .zip(raw)
        .map(|(name, (_, value))| Header {
            name,
            value: *value,
        })
        .collect();
    let record = Record {
        headers: &headers,
        ..*record
    };
    append(writer, &record, decoder)
}
