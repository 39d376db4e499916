//! `header('name')` names no column: here it gets the headers of the table that it stands over, as
//! `search` gets its columns.

use datafusion::sql::sqlparser::ast::{Expr, FunctionArguments};

use super::build::{call, text};
use super::scope::Scope;
use super::search::{column, is_call, only_relation, position, string, table_name};
use crate::error::{Error, Result};
use crate::header::{COLUMN, NAME};

const HINT: &str = "write `header('name')`, or `header(t, 'name')` where there are several tables";

/// Adds the column to a call of `header`; leaves everything else alone.
pub(super) fn expand_header(expr: &mut Expr, scopes: &[Scope]) -> Result<()> {
    let Expr::Function(function) = &*expr else {
        return Ok(());
    };
    if !is_call(function, NAME) {
        return Ok(());
    }
    let position = position(function);
    let wrong = |text: &str| Error::invalid(text).with_hint(HINT).with_position(position);
    let FunctionArguments::List(list) = &function.args else {
        return Err(wrong("`header` takes a name"));
    };
    let (table, name) = match list.args.as_slice() {
        [name] => (None, string(name)),
        // Its column is there already.
        [name, _] if string(name).is_some() => return Ok(()),
        [table, name] => (table_name(table), string(name)),
        _ => return Err(wrong("`header` takes a name")),
    };
    let Some(name) = name else {
        return Err(wrong("`header` takes a constant name"));
    };
    let relation = match table {
        Some(table) => scopes.iter().rev().find_map(|scope| scope.relation(&table)),
        None => only_relation(scopes),
    };
    let relation = relation.ok_or_else(|| wrong("`header` must say which table it means"))?;
    let columns = relation.columns.as_ref();
    if columns.and_then(|columns| columns.exact(COLUMN)).is_none() {
        let text = format!(
            "`{}` has no column `{COLUMN}`, which `header` reads",
            relation.name
        );
        return Err(wrong(&text));
    }
    *expr = call(NAME, vec![text(name), column(relation, COLUMN)]);
    Ok(())
}
