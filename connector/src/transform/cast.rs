//! `Cast`: fields, or the whole key or value, as another type of number, boolean or text.

use std::collections::BTreeMap;
use std::sync::Arc;

use eddy_engine::Value;

use super::Transform;
use super::failure::Failure;
use super::java::number;
use super::members::{get, in_order, kind_of, put, require};
use super::retype::{Retyped, like};
use super::settings::Settings;
use super::side::Side;
use crate::data::{ConnectRecord, DATE, Datum, Field, Kind, Schema, TIME, TIMESTAMP};
use crate::error::Result;
use crate::transform::java::DatePattern;

/// What a value is cast to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Target {
    Int8,
    Int16,
    Int32,
    Int64,
    Float32,
    Float64,
    Boolean,
    String,
}

const TARGETS: [(&str, Target); 8] = [
    ("int8", Target::Int8),
    ("int16", Target::Int16),
    ("int32", Target::Int32),
    ("int64", Target::Int64),
    ("float32", Target::Float32),
    ("float64", Target::Float64),
    ("boolean", Target::Boolean),
    ("string", Target::String),
];

const PURPOSE: &str = "casting fields";

/// The transform.
#[derive(Debug)]
pub(super) struct Cast {
    side: Side,
    spec: Spec,
    replace: bool,
    retyped: Retyped,
}

#[derive(Debug)]
enum Spec {
    Whole(Target),
    Fields(BTreeMap<String, Target>),
}

impl Cast {
    /// # Errors
    /// `Invalid` for a `spec` that isn't one.
    pub(super) fn read(side: Side, settings: &Settings<'_>) -> Result<Self> {
        let allowed = "pairs as `price:float64` with commas between, or one type alone, of int8, \
                       int16, int32, int64, float32, float64, boolean and string";
        let mut fields = BTreeMap::new();
        let mut whole = None;
        for pair in settings.required_list("spec")? {
            let (field, name) = match pair.rsplit_once(':') {
                Some((field, name)) => (Some(field.trim()), name.trim()),
                None => (None, pair),
            };
            let target = TARGETS
                .iter()
                .find(|(word, _)| word.eq_ignore_ascii_case(name));
            let (_, target) = target.ok_or_else(|| settings.wrong("spec", pair, allowed))?;
            match field {
                Some(field) => drop(fields.insert(field.to_owned(), *target)),
                None => whole = Some(*target),
            }
        }
        let spec = match whole {
            None => Spec::Fields(fields),
            Some(target) if fields.is_empty() => Spec::Whole(target),
            Some(_) => {
                let text = settings.text("spec").unwrap_or_default();
                return Err(settings.wrong("spec", text, allowed));
            }
        };
        Ok(Self {
            side,
            spec,
            replace: settings.replace_null()?,
            retyped: Retyped::default(),
        })
    }

    fn cast(&self, datum: Datum) -> Result<Datum, Failure> {
        let schema = datum.schema.clone();
        let retyped = match &schema {
            Some(schema) => Some(self.retyped.of(schema, |schema| self.retype(schema))?),
            None => None,
        };
        let value = match &self.spec {
            Spec::Whole(target) => cast(datum.value, schema.as_deref(), *target)?,
            Spec::Fields(targets) => {
                let members = require(datum, PURPOSE)?;
                let mut members = match schema.as_deref() {
                    Some(schema) => in_order(&members, schema, self.replace),
                    None => members,
                };
                for (name, target) in targets {
                    let known = schema
                        .as_deref()
                        .map(|schema| super::members::field(schema, name));
                    if known == Some(None) {
                        continue;
                    }
                    let value = get(&members, name).cloned().unwrap_or(Value::Null);
                    let field = known.flatten().map(|field| &*field.schema);
                    let value =
                        cast(value, field, *target).map_err(|failure| failure.of_field(name))?;
                    put(&mut members, name, value);
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
        let default = |schema: &Schema, target| match &schema.default {
            Some(default) => cast(default.clone(), Some(schema), target).map(Some),
            None => Ok(None),
        };
        let mut made = match &self.spec {
            Spec::Whole(target) => {
                let mut made = like(schema, target.kind());
                made.default = default(schema, *target)?;
                made
            }
            Spec::Fields(targets) => {
                let fields = super::members::fields_of(schema).iter().map(|field| {
                    let Some(target) = targets.get(&field.name) else {
                        return Ok(field.clone());
                    };
                    let mut made = Schema::of(target.kind());
                    made.optional = field.schema.optional;
                    made.default = default(&field.schema, *target)?;
                    Ok(Field {
                        name: field.name.clone(),
                        schema: Arc::new(made),
                    })
                });
                let fields = fields.collect::<Result<_, Failure>>()?;
                like(schema, Kind::Struct(fields))
            }
        };
        made.optional = schema.optional;
        Ok(made)
    }
}

impl Transform for Cast {
    fn apply(&self, record: ConnectRecord) -> Result<Option<ConnectRecord>, Failure> {
        if self.side.of(&record).value == Value::Null {
            return Ok(Some(record));
        }
        self.side.change(record, |datum| self.cast(datum))
    }
}

impl Target {
    fn kind(self) -> Kind {
        match self {
            Self::Int8 => Kind::Int8,
            Self::Int16 => Kind::Int16,
            Self::Int32 => Kind::Int32,
            Self::Int64 => Kind::Int64,
            Self::Float32 => Kind::Float32,
            Self::Float64 => Kind::Float64,
            Self::Boolean => Kind::Boolean,
            Self::String => Kind::String,
        }
    }
}

/// Casts one value as Java does: numbers lose what the narrower type can't hold, text must be a
/// number in range.
fn cast(value: Value, schema: Option<&Schema>, target: Target) -> Result<Value, Failure> {
    let text = match value {
        Value::Null => return Ok(Value::Null),
        other if target == Target::String => return to_text(&other, schema).map(Value::Text),
        Value::Text(text) => return from_text(&text, target),
        Value::Boolean(truth) => {
            return Ok(from_number(Number::Integer(i128::from(truth)), target));
        }
        Value::Integer(number) => Number::Integer(number),
        Value::Double(number) => Number::Double(number),
        Value::Decimal { unscaled, scale } => Number::Decimal(unscaled, scale),
        Value::Date(days) => Number::Integer(i128::from(days)),
        Value::Timestamp(us) => Number::Integer(i128::from(us.div_euclid(1_000))),
        other => {
            return Err(Failure::data(format!(
                "{} can't be cast to a number or boolean; numbers, booleans and text can",
                kind_of(&other)
            )));
        }
    };
    Ok(from_number(text, target))
}

#[derive(Debug, Clone, Copy)]
enum Number {
    Integer(i128),
    Double(f64),
    Decimal(i128, u8),
}

/// Java's narrowing: integers keep their low bits; a double is first cut off at the ends of 32 or
/// 64 bits.
#[expect(
    clippy::cast_possible_truncation,
    reason = "it is what the transform is asked for"
)]
#[expect(
    clippy::cast_precision_loss,
    reason = "it is what the transform is asked for"
)]
fn from_number(number: Number, target: Target) -> Value {
    let double = match number {
        Number::Integer(integer) => integer as f64,
        Number::Double(double) => double,
        Number::Decimal(unscaled, scale) => unscaled as f64 / 10_f64.powi(i32::from(scale)),
    };
    let (whole32, whole64) = match number {
        Number::Integer(integer) => (integer as i32, integer as i64),
        Number::Double(double) => (double as i32, double as i64),
        Number::Decimal(unscaled, scale) => {
            let whole = 10_i128
                .checked_pow(u32::from(scale))
                .map_or(0, |ten| unscaled / ten);
            (whole as i32, whole as i64)
        }
    };
    match target {
        Target::Int8 => Value::Integer(i128::from(whole32 as i8)),
        Target::Int16 => Value::Integer(i128::from(whole32 as i16)),
        Target::Int32 => Value::Integer(i128::from(whole32)),
        Target::Int64 => Value::Integer(i128::from(whole64)),
        Target::Float32 => Value::Double(f64::from(double as f32)),
        Target::Float64 => Value::Double(double),
        Target::Boolean => Value::Boolean(whole64 != 0),
        // Text has its own way.
        Target::String => Value::Text(number::double_text(double)),
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "it is what the transform is asked for"
)]
fn from_text(text: &str, target: Target) -> Result<Value, Failure> {
    let integer = |least, most| {
        number::integer(text, least, most).map(|number| Value::Integer(i128::from(number)))
    };
    let value = match target {
        Target::Int8 => integer(i8::MIN.into(), i8::MAX.into()),
        Target::Int16 => integer(i16::MIN.into(), i16::MAX.into()),
        Target::Int32 => integer(i32::MIN.into(), i32::MAX.into()),
        Target::Int64 => integer(i64::MIN, i64::MAX),
        Target::Float32 => {
            number::double(text).map(|number| Value::Double(f64::from(number as f32)))
        }
        Target::Float64 => number::double(text).map(Value::Double),
        Target::Boolean => Some(Value::Boolean(text.eq_ignore_ascii_case("true"))),
        Target::String => Some(Value::Text(text.to_owned())),
    };
    // The text is Connect's: people look for it.
    value.ok_or_else(|| {
        Failure::data(format!(
            "Value ({text}) was out of range for requested data type"
        ))
    })
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the schema says that it is one of 32 bits"
)]
fn to_text(value: &Value, schema: Option<&Schema>) -> Result<String, Failure> {
    let logical = schema.and_then(|schema| schema.name.as_deref());
    let short = schema.is_some_and(|schema| schema.kind == Kind::Float32);
    let printed = |pattern: &str, ms: i64| {
        let printed = DatePattern::parse(pattern)
            .ok()
            .and_then(|pattern| pattern.format(ms));
        printed.ok_or_else(|| Failure::data(format!("the moment `{ms}` is in no calendar")))
    };
    match value {
        Value::Text(text) => Ok(text.clone()),
        Value::Boolean(truth) => Ok(truth.to_string()),
        Value::Integer(ms) if logical == Some(TIME) => {
            printed("HH:mm:ss.SSS'Z'", i64::try_from(*ms).unwrap_or(i64::MAX))
        }
        Value::Integer(days) if logical == Some(DATE) => printed(
            "yyyy-MM-dd",
            i64::try_from(*days)
                .unwrap_or(i64::MAX)
                .saturating_mul(DAY_MS),
        ),
        Value::Integer(ms) if logical == Some(TIMESTAMP) => {
            printed(MOMENT, i64::try_from(*ms).unwrap_or(i64::MAX))
        }
        Value::Integer(number) => Ok(number.to_string()),
        Value::Double(number) if short => Ok(number::float_text(*number as f32)),
        Value::Double(number) => Ok(number::double_text(*number)),
        Value::Decimal { unscaled, scale } => Ok(decimal_text(*unscaled, *scale)),
        Value::Date(days) => printed("yyyy-MM-dd", i64::from(*days) * DAY_MS),
        Value::Timestamp(us) => printed(MOMENT, us.div_euclid(1_000)),
        Value::Binary(bytes) => Ok(base64(bytes)),
        Value::Raw(json) if json.starts_with(|c: char| c.is_ascii_digit() || c == '-') => {
            Ok(json.to_string())
        }
        Value::Null | Value::List(_) | Value::Object(_) | Value::Raw(_) => {
            Err(Failure::data(format!(
                "{} can't be cast to text; numbers, booleans, text and bytes can",
                kind_of(value)
            )))
        }
    }
}

const DAY_MS: i64 = 86_400_000;
const MOMENT: &str = "yyyy-MM-dd'T'HH:mm:ss.SSS'Z'";

/// All digits of an exact number, as many behind the point as its scale says.
fn decimal_text(unscaled: i128, scale: u8) -> String {
    let sign = if unscaled < 0 { "-" } else { "" };
    let scale = usize::from(scale);
    let digits = format!("{:0width$}", unscaled.unsigned_abs(), width = scale + 1);
    let (whole, behind) = digits.split_at(digits.len() - scale);
    let point = if behind.is_empty() { "" } else { "." };
    format!("{sign}{whole}{point}{behind}")
}

/// Base64 with padding, as in RFC 4648.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..4 {
            let digit = DIGITS
                .get((bits >> (18 - 6 * place) & 63) as usize)
                .copied();
            let filled = place <= chunk.len();
            out.push(digit.filter(|_| filled).map_or('=', char::from));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_base64_and_decimals_have_all_their_digits() {
        for (bytes, text) in [
            (&b""[..], ""),
            (b"f", "Zg=="),
            (b"fo", "Zm8="),
            (b"foo", "Zm9v"),
            (&[255, 254, 253, 0], "//79AA=="),
        ] {
            assert_eq!(base64(bytes), text);
        }
        assert_eq!(decimal_text(-5, 2), "-0.05");
        assert_eq!(decimal_text(1_234, 0), "1234");
        assert_eq!(decimal_text(i128::MIN, 1).len(), 41);
    }
}
