//! What was committed when, for `inspect`, `verify` and the invariants.

use std::collections::BTreeSet;

use uuid::Uuid;

use crate::commit::actions::{self, Actions, MovedRange};
use crate::commit::log::TableLog;
use crate::error::Result;
use crate::lake::Lake;
use crate::path::TablePath;

/// Commits that are looked at first; twice as many each time until they reach far enough back.
const COMMITS: usize = 512;

/// A committer's clock may be this much behind the one that wrote what its commit explains.
const SKEW_MS: i64 = 600_000;

/// One version of a table's history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// The version.
    pub version: u64,
    /// Milliseconds since the Unix epoch, by the committer's clock.
    pub timestamp_ms: Option<i64>,
    /// What made it: `append`, `reserve`, ... or what another tool says.
    pub operation: String,
    /// The id of our commit; `None` when another tool made it.
    pub id: Option<Uuid>,
    /// The ranges of offsets that it took.
    pub moves: Vec<MovedRange>,
    /// The files that it added.
    pub files_added: usize,
    /// The rows in them, where there are statistics.
    pub rows_added: u64,
    /// The files that it removed.
    pub files_removed: usize,
    /// Whether it changed the columns or properties.
    pub metadata_changed: bool,
}

impl TableLog {
    /// The newest `most` versions, newest first, as far as the log hasn't been cleaned.
    ///
    /// # Errors
    /// `Unavailable`; `Data` for a commit that can't be read.
    pub fn history(&self, most: usize) -> Result<Vec<Version>> {
        let mut versions = Vec::new();
        for version in (0..=self.version()).rev().take(most) {
            let Some(bytes) = actions::read(&self.lake, &self.table, version)? else {
                break;
            };
            versions.push(describe(version, Actions::parse(&bytes)?));
        }
        Ok(versions)
    }

    /// The versions since a moment in milliseconds since the Unix epoch and one before it, newest
    /// first, as far as the log hasn't been cleaned.
    ///
    /// # Errors
    /// As [`TableLog::history`].
    pub(crate) fn back_to(&self, ms: i64) -> Result<Vec<Version>> {
        let mut most = COMMITS;
        loop {
            let history = self.history(most)?;
            let reached = history.last().and_then(|oldest| oldest.timestamp_ms);
            let before = ms.saturating_sub(SKEW_MS);
            if history.len() < most || reached.is_some_and(|reached| reached < before) {
                return Ok(history);
            }
            most *= 2;
        }
    }
}

/// The commits that a log is known to have, as far back as it was read.
#[derive(Debug, Default)]
pub(crate) struct Commits {
    ids: BTreeSet<Uuid>,
    /// Older ones may have been cleaned away, in milliseconds since the Unix epoch.
    since_ms: i64,
}

impl Commits {
    /// The commits of `table` since a moment, as of now.
    ///
    /// # Errors
    /// As [`TableLog::history`].
    pub(crate) fn since(lake: &Lake, table: &TablePath, ms: i64) -> Result<Self> {
        let Some(log) = TableLog::open(lake, table)? else {
            return Ok(Self::default());
        };
        let history = log.back_to(ms)?;
        let ids = history.iter().filter_map(|version| version.id).collect();
        let oldest = history.last();
        let since_ms = match oldest {
            Some(oldest) if oldest.version > 0 => oldest.timestamp_ms.unwrap_or(i64::MAX),
            _ => i64::MIN,
        };
        Ok(Self { ids, since_ms })
    }

    /// Whether the commit `id`, which was begun at a moment, is in the log; `None` where nobody can
    /// tell any more.
    pub(crate) fn have(&self, id: Uuid, begun_ms: i64) -> Option<bool> {
        match self.ids.contains(&id) {
            true => Some(true),
            false => (self.since_ms <= begun_ms.saturating_sub(SKEW_MS)).then_some(false),
        }
    }
}

fn describe(version: u64, actions: Actions) -> Version {
    Version {
        version,
        timestamp_ms: actions.timestamp_ms,
        operation: actions.operation.unwrap_or_default(),
        id: actions.id,
        moves: actions.moved,
        files_added: actions.adds.len(),
        rows_added: actions.adds.iter().map(|add| add.rows).sum(),
        files_removed: actions.removes.len(),
        metadata_changed: actions.metadata.is_some(),
    }
}
