//! `DELETE FROM t WHERE ...`: an erasure. Read as the query of the rows that are meant.

use std::collections::BTreeMap;

use datafusion::sql::sqlparser::ast::{
    self, FromTable, Query as QueryTree, SetExpr, Spanned, TableFactor,
};
use uuid::Uuid;

use super::check::position;
use super::{options, parse_select};
use crate::error::{Error, Result};

/// What a trailing `WITH (...)` may name.
const OPTIONS: [&str; 2] = ["id", "reference"];

/// The longest reference, in characters.
const REFERENCE_MAX: usize = 200;

/// `DELETE FROM t WHERE ...`.
#[derive(Debug)]
pub(crate) struct Delete {
    /// `SELECT 1 FROM t WHERE ...`.
    pub(crate) query: QueryTree,
    /// Names the request: the same id is the same request.
    pub(crate) id: Option<Uuid>,
    /// What the receipt calls it.
    pub(crate) reference: String,
}

impl Delete {
    /// Takes the options; the query may still have placeholders.
    pub(super) fn new(query: QueryTree, given: BTreeMap<String, String>) -> Result<Self> {
        options::check_known(&given, &OPTIONS)?;
        let id = given.get("id").map(|id| {
            Uuid::parse_str(id).map_err(|_| {
                Error::invalid(format!("the option `id` is no UUID: `{id}`"))
                    .with_hint("leave it out, or give the id of a receipt to ask again")
            })
        });
        let reference = given.get("reference").cloned().unwrap_or_default();
        if reference.chars().count() > REFERENCE_MAX {
            return Err(Error::invalid(format!(
                "the option `reference` has more than {REFERENCE_MAX} characters"
            )));
        }
        Ok(Self {
            query,
            id: id.transpose()?,
            reference,
        })
    }
}

/// The query of the rows that a `DELETE` means.
pub(super) fn query(delete: ast::Delete) -> Result<QueryTree> {
    let place = position(delete.span());
    let refused = |what: &str| {
        Err(
            Error::not_supported(format!("not supported in a `DELETE`: {what}"))
                .with_hint("write `DELETE FROM table WHERE condition`")
                .with_position(place),
        )
    };
    if delete.using.is_some() || !delete.tables.is_empty() {
        return refused("several tables");
    }
    if delete.returning.is_some() || delete.output.is_some() {
        return refused("`RETURNING`; the answer is the receipt");
    }
    if !delete.order_by.is_empty() || delete.limit.is_some() {
        return refused("`ORDER BY` and `LIMIT`");
    }
    let (FromTable::WithFromKeyword(mut from) | FromTable::WithoutKeyword(mut from)) = delete.from;
    let from = match (from.pop(), from.is_empty()) {
        (Some(only), true) if only.joins.is_empty() => only,
        _ => return refused("several tables"),
    };
    match &from.relation {
        TableFactor::Table { args: Some(_), .. } => return refused("anything but a table's name"),
        // The condition would name other columns than it seems to.
        TableFactor::Table {
            alias: Some(alias), ..
        } if !alias.columns.is_empty() => return refused("new names for the table's columns"),
        TableFactor::Table { .. } => {}
        _ => return refused("anything but a table's name"),
    }
    let Some(condition) = delete.selection else {
        return Err(
            Error::invalid("a `DELETE` without `WHERE` erases every row of the table")
                .with_hint("write `WHERE true` if that is meant")
                .with_position(place),
        );
    };
    let mut query = parse_select("SELECT 1 FROM t WHERE true")?;
    let SetExpr::Select(select) = query.body.as_mut() else {
        return Err(Error::internal("a `SELECT` is no `SELECT`"));
    };
    select.from = vec![from];
    select.selection = Some(condition);
    Ok(query)
}
