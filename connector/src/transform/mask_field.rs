//! `MaskField`: fields with nothing in them, or with a text or number in their place.

use std::collections::BTreeSet;

use eddy_engine::Value;

use super::Transform;
use super::failure::Failure;
use super::java::number;
use super::members::{field, get, in_order, kind_of, put, require};
use super::settings::Settings;
use super::side::Side;
use crate::data::{ConnectRecord, Datum, Kind, Schema};
use crate::error::Result;

const PURPOSE: &str = "masking fields";

/// The transform.
#[derive(Debug)]
pub(super) struct MaskField {
    side: Side,
    fields: BTreeSet<String>,
    replacement: Option<String>,
    replace: bool,
}

impl MaskField {
    /// # Errors
    /// `Invalid` without `fields`, or with an empty `replacement`.
    pub(super) fn read(side: Side, settings: &Settings<'_>) -> Result<Self> {
        let replacement = settings.raw("replacement");
        if replacement.is_some_and(str::is_empty) {
            return Err(settings.wrong("replacement", "", "a text, or is left out"));
        }
        let fields = settings
            .required_list("fields")?
            .into_iter()
            .map(str::to_owned);
        Ok(Self {
            side,
            fields: fields.collect(),
            replacement: replacement.map(str::to_owned),
            replace: settings.replace_null()?,
        })
    }

    fn mask(&self, datum: Datum) -> Result<Datum, Failure> {
        let schema = datum.schema.clone();
        let mut members = require(datum, PURPOSE)?;
        if let Some(schema) = &schema {
            members = in_order(&members, schema, self.replace);
        }
        for name in &self.fields {
            let known = schema.as_deref().map(|schema| field(schema, name));
            if known == Some(None) {
                continue;
            }
            let value = get(&members, name).cloned().unwrap_or(Value::Null);
            let masked = self.masked(value, known.flatten().map(|field| &*field.schema));
            let masked = masked.map_err(|failure| failure.of_field(name))?;
            put(&mut members, name, masked);
        }
        Ok(Datum {
            schema,
            value: Value::Object(members),
        })
    }

    fn masked(&self, value: Value, schema: Option<&Schema>) -> Result<Value, Failure> {
        match (&self.replacement, value) {
            (_, Value::Null) => Ok(Value::Null),
            (None, value) => emptied(&value, schema),
            (Some(replacement), value) => replaced(&value, schema, replacement),
        }
    }
}

impl Transform for MaskField {
    fn apply(&self, record: ConnectRecord) -> Result<Option<ConnectRecord>, Failure> {
        if self.side.of(&record).value == Value::Null {
            // A tombstone has no field to mask. Connect fails here, for no one's good.
            return Ok(Some(record));
        }
        self.side.change(record, |datum| self.mask(datum))
    }
}

/// The value of the same type that says least.
fn emptied(value: &Value, schema: Option<&Schema>) -> Result<Value, Failure> {
    let is_struct = schema.is_some_and(|schema| matches!(schema.kind, Kind::Struct(_)));
    Ok(match value {
        Value::Boolean(_) => Value::Boolean(false),
        Value::Integer(_) => Value::Integer(0),
        Value::Double(_) => Value::Double(0.0),
        Value::Decimal { scale, .. } => Value::Decimal {
            unscaled: 0,
            scale: *scale,
        },
        Value::Text(_) => Value::Text(String::new()),
        Value::Timestamp(_) => Value::Timestamp(0),
        Value::Date(_) => Value::Date(0),
        Value::List(_) => Value::List(Vec::new()),
        Value::Object(_) if !is_struct => Value::Object(Vec::new()),
        // What no value can hold is a number or a text; neither may stay.
        Value::Raw(json) if json.starts_with('"') => Value::Text(String::new()),
        Value::Raw(_) => Value::Integer(0),
        Value::Null => Value::Null,
        Value::Binary(_) | Value::Object(_) => {
            return Err(Failure::data(format!(
                "{} has no empty value",
                kind_of(value)
            )));
        }
    })
}

fn replaced(value: &Value, schema: Option<&Schema>, replacement: &str) -> Result<Value, Failure> {
    let (least, most) = match schema.map(|schema| &schema.kind) {
        Some(Kind::Int8) => (i8::MIN.into(), i8::MAX.into()),
        Some(Kind::Int16) => (i16::MIN.into(), i16::MAX.into()),
        Some(Kind::Int32) => (i32::MIN.into(), i32::MAX.into()),
        _ => (i64::MIN, i64::MAX),
    };
    let made = match value {
        Value::Text(_) => Some(Value::Text(replacement.to_owned())),
        Value::Integer(_) => {
            let number = number::integer(replacement, least, most);
            number.map(|number| Value::Integer(i128::from(number)))
        }
        Value::Double(_) => number::double(replacement).map(Value::Double),
        Value::Decimal { scale, .. } => decimal(replacement, *scale),
        _ => {
            return Err(Failure::data(format!(
                "{} takes no `replacement`; numbers and text do",
                kind_of(value)
            )));
        }
    };
    made.ok_or_else(|| {
        Failure::data(format!(
            "`{replacement}` is no such number as the field holds"
        ))
    })
}

/// An exact number with as many digits behind the point as the field's.
fn decimal(text: &str, scale: u8) -> Option<Value> {
    let (whole, behind) = text.split_once('.').unwrap_or((text, ""));
    let missing = usize::from(scale).checked_sub(behind.len())?;
    let digits = format!("{whole}{behind}{}", "0".repeat(missing));
    let unscaled = digits.parse().ok()?;
    Some(Value::Decimal { unscaled, scale })
}
