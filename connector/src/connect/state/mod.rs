//! What should run: the configurations and target states of connectors, as a log of entries.
//!
//! ```text
//! REST -> entries -> log (a compacted Kafka topic, or a file) -> Wanted (pure) -> worker
//! ```
//!
//! The entries are those of Connect's own config topic, so its tools read ours: `connector-NAME`,
//! `target-state-NAME`, `commit-NAME` with the number of tasks. Whoever reads all entries in their
//! order knows what should run; nothing else is asked. An entry is in the log before anybody is
//! told that it is.

mod entry;
mod file;
mod topic;
mod wanted;

pub(super) use entry::{Entry, Target};
pub(super) use wanted::{Wanted, Wish};

use std::path::PathBuf;

use eddy_engine::Clock;

use crate::error::Result;
use crate::kafka::KafkaConfig;

/// Where the log is.
#[derive(Debug, Clone)]
pub enum Place {
    /// A file on this machine: one process alone, as `eddy dev`.
    File(PathBuf),
    /// A compacted topic, made if it doesn't exist.
    Topic {
        /// Its cluster.
        kafka: KafkaConfig,
        /// Its name.
        name: String,
        /// How many brokers hold it; -1 is the cluster's default.
        replication: i32,
    },
}

/// An open log.
pub(super) enum Log {
    File(file::FileLog),
    Topic(Box<topic::TopicLog>),
}

impl Log {
    /// Opens the log and reads what it holds. Blocks.
    ///
    /// # Errors
    /// `Unavailable` when the broker doesn't answer or the file can't be read; `Data` when there is
    /// something else in it.
    pub(super) fn open(place: &Place, clock: &Clock) -> Result<(Self, Vec<Entry>)> {
        match place {
            Place::File(path) => {
                let (log, entries) = file::FileLog::open(path)?;
                Ok((Self::File(log), entries))
            }
            Place::Topic {
                kafka,
                name,
                replication,
            } => {
                let opened = topic::TopicLog::open(kafka, name, *replication, clock)?;
                Ok((Self::Topic(Box::new(opened.0)), opened.1))
            }
        }
    }

    /// Adds entries, in their order; they last once this returns. Blocks.
    ///
    /// # Errors
    /// `Unavailable` when they may not be there.
    pub(super) fn append(&mut self, entries: &[Entry]) -> Result<()> {
        match self {
            Self::File(log) => log.append(entries),
            Self::Topic(log) => log.append(entries),
        }
    }
}
