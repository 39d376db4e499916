//! The way of a record to its writer where converters are configured.

use std::time::Duration;

use eddy_engine::write::{Payload, TableWriter};
use eddy_engine::{Decoded, Record};

use crate::convert::{Converted, Converters, Failure, Landing};
use crate::error::Result as TaskResult;
use crate::sink::run::Run;

/// Before a record is read again whose schema could not be had.
const SCHEMAS: Duration = Duration::from_secs(1);

/// A task's converters, and the last step before the table.
pub(super) struct Decoder {
    converters: Converters,
    keys: Landing,
    values: Landing,
}

/// Why a record was not taken.
pub(super) enum Refused {
    /// The writer doesn't take it.
    Writer(eddy_engine::Error),
    /// It can't be converted yet.
    Later(String),
}

impl Decoder {
    pub(super) fn new(converters: Converters) -> Self {
        Self {
            converters,
            keys: Landing::default(),
            values: Landing::default(),
        }
    }

    /// Converts a record and hands it over. What can't be converted lands with its envelope and
    /// `_error`, alone (P18).
    ///
    /// # Errors
    /// Why it was not taken; it must come again.
    pub(super) fn append(
        &mut self,
        writer: &mut TableWriter,
        record: &Record<'_>,
    ) -> Result<(), Refused> {
        let mut converted = Converted::default();
        let failed = match self.converters.convert(record, &mut converted) {
            Ok(()) => None,
            Err(Failure::Broken(why)) => Some(why),
            Err(Failure::Later(why)) => return Err(Refused::Later(why)),
        };
        let key = converted.key.map(|key| self.keys.land(key));
        let value = converted.value.map(|value| self.values.land(value));
        let record = Record {
            decoded: Decoded {
                key_schema_id: converted.key_schema_id,
                value_schema_id: converted.value_schema_id,
                key: key.as_ref(),
            },
            ..*record
        };
        let payload = match (&failed, &value) {
            (Some(why), _) => Payload::Failed(why),
            (None, Some(value)) => Payload::Value(value),
            (None, None) => Payload::Original,
        };
        let taken = writer.append_payload(&record, payload);
        taken.map_err(Refused::Writer)
    }
}

impl Run<'_> {
    /// Stops fetching what can't be converted yet, for a while; the rest flows on.
    pub(super) fn wait_for_schemas(&mut self) -> TaskResult<()> {
        if self.decoder.is_none() {
            return Ok(());
        }
        let again_at = self.clock.monotonic() + SCHEMAS;
        let slots = self.slots.values_mut();
        let held: Vec<(String, i32)> = slots.flat_map(|slot| slot.held(again_at)).collect();
        self.consumer.pause(&held)
    }
}

/// Hands a record over, converted where there is a decoder.
///
/// # Errors
/// Why it was not taken.
pub(super) fn append(
    writer: &mut TableWriter,
    record: &Record<'_>,
    decoder: Option<&mut Decoder>,
) -> Result<(), Refused> {
    match decoder {
        None => writer.append(record).map_err(Refused::Writer),
        Some(decoder) => decoder.append(writer, record),
    }
}
