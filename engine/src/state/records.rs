//! Objects of a folder that are each made once under a name of their own, until others stand for
//! them and they go. Which stand for which is their owner's to say.
//!
//! Whoever reads lists them first. One that is gone when it is read has been replaced meanwhile,
//! and a new look finds what by.

use std::sync::Arc;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{Error as StoreError, ObjectStoreExt};

use super::once;
use crate::error::{Error, Result};
use crate::lake::Lake;

/// Removals that are under way at once.
const AT_ONCE: usize = 16;

/// What the name of every record's object ends with.
const ENDING: &str = ".json";

/// The records of one folder below `_eddy/`. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Records {
    lake: Lake,
    folder: String,
}

/// A record that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its name in the folder.
    pub name: String,
    /// How many bytes it has.
    pub bytes: u64,
}

impl Records {
    /// The records in `folder` (`replay_records/7f3c`) of `lake`. Nothing is read or made.
    pub fn new(lake: &Lake, folder: impl Into<String>) -> Self {
        Self {
            lake: lake.clone(),
            folder: folder.into(),
        }
    }

    /// Makes the record `name`, which nobody else makes; again is harmless.
    ///
    /// # Errors
    /// `Unavailable` when it may not be there: call again.
    pub async fn put(&self, name: &str, bytes: Bytes) -> Result<()> {
        once::create(&self.lake, &self.location(name), bytes).await
    }

    /// What there is, by name.
    ///
    /// # Errors
    /// `Unavailable`; `Data` for an object that is no record.
    pub async fn list(&self) -> Result<Vec<Listed>> {
        let folder = self.lake.state(&self.folder);
        let objects: Vec<_> = self.lake.store().list(Some(&folder)).try_collect().await?;
        let mut listed = Vec::with_capacity(objects.len());
        for object in objects {
            let name = name(&folder, &object.location).ok_or_else(|| {
                Error::data(format!(
                    "`{}` is no record of Eddy; remove it",
                    object.location
                ))
            })?;
            listed.push(Listed {
                name,
                bytes: object.size,
            });
        }
        listed.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        Ok(listed)
    }

    /// What the record `name` says; `None` when it isn't there (any more).
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn get(&self, name: &str) -> Result<Option<Bytes>> {
        match self.lake.store().get(&self.location(name)).await {
            Ok(found) => Ok(Some(found.bytes().await?)),
            Err(StoreError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Removes records that others stand for. What can't be removed now is listed again.
    pub async fn remove(&self, names: &[String]) {
        let removals = names.iter().map(|name| {
            let (store, location) = (Arc::clone(self.lake.store()), self.location(name));
            async move {
                match store.delete(&location).await {
                    // Another one was quicker.
                    Ok(()) | Err(StoreError::NotFound { .. }) => {}
                    Err(error) => tracing::debug!(%location, %error, "a record stays for now"),
                }
            }
        });
        let removals: Vec<_> = removals.collect();
        let removals = futures::stream::iter(removals).buffer_unordered(AT_ONCE);
        removals.collect::<Vec<()>>().await;
    }

    fn location(&self, name: &str) -> Path {
        self.lake.state(&format!("{}/{name}{ENDING}", self.folder))
    }
}

/// The name of the record at `location`: its place below `folder`, which may have folders, too.
fn name(folder: &Path, location: &Path) -> Option<String> {
    let parts: Vec<_> = location.prefix_match(folder)?.collect();
    let parts: Vec<&str> = parts.iter().map(AsRef::as_ref).collect();
    Some(parts.join("/").strip_suffix(ENDING)?.to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::clock::Clock;
    use crate::testing::{disk_lake, memory_lake};

    #[tokio::test(flavor = "multi_thread")]
    async fn records_are_listed_by_name_read_and_removed_until_none_is_left() {
        let folder = tempfile::tempdir().unwrap();
        for lake in [
            memory_lake(Clock::system()),
            disk_lake(folder.path(), Clock::system()),
        ] {
            let records = Records::new(&lake, "replay_records/a");
            assert_eq!(records.list().await.unwrap(), []);
            records.put("b", "two".into()).await.unwrap();
            records.put("b", "two".into()).await.unwrap();
            records.put("a/0", "one".into()).await.unwrap();
            let other = Records::new(&lake, "replay_records/ab");
            other.put("c", "three".into()).await.unwrap();
            let listed = |name: &str| Listed {
                name: name.to_owned(),
                bytes: 3,
            };
            let both = [listed("a/0"), listed("b")];
            assert_eq!(records.list().await.unwrap(), both);
            assert_eq!(records.get("a/0").await.unwrap(), Some("one".into()));
            let names = ["a/0", "b", "never"].map(str::to_owned);
            records.remove(&names).await;
            records.remove(&names).await;
            assert_eq!(records.list().await.unwrap(), []);
            assert_eq!(records.get("b").await.unwrap(), None);
            assert_eq!(other.list().await.unwrap().len(), 1);
        }
    }
}
