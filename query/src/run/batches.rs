//! How many rows a batch has: fewer where a statement's own texts come again in each row.
//!
//! `SELECT 'a megabyte ...' FROM t` makes the text again for each row of a batch, before anybody
//! counts it as memory: 8 GB for 8,192 rows. So the longer such texts are, the fewer rows a batch
//! has.

use datafusion::common::Result as PlanResult;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::execution::session_state::{SessionState, SessionStateBuilder};
use datafusion::logical_expr::expr::InList;
use datafusion::logical_expr::{Expr, LogicalPlan};

use crate::error::Result;

/// How much of a batch may be texts of the statement.
const BYTES_MAX: usize = 16 << 20;

/// The session with as many rows in a batch as its plan's own texts allow.
pub(super) fn fitted(state: SessionState, plan: &LogicalPlan) -> Result<SessionState> {
    let bytes = repeated_bytes(plan)?;
    let rows = state.config().batch_size();
    if bytes.saturating_mul(rows) <= BYTES_MAX {
        return Ok(state);
    }
    let config = state.config().clone();
    let config = config.with_batch_size((BYTES_MAX / bytes).max(1));
    Ok(SessionStateBuilder::new_from_existing(state)
        .with_config(config)
        .build())
}

/// The bytes of texts that a row of the plan may have of its statement. What rows are compared
/// with isn't made for each of them.
fn repeated_bytes(plan: &LogicalPlan) -> PlanResult<usize> {
    let mut bytes: usize = 0;
    plan.apply_with_subqueries(|node| {
        if !matches!(node, LogicalPlan::Filter(_)) {
            for expr in node.expressions() {
                bytes = bytes.saturating_add(literal_bytes(&expr)?);
            }
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(bytes)
}

fn literal_bytes(expr: &Expr) -> PlanResult<usize> {
    let mut bytes: usize = 0;
    expr.apply(|one| {
        Ok(match one {
            Expr::InList(InList { .. }) => TreeNodeRecursion::Jump,
            Expr::Literal(value, _) => {
                bytes = bytes.saturating_add(value.size());
                TreeNodeRecursion::Continue
            }
            _ => TreeNodeRecursion::Continue,
        })
    })?;
    Ok(bytes)
}
