//! What a replay would do: pure, from what the source counted and what the destination answered.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::destination::Checked;
use crate::divide::divide;
use crate::error::{Error, ErrorKind, Result};
use crate::request::{Headers, Options, Ordering, Payload};
use crate::source::{PartitionCount, SourcePlan};

mod places;

/// A dry run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The table, as SQL names it.
    pub table: String,
    /// The version that is pinned.
    pub version: u64,
    /// How many records.
    pub records: u64,
    /// Bytes of their keys and values; only a dry run measures them.
    #[serde(default)]
    pub bytes: Option<u64>,
    /// How many files hold them.
    pub files: u64,
    /// The earliest record time, microseconds since the Unix epoch.
    pub first_timestamp_us: Option<i64>,
    /// The latest record time, microseconds since the Unix epoch.
    pub last_timestamp_us: Option<i64>,
    /// Records per source partition.
    pub partitions: Vec<PartitionCount>,
    /// What the destination answered; `None` when it didn't.
    pub destination: Option<Checked>,
    /// What happens to headers: `keep`, `mark` or `strip`. Of several topics `mark` may be said for
    /// the sake of one, whose records go back to it.
    pub headers: String,
    /// What the value that goes out is made of.
    #[serde(default)]
    pub payload: Payload,
    /// The parts of the record that the select list sets, as `_key`.
    #[serde(default)]
    pub sets: Vec<String>,
    /// How many shards it is divided into: as many as were asked for, where there are so many
    /// source partitions.
    #[serde(default = "one")]
    pub shards: usize,
    /// The least time it takes at the rate and speed asked for; `None` without either.
    pub seconds_min: Option<f64>,
    /// Why it can't start; empty: it can.
    pub problems: Vec<Problem>,
}

/// A reason why a replay can't start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// What sort of problem it is, as in an error's answer.
    pub code: String,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Plan {
    /// Puts the plan together. A destination that can't be used becomes a problem of the plan, not
    /// an error: who asks for a dry run wants to see everything at once.
    pub fn new(source: SourcePlan, checked: Result<Checked>, options: &Options) -> Self {
        let (checked, mut problems) = match checked {
            Ok(checked) => (Some(checked), Vec::new()),
            Err(error) => (None, vec![Problem::from(&error)]),
        };
        let there = checked.as_ref();
        if let Some(there) = there {
            problems.extend(places::misplaced(&source, there, options));
        }
        problems.extend(keys_apart(&source, options));
        let same = there.is_some_and(|there| places::go_home(&source, there, options));
        let named = there.and_then(Checked::topic_itself) == Some(source.table.as_str());
        let bare = matches!(options.headers, Some(Headers::Keep | Headers::Strip));
        if options.continuous && bare && !options.topics.is_empty() {
            problems.push(Problem::from(&may_go_round()));
        } else if options.continuous && bare && (same || named) {
            problems.push(Problem::from(&goes_round(&source.table)));
        }
        let headers = match (options.headers, same) {
            (Some(Headers::Strip), _) => "strip",
            (Some(Headers::Mark), _) | (None, true) => "mark",
            (None, _) if options.continuous || edits(&source.sets) => "mark",
            _ => "keep",
        };
        let seconds_min = least_time(&source, options);
        let shards = divide(&source.partitions, options.shards).len().max(1);
        Self {
            table: source.table,
            version: source.version,
            records: source.records,
            bytes: source.bytes,
            files: source.files,
            first_timestamp_us: source.first_timestamp_us,
            last_timestamp_us: source.last_timestamp_us,
            partitions: source.partitions,
            destination: checked,
            headers: headers.to_owned(),
            payload: source.payload,
            sets: source.sets,
            shards,
            seconds_min,
            problems,
        }
    }

    /// Whether it can start.
    ///
    /// # Errors
    /// The first problem: `Unavailable` when the destination doesn't answer, `NotFound` when it
    /// isn't there, else `Invalid`.
    pub fn accept(&self) -> Result<()> {
        let Some(problem) = self.problems.first() else {
            return Ok(());
        };
        let kinds = [ErrorKind::Unavailable, ErrorKind::NotFound];
        let kind = kinds.into_iter().find(|kind| kind.code() == problem.code);
        let kind = kind.unwrap_or(ErrorKind::Invalid);
        let error = Error::new(kind, problem.message.clone());
        Err(match &problem.hint {
            Some(hint) => error.with_hint(hint.clone()),
            None => error,
        })
    }
}

impl From<&Error> for Problem {
    fn from(error: &Error) -> Self {
        Self {
            code: error.kind().code().to_owned(),
            message: error.to_string(),
            hint: error.hint().map(str::to_owned),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// P23: what comes back from its own topic is only known by its marks.
fn goes_round(topic: &str) -> Error {
    Error::invalid(format!(
        "a continuous replay into `{topic}` would send what it sent there again, without end"
    ))
    .with_hint(
        "leave `headers` out, or let it be `mark`; so too for a topic of the same name in another \
         cluster: Eddy can't tell the two apart",
    )
}

/// The topics that a table will hold aren't known, nor whether one of the targets becomes one.
fn may_go_round() -> Error {
    Error::invalid("a continuous replay into several topics has to mark what it sends")
        .with_hint("leave `headers` out, or let it be `mark`")
}

/// What was planned before replays were divided.
fn one() -> usize {
    1
}

/// Where the records of one key may lie in several partitions, shards can't keep their order.
fn keys_apart(source: &SourcePlan, options: &Options) -> Option<Problem> {
    if options.shards == 1 || options.ordering != Ordering::Key {
        return None;
    }
    let mut topics = source.partitions.iter().map(|count| &count.topic_id);
    let first = topics.next();
    let why = if source.sets.iter().any(|part| part == "_key") {
        "the select list sets the key, so that records of several partitions may have the same"
    } else if topics.any(|other| Some(other) != first) {
        "the topic was made again, so that a key's records may lie in two partitions"
    } else {
        return None;
    };
    let error = Error::invalid(format!(
        "shards don't keep the order of the records of one key: {why}"
    ));
    let error = error.with_hint("leave `shards` out, or use ordering = 'partition'");
    Some(Problem::from(&error))
}

/// Whether the select list sets the value, so that it is another one than the original.
pub(crate) fn edits(sets: &[String]) -> bool {
    sets.iter().any(|part| part == "_value")
}

/// The least seconds that a replay takes, where its options hold it back.
fn least_time(source: &SourcePlan, options: &Options) -> Option<f64> {
    let by_rate = options
        .rate
        .map(|rate| rate.time_for(source.records, source.bytes.unwrap_or(0)));
    let span_us = source
        .last_timestamp_us
        .zip(source.first_timestamp_us)
        .and_then(|(last, first)| u64::try_from(last.saturating_sub(first)).ok());
    let by_speed = options.speed.zip(span_us);
    let by_speed = by_speed.map(|(speed, us)| speed.time_for(Duration::from_micros(us)));
    by_rate.max(by_speed).map(|time| time.as_secs_f64())
}

#[cfg(test)]
mod tests;
