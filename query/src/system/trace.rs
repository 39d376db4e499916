//! `trace('order-42')`: every record of every table that says so, dead letters included, as one
//! timeline.
//!
//! The text is a search for words. Each table is asked by itself: files whose filters say that none
//! of their rows has the words aren't opened, and what is found is put in order of time under the
//! memory limit of all queries, beyond which it spills.

use std::sync::Arc;

use arrow::datatypes::{Field, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{DFSchema, Result as PlanResult, ScalarValue};
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType, lit};
use datafusion::physical_expr::expressions::{Column, Literal};
use datafusion::physical_expr::{LexOrdering, PhysicalExpr, PhysicalSortExpr};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::projection::{ProjectionExec, ProjectionExpr};
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::union::UnionExec;
use eddy_engine::schema::envelope_schema;

use super::rows::TEXT;
use crate::catalog::Taken;
use crate::error::{Error, Result};
use crate::query::Inner;
use crate::search;
use crate::table::{Rows, ScanCount, TopicTable, named};

/// The function's name.
pub(crate) const NAME: &str = "trace";

/// The columns that a timeline is ordered by.
const ORDER: [&str; 4] = ["_timestamp", "_topic", "_partition", "_offset"];

/// The table that a record is in.
const TABLE: &str = "_table";

/// A call's name as a table of the `system` schema.
pub(crate) fn table_name(text: &str) -> String {
    format!("{NAME}('{text}')")
}

/// The text of a call that is a table's name.
pub(crate) fn text_of(name: &str) -> Option<&str> {
    let call = name.strip_prefix(NAME)?;
    call.strip_prefix("('")?.strip_suffix("')")
}

/// Checks the text of a call.
pub(crate) fn check(text: &str) -> Result<()> {
    let tree = search::parse(text).map_err(|wrong| {
        let place = wrong.at + 1;
        let message = format!("in `{NAME}`, at character {place}: {}", wrong.message);
        Error::invalid(message).with_hint(wrong.hint)
    })?;
    if !tree.names_fields() {
        return Ok(());
    }
    let error = Error::invalid(format!(
        "`{NAME}` looks for words, since each topic has other fields"
    ));
    Err(error.with_hint("quote what has a colon: \"user:42\" looks for the words one by one"))
}

/// The timeline.
pub(super) async fn table(
    inner: &Arc<Inner>,
    text: &str,
    taken: &mut Taken,
) -> Result<Arc<dyn TableProvider>> {
    check(text)?;
    let mut parts = Vec::new();
    for name in inner.catalog.list(false).await?.iter() {
        let view = taken.newest(&inner.catalog, name).await?;
        let table = TopicTable::new(view, Rows::All, inner.origin(name)?);
        parts.push((name.clone(), table));
    }
    Ok(Arc::new(Trace {
        parts,
        schema: schema(),
        text: text.to_owned(),
    }))
}

/// What the scans of a timeline read; none of another table.
pub(crate) fn counts(table: &(dyn TableProvider + 'static)) -> Vec<Arc<ScanCount>> {
    let trace = table.downcast_ref::<Trace>();
    let parts = trace.iter().flat_map(|trace| &trace.parts);
    parts.map(|(_, part)| part.count()).collect()
}

fn schema() -> SchemaRef {
    let of_records = envelope_schema();
    let mut fields = Vec::new();
    for name in [
        "_timestamp",
        "_topic",
        "_partition",
        "_offset",
        "_key_text",
        "_value_text",
        "_headers",
        "_error",
        TABLE,
    ] {
        let known = of_records.field_with_name(name);
        let data_type = known.map_or(TEXT, |field| field.data_type().clone());
        fields.push(Field::new(name, data_type, true));
    }
    Arc::new(Schema::new(fields))
}

#[derive(Debug)]
struct Trace {
    parts: Vec<(String, TopicTable)>,
    schema: SchemaRef,
    text: String,
}

#[async_trait]
impl TableProvider for Trace {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::View
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> PlanResult<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> PlanResult<Arc<dyn ExecutionPlan>> {
        let output = match projection {
            Some(indices) => Arc::new(self.schema.project(indices)?),
            None => Arc::clone(&self.schema),
        };
        // What a person asks of the timeline is asked of each table, where it has the column too.
        let named_table = |filter: &&Expr| {
            let columns = filter.column_refs();
            columns.iter().any(|column| column.name == TABLE)
        };
        let filters: Vec<Expr> = filters
            .iter()
            .filter(|one| !named_table(one))
            .cloned()
            .collect();
        let mut wanted: Vec<&str> = ORDER.to_vec();
        let asked = output.fields().iter().map(|field| field.name().as_str());
        wanted.extend(asked.filter(|name| !ORDER.contains(name)));
        let mut plans = Vec::with_capacity(self.parts.len());
        for (name, part) in &self.parts {
            plans.extend(
                self.found(state, (name.as_str(), part), &wanted, &filters)
                    .await?,
            );
        }
        let found: Arc<dyn ExecutionPlan> = match plans.len() {
            0 => return Ok(Arc::new(EmptyExec::new(output))),
            1 => plans.swap_remove(0),
            _ => UnionExec::try_new(plans)?,
        };
        let one: Arc<dyn ExecutionPlan> = Arc::new(CoalescePartitionsExec::new(found));
        let ordered = ordered(one, limit)?;
        let schema = ordered.schema();
        let mut columns = Vec::with_capacity(output.fields().len());
        for field in output.fields() {
            columns.push(ProjectionExpr {
                expr: Arc::new(Column::new_with_schema(field.name(), &schema)?),
                alias: field.name().clone(),
            });
        }
        Ok(Arc::new(ProjectionExec::try_new(columns, ordered)?))
    }
}

impl Trace {
    /// The `wanted` columns of what one table has; `None` when it has no text of records.
    async fn found(
        &self,
        state: &dyn Session,
        (name, part): (&str, &TopicTable),
        wanted: &[&str],
        filters: &[Expr],
    ) -> PlanResult<Option<Arc<dyn ExecutionPlan>>> {
        let has = part.schema();
        if !search::COLUMNS
            .iter()
            .all(|one| has.column_with_name(one).is_some())
        {
            return Ok(None);
        }
        let columns = search::COLUMNS.map(named);
        let arguments = std::iter::once(lit(self.text.as_str())).chain(columns);
        let said = search::function().call(arguments.collect());
        let read = search::COLUMNS.iter().chain(wanted);
        let mut indices: Vec<usize> = read.filter_map(|one| has.index_of(one).ok()).collect();
        indices.sort_unstable();
        indices.dedup();
        let mut filters = filters.to_vec();
        filters.push(said.clone());
        let rows = part.scan(state, Some(&indices), &filters, None).await?;
        let schema = rows.schema();
        let said = state.create_physical_expr(said, &DFSchema::try_from(Arc::clone(&schema))?)?;
        let rows: Arc<dyn ExecutionPlan> = Arc::new(FilterExec::try_new(said, rows)?);
        let mut columns = Vec::with_capacity(wanted.len());
        for column in wanted {
            let expr: Arc<dyn PhysicalExpr> = if *column == TABLE {
                Arc::new(Literal::new(ScalarValue::Utf8(Some(name.to_owned()))))
            } else if schema.column_with_name(column).is_some() {
                Arc::new(Column::new_with_schema(column, &schema)?)
            } else {
                let data_type = self.schema.field_with_name(column)?.data_type();
                Arc::new(Literal::new(ScalarValue::try_from(data_type)?))
            };
            columns.push(ProjectionExpr {
                expr,
                alias: (*column).to_owned(),
            });
        }
        Ok(Some(Arc::new(ProjectionExec::try_new(columns, rows)?)))
    }
}

/// In order of time, and with a limit the first of them.
fn ordered(
    rows: Arc<dyn ExecutionPlan>,
    limit: Option<usize>,
) -> PlanResult<Arc<dyn ExecutionPlan>> {
    let schema = rows.schema();
    let mut keys = Vec::with_capacity(ORDER.len());
    for name in ORDER {
        let column = Arc::new(Column::new_with_schema(name, &schema)?);
        keys.push(PhysicalSortExpr::new_default(column));
    }
    Ok(match LexOrdering::new(keys) {
        Some(keys) => Arc::new(SortExec::new(keys, rows).with_fetch(limit)),
        None => rows,
    })
}
