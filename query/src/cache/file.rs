//! One remote file, read through the blocks that are kept of it.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt};
use object_store::path::Path;
use object_store::{
    Attributes, CopyOptions, GetOptions, GetRange, GetResult, GetResultPayload, ListResult,
    MultipartUpload, ObjectMeta, ObjectStore, ObjectStoreExt, PutMultipartOptions, PutOptions,
    PutPayload, PutResult, Result,
};

use super::blocks::{Blocks, Wanted};
use super::plan::{bytes_in, joined, touched};

/// A read of more passes by: it would push out what many small ones want, and while its ranges are
/// put together it is in memory twice.
const READ_MOST: u64 = 64 << 20;

/// A store in which one file is read by blocks.
#[derive(Debug)]
pub(super) struct FileStore {
    /// What isn't kept is read from here.
    pub(super) inner: Arc<dyn ObjectStore>,
    pub(super) blocks: Arc<Blocks>,
    /// The file: its lake, path, size and time.
    pub(super) object: Arc<str>,
    pub(super) meta: ObjectMeta,
    /// Bytes that were wanted and not read for this.
    pub(super) kept_bytes: Arc<AtomicU64>,
}

impl FileStore {
    /// Whether `ranges` are of this file, and few enough.
    fn is_for_blocks(&self, location: &Path, ranges: &[Range<u64>]) -> bool {
        let inside = |range: &Range<u64>| range.start < range.end && range.end <= self.meta.size;
        let bytes: u64 = ranges
            .iter()
            .map(|range| range.end - range.start.min(range.end))
            .sum();
        *location == self.meta.location && ranges.iter().all(inside) && bytes <= READ_MOST
    }

    async fn read(&self, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        let wanted = Wanted {
            object: &self.object,
            size: self.meta.size,
        };
        // Boxed: the futures of requests are large.
        let fetch = |range| self.inner.get_range(&self.meta.location, range).boxed();
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

/// The range that is wanted and nothing else: no version, no condition.
fn only_range(options: &GetOptions) -> Option<Range<u64>> {
    let plain = options.if_match.is_none()
        && options.if_none_match.is_none()
        && options.if_modified_since.is_none()
        && options.if_unmodified_since.is_none()
        && options.version.is_none()
        && !options.head;
    match &options.range {
        Some(GetRange::Bounded(range)) if plain => Some(range.clone()),
        _ => None,
    }
}

impl fmt::Display for FileStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "blocks of {}", self.inner)
    }
}

#[async_trait]
impl ObjectStore for FileStore {
    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let range = only_range(&options);
        let range = range.filter(|one| self.is_for_blocks(location, std::slice::from_ref(one)));
        let Some(range) = range else {
            return self.inner.get_opts(location, options).await;
        };
        let read = self.read(std::slice::from_ref(&range)).await?;
        let read = futures::stream::iter(read.into_iter().map(Ok));
        Ok(GetResult {
            payload: GetResultPayload::Stream(read.boxed()),
            meta: self.meta.clone(),
            range,
            attributes: Attributes::default(),
        })
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        match self.is_for_blocks(location, ranges) {
            true => self.read(ranges).await,
            false => self.inner.get_ranges(location, ranges).await,
        }
    }

    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        self.inner.put_opts(location, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, options).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}
