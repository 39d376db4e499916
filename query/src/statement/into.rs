//! Takes `INTO destination` off the top level of a query; anywhere else it is refused.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    ObjectName, ObjectNamePart, Query, Select, SelectInto, SetExpr, Spanned, VisitMut, VisitorMut,
};

use super::check::position;
use crate::error::{Error, Result};

/// The destination of a top-level `INTO`, removed from the query; `None` when there is none.
pub(super) fn take(query: &mut Query) -> Result<Option<String>> {
    let mut found = None;
    if let Some(select) = top_select(query) {
        found = select.into.take();
    }
    match VisitMut::visit(query, &mut Refuse) {
        ControlFlow::Break(error) => Err(error),
        ControlFlow::Continue(()) => found.map(destination).transpose(),
    }
}

/// The one `SELECT` of a query that is nothing but a `SELECT`.
fn top_select(query: &mut Query) -> Option<&mut Select> {
    match query.body.as_mut() {
        SetExpr::Select(select) => Some(select),
        // `(SELECT ... INTO d ...) ORDER BY 1` would need two readings of where rows go.
        _ => None,
    }
}

fn destination(into: SelectInto) -> Result<String> {
    let place = position(into.name.span());
    if into.temporary || into.unlogged || into.table {
        return Err(Error::not_supported(
            "not supported: `INTO` a table; `INTO` names a destination",
        )
        .with_position(place));
    }
    let ObjectName(parts) = into.name;
    let mut name = Vec::with_capacity(parts.len());
    for part in parts {
        match part {
            ObjectNamePart::Identifier(ident) => name.push(ident.value),
            ObjectNamePart::Function(_) => {
                return Err(Error::invalid("a destination is a name").with_position(place));
            }
        }
    }
    Ok(name.join("."))
}

struct Refuse;

impl VisitorMut for Refuse {
    type Break = Error;

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<Error> {
        match &select.into {
            None => ControlFlow::Continue(()),
            Some(into) => ControlFlow::Break(
                Error::not_supported(
                    "not supported: `INTO` in a subquery, a set operation or parentheses",
                )
                .with_hint("`INTO` belongs to the statement's only outer `SELECT`")
                .with_position(position(into.name.span())),
            ),
        }
    }
}
