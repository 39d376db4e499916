//! What the prompt completes: keywords, functions, and the names of tables and columns.

use rustyline::completion::Completer;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Context, Helper};

use super::typed;

/// What statements are made of, as people type it.
const KEYWORDS: [&str; 60] = [
    "AND",
    "AS",
    "ASC",
    "BETWEEN",
    "BY",
    "CASE",
    "CAST",
    "contains",
    "count(*)",
    "CREATE DESTINATION",
    "DELETE FROM",
    "DESC",
    "DESCRIBE",
    "DISTINCT",
    "DROP DESTINATION",
    "ELSE",
    "END",
    "EXISTS",
    "EXPLAIN",
    "EXPLAIN ANALYZE",
    "FALSE",
    "FROM",
    "FULL JOIN",
    "GROUP BY",
    "HAVING",
    "header",
    "ILIKE",
    "IN",
    "interval",
    "INTO",
    "IS NOT NULL",
    "IS NULL",
    "JOIN",
    "json_get",
    "LEFT JOIN",
    "LIKE",
    "LIMIT",
    "NOT",
    "now()",
    "NULL",
    "OFFSET",
    "ON",
    "OR",
    "ORDER BY",
    "OVER",
    "PARTITION BY",
    "search",
    "SELECT",
    "SHOW TABLES",
    "system.columns",
    "system.queries",
    "system.tables",
    "THEN",
    "trace",
    "TRUE",
    "UNION ALL",
    "WHEN",
    "WHERE",
    "WITH",
    "VALUES",
];

/// Names that are completed at once; more would be no help.
const SHOWN_MAX: usize = 200;

/// What the editor asks.
#[derive(Debug, Default)]
pub(super) struct Words {
    /// Tables and columns.
    names: Vec<String>,
}

impl Words {
    /// Completes these names too.
    pub(super) fn set_names(&mut self, mut names: Vec<String>) {
        names.sort();
        names.dedup();
        self.names = names;
    }

    /// Where the word before `position` begins, and how it may go on.
    fn completions(&self, line: &str, position: usize) -> (usize, Vec<String>) {
        let before = line.get(..position).unwrap_or(line);
        let part = |letter: char| letter.is_alphanumeric() || matches!(letter, '_' | '.');
        let start = before
            .char_indices()
            .rev()
            .take_while(|(_, letter)| part(*letter))
            .last()
            .map_or(position, |(at, _)| at);
        let word = before.get(start..).unwrap_or_default().to_lowercase();
        if word.is_empty() {
            return (start, Vec::new());
        }
        let known = self.names.iter().map(String::as_str).chain(KEYWORDS);
        let fitting = known.filter(|known| known.to_lowercase().starts_with(&word));
        (start, fitting.take(SHOWN_MAX).map(str::to_owned).collect())
    }
}

impl Completer for Words {
    type Candidate = String;

    fn complete(
        &self,
        line: &str,
        position: usize,
        _context: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<String>)> {
        Ok(self.completions(line, position))
    }
}

impl Validator for Words {
    fn validate(&self, context: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        Ok(match typed::is_complete(context.input()) {
            true => ValidationResult::Valid(None),
            false => ValidationResult::Incomplete,
        })
    }
}

impl Hinter for Words {
    type Hint = String;
}

impl Highlighter for Words {}

impl Helper for Words {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_goes_on_as_a_name_or_a_keyword_in_any_case() {
        let mut words = Words::default();
        let names = ["orders", "order_id", "orders", "userId"];
        words.set_names(names.map(str::to_owned).to_vec());
        let line = "select ord";
        let (start, found) = words.completions(line, line.len());
        assert_eq!(start, 7);
        assert_eq!(found, ["order_id", "orders", "ORDER BY"]);
        let line = "SELECT userid FROM orders WHERE";
        assert_eq!(words.completions(line, 13).1, ["userId"]);
        assert_eq!(words.completions("SELECT ", 7), (7, Vec::new()));
        assert_eq!(words.completions("é sel", 6).1, ["SELECT"]);
    }
}
