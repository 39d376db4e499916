//! `InsertField`: fields with the record's topic, partition, offset or time, or a fixed text.

use std::sync::Arc;

use eddy_engine::Value;

use super::Transform;
use super::failure::Failure;
use super::members::{fields_of, in_order, put, require};
use super::retype::{Retyped, like};
use super::settings::Settings;
use super::side::Side;
use crate::data::{ConnectRecord, Field, Kind, Schema, TIMESTAMP};
use crate::error::Result;

const PURPOSE: &str = "inserting fields";

/// The transform.
#[derive(Debug)]
pub(super) struct InsertField {
    side: Side,
    fields: Vec<(Inserted, Source)>,
    replace: bool,
    retyped: Retyped,
}

/// A field's name, and whether it may be missing.
#[derive(Debug)]
struct Inserted {
    name: String,
    optional: bool,
}

#[derive(Debug)]
enum Source {
    Topic,
    Partition,
    Offset,
    Time,
    Text(String),
}

impl InsertField {
    /// # Errors
    /// `Invalid` when nothing is to be inserted, or a fixed field has no value.
    pub(super) fn read(side: Side, settings: &Settings<'_>) -> Result<Self> {
        let sources = [
            ("topic.field", Source::Topic),
            ("partition.field", Source::Partition),
            ("offset.field", Source::Offset),
            ("timestamp.field", Source::Time),
        ];
        let mut fields = Vec::new();
        for (key, source) in sources {
            if let Some(text) = settings.text(key) {
                fields.push((Inserted::parse(text), source));
            }
        }
        if let Some(text) = settings.text("static.field") {
            let value = settings.required_raw("static.value")?.to_owned();
            fields.push((Inserted::parse(text), Source::Text(value)));
        }
        if fields.is_empty() {
            return Err(settings.refuse(
                "it inserts nothing; set `topic.field`, `partition.field`, `offset.field`, \
                 `timestamp.field` or `static.field`",
            ));
        }
        Ok(Self {
            side,
            fields,
            replace: settings.replace_null()?,
            retyped: Retyped::default(),
        })
    }

    fn retype(&self, schema: &Schema) -> Result<Schema, Failure> {
        let mut fields = fields_of(schema).to_vec();
        for (inserted, source) in &self.fields {
            if fields.iter().any(|field| field.name == inserted.name) {
                return Err(Failure::data(format!(
                    "the field `{}` can't be inserted: the schema has it already; choose another \
                     name",
                    inserted.name
                )));
            }
            let mut made = source.schema();
            made.optional = inserted.optional;
            fields.push(Field {
                name: inserted.name.clone(),
                schema: Arc::new(made),
            });
        }
        Ok(like(schema, Kind::Struct(fields)))
    }
}

impl Transform for InsertField {
    fn apply(&self, mut record: ConnectRecord) -> Result<Option<ConnectRecord>, Failure> {
        if self.side.of(&record).value == Value::Null {
            return Ok(Some(record));
        }
        let datum = self.side.take(&mut record);
        let schema = datum.schema.clone();
        let mut members = require(datum, PURPOSE)?;
        if let Some(schema) = &schema {
            members = in_order(&members, schema, self.replace);
        }
        for (inserted, source) in &self.fields {
            match source.value(&record, schema.is_some()) {
                Some(value) => put(&mut members, &inserted.name, value),
                None if schema.is_some() && !inserted.optional => {
                    return Err(Failure::data(format!(
                        "the record has nothing for the required field `{}`; write `{}?` where \
                         it may be missing",
                        inserted.name, inserted.name
                    )));
                }
                None => {}
            }
        }
        let datum = self.side.of_mut(&mut record);
        if let Some(schema) = schema {
            datum.schema = Some(self.retyped.of(&schema, |schema| self.retype(schema))?);
        }
        datum.value = Value::Object(members);
        Ok(Some(record))
    }
}

impl Inserted {
    /// `name!` is required, `name?` and `name` are optional.
    fn parse(text: &str) -> Self {
        let required = text.strip_suffix('!');
        let name = required.or_else(|| text.strip_suffix('?')).unwrap_or(text);
        Self {
            name: name.to_owned(),
            optional: required.is_none(),
        }
    }
}

impl Source {
    fn schema(&self) -> Schema {
        match self {
            Self::Topic | Self::Text(_) => Schema::of(Kind::String),
            Self::Partition => Schema::of(Kind::Int32),
            Self::Offset => Schema::of(Kind::Int64),
            Self::Time => {
                let mut schema = Schema::of(Kind::Int64).named(TIMESTAMP);
                schema.version = Some(1);
                schema
            }
        }
    }

    /// A time is a moment where there is a schema to say so, else the number of milliseconds.
    fn value(&self, record: &ConnectRecord, with_schema: bool) -> Option<Value> {
        Some(match self {
            Self::Topic => Value::Text(record.topic.clone()),
            Self::Partition => Value::Integer(i128::from(record.partition?)),
            Self::Offset => Value::Integer(i128::from(record.offset)),
            Self::Time if with_schema => {
                Value::Timestamp(record.timestamp_ms?.saturating_mul(1_000))
            }
            Self::Time => Value::Integer(i128::from(record.timestamp_ms?)),
            Self::Text(text) => Value::Text(text.clone()),
        })
    }
}
