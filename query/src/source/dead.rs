//! `system.dead_letters` as what a replay reads: those of one topic, which `WHERE _topic = '...'`
//! names. Of several topics no version could be pinned.

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, Ident, ObjectName, ObjectNamePart, Query as QueryTree, Select, SetExpr,
    TableAlias, TableFactor, Value,
};

use super::shape::refused;
use crate::error::Result;
use crate::names::DEAD;

const COLUMN: &str = "_topic";

/// What the table is called in its query, unless it has another name there.
const TABLE: &str = "dead_letters";

/// Writes the one topic's rows with `_error` in the place of `system.dead_letters`. Other sources
/// stay as they are.
pub(super) fn name_topic(query: &mut QueryTree) -> Result<()> {
    let SetExpr::Select(select) = query.body.as_mut() else {
        return Ok(());
    };
    let Some(TableFactor::Table { name, alias, .. }) =
        select.from.first().map(|from| &from.relation)
    else {
        return Ok(());
    };
    if !is_dead_letters(name) {
        return Ok(());
    }
    let called = alias.as_ref().map(|alias| alias.name.value.clone());
    let called = called.unwrap_or_else(|| TABLE.to_owned());
    let Some(topic) = topic(select, &called) else {
        return Err(refused("the dead letters of all topics at once")
            .with_hint("name one of them: `WHERE _topic = 'orders' AND ...`"));
    };
    let Some(TableFactor::Table { name, alias, .. }) =
        select.from.first_mut().map(|from| &mut from.relation)
    else {
        return Ok(());
    };
    *name = ObjectName::from(vec![Ident::with_quote('"', format!("{topic}{DEAD}"))]);
    alias.get_or_insert_with(|| TableAlias {
        explicit: true,
        name: Ident::new(TABLE),
        columns: Vec::new(),
        at: None,
    });
    Ok(())
}

fn is_dead_letters(name: &ObjectName) -> bool {
    let part = |at: usize, wanted: &str| match name.0.get(at) {
        Some(ObjectNamePart::Identifier(ident)) => ident.value.eq_ignore_ascii_case(wanted),
        _ => false,
    };
    name.0.len() == 2 && part(0, "system") && part(1, TABLE)
}

/// The topic that every row must be of, as a condition beside all others says; the table is
/// `called` so there.
fn topic(select: &Select, called: &str) -> Option<String> {
    let mut left: Vec<&Expr> = select.selection.iter().collect();
    while let Some(condition) = left.pop() {
        match condition {
            Expr::Nested(inner) => left.push(inner),
            Expr::BinaryOp {
                left: one,
                op: BinaryOperator::And,
                right: other,
            } => left.extend([one.as_ref(), other.as_ref()]),
            Expr::BinaryOp {
                left: one,
                op: BinaryOperator::Eq,
                right: other,
            } => {
                let found = named(one, other, called).or_else(|| named(other, one, called));
                if found.is_some() {
                    return found;
                }
            }
            _ => {}
        }
    }
    None
}

fn named(column: &Expr, value: &Expr, called: &str) -> Option<String> {
    let column = match column {
        Expr::Identifier(ident) => ident,
        // `payload._topic` is a field that happens to be called so.
        Expr::CompoundIdentifier(parts) => match parts.as_slice() {
            [table, column] if table.value.eq_ignore_ascii_case(called) => column,
            _ => return None,
        },
        _ => return None,
    };
    match value {
        Expr::Value(value) if column.value.eq_ignore_ascii_case(COLUMN) => match &value.value {
            Value::SingleQuotedString(topic) => Some(topic.clone()),
            _ => None,
        },
        _ => None,
    }
}
