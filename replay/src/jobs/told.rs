//! What all replays have to tell about single records: refused ones, and where the others are.

use super::Jobs;
use crate::cell::FOLDER;
use crate::error::Result;
use crate::ledger::{Failure, entries};
use crate::mapping::Run;

/// The most entries that a replay may have to be told.
const ENTRIES_MAX: usize = 1_000_000;

impl Jobs {
    /// The records that a replay's destination refused, by place.
    ///
    /// # Errors
    /// `Unavailable`; `Invalid` when there are more than a million entries.
    pub async fn failures(&self, id: &str) -> Result<Vec<Failure>> {
        Ok(entries(&self.0.store, id, ENTRIES_MAX).await?.failures)
    }

    /// Where the records of a replay came to rest, in the order in which they did; none for
    /// destinations that don't tell.
    ///
    /// # Errors
    /// As [`Jobs::failures`].
    pub async fn landed(&self, id: &str) -> Result<Vec<Run>> {
        Ok(entries(&self.0.store, id, ENTRIES_MAX).await?.runs)
    }

    /// The ids of all replays.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn ids(&self) -> Result<Vec<String>> {
        self.0.store.names(FOLDER).await
    }
}
