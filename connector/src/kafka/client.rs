//! librdkafka's log lines and errors, through tracing and at a bearable rate.
//!
//! Against a dead broker librdkafka writes some ten lines a second; a person needs one of each kind
//! and the number of the others.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use eddy_engine::Clock;
use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

/// How long lines of one kind are held back after one was written.
const QUIET: Duration = Duration::from_secs(30);

/// Writes the log of one client.
#[derive(Debug)]
pub(super) struct ClientLog {
    clock: Clock,
    name: String,
    kinds: Mutex<BTreeMap<String, Kind>>,
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
        }
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
}
