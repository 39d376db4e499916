//! `DELETE FROM t WHERE ...`: rows are erased by the engine, and the answer is the receipt.
//!
//! ```text
//! EXPLAIN DELETE   how many rows and files it would be
//! DELETE           the keeper commits what Kafka holds by now (P16)
//!                  -> the condition, bound to the version that has it -> engine::maintain::erase
//!                  -> receipt, also in `system.erasures`
//! ```
//!
//! The condition is asked of every row, those with `_error` too. It means what it means in a query:
//! a drifted column is a number beside numbers. Who dies half-way calls again with the id of the
//! receipt; what was done is done.

mod receipt;
#[cfg(test)]
mod tests;

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{Int64Type, SchemaRef};
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::{Expr as Planned, LogicalPlan};
use datafusion::sql::sqlparser::ast::{Expr, Query as QueryTree, SetExpr, VisitMut, VisitorMut};
use eddy_engine::maintain::{Erasure, erase};
use futures::TryStreamExt;
use uuid::Uuid;

pub(crate) use receipt::{explained_schema, receipts, receipts_schema};

use crate::error::{Error, ErrorKind, Result};
use crate::hooks::TableKeeper;
use crate::names::{Columns, TableName, resolve_columns};
use crate::query::{Inner, Request};
use crate::run::{plan, resolve, rows};
use crate::statement::{Delete, freeze_time, parse_select};
use crate::table::{Condition, FILE, Rows, TopicTable, View};

/// What a `DELETE` would erase by now, as one row.
pub(crate) async fn explain(
    inner: &Arc<Inner>,
    request: &Request,
    delete: Delete,
) -> Result<(SchemaRef, Vec<RecordBatch>)> {
    check(request)?;
    let mut query = delete.query;
    let table = target(inner, &mut query).await?;
    let view = inner.catalog.view(&table, None).await?;
    let counting = format!(
        "SELECT count(*), count(_error), count(\"{FILE}\"), count(DISTINCT \"{FILE}\") FROM t"
    );
    let mut model = parse_select(&counting)?;
    if let (SetExpr::Select(model), SetExpr::Select(select)) =
        (model.body.as_mut(), query.body.as_mut())
    {
        select.projection = std::mem::take(&mut model.projection);
    }
    let state = bind(inner, &mut query, &table, &view)?;
    let plan = plan(&state, query).await?;
    let batches: Vec<RecordBatch> = rows(&state, &plan).await?.try_collect().await?;
    let count = |column: usize| {
        let value = |batch: &RecordBatch| batch.column(column).as_primitive::<Int64Type>().value(0);
        let counted = batches
            .iter()
            .filter(|batch| batch.num_rows() > 0)
            .map(value);
        u64::try_from(counted.sum::<i64>()).unwrap_or(0)
    };
    let (rows, in_files) = (count(0), count(2));
    receipt::plan(&receipt::Counted {
        table,
        version: view.version,
        rows,
        dead_letters: count(1),
        live_rows: rows.saturating_sub(in_files),
        files: count(3),
        files_total: u64::try_from(view.files.len()).unwrap_or(u64::MAX),
    })
}

/// Erases, and answers the receipt as one row.
pub(crate) async fn run(
    inner: &Arc<Inner>,
    request: &Request,
    delete: Delete,
    query_id: Uuid,
) -> Result<(SchemaRef, Vec<RecordBatch>)> {
    if request.read_only {
        return Err(refused("that only reads", "send it with `POST`"));
    }
    check(request)?;
    let mut query = delete.query;
    let table = target(inner, &mut query).await?;
    let keeper = keeper(inner, &table)?;
    // Wrong names and types are found before anything is done, with live rows' columns too.
    let seen = inner.catalog.view(&table, None).await?;
    let mut tried = query.clone();
    let state = bind(inner, &mut tried, &table, &seen)?;
    plan(&state, tried).await?;
    let home = inner.catalog.tables().home(&table)?.lake;
    keeper
        .settle(&home, seen.path.topics_dir(), seen.path.topic())
        .await?;
    let newest = inner.catalog.view(&table, None).await?.version;
    let view = inner.catalog.view(&table, Some(newest)).await?;
    let state = bind(inner, &mut query, &table, &view)?;
    let filter = filter_of(&plan(&state, query).await?)?;
    let condition = Condition::new(&state, &view, &filter)?;
    let lake = home;
    let id = delete.id.unwrap_or(query_id);
    let halt = Arc::new(AtomicBool::new(false));
    // A query that is cancelled or late is dropped here, and its work ends between two files.
    let guard = Halt(Arc::clone(&halt));
    let erased = tokio::task::spawn_blocking(move || {
        let request = Erasure {
            id,
            reference: delete.reference,
            columns: condition.stored_columns(),
            may_match: &|file| condition.may_hold(file),
            matches: &|batch| condition.matches(batch).map_err(told),
        };
        erase(&lake, &view.path, &request, &halt)
    });
    let receipt = erased
        .await
        .map_err(|error| Error::internal(format!("the erasure ended early: {error}")))?
        .map_err(|error| Error::from(error).with_hint(again(id)))?;
    drop(guard);
    let row = receipt::Row::new(&table, &receipt);
    Ok((receipts_schema(), receipt::batches(&[row])?))
}

/// What to do about an erasure that didn't come to its end.
pub(crate) fn again(id: Uuid) -> String {
    format!("call again with `WITH (id = '{id}')`: what was erased is erased")
}

/// Refuses a request that asks for something that a `DELETE` doesn't do.
fn check(request: &Request) -> Result<()> {
    if request.limit.is_some() {
        let hint = "it erases every row that matches";
        return Err(refused("with a `limit`", hint));
    }
    if request.as_of.is_some() || request.wait_for.is_some() {
        let hint = "it erases from what Kafka holds by now";
        return Err(refused("with `as_of` or `wait_for`", hint));
    }
    Ok(())
}

fn refused(what: &str, hint: &str) -> Error {
    Error::not_supported(format!("a `DELETE` is not supported in a request {what}")).with_hint(hint)
}

/// Ends an erasure whose caller is gone.
struct Halt(Arc<AtomicBool>);

impl Drop for Halt {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The table that is meant, its name resolved in the tree.
async fn target(inner: &Arc<Inner>, query: &mut QueryTree) -> Result<String> {
    if let ControlFlow::Break(()) = VisitMut::visit(query, &mut Subqueries(0)) {
        return Err(
            Error::not_supported("not supported in a `DELETE`: subqueries")
                .with_hint("ask for the values first, and write `x IN (1, 2, ...)`"),
        );
    }
    freeze_time(query, inner.clock.now_us())?;
    let names = resolve(inner, query).await?;
    match names.as_slice() {
        [
            TableName::Topic {
                name,
                version: None,
                dead: false,
            },
        ] => Ok(name.clone()),
        [TableName::Topic { .. }] => Err(Error::not_supported(
            "not supported: a `DELETE` from one version or from dead letters alone; it erases from \
             the table",
        )),
        _ => Err(Error::not_supported(
            "not supported: a `DELETE` from anything but a topic's table",
        )),
    }
}

fn keeper(inner: &Inner, table: &str) -> Result<Arc<dyn TableKeeper>> {
    inner.table_keeper().ok_or_else(|| {
        Error::new(
            ErrorKind::NotSupported,
            format!("this process doesn't keep table `{table}`, and only its keeper erases"),
        )
        .with_hint("send the statement to the worker that reads partition 0 of its topic")
    })
}

/// A session in which the query's table is `view`, all of its rows.
fn bind(inner: &Inner, query: &mut QueryTree, table: &str, view: &View) -> Result<SessionState> {
    let provider = TopicTable::new(view.clone(), Rows::All, inner.origin(table)?);
    let columns = Arc::new(Columns::of_table(provider.columns()));
    let columns = std::iter::once((table.to_owned(), columns)).collect();
    resolve_columns(query, &columns, inner.sessions.base())?;
    let tables = vec![(table.to_owned(), Arc::new(provider) as _)];
    let (state, _) = inner.sessions.session(tables, Vec::new(), None)?;
    Ok(state)
}

/// The condition of a planned `SELECT 1 FROM t WHERE ...`.
fn filter_of(plan: &LogicalPlan) -> Result<Planned> {
    let mut plan = plan;
    loop {
        match plan {
            LogicalPlan::Filter(filter) => return Ok(filter.predicate.clone()),
            other => match other.inputs().as_slice() {
                [input] => plan = input,
                _ => {
                    return Err(Error::internal(
                        "a `DELETE` was planned without its condition",
                    ));
                }
            },
        }
    }
}

/// An error of the condition, as the engine passes it on.
fn told(error: datafusion::error::DataFusionError) -> eddy_engine::Error {
    eddy_engine::Error::invalid(Error::from(error).to_string())
}

/// Breaks at a query within the query.
struct Subqueries(usize);

impl VisitorMut for Subqueries {
    type Break = ();

    fn pre_visit_query(&mut self, _query: &mut QueryTree) -> ControlFlow<()> {
        self.0 += 1;
        match self.0 {
            1 => ControlFlow::Continue(()),
            _ => ControlFlow::Break(()),
        }
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        match expr {
            Expr::Subquery(_) | Expr::InSubquery { .. } | Expr::Exists { .. } => {
                ControlFlow::Break(())
            }
            _ => ControlFlow::Continue(()),
        }
    }
}
