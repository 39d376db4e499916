//! A request: the URL, the headers and the body that a record, or a batch of them, becomes.
//!
//! One record a request: the body is the value, byte for byte. What else belongs to the record
//! stands in headers, in which everything but letters, digits and `-_.~` is percent-encoded:
//!
//! | header | what |
//! |---|---|
//! | `Idempotency-Key` | `replay:topic id:partition:offset`, the same whenever the record is sent |
//! | `Eddy-Replay-Id` | the replay |
//! | `Eddy-Source` | `topic:partition:offset` |
//! | `Eddy-Source-Timestamp` | milliseconds since the Unix epoch |
//! | `Eddy-Key` | the key; left out when it is null |
//! | `Eddy-Header` | `name=value`, one for each header, in order; `name` alone when it is null |
//! | `Eddy-Tombstone` | `true` when the value is null, and then the body is empty |
//!
//! A batch is NDJSON, and each line has all of it, its own key too. The batch's `Idempotency-Key`
//! is a digest of theirs: a batch that is sent again has it again, other lines never have it.

use bytes::Bytes;
use reqwest_tls::Url;
use reqwest_tls::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};

use super::super::packed::{Packed, digest_of};
use super::super::{line, percent};
use super::settings::Settings;
use crate::error::{Error, Result};

/// A request that can be sent again as it is.
#[derive(Debug)]
pub(super) struct Letter {
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// The header by which the other side knows what it has already.
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

impl Letter {
    /// A record alone.
    ///
    /// # Errors
    /// `Rejected` when it can't be a request.
    pub(super) fn of(record: &Packed, settings: &Settings) -> Result<Self> {
        let mut headers = settings.headers.clone();
        let mut add = |name: &'static str, value: &str| {
            let value = HeaderValue::from_str(value).map_err(|_| unfit())?;
            let added = headers.try_append(HeaderName::from_static(name), value);
            added.map(|_| ()).map_err(|_| unfit())
        };
        add("idempotency-key", &record.id)?;
        if let Some(key) = &record.key {
            add("eddy-key", &percent::encoded_bytes(key))?;
        }
        if record.value.is_none() {
            add("eddy-tombstone", "true")?;
        }
        if !settings.bare {
            add("eddy-replay-id", &percent::encoded(&record.replay))?;
            add("eddy-source", &source(record))?;
            if let Some(timestamp) = record.timestamp_ms {
                add("eddy-source-timestamp", &timestamp.to_string())?;
            }
            for (name, value) in &record.headers {
                let name = percent::encoded(name);
                let value = value.as_ref().map(|value| percent::encoded_bytes(value));
                match value {
                    Some(value) => add("eddy-header", &format!("{name}={value}"))?,
                    None => add("eddy-header", &name)?,
                }
            }
        }
        let body = record.value.clone().unwrap_or_default();
        if !headers.contains_key(CONTENT_TYPE) {
            let is_json = line::is_json(&body);
            let kind = if is_json {
                "application/json"
            } else {
                "application/octet-stream"
            };
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        }
        let url = settings.url.fill(record)?;
        Ok(Self { url, headers, body })
    }

    /// A batch; its records' URL is one.
    ///
    /// # Errors
    /// `Rejected` when it can't be a request.
    pub(super) fn of_batch(records: &[Packed], settings: &Settings) -> Result<Self> {
        let Some(first) = records.first() else {
            return Err(Error::internal("a batch has no records"));
        };
        let mut headers = settings.headers.clone();
        let key = HeaderValue::from_str(&digest_of(records)).map_err(|_| unfit())?;
        headers.insert(IDEMPOTENCY_KEY, key);
        let kind = HeaderValue::from_static("application/x-ndjson");
        headers.entry(CONTENT_TYPE).or_insert(kind);
        let mut body = Vec::new();
        for record in records {
            line::write(record, settings.bare, &mut body);
        }
        Ok(Self {
            url: settings.url.fill(first)?,
            headers,
            body: body.into(),
        })
    }
}

/// `topic:partition:offset`; Kafka's topics have letters that need no encoding.
fn source(record: &Packed) -> String {
    let topic = percent::encoded(&record.topic);
    format!("{topic}:{}:{}", record.partition, record.offset)
}

fn unfit() -> Error {
    Error::rejected("it doesn't fit into the headers of a request")
}
