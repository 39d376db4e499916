//! The one place that deletes data objects (E6), but for what a partition's next owner removes in a
//! foreign layout (`write/orphans`): its callers hold a name from our own log or from
//! our own upload journal, and the grace time has passed.

use std::sync::Arc;

use futures::StreamExt;
use object_store::Error as StoreError;
use object_store::path::Path;

use crate::error::Result;
use crate::lake::Lake;

/// Deletes `objects`, as many requests at once as the store does; those that are gone already are
/// fine. Answers how many there were.
///
/// # Errors
/// `Unavailable` when some could not be deleted: call again with all of them.
pub(super) fn remove(lake: &Lake, objects: Vec<Path>) -> Result<u64> {
    if objects.is_empty() {
        return Ok(0);
    }
    let store = Arc::clone(lake.store());
    lake.wait(async move {
        let locations = futures::stream::iter(objects).map(Ok).boxed();
        let mut answers = store.delete_stream(locations);
        let (mut removed, mut failed) = (0, None);
        while let Some(answer) = answers.next().await {
            match answer {
                Ok(_) => removed += 1,
                Err(StoreError::NotFound { .. }) => {}
                Err(error) => failed = Some(error),
            }
        }
        failed.map_or(Ok(removed), |error| Err(error.into()))
    })?
}
