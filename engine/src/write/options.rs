//! What a table's writer is told and what it answers: plain data.

use std::sync::Arc;
use std::time::Duration;

use crate::budget::Budget;
use crate::elide::Raw;
use crate::layout::Layout;
use crate::partition::Partitioning;
use crate::path::TablePath;
use crate::record::TopicId;
use crate::redact::Redaction;
use crate::schema::{Detect, Limits};
use crate::seal::Key;
use crate::shred::Converter;
use crate::write::cut::CutPolicy;

/// What a [`super::TableWriter`] writes, for whom, and how often it cuts.
#[derive(Debug, Clone)]
pub struct WriterOptions {
    /// The table's place in the lake.
    pub table: TablePath,
    /// The topic's name, as it lands in `_topic`.
    pub topic: String,
    /// The topic's id (P1); a writer never mixes two incarnations of a topic.
    pub topic_id: TopicId,
    /// The connector that owns the table (P2).
    pub owner: String,
    /// Which values are taken for JSON.
    pub converter: Converter,
    /// Whether records keep their text where their columns say it all. Eliding makes files smaller
    /// and takes readers other than Eddy `_value` away.
    pub raw: Raw,
    /// What records lose before anything of them lands, if the table has such rules.
    pub redaction: Option<Arc<Redaction>>,
    /// What the table's files are sealed with; `None` writes them in plain. A table that was sealed
    /// once stays so.
    pub key: Option<Key>,
    /// What is looked for in strings. Columns of moments and decimals compare and prune as such,
    /// but say nothing of how the text was written; that stays in `_value`.
    pub detect: Detect,
    /// How wide and deep the table's columns may grow.
    pub limits: Limits,
    /// How the table's files are partitioned; fixed when the table is made.
    pub partitioning: Arc<Partitioning>,
    /// Whose habits the files follow. In a foreign layout the table has no partition columns.
    pub layout: Layout,
    /// When a cut comes.
    pub cut: CutPolicy,
    /// How long the background commit waits between attempts while the store does not answer.
    pub retry: Retry,
    /// The worker's memory budget; the writers of one worker share it.
    pub budget: Arc<Budget>,
}

impl WriterOptions {
    /// The defaults for `topic`, with a memory budget of its own without limit.
    pub fn new(
        table: TablePath,
        topic: impl Into<String>,
        topic_id: TopicId,
        owner: impl Into<String>,
    ) -> Self {
        Self {
            table,
            topic: topic.into(),
            topic_id,
            owner: owner.into(),
            converter: Converter::default(),
            raw: Raw::default(),
            redaction: None,
            key: None,
            detect: Detect::default(),
            limits: Limits::default(),
            partitioning: Arc::default(),
            layout: Layout::default(),
            cut: CutPolicy::default(),
            retry: Retry::default(),
            budget: Budget::unlimited(),
        }
    }
}

/// The back-off of the background commit: doubled after each failure, each wait drawn at random
/// between half of it and all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// The first wait. Shorter finds a store sooner that only hiccuped, and hits it more often.
    pub first: Duration,
    /// The longest wait, which bounds how late a store that came back is noticed.
    pub most: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            first: Duration::from_millis(100),
            most: Duration::from_secs(5),
        }
    }
}

/// Where a partition begins that the table does not know yet (P3); resolved by the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Start {
    /// The first offset to read.
    pub offset: i64,
    /// The leader epoch at that offset, where it is known.
    pub leader_epoch: Option<i32>,
}

impl Start {
    /// A start whose leader epoch is not known.
    pub fn at(offset: i64) -> Self {
        Self {
            offset,
            leader_epoch: None,
        }
    }
}

/// A partition whose position a commit has moved: everything below `offset` is in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CommittedRange {
    /// The Kafka partition.
    pub partition: i32,
    /// The next offset, ready to be committed for the consumer group.
    pub offset: i64,
}

/// What became of the partitions that a writer gave up (P7).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Released {
    /// What was committed meanwhile, of any partition, as `poll` would have answered it.
    pub committed: Vec<CommittedRange>,
    /// Partitions that the writer keeps and whose buffered rows it had to drop: seek the consumer
    /// to these offsets before the next append, and say so by
    /// [`TableWriter::sought`](crate::write::TableWriter::sought).
    pub rewind: Vec<(i32, i64)>,
    /// Released partitions of which something was dropped instead of committed: their next owner
    /// reads it again from the table's position.
    pub dropped: Vec<i32>,
}

/// A commit that the store has not answered for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stall {
    /// When its first attempt failed, in microseconds since the Unix epoch.
    pub since_us: i64,
    /// The attempts that failed so far.
    pub attempts: u32,
    /// What the last one said.
    pub message: String,
}
