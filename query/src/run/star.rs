//! `SELECT * FROM one ...` of thousands of columns: planned as one column, which then becomes all.
//!
//! DataFusion's planner compares the names of all columns of a select list with each other: some
//! 150 ms for 1,200 columns. So `*` is planned as one column that nothing else can name, and the
//! plan gets the columns that it stands for afterwards. A statement of any other shape is planned
//! as it stands.

use std::collections::HashSet;

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, Result as PlanResult, ScalarValue};
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::{Expr, LogicalPlan, Projection};
use datafusion::sql::sqlparser::ast::{
    ExcludeSelectItem, Expr as Tree, GroupByExpr, Ident, ObjectName, OrderBy, OrderByKind,
    Query as QueryTree, Select, SelectItem, SetExpr, Value,
};

use super::prepare::plan;
use crate::error::Result;

/// The one column. No payload's path has such a name: nothing of the kind is left by `names`.
const STAR: &str = "\u{0}*";

/// The logical plan of a bound query.
pub(super) async fn plan_wide(state: &SessionState, query: QueryTree) -> Result<LogicalPlan> {
    if let Some((narrow, hidden)) = narrowed(&query)
        && let Ok(planned) = plan(state, narrow).await
        && stands_on_rows(&planned)
    {
        return Ok(widened(planned, &hidden)?);
    }
    // What can't be planned is told as of the query that was asked.
    plan(state, query).await
}

/// The query with one column for its `*`, and what `*` leaves out.
fn narrowed(query: &QueryTree) -> Option<(QueryTree, HashSet<String>)> {
    if !query.pipe_operators.is_empty() || !query.order_by.as_ref().is_none_or(names_no_place) {
        return None;
    }
    let mut query = query.clone();
    let SetExpr::Select(select) = query.body.as_mut() else {
        return None;
    };
    let hidden = hidden(select)?;
    select.projection = vec![SelectItem::ExprWithAlias {
        expr: Tree::value(Value::Null),
        alias: Ident::with_quote('"', STAR),
    }];
    Some((query, hidden))
}

/// Whether an order is by expressions, none of which is the number of a column.
fn names_no_place(order: &OrderBy) -> bool {
    let is_number = |expr: &Tree| match expr {
        Tree::Value(value) => matches!(value.value, Value::Number(..)),
        _ => false,
    };
    match &order.kind {
        OrderByKind::All(_) => false,
        OrderByKind::Expressions(by) => !by.iter().any(|one| is_number(&one.expr)),
    }
}

/// What the `*` of a plain `SELECT * FROM one WHERE ...` leaves out.
fn hidden(select: &Select) -> Option<HashSet<String>> {
    let [SelectItem::Wildcard(options)] = select.projection.as_slice() else {
        return None;
    };
    let [from] = select.from.as_slice() else {
        return None;
    };
    let groups = match &select.group_by {
        GroupByExpr::All(_) => true,
        GroupByExpr::Expressions(by, modifiers) => !by.is_empty() || !modifiers.is_empty(),
    };
    let is_plain = from.joins.is_empty()
        && !groups
        && select.distinct.is_none()
        && select.exclude.is_none()
        && select.having.is_none()
        && select.qualify.is_none()
        && options.opt_ilike.is_none()
        && options.opt_except.is_none()
        && options.opt_replace.is_none()
        && options.opt_rename.is_none()
        && options.opt_alias.is_none();
    if !is_plain {
        return None;
    }
    let last = |name: &ObjectName| {
        let ident = name.0.last().and_then(|part| part.as_ident());
        ident.map(|ident| ident.value.clone())
    };
    match &options.opt_exclude {
        None => Some(HashSet::new()),
        Some(ExcludeSelectItem::Single(name)) => last(name).map(|name| HashSet::from([name])),
        Some(ExcludeSelectItem::Multiple(names)) => names.iter().map(last).collect(),
    }
}

fn is_star(expr: &Expr) -> bool {
    matches!(expr, Expr::Alias(alias) if alias.name == STAR
        && matches!(alias.expr.as_ref(), Expr::Literal(ScalarValue::Null, _)))
}

/// Whether the one column is made of the rows of a relation as they are.
fn stands_on_rows(plan: &LogicalPlan) -> bool {
    let mut stands = false;
    let looked = plan.apply(|node| {
        Ok(match node {
            LogicalPlan::Limit(_) | LogicalPlan::Sort(_) => TreeNodeRecursion::Continue,
            LogicalPlan::Projection(one) if one.expr.iter().any(is_star) => {
                let mut below = one.input.as_ref();
                while let LogicalPlan::Filter(filter) = below {
                    below = &filter.input;
                }
                stands = matches!(
                    below,
                    LogicalPlan::TableScan(_) | LogicalPlan::SubqueryAlias(_)
                );
                TreeNodeRecursion::Stop
            }
            LogicalPlan::Projection(_) => TreeNodeRecursion::Continue,
            _ => TreeNodeRecursion::Stop,
        })
    });
    looked.is_ok() && stands
}

/// The plan with all columns but the hidden ones for the one.
fn widened(plan: LogicalPlan, hidden: &HashSet<String>) -> PlanResult<LogicalPlan> {
    let mut all: Option<Vec<Expr>> = None;
    let widened = plan.transform_up(|node| {
        let LogicalPlan::Projection(projection) = node else {
            return Ok(Transformed::no(node));
        };
        let Projection { expr, input, .. } = projection;
        if expr.iter().any(is_star) {
            all = Some(columns(input.schema(), hidden));
        }
        let mut wide = Vec::with_capacity(expr.len());
        for one in expr {
            let stands_for =
                is_star(&one) || matches!(&one, Expr::Column(column) if column.name == STAR);
            match all.as_ref().filter(|_| stands_for) {
                Some(all) => wide.extend(all.iter().cloned()),
                // A sort adds what it orders by; that may be there now.
                None if all.as_ref().is_some_and(|all| all.contains(&one)) => {}
                None => wide.push(one),
            }
        }
        let projection = Projection::try_new(wide, input)?;
        Ok(Transformed::yes(LogicalPlan::Projection(projection)))
    })?;
    widened.data.recompute_schema()
}

fn columns(schema: &DFSchema, hidden: &HashSet<String>) -> Vec<Expr> {
    let shown = schema
        .iter()
        .filter(|(_, field)| !hidden.contains(field.name()));
    shown
        .map(|(qualifier, field)| Expr::Column(Column::new(qualifier.cloned(), field.name())))
        .collect()
}

#[cfg(test)]
mod tests;
