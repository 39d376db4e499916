//! Confluent's `Drop`: a record without its key or its value.

use std::sync::Arc;

use eddy_engine::Value;

use super::Transform;
use super::failure::Failure;
use super::settings::Settings;
use super::side::Side;
use crate::data::ConnectRecord;
use crate::error::Result;

/// The transform.
#[derive(Debug)]
pub(super) struct DropPart {
    side: Side,
    behavior: Behavior,
}

/// What becomes of the schema of what is dropped.
#[derive(Debug, Clone, Copy)]
enum Behavior {
    Nullify,
    Retain,
    ForceOptional,
}

impl DropPart {
    /// # Errors
    /// `Invalid` for an unknown `schema.behavior`.
    pub(super) fn read(side: Side, settings: &Settings<'_>) -> Result<Self> {
        let behaviors = [
            ("nullify", Behavior::Nullify),
            ("retain", Behavior::Retain),
            ("force_optional", Behavior::ForceOptional),
        ];
        Ok(Self {
            side,
            behavior: settings.choice("schema.behavior", &behaviors, Behavior::Nullify)?,
        })
    }
}

impl Transform for DropPart {
    fn apply(&self, record: ConnectRecord) -> Result<Option<ConnectRecord>, Failure> {
        self.side.change(record, |mut datum| {
            datum.value = Value::Null;
            let optional = datum.schema.as_ref().is_none_or(|schema| schema.optional);
            match self.behavior {
                Behavior::Nullify => datum.schema = None,
                Behavior::Retain if optional => {}
                Behavior::Retain => {
                    return Err(Failure::data(format!(
                        "the schema of the {} takes no null; let `schema.behavior` be `nullify` \
                         or `force_optional`",
                        self.side.word()
                    )));
                }
                Behavior::ForceOptional => {
                    datum.schema = datum
                        .schema
                        .map(|schema| Arc::new(schema.as_ref().clone().optional()));
                }
            }
            Ok(datum)
        })
    }
}
