//! How a scan reads its files: through the blocks that are kept, or straight from the store.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use datafusion::common::Result;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::ParquetFileReaderFactory;
use datafusion::datasource::physical_plan::parquet::CachedParquetFileReaderFactory;
use datafusion::execution::cache::cache_manager::FileMetadataCache;
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use eddy_engine::read::ReadThrough;
use object_store::ObjectStore;
use parquet::arrow::async_reader::AsyncFileReader;

use super::blocks::Blocks;
use super::file::FileReader;

/// Where a scan finds blocks of its files.
#[derive(Debug, Clone)]
pub(crate) struct Readers {
    /// The blocks.
    pub(crate) blocks: Arc<Blocks>,
    /// The lake, by its number: paths are unique in one lake alone.
    pub(crate) lake: usize,
}

/// Readers of files in `store`, which counts what is read there; bytes that were kept are counted
/// in `kept_bytes`.
pub(crate) fn readers(
    kept: Option<&Readers>,
    store: Arc<dyn ObjectStore>,
    footers: Arc<FileMetadataCache>,
    kept_bytes: &Arc<AtomicU64>,
) -> Arc<dyn ParquetFileReaderFactory> {
    match kept {
        None => Arc::new(CachedParquetFileReaderFactory::new(store, footers)),
        Some(kept) => Arc::new(BlockReaders {
            kept: kept.clone(),
            store,
            footers,
            kept_bytes: Arc::clone(kept_bytes),
        }),
    }
}

/// Makes readers that go through blocks.
#[derive(Debug)]
struct BlockReaders {
    kept: Readers,
    store: Arc<dyn ObjectStore>,
    footers: Arc<FileMetadataCache>,
    kept_bytes: Arc<AtomicU64>,
}

impl ParquetFileReaderFactory for BlockReaders {
    fn create_reader(
        &self,
        partition_index: usize,
        file: PartitionedFile,
        metadata_size_hint: Option<usize>,
        metrics: &ExecutionPlanMetricsSet,
    ) -> Result<Box<dyn AsyncFileReader + Send>> {
        let meta = file.object_meta.clone();
        let (lake, path) = (self.kept.lake, &meta.location);
        let (size, modified) = (meta.size, meta.last_modified.timestamp_millis());
        let object = FileReader {
            store: Arc::clone(&self.store),
            blocks: Arc::clone(&self.kept.blocks),
            object: format!("{lake}/{path}?{size}@{modified}").into(),
            meta,
            kept_bytes: Arc::clone(&self.kept_bytes),
        };
        let store = ReadThrough::new(Arc::clone(&self.store), Arc::new(object));
        let plain = CachedParquetFileReaderFactory::new(Arc::new(store), Arc::clone(&self.footers));
        plain.create_reader(partition_index, file, metadata_size_hint, metrics)
    }
}
