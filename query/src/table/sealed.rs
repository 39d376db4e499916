//! How files of an encrypted table are read: their footers with the lake's keys, the rest with
//! what the footers say.
//!
//! A footer that was decrypted knows how to decrypt pages and indexes, so only it is got in a way
//! of its own, and DataFusion needn't know of keys. Footers are kept, as those of other tables.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use datafusion::common::Result;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::ParquetFileReaderFactory;
use datafusion::datasource::physical_plan::parquet::CachedParquetMetaData;
use datafusion::execution::cache::cache_manager::{CachedFileMetadataEntry, FileMetadataCache};
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use eddy_engine::seal::{Keys, Opening};
use futures::FutureExt;
use futures::future::BoxFuture;
use object_store::ObjectMeta;
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::async_reader::AsyncFileReader;
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader};

/// Makes the readers of a scan.
pub(super) struct SealedReaders {
    /// Reads bytes, and counts them.
    pub(super) plain: Arc<dyn ParquetFileReaderFactory>,
    pub(super) footers: Arc<FileMetadataCache>,
    pub(super) keys: Keys,
}

impl fmt::Debug for SealedReaders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealedReaders")
            .field("keys", &self.keys)
            .finish_non_exhaustive()
    }
}

impl ParquetFileReaderFactory for SealedReaders {
    fn create_reader(
        &self,
        partition_index: usize,
        file: PartitionedFile,
        metadata_size_hint: Option<usize>,
        metrics: &ExecutionPlanMetricsSet,
    ) -> Result<Box<dyn AsyncFileReader + Send>> {
        let object = file.object_meta.clone();
        let bytes: Box<dyn AsyncFileReader> =
            self.plain
                .create_reader(partition_index, file, metadata_size_hint, metrics)?;
        Ok(Box::new(SealedReader {
            bytes,
            object,
            prefetch: metadata_size_hint,
            footers: Arc::clone(&self.footers),
            keys: self.keys.clone(),
        }))
    }
}

/// Reads one file.
struct SealedReader {
    bytes: Box<dyn AsyncFileReader>,
    object: ObjectMeta,
    /// Bytes that are read from the file's end at first.
    prefetch: Option<usize>,
    footers: Arc<FileMetadataCache>,
    keys: Keys,
}

impl SealedReader {
    fn kept(&self) -> Option<Arc<ParquetMetaData>> {
        let kept = self.footers.get(&self.object.location)?;
        let footer = kept.file_metadata.as_any();
        let footer = footer.downcast_ref::<CachedParquetMetaData>()?;
        let is_valid = kept.is_valid_for(&self.object);
        is_valid.then(|| Arc::clone(footer.parquet_metadata()))
    }

    async fn read(&mut self, policy: PageIndexPolicy) -> ParquetResult<ParquetMetaData> {
        let opening = Opening::new(&self.keys);
        let refused = |error: eddy_engine::Error| ParquetError::General(error.to_string());
        let properties = opening.properties().map_err(refused)?;
        let reader = ParquetMetaDataReader::new()
            .with_decryption_properties(Some(properties))
            .with_page_index_policy(policy)
            .with_prefetch_hint(self.prefetch);
        let read = reader.load_and_finish(&mut self.bytes, self.object.size);
        read.await.map_err(|error| match error {
            // What the store said.
            ParquetError::External(error) => ParquetError::External(error),
            error => refused(opening.explain(self.object.location.as_ref(), error)),
        })
    }
}

impl AsyncFileReader for SealedReader {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, ParquetResult<Bytes>> {
        self.bytes.get_bytes(range)
    }

    fn get_byte_ranges(
        &mut self,
        ranges: Vec<Range<u64>>,
    ) -> BoxFuture<'_, ParquetResult<Vec<Bytes>>> {
        self.bytes.get_byte_ranges(ranges)
    }

    fn get_metadata<'a>(
        &'a mut self,
        options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, ParquetResult<Arc<ParquetMetaData>>> {
        async move {
            let policy = options.map_or(PageIndexPolicy::Optional, |options| {
                options.column_index_policy()
            });
            let whole = |footer: &ParquetMetaData| {
                policy == PageIndexPolicy::Skip
                    || footer.column_index().is_some() && footer.offset_index().is_some()
            };
            let footer = match self.kept() {
                Some(footer) if whole(&footer) => return Ok(footer),
                Some(footer) => {
                    let mut reader = ParquetMetaDataReader::new_with_metadata((*footer).clone())
                        .with_page_index_policy(policy);
                    reader.load_page_index(&mut self.bytes).await?;
                    reader.finish()?
                }
                None => self.read(policy).await?,
            };
            let footer = Arc::new(footer);
            let kept = Arc::new(CachedParquetMetaData::new(Arc::clone(&footer)));
            let kept = CachedFileMetadataEntry::new(self.object.clone(), kept);
            self.footers.put(&self.object.location, kept);
            Ok(footer)
        }
        .boxed()
    }
}
