//! From text to a [`Statement`]: what Eddy does with SQL is decided here, before DataFusion sees
//! any of it.
//!
//! Three things would go wrong quietly if DataFusion parsed the text itself: `SELECT ... INTO x`
//! becomes a table in memory, `FROM t WITH (rate = '5/s')` is taken for table hints and dropped,
//! and an `INTO` inside a set operation is ignored. So the trailing options are cut off the
//! tokens (`tokens`, `options`), `INTO` is taken off the tree (`into`), and whatever is neither a
//! query nor one of our own statements is refused by name (`check`). How names resolve is
//! `names/`'s matter.

mod check;
mod delete;
mod depth;
mod destination;
mod into;
mod literals;
mod members;
mod options;
mod params;
mod tokens;

use std::collections::BTreeMap;

use datafusion::sql::sqlparser::ast::{self, Query as QueryTree};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::{Parser, ParserError};

pub(crate) use delete::Delete;
pub(crate) use literals::{escape, freeze_time, placeholders, render};
pub(crate) use options::check_known;

use literals::bind_params;
pub use params::{Literal, Params};

use crate::error::{Error, ErrorKind, Result, TextPosition};
use crate::hooks::CreateDestination;

/// The longest statement, in bytes: room for a query of 10,000 columns, not for a flood.
pub(crate) const TEXT_BYTES_MAX: usize = 1 << 20;

/// What a text asks for.
#[derive(Debug)]
pub(crate) enum Statement {
    /// A query.
    Select(Box<QueryTree>),
    /// A query whose result goes to a destination.
    Into(Box<Into>),
    /// The plan of a query.
    Explain {
        query: Box<QueryTree>,
        analyze: bool,
        verbose: bool,
    },
    /// `DELETE FROM`: rows to be erased.
    Delete(Box<Delete>),
    /// What a `DELETE FROM` would erase.
    ExplainDelete(Box<Delete>),
    /// `CREATE DESTINATION`.
    CreateDestination(CreateDestination),
    /// `DROP DESTINATION`.
    DropDestination { name: String, if_exists: bool },
}

/// `SELECT ... INTO destination ... WITH (options)`.
#[derive(Debug)]
pub(crate) struct Into {
    /// The query without its `INTO`.
    pub(crate) query: QueryTree,
    /// The destination's name.
    pub(crate) destination: String,
    /// The trailing options; names in lower case.
    pub(crate) options: BTreeMap<String, String>,
}

/// Parses exactly one statement and refuses what Eddy doesn't do.
pub(crate) fn parse(sql: &str, params: &Params) -> Result<Statement> {
    if sql.len() > TEXT_BYTES_MAX {
        let text = format!(
            "the statement has {} bytes; the most is {TEXT_BYTES_MAX}",
            sql.len()
        );
        return Err(Error::new(ErrorKind::TooLarge, text));
    }
    let mut tokens = tokens::Tokens::read(sql)?;
    if tokens.starts_with(&["create", "destination"]) {
        return Ok(Statement::CreateDestination(destination::create(&tokens)?));
    }
    if tokens.starts_with(&["drop", "destination"]) {
        return destination::drop(&tokens);
    }
    tokens.refuse_other_statements()?;
    if let Some(rewritten) = tokens.sugar()? {
        return parse(&rewritten, &Params::None);
    }
    let options = options::cut_trailing(&mut tokens)?;
    tokens.join_table_names();
    tokens.group_members();
    depth::check(tokens.as_slice())?;
    let tree = Parser::new(&GenericDialect {})
        .with_tokens_with_locations(tokens.into_inner())
        .parse_statement_to_end()?;
    classify(tree, options, params)
}

/// Parses the text of a query that was stored: no options, no `INTO`, no parameters.
pub(crate) fn parse_select(sql: &str) -> Result<QueryTree> {
    match parse(sql, &Params::None)? {
        Statement::Select(query) => Ok(*query),
        _ => Err(Error::invalid("a replay's source must be a `SELECT`")),
    }
}

fn classify(
    tree: ast::Statement,
    options: Option<options::Trailing>,
    params: &Params,
) -> Result<Statement> {
    let (mut query, explain) = match tree {
        ast::Statement::Query(query) => (query, None),
        ast::Statement::Delete(delete) => {
            return Ok(Statement::Delete(classify_delete(delete, options, params)?));
        }
        ast::Statement::Explain {
            statement,
            analyze,
            verbose,
            format: None,
            options: None,
            ..
        } => match *statement {
            ast::Statement::Query(query) => (query, Some((analyze, verbose))),
            ast::Statement::Delete(delete) if !analyze => {
                let delete = classify_delete(delete, options, params)?;
                return Ok(Statement::ExplainDelete(delete));
            }
            _ => {
                return Err(Error::not_supported(
                    "not supported: `EXPLAIN` of anything but a query or a `DELETE`",
                ));
            }
        },
        other => return Err(check::not_supported(&other.to_string())),
    };
    bind_params(&mut query, params)?;
    let into = into::take(&mut query)?;
    check::query(&mut query)?;
    match (into, explain) {
        (Some(_), Some(_)) => Err(Error::not_supported(
            "not supported: `EXPLAIN` of `SELECT ... INTO`",
        )
        .with_hint("a replay has a plan of its own: `eddy replay plan`")),
        (Some(destination), None) => Ok(Statement::Into(Box::new(Into {
            query: *query,
            destination,
            options: options.map(|found| found.options).unwrap_or_default(),
        }))),
        (None, explain) => {
            if let Some(found) = options {
                let only = "`WITH (...)` is only for `SELECT ... INTO` and `DELETE`";
                return Err(Error::invalid(only).with_position(Some(found.position)));
            }
            Ok(match explain {
                Some((analyze, verbose)) => Statement::Explain {
                    query,
                    analyze,
                    verbose,
                },
                None => Statement::Select(query),
            })
        }
    }
}

fn classify_delete(
    delete: ast::Delete,
    options: Option<options::Trailing>,
    params: &Params,
) -> Result<Box<Delete>> {
    let mut query = delete::query(delete)?;
    bind_params(&mut query, params)?;
    check::query(&mut query)?;
    let options = options.map(|found| found.options).unwrap_or_default();
    Ok(Box::new(Delete::new(query, options)?))
}

/// The one thing that sqlparser's own entry points don't do: parse one statement and no more.
trait ParseToEnd {
    fn parse_statement_to_end(self) -> Result<ast::Statement>;
}

impl ParseToEnd for Parser<'_> {
    fn parse_statement_to_end(mut self) -> Result<ast::Statement> {
        use datafusion::sql::sqlparser::tokenizer::Token;
        let tree = self.parse_statement()?;
        let next = self.peek_token();
        if next.token == Token::EOF {
            return Ok(tree);
        }
        Err(Error::new(
            ErrorKind::Syntax,
            format!("expected the end of the statement, found `{next}`"),
        )
        .with_position(Some(tokens::start(&next))))
    }
}

impl From<ParserError> for Error {
    fn from(error: ParserError) -> Self {
        match error {
            ParserError::RecursionLimitExceeded => {
                Self::new(ErrorKind::Syntax, "the statement is nested too deeply")
            }
            ParserError::TokenizerError(text) | ParserError::ParserError(text) => {
                let (message, position) = split_position(&text);
                Self::new(ErrorKind::Syntax, message).with_position(position)
            }
        }
    }
}

/// sqlparser writes the place into its message: `... at Line: 1, Column: 5`.
fn split_position(text: &str) -> (String, Option<TextPosition>) {
    let Some((message, place)) = text.rsplit_once(" at Line: ") else {
        return (text.to_owned(), None);
    };
    let Some((line, column)) = place.split_once(", Column: ") else {
        return (text.to_owned(), None);
    };
    let position = match (line.trim().parse(), column.trim().parse()) {
        (Ok(line), Ok(column)) => Some(TextPosition { line, column }),
        _ => None,
    };
    let mut message = message.to_owned();
    if let Some(first) = message.get_mut(0..1) {
        first.make_ascii_lowercase();
    }
    (message, position)
}

#[cfg(test)]
mod tests;
