//! Refuses, by name, what a query may hold in SQL but not in Eddy.
//!
//! DataFusion ignores some clauses that it can parse (table hints, locks, samples of a table); a
//! clause that does nothing is worse than an error.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, Query, Select, SetExpr, Spanned, TableFactor, VisitMut, VisitorMut,
};
use datafusion::sql::sqlparser::tokenizer::Span;

use crate::error::{Error, Result, TextPosition};

/// Checks a query and everything within it.
pub(super) fn query(query: &mut Query) -> Result<()> {
    match VisitMut::visit(query, &mut Check { depth: 0 }) {
        ControlFlow::Break(error) => Err(error),
        ControlFlow::Continue(()) => Ok(()),
    }
}

/// The error for a statement that Eddy doesn't do, named by its first word.
pub(super) fn not_supported(statement: &str) -> Error {
    let word: String = statement
        .chars()
        .take_while(|letter| letter.is_alphanumeric() || *letter == '_')
        .collect();
    Error::not_supported(format!("not supported: `{}`", word.to_uppercase())).with_hint(
        "Eddy answers queries, `SELECT ... INTO`, `DELETE FROM`, `EXPLAIN`, `SHOW TABLES`, \
         `DESCRIBE` and `CREATE` or `DROP DESTINATION`",
    )
}

/// A span's start; `None` for the empty span of made-up nodes.
pub(super) fn position(span: Span) -> Option<TextPosition> {
    (span.start.line > 0).then_some(TextPosition {
        line: span.start.line,
        column: span.start.column,
    })
}

/// How deep expressions may nest; `a + b + c` nests twice. DataFusion's planning takes more than
/// the square of it, and can't be interrupted.
const DEPTH_MAX: usize = 400;

struct Check {
    depth: usize,
}

impl VisitorMut for Check {
    type Break = Error;

    fn pre_visit_expr(&mut self, _expr: &mut Expr) -> ControlFlow<Error> {
        self.depth += 1;
        if self.depth <= DEPTH_MAX {
            return ControlFlow::Continue(());
        }
        ControlFlow::Break(
            Error::not_supported(format!(
                "not supported: expressions that nest deeper than {DEPTH_MAX}"
            ))
            .with_hint("write `x IN (1, 2, ...)` instead of many `OR`"),
        )
    }

    fn post_visit_expr(&mut self, _expr: &mut Expr) -> ControlFlow<Error> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Error> {
        let clause = if !query.locks.is_empty() {
            "`FOR UPDATE` and `FOR SHARE`"
        } else if query.for_clause.is_some() {
            "`FOR XML`, `FOR JSON` and `FOR BROWSE`"
        } else if query.settings.is_some() {
            "`SETTINGS`"
        } else if query.format_clause.is_some() {
            "`FORMAT`"
        } else if !query.pipe_operators.is_empty() {
            "pipe operators"
        } else {
            return body(&query.body);
        };
        refuse(clause, query.span())
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<Error> {
        let clause = if !select.lateral_views.is_empty() {
            "`LATERAL VIEW`"
        } else if select.prewhere.is_some() {
            "`PREWHERE`"
        } else if !select.connect_by.is_empty() {
            "`CONNECT BY`"
        } else if !select.cluster_by.is_empty()
            || !select.distribute_by.is_empty()
            || !select.sort_by.is_empty()
        {
            "`CLUSTER BY`, `DISTRIBUTE BY` and `SORT BY`"
        } else if select.top.is_some() {
            "`TOP` (use `LIMIT`)"
        } else {
            return ControlFlow::Continue(());
        };
        refuse(clause, select.span())
    }

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<Error> {
        let span = factor.span();
        let clause = match factor {
            TableFactor::Table {
                with_hints,
                version,
                partitions,
                json_path,
                sample,
                index_hints,
                ..
            } => {
                if !with_hints.is_empty() {
                    return ControlFlow::Break(
                        Error::not_supported("not supported: `WITH (...)` after a table")
                            .with_hint("options come last: `SELECT ... INTO d ... WITH (...)`")
                            .with_position(position(span)),
                    );
                } else if version.is_some() {
                    "`FOR SYSTEM_TIME AS OF` (use `as_of`, or `\"table@version\"`)"
                } else if sample.is_some() {
                    "`TABLESAMPLE`"
                } else if !partitions.is_empty() || json_path.is_some() || !index_hints.is_empty() {
                    "a table's partitions, paths and index hints"
                } else {
                    return ControlFlow::Continue(());
                }
            }
            TableFactor::Derived { .. }
            | TableFactor::NestedJoin { .. }
            | TableFactor::UNNEST { .. }
            | TableFactor::Function { .. }
            | TableFactor::TableFunction { .. } => return ControlFlow::Continue(()),
            _ => "this kind of table",
        };
        refuse(clause, span)
    }
}

fn body(body: &SetExpr) -> ControlFlow<Error> {
    match body {
        SetExpr::Insert(statement)
        | SetExpr::Update(statement)
        | SetExpr::Delete(statement)
        | SetExpr::Merge(statement) => ControlFlow::Break(not_supported(&statement.to_string())),
        SetExpr::SetOperation { left, right, .. } => {
            body_of(left)?;
            body_of(right)
        }
        _ => ControlFlow::Continue(()),
    }
}

fn body_of(side: &SetExpr) -> ControlFlow<Error> {
    body(side)
}

fn refuse(clause: &str, span: Span) -> ControlFlow<Error> {
    ControlFlow::Break(
        Error::not_supported(format!("not supported: {clause}")).with_position(position(span)),
    )
}
