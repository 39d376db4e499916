//! Objects that are made once, under an id of their own (records of a commit, upload journals,
//! pins): an answer that one is there already is believed only when it is. A store says so too
//! while two requests get in each other's way (S3's 409).

use bytes::Bytes;
use object_store::path::Path;
use object_store::{Error as StoreError, ObjectStoreExt, PutMode, PutPayload};

use crate::error::{Error, Result};
use crate::lake::Lake;

/// Makes the object `path`, which nobody else makes; again is harmless. Blocks.
///
/// # Errors
/// As [`create`].
pub(crate) fn put(lake: &Lake, path: Path, bytes: Vec<u8>) -> Result<()> {
    let of = lake.clone();
    lake.wait(async move { create(&of, &path, bytes).await })?
}

/// Makes the object `path`, which nobody else makes; again is harmless.
///
/// # Errors
/// `Unavailable` when it may not be there: call again.
pub(crate) async fn create(lake: &Lake, path: &Path, bytes: impl Into<Bytes>) -> Result<()> {
    let store = lake.store();
    let body = PutPayload::from_bytes(bytes.into());
    match store.put_opts(path, body, PutMode::Create.into()).await {
        Ok(_) => return Ok(()),
        Err(StoreError::AlreadyExists { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    match store.head(path).await {
        // The attempt before this one got through after all.
        Ok(_) => Ok(()),
        Err(StoreError::NotFound { .. }) => Err(Error::unavailable(format!(
            "the store says that `{path}` is there, and it isn't; try again"
        ))),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;

    use object_store::memory::InMemory;

    use super::*;
    use crate::clock::Clock;
    use crate::error::ErrorKind;
    use crate::testing::{FaultyStore, Step, store_lake};

    #[tokio::test(flavor = "multi_thread")]
    async fn an_answer_that_it_is_there_is_believed_only_when_it_is() {
        let store = FaultyStore::new(Arc::new(InMemory::new()));
        let lake = store_lake(Arc::new(store.clone()), Clock::system());
        let path = Path::from("_eddy/a.json");
        store.script("_eddy", [Step::FalseConflict, Step::LoseAnswer]);
        for _ in 0..2 {
            let unknown = put(&lake, path.clone(), b"a".to_vec()).unwrap_err();
            assert_eq!(unknown.kind(), ErrorKind::Unavailable);
        }
        put(&lake, path, b"b".to_vec()).unwrap();
    }
}
