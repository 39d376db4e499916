//! `ValueToKey`: a key made of fields of the value.

use std::sync::Arc;

use eddy_engine::Value;

use super::Transform;
use super::failure::Failure;
use super::members::{field, fields_of, get, in_order, look};
use super::retype::Retyped;
use super::settings::Settings;
use crate::data::{ConnectRecord, Datum, Field, Kind, Schema};
use crate::error::Result;

const PURPOSE: &str = "making a key of the value's fields";

/// The transform.
#[derive(Debug)]
pub(super) struct ValueToKey {
    fields: Vec<String>,
    replace: bool,
    retyped: Retyped,
}

impl ValueToKey {
    /// # Errors
    /// `Invalid` without `fields`.
    pub(super) fn read(settings: &Settings<'_>) -> Result<Self> {
        let fields = settings.required_list("fields")?;
        Ok(Self {
            fields: fields.into_iter().map(str::to_owned).collect(),
            replace: settings.replace_null()?,
            retyped: Retyped::default(),
        })
    }

    fn key(&self, value: &Datum) -> Result<Datum, Failure> {
        let members = look(value, PURPOSE)?;
        let Some(schema) = &value.schema else {
            let key = self.fields.iter().map(|name| {
                (
                    name.clone(),
                    get(members, name).cloned().unwrap_or(Value::Null),
                )
            });
            return Ok(Datum::schemaless(Value::Object(key.collect())));
        };
        let retyped = self.retyped.of(schema, |schema| self.retype(schema))?;
        debug_assert_eq!(fields_of(&retyped).len(), self.fields.len());
        let key = in_order(members, &retyped, self.replace);
        Ok(Datum {
            schema: Some(retyped),
            value: Value::Object(key),
        })
    }

    fn retype(&self, schema: &Schema) -> Result<Schema, Failure> {
        let fields = self.fields.iter().map(|name| {
            let found = field(schema, name)
                .ok_or_else(|| Failure::data(format!("Field does not exist: {name}")))?;
            Ok(Field {
                name: name.clone(),
                schema: Arc::clone(&found.schema),
            })
        });
        let fields = fields.collect::<Result<_, Failure>>()?;
        Ok(Schema::of(Kind::Struct(fields)))
    }
}

impl Transform for ValueToKey {
    fn apply(&self, mut record: ConnectRecord) -> Result<Option<ConnectRecord>, Failure> {
        record.key = self.key(&record.value)?;
        Ok(Some(record))
    }
}
