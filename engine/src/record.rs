//! A Kafka record as the engine sees it, and where it stands in its topic.

use std::fmt;
use std::sync::Arc;

use crate::value::Value;

/// One record, borrowed from the consumer's buffer. Null and empty stay different (E7).
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    /// The Kafka partition.
    pub partition: i32,
    /// The offset within the partition.
    pub offset: i64,
    /// Milliseconds since the Unix epoch; `None` when the record has no timestamp.
    pub timestamp_ms: Option<i64>,
    /// Who set the timestamp.
    pub timestamp_type: TimestampType,
    /// The key's bytes; `None` is a null key.
    pub key: Option<&'a [u8]>,
    /// The value's bytes; `None` is a tombstone.
    pub value: Option<&'a [u8]>,
    /// The headers in order, duplicates kept.
    pub headers: &'a [Header<'a>],
    /// What a converter knows beside the payload; nothing of a record that nobody decoded.
    pub decoded: Decoded<'a>,
}

impl Record<'_> {
    /// Microseconds since the Unix epoch; `None` when the record has no timestamp, or one so far
    /// away that microseconds can't hold it: nanoseconds, say, that a producer took for
    /// milliseconds. No other time may stand for it (E7).
    pub(crate) fn timestamp_us(&self) -> Option<i64> {
        self.timestamp_ms?.checked_mul(1_000)
    }

    /// What `_error` says of a timestamp that microseconds can't hold, beside the `error` that the
    /// record has anyway; `None` when they can.
    pub(crate) fn untimely(&self, error: Option<&str>) -> Option<String> {
        let ms = self
            .timestamp_ms
            .filter(|_| self.timestamp_us().is_none())?;
        let also = error.map(|error| format!("; {error}")).unwrap_or_default();
        Some(format!(
            "timestamp: {ms} milliseconds are beyond what `_timestamp` holds{also}"
        ))
    }
}

/// What a converter knows of a record beside its payload.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Decoded<'a> {
    /// The registry's id of the key's schema.
    pub key_schema_id: Option<i32>,
    /// The registry's id of the value's schema.
    pub value_schema_id: Option<i32>,
    /// The key. An object has its fields in `_key_fields`, anything else its bytes alone.
    pub key: Option<&'a Value>,
    /// The value as it came, if that is Avro and nothing was changed: for files of Avro.
    pub value_avro: Option<Avro<'a>>,
    /// The schema of a key that is Avro of `key_schema_id`: for files of Avro.
    pub key_avro: Option<&'a Arc<str>>,
}

/// Bytes of Avro.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Avro<'a> {
    /// Their schema, as JSON that needs no other.
    pub schema: &'a Arc<str>,
    /// Nothing but the value.
    pub bytes: &'a [u8],
}

/// One header of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header<'a> {
    /// The header's name.
    pub name: &'a str,
    /// The header's bytes; `None` is a null value.
    pub value: Option<&'a [u8]>,
}

/// Who set a record's timestamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimestampType {
    /// The record has no timestamp.
    None,
    /// The producer.
    Create,
    /// The broker, when it appended the record.
    Append,
}

impl TimestampType {
    /// The text stored in `_timestamp_type`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Create => "create",
            Self::Append => "append",
        }
    }
}

/// Kafka's id of a topic (KIP-516), in the base64 form that Kafka's tools print. It changes when a
/// topic is deleted and made again under the same name (P1). Cheap to clone: every position has it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicId(Arc<str>);

impl TopicId {
    /// Takes the text form.
    pub fn new(id: impl Into<String>) -> Self {
        Self(id.into().into())
    }

    /// The text form.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TopicId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A table's position in one Kafka partition (P2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// The next offset to read: everything below it is accounted (E1).
    pub offset: i64,
    /// Raised whenever the position moves other than forward by a commit (E3).
    pub epoch: i64,
    /// The broker's leader epoch of the last accounted record, where it is known.
    pub leader_epoch: Option<i32>,
}
