//! A store of which one object is read by somebody who may have it nearer.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    Attributes, CopyOptions, GetOptions, GetRange, GetResult, GetResultPayload, ListResult,
    MultipartUpload, ObjectMeta, ObjectStore, PutMultipartOptions, PutOptions, PutPayload,
    PutResult, Result,
};

/// Who reads an object in its store's place.
#[async_trait]
pub trait ObjectReader: fmt::Debug + Send + Sync + 'static {
    /// The object.
    fn meta(&self) -> &ObjectMeta;

    /// Its bytes in `ranges`, which aren't empty and lie within it; `None` leaves them to the
    /// store.
    async fn read(&self, ranges: &[Range<u64>]) -> Option<Result<Vec<Bytes>>>;
}

/// A store, one object of which is read by an [`ObjectReader`]; everything else is the store's.
#[derive(Debug)]
pub struct ReadThrough<R> {
    inner: Arc<dyn ObjectStore>,
    object: Arc<R>,
}

impl<R: ObjectReader> ReadThrough<R> {
    /// `inner`, but for what `object` reads.
    pub fn new(inner: Arc<dyn ObjectStore>, object: Arc<R>) -> Self {
        Self { inner, object }
    }

    async fn read(&self, location: &Path, ranges: &[Range<u64>]) -> Option<Result<Vec<Bytes>>> {
        let meta = self.object.meta();
        let inside = |range: &Range<u64>| range.start < range.end && range.end <= meta.size;
        if *location != meta.location || !ranges.iter().all(inside) {
            return None;
        }
        self.object.read(ranges).await
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

impl<R> fmt::Display for ReadThrough<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

#[async_trait]
impl<R: ObjectReader> ObjectStore for ReadThrough<R> {
    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        if let Some(range) = only_range(&options)
            && let Some(read) = self.read(location, std::slice::from_ref(&range)).await
        {
            let read = futures::stream::iter(read?.into_iter().map(Ok));
            return Ok(GetResult {
                payload: GetResultPayload::Stream(read.boxed()),
                meta: self.object.meta().clone(),
                range,
                attributes: Attributes::default(),
            });
        }
        self.inner.get_opts(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        match self.read(location, ranges).await {
            Some(read) => read,
            None => self.inner.get_ranges(location, ranges).await,
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
