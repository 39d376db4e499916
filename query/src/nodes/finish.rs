//! Makes a plan with lines in it one that `datafusion-distributed` executes: it numbers the parts,
//! sends each to its node when the plan is executed, and lets go of them when it ends.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::Session;
use datafusion::error::Result as PlanResult;
use datafusion::execution::TaskContext;
use datafusion::execution::context::QueryPlanner;
use datafusion::execution::session_state::{SessionState, SessionStateBuilder};
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::analyze::AnalyzeExec;
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::{
    ChildrenPropertiesMode, ExecutionPlan, ExecutionPlanProperties, ReplaceChildrenOptions,
};
use datafusion_distributed::{
    DistributedExt, RouteTasksEvent, RouteTasksEventResponse, ScaleUpLeafNodeEvent,
    ScaleUpLeafNodeEventResponse, SessionStateBuilderExt,
};

use super::errand::{Errand, Ways};
use crate::error::Result;

type Plan = Arc<dyn ExecutionPlan>;

/// The plan as it is executed, and what in.
pub(super) async fn finish(
    state: &SessionState,
    plan: Plan,
    errand: &Arc<Errand>,
) -> Result<(Plan, Arc<TaskContext>)> {
    let routed = Arc::clone(errand);
    let state = SessionStateBuilder::new_from_existing(state.clone())
        .with_query_planner(Arc::new(Given(as_one(plan)?)))
        .with_distributed_planner()
        .with_distributed_channel_resolver(Ways(Arc::clone(errand)))
        .with_distributed_route_tasks_handler(move |event: RouteTasksEvent<'_>| {
            Some(Ok(RouteTasksEventResponse::new(
                routed.urls(event.task_count),
            )))
        })
        // The files are divided already; what isn't below a line stays as it is.
        .with_distributed_scale_up_leaf_node_handler(|event: ScaleUpLeafNodeEvent<'_>| {
            Some(Ok(ScaleUpLeafNodeEventResponse::new(Arc::clone(
                event.plan,
            ))))
        })
        .build();
    let planner = Arc::clone(state.query_planner());
    let plan = planner
        .create_physical_plan(&LogicalPlan::default(), &state)
        .await?;
    Ok((plan, state.task_ctx()))
}

/// The plan with one output partition, below an `EXPLAIN ANALYZE` too.
fn as_one(plan: Plan) -> Result<Plan> {
    if let Some(analyze) = plan.downcast_ref::<AnalyzeExec>() {
        let input = as_one(Arc::clone(analyze.input()))?;
        let options = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute);
        return Ok(Arc::clone(&plan).replace_children(vec![input], options)?);
    }
    Ok(match plan.output_partitioning().partition_count() {
        1 => plan,
        _ => Arc::new(CoalescePartitionsExec::new(plan)),
    })
}

/// Plans nothing: the plan is there.
struct Given(Plan);

impl fmt::Debug for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Given")
    }
}

#[async_trait]
impl QueryPlanner for Given {
    async fn create_physical_plan(
        &self,
        _logical_plan: &LogicalPlan,
        _session: &dyn Session,
    ) -> PlanResult<Plan> {
        Ok(Arc::clone(&self.0))
    }
}
