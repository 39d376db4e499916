//! A query in `IN (...)` whose only column is compared as exact numbers.

use datafusion::sql::sqlparser::ast::{Query, SetExpr, TableFactor};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::Parser;

use crate::logical::NUMBER_KEY;

/// Makes `SELECT n ...` give the keys of its numbers.
pub(super) fn by_number_keys(query: &mut Query) {
    let around = format!("SELECT {NUMBER_KEY}(\"n\") FROM (SELECT 1) AS \"numbers\" (\"n\")");
    let parsed = Parser::new(&GenericDialect {})
        .try_with_sql(&around)
        .and_then(|mut parser| parser.parse_query());
    // The text is ours, and parses.
    let Ok(mut parsed) = parsed else { return };
    if let SetExpr::Select(select) = parsed.body.as_mut()
        && let Some(from) = select.from.first_mut()
        && let TableFactor::Derived { subquery, .. } = &mut from.relation
    {
        std::mem::swap(subquery.as_mut(), query);
        *query = *parsed;
    }
}
