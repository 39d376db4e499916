//! What is stored beside a replay for people and programs: the records that its destination
//! refused, and where the others came to rest.
//!
//! It is stored before the marks that pass over it, so that no mark hides a failure (P23). A crash
//! in between leaves entries that the next worker makes again: of several about one record the last
//! holds. What is stored at once is an object of its own, made once; many of them become one
//! (`fold`), since a replay that goes on for days would leave one for each of its seconds.

use std::sync::Arc;

use eddy_engine::Clock;
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::mapping::Run;
use crate::store::Store;

mod fold;
mod folds;
mod looks;
mod read;

pub(crate) use self::looks::Looks;
pub(crate) use self::read::entries;

/// The folder of all replays' entries.
const FOLDER: &str = "replay_records";

/// Entries that wait to be stored; more end the attempt, since the store is away.
const WAITING_MAX: usize = 20_000;

/// A record that the destination refused for good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The source topic.
    pub topic: String,
    /// Kafka's id of it.
    pub topic_id: String,
    /// The source partition.
    pub partition: i32,
    /// The source offset.
    pub offset: i64,
    /// The record's timestamp, milliseconds since the Unix epoch.
    pub timestamp_ms: Option<i64>,
    /// Why it was refused.
    pub error: String,
    /// The destination that took it instead.
    pub dead_letter: Option<String>,
    /// When, microseconds since the Unix epoch.
    pub failed_us: i64,
}

/// What came together between two stores of a replay's progress.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entries {
    #[serde(default)]
    pub(crate) failures: Vec<Failure>,
    #[serde(default)]
    pub(crate) runs: Vec<Run>,
}

impl Entries {
    fn len(&self) -> usize {
        self.failures.len() + self.runs.len()
    }
}

/// The entries of one replay, as its worker stores them.
pub(crate) struct Ledger {
    store: Store,
    replay: String,
    looks: Arc<Looks>,
    /// What is being stored, under its name: a put that wasn't answered is repeated as it was.
    storing: Option<(String, Entries)>,
}

impl Ledger {
    pub(crate) fn new(store: Store, replay: &str, looks: Arc<Looks>) -> Self {
        Self {
            store,
            replay: replay.to_owned(),
            looks,
            storing: None,
        }
    }

    /// Stores what came together since, under the new name `name`.
    ///
    /// # Errors
    /// `Unavailable` when it may or may not be stored: the next call settles it.
    pub(crate) async fn store(
        &mut self,
        take: impl FnOnce() -> Entries,
        name: impl FnOnce() -> String,
    ) -> Result<()> {
        self.settle().await?;
        let entries = take();
        if entries.len() > 0 {
            self.storing = Some((name(), entries));
        }
        self.settle().await
    }

    /// Folds what is stored, where that is much. Only who has just stored the replay's progress
    /// does it (P23); what fails is done later.
    pub(crate) async fn fold_if_due(&self, clock: &Clock) {
        if !self.looks.are_due() {
            return;
        }
        self.looks.looked();
        let folded = Box::pin(fold::fold(&self.store, clock, &self.replay));
        if let Err(error) = folded.await {
            tracing::info!(replay = self.replay, %error, "its entries are put together later");
        }
    }

    /// Whether more waits than may: `waiting` entries besides what is being stored.
    pub(crate) fn is_full(&self, waiting: usize) -> bool {
        let storing = self.storing.as_ref();
        waiting + storing.map_or(0, |(_, entries)| entries.len()) > WAITING_MAX
    }

    async fn settle(&mut self) -> Result<()> {
        if let Some((name, entries)) = &self.storing {
            let folder = folder(&self.replay);
            self.store.record(&folder, name, entries).await?;
            self.looks.stored();
        }
        self.storing = None;
        Ok(())
    }
}

fn folder(replay: &str) -> String {
    format!("{FOLDER}/{replay}")
}

#[cfg(test)]
mod tests;
