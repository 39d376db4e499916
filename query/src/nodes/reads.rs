//! What a node tells of its part in figures, beside those of DataFusion: rows that it gave, by
//! partition, and what it read for them.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use datafusion::common::Result;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::ParquetFileReaderFactory;
use datafusion::execution::cache::cache_manager::FileMetadataCache;
use datafusion::physical_plan::metrics::{
    Count, ExecutionPlanMetricsSet, MetricBuilder, MetricValue, MetricsSet,
};
use datafusion_distributed::TaskMetrics;
use eddy_engine::read::{CountingStore, ReadCount};
use futures::FutureExt;
use futures::future::BoxFuture;
use object_store::ObjectStore;
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::async_reader::AsyncFileReader;
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::metadata::ParquetMetaData;

use crate::cache::{Readers, readers};
use crate::table::{DoneElsewhere, row_groups_of};

/// The rows of a partition.
pub(super) const ROWS: &str = "eddy_rows";
const REQUESTS: &str = "eddy_requests";
const BYTES: &str = "eddy_bytes";
const KEPT_BYTES: &str = "eddy_kept_bytes";

/// The rows that each partition of a part had.
pub(super) fn rows(said: &TaskMetrics) -> BTreeMap<usize, u64> {
    let mut rows = BTreeMap::new();
    for metric in said
        .pre_order_plan_metrics
        .iter()
        .flat_map(MetricsSet::iter)
    {
        if let (MetricValue::Count { name, count }, Some(partition)) =
            (metric.value(), metric.partition())
            && name == ROWS
        {
            *rows.entry(partition).or_default() += number(count);
        }
    }
    rows
}

/// What was read for a part.
pub(super) fn reads(said: &TaskMetrics) -> DoneElsewhere {
    let mut done = DoneElsewhere::default();
    for set in &said.pre_order_plan_metrics {
        let (read, pruned) = row_groups_of(set);
        done.row_groups += read;
        done.row_groups_pruned += pruned;
        for metric in set.iter() {
            let MetricValue::Count { name, count } = metric.value() else {
                continue;
            };
            let figure = match name.as_ref() {
                REQUESTS => &mut done.requests,
                BYTES => &mut done.bytes,
                KEPT_BYTES => &mut done.kept_bytes,
                _ => continue,
            };
            *figure += number(count);
        }
    }
    done
}

fn number(count: &Count) -> u64 {
    u64::try_from(count.value()).unwrap_or(u64::MAX)
}

/// Makes the readers of a part's scan.
#[derive(Debug)]
pub(super) struct PartReaders {
    pub(super) store: Arc<dyn ObjectStore>,
    pub(super) footers: Arc<FileMetadataCache>,
    pub(super) kept: Option<Readers>,
    /// The bytes that the part read so far, and the most that it may.
    pub(super) read: Arc<AtomicU64>,
    pub(super) bytes_max: Option<u64>,
}

impl ParquetFileReaderFactory for PartReaders {
    fn create_reader(
        &self,
        partition_index: usize,
        file: PartitionedFile,
        metadata_size_hint: Option<usize>,
        metrics: &ExecutionPlanMetricsSet,
    ) -> Result<Box<dyn AsyncFileReader + Send>> {
        let reads = Arc::<ReadCount>::default();
        let kept_bytes = Arc::<AtomicU64>::default();
        let store = CountingStore::new(Arc::clone(&self.store), Arc::clone(&reads));
        let footers = Arc::clone(&self.footers);
        let factory = readers(self.kept.as_ref(), Arc::new(store), footers, &kept_bytes);
        let file = factory.create_reader(partition_index, file, metadata_size_hint, metrics)?;
        let counter =
            |name: &'static str| MetricBuilder::new(metrics).counter(name, partition_index);
        Ok(Box::new(PartReader {
            file,
            figures: [
                Figure::new(counter(REQUESTS)),
                Figure::new(counter(BYTES)),
                Figure::new(counter(KEPT_BYTES)),
            ],
            reads,
            kept_bytes,
            read: Arc::clone(&self.read),
            bytes_max: self.bytes_max,
        }))
    }
}

/// A figure, and how much of it was told.
struct Figure {
    count: Count,
    told: u64,
}

impl Figure {
    fn new(count: Count) -> Self {
        Self { count, told: 0 }
    }

    /// Tells what there is by now; answers what is new of it.
    fn tell(&mut self, now: &AtomicU64) -> u64 {
        let now = now.load(Ordering::Relaxed);
        let new = now.saturating_sub(self.told);
        self.count.add(usize::try_from(new).unwrap_or(usize::MAX));
        self.told = now;
        new
    }
}

/// Reads one file.
struct PartReader {
    file: Box<dyn AsyncFileReader + Send>,
    figures: [Figure; 3],
    reads: Arc<ReadCount>,
    kept_bytes: Arc<AtomicU64>,
    read: Arc<AtomicU64>,
    bytes_max: Option<u64>,
}

impl PartReader {
    fn tell(&mut self) {
        let [requests, bytes, kept_bytes] = &mut self.figures;
        requests.tell(&self.reads.requests);
        let new = bytes.tell(&self.reads.bytes) + kept_bytes.tell(&self.kept_bytes);
        self.read.fetch_add(new, Ordering::Relaxed);
    }

    /// Tells what was read, and refuses more than a query may read.
    fn told<T>(&mut self, read: ParquetResult<T>) -> ParquetResult<T> {
        self.tell();
        let all = self.read.load(Ordering::Relaxed);
        match self.bytes_max {
            Some(most) if all > most => Err(ParquetError::General(format!(
                "a part of the query read {all} bytes; `query.scan_max` is {most} on this node"
            ))),
            _ => read,
        }
    }
}

impl AsyncFileReader for PartReader {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, ParquetResult<Bytes>> {
        async move {
            let read = self.file.get_bytes(range).await;
            self.told(read)
        }
        .boxed()
    }

    fn get_byte_ranges(
        &mut self,
        ranges: Vec<Range<u64>>,
    ) -> BoxFuture<'_, ParquetResult<Vec<Bytes>>> {
        async move {
            let read = self.file.get_byte_ranges(ranges).await;
            self.told(read)
        }
        .boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, ParquetResult<Arc<ParquetMetaData>>> {
        async move {
            let read = self.file.get_metadata(options).await;
            self.told(read)
        }
        .boxed()
    }
}

impl Drop for PartReader {
    fn drop(&mut self) {
        self.tell();
    }
}
