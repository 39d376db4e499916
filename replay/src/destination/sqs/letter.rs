//! A message of SQS: the body, the attributes and the ids that a record becomes.
//!
//! A body has to be text without most control characters, and can't be empty:
//!
//! | value | body | attribute `eddy-body` |
//! |---|---|---|
//! | such text | the value, byte for byte | none |
//! | other bytes | the value in base64 | `base64` |
//! | empty | `-` | `empty` |
//! | null | `-` | `null` |
//!
//! | attribute | what |
//! |---|---|
//! | `eddy-id` | `replay:topic id:partition:offset`, the same whenever the record is sent |
//! | `eddy-source` | `topic:partition:offset` |
//! | `eddy-record` | JSON of all but the value: key, headers in order, time; see `line` |
//! | `eddy-key` | the key, where it is such text and not empty |
//! | those of the options | as they stand there |
//! | the headers' own names | the last value of each name, as many as there is room for |
//!
//! There is room for ten attributes. A header whose name or value no attribute can have, and those
//! for which no room is left, stand in `eddy-record` only.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::super::packed::{Packed, digest_of_ids};
use super::super::{line, percent};
use super::settings::Settings;
use crate::error::{Error, Result};

/// The most attributes of a message.
pub(super) const ATTRIBUTES_MAX: usize = 10;
/// How many of them are ours at most.
pub(super) const OURS_MAX: usize = 5;
/// What the names of ours begin with.
pub(super) const PREFIX: &str = "eddy-";
/// The most letters of an attribute's name.
const NAME_MAX: usize = 256;
/// The most letters of a group and of a deduplication id.
const ID_MAX: usize = 128;

/// A message that can be sent again as it is.
#[derive(Debug)]
pub(super) struct Letter {
    /// All of it but its number in a request.
    entry: Map<String, Value>,
    /// Bytes of body and attributes, as SQS counts them.
    pub(super) bytes: usize,
}

impl Letter {
    /// The message of a record; SQS takes `most` bytes in one.
    ///
    /// # Errors
    /// `Rejected` when it can't be one.
    pub(super) fn of(record: &Packed, settings: &Settings, most: usize) -> Result<Self> {
        let (body, form) = body(record.value.as_deref());
        let attributes = attributes(record, settings, form);
        let texts = attributes.iter();
        let texts = texts.map(|(name, value)| name.len() + TYPE.len() + value.len());
        let bytes = body.len() + texts.sum::<usize>();
        if bytes > most {
            return Err(Error::rejected(format!(
                "it is a message of {bytes} bytes, and the queue takes {most}"
            )));
        }
        let mut entry = Map::new();
        entry.insert("MessageBody".to_owned(), json!(body));
        let attributes = attributes.into_iter();
        let attributes: Map<String, Value> = attributes
            .map(|(name, value)| (name, json!({"DataType": TYPE, "StringValue": value})))
            .collect();
        entry.insert("MessageAttributes".to_owned(), Value::Object(attributes));
        if settings.queue.fifo {
            let id = id(&record.id);
            entry.insert("MessageDeduplicationId".to_owned(), json!(id));
            let group = group(record, settings)?;
            entry.insert("MessageGroupId".to_owned(), json!(group));
        }
        Ok(Self { entry, bytes })
    }

    /// The message as the entry `number` of a request.
    pub(super) fn entry(&self, number: usize) -> Value {
        let mut entry = self.entry.clone();
        entry.insert("Id".to_owned(), json!(number.to_string()));
        Value::Object(entry)
    }
}

/// The type of all attributes.
const TYPE: &str = "String";

fn body(value: Option<&[u8]>) -> (String, Option<&'static str>) {
    match value.map(|bytes| std::str::from_utf8(bytes).map_err(|_| bytes)) {
        None => ("-".to_owned(), Some("null")),
        Some(Ok("")) => ("-".to_owned(), Some("empty")),
        Some(Ok(text)) if is_text(text) => (text.to_owned(), None),
        Some(Ok(text)) => (STANDARD.encode(text), Some("base64")),
        Some(Err(bytes)) => (STANDARD.encode(bytes), Some("base64")),
    }
}

fn attributes(record: &Packed, settings: &Settings, form: Option<&str>) -> Vec<(String, String)> {
    let mut attributes = vec![("eddy-id".to_owned(), record.id.clone())];
    let mut add = |name: &str, value: &str| attributes.push((name.to_owned(), value.to_owned()));
    let about = Value::Object(line::about(record, settings.bare)).to_string();
    // The two that JSON leaves as they are and SQS refuses can only stand in strings.
    let about = about
        .replace('\u{fffe}', "\\ufffe")
        .replace('\u{ffff}', "\\uffff");
    add("eddy-record", &about);
    if let Some(form) = form {
        add("eddy-body", form);
    }
    let key = record.key.as_deref().map(std::str::from_utf8);
    if let Some(Ok(key)) = key
        && is_text(key)
    {
        add("eddy-key", key);
    }
    if !settings.bare {
        add("eddy-source", &record.place());
    }
    for (name, value) in &settings.attributes {
        add(name, value);
    }
    let headers = record.headers.iter().filter(|_| !settings.bare);
    for (name, value) in headers {
        let Some(Ok(text)) = value.as_deref().map(std::str::from_utf8) else {
            continue;
        };
        if !is_text(text) || !is_name(name) || name.starts_with(PREFIX) {
            continue;
        }
        let known = attributes.iter().position(|(known, _)| known == name);
        if let Some(at) = known {
            if let Some((_, value)) = attributes.get_mut(at) {
                text.clone_into(value);
            }
        } else if attributes.len() < ATTRIBUTES_MAX {
            attributes.push((name.clone(), text.to_owned()));
        }
    }
    attributes
}

/// Whether SQS takes the text: it isn't empty and has no characters that XML can't have.
pub(super) fn is_text(text: &str) -> bool {
    let fits = |c: char| {
        matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}')
            || c >= '\u{10000}'
    };
    !text.is_empty() && text.chars().all(fits)
}

/// Whether an attribute may be called so.
pub(super) fn is_name(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let lower = name.to_ascii_lowercase();
    let dots = name.starts_with('.') || name.ends_with('.') || name.contains("..");
    let theirs = lower.starts_with("aws.") || lower.starts_with("amazon.");
    (1..=NAME_MAX).contains(&name.len()) && name.chars().all(fits) && !dots && !theirs
}

/// Records of one group are taken in their order.
fn group(record: &Packed, settings: &Settings) -> Result<String> {
    let encoded = |bytes: &[u8]| Ok(percent::encoded_bytes(bytes));
    let group = match (&settings.group, &record.key) {
        (Some(group), _) => group.fill("the group", record, encoded)?,
        (None, Some(key)) => format!("key:{}", percent::encoded_bytes(key)),
        (None, None) => {
            let topic = percent::encoded(&record.topic);
            format!("partition:{topic}:{}", record.partition)
        }
    };
    Ok(id(&group))
}

/// A text as the id of a group or of a deduplication: as it is, or its digest where it is too long.
fn id(text: &str) -> String {
    let fits = text.len() <= ID_MAX && text.chars().all(|c| c.is_ascii_graphic());
    if fits && !text.is_empty() {
        return text.to_owned();
    }
    digest_of_ids([text])
}
