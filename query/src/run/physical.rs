//! Plans: cut at a limit, and made physical around a fault of the optimizer.
//!
//! DataFusion 55 moves the access to fields of structs down to the scans, so that only those fields
//! are read, and loses columns on the way in some plans: where a key of a join is made of several
//! fields, or a table is joined with itself (apache/datafusion#22895, #24241 and others). Such a
//! query is planned again without that step: it reads whole structs, and answers.

use std::sync::Arc;

use datafusion::execution::session_state::{SessionState, SessionStateBuilder};
use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder};
use datafusion::physical_plan::ExecutionPlan;

use crate::error::Result;

/// The plan of its first `limit` rows.
pub(super) fn limited(plan: LogicalPlan, limit: Option<usize>) -> Result<LogicalPlan> {
    match limit {
        None => Ok(plan),
        Some(rows) => Ok(LogicalPlanBuilder::from(plan)
            .limit(0, Some(rows))?
            .build()?),
    }
}

/// The physical plan of a logical one.
pub(super) async fn physical(
    state: &SessionState,
    plan: &LogicalPlan,
) -> Result<Arc<dyn ExecutionPlan>> {
    let refused = match state.create_physical_plan(plan).await {
        Ok(physical) => return Ok(physical),
        Err(refused) => refused,
    };
    // What neither can plan is told as the first one told it.
    let again = reading_whole_structs(state)
        .create_physical_plan(plan)
        .await;
    again.or(Err(refused.into()))
}

fn reading_whole_structs(state: &SessionState) -> SessionState {
    let mut config = state.config().clone();
    let settings = config.options_mut();
    settings.optimizer.enable_leaf_expression_pushdown = false;
    SessionStateBuilder::new_from_existing(state.clone())
        .with_config(config)
        .build()
}
