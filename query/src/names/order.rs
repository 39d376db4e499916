//! `ORDER BY` of drifted columns: numbers by their value, then other text.

use datafusion::sql::sqlparser::ast::{
    Expr, Function, FunctionArgumentClause, FunctionArguments, Ident, NamedWindowExpr, OrderByExpr,
    OrderByKind, Query, Select, SelectItem, SetExpr, Value, ValueWithSpan, WindowType,
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
    // The columns that a set of queries is ordered by are its own, and those of no table.
    let is_set = !matches!(query.body.as_ref(), SetExpr::Select(_));
    if let OrderByKind::Expressions(list) = &mut order.kind {
        let select = first_select(&query.body);
        for one in list {
            let item = select.and_then(|select| item(&one.expr, select));
            let (item, name) = match item {
                Some(SelectItem::ExprWithAlias { expr, alias }) => (Some(expr), Some(alias)),
                Some(SelectItem::UnnamedExpr(expr)) => (Some(expr), name_of_path(expr)),
                _ => (None, None),
            };
            if is_set && item.is_some() {
                if let Some(name) = name
                    && item.is_some_and(|item| resolver.several(item).is_some())
                {
                    one.expr = call(SORT_KEY, vec![Expr::Identifier(name.clone())]);
                }
                continue;
            }
            let listed = item.cloned();
            let listed = listed.as_ref().unwrap_or(&one.expr);
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
fn item<'a>(expr: &Expr, select: &'a Select) -> Option<&'a SelectItem> {
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
    select.projection.get(index)
}

/// What a path without an alias is called in the answer.
fn name_of_path(expr: &Expr) -> Option<&Ident> {
    match expr {
        Expr::Identifier(ident) => Some(ident),
        Expr::CompoundIdentifier(path) => path.last(),
        _ => None,
    }
}
