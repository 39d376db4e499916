//! `HoistField`: the whole key or value as the only field of a struct or map.

use eddy_engine::Value;
use std::sync::Arc;

use super::Transform;
use super::failure::Failure;
use super::retype::Retyped;
use super::settings::Settings;
use super::side::Side;
use crate::data::{ConnectRecord, Datum, Field, Kind, Schema};
use crate::error::Result;

/// The transform.
#[derive(Debug)]
pub(super) struct HoistField {
    side: Side,
    field: String,
    retyped: Retyped,
}

impl HoistField {
    /// # Errors
    /// `Invalid` without `field`.
    pub(super) fn read(side: Side, settings: &Settings<'_>) -> Result<Self> {
        Ok(Self {
            side,
            field: settings.required("field")?.to_owned(),
            retyped: Retyped::default(),
        })
    }

    fn hoist(&self, datum: Datum) -> Result<Datum, Failure> {
        let schema = match &datum.schema {
            None => None,
            Some(schema) => Some(self.retyped.of(schema, |_| {
                Ok(Schema::of(Kind::Struct(vec![Field {
                    name: self.field.clone(),
                    schema: Arc::clone(schema),
                }])))
            })?),
        };
        Ok(Datum {
            schema,
            value: Value::Object(vec![(self.field.clone(), datum.value)]),
        })
    }
}

impl Transform for HoistField {
    fn apply(&self, record: ConnectRecord) -> Result<Option<ConnectRecord>, Failure> {
        self.side.change(record, |datum| self.hoist(datum))
    }
}
