//! Parquet files as a source of rows that looks first at what is kept.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::datatypes::SchemaRef;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, config::ConfigOptions};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{
    FileOpener, FileScanConfig, FileSource, ParquetSource,
};
use datafusion::datasource::table_schema::TableSchema;
use datafusion::execution::cache::cache_manager::FileMetadataCache;
use datafusion::physical_expr::projection::ProjectionExprs;
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr, PhysicalSortExpr};
use datafusion::physical_plan::filter_pushdown::FilterPushdownPropagation;
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use datafusion::physical_plan::{DisplayFormatType, SortOrderPushdownResult};
use datafusion_datasource::morsel::{MorselPlanner, Morselizer};
use object_store::ObjectStore;

use super::fill::{Fill, Filled, Filling};
use super::given::Given;
use super::name::{Wanted, wanted};
use super::{Columns, Key, count};

/// Whole files of one lake, whose columns may be kept.
#[derive(Clone)]
pub(crate) struct KeptSource {
    parquet: ParquetSource,
    columns: Arc<Columns>,
    footers: Arc<FileMetadataCache>,
    /// The lake: paths are unique in one alone.
    lake: Arc<str>,
    /// Where bytes are counted that were kept.
    kept_bytes: Arc<AtomicU64>,
    /// Whether files give their rows in an order of their own.
    is_reordered: bool,
    rows_most: Option<usize>,
}

/// What reads Parquet files, if the source does.
pub(crate) fn parquet_of(source: &dyn FileSource) -> Option<&ParquetSource> {
    let kept = source
        .downcast_ref::<KeptSource>()
        .map(|kept| &kept.parquet);
    kept.or_else(|| source.downcast_ref::<ParquetSource>())
}

impl KeptSource {
    /// The same files as `parquet` has, which are all of `lake`.
    pub(crate) fn new(
        parquet: ParquetSource,
        columns: Arc<Columns>,
        footers: Arc<FileMetadataCache>,
        lake: &str,
        kept_bytes: Arc<AtomicU64>,
    ) -> Self {
        Self {
            parquet,
            columns,
            footers,
            lake: lake.into(),
            kept_bytes,
            is_reordered: false,
            rows_most: None,
        }
    }

    /// The same over what `source`, a Parquet source, reads now.
    fn over(&self, source: &Arc<dyn FileSource>) -> Arc<dyn FileSource> {
        match parquet_of(source.as_ref()) {
            Some(parquet) => Arc::new(Self {
                parquet: parquet.clone(),
                ..self.clone()
            }),
            None => Arc::clone(source),
        }
    }
}

impl FileSource for KeptSource {
    fn create_file_opener(
        &self,
        store: Arc<dyn ObjectStore>,
        base: &FileScanConfig,
        partition: usize,
    ) -> Result<Arc<dyn FileOpener>> {
        self.parquet.create_file_opener(store, base, partition)
    }

    fn create_morselizer(
        &self,
        store: Arc<dyn ObjectStore>,
        base: &FileScanConfig,
        partition: usize,
    ) -> Result<Box<dyn Morselizer>> {
        let inner = self.parquet.create_morselizer(store, base, partition)?;
        let table = self.parquet.table_schema();
        let stored = table.file_schema().fields().len();
        let projection = self.parquet.projection();
        let wanted =
            projection.and_then(|projection| wanted(projection, table.table_schema(), stored));
        let is_whole = base.limit.is_none() && !base.preserve_order && !self.is_reordered;
        let wanted = wanted.filter(|wanted| is_whole && !wanted.is_empty());
        let (Some(wanted), Some(rows_most)) = (wanted, self.rows_most) else {
            return Ok(inner);
        };
        Ok(Box::new(KeptFiles {
            inner,
            source: self.clone(),
            wanted,
            schema: base.projected_schema()?,
            rows_most,
        }))
    }

    fn table_schema(&self) -> &TableSchema {
        self.parquet.table_schema()
    }

    fn with_batch_size(&self, batch_size: usize) -> Arc<dyn FileSource> {
        let sized = Self {
            rows_most: Some(batch_size),
            ..self.clone()
        };
        sized.over(&self.parquet.with_batch_size(batch_size))
    }

    fn filter(&self) -> Option<Arc<dyn PhysicalExpr>> {
        self.parquet.filter()
    }

    fn projection(&self) -> Option<&ProjectionExprs> {
        self.parquet.projection()
    }

    fn metrics(&self) -> &ExecutionPlanMetricsSet {
        self.parquet.metrics()
    }

    fn file_type(&self) -> &str {
        self.parquet.file_type()
    }

    fn fmt_extra(&self, t: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        self.parquet.fmt_extra(t, f)
    }

    fn try_pushdown_filters(
        &self,
        filters: Vec<Arc<dyn PhysicalExpr>>,
        config: &ConfigOptions,
    ) -> Result<FilterPushdownPropagation<Arc<dyn FileSource>>> {
        let mut pushed = self.parquet.try_pushdown_filters(filters, config)?;
        pushed.updated_node = pushed.updated_node.map(|source| self.over(&source));
        Ok(pushed)
    }

    fn try_pushdown_sort(
        &self,
        order: &[PhysicalSortExpr],
        properties: &EquivalenceProperties,
    ) -> Result<SortOrderPushdownResult<Arc<dyn FileSource>>> {
        use SortOrderPushdownResult::{Exact, Inexact, Unsupported};
        Ok(match self.parquet.try_pushdown_sort(order, properties)? {
            Exact { inner } => Exact {
                inner: self.over(&inner),
            },
            Inexact { inner } => {
                let reordered = Self {
                    is_reordered: true,
                    ..self.clone()
                };
                Inexact {
                    inner: reordered.over(&inner),
                }
            }
            Unsupported => Unsupported,
        })
    }

    fn reorder_files(&self, files: Vec<PartitionedFile>) -> Vec<PartitionedFile> {
        self.parquet.reorder_files(files)
    }

    fn try_pushdown_projection(
        &self,
        projection: &ProjectionExprs,
    ) -> Result<Option<Arc<dyn FileSource>>> {
        let pushed = self.parquet.try_pushdown_projection(projection)?;
        Ok(pushed.map(|source| self.over(&source)))
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        self.parquet.apply_expressions(f)
    }
}

/// The files of one partition of a scan.
struct KeptFiles {
    inner: Box<dyn Morselizer>,
    source: KeptSource,
    wanted: Vec<Wanted>,
    schema: SchemaRef,
    rows_most: usize,
}

impl fmt::Debug for KeptFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeptFiles")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}

impl Morselizer for KeptFiles {
    fn plan_file(&self, file: PartitionedFile) -> Result<Box<dyn MorselPlanner>> {
        let columns = &self.source.columns;
        let keys = self.keys(&file);
        let found: Vec<_> = keys.iter().map(|key| columns.get(key)).collect();
        let kept = found.iter().flatten().count();
        count("yes", kept);
        count("no", keys.len() - kept);
        if let Some(found) = found.iter().cloned().collect::<Option<Vec<_>>>() {
            let bytes = found.iter().map(|column| column.file_bytes).sum();
            let count = &self.source.kept_bytes;
            count.fetch_add(bytes, Ordering::Relaxed);
            let rows = found.first().map_or(0, |column| column.rows);
            // As many each, or one of them isn't what it is taken for.
            if found.iter().all(|column| column.rows == rows) {
                let given = Given::new(found, Arc::clone(&self.schema), self.rows_most);
                return Ok(Box::new(given));
            }
        }
        let asked = keys.into_iter().zip(&self.wanted).zip(found).enumerate();
        let again = asked.filter_map(|(place, ((key, wanted), found))| {
            let is_wanted = columns.is_asked_again(&key) && found.is_none();
            is_wanted.then(|| Filled::new(place, wanted.path.clone(), key))
        });
        let filled: Vec<Filled> = again.collect();
        let range = file.range.as_ref().map(|range| range.start..range.end);
        let meta = file.object_meta.clone();
        let inner = self.inner.plan_file(file)?;
        if filled.is_empty() {
            return Ok(inner);
        }
        let (columns, footers) = (Arc::clone(columns), Arc::clone(&self.source.footers));
        let fill = Fill::new(columns, footers, meta, range, filled);
        Ok(Box::new(Filling::new(inner, fill)))
    }
}

impl KeptFiles {
    fn keys(&self, file: &PartitionedFile) -> Vec<Key> {
        let meta = &file.object_meta;
        let (size, modified) = (meta.size, meta.last_modified.timestamp_millis());
        let range = file.range.as_ref().map(|range| (range.start, range.end));
        let (lake, path) = (&self.source.lake, &meta.location);
        let name: Arc<str> = format!("{lake}{path}?{size}@{modified}#{range:?}").into();
        let key = |wanted: &Wanted| Key {
            file: Arc::clone(&name),
            column: Arc::clone(&wanted.name),
        };
        self.wanted.iter().map(key).collect()
    }
}
