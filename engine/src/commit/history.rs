//! What was committed when, for `inspect`, `verify` and the invariants.

use uuid::Uuid;

use crate::commit::actions::{self, Actions, MovedRange};
use crate::commit::log::TableLog;
use crate::error::Result;

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
