//! `HeaderFrom`: fields as headers, copied or moved.

use std::sync::Arc;

use eddy_engine::Value;

use super::Transform;
use super::failure::Failure;
use super::members::{field, fields_of, get, in_order, require, value_of};
use super::retype::{Retyped, like};
use super::settings::Settings;
use super::side::Side;
use crate::data::{ConnectRecord, Datum, Kind};
use crate::error::Result;

const PURPOSE: &str = "making headers of fields";

/// The transform.
#[derive(Debug)]
pub(super) struct HeaderFrom {
    side: Side,
    /// Fields and the headers that they become.
    pairs: Vec<(String, String)>,
    moves: bool,
    replace: bool,
    retyped: Retyped,
}

impl HeaderFrom {
    /// # Errors
    /// `Invalid` unless there are as many `headers` as `fields`, and an `operation`.
    pub(super) fn read(side: Side, settings: &Settings<'_>) -> Result<Self> {
        let fields = settings.required_list("fields")?;
        let headers = settings.required_list("headers")?;
        if fields.len() != headers.len() {
            return Err(settings.refuse("`fields` and `headers` must have as many items each"));
        }
        settings.required("operation")?;
        let operations = [("move", true), ("copy", false)];
        let pairs = fields.into_iter().zip(headers);
        Ok(Self {
            side,
            pairs: pairs
                .map(|(field, header)| (field.to_owned(), header.to_owned()))
                .collect(),
            moves: settings.choice("operation", &operations, false)?,
            replace: settings.replace_null()?,
            retyped: Retyped::default(),
        })
    }

    fn is_moved(&self, name: &str) -> bool {
        self.moves && self.pairs.iter().any(|(field, _)| field == name)
    }

    fn with_schema(
        &self,
        datum: Datum,
        headers: &mut Vec<(String, Datum)>,
    ) -> Result<Datum, Failure> {
        let Some(schema) = datum.schema.clone() else {
            return self.without_schema(datum, headers);
        };
        let members = require(datum, PURPOSE)?;
        for (name, header) in &self.pairs {
            let found = field(&schema, name).ok_or_else(|| {
                Failure::data(format!(
                    "the schema has no field `{name}` to make a header of"
                ))
            })?;
            let value = Datum {
                schema: Some(Arc::clone(&found.schema)),
                value: value_of(&members, found, self.replace),
            };
            headers.push((header.clone(), value));
        }
        if !self.moves {
            return Ok(Datum {
                schema: Some(schema),
                value: Value::Object(members),
            });
        }
        let retyped = self.retyped.of(&schema, |schema| {
            let stay = fields_of(schema)
                .iter()
                .filter(|field| !self.is_moved(&field.name));
            Ok(like(schema, Kind::Struct(stay.cloned().collect())))
        })?;
        let members = in_order(&members, &retyped, self.replace);
        Ok(Datum {
            schema: Some(retyped),
            value: Value::Object(members),
        })
    }

    fn without_schema(
        &self,
        datum: Datum,
        headers: &mut Vec<(String, Datum)>,
    ) -> Result<Datum, Failure> {
        let mut members = require(datum, PURPOSE)?;
        for (name, header) in &self.pairs {
            let value = get(&members, name).cloned().unwrap_or(Value::Null);
            headers.push((header.clone(), Datum::schemaless(value)));
        }
        members.retain(|(name, _)| !self.is_moved(name));
        Ok(Datum::schemaless(Value::Object(members)))
    }
}

impl Transform for HeaderFrom {
    fn apply(&self, mut record: ConnectRecord) -> Result<Option<ConnectRecord>, Failure> {
        let mut headers = std::mem::take(&mut record.headers);
        let changed = self
            .side
            .change(record, |datum| self.with_schema(datum, &mut headers))?;
        Ok(changed.map(|record| ConnectRecord { headers, ..record }))
    }
}
