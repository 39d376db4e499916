//! What a user asks for: a SELECT, a destination and options, parsed from strings.
//!
//! Options are strings because SQL's WITH, the command line and REST all carry them so. What isn't
//! known is refused with the list of what is: an option that is quietly ignored is an unthrottled
//! replay.

use std::collections::BTreeMap;

use crate::error::{Error, Result};
use crate::pacing::Rate;

/// A replay, asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The SELECT without INTO and WITH.
    pub select: String,
    /// The destination's name.
    pub destination: String,
    /// The options as given.
    pub options: BTreeMap<String, String>,
    /// The statement as the user wrote it: under one name only one text goes (a SELECT with `now()`
    /// frozen differs each time it is sent, this doesn't).
    pub text: String,
}

/// The options of a replay.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// Makes the replay idempotent: the same name is the same replay.
    pub name: Option<String>,
    /// The most that is sent; `None` is as fast as the destination takes it.
    pub rate: Option<Rate>,
    /// What is kept in order.
    pub ordering: Ordering,
    /// The partition a record goes to.
    pub partition: Partition,
    /// The timestamp a record gets.
    pub timestamp: Timestamp,
    /// What happens to headers; `None` keeps them, and marks records that go back to their topic.
    pub headers: Option<Headers>,
    /// What happens to records with a null value.
    pub tombstones: Tombstones,
    /// Tries in a row without any progress before the replay fails.
    pub attempts: u32,
    /// What happens when the destination refuses a record for good.
    pub on_error: OnError,
    /// What is sent.
    pub payload: Payload,
}

/// What is kept in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ordering {
    /// Nothing. A destination may still keep more than it has to; Kafka keeps partitions.
    None,
    /// The records of one key; those without key in no order.
    Key,
    /// The records of one source partition.
    Partition,
}

/// The partition a record goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Partition {
    /// The one it came from.
    Same,
    /// The one that its key hashes to, as Kafka's own producers choose it.
    Key,
}

/// The timestamp a record gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Timestamp {
    /// Its own.
    Original,
    /// The time it is sent.
    Now,
}

/// What happens to headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Headers {
    /// They stay byte for byte.
    Keep,
    /// They stay, and headers that name the replay and the source are added.
    Mark,
    /// They are left out.
    Strip,
}

/// What happens to records with a null value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tombstones {
    /// They are sent.
    Keep,
    /// They are left out.
    Skip,
}

/// What happens when the destination refuses a record for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnError {
    /// The replay fails.
    Stop,
    /// The record is counted as failed, and the replay goes on.
    Skip,
}

/// What is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Payload {
    /// The original record.
    Original,
}

/// Enough for a broker's restart or a new leader, with the back-off of `run`.
const ATTEMPTS: u32 = 10;

/// Every option that is known.
pub const OPTION_NAMES: &[&str] = &[
    "attempts",
    "headers",
    "name",
    "on_error",
    "ordering",
    "partition",
    "payload",
    "rate",
    "timestamp",
    "tombstones",
];

impl Options {
    /// Parses `given`; names are matched without regard to case, as SQL's are.
    ///
    /// # Errors
    /// `Invalid` for an option or a value that isn't known, naming those that are.
    pub fn parse(given: &BTreeMap<String, String>) -> Result<Self> {
        let mut options = Self::default();
        for (key, value) in given {
            let value = value.trim();
            match key.trim().to_ascii_lowercase().as_str() {
                "name" => options.name = Some(name(value)?),
                "rate" => options.rate = Some(Rate::parse(value)?),
                "ordering" => {
                    options.ordering = choice(
                        "ordering",
                        value,
                        &[
                            ("partition", Ordering::Partition),
                            ("key", Ordering::Key),
                            ("none", Ordering::None),
                        ],
                        &["time"],
                    )?;
                }
                "partition" => {
                    options.partition = choice(
                        "partition",
                        value,
                        &[("same", Partition::Same), ("key", Partition::Key)],
                        &["map"],
                    )?;
                }
                "timestamp" => {
                    let known = [("original", Timestamp::Original), ("now", Timestamp::Now)];
                    options.timestamp = choice("timestamp", value, &known, &[])?;
                }
                "headers" => {
                    let known = [
                        ("keep", Headers::Keep),
                        ("mark", Headers::Mark),
                        ("strip", Headers::Strip),
                    ];
                    options.headers = Some(choice("headers", value, &known, &[])?);
                }
                "tombstones" => {
                    let known = [("keep", Tombstones::Keep), ("skip", Tombstones::Skip)];
                    options.tombstones = choice("tombstones", value, &known, &[])?;
                }
                "on_error" => {
                    let known = [("stop", OnError::Stop), ("skip", OnError::Skip)];
                    options.on_error = choice("on_error", value, &known, &["dead_letter"])?;
                }
                "payload" => {
                    let known = [("original", Payload::Original)];
                    options.payload = choice("payload", value, &known, &["columns"])?;
                }
                "attempts" => options.attempts = attempts(value)?,
                _ => return Err(unknown(key)),
            }
        }
        Ok(options)
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            name: None,
            rate: None,
            ordering: Ordering::Partition,
            partition: Partition::Same,
            timestamp: Timestamp::Original,
            headers: None,
            tombstones: Tombstones::Keep,
            attempts: ATTEMPTS,
            on_error: OnError::Stop,
            payload: Payload::Original,
        }
    }
}

fn unknown(key: &str) -> Error {
    Error::invalid(format!("unknown option `{key}`"))
        .with_hint(format!("the options are: {}", OPTION_NAMES.join(", ")))
}

fn choice<T: Copy>(option: &str, value: &str, known: &[(&str, T)], planned: &[&str]) -> Result<T> {
    let value = value.to_ascii_lowercase();
    if let Some((_, choice)) = known.iter().find(|(word, _)| *word == value) {
        return Ok(*choice);
    }
    let words: Vec<String> = known.iter().map(|(word, _)| format!("`{word}`")).collect();
    let problem = if planned.contains(&value.as_str()) {
        "is not supported yet"
    } else {
        "is not known"
    };
    Err(Error::invalid(format!("{option} = `{value}` {problem}"))
        .with_hint(format!("{option} may be {}", words.join(", "))))
}

/// A name is also the replay's id, a part of URLs and of object keys.
fn name(value: &str) -> Result<String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let starts = value.starts_with(|c: char| c.is_ascii_alphanumeric());
    if starts && value.len() <= 128 && value.chars().all(fits) {
        return Ok(value.to_owned());
    }
    Err(
        Error::invalid(format!("name = `{value}` can't be a replay's name"))
            .with_hint("use up to 128 letters, digits, `-`, `_` and `.`, a letter or digit first"),
    )
}

fn attempts(value: &str) -> Result<u32> {
    match value.parse() {
        Ok(attempts) if attempts > 0 => Ok(attempts),
        _ => Err(Error::invalid(format!(
            "attempts = `{value}` is not a number of at least 1"
        ))),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn parse(key: &str, value: &str) -> Result<Options> {
        Options::parse(&BTreeMap::from([(key.to_owned(), value.to_owned())]))
    }

    #[test]
    fn an_unknown_option_is_refused_with_the_known_ones() {
        let error = parse("rates", "500/s").unwrap_err();
        assert_eq!(error.to_string(), "unknown option `rates`");
        assert!(error.hint().unwrap().contains("rate, timestamp"));
    }

    #[test]
    fn what_comes_later_is_not_called_unknown() {
        let error = parse("ordering", "time").unwrap_err();
        assert_eq!(error.to_string(), "ordering = `time` is not supported yet");
        assert_eq!(
            error.hint().unwrap(),
            "ordering may be `partition`, `key`, `none`"
        );
        let error = parse("ordering", "tmie").unwrap_err();
        assert_eq!(error.to_string(), "ordering = `tmie` is not known");
    }

    #[test]
    fn names_that_would_escape_their_folder_are_refused() {
        for bad in ["", ".", "../x", "a/b", "a b", "-a", "ü"] {
            assert!(parse("name", bad).is_err(), "{bad}");
        }
        let options = parse("NAME", "retry-2026-11-23").unwrap();
        assert_eq!(options.name.as_deref(), Some("retry-2026-11-23"));
    }

    #[test]
    fn every_known_option_is_parsed() {
        let value = |key: &str| match key {
            "attempts" => "3",
            "headers" => "strip",
            "name" => "n",
            "on_error" => "skip",
            "ordering" => "partition",
            "partition" => "key",
            "payload" => "original",
            "rate" => "500/s",
            "timestamp" => "now",
            _ => "skip",
        };
        for key in OPTION_NAMES {
            assert!(parse(key, value(key)).is_ok(), "{key}");
        }
    }
}
