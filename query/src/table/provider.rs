//! The table provider: which files, which row groups of them, which columns, and how lake and live
//! rows become one plan.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::Result;
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType, lit};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::projection::{ProjectionExec, ProjectionExpr};
use datafusion::physical_plan::union::UnionExec;
use eddy_engine::commit::DataFile;
use eddy_engine::filter::Verdict;
use eddy_engine::schema::partition_columns;
use parquet::arrow::RowNumber;

use super::columns::{Source, SqlColumns, plain_type};
use super::count::ScanCount;
use super::files::{Chosen, Part, Scanned};
use super::filters::{as_it_was, for_files, named, names, physical};
use super::late::reads_conditions_first;
use super::leaves;
use super::live::live_batches;
use super::made::made_of;
use super::needle;
use super::origin::Origin;
use super::prune::prune;
use super::view::{AsOf, FILE, NUMBER, ROW, Rows, View};
use crate::error::Error;

/// A topic's table, or its dead letters.
#[derive(Debug, Clone)]
pub(crate) struct TopicTable {
    pub(super) view: View,
    pub(super) rows: Rows,
    columns: Arc<SqlColumns>,
    schema: SchemaRef,
    /// The partition columns, whose value a file has as a whole.
    pub(super) partitions: Vec<String>,
    pub(super) lake: Origin,
    pub(super) count: Arc<ScanCount>,
    /// Whether rows have addresses.
    pub(super) addressed: bool,
    /// The only committed rows that there are; all of them unless said.
    only: Option<Arc<Addresses>>,
}

/// Rows of files, in order, by the number of their file.
pub(crate) type Addresses = BTreeMap<usize, Vec<usize>>;

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
            addressed: false,
            only: None,
        }
    }

    /// The same table with the addresses of its rows: the columns [`NUMBER`] and [`ROW`].
    pub(crate) fn addressed(&self) -> Self {
        let columns = Arc::new(self.columns.with_addresses());
        Self {
            schema: columns.schema(),
            columns,
            addressed: true,
            ..self.clone()
        }
    }

    /// The same table as if it had only the rows at `addresses`, and the live ones.
    pub(crate) fn only(&self, addresses: Addresses) -> Self {
        Self {
            only: Some(Arc::new(addresses)),
            ..self.clone()
        }
    }

    /// The same table with no other files than these of its view.
    pub(crate) fn of(&self, files: Arc<[Arc<DataFile>]>) -> Self {
        let mut table = self.clone();
        table.view.files = files;
        table
    }

    /// What it sees.
    pub(crate) fn view(&self) -> &View {
        &self.view
    }

    /// The rows of its files.
    pub(crate) fn committed_rows(&self) -> u64 {
        self.view.files.iter().map(|file| file.rows).sum()
    }

    /// What the scans of this table read.
    pub(crate) fn count(&self) -> Arc<ScanCount> {
        Arc::clone(&self.count)
    }

    /// Its columns.
    pub(crate) fn columns(&self) -> &Arc<SqlColumns> {
        &self.columns
    }

    /// What every row of a scan is asked of this table's own accord; `clean` files have no row with
    /// `_error`.
    fn own_filters(&self, clean: bool) -> Vec<Expr> {
        let mut filters = match self.rows {
            Rows::Good if clean => Vec::new(),
            Rows::Good => vec![named(ERROR).is_null()],
            Rows::Dead => vec![named(ERROR).is_not_null()],
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
    pub(super) fn whole(&self) -> Vec<FieldRef> {
        let text = |name: &str| Arc::new(Field::new(name, DataType::Utf8, true));
        let mut fields: Vec<FieldRef> = self.partitions.iter().map(|name| text(name)).collect();
        if self.rows == Rows::All {
            fields.push(text(FILE));
        }
        if self.addressed {
            fields.push(Arc::new(Field::new(NUMBER, DataType::Int32, true)));
        }
        fields
    }

    /// The columns that the reader of files makes.
    pub(super) fn made(&self) -> Vec<FieldRef> {
        let row = Field::new(ROW, DataType::Int64, true).with_extension_type(RowNumber);
        let made = self.addressed.then(|| Arc::new(row));
        made.into_iter().collect()
    }

    /// The table's columns in files, then those of [`TopicTable::whole`] and [`TopicTable::made`],
    /// narrowed to what a scan needs.
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
        let others = self.whole().into_iter().chain(self.made());
        let all: Vec<FieldRef> = fields.into_iter().chain(others).collect();
        (file_schema, Arc::new(Schema::new(all)))
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
            .map(|(file, groups)| (file, groups.map_or(Part::Whole, Part::Slices)))
            .filter(|(_, part)| !part.is_empty())
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

    fn source(&self, name: &str) -> Result<&Source> {
        let column = self.columns.get(name);
        Ok(&column
            .ok_or_else(|| Error::internal(format!("the table has no column `{name}`")))?
            .source)
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
        let asked = for_files(&self.view, &self.columns, filters)?;
        let mut pushed = asked.clone();
        pushed.extend(self.own_filters(false));
        let (_, narrow) = self.narrow(&names(&[], &pushed));
        let (by_leaves, leaves) = leaves::flat(&pushed, &narrow)?;
        let files = match (&self.only, physical(state, &by_leaves, &leaves)?) {
            (Some(only), _) => self.at(only),
            (None, by_leaves) => {
                let files = match by_leaves {
                    Some(by_leaves) => prune(&self.view, by_leaves, &leaves, &self.lake.leaves),
                    None => self.view.files.iter().collect(),
                };
                let files = self.ask_filters(files, &pushed).await;
                self.count.planned(files.len(), &self.view.files);
                files
            }
        };

        let mut inputs: Vec<Arc<dyn ExecutionPlan>> = Vec::new();
        for (clean, files) in self.parted(files) {
            if !files.is_empty() {
                let own = self.own_filters(clean);
                let read = Read {
                    filters,
                    asked: &asked,
                    own: &own,
                    output: &output,
                };
                inputs.push(self.of_files(state, files, &read)?);
            }
        }
        if !self.view.live.is_empty() {
            let own = self.own_filters(false);
            inputs.extend(self.of_live(state, &own, &output)?);
        }
        match inputs.len() {
            0 => Ok(Arc::new(EmptyExec::new(output))),
            1 => Ok(inputs.swap_remove(0)),
            _ => UnionExec::try_new(inputs),
        }
    }
}

/// What one scan is asked for.
struct Read<'a> {
    /// By the plan above, in terms of SQL.
    filters: &'a [Expr],
    /// The same in terms of what is stored.
    asked: &'a [Expr],
    /// By the table itself.
    own: &'a [Expr],
    output: &'a SchemaRef,
}

impl TopicTable {
    /// The rows of `files`.
    fn of_files(
        &self,
        state: &dyn Session,
        files: Vec<Chosen<'_>>,
        read: &Read<'_>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        // What stands above the scan word for word comes down to it by itself.
        let given: Vec<Expr> = read
            .asked
            .iter()
            .filter(|one| !read.filters.contains(as_it_was(one)))
            .cloned()
            .collect();
        let mut wanted = self.stored(read.output)?;
        wanted.extend(names(&given, read.own));
        let (file_schema, narrow) = self.narrow(&wanted);
        let scanned = Scanned {
            conditions_first: reads_conditions_first(read.asked, &wanted, &files),
            predicate: physical(state, &given, &narrow)?,
            file_schema,
        };
        let plan = self.lake_plan(state, files, scanned)?;
        self.finished(state, plan, read.own, read.output)
    }

    /// The live rows.
    fn of_live(
        &self,
        state: &dyn Session,
        own: &[Expr],
        output: &SchemaRef,
    ) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        let mut wanted = self.stored(output)?;
        wanted.extend(names(&[], own));
        let (file_schema, narrow) = self.narrow(&wanted);
        let live = live_batches(&self.view, &file_schema, &narrow).map_err(Error::from)?;
        if live.is_empty() {
            return Ok(None);
        }
        let plan = MemorySourceConfig::try_new_exec(&[live], narrow, None)?;
        self.finished(state, plan, own, output).map(Some)
    }

    /// The rows that meet the table's own conditions, with exactly the columns that were asked for.
    fn finished(
        &self,
        state: &dyn Session,
        plan: Arc<dyn ExecutionPlan>,
        own: &[Expr],
        output: &SchemaRef,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let plan = match physical(state, own, &plan.schema())? {
            Some(own) => Arc::new(FilterExec::try_new(own, plan)?),
            None => plan,
        };
        self.project(state, plan, output)
    }

    /// The stored columns that columns of SQL are made of.
    fn stored<'a>(&'a self, output: &Schema) -> Result<Vec<&'a str>> {
        let mut wanted: Vec<&str> = Vec::new();
        for field in output.fields() {
            match self.source(field.name())? {
                Source::Stored(name) => wanted.push(name),
                Source::Partition(_) | Source::File | Source::Number | Source::Row => {}
                Source::TextOf(bytes) => wanted.push(bytes),
                Source::Original(original) | Source::OriginalText(original) => {
                    wanted.extend(original.stored());
                }
                Source::Drifted(drifted) => {
                    wanted.extend(drifted.stored.iter().map(String::as_str));
                }
            }
        }
        Ok(wanted)
    }
}

/// The column that says what is wrong with a row.
pub(super) const ERROR: &str = "_error";
