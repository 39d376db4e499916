//! `ExtractField`: one field in place of the whole key or value.

use std::sync::Arc;

use eddy_engine::Value;

use super::Transform;
use super::failure::Failure;
use super::field_path::FieldPath;
use super::members::require;
use super::settings::Settings;
use super::side::Side;
use crate::data::{ConnectRecord, Datum};
use crate::error::Result;

const PURPOSE: &str = "extracting a field";

/// The transform.
#[derive(Debug)]
pub(super) struct ExtractField {
    side: Side,
    path: FieldPath,
    replace: bool,
}

impl ExtractField {
    /// # Errors
    /// `Invalid` for a missing or broken `field`.
    pub(super) fn read(side: Side, settings: &Settings<'_>) -> Result<Self> {
        Ok(Self {
            side,
            path: FieldPath::read(settings, "field")?,
            replace: settings.replace_null()?,
        })
    }

    fn extract(&self, datum: Datum) -> Result<Datum, Failure> {
        let Some(schema) = datum.schema.clone() else {
            if datum.value == Value::Null {
                return Ok(Datum::null());
            }
            let members = require(datum, PURPOSE)?;
            return Ok(Datum::schemaless(self.path.value(
                &members,
                None,
                self.replace,
            )?));
        };
        let field = self
            .path
            .schema(&schema)
            .ok_or_else(|| Failure::argument(format!("Unknown field: {}", self.path.text())))?;
        let value = match datum.value {
            Value::Null => Value::Null,
            _ => {
                let members = require(datum, PURPOSE)?;
                self.path.value(&members, Some(&schema), self.replace)?
            }
        };
        Ok(Datum {
            schema: Some(Arc::clone(field)),
            value,
        })
    }
}

impl Transform for ExtractField {
    fn apply(&self, record: ConnectRecord) -> Result<Option<ConnectRecord>, Failure> {
        self.side.change(record, |datum| self.extract(datum))
    }
}
