//! `TimestampConverter`: moments as text, numbers since the Unix epoch, days or times of day.
//!
//! Inside a moment has microseconds. Connect's has milliseconds, so that conversions lose the rest
//! there; here they don't, where source and target have room for them.

use std::sync::Arc;

use eddy_engine::Value;

use super::Transform;
use super::failure::Failure;
use super::java::DatePattern;
use super::members::{field, fields_of, get, in_order, kind_of, or_default, put, require};
use super::retype::{Retyped, like};
use super::settings::Settings;
use super::side::Side;
use crate::data::{ConnectRecord, DATE, Datum, Field, Kind, Schema, TIME, TIMESTAMP};
use crate::error::Result;

const PURPOSE: &str = "converting a timestamp";
const DAY_US: i64 = 86_400_000_000;

/// The transform.
#[derive(Debug)]
pub(super) struct TimestampConverter {
    side: Side,
    field: Option<String>,
    target: Form,
    format: Option<DatePattern>,
    precision: Precision,
    replace: bool,
    retyped: Retyped,
}

/// What a moment may be written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Text,
    Unix,
    Date,
    Time,
    Timestamp,
}

#[derive(Debug, Clone, Copy)]
enum Precision {
    Seconds,
    Milliseconds,
    Microseconds,
    Nanoseconds,
}

impl TimestampConverter {
    /// # Errors
    /// `Invalid` for unknown words, and for a format that is missing or none.
    pub(super) fn read(side: Side, settings: &Settings<'_>) -> Result<Self> {
        let forms = [
            ("string", Form::Text),
            ("unix", Form::Unix),
            ("Date", Form::Date),
            ("Time", Form::Time),
            ("Timestamp", Form::Timestamp),
        ];
        let precisions = [
            ("milliseconds", Precision::Milliseconds),
            ("seconds", Precision::Seconds),
            ("microseconds", Precision::Microseconds),
            ("nanoseconds", Precision::Nanoseconds),
        ];
        settings.required("target.type")?;
        let target = settings.choice("target.type", &forms, Form::Timestamp)?;
        let format = match settings.text("format") {
            None if target == Form::Text => {
                return Err(settings.refuse("`target.type` is `string`, which needs a `format`"));
            }
            None => None,
            Some(text) => {
                Some(DatePattern::parse(text).map_err(|why| settings.wrong("format", text, &why))?)
            }
        };
        Ok(Self {
            side,
            field: settings.text("field").map(str::to_owned),
            target,
            format,
            precision: settings.choice("unix.precision", &precisions, Precision::Milliseconds)?,
            replace: settings.replace_null()?,
            retyped: Retyped::default(),
        })
    }

    fn change(&self, datum: Datum) -> Result<Datum, Failure> {
        let schema = datum.schema.clone();
        let retyped = match &schema {
            Some(schema) => Some(self.retyped.of(schema, |schema| self.retype(schema))?),
            None => None,
        };
        let value = match &self.field {
            _ if datum.value == Value::Null => Value::Null,
            None => self.convert(datum.value, schema.as_deref())?,
            Some(name) => {
                let mut members = require(datum, PURPOSE)?;
                let known = schema.as_deref().and_then(|schema| field(schema, name));
                if let Some(schema) = &schema {
                    members = in_order(&members, schema, self.replace);
                }
                if known.is_some() || schema.is_none() {
                    let value = get(&members, name).cloned().unwrap_or(Value::Null);
                    let converted = self.convert(value, known.map(|field| &*field.schema));
                    let converted = converted.map_err(|failure| failure.of_field(name))?;
                    put(&mut members, name, converted);
                }
                Value::Object(members)
            }
        };
        Ok(Datum {
            schema: retyped,
            value,
        })
    }

    fn retype(&self, schema: &Schema) -> Result<Schema, Failure> {
        let Some(name) = &self.field else {
            let mut made = self.target.schema();
            made.optional = schema.optional;
            return Ok(made);
        };
        let fields = fields_of(schema).iter().map(|field| {
            if field.name != *name {
                return field.clone();
            }
            let mut made = self.target.schema();
            made.optional = field.schema.optional;
            Field {
                name: field.name.clone(),
                schema: Arc::new(made),
            }
        });
        let mut made = like(schema, Kind::Struct(fields.collect()));
        made.optional = schema.optional;
        if let Some(Value::Object(members)) = &schema.default {
            let mut members = members.clone();
            let known = field(schema, name).map(|field| &*field.schema);
            let value = get(&members, name).cloned().unwrap_or(Value::Null);
            put(&mut members, name, self.convert(value, known)?);
            made.default = Some(Value::Object(members));
        }
        Ok(made)
    }

    fn convert(&self, value: Value, schema: Option<&Schema>) -> Result<Value, Failure> {
        let value = match schema {
            Some(schema) => or_default(value, schema, self.replace),
            None => value,
        };
        if value == Value::Null {
            return Ok(Value::Null);
        }
        let us = self.moment(&value, schema)?;
        let beyond = || Failure::data(format!("the moment of {us} µs is in no calendar"));
        Ok(match self.target {
            Form::Text => {
                let format = self.format.as_ref().ok_or_else(beyond)?;
                Value::Text(format.format(us.div_euclid(1_000)).ok_or_else(beyond)?)
            }
            Form::Unix => Value::Integer(match self.precision {
                Precision::Seconds => i128::from(us / 1_000_000),
                Precision::Milliseconds => i128::from(us.div_euclid(1_000)),
                Precision::Microseconds => i128::from(us),
                Precision::Nanoseconds => i128::from(us.saturating_mul(1_000)),
            }),
            Form::Date => Value::Date(i32::try_from(us.div_euclid(DAY_US)).map_err(|_| beyond())?),
            Form::Time => Value::Integer(i128::from(us.rem_euclid(DAY_US) / 1_000)),
            Form::Timestamp => Value::Timestamp(us),
        })
    }

    /// The moment that a value is, in microseconds since the Unix epoch.
    fn moment(&self, value: &Value, schema: Option<&Schema>) -> Result<i64, Failure> {
        let named = schema.and_then(|schema| schema.name.as_deref());
        let far = || Failure::data("it is too far from now for a moment".to_owned());
        match value {
            Value::Timestamp(us) => Ok(*us),
            Value::Date(days) => Ok(i64::from(*days).saturating_mul(DAY_US)),
            Value::Integer(number) => {
                let number = i64::try_from(*number).map_err(|_| far())?;
                let scaled = match (named, self.precision) {
                    (Some(TIME | TIMESTAMP), _) | (_, Precision::Milliseconds) => {
                        number.checked_mul(1_000)
                    }
                    (Some(DATE), _) => number.checked_mul(DAY_US),
                    (_, Precision::Seconds) => number.checked_mul(1_000_000),
                    (_, Precision::Microseconds) => Some(number),
                    (_, Precision::Nanoseconds) => Some(number / 1_000),
                };
                scaled.ok_or_else(far)
            }
            Value::Text(text) => {
                let format = self.format.as_ref().ok_or_else(|| {
                    Failure::data("it is text, and no `format` says how to read it".to_owned())
                })?;
                let ms = format.read(text).ok_or_else(|| {
                    Failure::data(format!(
                        "`{text}` doesn't have the form `{}`",
                        format.text()
                    ))
                })?;
                ms.checked_mul(1_000).ok_or_else(far)
            }
            other => Err(Failure::data(format!(
                "{} is no timestamp; a number, text, a day and a moment are",
                kind_of(other)
            ))),
        }
    }
}

impl Transform for TimestampConverter {
    fn apply(&self, record: ConnectRecord) -> Result<Option<ConnectRecord>, Failure> {
        self.side.change(record, |datum| self.change(datum))
    }
}

impl Form {
    fn schema(self) -> Schema {
        let (kind, name) = match self {
            Self::Text => return Schema::of(Kind::String),
            Self::Unix => return Schema::of(Kind::Int64),
            Self::Date => (Kind::Int32, DATE),
            Self::Time => (Kind::Int32, TIME),
            Self::Timestamp => (Kind::Int64, TIMESTAMP),
        };
        let mut schema = Schema::of(kind).named(name);
        schema.version = Some(1);
        schema
    }
}
