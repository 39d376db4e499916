//! One remote file, read through the blocks that are kept of it.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use eddy_engine::read::ObjectReader;
use futures::FutureExt;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt, Result};

use super::blocks::{Blocks, Wanted};
use super::plan::{bytes_in, joined, touched};

/// A read of more passes by: it would push out what many small ones want, and while its ranges are
/// put together it is in memory twice.
const READ_MOST: u64 = 64 << 20;

/// Reads one file by blocks.
#[derive(Debug)]
pub(super) struct FileReader {
    /// What isn't kept is read from here.
    pub(super) store: Arc<dyn ObjectStore>,
    pub(super) blocks: Arc<Blocks>,
    /// The file: its lake, path, size and time.
    pub(super) object: Arc<str>,
    pub(super) meta: ObjectMeta,
    /// Bytes that were wanted and not read for this.
    pub(super) kept_bytes: Arc<AtomicU64>,
}

impl FileReader {
    async fn by_blocks(&self, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        let wanted = Wanted {
            object: &self.object,
            size: self.meta.size,
        };
        // Boxed: the futures of requests are large.
        let fetch = |range| self.store.get_range(&self.meta.location, range).boxed();
        let found = self.blocks.get(wanted, touched(ranges), fetch).await?;
        let kept = bytes_in(ranges, |block| !found.read.contains(&block));
        self.kept_bytes.fetch_add(kept, Ordering::Relaxed);
        let parts = ranges.iter().map(|range| joined(&found.blocks, range));
        let whole: Option<Vec<Bytes>> = parts.collect();
        whole.ok_or_else(|| object_store::Error::Generic {
            store: "blocks",
            source: format!("blocks of `{}` are missing", self.meta.location).into(),
        })
    }
}

#[async_trait]
impl ObjectReader for FileReader {
    fn meta(&self) -> &ObjectMeta {
        &self.meta
    }

    async fn read(&self, ranges: &[Range<u64>]) -> Option<Result<Vec<Bytes>>> {
        let bytes: u64 = ranges.iter().map(|range| range.end - range.start).sum();
        if bytes > READ_MOST {
            return None;
        }
        Some(self.by_blocks(ranges).await)
    }
}
