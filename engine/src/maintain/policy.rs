//! What is wanted of one table's upkeep: plain data with defaults.

use std::time::Duration;

use crate::commit::GRACE;

/// The upkeep of one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// How small files become large ones; `None` leaves them.
    pub compaction: Option<Compaction>,
    /// Which rows leave the table.
    pub retention: Retention,
    /// How long a version stays readable after a newer one, at least [`GRACE`]. Longer lets queries
    /// and replays go back further, and keeps the bytes that compaction replaced that long.
    pub history: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            compaction: Some(Compaction::default()),
            retention: Retention::default(),
            // Delta's own default for files that were removed.
            history: Duration::from_hours(7 * 24),
        }
    }
}

impl Policy {
    /// How long a version stays readable: never shorter than an upload may take (P10, P14).
    pub(super) fn history(&self) -> Duration {
        self.history.max(GRACE)
    }
}

/// How small files become large ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compaction {
    /// The size of the files that it makes, in bytes. Larger is faster to scan and slower to make.
    pub target_bytes: u64,
    /// Small files of one partition that are worth a rewrite. Fewer make less files and write the
    /// same rows more often.
    pub least_files: usize,
    /// Files younger than this are left alone.
    pub settle: Duration,
    /// A partition without a new file for so long is done: what small files it has are put
    /// together, however few.
    pub quiet: Duration,
}

impl Default for Compaction {
    fn default() -> Self {
        Self {
            target_bytes: 128 << 20,
            least_files: 16,
            settle: Duration::from_mins(5),
            quiet: Duration::from_hours(2),
        }
    }
}

impl Compaction {
    /// Files below this size are worth putting together: two of them fit into one.
    pub(super) fn small_bytes(&self) -> u64 {
        self.target_bytes / 2
    }
}

/// Which rows leave the table, in whole files, the oldest first. `None` keeps them all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Retention {
    /// Files whose newest record is older.
    pub age: Option<Duration>,
    /// What the table's files may have together, in bytes.
    pub bytes: Option<u64>,
}
