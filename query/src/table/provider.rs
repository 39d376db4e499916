//! The table provider: which files, which row groups of them, which columns, and how lake and live
//! rows become one plan.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{DFSchema, Result, ScalarValue, Statistics, stats::Precision};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::datasource::physical_plan::parquet::{
    CachedParquetFileReaderFactory, ParquetAccessPlan, RowGroupAccess,
};
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType, lit};
use datafusion::physical_expr::expressions::{Column, Literal};
use datafusion::physical_expr::{PhysicalExpr, ScalarFunctionExpr};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::projection::{ProjectionExec, ProjectionExpr};
use datafusion::physical_plan::union::UnionExec;
use eddy_engine::commit::DataFile;
use eddy_engine::filter::{Filters, Verdict};
use eddy_engine::read::CountingStore;
use eddy_engine::schema::partition_columns;
use eddy_engine::seal::Keys;
use object_store::ObjectMeta;

use super::columns::{Source, SqlColumns, plain_type};
use super::count::ScanCount;
use super::filters::{for_files, named};
use super::leaves;
use super::live::live_batches;
use super::needle;
use super::original::Original;
use super::prune::prune;
use super::sealed::SealedReaders;
use super::view::{AsOf, FILE, Rows, View};
use crate::error::Error;
use crate::functions::utf8_text;
use crate::logical::text_function;

/// A topic's table, or its dead letters.
#[derive(Debug)]
pub(crate) struct TopicTable {
    view: View,
    rows: Rows,
    columns: Arc<SqlColumns>,
    schema: SchemaRef,
    /// The partition columns, whose value a file has as a whole.
    partitions: Vec<String>,
    lake: Origin,
    count: Arc<ScanCount>,
}

/// Where a table's files and filters are read from.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    /// The name under which the store is registered.
    pub(crate) store: ObjectStoreUrl,
    /// With what encrypted files are opened.
    pub(crate) keys: Keys,
    /// What filters say.
    pub(crate) filters: Arc<Filters>,
}

/// A file that a scan reads, and which row groups of it; `None`: as DataFusion finds.
type Chosen<'a> = (&'a Arc<DataFile>, Option<Vec<bool>>);

impl TopicTable {
    /// The table of `view`, whose files are in `lake`.
    pub(crate) fn new(view: View, rows: Rows, lake: Origin) -> Self {
        let columns = Arc::new(match rows {
            Rows::Good | Rows::Dead => SqlColumns::of(&view.schema),
            Rows::All => SqlColumns::with_file(&view.schema),
        });
        Self {
            schema: columns.schema(),
            partitions: partition_columns(&view.schema),
            columns,
            view,
            rows,
            lake,
            count: Arc::default(),
        }
    }

    /// What the scans of this table read.
    pub(crate) fn count(&self) -> Arc<ScanCount> {
        Arc::clone(&self.count)
    }

    /// Its columns.
    pub(crate) fn columns(&self) -> &Arc<SqlColumns> {
        &self.columns
    }

    /// What every scan of this table is filtered by.
    fn own_filters(&self) -> Vec<Expr> {
        let mut filters = match self.rows {
            Rows::Good => vec![named("_error").is_null()],
            Rows::Dead => vec![named("_error").is_not_null()],
            Rows::All => Vec::new(),
        };
        if let AsOf::Offsets(offsets) = &self.view.as_of {
            let below = offsets.iter().map(|(partition, next)| {
                named("_partition")
                    .eq(lit(*partition))
                    .and(named("_offset").lt(lit(*next)))
            });
            filters.push(below.reduce(Expr::or).unwrap_or_else(|| lit(false)));
        }
        filters
    }

    /// The columns whose value a file has as a whole.
    fn whole(&self) -> Vec<FieldRef> {
        let text = |name: &str| Arc::new(Field::new(name, DataType::Utf8, true));
        let mut fields: Vec<FieldRef> = self.partitions.iter().map(|name| text(name)).collect();
        if self.rows == Rows::All {
            fields.push(text(FILE));
        }
        fields
    }

    /// The table's columns in files, then those of [`TopicTable::whole`], narrowed to what a scan
    /// needs.
    fn narrow(&self, wanted: &[&str]) -> (SchemaRef, SchemaRef) {
        let named = |name: &str| wanted.contains(&name);
        let fields: Vec<FieldRef> = self
            .view
            .schema
            .fields()
            .iter()
            .filter(|field| named(field.name()))
            .map(|field| {
                let data_type = plain_type(field.data_type());
                Arc::new(Field::new(field.name(), data_type, true))
            })
            .collect();
        let file_schema = Arc::new(Schema::new(fields.clone()));
        let all: Vec<FieldRef> = fields.into_iter().chain(self.whole()).collect();
        (file_schema, Arc::new(Schema::new(all)))
    }

    fn lake_plan(
        &self,
        state: &dyn Session,
        files: Vec<Chosen<'_>>,
        file_schema: &SchemaRef,
        predicate: Option<Arc<dyn PhysicalExpr>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let table_schema = TableSchema::builder(Arc::clone(file_schema))
            .with_table_partition_cols(self.whole())
            .build();
        let options = state.config_options().execution.parquet.clone();
        let mut source = ParquetSource::new(table_schema)
            .with_pushdown_filters(options.pushdown_filters)
            .with_reorder_filters(options.reorder_filters)
            .with_enable_page_index(options.enable_page_index)
            .with_bloom_filter_on_read(options.bloom_filter_on_read);
        if let Some(hint) = options.metadata_size_hint {
            source = source.with_metadata_size_hint(hint);
        }
        if let Some(predicate) = predicate {
            source = source.with_predicate(predicate);
        }
        let runtime = state.runtime_env();
        let store = runtime.object_store(&self.lake.store)?;
        let store = CountingStore::new(store, Arc::clone(&self.count.reads));
        let footers = runtime.cache_manager.get_file_metadata_cache();
        let plain = CachedParquetFileReaderFactory::new(Arc::new(store), Arc::clone(&footers));
        source = source.with_parquet_file_reader_factory(match &self.view.key_id {
            None => Arc::new(plain),
            Some(_) => Arc::new(SealedReaders {
                plain,
                footers,
                keys: self.lake.keys.clone(),
            }),
        });
        let rows: u64 = files.iter().map(|(file, _)| file.rows).sum();
        let mut statistics = Statistics::new_unknown(&Schema::new(
            file_schema
                .fields()
                .iter()
                .cloned()
                .chain(self.whole())
                .collect::<Vec<_>>(),
        ));
        statistics.num_rows = Precision::Inexact(usize::try_from(rows).unwrap_or(usize::MAX));
        let files = files.into_iter();
        let group = FileGroup::new(files.map(|file| self.partitioned(file)).collect());
        let groups = group.split_files(state.config().target_partitions().max(1));
        let config = FileScanConfigBuilder::new(self.lake.store.clone(), Arc::new(source))
            .with_file_groups(groups)
            .with_statistics(statistics)
            .build();
        Ok(DataSourceExec::from_data_source(config))
    }

    /// The files that may hold rows which meet all of `filters`, by what filters say of `files`.
    async fn ask_filters<'a>(
        &self,
        files: Vec<&'a Arc<DataFile>>,
        filters: &[Expr],
    ) -> Vec<Chosen<'a>> {
        let wanted = needle::wanted(filters);
        let paths: Vec<&str> = files.iter().map(|file| file.path.as_str()).collect();
        let (table, version) = (&self.view.path, self.view.version);
        let asked = self.lake.filters.ask(table, version, &paths, &wanted);
        let verdict = asked.await;
        self.count.asked(&verdict);
        let Verdict { row_groups, .. } = verdict;
        let chosen = files.into_iter().zip(row_groups);
        chosen
            .filter(|(_, groups)| groups.as_ref().is_none_or(|groups| groups.contains(&true)))
            .collect()
    }

    /// From the narrow columns to exactly what the scan was asked for.
    fn project(
        &self,
        state: &dyn Session,
        input: Arc<dyn ExecutionPlan>,
        output: &Schema,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let schema = input.schema();
        let mut expressions = Vec::with_capacity(output.fields().len());
        for field in output.fields() {
            expressions.push(ProjectionExpr {
                expr: made_of(state, self.source(field.name())?, &schema)?,
                alias: field.name().clone(),
            });
        }
        Ok(Arc::new(ProjectionExec::try_new(expressions, input)?))
    }

    fn partitioned(&self, (file, row_groups): Chosen<'_>) -> PartitionedFile {
        let modified = chrono::DateTime::from_timestamp_millis(file.modified_ms);
        let value = |name: &String| file.partition_values.get(name).cloned().flatten();
        let values = self.partitions.iter().map(value).map(ScalarValue::Utf8);
        let mut values: Vec<ScalarValue> = values.collect();
        if self.rows == Rows::All {
            values.push(ScalarValue::Utf8(Some(file.path.clone())));
        }
        let partitioned = PartitionedFile::new_from_meta(ObjectMeta {
            location: self.view.path.object(&file.path),
            last_modified: modified.unwrap_or_default(),
            size: file.size,
            e_tag: None,
            version: None,
        })
        .with_partition_values(values);
        let Some(row_groups) = row_groups.filter(|groups| groups.contains(&false)) else {
            return partitioned;
        };
        let access = row_groups.into_iter().map(|wanted| match wanted {
            true => RowGroupAccess::Scan,
            false => RowGroupAccess::Skip,
        });
        partitioned.with_extension(ParquetAccessPlan::new(access.collect()))
    }

    fn source(&self, name: &str) -> Result<&Source> {
        let column = self.columns.get(name);
        Ok(&column
            .ok_or_else(|| Error::internal(format!("the table has no column `{name}`")))?
            .source)
    }
}

/// A column of SQL over the stored columns of `schema`.
pub(super) fn made_of(
    state: &dyn Session,
    source: &Source,
    schema: &Schema,
) -> Result<Arc<dyn PhysicalExpr>> {
    let stored = |name: &str| -> Result<Arc<dyn PhysicalExpr>> {
        Ok(Arc::new(Column::new_with_schema(name, schema)?))
    };
    let call = |function, arguments| -> Result<Arc<dyn PhysicalExpr>> {
        let config = Arc::new(state.config_options().clone());
        let call = ScalarFunctionExpr::try_new(function, arguments, schema, config)?;
        Ok(Arc::new(call))
    };
    let columns_of =
        |original: &Original| -> Result<Vec<_>> { original.stored().map(stored).collect() };
    match source {
        Source::Stored(name) => stored(name),
        Source::Partition(name) => stored(name),
        Source::File => stored(FILE),
        Source::TextOf(bytes) => call(utf8_text(), vec![stored(bytes)?]),
        Source::Original(original) => call(original.function(), columns_of(original)?),
        Source::OriginalText(original) => {
            let bytes = call(original.function(), columns_of(original)?)?;
            call(utf8_text(), vec![bytes])
        }
        Source::Drifted(drifted) => {
            let shapes = ScalarValue::Utf8(Some(drifted.shapes.clone()));
            let mut arguments: Vec<Arc<dyn PhysicalExpr>> = vec![Arc::new(Literal::new(shapes))];
            for name in &drifted.stored {
                arguments.push(stored(name)?);
            }
            call(text_function(), arguments)
        }
    }
}

#[async_trait]
impl TableProvider for TopicTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        _limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let output = match projection {
            Some(indices) => Arc::new(self.schema.project(indices)?),
            None => Arc::clone(&self.schema),
        };
        let own = self.own_filters();
        let mut pushed = for_files(&self.view, &self.columns, filters)?;
        pushed.extend(own.iter().cloned());
        let mut wanted: Vec<&str> = Vec::new();
        for field in output.fields() {
            match self.source(field.name())? {
                Source::Stored(name) => wanted.push(name),
                Source::Partition(_) | Source::File => {}
                Source::TextOf(bytes) => wanted.push(bytes),
                Source::Original(original) | Source::OriginalText(original) => {
                    wanted.extend(original.stored());
                }
                Source::Drifted(drifted) => {
                    wanted.extend(drifted.stored.iter().map(String::as_str));
                }
            }
        }
        for filter in &pushed {
            wanted.extend(filter.column_refs().iter().map(|one| one.name.as_str()));
        }
        let (file_schema, narrow) = self.narrow(&wanted);
        let physical = |exprs: &[Expr], schema: &SchemaRef| -> Result<Option<_>> {
            let schema = DFSchema::try_from(Arc::clone(schema))?;
            let whole = datafusion::logical_expr::utils::conjunction(exprs.iter().cloned());
            whole
                .map(|expr| state.create_physical_expr(expr, &schema))
                .transpose()
        };
        let predicate = physical(&pushed, &narrow)?;
        let (by_leaves, leaves) = leaves::flat(&pushed, &narrow)?;
        let files = match physical(&by_leaves, &leaves)? {
            Some(by_leaves) => prune(&self.view, by_leaves, &leaves),
            None => self.view.files.iter().collect(),
        };
        let files = self.ask_filters(files, &pushed).await;
        self.count.planned(files.len(), &self.view.files);

        let mut inputs: Vec<Arc<dyn ExecutionPlan>> = Vec::new();
        if !files.is_empty() {
            inputs.push(self.lake_plan(state, files, &file_schema, predicate)?);
        }
        let live = live_batches(&self.view, &file_schema, &narrow).map_err(Error::from)?;
        if !live.is_empty() {
            let source = MemorySourceConfig::try_new_exec(&[live], Arc::clone(&narrow), None)?;
            inputs.push(source);
        }
        let plan: Arc<dyn ExecutionPlan> = match inputs.len() {
            0 => return Ok(Arc::new(EmptyExec::new(output))),
            1 => inputs.swap_remove(0),
            _ => UnionExec::try_new(inputs)?,
        };
        let plan: Arc<dyn ExecutionPlan> = match physical(&own, &narrow)? {
            Some(own) => Arc::new(FilterExec::try_new(own, plan)?),
            None => plan,
        };
        self.project(state, plan, &output)
    }
}
