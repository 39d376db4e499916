//! The keys of errors: what becomes of a record that can't be decoded or transformed.
//!
//! In Eddy such a record is a row with `_error`, and by default that is all. With
//! `errors.tolerance` `none` the task fails as Connect's does, once what came before is committed.
//! A dead-letter topic gets a copy in either case, at least once.

use std::time::Duration;

use super::{Reader, Topics};
use crate::error::{Error, Result};

const TOPIC: &str = "errors.deadletterqueue.topic.name";

/// What becomes of records that can't be decoded or transformed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorPolicy {
    /// `errors.tolerance`.
    pub tolerance: Tolerance,
    /// `errors.retry.timeout`: how long an operation that may succeed later is tried again; `None`
    /// is for ever. Not given it is that too, and not Connect's zero: what is away for a moment is
    /// no record's fault.
    pub retry_timeout: Option<Duration>,
    /// `errors.retry.delay.max.ms`: the longest wait between two attempts.
    pub retry_delay_max: Duration,
    /// `errors.log.enable`: each failure is logged.
    pub log: bool,
    /// `errors.log.include.messages`: with the record's topic, partition, offset and time.
    pub log_records: bool,
    /// `restart.failed.tasks`: a task that failed starts again by itself after a while.
    pub restart: bool,
    /// `errors.deadletterqueue.*`.
    pub dead_letters: Option<DeadLetterTopic>,
}

/// `errors.tolerance`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tolerance {
    /// The first failure fails the task.
    None,
    /// A failure is a row with `_error`.
    All,
}

/// The topic that gets a copy of each record that fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetterTopic {
    /// Its name. It is made with one partition when it doesn't exist.
    pub name: String,
    /// In how many copies.
    pub replication: i32,
    /// Whether headers say where the record was and what failed.
    pub context: bool,
}

impl ErrorPolicy {
    /// Somebody wants to know of each failure, so decoding can't be left to the table's writer.
    pub(crate) fn listens(&self) -> bool {
        self.tolerance == Tolerance::None || self.log || self.dead_letters.is_some()
    }
}

/// Reads and checks the keys. `topics` must not take the dead-letter topic in.
pub(super) fn read(reader: &Reader<'_>, topics: &Topics) -> Result<ErrorPolicy> {
    let flags = [("true", true), ("false", false)];
    let tolerances = [("none", Tolerance::None), ("all", Tolerance::All)];
    let most_ms = usize::try_from(i64::MAX / 1_000).unwrap_or(usize::MAX);
    let milliseconds = |key, default, least| {
        let number = reader.number(key, default, least, most_ms)?;
        Ok::<_, Error>(Duration::from_millis(
            u64::try_from(number).unwrap_or(u64::MAX),
        ))
    };
    let retry_timeout = match reader.text("errors.retry.timeout") {
        None | Some("-1") => None,
        Some(_) => Some(milliseconds("errors.retry.timeout", 0, 0)?),
    };
    Ok(ErrorPolicy {
        tolerance: reader.choice("errors.tolerance", &tolerances, Tolerance::All)?,
        retry_timeout,
        retry_delay_max: milliseconds("errors.retry.delay.max.ms", 60_000, 1)?,
        log: reader.choice("errors.log.enable", &flags, false)?,
        log_records: reader.choice("errors.log.include.messages", &flags, false)?,
        restart: reader.choice("restart.failed.tasks", &flags, true)?,
        dead_letters: dead_letters(reader, topics, &flags)?,
    })
}

fn dead_letters(
    reader: &Reader<'_>,
    topics: &Topics,
    flags: &[(&str, bool)],
) -> Result<Option<DeadLetterTopic>> {
    let Some(name) = reader.text(TOPIC) else {
        return Ok(None);
    };
    super::check_topic(name).map_err(|allowed| reader.wrong(TOPIC, name, allowed))?;
    if topics.includes(name) {
        let allowed = "a topic that the connector doesn't record itself";
        return Err(reader.wrong(TOPIC, name, allowed));
    }
    let key = "errors.deadletterqueue.topic.replication.factor";
    let replication = match reader.text(key) {
        // The broker's own default.
        Some("-1") => -1,
        _ => i32::try_from(reader.number(key, 3, 1, 32_767)?).unwrap_or(3),
    };
    let context = "errors.deadletterqueue.context.headers.enable";
    Ok(Some(DeadLetterTopic {
        name: name.to_owned(),
        replication,
        context: reader.choice(context, flags, false)?,
    }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::tests::parse;
    use super::*;

    fn errors(entries: &[(&str, &str)]) -> Result<ErrorPolicy> {
        let mut all = vec![("topics", "orders")];
        all.extend_from_slice(entries);
        Ok(parse(&all)?.errors)
    }

    #[test]
    fn failures_are_rows_by_default_and_nobody_is_told() {
        let policy = errors(&[]).unwrap();
        assert_eq!(policy.tolerance, Tolerance::All);
        assert_eq!(policy.retry_timeout, None);
        assert!(!policy.listens() && policy.restart);
    }

    #[test]
    fn each_key_says_what_becomes_of_a_failure() {
        let policy = errors(&[
            ("errors.tolerance", "none"),
            ("errors.retry.timeout", "-1"),
            ("errors.retry.delay.max.ms", "500"),
            ("errors.log.enable", "true"),
            ("errors.log.include.messages", "true"),
            ("restart.failed.tasks", "false"),
            ("errors.deadletterqueue.topic.name", "dead"),
            ("errors.deadletterqueue.topic.replication.factor", "1"),
            ("errors.deadletterqueue.context.headers.enable", "TRUE"),
        ]);
        let expected = ErrorPolicy {
            tolerance: Tolerance::None,
            retry_timeout: None,
            retry_delay_max: Duration::from_millis(500),
            log: true,
            log_records: true,
            restart: false,
            dead_letters: Some(DeadLetterTopic {
                name: "dead".to_owned(),
                replication: 1,
                context: true,
            }),
        };
        assert_eq!(policy.unwrap(), expected);
        let three = errors(&[("errors.deadletterqueue.topic.name", "dead")]).unwrap();
        assert_eq!(three.dead_letters.unwrap().replication, 3);
    }

    #[test]
    fn what_is_wrong_is_refused_with_key_and_value() {
        for (key, value) in [
            ("errors.tolerance", "some"),
            ("errors.retry.timeout", "x"),
            ("errors.log.enable", "yes"),
            ("errors.deadletterqueue.topic.name", "a b"),
            ("errors.deadletterqueue.topic.name", "orders"),
        ] {
            let message = errors(&[(key, value)]).unwrap_err().to_string();
            assert!(
                message.contains(&format!("`{key}` is `{value}`")),
                "{message}"
            );
        }
    }
}
