//! What a part of a plan may consist of to be done elsewhere: steps that go file by file and row
//! by row, in words that arrive as they were sent. A list of what may, not of what may not, and
//! whoever does a part for others checks it again: nothing else is done for who has the token.

use std::sync::Arc;

use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::datasource::physical_plan::{FileScanConfig, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::execution::session_state::SessionState;
use datafusion::physical_expr::expressions::{
    BinaryExpr, CaseExpr, CastExpr, Column, DynamicFilterPhysicalExpr, InListExpr, IsNotNullExpr,
    IsNullExpr, LikeExpr, Literal, NegativeExpr, NotExpr, TryCastExpr,
};
use datafusion::physical_expr::{PhysicalExpr, ScalarFunctionExpr};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::aggregates::{AggregateExec, AggregateMode};
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::limit::LocalLimitExec;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::sorts::sort::SortExec;

use crate::columns::parquet_of;

/// Whether a step gives the same rows in total when it is done for parts of its input.
pub(super) fn is_by_parts(step: &dyn ExecutionPlan) -> bool {
    if let Some(aggregate) = step.downcast_ref::<AggregateExec>() {
        return *aggregate.mode() == AggregateMode::Partial;
    }
    if let Some(sort) = step.downcast_ref::<SortExec>() {
        return sort.preserve_partitioning();
    }
    // One that stops at a number of rows would stop at as many on each node.
    if step.fetch().is_some() {
        return false;
    }
    step.is::<FilterExec>() || step.is::<ProjectionExec>() || step.is::<CooperativeExec>()
}

/// Whether whoever does a part for others takes this step for one of a part.
pub(super) fn is_step(step: &dyn ExecutionPlan) -> bool {
    is_by_parts(step) || step.is::<LocalLimitExec>()
}

/// A scan of Parquet files, if this is one.
pub(super) fn scan(plan: &dyn ExecutionPlan) -> Option<(&FileScanConfig, &ParquetSource)> {
    let source = plan.downcast_ref::<DataSourceExec>()?.data_source();
    let config = source.downcast_ref::<FileScanConfig>()?;
    let parquet = parquet_of(config.file_source().as_ref())?;
    Some((config, parquet))
}

/// Whether every expression of a step means the same elsewhere: functions are told by their names,
/// so they must be those of all sessions.
pub(super) fn is_understood(step: &dyn ExecutionPlan, state: &SessionState) -> bool {
    if let Some(aggregate) = step.downcast_ref::<AggregateExec>() {
        let known = state.aggregate_functions();
        let all_known = aggregate.aggr_expr().iter().all(|one| {
            let function = one.fun();
            known
                .get(function.name())
                .is_some_and(|known| **known == *function)
        });
        if !all_known {
            return false;
        }
    }
    let mut is_understood = true;
    let mut visit = |expr: &Arc<dyn PhysicalExpr>| {
        is_understood &= means_the_same(expr, state);
        Ok(TreeNodeRecursion::Continue)
    };
    let visited = step.apply_expressions(&mut visit);
    let in_scan = scan(step).is_none_or(|(config, _)| {
        let source = config.file_source();
        let projected = source.projection().into_iter().flat_map(|all| all.iter());
        let mut all = projected.map(|one| &one.expr);
        let condition = source.filter();
        all.all(|expr| means_the_same(expr, state))
            && condition.is_none_or(|expr| means_the_same(&expr, state))
    });
    visited.is_ok() && is_understood && in_scan
}

fn means_the_same(expr: &Arc<dyn PhysicalExpr>, state: &SessionState) -> bool {
    let one = expr.as_ref();
    let is_plain = one.is::<Column>()
        || one.is::<Literal>()
        || one.is::<BinaryExpr>()
        || one.is::<CastExpr>()
        || one.is::<TryCastExpr>()
        || one.is::<CaseExpr>()
        || one.is::<InListExpr>()
        || one.is::<LikeExpr>()
        || one.is::<IsNullExpr>()
        || one.is::<IsNotNullExpr>()
        || one.is::<NotExpr>()
        || one.is::<NegativeExpr>()
        || one.is::<DynamicFilterPhysicalExpr>();
    let is_known = || {
        let call = one.downcast_ref::<ScalarFunctionExpr>();
        call.is_some_and(|call| {
            let known = state.scalar_functions().get(call.name());
            known.is_some_and(|known| **known == *call.fun())
        })
    };
    (is_plain || is_known())
        && expr
            .children()
            .into_iter()
            .all(|one| means_the_same(one, state))
}
