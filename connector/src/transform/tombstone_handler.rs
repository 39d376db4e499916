//! Confluent's `TombstoneHandler`: what becomes of records without a value.

use std::sync::atomic::{AtomicBool, Ordering};

use eddy_engine::Value;

use super::Transform;
use super::failure::Failure;
use super::settings::Settings;
use crate::data::ConnectRecord;
use crate::error::Result;

/// The transform.
#[derive(Debug)]
pub(super) struct TombstoneHandler {
    connector: String,
    behavior: Behavior,
    warned: AtomicBool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Behavior {
    DropSilent,
    DropWarn,
    Ignore,
    Warn,
    Fail,
}

impl TombstoneHandler {
    /// # Errors
    /// `Invalid` for an unknown `behavior`.
    pub(super) fn read(settings: &Settings<'_>) -> Result<Self> {
        let behaviors = [
            ("drop_silent", Behavior::DropSilent),
            ("drop_warn", Behavior::DropWarn),
            ("ignore", Behavior::Ignore),
            ("warn", Behavior::Warn),
            ("fail", Behavior::Fail),
        ];
        Ok(Self {
            connector: settings.connector.to_owned(),
            behavior: settings.choice("behavior", &behaviors, Behavior::DropWarn)?,
            warned: AtomicBool::new(false),
        })
    }

    /// Warns of the first; a topic may have as many tombstones as records.
    fn warn(&self, record: &ConnectRecord) {
        if !self.warned.swap(true, Ordering::Relaxed) {
            tracing::warn!(connector = %self.connector, topic = %record.topic,
                partition = record.partition, offset = record.offset,
                "a tombstone; further ones are not told of");
        }
    }
}

impl Transform for TombstoneHandler {
    fn apply(&self, record: ConnectRecord) -> Result<Option<ConnectRecord>, Failure> {
        if record.value.value != Value::Null {
            return Ok(Some(record));
        }
        if matches!(self.behavior, Behavior::DropWarn | Behavior::Warn) {
            self.warn(&record);
        }
        match self.behavior {
            Behavior::DropSilent | Behavior::DropWarn => Ok(None),
            Behavior::Ignore | Behavior::Warn => Ok(Some(record)),
            Behavior::Fail => Err(Failure::data(
                "the record is a tombstone, which `behavior` says is a failure",
            )),
        }
    }
}
