//! `ORDER BY` of drifted columns: numbers by their value, then other text.

use datafusion::sql::sqlparser::ast::{
    Expr, Function, FunctionArgumentClause, FunctionArguments, NamedWindowExpr, OrderByExpr,
    OrderByKind, Query, Select, SelectItem, Value, ValueWithSpan, WindowType,
};

use super::build::call;
use super::columns::Resolver;
use super::derived::first_select;
use crate::logical::SORT_KEY;

/// The order of a query's rows.
pub(super) fn of_query(resolver: &Resolver<'_>, query: &mut Query) {
    let Some(order) = &mut query.order_by else {
        return;
    };
    if let OrderByKind::Expressions(list) = &mut order.kind {
        let select = first_select(&query.body);
        for one in list {
            let item = select.and_then(|select| item(&one.expr, select)).cloned();
            let listed = item.as_ref().unwrap_or(&one.expr);
            // A name of the select list is that before it is a column.
            let text = match resolver.is_alias_of_several(listed) {
                Some(drifted) => drifted.then(|| listed.clone()),
                None => resolver.several(listed).map(|several| several.text),
            };
            if let Some(text) = text {
                one.expr = call(SORT_KEY, vec![text]);
            }
        }
    }
}

/// The orders of a `SELECT`'s named windows.
pub(super) fn of_windows(resolver: &Resolver<'_>, select: &mut Select) {
    for window in &mut select.named_window {
        if let NamedWindowExpr::WindowSpec(spec) = &mut window.1 {
            by_key(resolver, &mut spec.order_by);
        }
    }
}

/// The orders within a function's call.
pub(super) fn of_function(resolver: &Resolver<'_>, function: &mut Function) {
    if let Some(WindowType::WindowSpec(spec)) = &mut function.over {
        by_key(resolver, &mut spec.order_by);
    }
    by_key(resolver, &mut function.within_group);
    if let FunctionArguments::List(list) = &mut function.args {
        for clause in &mut list.clauses {
            if let FunctionArgumentClause::OrderBy(list) = clause {
                by_key(resolver, list);
            }
        }
    }
}

fn by_key(resolver: &Resolver<'_>, list: &mut [OrderByExpr]) {
    for one in list {
        if let Some(several) = resolver.several(&one.expr) {
            one.expr = call(SORT_KEY, vec![several.text]);
        }
    }
}

/// The item of the select list that a number in `ORDER BY` stands for.
fn item<'a>(expr: &Expr, select: &'a Select) -> Option<&'a Expr> {
    let Expr::Value(ValueWithSpan {
        value: Value::Number(number, _),
        ..
    }) = expr
    else {
        return None;
    };
    let index = number.parse::<usize>().ok()?.checked_sub(1)?;
    let wild = |item: &SelectItem| {
        matches!(
            item,
            SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(_, _)
        )
    };
    if select.projection.iter().take(index).any(wild) {
        return None;
    }
    match select.projection.get(index)? {
        SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => Some(expr),
        _ => None,
    }
}
