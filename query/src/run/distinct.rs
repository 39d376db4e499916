//! `count(*)` beside `count(DISTINCT x)`: rows are counted per value of `x` first.
//!
//! DataFusion groups by the values of `x` first where all other aggregates are sums, minima and
//! maxima, and else keeps a set of values per group, which takes some three times as long and is
//! never spilled. A count per value, summed, is the count: so the same is done for counts.

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::common::tree_node::Transformed;
use datafusion::common::{Column, DFSchemaRef, Result};
use datafusion::functions::core::expr_fn::coalesce;
use datafusion::functions_aggregate::sum::sum_udaf;
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::{Aggregate, Expr, LogicalPlan, LogicalPlanBuilder, cast, lit};
use datafusion::optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule};

/// The rule that DataFusion has for it; this one comes before.
const STOCK: &str = "single_distinct_aggregation_to_group_by";

/// The values of `x`, and what is computed per value, in the plan between.
const VALUE: &str = "__distinct_value";

/// See the [module](self).
#[derive(Debug, Default)]
pub(crate) struct CountsByValue;

impl CountsByValue {
    /// All rules, this one among them.
    pub(crate) fn among(
        rules: &[Arc<dyn OptimizerRule + Send + Sync>],
    ) -> Vec<Arc<dyn OptimizerRule + Send + Sync>> {
        let mut all = rules.to_vec();
        let place = all.iter().position(|rule| rule.name() == STOCK);
        all.insert(place.unwrap_or(all.len()), Arc::new(Self));
        all
    }
}

impl OptimizerRule for CountsByValue {
    fn name(&self) -> &'static str {
        "counts_by_distinct_value"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::TopDown)
    }

    fn supports_rewrite(&self) -> bool {
        true
    }

    fn rewrite(
        &self,
        plan: LogicalPlan,
        _config: &dyn OptimizerConfig,
    ) -> Result<Transformed<LogicalPlan>> {
        match plan {
            LogicalPlan::Aggregate(aggregate) => match value(&aggregate) {
                Some(value) => Ok(Transformed::yes(by_value(aggregate, value)?)),
                None => Ok(Transformed::no(LogicalPlan::Aggregate(aggregate))),
            },
            other => Ok(Transformed::no(other)),
        }
    }
}

/// `x`, where an aggregate is what this rule is for.
fn value(aggregate: &Aggregate) -> Option<Expr> {
    if matches!(aggregate.group_expr.first(), Some(Expr::GroupingSet(_))) {
        return None;
    }
    let mut values = HashSet::new();
    let mut counts = 0;
    for expr in &aggregate.aggr_expr {
        let Expr::AggregateFunction(AggregateFunction { func, params }) = expr else {
            return None;
        };
        if params.filter.is_some() || !params.order_by.is_empty() {
            return None;
        }
        match (func.name(), params.distinct, params.args.as_slice()) {
            ("count", true, [one]) => {
                values.insert(one);
            }
            ("count", false, _) => counts += 1,
            ("sum" | "min" | "max", false, _) => {}
            _ => return None,
        }
    }
    let mut values = values.into_iter();
    match (values.next(), values.next()) {
        // Without counts it is DataFusion's own rule.
        (Some(one), None) if counts > 0 => Some(one.clone()),
        _ => None,
    }
}

fn by_value(aggregate: Aggregate, value: Expr) -> Result<LogicalPlan> {
    let Aggregate {
        input,
        group_expr,
        aggr_expr,
        schema,
        ..
    } = aggregate;
    let group = |at: usize| format!("__distinct_group_{at}");
    let part = |at: usize| format!("__distinct_part_{at}");
    let mut inner_groups: Vec<Expr> = (group_expr.iter().enumerate())
        .map(|(at, expr)| expr.clone().alias(group(at)))
        .collect();
    inner_groups.push(value.alias(VALUE));
    let mut inner = Vec::new();
    let mut outer = Vec::new();
    let mut is_count = Vec::new();
    for (at, expr) in aggr_expr.into_iter().enumerate() {
        let Expr::AggregateFunction(AggregateFunction { func, mut params }) = expr else {
            continue;
        };
        let counts = func.name() == "count";
        is_count.push(counts && !params.distinct);
        let (above, column) = match (params.distinct, counts) {
            (true, _) => (Arc::clone(&func), VALUE.to_owned()),
            (false, true) => (sum_udaf(), part(at)),
            (false, false) => (Arc::clone(&func), part(at)),
        };
        if !params.distinct {
            let below = AggregateFunction {
                func,
                params: params.clone(),
            };
            inner.push(Expr::AggregateFunction(below).alias(part(at)));
        }
        params.distinct = false;
        params.args = vec![Expr::Column(Column::from_name(column))];
        let above = AggregateFunction {
            func: above,
            params,
        };
        outer.push(Expr::AggregateFunction(above));
    }
    let outer_groups: Vec<Expr> = (0..group_expr.len())
        .map(|at| Expr::Column(Column::from_name(group(at))))
        .collect();
    let inner = LogicalPlan::Aggregate(Aggregate::try_new(input, inner_groups, inner)?);
    let outer = LogicalPlan::Aggregate(Aggregate::try_new(Arc::new(inner), outer_groups, outer)?);
    as_before(outer, &schema, group_expr.len(), &is_count)
}

/// The columns by their names and types in `before`: a sum of no counts is none, and a sum of sums
/// of decimals has more digits than the sum that was asked for.
fn as_before(
    outer: LogicalPlan,
    before: &DFSchemaRef,
    groups: usize,
    is_count: &[bool],
) -> Result<LogicalPlan> {
    let columns = outer.schema().iter().zip(before.iter()).enumerate();
    let shown = columns.map(|(at, ((above, made), (qualifier, field)))| {
        let column = Expr::Column(Column::new(above.cloned(), made.name()));
        let counted = at.checked_sub(groups).and_then(|at| is_count.get(at));
        let column = match counted {
            Some(true) => coalesce(vec![column, lit(0_i64)]),
            _ if made.data_type() != field.data_type() => cast(column, field.data_type().clone()),
            _ => column,
        };
        column.alias_qualified(qualifier.cloned(), field.name())
    });
    let shown: Vec<Expr> = shown.collect();
    LogicalPlanBuilder::from(outer).project(shown)?.build()
}
