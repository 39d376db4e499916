//! Packs in the store: found, their footers read, and new ones put.

use std::sync::Arc;

use bytes::Bytes;
use object_store::buffered::BufWriter;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};
use tokio::io::AsyncWriteExt;
use uuid::Uuid;

use crate::error::{Error, Result};
use crate::filter::pack::layout::{Footer, TAIL_BYTES};
use crate::path::{TablePath, filter_pack_id, filter_packs};
use crate::write::PART_BYTES;

/// What is read of an object's end at first: enough for the footer of some hundred files.
const FOOTER_BYTES: u64 = 64 << 10;

/// A pack that is in the store.
#[derive(Debug, Clone)]
pub(crate) struct Listed {
    /// Its name.
    pub(crate) id: Uuid,
    /// The object.
    pub(crate) object: ObjectMeta,
}

/// The packs of `table`, in the lake whose prefix is `lake`, by age.
///
/// # Errors
/// `Unavailable`.
pub(crate) async fn list(
    store: &Arc<dyn ObjectStore>,
    lake: &Path,
    table: &TablePath,
) -> Result<Vec<Listed>> {
    let folder = filter_packs(lake, table);
    // Folders in it are those of tables whose `topics.dir` goes on where this table's name ends.
    let objects = store.list_with_delimiter(Some(&folder)).await?.objects;
    let packs = objects.into_iter().filter_map(|object| {
        let id = filter_pack_id(&object.location)?;
        Some(Listed { id, object })
    });
    let mut packs: Vec<Listed> = packs.collect();
    packs.sort_by_key(|pack| pack.id);
    Ok(packs)
}

/// The footer of a pack, and the bytes and requests that it took.
///
/// # Errors
/// `NotFound`, `Unavailable`; `Data` when it is no pack.
pub(crate) async fn read_footer(
    store: &Arc<dyn ObjectStore>,
    object: &ObjectMeta,
) -> Result<(Footer, u64, u64)> {
    let size = object.size;
    if size < u64::try_from(TAIL_BYTES).unwrap_or(u64::MAX) {
        return Err(Error::data(
            "an object is too short to be a pack of filters",
        ));
    }
    let first = size.saturating_sub(FOOTER_BYTES)..size;
    let end = store.get_range(&object.location, first.clone()).await?;
    let length = Footer::length(&end)?.saturating_add(TAIL_BYTES);
    let missing = length.saturating_sub(end.len());
    let Some(missing) = u64::try_from(missing).ok().filter(|missing| *missing > 0) else {
        let from = end.len().saturating_sub(length);
        let bytes = first.end - first.start;
        return Ok((
            Footer::decode(end.get(from..).unwrap_or_default(), size)?,
            bytes,
            1,
        ));
    };
    let Some(from) = first.start.checked_sub(missing) else {
        return Err(Error::data(
            "a pack of filters is shorter than its footer says",
        ));
    };
    let begin = store.get_range(&object.location, from..first.start).await?;
    let whole: Vec<u8> = begin.iter().chain(end.iter()).copied().collect();
    Ok((Footer::decode(&whole, size)?, size - from, 2))
}

/// Puts a pack whose bytes come part by part; its name is new, so it is create-only in effect
/// (P13).
///
/// # Errors
/// `Unavailable`.
pub(crate) async fn put(store: &Arc<dyn ObjectStore>, location: Path, bytes: Bytes) -> Result<()> {
    let mut upload = BufWriter::with_capacity(Arc::clone(store), location, PART_BYTES);
    upload.put(bytes).await?;
    upload.shutdown().await.map_err(|error| {
        Error::unavailable("the store did not complete an upload").with_source(error)
    })
}
