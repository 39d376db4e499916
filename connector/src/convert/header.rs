//! Headers as Connect's simple converter reads them, and other texts that say what they are.
//!
//! `true` and `false`, integers as wide as they must be, other numbers, days, times and moments as
//! Connect prints them, quoted text, lists in brackets, maps in braces; anything else is the text
//! that it is. It never fails.

use std::sync::Arc;

use eddy_engine::Value;
use eddy_engine::moment;

use crate::data::{DATE, Datum, Kind, Schema, TIME, TIMESTAMP};

/// Levels of lists and maps within each other; deeper ones are text.
const DEPTH_MOST: usize = 32;

/// What the header's bytes say.
pub fn simple(bytes: Option<&[u8]>) -> Datum {
    let Some(bytes) = bytes else {
        return Datum::null();
    };
    text(&String::from_utf8_lossy(bytes))
}

/// What a text says.
pub(crate) fn text(text: &str) -> Datum {
    read(text, 0).unwrap_or_else(|| of_text(text))
}

fn of_text(text: &str) -> Datum {
    of(Schema::of(Kind::String), Value::Text(text.to_owned()))
}

fn of(schema: Schema, value: Value) -> Datum {
    Datum {
        schema: Some(Arc::new(schema)),
        value,
    }
}

fn read(text: &str, depth: usize) -> Option<Datum> {
    let text = text.trim();
    if depth > DEPTH_MOST || text.is_empty() {
        return None;
    }
    if let Some(inner) = enclosed(text, '[', ']') {
        return list(inner, depth);
    }
    if let Some(inner) = enclosed(text, '{', '}') {
        return map(inner, depth);
    }
    if let Some(inner) = enclosed(text, '"', '"') {
        return quoted(inner).map(|text| of_text(&text));
    }
    match text {
        "null" => return Some(Datum::null()),
        "true" | "false" => {
            let value = Value::Boolean(text == "true");
            return Some(of(Schema::of(Kind::Boolean), value));
        }
        _ => {}
    }
    number(text).or_else(|| time(text))
}

fn enclosed(text: &str, open: char, close: char) -> Option<&str> {
    let inner = text.strip_prefix(open)?;
    inner.strip_suffix(close)
}

fn number(text: &str) -> Option<Datum> {
    let first = text.trim_start_matches(['+', '-']).chars().next()?;
    if !first.is_ascii_digit() && first != '.' {
        return None;
    }
    if let Ok(value) = text.parse::<i64>() {
        let kind = match value {
            -0x80..=0x7f => Kind::Int8,
            -0x8000..=0x7fff => Kind::Int16,
            -0x8000_0000..=0x7fff_ffff => Kind::Int32,
            _ => Kind::Int64,
        };
        return Some(of(Schema::of(kind), Value::Integer(value.into())));
    }
    let value = text.parse::<f64>().ok().filter(|value| value.is_finite())?;
    let kind = match f64::from(value as f32) == value {
        true => Kind::Float32,
        false => Kind::Float64,
    };
    Some(of(Schema::of(kind), Value::Double(value)))
}

/// Milliseconds and `Z` must be there, as Connect prints them.
fn time(text: &str) -> Option<Datum> {
    let named = |kind, name: &str| {
        let mut schema = Schema::of(kind).named(name);
        schema.version = Some(1);
        schema
    };
    let in_full = |text: &str| {
        let us = moment::parse_timestamp(text.as_bytes())?;
        (text.len() == "1970-01-01T00:00:00.000Z".len() && text.ends_with('Z')).then_some(us)
    };
    if let Some(days) = moment::parse_date(text.as_bytes()) {
        return Some(of(named(Kind::Int32, DATE), Value::Date(days)));
    }
    if text.len() == "00:00:00.000Z".len() {
        let us = in_full(&format!("1970-01-01T{text}"))?;
        let ms = Value::Integer(i128::from(us / 1_000));
        return Some(of(named(Kind::Int32, TIME), ms));
    }
    let us = in_full(text)?;
    Some(of(named(Kind::Int64, TIMESTAMP), Value::Timestamp(us)))
}

/// A text between quotes, with its escapes undone; `None` if it ends before.
fn quoted(inner: &str) -> Option<String> {
    let mut text = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => text.push(chars.next()?),
            '"' => return None,
            c => text.push(c),
        }
    }
    Some(text)
}

fn list(inner: &str, depth: usize) -> Option<Datum> {
    let elements = parts(inner, ',')?;
    let elements = elements.into_iter().map(|part| read(part, depth + 1));
    let elements = elements.collect::<Option<Vec<_>>>()?;
    let schema = same(elements.iter()).map(|schema| Schema::of(Kind::Array(schema)));
    let values = elements.into_iter().map(|element| element.value).collect();
    Some(Datum {
        schema: schema.map(Arc::new),
        value: Value::List(values),
    })
}

/// Pairs; with keys that are no text they stay pairs.
fn map(inner: &str, depth: usize) -> Option<Datum> {
    let mut pairs = Vec::new();
    for part in parts(inner, ',')? {
        let pair = parts(part, ':')?;
        let [key, value] = pair.as_slice() else {
            return None;
        };
        pairs.push((read(key, depth + 1)?, read(value, depth + 1)?));
    }
    let keys = same(pairs.iter().map(|(key, _)| key));
    let values = same(pairs.iter().map(|(_, value)| value));
    let schema = keys.zip(values);
    let schema = schema.map(|(keys, values)| Arc::new(Schema::of(Kind::Map(keys, values))));
    let texts = pairs
        .iter()
        .all(|(key, _)| matches!(key.value, Value::Text(_)));
    let value = match texts {
        true => Value::Object(
            pairs
                .into_iter()
                .filter_map(|(key, value)| match key.value {
                    Value::Text(key) => Some((key, value.value)),
                    _ => None,
                })
                .collect(),
        ),
        false => Value::List(
            pairs
                .into_iter()
                .map(|(key, value)| {
                    let key = ("key".to_owned(), key.value);
                    Value::Object(vec![key, ("value".to_owned(), value.value)])
                })
                .collect(),
        ),
    };
    Some(Datum { schema, value })
}

/// The one schema that all have.
fn same<'a>(mut data: impl Iterator<Item = &'a Datum>) -> Option<Arc<Schema>> {
    let first = data.next()?.schema.clone()?;
    data.all(|one| one.schema.as_ref() == Some(&first))
        .then_some(first)
}

/// What stands between the separators of this level; `None` where brackets don't match.
fn parts(text: &str, separator: char) -> Option<Vec<&str>> {
    let mut parts = Vec::new();
    let (mut begin, mut open, mut quotes, mut escaped) = (0, 0_usize, false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => quotes = !quotes,
            _ if quotes => {}
            '[' | '{' => open += 1,
            ']' | '}' => open = open.checked_sub(1)?,
            c if c == separator && open == 0 => {
                parts.push(text.get(begin..at)?);
                begin = at + c.len_utf8();
            }
            _ => {}
        }
    }
    if open > 0 || quotes {
        return None;
    }
    let last = text.get(begin..)?;
    if !parts.is_empty() || !last.trim().is_empty() {
        parts.push(last);
    }
    Some(parts)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;

    fn kind(text: &str) -> Kind {
        simple(Some(text.as_bytes())).schema.unwrap().kind.clone()
    }

    fn value(text: &str) -> Value {
        simple(Some(text.as_bytes())).value
    }

    #[test]
    fn text_says_what_it_is() {
        assert_eq!(kind("127"), Kind::Int8);
        assert_eq!(kind("-129"), Kind::Int16);
        assert_eq!(kind("40000"), Kind::Int32);
        assert_eq!(kind("4000000000"), Kind::Int64);
        assert_eq!(kind("1.5"), Kind::Float32);
        assert_eq!(kind("0.1"), Kind::Float64);
        assert_eq!(value("true"), Value::Boolean(true));
        assert_eq!(value("TRUE"), Value::Text("TRUE".to_owned()));
        assert_eq!(value("2026-11-23"), Value::Date(20_780));
        assert_eq!(value("1970-01-01T00:00:00.001Z"), Value::Timestamp(1_000));
        let time = simple(Some(b"00:00:01.500Z"));
        assert_eq!(time.value, Value::Integer(1_500));
        assert_eq!(time.schema.unwrap().name.as_deref(), Some(TIME));
        assert_eq!(value(r#""a \"b\"""#), Value::Text(r#"a "b""#.to_owned()));
        assert_eq!(simple(None), Datum::null());
        assert_eq!(value("null"), Value::Null);
    }

    #[test]
    fn lists_and_maps_hold_what_they_say() {
        let numbers = simple(Some(b"[1, 2 ,3]"));
        assert!(matches!(&numbers.schema.unwrap().kind, Kind::Array(of) if of.kind == Kind::Int8));
        let list = Value::List([1, 2, 3].map(Value::Integer).into());
        assert_eq!(numbers.value, list);
        let map = value(r#"{"a": [1], "b:c": {}}"#);
        let Value::Object(members) = map else {
            panic!("{map:?}")
        };
        assert_eq!(members[1].0, "b:c");
        assert!(matches!(value("{1: 2}"), Value::List(_)));
        assert_eq!(value("[]"), Value::List(Vec::new()));
    }

    #[test]
    fn anything_else_is_the_text_that_it_is() {
        for text in [
            "2026-11-23T10:00:00Z",
            "00:00:01Z",
            "",
            "hello",
            "[1",
            "{a}",
            "1.2.3",
            "\"open",
            "-",
            "[1]]",
            "NaN",
            "0x1f",
        ] {
            assert_eq!(value(text), Value::Text(text.to_owned()));
        }
        let deep = "[".repeat(10_000);
        assert_eq!(value(&deep), Value::Text(deep.clone()));
    }
}
