//! What one commit takes: files, and the positions that they bring the table to. Plain data.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use crate::error::{Error, Result};
use crate::record::{Position, TopicId};

/// How long an object that the log doesn't name may still be somebody's upload in progress. What
/// deletes objects waits at least this long, and a commit refuses files half as old (P14).
pub const GRACE: Duration = Duration::from_hours(24);

/// Half of it, as messages say it.
const HALF_HOURS: u64 = GRACE.as_secs() / 7_200;

/// One commit's content (P6). Its id stands for the content: the same id is the same cut, however
/// often it is committed (P9).
#[derive(Debug, Clone)]
pub struct Cut {
    /// Names this cut in the table's history.
    pub id: Uuid,
    /// When it was planned, in microseconds since the Unix epoch: what is written for it before it
    /// is committed, objects and records, counts as left over once it is old (P14).
    pub begun_us: i64,
    /// The files that become part of the table; none is fine.
    pub files: Vec<DataFile>,
    /// Objects that come with it and are no files of the table: they hold their rows in a format
    /// that its readers don't know. A record named by the id says which they are.
    pub apart: Vec<DataFile>,
    /// The positions that move, at most one per partition.
    pub moves: Vec<Move>,
    /// The files that stop being part of the table, when this is a rewrite (P15).
    pub rewrite: Option<Rewrite>,
    /// What made the cut, for people who read the history.
    pub operation: &'static str,
}

/// The files that a cut takes out of the table. It only becomes a version while each of them is
/// still live with the same add (P15): two that rewrite the same rows would double them.
#[derive(Debug, Clone)]
pub struct Rewrite {
    /// The files, as the version `planned_at` has them.
    pub removes: Vec<Arc<DataFile>>,
    /// The version in which they were found live.
    pub planned_at: u64,
    /// Rows leave the table (retention, erasure); else the same rows are stored otherwise, and
    /// whoever follows the table's changes sees none.
    pub data_change: bool,
}

/// A position moving forward or being made; backwards only by hand (P5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Move {
    /// The topic's id (P1).
    pub topic_id: TopicId,
    /// The Kafka partition.
    pub partition: i32,
    /// Where the writer last saw the position; `None` when the table doesn't know the partition
    /// yet, which makes this its base (P3). The fence (P8) compares it.
    pub from: Option<Position>,
    /// The next offset: every record below it is in the table after this commit.
    pub to: i64,
    /// Whether the epoch is raised, so that whoever saw the one before can't commit any more.
    pub raise: bool,
    /// The position is altered by hand: the table points at the record of it, which is named by the
    /// cut's id and was written before (P5, [`crate::read::altered`]).
    pub altered: bool,
    /// The broker's leader epoch of the last record, where it is known.
    pub leader_epoch: Option<i32>,
}

impl Move {
    /// The position after the move. The epoch stays where this is a move forward by a commit (E3).
    pub fn target(&self) -> Position {
        Position {
            offset: self.to,
            epoch: self.from.map_or(0, |from| from.epoch) + i64::from(self.raise),
            leader_epoch: match self.altered {
                // That of a record before the offset says nothing of where it was put.
                true => self.leader_epoch,
                false => self
                    .leader_epoch
                    .or(self.from.and_then(|from| from.leader_epoch)),
            },
        }
    }
}

/// One Parquet file of a table.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DataFile {
    /// Relative to the table's folder, such as `dt=2026-11-23/<uuid>.parquet`, or the URL of a file
    /// that isn't below it; not URL-encoded.
    pub path: String,
    /// The object's size in bytes.
    pub size: u64,
    /// Milliseconds since the Unix epoch at which its upload began.
    pub modified_ms: i64,
    /// The values of the partition columns, which aren't in the file.
    pub partition_values: BTreeMap<String, Option<String>>,
    /// The rows; only known where there are statistics.
    pub rows: u64,
    /// Delta's statistics as JSON text; empty when there are none, as after someone else's
    /// rewrite (P22).
    pub stats_json: String,
}

/// A commit that is in the table for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Committed {
    /// The table's version that holds it.
    pub version: u64,
}

impl Cut {
    /// What must be true of every cut, whatever the table looks like.
    ///
    /// # Errors
    /// `Internal` for a position that goes backwards (E3) or is named twice and for a rewrite that
    /// isn't one, `Invalid` for a file whose upload began too long ago and for a cut that was
    /// planned too long ago (P14).
    pub(super) fn check(&self, now_ms: i64) -> Result<()> {
        self.check_rewrite()?;
        let mut seen = BTreeSet::new();
        for moved in &self.moves {
            let key = (&moved.topic_id, moved.partition);
            if !seen.insert(key) {
                return Err(Error::internal(format!(
                    "the cut moves partition `{}` of topic `{}` twice",
                    moved.partition, moved.topic_id
                )));
            }
            let back = moved.from.is_some_and(|from| moved.to < from.offset);
            if moved.to < 0 || back && !(moved.raise && moved.altered) {
                return Err(Error::internal(format!(
                    "the cut moves partition `{}` of topic `{}` backwards, to `{}` (E3)",
                    moved.partition, moved.topic_id, moved.to
                )));
            }
        }
        if let Some(file) = self.old_file(now_ms) {
            return Err(Error::invalid(format!(
                "the upload of `{}` began more than {HALF_HOURS} hours ago: it may have been \
                 removed as an orphan meanwhile; write its rows anew (P14)",
                file.path,
            )));
        }
        match is_old(self.begun_us / 1_000, now_ms) {
            true => Err(Error::invalid(format!(
                "the commit was begun more than {HALF_HOURS} hours ago: what was recorded for it \
                 may have been removed as left over meanwhile; plan it anew (P14)"
            ))),
            false => Ok(()),
        }
    }

    /// Whether [`Cut::check`] refuses it for its age.
    pub(crate) fn is_too_old(&self, now_ms: i64) -> bool {
        self.old_file(now_ms).is_some() || is_old(self.begun_us / 1_000, now_ms)
    }

    fn old_file(&self, now_ms: i64) -> Option<&DataFile> {
        let mut uploaded = self.files.iter().chain(&self.apart);
        uploaded.find(|file| is_old(file.modified_ms, now_ms))
    }

    /// Invariant 4: the same rows stored otherwise are as many as they were.
    fn check_rewrite(&self) -> Result<()> {
        let Some(rewrite) = self.rewrite.as_ref().filter(|rewrite| !rewrite.data_change) else {
            return Ok(());
        };
        let before: u64 = rewrite.removes.iter().map(|file| file.rows).sum();
        let after: u64 = self.files.iter().map(|file| file.rows).sum();
        if before == after {
            return Ok(());
        }
        Err(Error::internal(format!(
            "a rewrite has `{after}` rows and its input `{before}`; nothing was changed"
        )))
    }
}

/// What began so long ago may be gone as somebody's left-over.
fn is_old(begun_ms: i64, now_ms: i64) -> bool {
    let half_ms = i64::try_from(GRACE.as_millis() / 2).unwrap_or(i64::MAX);
    now_ms.saturating_sub(begun_ms) > half_ms
}
