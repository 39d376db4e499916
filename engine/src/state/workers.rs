//! Where the live rows of other processes are asked for: an object per worker, put anew all the
//! while, so that its age tells whether the worker still lives.
//!
//! It is the one state that is replaced in place. Nobody decides by it who may write: what is read
//! too early or too late costs freshness, and never a record (P20). A worker that ends in order
//! takes it away; what a dead one left is told as such for a day.

use std::time::Duration;

use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{Error as StoreError, ObjectStoreExt, PutMode, PutPayload};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::lake::Lake;
use crate::path;

/// How often a worker says that it lives.
pub const SAID_EVERY: Duration = Duration::from_secs(10);

/// After this long without a word a worker is away. Clocks of different machines may differ by
/// half a minute.
pub const SILENCE_MAX: Duration = Duration::from_secs(60);

/// A worker that is away for longer is nobody's any more.
const AWAY_MAX: Duration = Duration::from_hours(24);

/// The most workers that are looked at; their objects are small, and read anew every few seconds.
const WORKERS_MAX: usize = 1_000;

/// Objects that are read at once.
const AT_ONCE: usize = 16;

/// Where a worker is reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Announcement {
    /// The worker's id, which outlives its process.
    pub worker: String,
    /// The process: live rows are numbered within it.
    pub process: String,
    /// `host:port` of its Arrow Flight listener.
    pub address: String,
    /// When it last said so, in milliseconds since the epoch.
    pub said_at_ms: i64,
}

impl Announcement {
    /// How long ago the worker said so.
    pub fn age(&self, now_ms: i64) -> Duration {
        let age = now_ms.saturating_sub(self.said_at_ms).max(0);
        Duration::from_millis(u64::try_from(age).unwrap_or(0))
    }
}

/// Says where a worker is reached, as of now.
///
/// # Errors
/// `Invalid` for a name that no object can have; `Unavailable`.
pub async fn announce(lake: &Lake, mut announcement: Announcement) -> Result<()> {
    announcement.said_at_ms = lake.clock().now_us() / 1_000;
    let location = object(lake, &announcement.worker)?;
    let bytes = serde_json::to_vec(&announcement)
        .map_err(|error| Error::internal(format!("an announcement: {error}")))?;
    let body = PutPayload::from(bytes);
    let options = PutMode::Overwrite.into();
    lake.store().put_opts(&location, body, options).await?;
    Ok(())
}

/// Takes back what this process said; what another one said under the same name stays.
///
/// # Errors
/// `Unavailable`.
pub async fn withdraw(lake: &Lake, worker: &str, process: &str) -> Result<()> {
    let location = object(lake, worker)?;
    match read(lake, &location).await? {
        Some(said) if said.process == process => remove(lake, &location).await,
        _ => Ok(()),
    }
}

/// What all workers of the lake said last, by name. Those that nobody heard of for a day are not
/// among them, and their objects go.
///
/// # Errors
/// `Unavailable`.
pub async fn announced(lake: &Lake) -> Result<Vec<Announcement>> {
    let now_ms = lake.clock().now_us() / 1_000;
    let listed = lake.store().list(Some(&path::workers(lake.root())));
    let listed: Vec<_> = listed.take(WORKERS_MAX).try_collect().await?;
    let reads = listed.into_iter().map(|object| async move {
        let said = read(lake, &object.location).await?;
        Ok::<_, Error>(said.map(|said| (object.location, said)))
    });
    let reads: Vec<_> = reads.collect();
    let found = futures::stream::iter(reads).buffered(AT_ONCE);
    let found: Vec<Option<(Path, Announcement)>> = found.try_collect().await?;
    let mut announced = Vec::new();
    for (location, said) in found.into_iter().flatten() {
        if said.age(now_ms) <= AWAY_MAX {
            announced.push(said);
        } else if let Err(error) = remove(lake, &location).await {
            tracing::debug!(%location, %error, "a dead worker's object stays for now");
        }
    }
    announced.sort_by(|one, other| one.worker.cmp(&other.worker));
    Ok(announced)
}

fn object(lake: &Lake, worker: &str) -> Result<Path> {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || letter == '-';
    if worker.is_empty() || !worker.chars().all(plain) {
        return Err(Error::invalid(format!("`{worker}` is no name of a worker")));
    }
    Ok(path::worker(lake.root(), worker))
}

/// `None` where nothing is, or something that this version doesn't understand.
async fn read(lake: &Lake, location: &Path) -> Result<Option<Announcement>> {
    let bytes = match lake.store().get(location).await {
        Ok(found) => found.bytes().await?,
        Err(StoreError::NotFound { .. }) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let said = serde_json::from_slice(&bytes);
    Ok(said
        .inspect_err(|error| tracing::debug!(%location, %error, "no announcement of a worker"))
        .ok())
}

async fn remove(lake: &Lake, location: &Path) -> Result<()> {
    match lake.store().delete(location).await {
        Ok(()) | Err(StoreError::NotFound { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::clock::Clock;
    use crate::testing::{disk_lake, memory_lake};

    fn said(worker: &str, process: u32, address: &str) -> Announcement {
        Announcement {
            worker: worker.to_owned(),
            process: process.to_string(),
            address: address.to_owned(),
            said_at_ms: 0,
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_a_worker_said_last_counts_and_only_its_own_process_takes_it_back() {
        let folder = tempfile::tempdir().unwrap();
        for lake in [
            memory_lake(Clock::system()),
            disk_lake(folder.path(), Clock::system()),
        ] {
            assert_eq!(announced(&lake).await.unwrap(), []);
            announce(&lake, said("a", 1, "h:1")).await.unwrap();
            announce(&lake, said("b", 2, "h:2")).await.unwrap();
            // The same worker, started again.
            announce(&lake, said("a", 3, "h:3")).await.unwrap();
            withdraw(&lake, "a", "1").await.unwrap();
            let all = announced(&lake).await.unwrap();
            let addresses: Vec<&str> = all.iter().map(|one| one.address.as_str()).collect();
            assert_eq!(addresses, ["h:3", "h:2"]);
            withdraw(&lake, "a", "3").await.unwrap();
            withdraw(&lake, "a", "3").await.unwrap();
            assert_eq!(announced(&lake).await.unwrap().len(), 1);
            assert!(announce(&lake, said("../x", 4, "h:4")).await.is_err());
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_worker_that_is_silent_grows_old_and_after_a_day_its_object_goes() {
        let clock = Clock::manual(0);
        let lake = memory_lake(clock.clone());
        announce(&lake, said("a", 1, "h:1")).await.unwrap();
        clock.advance(AWAY_MAX);
        let all = announced(&lake).await.unwrap();
        let age = all.first().unwrap().age(clock.now_us() / 1_000);
        assert_eq!(age, AWAY_MAX);
        clock.advance(Duration::from_millis(1));
        assert_eq!(announced(&lake).await.unwrap(), []);
        let object = path::worker(lake.root(), "a");
        assert!(read(&lake, &object).await.unwrap().is_none());
    }
}
