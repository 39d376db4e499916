//! A text as the value that it looks like, as Connect reads the values of headers.

use std::sync::Arc;

use eddy_engine::Value;

use super::java::{DatePattern, number};
use crate::data::{DATE, Datum, Kind, Schema, TIME, TIMESTAMP};

/// The value: null, a boolean, the narrowest number, a day, a time, a moment, a list or an object;
/// anything else is text.
pub(crate) fn parse(text: &str) -> Datum {
    let plain = text.trim();
    if plain == "null" {
        return Datum::null();
    }
    if let Some(datum) = scalar(plain) {
        return datum;
    }
    if let Some(quoted) = plain
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
    {
        let unescaped = quoted.replace("\\\"", "\"").replace("\\\\", "\\");
        return typed(Kind::String, None, Value::Text(unescaped));
    }
    if plain.starts_with(['[', '{'])
        && let Some(value @ (Value::List(_) | Value::Object(_))) = Value::parse(plain.as_bytes())
    {
        return Datum::schemaless(value);
    }
    typed(Kind::String, None, Value::Text(text.to_owned()))
}

fn scalar(text: &str) -> Option<Datum> {
    match text {
        "true" => return Some(typed(Kind::Boolean, None, Value::Boolean(true))),
        "false" => return Some(typed(Kind::Boolean, None, Value::Boolean(false))),
        _ => {}
    }
    if let Some(integer) = number::integer(text, i64::MIN, i64::MAX) {
        let kind = if i8::try_from(integer).is_ok() {
            Kind::Int8
        } else if i16::try_from(integer).is_ok() {
            Kind::Int16
        } else if i32::try_from(integer).is_ok() {
            Kind::Int32
        } else {
            Kind::Int64
        };
        return Some(typed(kind, None, Value::Integer(i128::from(integer))));
    }
    let numeric = text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.'))
        && text.ends_with(|c: char| c.is_ascii_digit() || c == '.');
    if let Some(double) = number::double(text).filter(|_| numeric) {
        return Some(typed(Kind::Float64, None, Value::Double(double)));
    }
    moment(text)
}

/// ISO 8601 with milliseconds and `Z`, as Connect prints it.
fn moment(text: &str) -> Option<Datum> {
    let read = |pattern: &str| {
        let pattern = DatePattern::parse(pattern).ok()?;
        let ms = pattern.read(text)?;
        (pattern.format(ms)? == text).then_some(ms)
    };
    if let Some(ms) = read("yyyy-MM-dd") {
        let days = i32::try_from(ms.div_euclid(86_400_000)).ok()?;
        return Some(typed(Kind::Int32, Some(DATE), Value::Date(days)));
    }
    if let Some(ms) = read("HH:mm:ss.SSS'Z'") {
        return Some(typed(
            Kind::Int32,
            Some(TIME),
            Value::Integer(i128::from(ms)),
        ));
    }
    let ms = read("yyyy-MM-dd'T'HH:mm:ss.SSS'Z'")?;
    Some(typed(
        Kind::Int64,
        Some(TIMESTAMP),
        Value::Timestamp(ms.checked_mul(1_000)?),
    ))
}

fn typed(kind: Kind, name: Option<&str>, value: Value) -> Datum {
    let mut schema = Schema::of(kind);
    schema.name = name.map(str::to_owned);
    schema.version = name.map(|_| 1);
    Datum {
        schema: Some(Arc::new(schema)),
        value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_the_value_that_it_looks_like() {
        for (text, kind, value) in [
            ("true", Some(Kind::Boolean), Value::Boolean(true)),
            ("1", Some(Kind::Int8), Value::Integer(1)),
            ("-300", Some(Kind::Int16), Value::Integer(-300)),
            ("70000", Some(Kind::Int32), Value::Integer(70_000)),
            (
                "5000000000",
                Some(Kind::Int64),
                Value::Integer(5_000_000_000),
            ),
            ("1.5", Some(Kind::Float64), Value::Double(1.5)),
            ("2024-05-06", Some(Kind::Int32), Value::Date(19_849)),
            ("00:00:01.500Z", Some(Kind::Int32), Value::Integer(1_500)),
            (
                "1970-01-01T00:00:00.001Z",
                Some(Kind::Int64),
                Value::Timestamp(1_000),
            ),
            ("\"1\"", Some(Kind::String), Value::Text("1".into())),
            (
                "plain text",
                Some(Kind::String),
                Value::Text("plain text".into()),
            ),
            ("NaN", Some(Kind::String), Value::Text("NaN".into())),
            ("[1]", None, Value::List(vec![Value::Integer(1)])),
            ("[1", Some(Kind::String), Value::Text("[1".into())),
            ("null", None, Value::Null),
        ] {
            let datum = parse(text);
            assert_eq!(
                datum.schema.map(|schema| schema.kind.clone()),
                kind,
                "{text}"
            );
            assert_eq!(datum.value, value, "{text}");
        }
    }
}
