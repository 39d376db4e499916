//! The log as a compacted Kafka topic of one partition, as Connect's config topic.
//!
//! One worker of the group writes at a time. Whoever takes over notes that in the log and waits
//! until it has read this note: then it has read everything before it, and nobody else writes.

use std::time::Duration;

use eddy_engine::Clock;

use super::entry::Entry;
use super::folded::Folded;
use crate::error::{Error, ErrorKind, Result};
use crate::kafka::{Exclusive, KafkaConfig};

/// How long a worker's own entry may take to come back.
const ECHO: Duration = Duration::from_secs(20);
/// Attempts to write between others that write, too.
const ATTEMPTS: usize = 5;
/// What Connect says when a change was overtaken.
pub(in crate::connect) const STALE: &str = concat!(
    "Cannot complete request momentarily due to stale configuration ",
    "(typically caused by a concurrent config change)"
);

/// An open topic.
pub(in crate::connect) struct TopicLog {
    kafka: KafkaConfig,
    topic: String,
    worker: String,
    clock: Clock,
    writer: Option<Exclusive>,
}

impl TopicLog {
    /// The log in `topic`, to be written by the worker called `worker`.
    pub(super) fn new(kafka: &KafkaConfig, topic: &str, worker: &str, clock: &Clock) -> Self {
        Self {
            kafka: kafka.clone(),
            topic: topic.to_owned(),
            worker: worker.to_owned(),
            clock: clock.clone(),
            writer: None,
        }
    }

    /// Decides by everything that is in the log, and adds what was decided; returns once `folded`
    /// has it. Blocks.
    ///
    /// # Errors
    /// What `decide` refuses; `Fenced` when others changed the log all the while; `Unavailable`
    /// when the entries may not be there.
    pub(super) fn change(&mut self, folded: &Folded, decide: &super::Decide<'_>) -> Result<()> {
        for _ in 0..ATTEMPTS {
            match self.once(folded, decide) {
                Err(error) if error.kind() == ErrorKind::Fenced && self.writer.is_none() => {
                    tracing::debug!(%error, "another worker has changed what should run");
                }
                done => return done,
            }
        }
        Err(Error::new(ErrorKind::Fenced, STALE))
    }

    fn once(&mut self, folded: &Folded, decide: &super::Decide<'_>) -> Result<()> {
        if self.writer.is_none() {
            self.writer = Some(Exclusive::open(&self.kafka, &self.topic, &self.clock)?);
            self.put(folded, &[Entry::writer(&self.worker)])?;
        }
        let entries = folded.read(decide)?;
        self.put(folded, &entries)
    }

    fn put(&mut self, folded: &Folded, entries: &[Entry]) -> Result<()> {
        let Some(writer) = self.writer.as_ref().filter(|_| !entries.is_empty()) else {
            return Ok(());
        };
        let records: Vec<_> = entries
            .iter()
            .map(|entry| (entry.key.clone(), entry.value.clone()))
            .collect();
        let put = writer.put(&records);
        if put.is_err() {
            // Nobody knows what it is in: the next change begins with a new one.
            self.writer = None;
        }
        folded.wait_for(put?, ECHO)
    }
}
