//! Data files on their way into the store.
//!
//! Objects of the native layout carry a UUID in their name and are never written by anyone else, so
//! a plain put or multipart upload is create-only in effect, and repeating it is harmless. Those of
//! a foreign layout have a name that somebody else may have taken: they are put with a condition,
//! and their footer says whose they are (P13); of objects that have none, their metadata in the
//! store, which isn't to be had on local disk. The journal names them before the first byte goes
//! out (`journal`). On local disk the lake's store syncs what it is given.

use bytes::Bytes;
use object_store::buffered::BufWriter;
use object_store::path::Path;
use object_store::{Attribute, Attributes, GetOptions, TagSet};
use object_store::{Error as StoreError, ObjectStoreExt, PutMode, PutOptions, PutPayload};
use tokio::io::AsyncWriteExt;
use uuid::Uuid;

use crate::encode::MARK;
use crate::error::{Error, Result};
use crate::lake::Lake;

/// Above it an object goes up in parts of this size.
pub(crate) const PART_BYTES: usize = 16 << 20;

/// Parts of one file on their way at once.
const PARTS_AT_ONCE: usize = 4;

/// Uploads `bytes` as `path`.
///
/// # Errors
/// As the store's.
pub(super) async fn upload(lake: &Lake, path: &Path, bytes: Bytes) -> Result<()> {
    if lake.is_local() || bytes.len() <= PART_BYTES {
        lake.store()
            .put(path, PutPayload::from_bytes(bytes))
            .await?;
        return Ok(());
    }
    let mut parts = BufWriter::with_capacity(lake.store().clone(), path.clone(), PART_BYTES)
        .with_max_concurrency(PARTS_AT_ONCE);
    let sent = async {
        parts.put(bytes).await?;
        parts.shutdown().await.map_err(|error| {
            Error::unavailable("the store did not complete a multipart upload").with_source(error)
        })
    }
    .await;
    if sent.is_err() {
        // Parts that stay are the store's to expire; the upload itself is tried again.
        let _ = parts.abort().await;
    }
    sent
}

/// An object of a foreign layout on its way.
pub(super) struct Body {
    pub(super) bytes: Bytes,
    /// By what it is known for its commit's.
    pub(super) mark: Uuid,
    /// It has no footer with the mark, so its metadata has it.
    pub(super) bare: bool,
    /// What else the store is told of it.
    pub(super) tags: Option<TagSet>,
}

/// Puts `body` as `path` if nothing is there. `false`: something else is, and stays as it is (P13,
/// P14). Where the tags `may_miss`, a store that refuses an object with them gets it without.
///
/// # Errors
/// As the store's.
pub(super) async fn create(lake: &Lake, path: &Path, body: Body, may_miss: bool) -> Result<bool> {
    let mut options = PutOptions::from(PutMode::Create);
    if body.bare {
        options.attributes = Attributes::from_iter([(attribute(), body.mark.to_string())]);
    }
    let is_tagged = body.tags.is_some();
    options.tags = body.tags.unwrap_or_default();
    let payload = PutPayload::from_bytes(body.bytes);
    let mut put = lake
        .store()
        .put_opts(path, payload.clone(), options.clone())
        .await;
    if let Err(error) = &put
        && is_tagged
        && may_miss
        && refuses(error)
    {
        tracing::warn!(%path, %error, "the store refuses an object with tags; it gets it without");
        options.tags = TagSet::default();
        put = lake.store().put_opts(path, payload, options).await;
    }
    match put {
        Ok(_) => Ok(true),
        // Perhaps by an attempt of ours whose answer was lost.
        Err(StoreError::AlreadyExists { .. }) => {
            carries(lake, path, body.mark).await?.ok_or_else(|| {
                Error::unavailable(format!("`{path}` is said to exist, and isn't there"))
            })
        }
        Err(error) => Err(error.into()),
    }
}

/// Whether the store will answer the same again.
fn refuses(error: &StoreError) -> bool {
    matches!(
        error,
        StoreError::PermissionDenied { .. }
            | StoreError::Unauthenticated { .. }
            | StoreError::NotSupported { .. }
            | StoreError::NotImplemented { .. }
    )
}

/// Asks the store whether it keeps the metadata of objects.
///
/// # Errors
/// `Invalid` when it doesn't; `Unavailable`.
pub(super) fn check_marks(lake: &Lake) -> Result<()> {
    let refused = || {
        Error::invalid(format!(
            "the store of `{}` doesn't keep the metadata of objects (`x-amz-meta-...`), by which \
             those that aren't Parquet are known for Eddy's own; use a store that does, or Parquet",
            lake.url()
        ))
    };
    if lake.is_local() {
        return Err(refused());
    }
    let (of, id) = (lake.clone(), lake.clock().new_id());
    let kept = lake.wait(async move {
        let folder = of.root().clone().join("_eddy").join("probe");
        let path = folder.join(id.to_string());
        let body = Body {
            bytes: Bytes::from_static(b"mark"),
            mark: id,
            bare: true,
            tags: None,
        };
        create(&of, &path, body, false).await?;
        let kept = carries(&of, &path, id).await?;
        // The object has done its work; one that stays behind does no harm.
        drop(of.store().delete(&path).await);
        Ok::<_, Error>(kept)
    })??;
    match kept {
        Some(true) => Ok(()),
        _ => Err(refused()),
    }
}

/// Where an object without a footer has its mark.
fn attribute() -> Attribute {
    Attribute::Metadata("eddy-cut".into())
}

/// Whether the object at `path` has `mark` in its metadata or the footer of a Parquet file; `None`
/// when there is none.
///
/// # Errors
/// As the store's.
pub(crate) async fn carries(lake: &Lake, path: &Path, mark: Uuid) -> Result<Option<bool>> {
    let store = lake.store();
    let head = GetOptions {
        head: true,
        ..GetOptions::default()
    };
    let size = match store.get_opts(path, head).await {
        Ok(found) => match found.attributes.get(&attribute()) {
            Some(marked) => return Ok(Some(marked.as_ref() == mark.to_string())),
            None => found.meta.size,
        },
        Err(StoreError::NotFound { .. }) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    // The length of the footer and `PAR1`.
    if size < 12 {
        return Ok(Some(false));
    }
    let read = async {
        let end = store.get_range(path, size - 8..size).await?;
        let length = end
            .first_chunk()
            .map_or(0, |length| u32::from_le_bytes(*length));
        let begin = (size - 8).saturating_sub(u64::from(length));
        if !end.ends_with(b"PAR1") || begin < 4 {
            return Ok(Bytes::new());
        }
        store.get_range(path, begin..size - 8).await
    };
    match read.await {
        Ok(footer) => {
            let (key, mark) = (MARK.as_bytes(), mark.to_string());
            let holds = |text: &[u8]| footer.windows(text.len()).any(|window| window == text);
            Ok(Some(holds(key) && holds(mark.as_bytes())))
        }
        Err(StoreError::NotFound { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
