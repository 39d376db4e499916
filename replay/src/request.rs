//! What a user asks for: a SELECT, a destination and options, parsed from strings.
//!
//! Options are strings because SQL's WITH, the command line and REST all carry them so. What isn't
//! known is refused with the list of what is: an option that is quietly ignored is an unthrottled
//! replay.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::pacing::{Rate, Speed};

mod canary;
mod place;

pub use canary::Canary;
use canary::{Asked, within};
pub use place::{Partition, Topics};

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
    /// How the gaps between the records' times are kept; `None`: not at all.
    pub speed: Option<Speed>,
    /// What is kept in order.
    pub ordering: Ordering,
    /// The partition a record goes to.
    pub partition: Partition,
    /// The topic a record goes to, where that isn't the destination's.
    pub topics: Topics,
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
    /// The destination that takes what the other one refuses, for [`OnError::DeadLetter`].
    pub dead_letter: Option<String>,
    /// What is sent; `None`: as the select list says.
    pub payload: Option<Payload>,
    /// Whether it goes on with what is committed later, without end.
    pub continuous: bool,
    /// Whether records go out in transactions of the destination, with the progress in them.
    pub exactly_once: bool,
    /// What has to come true before all but the first records are sent.
    pub canary: Option<Canary>,
    /// The most shards that it is divided into; from 1 to 64.
    pub shards: u32,
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
    /// All records by their time, and those of one source partition as they are.
    Time,
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
    /// The same, once another destination has taken the record.
    DeadLetter,
}

/// What the value of a record that goes out is made of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Payload {
    /// The value as it was received, or as the select list sets it.
    #[default]
    Original,
    /// A JSON object of the selected columns.
    Columns,
}

/// Enough for a broker's restart or a new leader, with the back-off of `run`.
const ATTEMPTS: u32 = 10;

/// Each shard stores its progress for itself, and all of a replay are looked at every few seconds.
const SHARDS_MAX: u32 = 64;

/// Every option that is known.
pub const OPTION_NAMES: &[&str] = &[
    "attempts",
    "canary",
    "continuous",
    "dead_letter",
    "exactly_once",
    "expect",
    "headers",
    "name",
    "on_error",
    "ordering",
    "partition",
    "payload",
    "rate",
    "shards",
    "speed",
    "timestamp",
    "tombstones",
    "topics",
    "within",
];

impl Options {
    /// Parses `given`; names are matched without regard to case, as SQL's are.
    ///
    /// # Errors
    /// `Invalid` for an option or a value that isn't known, naming those that are, and for options
    /// that need another one or contradict it.
    pub fn parse(given: &BTreeMap<String, String>) -> Result<Self> {
        let mut options = Self::default();
        let mut canary = Asked::default();
        let mut ordering = None;
        for (key, value) in given {
            let value = value.trim();
            match key.trim().to_ascii_lowercase().as_str() {
                "name" => options.name = Some(name(value)?),
                "rate" => options.rate = Some(Rate::parse(value)?),
                "speed" => options.speed = Speed::parse(value)?,
                "ordering" => ordering = Some(choice("ordering", value, ORDERINGS)?),
                "continuous" => options.continuous = choice("continuous", value, TRUTHS)?,
                "exactly_once" => options.exactly_once = choice("exactly_once", value, TRUTHS)?,
                "partition" => options.partition = place::partition(value)?,
                "topics" => options.topics = place::topics(value)?,
                "canary" => canary.records = Some(count("canary", value)?),
                "expect" => canary.expect = Some(value.to_owned()),
                "within" => canary.within = Some(within(value)?),
                "dead_letter" => options.dead_letter = Some(value.to_owned()),
                "attempts" => options.attempts = count("attempts", value)?,
                "shards" => options.shards = shards(value)?,
                key => options.choose(key, value)?,
            }
        }
        options.canary = canary.whole()?;
        options.ordering = match (ordering, options.speed) {
            (Some(ordering), Some(_)) if ordering != Ordering::Time => {
                return Err(
                    Error::invalid("`speed` keeps the gaps between the records' times")
                        .with_hint("it goes with ordering = 'time'"),
                );
            }
            (None, Some(_)) => Ordering::Time,
            (ordering, _) => ordering.unwrap_or(options.ordering),
        };
        options.check_refused()?;
        options.check_shards()?;
        Ok(options)
    }

    /// Whether what is to be divided may be: a shard has whole source partitions, and knows
    /// nothing of the others.
    fn check_shards(&self) -> Result<()> {
        let why = if self.shards == 1 {
            return Ok(());
        } else if self.ordering == Ordering::Time {
            "ordering = 'time' is an order over all partitions"
        } else if self.continuous {
            "a continuous replay may find new partitions"
        } else if self.canary.is_some() {
            "a canary's first records go before all others"
        } else {
            return Ok(());
        };
        Err(Error::invalid(format!("it can't be divided: {why}")).with_hint("leave `shards` out"))
    }

    /// Whether what is said about refused records goes together.
    fn check_refused(&self) -> Result<()> {
        if self.exactly_once && self.on_error != OnError::Stop {
            return Err(Error::invalid(
                "exactly_once goes with on_error = 'stop' only: a record that Kafka refuses takes \
                 its whole transaction with it",
            )
            .with_hint("leave one of the two out"));
        }
        match (self.on_error == OnError::DeadLetter, &self.dead_letter) {
            (true, None) => Err(
                Error::invalid("on_error = 'dead_letter' needs a destination")
                    .with_hint("name it: dead_letter = 'refused'"),
            ),
            (false, Some(_)) => Err(Error::invalid("`dead_letter` has no use")
                .with_hint("it goes with on_error = 'dead_letter'")),
            _ => Ok(()),
        }
    }

    /// Those with which the destination of refused records is opened: such a record goes to that
    /// destination's own topic, and there by its key.
    pub(crate) fn for_letters(&self) -> Self {
        Self {
            partition: Partition::Same,
            topics: Topics::default(),
            ..self.clone()
        }
    }

    /// The options that are one of a few words.
    fn choose(&mut self, key: &str, value: &str) -> Result<()> {
        match key {
            "timestamp" => {
                let known = &[("original", Timestamp::Original), ("now", Timestamp::Now)];
                self.timestamp = choice(key, value, known)?;
            }
            "headers" => {
                let known = &[
                    ("keep", Headers::Keep),
                    ("mark", Headers::Mark),
                    ("strip", Headers::Strip),
                ];
                self.headers = Some(choice(key, value, known)?);
            }
            "tombstones" => {
                let known = &[("keep", Tombstones::Keep), ("skip", Tombstones::Skip)];
                self.tombstones = choice(key, value, known)?;
            }
            "on_error" => {
                let known = &[
                    ("stop", OnError::Stop),
                    ("skip", OnError::Skip),
                    ("dead_letter", OnError::DeadLetter),
                ];
                self.on_error = choice(key, value, known)?;
            }
            "payload" => {
                let known = &[
                    ("original", Payload::Original),
                    ("columns", Payload::Columns),
                ];
                self.payload = Some(choice(key, value, known)?);
            }
            _ => return Err(unknown(key)),
        }
        Ok(())
    }
}

const ORDERINGS: &[(&str, Ordering)] = &[
    ("partition", Ordering::Partition),
    ("key", Ordering::Key),
    ("time", Ordering::Time),
    ("none", Ordering::None),
];

const TRUTHS: &[(&str, bool)] = &[("true", true), ("false", false)];

impl Default for Options {
    fn default() -> Self {
        Self {
            name: None,
            rate: None,
            speed: None,
            ordering: Ordering::Partition,
            partition: Partition::Same,
            topics: Topics::default(),
            timestamp: Timestamp::Original,
            headers: None,
            tombstones: Tombstones::Keep,
            attempts: ATTEMPTS,
            on_error: OnError::Stop,
            dead_letter: None,
            payload: None,
            continuous: false,
            exactly_once: false,
            canary: None,
            shards: 1,
        }
    }
}

fn unknown(key: &str) -> Error {
    Error::invalid(format!("unknown option `{key}`"))
        .with_hint(format!("the options are: {}", OPTION_NAMES.join(", ")))
}

fn choice<T: Copy>(option: &str, value: &str, known: &[(&str, T)]) -> Result<T> {
    let value = value.to_ascii_lowercase();
    if let Some((_, choice)) = known.iter().find(|(word, _)| *word == value) {
        return Ok(*choice);
    }
    let words: Vec<String> = known.iter().map(|(word, _)| format!("`{word}`")).collect();
    Err(Error::invalid(format!("{option} = `{value}` is not known"))
        .with_hint(format!("{option} may be {}", words.join(", "))))
}

/// Whether something can be called so: names are parts of URLs and of object keys.
pub(crate) fn is_name(value: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let starts = value.starts_with(|c: char| c.is_ascii_alphanumeric());
    starts && value.len() <= 128 && value.chars().all(fits)
}

/// A name is also the replay's id.
fn name(value: &str) -> Result<String> {
    if is_name(value) {
        return Ok(value.to_owned());
    }
    Err(
        Error::invalid(format!("name = `{value}` can't be a replay's name"))
            .with_hint("use up to 128 letters, digits, `-`, `_` and `.`, a letter or digit first"),
    )
}

fn count(option: &str, value: &str) -> Result<u32> {
    match value.parse() {
        Ok(count) if count > 0 => Ok(count),
        _ => Err(Error::invalid(format!(
            "{option} = `{value}` is not a number of at least 1"
        ))),
    }
}

fn shards(value: &str) -> Result<u32> {
    match count("shards", value)? {
        count if count <= SHARDS_MAX => Ok(count),
        _ => Err(Error::invalid(format!(
            "shards = `{value}` is more than {SHARDS_MAX}"
        ))),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::time::Duration;

    use super::*;

    fn parse(key: &str, value: &str) -> Result<Options> {
        parse_all(&[(key, value)])
    }

    fn parse_all(given: &[(&str, &str)]) -> Result<Options> {
        let given = given.iter();
        let given = given.map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        Options::parse(&given.collect())
    }

    #[test]
    fn an_unknown_option_is_refused_with_the_known_ones() {
        let error = parse("rates", "500/s").unwrap_err();
        assert_eq!(error.to_string(), "unknown option `rates`");
        assert!(error.hint().unwrap().contains("rate, shards, speed"));
    }

    #[test]
    fn an_unknown_value_is_refused_with_the_known_ones() {
        let error = parse("ordering", "tmie").unwrap_err();
        assert_eq!(error.to_string(), "ordering = `tmie` is not known");
        assert!(error.hint().unwrap().contains("`key`, `time`"));
    }

    #[test]
    fn refused_records_keep_neither_topic_nor_partition() {
        let given = [("topics", "a:b"), ("partition", "0:1"), ("rate", "1/s")];
        let options = parse_all(&given).unwrap();
        assert_eq!(options.topics.of("a"), Some("b"));
        let letters = options.for_letters();
        assert_eq!(letters.topics, Topics::default());
        assert_eq!(letters.partition, Partition::Same);
        assert_eq!(letters.rate, options.rate);
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
        let given = [
            ("attempts", "3"),
            ("canary", "100"),
            ("continuous", "true"),
            ("dead_letter", "refused"),
            ("exactly_once", "false"),
            ("expect", "SELECT true"),
            ("headers", "strip"),
            ("name", "n"),
            ("on_error", "dead_letter"),
            ("ordering", "time"),
            ("partition", "key"),
            ("payload", "columns"),
            ("rate", "500/s"),
            ("shards", "1"),
            ("speed", "2"),
            ("timestamp", "now"),
            ("tombstones", "skip"),
            ("topics", "orders:orders_copy"),
            ("within", "5min"),
        ];
        assert_eq!(given.map(|(name, _)| name), OPTION_NAMES);
        let options = parse_all(&given).unwrap();
        let canary = options.canary.unwrap();
        assert_eq!(canary.within, Duration::from_secs(300));
        assert_eq!(
            (canary.records, canary.expect.as_str()),
            (100, "SELECT true")
        );
        assert!(options.continuous);
        assert_eq!(options.payload, Some(Payload::Columns));
    }

    #[test]
    fn options_that_need_or_contradict_another_are_refused() {
        for given in [
            &[("canary", "100")][..],
            &[("expect", "SELECT true")],
            &[("within", "60s")],
            &[("on_error", "dead_letter")],
            &[("dead_letter", "refused")],
            &[("dead_letter", "refused"), ("on_error", "skip")],
            &[("exactly_once", "true"), ("on_error", "skip")],
            &[
                ("exactly_once", "true"),
                ("on_error", "dead_letter"),
                ("dead_letter", "refused"),
            ],
            &[("exactly_once", "yes")],
            &[("shards", "0")],
            &[("shards", "65")],
            &[("shards", "2"), ("ordering", "time")],
            &[("shards", "2"), ("speed", "1")],
            &[("shards", "2"), ("continuous", "true")],
            &[("shards", "2"), ("canary", "1"), ("expect", "SELECT true")],
            &[("speed", "1"), ("ordering", "partition")],
            &[("canary", "1"), ("expect", "SELECT true"), ("within", "2d")],
            &[
                ("canary", "1"),
                ("expect", "SELECT true"),
                ("within", "25h"),
            ],
        ] {
            assert!(parse_all(given).is_err(), "{given:?}");
        }
        assert!(parse("exactly_once", "true").unwrap().exactly_once);
        let recorded = parse("speed", "0.5").unwrap();
        assert_eq!(
            recorded.ordering,
            Ordering::Time,
            "gaps are those of all records"
        );
        assert_eq!(parse("speed", "max").unwrap().ordering, Ordering::Partition);
        assert_eq!(parse("shards", "64").unwrap().shards, 64);
        let one = [("shards", "1"), ("ordering", "time")];
        assert_eq!(parse_all(&one).unwrap().shards, 1);
    }
}
