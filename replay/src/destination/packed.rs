//! A record that waits for its turn: its own copy of everything, since the rows are gone by then.

use bytes::Bytes;
use ring::digest;

use super::Outgoing;

/// A copied record. Null and empty stay different (E7).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Packed {
    /// [`super::Origin::id`].
    pub(super) id: String,
    /// The replay's id.
    pub(super) replay: String,
    /// The source topic.
    pub(super) topic: String,
    /// The source partition.
    pub(super) partition: i32,
    /// The source offset.
    pub(super) offset: i64,
    /// Milliseconds since the Unix epoch.
    pub(super) timestamp_ms: Option<i64>,
    /// The key's bytes.
    pub(super) key: Option<Bytes>,
    /// The value's bytes; `None` is a tombstone.
    pub(super) value: Option<Bytes>,
    /// The headers in order, duplicates kept.
    pub(super) headers: Vec<(String, Option<Bytes>)>,
}

impl Packed {
    /// Copies a record.
    pub(super) fn new(record: &Outgoing<'_>) -> Self {
        let headers = record.headers.iter();
        Self {
            id: record.origin.id(),
            replay: record.origin.replay.to_owned(),
            topic: record.origin.topic.to_owned(),
            partition: record.origin.partition,
            offset: record.origin.offset,
            timestamp_ms: record.timestamp_ms,
            key: record.key.map(Bytes::copy_from_slice),
            value: record.value.map(Bytes::copy_from_slice),
            headers: headers
                .map(|header| {
                    (
                        header.name.to_owned(),
                        header.value.map(Bytes::copy_from_slice),
                    )
                })
                .collect(),
        }
    }

    /// `topic:partition:offset`.
    pub(super) fn place(&self) -> String {
        format!("{}:{}:{}", self.topic, self.partition, self.offset)
    }

    /// Bytes of key, value and headers.
    pub(super) fn bytes(&self) -> usize {
        let len = |bytes: &Option<Bytes>| bytes.as_ref().map_or(0, Bytes::len);
        let headers = self.headers.iter();
        let headers: usize = headers.map(|(name, value)| name.len() + len(value)).sum();
        len(&self.key) + len(&self.value) + headers
    }
}

/// A digest of the records' ids, in order: 64 hexadecimal digits.
pub(super) fn digest_of(records: &[Packed]) -> String {
    digest_of_ids(records.iter().map(|record| record.id.as_str()))
}

/// The same of ids.
pub(super) fn digest_of_ids<'a>(ids: impl IntoIterator<Item = &'a str>) -> String {
    let mut digest = digest::Context::new(&digest::SHA256);
    for id in ids {
        digest.update(id.as_bytes());
        digest.update(b"\n");
    }
    let digest = digest.finish();
    let hexadecimal = digest.as_ref().iter().map(|byte| format!("{byte:02x}"));
    hexadecimal.collect()
}
