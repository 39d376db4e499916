//! A record as a line of NDJSON: everything that it is, and nothing that could be taken for
//! something else.
//!
//! `{"id", "replay", "topic", "partition", "offset", "timestamp", "key", "headers", "value"}`. A
//! value that is JSON without line breaks and without blanks around it stands there byte for byte,
//! other text as a string under `value_text`, other bytes as base64 under `value_base64`.
//! `"value": null` is a tombstone, and the text `null` is a `value_text`. A key is a string,
//! `key_base64` or null. A header is `{"name", "value"}` with the same three forms.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::de::IgnoredAny;
use serde_json::{Map, Value, json};

use super::packed::Packed;

/// Whether the bytes are one JSON text.
pub(super) fn is_json(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_ok() && serde_json::from_slice::<IgnoredAny>(bytes).is_ok()
}

/// What a record is besides its value; a `bare` one has neither headers nor where it is from.
pub(super) fn about(record: &Packed, bare: bool) -> Map<String, Value> {
    let mut line = Map::new();
    line.insert("id".to_owned(), json!(record.id));
    text("key", record.key.as_ref(), &mut line);
    if !bare {
        line.insert("replay".to_owned(), json!(record.replay));
        line.insert("topic".to_owned(), json!(record.topic));
        line.insert("partition".to_owned(), json!(record.partition));
        line.insert("offset".to_owned(), json!(record.offset));
        line.insert("timestamp".to_owned(), json!(record.timestamp_ms));
        let headers = record.headers.iter().map(|(name, value)| {
            let mut header = Map::new();
            header.insert("name".to_owned(), json!(name));
            text("value", value.as_ref(), &mut header);
            Value::Object(header)
        });
        line.insert("headers".to_owned(), headers.collect());
    }
    line
}

/// Writes a record and a line break; a `bare` one has neither headers nor where it is from.
pub(super) fn write(record: &Packed, bare: bool, into: &mut Vec<u8>) {
    let mut line = about(record, bare);
    let raw = record.value.as_ref().filter(|value| stands_as_it_is(value));
    match raw {
        Some(raw) => {
            let line = Value::Object(line).to_string();
            let open = line.strip_suffix('}').unwrap_or(&line);
            into.extend_from_slice(open.as_bytes());
            into.extend_from_slice(b",\"value\":");
            into.extend_from_slice(raw);
            into.push(b'}');
        }
        None => {
            match record.value.as_deref().map(std::str::from_utf8) {
                Some(Ok(value)) => line.insert("value_text".to_owned(), json!(value)),
                _ => {
                    text("value", record.value.as_ref(), &mut line);
                    None
                }
            };
            into.extend_from_slice(Value::Object(line).to_string().as_bytes());
        }
    }
    into.push(b'\n');
}

/// Whether a value can stand in a line so that its reader gets its very bytes.
fn stands_as_it_is(value: &[u8]) -> bool {
    is_json(value)
        && value != b"null"
        && value.trim_ascii().len() == value.len()
        && !value.iter().any(|byte| matches!(byte, b'\n' | b'\r'))
}

/// Bytes as a string, as base64 if they are no text, or null.
fn text(name: &str, bytes: Option<&Bytes>, into: &mut Map<String, Value>) {
    match bytes.map(|bytes| std::str::from_utf8(bytes).map_err(|_| bytes)) {
        None => into.insert(name.to_owned(), Value::Null),
        Some(Ok(text)) => into.insert(name.to_owned(), json!(text)),
        Some(Err(bytes)) => into.insert(format!("{name}_base64"), json!(STANDARD.encode(bytes))),
    };
}
