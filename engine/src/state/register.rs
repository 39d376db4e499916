//! One thing's numbered objects.

use bytes::Bytes;
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{Error as StoreError, ObjectStoreExt, PutMode, PutPayload};

use crate::error::{Error, Result};
use crate::lake::Lake;

/// The numbered objects of one thing. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Register {
    lake: Lake,
    name: String,
}

impl Register {
    /// The register `name` (`replays/7f3c`) of `lake`. Nothing is read or made.
    pub fn new(lake: &Lake, name: impl Into<String>) -> Self {
        Self {
            lake: lake.clone(),
            name: name.into(),
        }
    }

    /// The object with the highest number.
    ///
    /// # Errors
    /// `Unavailable`; `Data` for an object whose name is no number.
    pub async fn latest(&self) -> Result<Option<(u64, Bytes)>> {
        let folder = self.lake.state(&self.name);
        let objects: Vec<_> = self.lake.store().list(Some(&folder)).try_collect().await?;
        let mut newest: Option<(u64, Path)> = None;
        for object in objects {
            let number = number(&object.location).ok_or_else(|| {
                Error::data(format!(
                    "`{}` is no numbered object of Eddy; remove it",
                    object.location
                ))
            })?;
            if newest.as_ref().is_none_or(|(highest, _)| number > *highest) {
                newest = Some((number, object.location));
            }
        }
        let Some((number, location)) = newest else {
            return Ok(None);
        };
        Ok(Some((
            number,
            self.lake.store().get(&location).await?.bytes().await?,
        )))
    }

    /// Makes object `number`. After `Unavailable` call again with the same bytes: whether they
    /// landed is found out by reading them back, so what two writers put must differ (an id of the
    /// attempt does it).
    ///
    /// # Errors
    /// `Fenced` when the number is taken by something else; `Unavailable`.
    pub async fn put(&self, number: u64, bytes: Bytes) -> Result<()> {
        let location = self
            .lake
            .state(&self.name)
            .join(format!("{number:020}.json"));
        let store = self.lake.store();
        let body = PutPayload::from_bytes(bytes.clone());
        let error = match store
            .put_opts(&location, body, PutMode::Create.into())
            .await
        {
            Ok(_) => return Ok(()),
            Err(error) => error,
        };
        let found = match store.get(&location).await {
            Ok(found) => found.bytes().await?,
            // Not there: S3's 409, or a request that never arrived.
            Err(StoreError::NotFound { .. }) => {
                return Err(match error {
                    StoreError::AlreadyExists { .. } => Error::unavailable(format!(
                        "object `{location}` was refused but is not there; try again"
                    )),
                    error => error.into(),
                });
            }
            Err(error) => return Err(error.into()),
        };
        if found == bytes {
            return Ok(());
        }
        Err(Error::fenced(format!(
            "number `{number}` of `{}` is taken",
            self.name
        )))
    }

    /// The names of the registers in `folder`, in order.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn list(lake: &Lake, folder: &str) -> Result<Vec<String>> {
        let prefix = lake.state(folder);
        let listed = lake.store().list_with_delimiter(Some(&prefix)).await?;
        let mut names: Vec<String> = listed
            .common_prefixes
            .iter()
            .filter_map(|path| path.filename().map(str::to_owned))
            .collect();
        names.sort();
        Ok(names)
    }
}

fn number(location: &Path) -> Option<u64> {
    location.filename()?.strip_suffix(".json")?.parse().ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::Arc;

    use object_store::memory::InMemory;

    use super::*;
    use crate::clock::Clock;
    use crate::error::ErrorKind;
    use crate::testing::{FaultyStore, Step, disk_lake, memory_lake, store_lake};

    #[tokio::test(flavor = "multi_thread")]
    async fn the_number_of_an_object_is_a_fence() {
        let folder = tempfile::tempdir().unwrap();
        for lake in [
            memory_lake(Clock::system()),
            disk_lake(folder.path(), Clock::system()),
        ] {
            let register = Register::new(&lake, "replays/a");
            assert_eq!(register.latest().await.unwrap(), None);
            register.put(0, "first".into()).await.unwrap();
            register.put(1, "second".into()).await.unwrap();
            let taken = register.put(1, "other".into()).await.unwrap_err();
            assert_eq!(taken.kind(), ErrorKind::Fenced);
            assert_eq!(register.latest().await.unwrap(), Some((1, "second".into())));
            Register::new(&lake, "replays/b")
                .put(0, "x".into())
                .await
                .unwrap();
            assert_eq!(Register::list(&lake, "replays").await.unwrap(), ["a", "b"]);
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_lost_answer_is_settled_by_reading_back() {
        let store = FaultyStore::new(Arc::new(InMemory::new()));
        let lake = store_lake(Arc::new(store.clone()), Clock::system());
        let register = Register::new(&lake, "replays/a");
        store.script(
            "_eddy",
            [Step::LoseAnswer, Step::FailBefore, Step::FalseConflict],
        );
        register.put(0, "first".into()).await.unwrap();
        for _ in 0..2 {
            let unsettled = register.put(1, "second".into()).await.unwrap_err();
            assert_eq!(unsettled.kind(), ErrorKind::Unavailable);
        }
        register.put(1, "second".into()).await.unwrap();
    }
}
