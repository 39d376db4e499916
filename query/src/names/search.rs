//! `search('words')` names no column: here it gets those of the table that it stands over.
//!
//! ```text
//! search('late order')       FROM orders          -> search('late order', "orders"."_key", ...)
//! search(o, 'late order')    FROM orders o JOIN c -> search('late order', "o"."_key", ...)
//! ```

use datafusion::sql::sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, ObjectName, Spanned,
    Value,
};

use super::scope::{Relation, Scope};
use crate::error::{Error, Result, TextPosition};
use crate::search::{COLUMNS, NAME, words};

const HINT: &str = "write `search('some words')`, or `search(t, 'some words')` where there are \
                    several tables";

/// Adds the columns to a call of `search`; leaves other functions alone.
pub(super) fn expand_search(function: &mut Function, scopes: &[Scope]) -> Result<()> {
    if !is_search(function) {
        return Ok(());
    }
    let position = position(function);
    let wrong = |text: &str| Error::invalid(text).with_hint(HINT).with_position(position);
    let FunctionArguments::List(list) = &mut function.args else {
        return Err(wrong("`search` takes a text"));
    };
    let (table, text) = match list.args.as_slice() {
        [text] => (None, text.clone()),
        [table, text] => match table_name(table) {
            Some(name) => (Some(name), text.clone()),
            None => return Err(wrong("`search` takes a table's name before the text")),
        },
        // Its columns are there already.
        all if all.len() == 1 + COLUMNS.len() => return Ok(()),
        _ => return Err(wrong("`search` takes a text")),
    };
    let Some(wanted) = string(&text) else {
        return Err(wrong("`search` takes a constant text"));
    };
    if words(wanted).is_empty() {
        return Err(wrong("the text of `search` has no word"));
    }
    let relation = match table {
        Some(name) => scopes.iter().rev().find_map(|scope| scope.relation(&name)),
        None => only_relation(scopes),
    };
    let relation = relation.ok_or_else(|| wrong("`search` must say which table it means"))?;
    let complete = relation.columns.as_ref().is_some_and(|columns| {
        let mut needed = COLUMNS.iter();
        needed.all(|name| columns.exact(name).is_some())
    });
    if !complete {
        return Err(wrong(&format!(
            "`{}` has not all of a record's columns ({}), which `search` needs",
            relation.name,
            COLUMNS.join(", ")
        )));
    }
    let columns = COLUMNS.map(|column| {
        let ident = |name: &str| Ident::with_quote('"', name);
        let column = match relation.name.as_str() {
            "" => Expr::Identifier(ident(column)),
            table => Expr::CompoundIdentifier(vec![ident(table), ident(column)]),
        };
        FunctionArg::Unnamed(FunctionArgExpr::Expr(column))
    });
    list.args = std::iter::once(text).chain(columns).collect();
    function.name = ObjectName::from(vec![Ident::new(NAME)]);
    Ok(())
}

fn is_search(function: &Function) -> bool {
    match function.name.0.as_slice() {
        [only] => only
            .as_ident()
            .is_some_and(|name| name.value.eq_ignore_ascii_case(NAME)),
        _ => false,
    }
}

/// The table of the innermost query that has any, if it is the only one.
fn only_relation(scopes: &[Scope]) -> Option<&Relation> {
    let mut scopes = scopes.iter().rev();
    let scope = scopes.find(|scope| !scope.relations.is_empty())?;
    match scope.relations.as_slice() {
        [only] => Some(only),
        _ => None,
    }
}

fn table_name(argument: &FunctionArg) -> Option<String> {
    let FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) = argument else {
        return None;
    };
    match expr {
        Expr::Identifier(name) => Some(name.value.clone()),
        Expr::CompoundIdentifier(names) => {
            let names: Vec<&str> = names.iter().map(|name| name.value.as_str()).collect();
            Some(names.join("."))
        }
        _ => None,
    }
}

fn string(argument: &FunctionArg) -> Option<&str> {
    let FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Value(value))) = argument else {
        return None;
    };
    match &value.value {
        Value::SingleQuotedString(text) => Some(text),
        _ => None,
    }
}

fn position(function: &Function) -> Option<TextPosition> {
    let start = function.name.span().start;
    (start.line > 0).then_some(TextPosition {
        line: start.line,
        column: start.column,
    })
}
