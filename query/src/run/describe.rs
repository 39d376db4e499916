//! What a statement will answer, without running it: for clients that prepare statements.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::sql::sqlparser::ast::Query as QueryTree;
use tokio::sync::oneshot;
use tokio::task::AbortHandle;

use super::bind::bind;
use super::halt::Halt;
use super::prepare::{destination_schema, into_schema, parse};
use super::registry::Seen;
use super::star::plan_wide;
use crate::erase;
use crate::error::{Error, Result};
use crate::query::{Description, Inner, Request};
use crate::statement::{Statement, placeholders};

/// Describes a statement on the queries' threads.
pub(crate) async fn describe(inner: &Arc<Inner>, request: Request) -> Result<Description> {
    let limit = super::limit(inner, &request);
    let (tx, rx) = oneshot::channel();
    let (clock, worked) = (inner.clock.clone(), Arc::clone(inner));
    let _task = Task(inner.pool.spawn(async move {
        let _ = tx.send(described(&worked, &request, limit).await);
    }));
    tokio::select! {
        described = rx => described.map_err(|_| Error::internal("the statement's task has ended"))?,
        // Planning can't be interrupted, so whoever waits for it has a limit.
        () = clock.sleep(limit) => Err(Halt::new(&clock, Some(limit), &inner.options).late(limit)),
    }
}

/// Ends with whoever waits for it.
struct Task(AbortHandle);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn described(inner: &Arc<Inner>, request: &Request, limit: Duration) -> Result<Description> {
    let fixed = |schema| Description {
        schema,
        placeholders: BTreeMap::new(),
        reads: false,
    };
    // They have no plan that would tell types.
    let named = |schema, mut query: QueryTree| Description {
        placeholders: placeholders(&mut query)
            .into_iter()
            .map(|name| (name, None))
            .collect(),
        ..fixed(schema)
    };
    Ok(match parse(request)? {
        Statement::Select(query) => of_query(inner, request, *query, limit).await?,
        Statement::Explain { query, .. } => Description {
            schema: explain_schema(),
            ..of_query(inner, request, *query, limit).await?
        },
        Statement::Into(into) => named(into_schema(), into.query),
        Statement::Delete(delete) => named(erase::receipts_schema(), delete.query),
        Statement::ExplainDelete(delete) => Description {
            reads: true,
            ..named(erase::explained_schema(), delete.query)
        },
        Statement::CreateDestination(_) | Statement::DropDestination { .. } => {
            fixed(destination_schema())
        }
    })
}

async fn of_query(
    inner: &Arc<Inner>,
    request: &Request,
    mut query: QueryTree,
    limit: Duration,
) -> Result<Description> {
    let halt = Arc::new(Halt::new(&inner.clock, Some(limit), &inner.options));
    let bound = bind(inner, &mut query, &Seen::of(request, &halt)?).await?;
    let plan = plan_wide(&bound.state, query).await?;
    let mut placeholders: BTreeMap<_, _> = plan.get_parameter_types()?.into_iter().collect();
    for name in limits(&plan)? {
        placeholders.insert(name, Some(DataType::Int64));
    }
    Ok(Description {
        schema: answered(&bound.state, plan),
        placeholders,
        reads: true,
    })
}

/// The placeholders that stand for a number of rows: planning infers the types of others alone.
fn limits(plan: &LogicalPlan) -> Result<Vec<String>> {
    let mut found = Vec::new();
    plan.apply(|node| {
        if let LogicalPlan::Limit(limit) = node {
            let numbers = limit.skip.iter().chain(&limit.fetch);
            found.extend(numbers.filter_map(|number| match number.as_ref() {
                Expr::Placeholder(placeholder) => Some(placeholder.id.clone()),
                _ => None,
            }));
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(found)
}

/// The columns as the analysed plan has them: it makes the sides of a `UNION` alike, for one. What
/// can't be analysed yet, because a placeholder has no type, is told as it was written.
fn answered(state: &SessionState, plan: LogicalPlan) -> SchemaRef {
    let options: &ConfigOptions = state.config_options();
    let written = Arc::clone(plan.schema().inner());
    let analysed = state.analyzer().execute_and_check(plan, options, |_, _| {});
    analysed.map_or(written, |plan| Arc::clone(plan.schema().inner()))
}

/// The columns of `EXPLAIN`.
fn explain_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("plan_type", DataType::Utf8, false),
        Field::new("plan", DataType::Utf8, false),
    ]))
}
