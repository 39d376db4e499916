//! The part of a scan that reads files: one Parquet scan over those that are left.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, SchemaRef};
use datafusion::catalog::Session;
use datafusion::common::stats::Precision;
use datafusion::common::{ColumnStatistics, Result, ScalarValue, Statistics};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::parquet::{
    ParquetAccessPlan, ParquetRowSelection, RowGroupAccess,
};
use datafusion::datasource::physical_plan::{
    FileGroup, FileScanConfigBuilder, FileSource, ParquetSource,
};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::ExecutionPlan;
use eddy_engine::commit::DataFile;
use eddy_engine::filter::Allowed;
use object_store::ObjectMeta;
use parquet::arrow::arrow_reader::RowSelection;

use super::bounds::bounds;
use super::provider::{Addresses, ERROR, TopicTable};
use super::prune::nulls;
use super::reading::readers;
use super::view::Rows;
use crate::columns::KeptSource;
use crate::nodes::Divisible;

/// A file that a scan reads, and what of it.
pub(super) type Chosen<'a> = (&'a Arc<DataFile>, Part);

/// What a scan reads of a file.
#[derive(Debug, Clone)]
pub(super) enum Part {
    /// What DataFusion finds.
    Whole,
    /// No other rows than these, by row group.
    Slices(Vec<Allowed>),
    /// No other rows than these, in order.
    Rows(Vec<usize>),
}

impl Part {
    /// Whether nothing of the file is left.
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::Whole => false,
            Self::Slices(groups) => groups.iter().all(|group| *group == Allowed::Nothing),
            Self::Rows(rows) => rows.is_empty(),
        }
    }

    /// Whether something of the file is left out.
    pub(super) fn is_cut(&self) -> bool {
        match self {
            Self::Whole => false,
            Self::Slices(groups) => groups.iter().any(|group| *group != Allowed::Whole),
            Self::Rows(_) => true,
        }
    }
}

/// How files are scanned.
pub(super) struct Scanned {
    /// The columns that are read.
    pub(super) file_schema: SchemaRef,
    /// What rows must meet, besides what the plan above asks of them; only to read less.
    pub(super) predicate: Option<Arc<dyn PhysicalExpr>>,
    /// Whether conditions are asked before the other columns are read.
    pub(super) conditions_first: bool,
}

impl TopicTable {
    /// The scan of `files`.
    pub(super) fn lake_plan(
        &self,
        state: &dyn Session,
        files: Vec<Chosen<'_>>,
        scanned: Scanned,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let table_schema = TableSchema::builder(Arc::clone(&scanned.file_schema))
            .with_table_partition_cols(self.whole())
            .with_virtual_columns(self.made())
            .build();
        let options = state.config_options().execution.parquet.clone();
        // Our own filters tell of the same columns, and more closely than those in the files, which
        // would have to be read.
        let is_needle = files.iter().all(|(_, part)| part.is_cut());
        let mut source = ParquetSource::new(table_schema)
            .with_pushdown_filters(scanned.conditions_first)
            .with_reorder_filters(options.reorder_filters)
            .with_enable_page_index(options.enable_page_index)
            .with_bloom_filter_on_read(options.bloom_filter_on_read && !is_needle);
        if let Some(hint) = options.metadata_size_hint {
            source = source.with_metadata_size_hint(hint);
        }
        if let Some(predicate) = scanned.predicate {
            source = source.with_predicate(predicate);
        }
        let readers = readers(state, &self.view, &self.lake, &self.count)?;
        source = source.with_parquet_file_reader_factory(readers);
        let is_whole = files.iter().all(|(_, part)| !part.is_cut());
        let source = self.keeping(state, source, is_whole && !scanned.conditions_first);
        let (plain, all) = (files.iter().map(|(file, _)| *file), &scanned.file_schema);
        let bounds = bounds(&plain.collect::<Vec<_>>(), all, &self.lake.leaves);
        let others = self.whole().len() + self.made().len();
        let statistics = match &bounds {
            Some(bounds) => Statistics::try_merge_iter(bounds, all)?,
            None => Statistics::new_unknown(all),
        };
        let statistics = self.of_all(&files, statistics, others);
        let mut bounds = bounds.into_iter().flatten();
        let numbers = self.numbers();
        let is_divisible = self.is_divisible(&files);
        let files = files.into_iter().map(|file| {
            let number = numbers.get(&Arc::as_ptr(file.0)).copied();
            let size = file.0.size;
            let mut partitioned = self.partitioned(file, number);
            if is_divisible {
                partitioned = partitioned.with_extension(Divisible {
                    bytes: self.bytes_of(size, all),
                    count: self.count(),
                });
            }
            match bounds.next() {
                Some(bounds) => partitioned.with_statistics(Arc::new(bounds)),
                None => partitioned,
            }
        });
        let group = FileGroup::new(files.collect());
        let groups = group.split_files(state.config().target_partitions().max(1));
        let config = FileScanConfigBuilder::new(self.lake.store.clone(), source)
            .with_file_groups(groups)
            .with_statistics(statistics)
            .build();
        Ok(DataSourceExec::from_data_source(config))
    }

    /// The source that looks first at the columns that are kept, where all rows of files are read.
    fn keeping(
        &self,
        state: &dyn Session,
        source: ParquetSource,
        is_whole: bool,
    ) -> Arc<dyn FileSource> {
        let may = is_whole && self.view.is_newest && self.view.key_id.is_none() && !self.addressed;
        let Some(columns) = self.lake.columns.as_ref().filter(|_| may) else {
            return Arc::new(source);
        };
        let footers = state.runtime_env().cache_manager.get_file_metadata_cache();
        let (lake, kept) = (self.lake.store.as_str(), &self.count.kept_bytes);
        let (columns, kept) = (Arc::clone(columns), Arc::clone(kept));
        Arc::new(KeptSource::new(source, columns, footers, lake, kept))
    }

    /// Whether other nodes can read these files as this one does: they have the process's own lake,
    /// but no keys and no word of what filters say, and they keep blocks of newest versions alone.
    fn is_divisible(&self, files: &[Chosen<'_>]) -> bool {
        let is_plain = self.view.key_id.is_none() && !self.addressed && self.rows != Rows::All;
        let is_known = self.lake.is_own && self.view.is_newest;
        is_plain && is_known && files.iter().all(|(_, part)| !part.is_cut())
    }

    /// What the columns of `read` take of a file of `size` bytes, were all columns alike.
    fn bytes_of(&self, size: u64, read: &SchemaRef) -> u64 {
        let count = |schema: &SchemaRef| u128::try_from(schema.fields().len()).unwrap_or(1);
        let all = count(&self.view.schema).max(1);
        u64::try_from(u128::from(size) * count(read) / all).unwrap_or(size)
    }

    /// Parts files into those of which the log says that no row has `_error`, and the others.
    pub(super) fn parted<'a>(&self, files: Vec<Chosen<'a>>) -> [(bool, Vec<Chosen<'a>>); 2] {
        let plain: Vec<&Arc<DataFile>> = files.iter().map(|(file, _)| *file).collect();
        let known = self.lake.leaves.of(&plain, &[ERROR]);
        let (mut clean, mut others) = (Vec::new(), Vec::new());
        for (chosen, known) in files.into_iter().zip(known) {
            let rows = chosen.0.rows;
            let errors = nulls(&known, ERROR, &DataType::Utf8, rows);
            match errors == Some(rows) && rows > 0 {
                true => clean.push(chosen),
                false => others.push(chosen),
            }
        }
        [(true, clean), (false, others)]
    }

    /// The files at `addresses`, and the rows in them.
    pub(super) fn at(&self, addresses: &Addresses) -> Vec<Chosen<'_>> {
        let chosen = addresses.iter().filter_map(|(number, rows)| {
            let file = self.view.files.get(*number)?;
            // A file without statistics says that it has no rows; all of it holds these, too.
            let last = rows.last().and_then(|last| u64::try_from(*last).ok());
            match last.is_none_or(|last| last < file.rows) {
                true => Some((file, Part::Rows(rows.clone()))),
                false => Some((file, Part::Whole)),
            }
        });
        chosen.collect()
    }

    /// The statistics of all `files` together, those of columns merged already; so many `others`
    /// come behind them.
    fn of_all(&self, files: &[Chosen<'_>], merged: Statistics, others: usize) -> Statistics {
        let mut all = merged;
        // What is left out doesn't count.
        let is_cut = files.iter().any(|(_, part)| part.is_cut());
        if is_cut || !matches!(all.num_rows, Precision::Exact(_)) {
            let rows: u64 = files.iter().map(|(file, _)| file.rows).sum();
            all = all.to_inexact();
            all.num_rows = Precision::Inexact(usize::try_from(rows).unwrap_or(usize::MAX));
        }
        let unknown = (0..others).map(|_| ColumnStatistics::new_unknown());
        all.column_statistics.extend(unknown);
        all
    }

    fn partitioned(&self, (file, part): Chosen<'_>, number: Option<i32>) -> PartitionedFile {
        let modified = chrono::DateTime::from_timestamp_millis(file.modified_ms);
        let value = |name: &String| file.partition_values.get(name).cloned().flatten();
        let values = self.partitions.iter().map(value).map(ScalarValue::Utf8);
        let mut values: Vec<ScalarValue> = values.collect();
        if self.rows == Rows::All {
            values.push(ScalarValue::Utf8(Some(file.path.clone())));
        }
        if self.addressed {
            values.push(ScalarValue::Int32(number));
        }
        let partitioned = PartitionedFile::new_from_meta(ObjectMeta {
            location: self.view.path.object(&file.path),
            last_modified: modified.unwrap_or_default(),
            size: file.size,
            e_tag: None,
            version: None,
        })
        .with_partition_values(values);
        match part {
            Part::Slices(groups) => {
                let access = groups.into_iter().map(|allowed| match allowed {
                    Allowed::Whole => RowGroupAccess::Scan,
                    Allowed::Nothing => RowGroupAccess::Skip,
                    Allowed::Slices { wanted, rows } => RowGroupAccess::Selection(
                        RowSelection::from_consecutive_ranges(wanted.into_iter(), rows),
                    ),
                });
                partitioned.with_extension(ParquetAccessPlan::new(access.collect()))
            }
            Part::Rows(rows) => {
                let total = usize::try_from(file.rows).unwrap_or(usize::MAX);
                let ranges = rows.into_iter().map(|row| row..row + 1);
                let rows = RowSelection::from_consecutive_ranges(ranges, total);
                partitioned.with_extension(ParquetRowSelection::new(rows))
            }
            Part::Whole => partitioned,
        }
    }

    /// The numbers of files in the view, by their addresses in memory; none where nobody asks.
    fn numbers(&self) -> HashMap<*const DataFile, i32> {
        let files = self.view.files.iter().filter(|_| self.addressed);
        let addresses = files.map(Arc::as_ptr);
        addresses.zip(0..).collect()
    }
}
