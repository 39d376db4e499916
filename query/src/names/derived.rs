//! The columns that a query in `FROM` or `WITH` gives to the one around it.
//!
//! A drifted column takes its alternates along, hidden, so that a context outside finds the numbers
//! and objects inside. Where rows are made of several rows (`DISTINCT`, `GROUP BY`, `UNION`) only
//! the text is left.

use std::sync::Arc;

use datafusion::sql::sqlparser::ast::{
    Expr, GroupByExpr, Ident, Query, Select, SelectItem, SetExpr, WildcardAdditionalOptions,
};

use super::paths::{Path, follow};
use super::place::{Place, Several};
use super::scope::{Column, Columns, Relation, Scope, named};
use super::wildcard::{changes_columns, visible, wildcard_relation};
use crate::logical::{Alternate, Drift};

/// Whether drifted columns can take their alternates along.
pub(super) fn carries(query: &Query) -> bool {
    match query.body.as_ref() {
        SetExpr::Select(select) => select.distinct.is_none() && !is_grouped(select),
        SetExpr::Query(query) => carries(query),
        _ => false,
    }
}

/// Whether a `SELECT` has `GROUP BY`.
pub(super) fn is_grouped(select: &Select) -> bool {
    match &select.group_by {
        GroupByExpr::All(_) => true,
        GroupByExpr::Expressions(list, modifiers) => !list.is_empty() || !modifiers.is_empty(),
    }
}

/// The first `SELECT` of a query, whose names the whole has.
pub(super) fn first_select(body: &SetExpr) -> Option<&Select> {
    let mut body = body;
    loop {
        match body {
            SetExpr::Select(select) => return Some(select),
            SetExpr::SetOperation { left, .. } => body = left,
            SetExpr::Query(query) => body = &query.body,
            _ => return None,
        }
    }
}

/// The columns that a `SELECT` gives, as far as their names are written in it.
pub(super) fn output(select: &Select, scope: &Scope, carries: bool) -> Columns {
    let mut list = Vec::new();
    for item in &select.projection {
        match item {
            SelectItem::ExprWithAlias { expr, alias } => {
                let place = place_of(expr, scope);
                list.extend(given(&alias.value, place, carries));
            }
            SelectItem::UnnamedExpr(expr) => {
                if let (Some(name), place @ Some(_)) = (name_of(expr, scope), place_of(expr, scope))
                {
                    list.extend(given(&name, place, carries));
                }
            }
            SelectItem::Wildcard(options) => {
                for relation in &scope.relations {
                    list.extend(passed_on(relation, options, carries));
                }
            }
            SelectItem::QualifiedWildcard(kind, options) => {
                let found = wildcard_relation(kind, scope);
                list.extend(
                    found
                        .iter()
                        .flat_map(|one| passed_on(one, options, carries)),
                );
            }
            SelectItem::ExprWithAliases { .. } => {}
        }
    }
    Columns::new(list)
}

/// The alternates that the items of a `SELECT` take along, to be added to it.
pub(super) fn companions(select: &Select, scope: &Scope) -> Vec<SelectItem> {
    let mut added = Vec::new();
    for item in &select.projection {
        let (name, expr) = match item {
            SelectItem::ExprWithAlias { expr, alias } => (Some(alias.value.clone()), expr),
            SelectItem::UnnamedExpr(expr) => (name_of(expr, scope), expr),
            _ => continue,
        };
        let (Some(name), Some(Place::Several(several))) = (name, place_of(expr, scope)) else {
            continue;
        };
        for (index, alternate) in several.alternates.into_iter().enumerate() {
            added.push(SelectItem::ExprWithAlias {
                expr: alternate.expr,
                alias: Ident::with_quote('"', companion(&name, index)),
            });
        }
    }
    added
}

/// The name under which an alternate is taken along.
fn companion(name: &str, index: usize) -> String {
    format!("{name}~{index}")
}

fn given(name: &str, place: Option<Place>, carries: bool) -> Vec<Column> {
    match place {
        Some(Place::Several(several)) => drifted(name, several, carries),
        Some(Place::One(one)) => vec![named(name.to_owned(), one.data_type)],
        None => vec![named(name.to_owned(), None)],
    }
}

fn drifted(name: &str, several: Several, carries: bool) -> Vec<Column> {
    let mut drift = Drift::default();
    let mut columns = Vec::new();
    if carries {
        for (index, one) in several.alternates.into_iter().enumerate() {
            let Some(data_type) = one.data_type else {
                continue;
            };
            let companion = companion(name, index);
            columns.push(Column {
                hidden: true,
                alternate: true,
                ..named(companion.clone(), Some(data_type.clone()))
            });
            drift.alternates.push(Alternate {
                name: companion,
                data_type,
            });
        }
    }
    columns.push(Column {
        drift: Some(Arc::new(drift)),
        ..named(name.to_owned(), Some(arrow::datatypes::DataType::Utf8))
    });
    columns
}

/// What `*` gives of a relation.
fn passed_on(
    relation: &Relation,
    options: &WildcardAdditionalOptions,
    carries: bool,
) -> Vec<Column> {
    let carries = carries && !changes_columns(options);
    let mut columns = visible(relation, options);
    if carries {
        let all = relation.columns.iter().flat_map(|columns| columns.list());
        columns.extend(all.filter(|column| column.alternate).cloned());
        return columns;
    }
    for column in &mut columns {
        if let Some(drift) = &mut column.drift {
            *drift = Arc::default();
        }
    }
    columns
}

fn place_of(expr: &Expr, scope: &Scope) -> Option<Place> {
    match follow(expr, std::iter::once(scope)) {
        Ok(Some(Path::Place(place))) => Some(place),
        _ => None,
    }
}

/// The name that a path without an alias gives to its column, where it is the column's own.
pub(super) fn name_of(expr: &Expr, scope: &Scope) -> Option<String> {
    let path = match expr {
        Expr::Identifier(ident) => std::slice::from_ref(ident),
        Expr::CompoundIdentifier(path) => path.as_slice(),
        _ => return None,
    };
    match scope.meaning(path)? {
        super::scope::Meaning::Column { real, consumed, .. } if consumed == path.len() => {
            real.last().cloned()
        }
        _ => None,
    }
}
