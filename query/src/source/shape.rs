//! Which queries a replay can send: those where one source record per row is provable.

use datafusion::sql::sqlparser::ast::{
    GroupByExpr, Query as QueryTree, SelectItem, SetExpr, TableFactor,
};

use crate::error::{Error, Result};

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
            TableFactor::Table { args: None, .. } => {}
            _ => return Err(refused("a source other than one table")),
        },
        _ => {
            return Err(refused("joins, which can give a record more than once")
                .with_hint("`WHERE id IN (SELECT ...)` is fine"));
        }
    }
    let star = match select.projection.as_slice() {
        [SelectItem::Wildcard(options)] => {
            options.opt_exclude.is_none()
                && options.opt_except.is_none()
                && options.opt_replace.is_none()
                && options.opt_rename.is_none()
                && options.opt_ilike.is_none()
        }
        _ => false,
    };
    if !star {
        return Err(refused("a projection; the original record is re-emitted")
            .with_hint("write `SELECT *`"));
    }
    Ok(())
}

pub(super) fn refused(what: &str) -> Error {
    Error::not_supported(format!("not supported in a replay: {what}"))
}
