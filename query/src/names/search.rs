//! `search('words field:value')` names its columns in its text: here each part of it becomes a
//! condition on them, for the table that it stands over.
//!
//! ```text
//! search('late order')       FROM orders          -> search('late order', "orders"."_key", ...)
//! search(o, 'late n:>=3')    FROM orders o JOIN c -> search('late', "o"."_key", ...)
//!                                                    AND eddy_found('[n:>=3]', "o"."n")
//! search_lenient('no_such:1 OR n:>=3')            -> false OR eddy_found('[n:>=3]', "n")
//! ```

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Spanned, Value,
};

use super::build::{call, not, resolved, text, value};
use super::fields::targets;
use super::scope::{Relation, Scope};
use crate::error::{Error, ErrorKind, Result, TextPosition};
use crate::search::{COLUMNS, FOUND, Field, LENIENT, NAME, Tree, Where, parse};

const HINT: &str = "write `search('some words field:value')`, or `search(t, 'some words')` where \
                    there are several tables";

/// Makes conditions on columns of a call of `search`; leaves everything else alone.
pub(super) fn expand_search(expr: &mut Expr, scopes: &[Scope]) -> Result<()> {
    let Expr::Function(function) = &*expr else {
        return Ok(());
    };
    let unknown = match () {
        () if is_call(function, NAME) => Unknown::Refused,
        () if is_call(function, LENIENT) => Unknown::Empty,
        () => return Ok(()),
    };
    let position = position(function);
    if let Some(expanded) =
        expanded(function, scopes, unknown).map_err(|error| error.with_position(position))?
    {
        *expr = expanded;
    }
    Ok(())
}

/// What a field is that the table doesn't have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unknown {
    /// A mistake.
    Refused,
    /// One that holds nothing in any row.
    Empty,
}

/// What a call stands for; `None` where its columns are there already.
fn expanded(function: &Function, scopes: &[Scope], unknown: Unknown) -> Result<Option<Expr>> {
    let wrong = |text: &str| Error::invalid(text).with_hint(HINT);
    let FunctionArguments::List(list) = &function.args else {
        return Err(wrong("`search` takes a text"));
    };
    let (table, text, complete) = match list.args.as_slice() {
        [text] => (None, text, false),
        [table, text] => match table_name(table) {
            Some(name) => (Some(name), text, false),
            None => return Err(wrong("`search` takes a table's name before the text")),
        },
        [text, columns @ ..] if columns.len() == COLUMNS.len() && unknown == Unknown::Refused => {
            (None, text, true)
        }
        _ => return Err(wrong("`search` takes a text")),
    };
    let Some(wanted) = string(text) else {
        return Err(wrong("`search` takes a constant text"));
    };
    let tree = parse(wanted).map_err(|wrong| {
        let error = Error::invalid(at(wrong.at, &wrong.message));
        error.with_hint(wrong.hint)
    })?;
    if complete {
        return match tree.names_fields() {
            true => Err(wrong("`search` finds the columns of its fields by itself")),
            false => Ok(None),
        };
    }
    let relation = match table {
        Some(name) => scopes.iter().rev().find_map(|scope| scope.relation(&name)),
        None => only_relation(scopes),
    };
    let relation = relation.ok_or_else(|| wrong("`search` must say which table it means"))?;
    match tree.names_fields() {
        true => of_tree(&tree, relation, unknown).map(Some),
        false => of_words(wanted.to_owned(), relation).map(Some),
    }
}

fn of_tree(tree: &Tree, relation: &Relation, unknown: Unknown) -> Result<Expr> {
    if *tree == Tree::Everything {
        return Ok(value(Value::Boolean(true)));
    }
    if !tree.names_fields() {
        return of_words(tree.text_of_words(), relation);
    }
    match tree {
        Tree::Field(field) => of_field(field, relation, unknown),
        Tree::Not(inner) => Ok(not(of_tree(inner, relation, unknown)?)),
        Tree::All(inner) => each(inner, Tree::All, BinaryOperator::And, relation, unknown),
        Tree::Any(inner) => each(inner, Tree::Any, BinaryOperator::Or, relation, unknown),
        Tree::Everything | Tree::Words(_) => Err(Error::internal("a search was not taken apart")),
    }
}

/// Words together, so that a record's text is walked once for all of them; then the fields.
fn each(
    inner: &[Tree],
    join: fn(Vec<Tree>) -> Tree,
    op: BinaryOperator,
    relation: &Relation,
    unknown: Unknown,
) -> Result<Expr> {
    let (fields, words): (Vec<&Tree>, Vec<&Tree>) =
        inner.iter().partition(|one| one.names_fields());
    let mut conditions = Vec::with_capacity(fields.len() + 1);
    if !words.is_empty() {
        let words = join(words.into_iter().cloned().collect());
        conditions.push(of_words(words.text_of_words(), relation)?);
    }
    for field in fields {
        conditions.push(of_tree(field, relation, unknown)?);
    }
    joined(conditions, &op)
}

/// Halves of halves, so that many conditions nest little.
fn joined(mut conditions: Vec<Expr>, op: &BinaryOperator) -> Result<Expr> {
    let half = conditions.split_off(conditions.len() / 2);
    if conditions.is_empty() {
        let mut only = half.into_iter();
        return only
            .next()
            .ok_or_else(|| Error::internal("a search of nothing"));
    }
    Ok(Expr::Nested(Box::new(Expr::BinaryOp {
        left: Box::new(joined(conditions, op)?),
        op: op.clone(),
        right: Box::new(joined(half, op)?),
    })))
}

fn of_words(words: String, relation: &Relation) -> Result<Expr> {
    let complete = relation.columns.as_ref().is_some_and(|columns| {
        let mut needed = COLUMNS.iter();
        needed.all(|name| columns.exact(name).is_some())
    });
    if !complete {
        let error = Error::invalid(format!(
            "`{}` has not all of a record's columns ({}), in which `search` looks for words",
            relation.name,
            COLUMNS.join(", ")
        ));
        return Err(error.with_hint(HINT));
    }
    let columns = COLUMNS.map(|name| column(relation, name));
    let arguments = std::iter::once(text(words)).chain(columns);
    Ok(call(NAME, arguments.collect()))
}

fn of_field(field: &Field, relation: &Relation, unknown: Unknown) -> Result<Expr> {
    let found = targets(field, relation);
    if let (Err(error), Unknown::Empty) = (&found, unknown)
        && error.kind() == ErrorKind::UnknownColumn
    {
        return Ok(value(Value::Boolean(false)));
    }
    let found = found.map_err(|error| {
        let placed = Error::new(error.kind(), at(field.at, error.message()));
        match error.hint() {
            Some(hint) => placed.with_hint(hint),
            None if error.kind() == ErrorKind::UnknownColumn => {
                placed.with_hint("quote it to look for its words: \"...\"")
            }
            None => placed,
        }
    })?;
    let parts = found.into_iter().map(|one| (one.expr, one.steps));
    let (columns, steps): (Vec<Expr>, Vec<Vec<String>>) = parts.unzip();
    let test = field.test.clone();
    let arguments = std::iter::once(text(Where { test, steps }.write())).chain(columns);
    Ok(call(FOUND, arguments.collect()))
}

fn at(at: usize, message: &str) -> String {
    format!("in the search, at character {}: {message}", at + 1)
}

/// A column of a relation.
pub(super) fn column(relation: &Relation, name: &str) -> Expr {
    match relation.name.as_str() {
        "" => Expr::Identifier(resolved(name)),
        table => Expr::CompoundIdentifier(vec![resolved(table), resolved(name)]),
    }
}

/// Whether a call is of the function of this name.
pub(super) fn is_call(function: &Function, called: &str) -> bool {
    match function.name.0.as_slice() {
        [only] => only
            .as_ident()
            .is_some_and(|name| name.value.eq_ignore_ascii_case(called)),
        _ => false,
    }
}

/// The table of the innermost query that has any, if it is the only one.
pub(super) fn only_relation(scopes: &[Scope]) -> Option<&Relation> {
    let mut scopes = scopes.iter().rev();
    let scope = scopes.find(|scope| !scope.relations.is_empty())?;
    match scope.relations.as_slice() {
        [only] => Some(only),
        _ => None,
    }
}

/// The name of a table that is an argument.
pub(super) fn table_name(argument: &FunctionArg) -> Option<String> {
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

/// The constant text that is an argument.
pub(super) fn string(argument: &FunctionArg) -> Option<&str> {
    let FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Value(value))) = argument else {
        return None;
    };
    match &value.value {
        Value::SingleQuotedString(text) => Some(text),
        _ => None,
    }
}

/// Where a call stands in the text.
pub(super) fn position(function: &Function) -> Option<TextPosition> {
    let start = function.name.span().start;
    (start.line > 0).then_some(TextPosition {
        line: start.line,
        column: start.column,
    })
}
