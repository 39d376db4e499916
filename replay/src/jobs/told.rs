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
        let mut failures = Vec::new();
        for sender in self.0.senders(id).await? {
            let most = ENTRIES_MAX.saturating_sub(failures.len());
            failures.extend(entries(&self.0.store, &sender, most).await?.failures);
        }
        failures.sort_by(|one, other| place(one).cmp(&place(other)));
        Ok(failures)
    }

    /// Where the records of a replay came to rest, in the order in which those of a source
    /// partition did; none for destinations that don't tell.
    ///
    /// # Errors
    /// As [`Jobs::failures`].
    pub async fn landed(&self, id: &str) -> Result<Vec<Run>> {
        let mut runs = Vec::new();
        for sender in self.0.senders(id).await? {
            let most = ENTRIES_MAX.saturating_sub(runs.len());
            runs.extend(entries(&self.0.store, &sender, most).await?.runs);
        }
        Ok(runs)
    }

    /// The ids of all replays.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn ids(&self) -> Result<Vec<String>> {
        self.0.store.names(FOLDER).await
    }
}

fn place(one: &Failure) -> (&str, i32, i64) {
    (one.topic_id.as_str(), one.partition, one.offset)
}
