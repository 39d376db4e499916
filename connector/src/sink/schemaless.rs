//! The seam between bytes and Connect's data: a record decoded for transforms, and what they made
//! of it as columns take it.
//!
//! `auto` takes what begins like a JSON object for one, other JSON for what it is, and the rest for
//! text or bytes; `json` takes every value for JSON. Keys are never a failure, headers are what
//! they look like, as under Connect's own converter for them.

use eddy_engine::shred::Converter;
use eddy_engine::{Header, Record, Value, moment};

use crate::data::{ConnectRecord, Datum, Kind, Schema, TIME};
use crate::sink::errant::{Errant, Stage};
use crate::transform::header_literal;

/// The class that Connect's users know for JSON.
const JSON: &str = "org.apache.kafka.connect.json.JsonConverter";

/// The record as transforms take it.
pub(super) fn decode(
    topic: &str,
    record: &Record<'_>,
    converter: Converter,
) -> Result<ConnectRecord, Errant> {
    Ok(ConnectRecord {
        topic: topic.to_owned(),
        partition: Some(record.partition),
        offset: record.offset,
        timestamp_ms: record.timestamp_ms,
        key: Datum::schemaless(record.key.map_or(Value::Null, lenient)),
        value: Datum::schemaless(value(record.value, converter)?),
        headers: record.headers.iter().map(header).collect(),
    })
}

/// The record's value.
pub(super) fn value(bytes: Option<&[u8]>, converter: Converter) -> Result<Value, Errant> {
    let Some(bytes) = bytes else {
        return Ok(Value::Null);
    };
    if converter == Converter::Auto && !begins_like_an_object(bytes) {
        return Ok(lenient(bytes));
    }
    Value::parse(bytes).ok_or_else(|| Errant {
        stage: Stage::ValueConverter,
        class: JSON.to_owned(),
        alias: None,
        exception: "org.apache.kafka.connect.errors.DataException",
        // Connect's own words, as people look for them.
        message: "Converting byte[] to Kafka Connect data failed due to serialization error: "
            .to_owned(),
        text: "the value is no JSON; repair what writes it, or set another `value.converter`"
            .to_owned(),
    })
}

/// What columns take of what transforms left: what neither JSON nor a column has is text.
pub(super) fn landing(datum: Datum) -> Value {
    match &datum.schema {
        Some(schema) => by_schema(datum.value, schema),
        None => datum.value,
    }
}

fn by_schema(value: Value, schema: &Schema) -> Value {
    match (value, &schema.kind) {
        (Value::Integer(ms), _) if schema.name.as_deref() == Some(TIME) => time(ms),
        (Value::Object(members), Kind::Struct(fields)) => {
            let of = |name: &str| fields.iter().find(|field| field.name == name);
            let landed = members.into_iter().map(|(name, value)| match of(&name) {
                Some(field) => {
                    let value = by_schema(value, &field.schema);
                    (name, value)
                }
                None => (name, value),
            });
            Value::Object(landed.collect())
        }
        (Value::Object(members), Kind::Map(_, inner)) => {
            let members = members.into_iter();
            Value::Object(
                members
                    .map(|(key, value)| (key, by_schema(value, inner)))
                    .collect(),
            )
        }
        (Value::List(elements), Kind::Array(inner)) => Value::List(
            elements
                .into_iter()
                .map(|one| by_schema(one, inner))
                .collect(),
        ),
        (value, _) => value,
    }
}

/// A time of day in milliseconds as ISO 8601 writes it.
fn time(ms: i128) -> Value {
    let day_us = i64::try_from(ms.rem_euclid(86_400_000)).unwrap_or(0) * 1_000;
    let text = moment::timestamp(day_us);
    let time = text.split_once('T').map_or(text.as_str(), |(_, time)| time);
    Value::Text(time.trim_end_matches('Z').to_owned())
}

fn begins_like_an_object(bytes: &[u8]) -> bool {
    bytes.trim_ascii_start().starts_with(b"{")
}

fn lenient(bytes: &[u8]) -> Value {
    if let Some(value) = Value::parse(bytes) {
        return value;
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => Value::Text(text.to_owned()),
        Err(_) => Value::Binary(bytes.to_vec()),
    }
}

fn header(header: &Header<'_>) -> (String, Datum) {
    let datum = match header.value.map(std::str::from_utf8) {
        None => Datum::null(),
        Some(Ok(text)) => header_literal(text),
        Some(Err(_)) => Datum::schemaless(Value::Binary(header.value.unwrap_or_default().to_vec())),
    };
    (header.name.to_owned(), datum)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;

    use super::*;
    use crate::data::Field;

    #[test]
    fn values_are_what_their_converter_takes_them_for() {
        let text = |text: &str| Value::Text(text.to_owned());
        for (bytes, auto, json) in [
            (
                &b"{\"a\":1}"[..],
                Some(Value::parse(b"{\"a\":1}").unwrap()),
                true,
            ),
            (b" {broken", None, false),
            (b"plain", Some(text("plain")), false),
            (b"7", Some(Value::Integer(7)), true),
            (b"", Some(text("")), false),
            (&[0xff, 0], Some(Value::Binary(vec![0xff, 0])), false),
        ] {
            assert_eq!(value(Some(bytes), Converter::Auto).ok(), auto);
            assert_eq!(value(Some(bytes), Converter::Json).is_ok(), json);
        }
        assert_eq!(value(None, Converter::Json).unwrap(), Value::Null);
    }

    #[test]
    fn a_time_of_day_lands_as_text_wherever_it_is() {
        let time = Arc::new(Schema::of(Kind::Int32).named(TIME));
        let list = Schema::of(Kind::Array(Arc::clone(&time)));
        let schema = Schema::of(Kind::Struct(vec![Field {
            name: "t".to_owned(),
            schema: Arc::new(list),
        }]));
        let landed = landing(Datum {
            schema: Some(Arc::new(schema)),
            value: Value::parse(br#"{"t":[25689045],"n":1}"#).unwrap(),
        });
        let Value::Object(members) = landed else {
            unreachable!("an object stays one");
        };
        let times = members.first().map(|(_, value)| value.clone()).unwrap();
        let Value::List(times) = times else {
            unreachable!("a list stays one");
        };
        assert!(
            matches!(times.first(), Some(Value::Text(time)) if time.starts_with("07:08:09.045"))
        );
    }
}
