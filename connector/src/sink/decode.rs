//! A record decoded: by its converters, for transforms and columns.

use eddy_engine::{Record, Value};

use crate::convert::{Converted, Converters, Landing, Later, Need, Unconverted};
use crate::data::{ConnectRecord, Datum};
use crate::error::Result;
use crate::sink::errant::Errant;
use crate::sink::run::Run;
use crate::sink::task::TaskSettings;
use crate::sink::topic::Slot;

/// A task's converters, and the last step before the table.
pub(super) struct Decoder {
    converters: Converters,
    keys: Landing,
    values: Landing,
}

/// Why a record was not decoded.
pub(super) enum Undecoded {
    Errant(Errant),
    /// It can't be converted yet; it must come again.
    Later(Later),
}

impl Decoder {
    /// `None` where the engine reads every record by itself and nobody else looks.
    ///
    /// # Errors
    /// `Invalid` for a schema in the settings that is none.
    pub(super) fn open(settings: &TaskSettings) -> Result<Option<Self>> {
        let config = &settings.config;
        let need = match (&config.transforms, config.errors.listens()) {
            (Some(_), _) => Need::Everything,
            (None, true) => Need::Checks,
            (None, false) => Need::Columns,
        };
        let converters = settings.conversion.converters(need)?;
        Ok(converters.map(|converters| Self {
            converters,
            keys: Landing::default(),
            values: Landing::default(),
        }))
    }

    /// Converts a record; what is known of it so far stands in `into` in any case.
    ///
    /// # Errors
    /// Why it can't be converted.
    pub(super) fn decode(
        &mut self,
        record: &Record<'_>,
        into: &mut Converted,
    ) -> std::result::Result<(), Undecoded> {
        let converted = self.converters.convert(record, into);
        converted.map_err(|why| match why {
            Unconverted::Broken { part, class, why } => {
                Undecoded::Errant(Errant::unread(part, class, why))
            }
            Unconverted::Later(later) => Undecoded::Later(later),
        })
    }

    /// The key as the envelope has it: as it came, whatever transforms do (E7); `None` where
    /// nobody configured how keys are read. `again` keeps it for them.
    pub(super) fn key(&mut self, converted: &mut Converted, again: bool) -> Option<Value> {
        if !self.converters.decodes_keys() {
            return None;
        }
        let key = match again {
            true => converted.key.clone(),
            false => converted.key.take(),
        };
        key.map(|key| self.keys.land(key))
    }

    /// A value as columns take it.
    pub(super) fn land(&mut self, value: Datum) -> Value {
        self.values.land(value)
    }
}

/// The record as transforms take it.
pub(super) fn connect_record(
    topic: &str,
    record: &Record<'_>,
    converted: Converted,
) -> ConnectRecord {
    ConnectRecord {
        topic: topic.to_owned(),
        partition: Some(record.partition),
        offset: record.offset,
        timestamp_ms: record.timestamp_ms,
        key: converted.key.unwrap_or_else(Datum::null),
        value: converted.value.unwrap_or_else(Datum::null),
        headers: converted.headers,
    }
}

impl Run<'_> {
    /// Stops fetching what can't be converted yet, until it is tried again; the rest flows on.
    pub(super) fn pause_held(&mut self) -> Result<()> {
        if self.way.is_open() {
            return Ok(());
        }
        let slots = self.slots.values_mut();
        let held: Vec<(String, i32)> = slots.flat_map(Slot::held).collect();
        self.consumer.pause(&held)
    }
}
