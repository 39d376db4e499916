//! What is stored beside a replay for people and programs: the records that its destination
//! refused, and where the others came to rest.
//!
//! It is stored before the marks that pass over it, so that no mark hides a failure (P23). A crash
//! in between leaves entries that the next worker makes again: of several about one record the last
//! holds. Each object is made once, in a register of its own below the replay's.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::mapping::Run;
use crate::store::Store;

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
    folder: String,
    /// What is being stored, under its name: a put that wasn't answered is repeated as it was.
    storing: Option<(String, Entries)>,
}

impl Ledger {
    pub(crate) fn new(store: Store, replay: &str) -> Self {
        Self {
            store,
            folder: folder(replay),
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

    /// Whether more waits than may: `waiting` entries besides what is being stored.
    pub(crate) fn is_full(&self, waiting: usize) -> bool {
        let storing = self.storing.as_ref();
        waiting + storing.map_or(0, |(_, entries)| entries.len()) > WAITING_MAX
    }

    async fn settle(&mut self) -> Result<()> {
        if let Some((name, entries)) = &self.storing {
            let register = format!("{}/{name}", self.folder);
            self.store.write(&register, 0, entries).await?;
        }
        self.storing = None;
        Ok(())
    }
}

/// All entries of a replay, in the order in which they were stored; at most `most` of them.
///
/// # Errors
/// `Unavailable`; `Invalid` when there are more.
pub(crate) async fn entries(store: &Store, replay: &str, most: usize) -> Result<Entries> {
    let folder = folder(replay);
    let mut all = Entries::default();
    for name in store.names(&folder).await? {
        let found = store.latest::<Entries>(&format!("{folder}/{name}")).await?;
        let (_, found) = found.unwrap_or_default();
        all.failures.extend(found.failures);
        all.runs.extend(found.runs);
        if all.len() > most {
            return Err(Error::invalid(format!(
                "replay `{replay}` has more than {most} entries"
            )));
        }
    }
    Ok(all)
}

/// The last that is said of each record.
pub(crate) fn last_of_each(failures: Vec<Failure>) -> Vec<Failure> {
    let place = |one: &Failure| (one.topic_id.clone(), one.partition, one.offset);
    let by_place: std::collections::BTreeMap<_, _> = failures
        .into_iter()
        .map(|failure| (place(&failure), failure))
        .collect();
    by_place.into_values().collect()
}

fn folder(replay: &str) -> String {
    format!("{FOLDER}/{replay}")
}
