//! The way of one record from a batch to its table's writer.
//!
//! Nothing is copied but what the writer keeps. Which offsets a partition still expects, and what
//! becomes of it when the writer refuses, is noted in its lane; `run` acts on that.

use eddy_engine::{Header, Record};

use crate::error::Result;
use crate::kafka::{Headers, Message};
use crate::sink::topic::Slot;

/// Hands one record to its writer.
pub(super) fn take<'b>(
    slot: &mut Slot,
    message: &Message<'b>,
    scratch: &mut Scratch<'b>,
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
                taken = Some(take_with_odd_names(writer, &record, &scratch.raw));
                break;
            }
        }
    }
    let taken = taken.unwrap_or_else(|| {
        record.headers = &scratch.headers;
        writer.append(&record)
    });
    match taken {
        Ok(()) => {
            lane.next = offset + 1;
            lane.leader_epoch = message.leader_epoch();
            lane.touched = true;
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
) -> eddy_engine::Result<()> {
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
    writer.append(&Record {
        headers: &headers,
        ..*record
    })
}
