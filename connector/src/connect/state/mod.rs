//! What should run: the configurations and target states of connectors, as a log of entries.
//!
//! ```text
//! REST -> entries -> log (a compacted Kafka topic, or a file) -> Wanted (pure) -> worker
//! ```
//!
//! The entries are those of Connect's own config topic, so its tools read ours: `connector-NAME`,
//! `target-state-NAME`, `commit-NAME` with the number of tasks, `restart-connector-NAME`,
//! `logger-cluster-NAME`. Whoever reads all entries in their order knows what should run; nothing
//! else is asked. An entry is in the log before anybody is told that it is, and whoever wrote it
//! has read it back.

mod entry;
mod file;
mod folded;
mod topic;
mod wanted;

pub(super) use entry::{Change, Chosen, Entry, Target};
pub(super) use folded::Folded;
pub(super) use topic::STALE;
pub(super) use wanted::{Wanted, Wish};

use std::path::PathBuf;

use eddy_engine::Clock;

use crate::error::Result;
use crate::kafka::KafkaConfig;

/// Where the log is, and so with whom a worker shares it.
#[derive(Debug, Clone)]
pub enum Place {
    /// A file on this machine: one process alone, as `eddy dev`.
    File(PathBuf),
    /// Kafka's topics: all workers of one group.
    Group(Box<Group>),
}

/// A group of workers, as one of them sees it. Its topics are made if they don't exist.
#[derive(Debug, Clone)]
pub struct Group {
    /// Its cluster.
    pub kafka: KafkaConfig,
    /// Its name, the worker's `group.id`.
    pub name: String,
    /// `host:port` under which others reach this worker: its name in the group.
    pub worker: String,
    /// The compacted topic with what should run.
    pub configs: String,
    /// The compacted topic with what does run.
    pub status: String,
    /// The topic whose partitions, which stay empty, spread the tasks.
    pub work: String,
    /// How many brokers hold a topic that is made; -1 is the cluster's default.
    pub replication: i32,
}

/// What is to be added, by everything that is there.
pub(super) type Decide<'a> = dyn Fn(&Wanted) -> Result<Vec<Entry>> + 'a;

/// An open log.
pub(super) enum Log {
    File(file::FileLog),
    Topic(Box<topic::TopicLog>),
}

impl Log {
    /// Opens the file at `path`, with what it holds. Blocks.
    ///
    /// # Errors
    /// `Unavailable` when it can't be read; `Data` when there is something else in it.
    pub(super) fn file(path: &std::path::Path) -> Result<(Self, Vec<Entry>)> {
        let (log, entries) = file::FileLog::open(path)?;
        Ok((Self::File(log), entries))
    }

    /// The log of a group.
    pub(super) fn topic(group: &Group, clock: &Clock) -> Self {
        let log = topic::TopicLog::new(&group.kafka, &group.configs, &group.worker, clock);
        Self::Topic(Box::new(log))
    }

    /// Decides by what should run and adds what was decided; it lasts once this returns, and
    /// `folded` has it. Answers the entries that nobody else will tell of. Blocks.
    ///
    /// # Errors
    /// What `decide` refuses; `Unavailable` when the entries may not be there; `Fenced` when others
    /// were quicker again and again.
    pub(super) fn change(&mut self, folded: &Folded, decide: &Decide<'_>) -> Result<Vec<Change>> {
        match self {
            Self::File(log) => {
                let entries = folded.read(decide)?;
                log.append(&entries)?;
                Ok(entries
                    .iter()
                    .map(|entry| folded.take(entry, None))
                    .collect())
            }
            Self::Topic(log) => {
                log.change(folded, decide)?;
                Ok(Vec::new())
            }
        }
    }
}
