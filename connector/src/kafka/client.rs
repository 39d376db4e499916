//! librdkafka's log lines and errors, through tracing and at a bearable rate.
//!
//! Against a dead broker librdkafka writes some ten lines a second; a person needs one of each kind
//! and the number of the others.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use eddy_engine::Clock;
use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use crate::error::is_denial;

/// How long lines of one kind are held back after one was written.
const QUIET: Duration = Duration::from_secs(30);

/// Writes the log of one client.
#[derive(Debug)]
pub(super) struct ClientLog {
    clock: Clock,
    name: String,
    kinds: Mutex<BTreeMap<String, Kind>>,
    told: Told,
}

/// What a client was told last, for whoever only learns that there was no answer. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Told(Arc<Mutex<Option<Newest>>>);

#[derive(Debug, Clone)]
struct Newest {
    at: Duration,
    error: KafkaError,
    reason: String,
}

impl Told {
    /// The newest error, and the client's words for it, unless it is from before `since`, on the
    /// monotonic clock.
    pub(super) fn since(&self, since: Duration) -> Option<(KafkaError, String)> {
        let newest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let newest = newest.as_ref().filter(|newest| newest.at >= since)?;
        Some((newest.error.clone(), newest.reason.clone()))
    }

    /// Keeps what is told, but no general complaint in place of a reason that says who isn't let
    /// in: librdkafka tells of each, and then that all brokers are down.
    fn keep(&self, at: Duration, error: &KafkaError, reason: &str) {
        let mut newest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let denies = |error: &KafkaError| error.rdkafka_error_code().is_some_and(is_denial);
        let says_more =
            |newest: &Newest| at < newest.at + QUIET && denies(&newest.error) && !denies(error);
        if !newest.as_ref().is_some_and(says_more) {
            *newest = Some(Newest {
                at,
                error: error.clone(),
                reason: reason.to_owned(),
            });
        }
    }
}

#[derive(Debug)]
struct Kind {
    written: Duration,
    held_back: u64,
}

impl ClientLog {
    pub(super) fn new(clock: Clock, name: impl Into<String>) -> Self {
        Self {
            clock,
            name: name.into(),
            kinds: Mutex::default(),
            told: Told::default(),
        }
    }

    /// What the client was told last.
    pub(super) fn told(&self) -> Told {
        self.told.clone()
    }

    /// Whether a line of `kind` is written now, and how many were held back since the last one.
    fn admit(&self, kind: &str) -> Option<u64> {
        let now = self.clock.monotonic();
        let mut kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        match kinds.get_mut(kind) {
            Some(known) if now < known.written + QUIET => {
                known.held_back += 1;
                None
            }
            Some(known) => {
                known.written = now;
                Some(std::mem::take(&mut known.held_back))
            }
            None => {
                kinds.insert(
                    kind.to_owned(),
                    Kind {
                        written: now,
                        held_back: 0,
                    },
                );
                Some(0)
            }
        }
    }
}

impl ClientContext for ClientLog {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        let client = self.name.as_str();
        match level {
            RDKafkaLogLevel::Debug => tracing::debug!(client, facility, line, "kafka client"),
            RDKafkaLogLevel::Info | RDKafkaLogLevel::Notice => {
                tracing::debug!(client, facility, line, "kafka client");
            }
            // Properties that another kind of client has, or that it calls experimental: a wrong
            // one is refused when the client is made.
            _ if facility == "CONFWARN" => {
                tracing::debug!(client, facility, line, "kafka client");
            }
            // What it calls errors are mostly lost connections, which it repairs by itself.
            _ => {
                if let Some(held_back) = self.admit(facility) {
                    tracing::warn!(client, facility, held_back, line, "kafka client");
                }
            }
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        // The end of a partition is only told to who asked for it.
        if matches!(error, KafkaError::Global(RDKafkaErrorCode::PartitionEOF)) {
            return;
        }
        self.told.keep(self.clock.monotonic(), &error, reason);
        let code = error.rdkafka_error_code();
        if let Some(held_back) = self.admit(&format!("{code:?}")) {
            let client = self.name.as_str();
            tracing::warn!(client, held_back, %error, reason, "kafka client");
        }
    }

    fn stats_raw(&self, _statistics: &[u8]) {}
}

impl ConsumerContext for ClientLog {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_of_line_is_written_once_per_quiet_time_and_the_others_are_counted() {
        let clock = Clock::manual(0);
        let log = ClientLog::new(clock.clone(), "test");
        assert_eq!(log.admit("FAIL"), Some(0));
        assert_eq!(log.admit("FAIL"), None);
        assert_eq!(log.admit("FAIL"), None);
        assert_eq!(log.admit("OTHER"), Some(0));
        clock.advance(QUIET);
        assert_eq!(log.admit("FAIL"), Some(2));
    }

    #[test]
    fn who_gets_no_answer_learns_why_and_no_older_reason() {
        let clock = Clock::manual(0);
        let log = ClientLog::new(clock.clone(), "test");
        let told = log.told();
        let denied = KafkaError::Global(RDKafkaErrorCode::Authentication);
        clock.advance(QUIET);
        log.error(denied.clone(), "no such user");
        log.error(
            KafkaError::Global(RDKafkaErrorCode::AllBrokersDown),
            "1/1 brokers are down",
        );
        let at = clock.monotonic();
        assert_eq!(told.since(at), Some((denied, "no such user".to_owned())));
        clock.advance(QUIET);
        assert_eq!(told.since(clock.monotonic()), None);
        let away = KafkaError::Global(RDKafkaErrorCode::AllBrokersDown);
        log.error(away.clone(), "1/1 brokers are down");
        assert_eq!(
            told.since(at),
            Some((away, "1/1 brokers are down".to_owned()))
        );
    }
}
