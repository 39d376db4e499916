//! `SELECT * ... ORDER BY ... LIMIT 10`: first which rows, then the rows.
//!
//! A query that takes few rows of one table, whole, asks for them by few columns. So a first plan
//! reads those columns alone and finds the addresses of the rows, and the query itself then reads a
//! table that has no other rows (`TopicTable::only`). It is planned as ever and asks everything
//! again, of rows that are more than enough: what the first plan found, and all live rows.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use arrow::array::AsArray;
use arrow::datatypes::{Int32Type, Int64Type};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, Result as PlanResult};
use datafusion::datasource::{provider_as_source, source_as_provider};
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::{
    Expr, FetchType, Limit, LogicalPlan, LogicalPlanBuilder, Projection, SkipType, SubqueryAlias,
    TableScanBuilder, lit,
};
use datafusion::physical_plan::collect;

use super::physical::physical;
use crate::error::{Error, Result};
use crate::table::{Addresses, NUMBER, ROW, TopicTable};

/// More rows than that are read at once.
const ROWS_MOST: usize = 1_000;

/// So many columns more than those of the conditions are worth a plan of their own.
const COLUMNS_LEAST: usize = 4;

/// Files with fewer rows are read as fast at once.
const COMMITTED_LEAST: u64 = if cfg!(test) { 1 } else { 10_000 };

/// The plan, over no more rows than it needs where these can be told first.
pub(super) async fn few_first(state: &SessionState, plan: LogicalPlan) -> Result<LogicalPlan> {
    let Some((rows, table)) = found(&plan) else {
        return Ok(plan);
    };
    let physical = physical(state, &addresses(rows, &table)?).await?;
    let batches = collect(Arc::clone(&physical), state.task_ctx()).await?;
    table.count().ran(physical.as_ref());
    let mut wanted: Addresses = BTreeMap::new();
    for batch in batches {
        let columns = (
            batch
                .column_by_name(NUMBER)
                .and_then(|one| one.as_primitive_opt::<Int32Type>()),
            batch
                .column_by_name(ROW)
                .and_then(|one| one.as_primitive_opt::<Int64Type>()),
        );
        let (Some(numbers), Some(rows)) = columns else {
            return Err(Error::internal("the addresses of rows are numbers"));
        };
        for (number, row) in numbers.iter().zip(rows) {
            // Live rows have none.
            if let (Some(number), Some(row)) = (number, row)
                && let (Ok(number), Ok(row)) = (usize::try_from(number), usize::try_from(row))
            {
                wanted.entry(number).or_default().push(row);
            }
        }
    }
    wanted.values_mut().for_each(|rows| rows.sort_unstable());
    Ok(over(plan, Arc::new(table.only(wanted)))?)
}

/// The part of a plan that says which rows, and its only table.
fn found(plan: &LogicalPlan) -> Option<(&LogicalPlan, TopicTable)> {
    let mut node = plan;
    let limit = loop {
        match node {
            LogicalPlan::Projection(above) => node = &above.input,
            LogicalPlan::SubqueryAlias(above) => node = &above.input,
            LogicalPlan::Limit(limit) => break limit,
            _ => return None,
        }
    };
    // No row needn't be found.
    end(limit).filter(|rows| (1..=ROWS_MOST).contains(rows))?;
    let rows = node;
    let mut asked = HashSet::new();
    let mut shown = 0;
    node = &limit.input;
    let scan = loop {
        match node {
            // What is another value each time would be drawn twice.
            LogicalPlan::Sort(sort) if !sort.expr.iter().any(|one| one.expr.is_volatile()) => {
                asked.extend(sort.expr.iter().flat_map(|one| one.expr.column_refs()));
                node = &sort.input;
            }
            LogicalPlan::Filter(filter) if !filter.predicate.is_volatile() => {
                asked.extend(filter.predicate.column_refs());
                node = &filter.input;
            }
            LogicalPlan::Projection(projection)
                if !projection.expr.iter().any(Expr::is_volatile) =>
            {
                shown = projection.expr.len();
                node = &projection.input;
            }
            LogicalPlan::SubqueryAlias(alias) => node = &alias.input,
            LogicalPlan::TableScan(scan) => break scan,
            _ => return None,
        }
    };
    let table = source_as_provider(&scan.source).ok()?;
    let table = table.downcast_ref::<TopicTable>()?;
    let is_worth = shown >= asked.len() + COLUMNS_LEAST
        && table.committed_rows() >= COMMITTED_LEAST
        && !has_subqueries(plan);
    is_worth.then(|| (rows, table.clone()))
}

/// How many rows a limit reaches to, those that it skips included.
fn end(limit: &Limit) -> Option<usize> {
    match (limit.get_skip_type().ok()?, limit.get_fetch_type().ok()?) {
        (SkipType::Literal(skip), FetchType::Literal(Some(fetch))) => skip.checked_add(fetch),
        _ => None,
    }
}

fn has_subqueries(plan: &LogicalPlan) -> bool {
    let is_one = |expr: &Expr| {
        Ok(matches!(
            expr,
            Expr::Exists(_)
                | Expr::InSubquery(_)
                | Expr::ScalarSubquery(_)
                | Expr::SetComparison(_)
        ))
    };
    let has = |node: &LogicalPlan| {
        let any = node.expressions();
        Ok(any.iter().any(|expr| expr.exists(is_one).unwrap_or(true)))
    };
    plan.exists(has).unwrap_or(true)
}

/// The plan of the addresses of the rows that `rows` gives.
fn addresses(rows: &LogicalPlan, table: &TopicTable) -> PlanResult<LogicalPlan> {
    let table = Arc::new(table.addressed());
    let addressed = rows.clone().transform_up(|node| {
        Ok(Transformed::yes(match node {
            LogicalPlan::TableScan(scan) => {
                let source = provider_as_source(Arc::clone(&table) as _);
                let scan = TableScanBuilder::new(scan.table_name, source).build()?;
                LogicalPlan::TableScan(scan)
            }
            LogicalPlan::Projection(projection) => {
                let mut expr = projection.expr;
                expr.extend(address(&projection.input)?);
                LogicalPlan::Projection(Projection::try_new(expr, projection.input)?)
            }
            LogicalPlan::SubqueryAlias(alias) => {
                LogicalPlan::SubqueryAlias(SubqueryAlias::try_new(alias.input, alias.alias)?)
            }
            LogicalPlan::Limit(limit) => {
                let rows = end(&limit).and_then(|rows| i64::try_from(rows).ok());
                LogicalPlan::Limit(Limit {
                    skip: None,
                    fetch: rows.map(|rows| Box::new(lit(rows))),
                    input: limit.input,
                })
            }
            other => other,
        }))
    })?;
    let address = address(&addressed.data)?;
    LogicalPlanBuilder::from(addressed.data)
        .project(address)?
        .build()
}

/// The columns of the address in a plan that has them.
fn address(plan: &LogicalPlan) -> PlanResult<Vec<Expr>> {
    let column = |name: &str| -> PlanResult<Expr> {
        let (qualifier, field) = plan.schema().qualified_field_with_unqualified_name(name)?;
        Ok(Expr::Column(Column::new(qualifier.cloned(), field.name())))
    };
    Ok(vec![column(NUMBER)?, column(ROW)?])
}

/// The plan over another table than its own.
fn over(plan: LogicalPlan, table: Arc<TopicTable>) -> PlanResult<LogicalPlan> {
    let changed = plan.transform_up(|node| {
        Ok(match node {
            LogicalPlan::TableScan(mut scan) => {
                scan.source = provider_as_source(Arc::clone(&table) as _);
                Transformed::yes(LogicalPlan::TableScan(scan))
            }
            other => Transformed::no(other),
        })
    })?;
    Ok(changed.data)
}
