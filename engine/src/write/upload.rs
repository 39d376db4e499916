//! Data files and their journal on their way into the store.
//!
//! Data objects carry a UUID in their name and are never written by anyone else, so a plain put or
//! multipart upload is create-only in effect, and repeating it is harmless (P13). The journal names
//! them before the first byte goes out, so that what a crash leaves can be found and removed (P14).
//! On local disk the lake's store syncs what it is given.

use bytes::Bytes;
use object_store::buffered::BufWriter;
use object_store::path::Path;
use object_store::{ObjectStoreExt, PutMode, PutPayload};
use serde_json::json;
use tokio::io::AsyncWriteExt;
use uuid::Uuid;

use crate::error::{Error, Result};
use crate::lake::Lake;
use crate::path::{TablePath, upload_journal};

/// Above it an object goes up in parts of this size.
pub(crate) const PART_BYTES: usize = 16 << 20;

/// Parts of one file on their way at once.
const PARTS_AT_ONCE: usize = 4;

/// Writes the journal `id`: the files of `table` that are about to be uploaded. Their age counts
/// from `started_us`, for whoever commits them and for whoever removes them as orphans. Repeating
/// it with the same id is harmless.
///
/// # Errors
/// As the store's.
pub(crate) async fn write_journal(
    lake: &Lake,
    table: &TablePath,
    id: Uuid,
    files: &[String],
    started_us: i64,
) -> Result<()> {
    let named = Named {
        files,
        ..Named::default()
    };
    write_journal_of(lake, table, id, named, started_us).await
}

/// What a journal names of a table.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Named<'a> {
    /// Data files that are about to be uploaded, or, when there are `filters`, whose filters are.
    pub(crate) files: &'a [String],
    /// Packs of filters that are about to be uploaded. They go if `files` never land; without any
    /// they stay, since they tell of files that are there.
    pub(crate) filters: &'a [Uuid],
    /// Packs that `filters` replace: they go once the journal is old and `filters` are there.
    pub(crate) replaced: &'a [Uuid],
}

/// As [`write_journal`], of anything that a journal names.
///
/// # Errors
/// As the store's.
pub(crate) async fn write_journal_of(
    lake: &Lake,
    table: &TablePath,
    id: Uuid,
    named: Named<'_>,
    started_us: i64,
) -> Result<()> {
    let path = upload_journal(lake.root(), id);
    let mut text = json!({
        "table": table.prefix().as_ref(),
        "started_us": started_us,
        "files": named.files,
    });
    for (key, packs) in [("filters", named.filters), ("replaced", named.replaced)] {
        if !packs.is_empty()
            && let Some(text) = text.as_object_mut()
        {
            let packs: Vec<String> = packs.iter().map(Uuid::to_string).collect();
            text.insert(key.to_owned(), packs.into());
        }
    }
    let text = text.to_string();
    let put = lake
        .store()
        .put_opts(&path, PutPayload::from(text), PutMode::Create.into())
        .await;
    match put {
        Ok(_) => Ok(()),
        // The id is this commit's own: an earlier attempt landed.
        Err(object_store::Error::AlreadyExists { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Removes the journals of a commit that landed: the log names its files now. One that stays is
/// found by `crate::maintain`.
pub(crate) fn forget_journals(lake: &Lake, journals: &[Uuid]) {
    for id in journals {
        let (store, path) = (lake.store().clone(), upload_journal(lake.root(), *id));
        let forgotten = lake
            .wait(async move { store.delete(&path).await })
            .and_then(|deleted| deleted.map_err(Error::from));
        if let Err(error) = forgotten {
            tracing::debug!(journal = %id, %error, "an upload journal stays for later");
        }
    }
}

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
