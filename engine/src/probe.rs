//! Does the store keep the one promise that everything rests on? Asked once, at each start.
//!
//! Two writers of one version must never both succeed, and that is the store's conditional put
//! (`If-None-Match: *`). A store that ignores the condition answers both with success; it would
//! lose records silently, so Eddy refuses it (P13).

use object_store::path::Path;
use object_store::{Error as StoreError, ObjectStoreExt, PutMode, PutPayload};

use crate::error::{Error, Result};
use crate::lake::Lake;

pub(crate) async fn probe(lake: &Lake) -> Result<()> {
    let id = lake.clock().new_id();
    let location = lake
        .root()
        .clone()
        .join("_eddy")
        .join("probe")
        .join(id.to_string());
    let first = put(lake, &location, "first").await;
    if let Err(error) = first {
        return Err(unreachable(lake, error));
    }
    let second = put(lake, &location, "second").await;
    // The object has done its work; one that stays behind does no harm.
    drop(lake.store().delete(&location).await);
    match second {
        Err(StoreError::AlreadyExists { .. }) => Ok(()),
        Ok(()) => Err(Error::invalid(format!(
            "the store of `{}` ignores conditional puts (`If-None-Match: *`): two writers would \
             overwrite each other's commits; use a store or a version of it that supports them",
            lake.url()
        ))),
        Err(StoreError::NotImplemented { .. } | StoreError::NotSupported { .. }) => {
            Err(Error::invalid(format!(
                "the store of `{}` doesn't support conditional puts (`If-None-Match: *`); use a \
                 store or a version of it that does",
                lake.url()
            )))
        }
        Err(error) => Err(unreachable(lake, error)),
    }
}

async fn put(lake: &Lake, location: &Path, text: &'static str) -> Result<(), StoreError> {
    let payload = PutPayload::from_static(text.as_bytes());
    lake.store()
        .put_opts(location, payload, PutMode::Create.into())
        .await
        .map(drop)
}

/// Says which of the usual mistakes it is, and what to do.
fn unreachable(lake: &Lake, error: StoreError) -> Error {
    let url = lake.url();
    match &error {
        StoreError::NotFound { .. } => Error::invalid(format!(
            "the bucket of lake.url `{url}` does not exist; create it, or correct the URL"
        )),
        StoreError::PermissionDenied { .. } | StoreError::Unauthenticated { .. } => {
            Error::invalid(format!(
                "the store of lake.url `{url}` refused the credentials; check the keys under \
                 [lake.options] and that they may read, write, list and delete there"
            ))
        }
        StoreError::NotImplemented { .. } | StoreError::NotSupported { .. } => {
            Error::invalid(format!(
                "the store of lake.url `{url}` doesn't support conditional puts \
                 (`If-None-Match: *`); use a store or a version of it that does"
            ))
        }
        _ if lake.is_local() => Error::invalid(format!(
            "the lake's folder `{url}` can't be written; check its permissions and free space"
        )),
        _ => Error::unavailable(format!(
            "the store of lake.url `{url}` does not answer; check that it runs and that \
             `aws_endpoint` (or its like) under [lake.options] is right"
        )),
    }
    .with_source(error)
}

#[cfg(test)]
mod tests;
