//! Which queries a replay can send: those where one source record per row is provable, and that
//! give the same rows whenever they run.

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::sql::sqlparser::ast::{
    GroupByExpr, ObjectName, ObjectNamePart, Query as QueryTree, SetExpr, TableFactor,
};

use crate::error::{Error, Result};
use crate::names::TableName;

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
            } if is_of_with(query, name) => return Err(refused("a query of `WITH` as source")),
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
    let name = name.value.to_lowercase();
    let mut given = query.with.iter().flat_map(|with| &with.cte_tables);
    given.any(|cte| cte.alias.name.value.to_lowercase() == name)
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

/// Only tables that have versions: a resume would see other rows of a system table than the plan.
pub(super) fn check_pinned(tables: &[TableName]) -> Result<()> {
    let system = tables.iter().find_map(|table| match table {
        TableName::System(name) => Some(name),
        TableName::Topic { .. } => None,
    });
    match system {
        None => Ok(()),
        Some(name) => Err(refused(&format!(
            "a system table in a subquery (`{name}`), whose rows can change from run to run"
        ))
        .with_hint(
            "name tables of topics; the dead letters of one are such a table: `\"orders@dead\"`",
        )),
    }
}

pub(super) fn refused(what: &str) -> Error {
    Error::not_supported(format!("not supported in a replay: {what}"))
}
