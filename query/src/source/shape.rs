//! Which queries a replay can send: those where one source record per row is provable, and that
//! give the same rows whenever they run.

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::sql::sqlparser::ast::{
    GroupByExpr, ObjectName, ObjectNamePart, Query as QueryTree, SetExpr, TableFactor,
};

use crate::error::{Error, Result};
use crate::names::{TableName, with_names};

/// Only what gives exactly one source record per row.
pub(super) fn check_shape(query: &QueryTree) -> Result<()> {
    let SetExpr::Select(select) = query.body.as_ref() else {
        return Err(refused("`UNION`, `INTERSECT`, `EXCEPT` and `VALUES`"));
    };
    if query.order_by.is_some() {
        return Err(refused(
            "`ORDER BY` (records go out in the order of their offsets)",
        ));
    }
    if query.limit_clause.is_some() || query.fetch.is_some() {
        return Err(refused(
            "`LIMIT` (which rows it takes can change from run to run)",
        ));
    }
    if select.distinct.is_some() {
        return Err(refused("`DISTINCT`"));
    }
    let grouped = match &select.group_by {
        GroupByExpr::Expressions(exprs, modifiers) => !exprs.is_empty() || !modifiers.is_empty(),
        GroupByExpr::All(_) => true,
    };
    if grouped || select.having.is_some() || select.qualify.is_some() {
        return Err(refused("`GROUP BY`, `HAVING`, `QUALIFY` and aggregates"));
    }
    match select.from.as_slice() {
        [one] if one.joins.is_empty() => match &one.relation {
            TableFactor::Table {
                args: None, name, ..
            } if is_of_with(query, name) => {
                return Err(refused("a query of `WITH` as source")
                    .with_hint("such a name hides the table that is called so everywhere"));
            }
            TableFactor::Table { args: None, .. } => {}
            _ => return Err(refused("a source other than one table")),
        },
        _ => {
            return Err(refused("joins, which can give a record more than once")
                .with_hint("`WHERE id IN (SELECT ...)` is fine"));
        }
    }
    Ok(())
}

/// Whether a name in `FROM` is one that `WITH` gives, which hides the tables that are called so.
fn is_of_with(query: &QueryTree, name: &ObjectName) -> bool {
    let [ObjectNamePart::Identifier(name)] = name.0.as_slice() else {
        return false;
    };
    let given = with_names(query);
    given.iter().any(|with| is_same(with, &name.value))
}

fn is_same(one: &str, other: &str) -> bool {
    one.to_lowercase() == other.to_lowercase()
}

/// Only what gives one record per row, and the same whenever it runs: what the text alone doesn't
/// tell.
pub(super) fn check_plan(plan: &LogicalPlan) -> Result<()> {
    let mut found = None;
    // Subqueries may group as they like.
    plan.apply(|node| {
        let what = match node {
            LogicalPlan::Aggregate(_) => "`GROUP BY`, `HAVING`, `QUALIFY` and aggregates",
            LogicalPlan::Window(_) => "window functions",
            LogicalPlan::Unnest(_) => "`unnest`, which can give a record more than once",
            _ => return Ok(TreeNodeRecursion::Continue),
        };
        found = Some(what);
        Ok(TreeNodeRecursion::Stop)
    })?;
    plan.apply_with_subqueries(|node| {
        if node.expressions().iter().any(Expr::is_volatile) {
            found = Some("functions whose answer changes from run to run, as `random()`");
            return Ok(TreeNodeRecursion::Stop);
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    match found {
        Some(what) => Err(refused(what)),
        None => Ok(()),
    }
}

/// The system table that a replay may name beside its source: what a replay has failed on stays as
/// it is once that one has ended, and is to be replayed.
const STAYS: &str = "replay_failures";

/// Only tables that have versions, and [`STAYS`], since a resume would see other rows of another
/// system table than the plan; and no query of `WITH` that is called as one of them, which would be
/// pinned as if it were the table.
pub(super) fn check_tables(query: &QueryTree, tables: &[TableName]) -> Result<()> {
    let given = with_names(query);
    for table in tables {
        match table {
            TableName::System(name) if name == STAYS => {}
            TableName::System(name) => {
                return Err(refused(&format!(
                    "a system table in a subquery (`{name}`), whose rows can change from run to run"
                ))
                .with_hint(
                    "name tables of topics; the dead letters of one are such a table: \
                     `\"orders@dead\"`",
                ));
            }
            TableName::Topic { name, .. } => {
                if given.iter().any(|with| is_same(with, name)) {
                    return Err(refused(&format!(
                        "a query of `WITH` that is called as a table that is read (`{name}`)"
                    ))
                    .with_hint("call it by a name that no table has"));
                }
            }
        }
    }
    Ok(())
}

pub(super) fn refused(what: &str) -> Error {
    Error::not_supported(format!("not supported in a replay: {what}"))
}
