//! What a replay would do: pure, from what the source counted and what the destination answered.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::destination::Checked;
use crate::error::{Error, ErrorKind, Result};
use crate::request::{Headers, Options, Payload};
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
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::BTreeMap;

    use super::*;

    fn source() -> SourcePlan {
        SourcePlan {
            select: "SELECT * FROM orders".to_owned(),
            table: "orders".to_owned(),
            version: 7,
            records: 1_000,
            bytes: Some(50_000),
            files: 2,
            first_timestamp_us: Some(0),
            last_timestamp_us: Some(1),
            partitions: vec![PartitionCount {
                topic: "orders".to_owned(),
                topic_id: "id".to_owned(),
                partition: 3,
                records: 1_000,
            }],
            payload: Payload::Original,
            sets: Vec::new(),
        }
    }

    fn target(topic: &str, partitions: i32) -> Result<Checked> {
        Ok(Checked {
            target: format!("kafka topic `{topic}`"),
            topic: Some(topic.to_owned()),
            partitions: Some(partitions),
            ..Checked::default()
        })
    }

    fn options(key: &str, value: &str) -> Options {
        Options::parse(&BTreeMap::from([(key.to_owned(), value.to_owned())])).unwrap()
    }

    #[test]
    fn a_target_with_too_few_partitions_is_refused_before_the_first_record() {
        let plan = Plan::new(source(), target("retry", 3), &Options::default());
        let error = plan.accept().unwrap_err();
        assert!(error.to_string().contains("`retry` has 3 partitions"));
        assert!(error.hint().unwrap().contains("at least 4"));
        let by_key = Plan::new(source(), target("retry", 3), &options("partition", "key"));
        assert!(by_key.accept().is_ok());
        let enough = Plan::new(source(), target("retry", 4), &Options::default());
        assert!(enough.accept().is_ok());
    }

    #[test]
    fn a_replay_into_its_own_topic_marks_unless_told_otherwise() {
        let headers =
            |topic, options: &Options| Plan::new(source(), target(topic, 4), options).headers;
        assert_eq!(headers("orders", &Options::default()), "mark");
        assert_eq!(headers("retry", &Options::default()), "keep");
        assert_eq!(headers("orders", &options("headers", "keep")), "keep");
        assert_eq!(headers("retry", &options("headers", "strip")), "strip");
        let by_reference = target("${env:TOPIC}", 4).map(|checked| Checked {
            topic_behind: Some("orders".to_owned()),
            ..checked
        });
        let plan = Plan::new(source(), by_reference, &Options::default());
        assert_eq!(plan.headers, "mark");
    }

    #[test]
    fn a_continuous_replay_into_its_own_topic_has_to_mark() {
        let mut asked = options("continuous", "true");
        let refused = |topic, options: &Options| {
            Plan::new(source(), target(topic, 4), options)
                .accept()
                .is_err()
        };
        assert!(!refused("orders", &asked));
        for bare in [Headers::Keep, Headers::Strip] {
            asked.headers = Some(bare);
            assert!(refused("orders", &asked));
            assert!(!refused("another", &asked));
        }
        asked.topics = options("topics", "orders:copy").topics;
        assert!(refused("another", &asked), "`copy` may come to be recorded");
        asked.headers = None;
        assert!(!refused("another", &asked));
    }

    #[test]
    fn the_rate_gives_the_least_time() {
        let plan = Plan::new(source(), target("retry", 4), &options("rate", "500/s"));
        assert_eq!(plan.seconds_min, Some(2.0));
        let plan = Plan::new(source(), target("retry", 4), &Options::default());
        assert_eq!(plan.seconds_min, None);
    }

    #[test]
    fn the_speed_gives_the_least_time_too() {
        let mut hour = source();
        hour.last_timestamp_us = Some(3_600_000_000);
        let plan = Plan::new(hour, target("retry", 4), &options("speed", "10x"));
        assert_eq!(plan.seconds_min, Some(360.0));
    }

    #[test]
    fn an_edited_value_is_marked_and_a_set_partition_needs_no_other() {
        let mut edited = source();
        edited.sets = vec!["_value".to_owned(), "_partition".to_owned()];
        let plan = Plan::new(edited, target("retry", 1), &Options::default());
        assert_eq!(plan.headers, "mark");
        assert!(plan.accept().is_ok());
    }

    #[test]
    fn an_unreachable_destination_is_a_problem_of_the_plan() {
        let down = Err(Error::unavailable("no broker answers").with_hint("is it up?"));
        let plan = Plan::new(source(), down, &Options::default());
        assert_eq!(plan.records, 1_000);
        assert_eq!(plan.problems.len(), 1);
        assert_eq!(plan.accept().unwrap_err().kind(), ErrorKind::Unavailable);
    }
}
