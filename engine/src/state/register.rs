//! One thing's numbered objects.

use bytes::Bytes;
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{Error as StoreError, ObjectStoreExt, PutMode, PutPayload};

use crate::error::{Error, Result};
use crate::lake::Lake;

/// The newest objects that stay beside the first: enough for whoever lists while others write.
const KEPT: u64 = 8;

/// The most that one put removes, so that it takes no longer after thousands that nobody removed.
const REMOVED_AT_ONCE: usize = 64;

/// How often a newest object that is gone when it is read is looked for anew: each time somebody
/// wrote [`KEPT`] more meanwhile.
const LOOKS: u32 = 5;

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
        for _ in 0..LOOKS {
            let Some((number, location)) = self.objects().await?.pop() else {
                return Ok(None);
            };
            match self.lake.store().get(&location).await {
                Ok(found) => return Ok(Some((number, found.bytes().await?))),
                // Newer ones came, and this one went, between the list and this.
                Err(StoreError::NotFound { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Error::unavailable(format!(
            "`{}` changes all the while; call again",
            self.name
        )))
    }

    /// Makes object `number`. After `Unavailable` call again with the same bytes: whether they
    /// landed is found out by reading them back, so what two writers put must differ (an id of the
    /// attempt does it).
    ///
    /// Objects that newer ones have long replaced are removed, but the first, by which it is known
    /// that the thing exists. A number is a fence although lower ones become free again: only what
    /// is more than `KEPT` below the highest was ever removed, so a number that is nearer was
    /// never free before, and one that is not counts as taken. The highest itself stays always.
    ///
    /// # Errors
    /// `Fenced` when the number is taken by something else, or long replaced; `Unavailable` when it
    /// may or may not be made: the same put again settles it.
    pub async fn put(&self, number: u64, bytes: Bytes) -> Result<()> {
        self.create(number, bytes).await?;
        let mut objects = self.objects().await?;
        let highest = objects.pop().map_or(number, |(highest, _)| highest);
        if is_replaced(number, highest) {
            return Err(Error::fenced(format!(
                "number `{number}` of `{}` is long replaced",
                self.name
            )));
        }
        let replaced = objects
            .into_iter()
            .filter(|(old, _)| *old > 0 && is_replaced(*old, number));
        for (_, location) in replaced.take(REMOVED_AT_ONCE) {
            if let Err(error) = self.lake.store().delete(&location).await {
                tracing::debug!(%location, %error, "an old object stays for now");
            }
        }
        Ok(())
    }

    /// Makes the object, unless it is there with these bytes.
    async fn create(&self, number: u64, bytes: Bytes) -> Result<()> {
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

    /// Every object, the highest number last.
    async fn objects(&self) -> Result<Vec<(u64, Path)>> {
        let folder = self.lake.state(&self.name);
        let listed: Vec<_> = self.lake.store().list(Some(&folder)).try_collect().await?;
        let mut objects = Vec::with_capacity(listed.len());
        for object in listed {
            let number = number(&object.location).ok_or_else(|| {
                Error::data(format!(
                    "`{}` is no numbered object of Eddy; remove it",
                    object.location
                ))
            })?;
            objects.push((number, object.location));
        }
        objects.sort_unstable_by_key(|(number, _)| *number);
        Ok(objects)
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

/// Whether the object `number` may go, since `highest` is there.
fn is_replaced(number: u64, highest: u64) -> bool {
    number.saturating_add(KEPT) < highest
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
    async fn p23_what_is_long_replaced_goes_and_its_number_stays_a_fence() {
        let folder = tempfile::tempdir().unwrap();
        for lake in [
            memory_lake(Clock::system()),
            disk_lake(folder.path(), Clock::system()),
        ] {
            let register = Register::new(&lake, "replays/a");
            for number in 0..100_u64 {
                let bytes = number.to_string();
                register.put(number, bytes.into()).await.unwrap();
                let objects = register.objects().await.unwrap();
                assert!(objects.len() as u64 <= KEPT + 2, "{objects:?}");
                assert_eq!(objects.last().unwrap().0, number);
            }
            // Whoever went away at number 4 comes back, and finds nothing at 5.
            for number in [0, 1, 5, 50, 90, 91, 98, 99] {
                let late = register.put(number, "late".into()).await.unwrap_err();
                assert_eq!(late.kind(), ErrorKind::Fenced, "{number}");
                let again = register.put(number, "late".into()).await.unwrap_err();
                assert_eq!(again.kind(), ErrorKind::Fenced, "{number} again");
            }
            // Whose answer was lost learns that it was made, although others went on.
            register.put(95, "95".into()).await.unwrap();
            assert_eq!(register.latest().await.unwrap(), Some((99, "99".into())));
            register.put(100, "100".into()).await.unwrap();
            let left = register.objects().await.unwrap();
            let left: Vec<u64> = left.into_iter().map(|(number, _)| number).collect();
            assert_eq!(left, [0, 92, 93, 94, 95, 96, 97, 98, 99, 100]);
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn p23_writers_side_by_side_never_share_a_number_and_readers_find_the_newest() {
        let lake = memory_lake(Clock::system());
        let register = Register::new(&lake, "replays/a");
        register.put(0, "first".into()).await.unwrap();
        let advance = |worker: usize| {
            let register = register.clone();
            async move {
                let (mut made, mut seen) = (Vec::new(), 0);
                for attempt in 0..100 {
                    let (newest, _) = register.latest().await.unwrap().unwrap();
                    assert!(newest >= seen, "{newest} after {seen}");
                    seen = newest;
                    let bytes = format!("{worker} {attempt}");
                    let put = || register.put(newest + 1, bytes.clone().into());
                    let mut answer = put().await;
                    // Taken, and long replaced before it could be read: settled by the same put.
                    if answer.as_ref().is_err_and(Error::is_unavailable) {
                        answer = put().await;
                    }
                    match answer {
                        Ok(()) => made.push(newest + 1),
                        Err(error) => assert_eq!(error.kind(), ErrorKind::Fenced, "{error}"),
                    }
                }
                made
            }
        };
        let workers: Vec<_> = (0..4).map(|worker| tokio::spawn(advance(worker))).collect();
        let mut made = Vec::new();
        for worker in workers {
            made.extend(worker.await.unwrap());
        }
        made.sort_unstable();
        let all = made.len();
        made.dedup();
        assert_eq!(made.len(), all, "a number was made twice");
        let (newest, _) = register.latest().await.unwrap().unwrap();
        assert!(newest >= made.last().copied().unwrap());
        assert!(register.objects().await.unwrap().len() as u64 <= KEPT + 4 + 1);
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
