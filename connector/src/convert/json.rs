//! Connect's JSON: values with the schema that stands beside them, or with one for all of a topic.
//!
//! A payload is read by its schema alone: a value that its type can't hold is refused where Connect
//! would cut it or take zero, since types never lie. Numbers of a decimal keep all of their digits.

mod envelope;
mod members;
mod schema;

pub(super) use members::{elements, members};

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use eddy_engine::Value;
use serde_json::value::RawValue;

use super::time;
use crate::data::{DATE, DECIMAL, Datum, Kind, Schema, TIME, TIMESTAMP};
use envelope::Schemas;

/// `org.apache.kafka.connect.json.JsonConverter`.
#[derive(Debug)]
pub(super) struct JsonConverter {
    /// What to read values by; `None`: as they came.
    schemas: Option<Schemas>,
    by: Reader,
}

/// How values are read by a schema.
#[derive(Debug, Clone, Copy)]
struct Reader {
    /// A default stands for null too.
    replace_null: bool,
}

/// Levels of values within values.
const DEPTH_MOST: usize = 96;

impl JsonConverter {
    /// Values without schemas.
    pub(super) fn schemaless() -> Self {
        Self {
            schemas: None,
            by: Reader { replace_null: true },
        }
    }

    /// Values in envelopes, of which so many schemas are kept; or all by the schema `content`.
    ///
    /// # Errors
    /// What is wrong with `content`.
    pub(super) fn with_schemas(
        content: Option<&str>,
        kept: usize,
        replace_null: bool,
    ) -> Result<Self, String> {
        Ok(Self {
            schemas: Some(Schemas::new(content, kept)?),
            by: Reader { replace_null },
        })
    }

    /// # Errors
    /// What is wrong with the bytes.
    pub(super) fn convert(&mut self, bytes: &[u8]) -> Result<Datum, String> {
        let Some(schemas) = &mut self.schemas else {
            let value = Value::parse(bytes).ok_or_else(|| not_json(bytes))?;
            return Ok(Datum::schemaless(value));
        };
        let text = std::str::from_utf8(bytes).map_err(|_| "the bytes are no UTF-8")?;
        let (schema, payload) = schemas.of(text)?;
        let Some(schema) = schema else {
            let value = match payload.map(|payload| payload.get().as_bytes()) {
                // What a payload holds may nest deeper than a value may.
                Some(bytes) => Value::parse(bytes).ok_or_else(|| not_json(bytes))?,
                None => Value::Null,
            };
            return Ok(Datum::schemaless(value));
        };
        let value = self.by.value(payload, &schema, 0)?;
        Ok(Datum {
            schema: Some(schema),
            value,
        })
    }
}

/// What is wrong with bytes that are no JSON.
pub(super) fn not_json(bytes: &[u8]) -> String {
    match serde_json::from_slice::<serde::de::IgnoredAny>(bytes) {
        Err(error) => format!("the bytes are no JSON: {error}"),
        Ok(_) => "the bytes are no JSON".to_owned(),
    }
}

impl Reader {
    fn value(
        self,
        raw: Option<&RawValue>,
        schema: &Arc<Schema>,
        depth: usize,
    ) -> Result<Value, String> {
        if depth > DEPTH_MOST {
            return Err(format!("a value is nested deeper than {DEPTH_MOST} levels"));
        }
        let Some(raw) = raw.filter(|raw| raw.get() != "null") else {
            return match &schema.default {
                Some(default) if self.replace_null => Ok(default.clone()),
                _ if schema.optional => Ok(Value::Null),
                _ => Err("null stands for a value that is required".to_owned()),
            };
        };
        match &schema.kind {
            Kind::Array(items) => {
                let elements = elements(raw)?;
                let elements = elements.into_iter();
                let elements = elements.map(|one| self.value(Some(one), items, depth + 1));
                Ok(Value::List(elements.collect::<Result<_, _>>()?))
            }
            Kind::Map(keys, values) => self.map(raw, keys, values, depth),
            Kind::Struct(fields) => {
                let found = members(raw)?;
                let mut members = Vec::with_capacity(fields.len());
                for field in fields {
                    // Of a key that comes twice the last value counts.
                    let found = found.iter().rev().find(|(key, _)| *key == field.name);
                    let value = self.value(found.map(|(_, raw)| *raw), &field.schema, depth + 1);
                    let value = value.map_err(|why| within(&field.name, why))?;
                    members.push((field.name.clone(), value));
                }
                Ok(Value::Object(members))
            }
            _ => leaf(raw.get(), schema),
        }
    }

    /// Keys of text make an object; others came as pairs.
    fn map(
        self,
        raw: &RawValue,
        keys: &Arc<Schema>,
        values: &Arc<Schema>,
        depth: usize,
    ) -> Result<Value, String> {
        if keys.kind == Kind::String {
            let mut found = Vec::new();
            for (key, raw) in members(raw)? {
                found.push((key.into_owned(), self.value(Some(raw), values, depth + 1)?));
            }
            return Ok(Value::Object(found));
        }
        let mut found = Vec::new();
        for pair in elements(raw)? {
            let pair = elements(pair)?;
            let [key, value] = pair.as_slice() else {
                return Err("an entry of a map is no pair".to_owned());
            };
            found.push(Value::Object(vec![
                ("key".to_owned(), self.value(Some(key), keys, depth + 1)?),
                (
                    "value".to_owned(),
                    self.value(Some(value), values, depth + 1)?,
                ),
            ]));
        }
        Ok(Value::List(found))
    }
}

/// The innermost field alone.
fn within(field: &str, why: String) -> String {
    match why.starts_with("field ") {
        true => why,
        false => format!("field `{field}`: {why}"),
    }
}

/// A value that holds no others.
fn leaf(text: &str, schema: &Schema) -> Result<Value, String> {
    let name = schema.name.as_deref();
    if name == Some(DECIMAL) {
        let scale = schema
            .parameters
            .get("scale")
            .and_then(|scale| scale.parse().ok());
        return exact(text, scale.unwrap_or(0));
    }
    let value = Value::parse(text.as_bytes()).ok_or("a value is no JSON")?;
    let bits = match schema.kind {
        Kind::Int8 => 8,
        Kind::Int16 => 16,
        Kind::Int32 => 32,
        _ => 64,
    };
    match (&schema.kind, value) {
        (Kind::Int8 | Kind::Int16 | Kind::Int32 | Kind::Int64, Value::Integer(number))
            if (-(1_i128 << (bits - 1))..1 << (bits - 1)).contains(&number) =>
        {
            let small = i64::try_from(number).unwrap_or_default();
            Ok(match name {
                Some(DATE) => Value::Date(i32::try_from(number).unwrap_or_default()),
                Some(TIMESTAMP) => time::moment_of(small, 1_000),
                _ => Value::Integer(number),
            })
        }
        (Kind::Float32 | Kind::Float64, Value::Integer(number)) => Ok(Value::Double(number as f64)),
        // What JSON has no number for comes as a word.
        (Kind::Float32 | Kind::Float64, Value::Text(word)) => match word.as_str() {
            "NaN" => Ok(Value::Double(f64::NAN)),
            "Infinity" => Ok(Value::Double(f64::INFINITY)),
            "-Infinity" => Ok(Value::Double(f64::NEG_INFINITY)),
            _ => Err(wrong(schema, text)),
        },
        (Kind::Bytes, Value::Text(base64)) => {
            let bytes = STANDARD.decode(base64).map_err(|_| wrong(schema, text))?;
            Ok(Value::Binary(bytes))
        }
        (Kind::Float32 | Kind::Float64, value @ Value::Double(_))
        | (Kind::Boolean, value @ Value::Boolean(_))
        | (Kind::String, value @ (Value::Text(_) | Value::Raw(_))) => Ok(value),
        _ => Err(wrong(schema, text)),
    }
}

/// An exact number: base64 of its digits, or a number as it stands.
pub(super) fn exact(text: &str, scale: u32) -> Result<Value, String> {
    if text.starts_with('"') {
        let base64: String = serde_json::from_str(text).map_err(|_| "a text is broken")?;
        let bytes = STANDARD.decode(base64).ok();
        let value = bytes.and_then(|bytes| time::decimal(&bytes, scale));
        return value.ok_or_else(|| format!("{} is no decimal in base64", shown(text)));
    }
    let number = numeral(text).ok_or_else(|| format!("{} is no decimal", shown(text)))?;
    Ok(number)
}

/// The number that `text` is, exactly.
fn numeral(text: &str) -> Option<Value> {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let valid = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if !valid(whole.strip_prefix('-').unwrap_or(whole)) || !valid(fraction) {
        return None;
    }
    let scale = i32::try_from(fraction.len()).ok()?.checked_sub(exponent)?;
    let unscaled: Option<i128> = format!("{whole}{fraction}").parse().ok();
    let exact = unscaled.and_then(|unscaled| {
        Some(match u8::try_from(scale) {
            Ok(scale) => Value::Decimal { unscaled, scale },
            // `1e3` has digits before the point that nobody wrote.
            Err(_) => Value::Decimal {
                unscaled: unscaled.checked_mul(10_i128.checked_pow(scale.unsigned_abs())?)?,
                scale: 0,
            },
        })
    });
    Some(exact.unwrap_or_else(|| Value::Raw(text.into())))
}

fn wrong(schema: &Schema, text: &str) -> String {
    let kind = match schema.kind {
        Kind::Int8 => "an integer of 8 bits",
        Kind::Int16 => "an integer of 16 bits",
        Kind::Int32 => "an integer of 32 bits",
        Kind::Int64 => "an integer of 64 bits",
        Kind::Float32 | Kind::Float64 => "a number",
        Kind::Boolean => "a boolean",
        Kind::String => "a string",
        Kind::Bytes => "bytes in base64",
        Kind::Array(_) | Kind::Map(..) | Kind::Struct(_) => "of its schema",
    };
    match schema.name.as_deref() {
        Some(TIME) => format!("{} is no time in milliseconds", shown(text)),
        _ => format!("{} is not {kind}", shown(text)),
    }
}

fn shown(text: &str) -> String {
    match text.char_indices().nth(40) {
        Some((at, _)) => format!("`{}...`", text.get(..at).unwrap_or_default()),
        None => format!("`{text}`"),
    }
}

#[cfg(test)]
mod tests;
