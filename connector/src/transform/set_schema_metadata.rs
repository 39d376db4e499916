//! `SetSchemaMetadata`: another name or version for the schema.

use eddy_engine::Value;

use super::Transform;
use super::failure::Failure;
use super::members::in_order;
use super::retype::Retyped;
use super::settings::Settings;
use super::side::Side;
use crate::data::{ConnectRecord, Datum, Kind, Schema};
use crate::error::Result;

/// The transform.
#[derive(Debug)]
pub(super) struct SetSchemaMetadata {
    side: Side,
    name: Option<String>,
    version: Option<i32>,
    replace: bool,
    retyped: Retyped,
}

impl SetSchemaMetadata {
    /// # Errors
    /// `Invalid` when neither name nor version is set, or the version is no number.
    pub(super) fn read(side: Side, settings: &Settings<'_>) -> Result<Self> {
        let version = match settings.text("schema.version") {
            None => None,
            Some(text) => Some(text.parse().map_err(|_| {
                settings.wrong("schema.version", text, "a whole number of 32 bits")
            })?),
        };
        let name = settings.text("schema.name").map(str::to_owned);
        if name.is_none() && version.is_none() {
            return Err(settings.refuse("neither `schema.name` nor `schema.version` is set"));
        }
        Ok(Self {
            side,
            name,
            version,
            replace: settings.replace_null()?,
            retyped: Retyped::default(),
        })
    }
}

impl Transform for SetSchemaMetadata {
    fn apply(&self, record: ConnectRecord) -> Result<Option<ConnectRecord>, Failure> {
        let datum = self.side.of(&record);
        let Some(schema) = datum.schema.clone() else {
            if datum.value == Value::Null {
                return Ok(Some(record));
            }
            return Err(Failure::data(format!(
                "the {} has no schema whose name or version could be set",
                self.side.word()
            )));
        };
        let retyped = self.retyped.of(&schema, |schema| {
            Ok(Schema {
                name: self.name.clone().or_else(|| schema.name.clone()),
                version: self.version.or(schema.version),
                ..schema.clone()
            })
        })?;
        self.side.change(record, |datum| {
            let value = match (datum.value, &retyped.kind) {
                (Value::Object(members), Kind::Struct(_)) => {
                    Value::Object(in_order(&members, &retyped, self.replace))
                }
                (value, _) => value,
            };
            Ok(Datum {
                schema: Some(retyped),
                value,
            })
        })
    }
}
