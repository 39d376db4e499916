//! Whether every offset of a topic is accounted exactly once (E1).
//!
//! The broker says where each partition begins and ends, the table what it holds and how far it is.
//! Offsets that are no rows are asked of the broker, raw: control records, aborted transactions and
//! what compaction or retention removed explain a gap; a record that is there does not.

use std::fmt;

use eddy_engine::{Clock, Lake, TablePath};

use crate::error::{Error, ErrorKind, Result};
use crate::kafka::KafkaConfig;

/// What was found, partition by partition.
#[derive(Debug, Clone)]
pub struct VerifyReport {
    /// The topic.
    pub topic: String,
    /// The table's version that was looked at.
    pub version: u64,
    /// The partitions of every incarnation of the topic that the table knows.
    pub partitions: Vec<PartitionReport>,
}

/// One partition of one incarnation of the topic.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PartitionReport {
    /// The topic's id.
    pub topic_id: String,
    /// The partition.
    pub partition: i32,
    /// The first offset that the broker still has; `None` where it has this incarnation no more.
    pub start: Option<i64>,
    /// The table's position: everything below is accounted for, or should be.
    pub position: Option<i64>,
    /// The next offset that the broker will give out.
    pub end: Option<i64>,
    /// The rows, dead letters included.
    pub rows: u64,
    /// The rows that could not be decoded.
    pub dead_letters: u64,
    /// Offsets that are no rows and that the broker explains: control records, aborted
    /// transactions, compacted or expired records.
    pub gaps_explained: u64,
    /// Offsets that the broker has and the table doesn't, half-open.
    pub missing: Vec<(i64, i64)>,
    /// Offsets that the table has more than once, half-open.
    pub doubled: Vec<(i64, i64)>,
    /// Offsets of rows at or beyond the position, half-open: never right.
    pub beyond: Vec<(i64, i64)>,
}

impl VerifyReport {
    /// Every offset below the positions is accounted exactly once, and every partition of the
    /// present incarnation has a position.
    pub fn clean(&self) -> bool {
        self.partitions.iter().all(PartitionReport::clean)
    }
}

impl PartitionReport {
    fn clean(&self) -> bool {
        let known = self.position.is_some() || self.end.is_none_or(|end| end == 0);
        known && self.missing.is_empty() && self.doubled.is_empty() && self.beyond.is_empty()
    }
}

/// Compares the broker's topic with the table.
///
/// # Errors
/// `NotFound` when the topic or the table doesn't exist; `Unavailable` when broker or lake don't
/// answer.
pub async fn verify(
    _lake: &Lake,
    table: &TablePath,
    _kafka: &KafkaConfig,
    _clock: &Clock,
) -> Result<VerifyReport> {
    Err(Error::new(
        ErrorKind::Internal,
        format!("topic `{}` can't be verified", table.topic()),
    ))
}

impl fmt::Display for VerifyReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let clean = if self.clean() { "clean" } else { "NOT clean" };
        writeln!(f, "{}: {clean} at version {}", self.topic, self.version)
    }
}
