//! Where a replay's rows come from: a small trait that the binary implements with the query crate,
//! so that a replay can be taken up again after a restart without knowing SQL.

use std::collections::BTreeMap;

use arrow::record_batch::RecordBatch;
use async_trait::async_trait;
use eddy_engine::{Lake, TopicId};
use futures::stream::BoxStream;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::request::Payload;

/// The last offset, per topic id and partition, that needs no more sending: rows *beyond* it
/// (`_offset` greater than it) are still to come.
pub type After = BTreeMap<(TopicId, i32), i64>;

/// The rows of a SELECT.
#[async_trait]
pub trait RowSource: Send + Sync + 'static {
    /// What `select` would replay: counted on committed rows only, of the table's newest version
    /// or of `version`. Without `payload` its select list says what the value is made of. Bytes are
    /// measured only if asked for, since all keys and values are read for it.
    ///
    /// # Errors
    /// `Invalid` when the text can't be replayed (a join that multiplies, an aggregate, ...).
    async fn plan(
        &self,
        select: &str,
        payload: Option<Payload>,
        version: Option<u64>,
        measured: bool,
    ) -> Result<SourcePlan>;

    /// The committed rows of the pinned version beyond `after`, in the order of `sequence`, with
    /// the columns `_topic`, `_topic_id`, `_partition`, `_offset`, `_timestamp`,
    /// `_timestamp_type`, `_key`, `_value`, `_headers`, and one more for each part of what goes out
    /// that the select list sets: `_set_key`, `_set_value`, `_set_headers`, `_set_partition`,
    /// `_set_timestamp`.
    fn rows(
        &self,
        pinned: &Pinned,
        after: After,
        sequence: Sequence,
    ) -> BoxStream<'static, Result<RecordBatch>>;

    /// Every table that the rows are made of, with the version that is read of it.
    ///
    /// # Errors
    /// `NotFound` when a table is gone; `Invalid` as for a plan.
    async fn tables(&self, pinned: &Pinned) -> Result<Vec<PinnedTable>>;

    /// The newest version of the table that `pinned` reads.
    ///
    /// # Errors
    /// `NotFound` when the table is gone; `Unavailable`.
    async fn newest(&self, pinned: &Pinned) -> Result<u64> {
        Ok(pinned.version)
    }

    /// Asks whether something holds: a query of one row and one column.
    ///
    /// # Errors
    /// `Invalid` when it is none; `Unavailable` when it can't be answered now.
    async fn ask(&self, sql: &str) -> Result<Answered> {
        Err(Error::invalid(format!("nobody answers `{sql}` here")))
    }

    /// Takes `SELECT ... INTO destination ... WITH (...)` apart, for `POST /api/v1/replays` with
    /// the whole statement.
    ///
    /// # Errors
    /// `Invalid` when the text is no such statement.
    async fn statement(&self, sql: &str) -> Result<Statement> {
        let _ = sql;
        Err(Error::invalid("`sql` must come with `destination` here")
            .with_hint("send {\"select\": ..., \"destination\": ..., \"options\": {...}}"))
    }
}

/// Which of the rows of several partitions comes first. Those of one partition always come in the
/// order of their offsets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sequence {
    /// One partition after the other; of large tables only within parts of them.
    Partitions,
    /// One row of each partition, then the next one of each; likewise.
    Turns,
    /// The row with the earliest time among those that are next in their partitions.
    Time,
}

/// What a query answered that was asked whether something holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// Whether its only value is true.
    pub holds: bool,
    /// What it answered, for people.
    pub saw: String,
}

/// A SELECT, bound to what it read when it was planned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pinned {
    /// The SELECT's text as the plan gave it: the same rows at any time.
    pub select: String,
    /// The table it reads.
    pub table: String,
    /// The table's version it reads.
    pub version: u64,
    /// What the value is to be made of; `None`: as the select list says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<Payload>,
}

/// A table as a replay reads it.
#[derive(Debug, Clone)]
pub struct PinnedTable {
    /// Its lake, if it isn't that of the replays: one that a connector has for itself.
    pub lake: Option<Lake>,
    /// The folder of the lake that has the table.
    pub topics_dir: String,
    /// Its topic.
    pub topic: String,
    /// The version.
    pub version: u64,
}

/// What a SELECT would replay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourcePlan {
    /// The text to run from now on: as asked for, with `now()` frozen (P23).
    pub select: String,
    /// The table, as SQL names it.
    pub table: String,
    /// The version that was counted, and is pinned when the replay starts.
    pub version: u64,
    /// How many records.
    pub records: u64,
    /// Bytes of their keys and values, where they were measured.
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
    /// What the value that goes out is made of.
    #[serde(default)]
    pub payload: Payload,
    /// The parts of the record that the select list sets, as `_key`.
    #[serde(default)]
    pub sets: Vec<String>,
}

/// How many records of a plan come from one source partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionCount {
    /// The topic; empty in plans of earlier versions.
    #[serde(default)]
    pub topic: String,
    /// Kafka's id of the topic.
    pub topic_id: String,
    /// The partition.
    pub partition: i32,
    /// How many records.
    pub records: u64,
}

/// A `SELECT ... INTO` statement, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// The SELECT without INTO and WITH.
    pub select: String,
    /// The destination's name.
    pub destination: String,
    /// What stands in WITH.
    pub options: BTreeMap<String, String>,
}
