//! What a select list and `GROUP BY` name, before anything in them is rewritten.

use datafusion::sql::sqlparser::ast::{
    Expr, GroupByExpr, Ident, Select, SelectItem, Value, ValueWithSpan,
};

use super::derived::name_of;
use super::paths::{Path, follow};
use super::place::{Place, written};
use super::scope::Scope;

/// What `GROUP BY` lists; a number stands for an item of the select list.
pub(super) fn grouped_by(select: &Select) -> Vec<Expr> {
    let GroupByExpr::Expressions(list, _) = &select.group_by else {
        return Vec::new();
    };
    let item = |index: usize| match select.projection.get(index.checked_sub(1)?)? {
        SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => Some(expr),
        _ => None,
    };
    list.iter()
        .map(|listed| match listed {
            Expr::Value(ValueWithSpan {
                value: Value::Number(number, _),
                ..
            }) => number.parse().ok().and_then(item).unwrap_or(listed),
            listed => listed,
        })
        .cloned()
        .collect()
}

/// Gives a drifted field of the select list the name that it has as a path.
pub(super) fn name_fields(select: &mut Select, scope: &Scope) {
    for item in &mut select.projection {
        let SelectItem::UnnamedExpr(expr) = item else {
            continue;
        };
        if name_of(expr, scope).is_some() {
            continue;
        }
        let found = follow(expr, std::iter::once(scope));
        if let Ok(Some(Path::Place(Place::Several(several)))) = found
            && let Some(name) = written(&several)
        {
            *item = SelectItem::ExprWithAlias {
                expr: expr.clone(),
                alias: Ident::with_quote('"', name),
            };
        }
    }
}
