//! A message: the routing key, the properties and the body that a record becomes.
//!
//! The body is the value, byte for byte, and empty for null. What else belongs to the record:
//!
//! | property | what |
//! |---|---|
//! | `message-id` | `replay:topic id:partition:offset`, the same whenever the record is sent |
//! | `timestamp` | the record's, in whole seconds |
//! | `content-type` | `application/json` or `application/octet-stream`, unless an option sets it |
//! | `delivery-mode` | 2 (persistent), unless an option says otherwise |
//!
//! | header | what |
//! |---|---|
//! | `eddy-replay-id` | the replay |
//! | `eddy-source` | `topic:partition:offset` |
//! | `eddy-source-timestamp` | milliseconds since the Unix epoch |
//! | `eddy-key` | the key; left out when it is null |
//! | `eddy-headers` | the headers in order: an array of tables with `name` and `value` |
//! | `eddy-tombstone` | `true` when the value is null |
//! | the headers' own names | the last value of each name |
//!
//! Bytes that are UTF-8 are a string, other bytes a byte array, null is void. A header that has no
//! name, one of more than 255 bytes, one of ours or one that means something to RabbitMQ itself
//! stands in `eddy-headers` only.

use lapin::BasicProperties;
use lapin::types::{AMQPValue, ByteArray, FieldArray, FieldTable, LongString};

use super::super::line;
use super::super::packed::{Packed, digest_of_ids};
use super::settings::{SHORT_MAX, Settings, short};
use crate::error::{Error, Result};

/// A message that can be sent again as it is.
#[derive(Debug)]
pub(super) struct Letter<'a> {
    pub(super) id: String,
    pub(super) routing_key: String,
    pub(super) properties: BasicProperties,
    pub(super) body: &'a [u8],
}

/// Headers that make RabbitMQ route a message elsewhere, or take it for a dead letter.
const MEANT: [&str; 3] = ["CC", "BCC", "x-death"];
/// What properties and headers may take together: all of them have to be in one frame, which is
/// of 128 KiB unless the broker is set otherwise.
const PROPERTY_BYTES_MAX: usize = 120 << 10;

impl<'a> Letter<'a> {
    /// The message of a record.
    ///
    /// # Errors
    /// `Rejected` when it can't be one.
    pub(super) fn of(record: &'a Packed, settings: &Settings) -> Result<Self> {
        let text = |bytes: &[u8]| {
            let text = std::str::from_utf8(bytes);
            text.map(str::to_owned)
                .map_err(|_| Error::rejected("its key, as a part of the routing key, is no text"))
        };
        let routing_key = settings.routing_key.fill("the routing key", record, text)?;
        if routing_key.len() > SHORT_MAX {
            return Err(Error::rejected(format!(
                "its routing key has {} bytes, and AMQP takes {SHORT_MAX}",
                routing_key.len()
            )));
        }
        let headers = headers(record, settings);
        let bytes: usize = headers
            .inner()
            .iter()
            .map(|(name, value)| name.as_str().len() + 2 + size(value))
            .sum();
        if bytes > PROPERTY_BYTES_MAX {
            return Err(Error::rejected(format!(
                "its key and headers take {bytes} bytes, and RabbitMQ takes \
                 {PROPERTY_BYTES_MAX}"
            )));
        }
        let id = match record.id.len() {
            ..=SHORT_MAX => record.id.clone(),
            _ => digest_of_ids([record.id.as_str()]),
        };
        let body = record.value.as_deref().unwrap_or_default();
        let mut properties = settings.properties.clone().with_headers(headers);
        if let Some(id) = short(&id) {
            properties = properties.with_message_id(id);
        }
        let seconds = record.timestamp_ms.map(|ms| ms.div_euclid(1_000));
        if let Some(seconds) = seconds.and_then(|seconds| u64::try_from(seconds).ok()) {
            properties = properties.with_timestamp(seconds);
        }
        if properties.content_type().is_none() {
            let kind = if line::is_json(body) {
                "application/json"
            } else {
                "application/octet-stream"
            };
            properties = properties.with_content_type(kind.into());
        }
        Ok(Self {
            id,
            routing_key,
            properties,
            body,
        })
    }
}

fn headers(record: &Packed, settings: &Settings) -> FieldTable {
    let mut table = FieldTable::default();
    let mut add = |name: &str, value: AMQPValue| {
        if let Some(name) = short(name) {
            table.insert(name, value);
        }
    };
    if !settings.bare {
        for (name, bytes) in &record.headers {
            let ours = name.starts_with("eddy-") || MEANT.contains(&name.as_str());
            if !ours && !name.is_empty() {
                add(name, value(bytes.as_deref()));
            }
        }
    }
    for (name, text) in &settings.headers {
        add(name, string(text));
    }
    if let Some(key) = &record.key {
        add("eddy-key", value(Some(key)));
    }
    if record.value.is_none() {
        add("eddy-tombstone", AMQPValue::Boolean(true));
    }
    if settings.bare {
        return table;
    }
    add("eddy-replay-id", string(&record.replay));
    add("eddy-source", string(&record.place()));
    if let Some(ms) = record.timestamp_ms {
        add("eddy-source-timestamp", AMQPValue::LongLongInt(ms));
    }
    if !record.headers.is_empty() {
        let headers = record.headers.iter().map(|(name, bytes)| {
            let mut pair = FieldTable::default();
            pair.insert("name".into(), string(name));
            pair.insert("value".into(), value(bytes.as_deref()));
            AMQPValue::FieldTable(pair)
        });
        let headers: Vec<AMQPValue> = headers.collect();
        add(
            "eddy-headers",
            AMQPValue::FieldArray(FieldArray::from(headers)),
        );
    }
    table
}

fn string(text: &str) -> AMQPValue {
    AMQPValue::LongString(LongString::from(text))
}

fn value(bytes: Option<&[u8]>) -> AMQPValue {
    match bytes.map(|bytes| std::str::from_utf8(bytes).map_err(|_| bytes)) {
        None => AMQPValue::Void,
        Some(Ok(text)) => string(text),
        Some(Err(bytes)) => AMQPValue::ByteArray(ByteArray::from(bytes)),
    }
}

/// Bytes that a value takes in a frame, with its type.
fn size(value: &AMQPValue) -> usize {
    let inner = match value {
        AMQPValue::LongString(text) => 4 + text.as_bytes().len(),
        AMQPValue::ByteArray(bytes) => 4 + bytes.as_slice().len(),
        AMQPValue::FieldArray(values) => 4 + values.as_slice().iter().map(size).sum::<usize>(),
        AMQPValue::FieldTable(table) => {
            let pairs = table.inner().iter();
            let pairs = pairs.map(|(name, value)| 1 + name.as_str().len() + size(value));
            4 + pairs.sum::<usize>()
        }
        // The largest of the others.
        _ => 8,
    };
    1 + inner
}
