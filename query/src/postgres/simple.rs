//! The simple protocol: a text with statements, and the session's statements on either protocol.

use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::tokenizer::{Location, Token, Tokenizer};
use pgwire::messages::PgWireBackendMessage;
use pgwire::messages::data::RowDescription;
use pgwire::messages::response::{EmptyQueryResponse, TransactionStatus};

use super::cancel::Cancelled;
use super::connection::{Connection, Wire};
use super::running::Running;
use super::session::{self, Said};
use super::value::{Column, text_row};
use crate::error::Result;

/// Beyond this a text isn't searched for several statements: it is refused as one.
const TEXT_BYTES_MAX: usize = 1 << 20;

/// The statements of a text, each with the byte at which it begins. What can't be read is one
/// statement, whose error is told when it is asked.
pub(super) fn split(text: &str) -> Vec<(usize, &str)> {
    let mut statements = Vec::new();
    let mut from = 0;
    for end in semicolons(text).into_iter().chain([text.len()]) {
        if let Some(statement) = text.get(from..end)
            && !is_empty(statement)
        {
            statements.push((from, statement));
        }
        from = end + 1;
    }
    statements
}

/// Where the semicolons are that end statements, in bytes.
fn semicolons(text: &str) -> Vec<usize> {
    if !text.contains(';') || text.len() > TEXT_BYTES_MAX {
        return Vec::new();
    }
    let Ok(tokens) = Tokenizer::new(&GenericDialect {}, text).tokenize_with_location() else {
        return Vec::new();
    };
    let mut places = tokens
        .iter()
        .filter(|token| token.token == Token::SemiColon)
        .map(|token| token.span.start)
        .peekable();
    let mut found = Vec::new();
    let mut here = Location { line: 1, column: 1 };
    for (at, letter) in text.char_indices() {
        if places.next_if_eq(&here).is_some() {
            found.push(at);
        }
        if letter == '\n' {
            here = Location {
                line: here.line + 1,
                column: 1,
            };
        } else {
            here.column += 1;
        }
    }
    found
}

/// Whether there is nothing but blanks and comments.
fn is_empty(statement: &str) -> bool {
    let trimmed = statement.trim();
    if trimmed.is_empty() {
        return true;
    }
    if !trimmed.starts_with("--") && !trimmed.starts_with("/*") {
        return false;
    }
    let tokens = Tokenizer::new(&GenericDialect {}, trimmed).tokenize();
    tokens.is_ok_and(|tokens| {
        let blank = |token: &Token| matches!(token, Token::Whitespace(_) | Token::EOF);
        tokens.iter().all(blank)
    })
}

/// How a statement's end is told: its first word, and how many rows it gave.
pub(super) fn tag(sql: &str, rows: usize) -> String {
    let first = sql.trim_start().get(..7).unwrap_or_default();
    match first.to_ascii_lowercase().as_str() {
        "explain" => "EXPLAIN".to_owned(),
        _ => format!("SELECT {rows}"),
    }
}

impl Connection {
    /// Answers a `Query` message: its statements one after the other, up to the first that fails.
    pub(super) async fn simple(&mut self, text: &str) -> Wire<()> {
        let statements = split(text);
        if statements.is_empty() {
            self.feed(PgWireBackendMessage::EmptyQueryResponse(
                EmptyQueryResponse::new(),
            ))
            .await?;
        }
        self.prepared.close_unnamed();
        for (from, sql) in statements {
            if let Err(error) = self.statement(sql).await? {
                self.tell(&error, text, from).await?;
                break;
            }
        }
        self.ready().await
    }

    async fn statement(&mut self, sql: &str) -> Wire<Result<()>> {
        if let Some(said) = session::read(sql) {
            return self.said(&said, true).await;
        }
        let mut cancelled = self.registered.begin();
        let request = self.settings.request(sql);
        let start = Running::start(&self.front.query, request, Vec::new(), None);
        let mut running = match self.unless_cancelled(&mut cancelled, start).await? {
            Ok(running) => running,
            Err(error) => return Ok(Err(error)),
        };
        self.describe_columns(running.columns()).await?;
        let given = self.give(&mut running, &mut cancelled, usize::MAX).await?;
        match given {
            Ok(_) => self.complete(tag(sql, running.rows)).await.map(Ok),
            Err(error) => Ok(Err(error)),
        }
    }

    /// Gives at most `most` rows; false when there are no more.
    pub(super) async fn give(
        &mut self,
        running: &mut Running,
        cancelled: &mut Cancelled,
        most: usize,
    ) -> Wire<Result<bool>> {
        let mut given = 0;
        loop {
            while given < most
                && let Some(row) = running.ready()
            {
                self.feed(PgWireBackendMessage::DataRow(row)).await?;
                given += 1;
            }
            if given == most {
                return Ok(Ok(true));
            }
            // What there is already may be all for a while.
            self.flush().await?;
            match self.unless_cancelled(cancelled, running.more()).await? {
                Ok(true) => {}
                Ok(false) => return Ok(Ok(false)),
                Err(error) => return Ok(Err(error)),
            }
        }
    }

    /// Tells the columns of an answer.
    pub(super) async fn describe_columns(&mut self, columns: &[Column]) -> Wire<()> {
        let fields = columns.iter().map(Column::described).collect();
        let description = RowDescription::new(fields);
        self.feed(PgWireBackendMessage::RowDescription(description))
            .await
    }

    /// Does what a statement about the session says; `described` tells its columns too.
    pub(super) async fn said(&mut self, said: &Said, described: bool) -> Wire<Result<()>> {
        let tag = match said {
            Said::Begin(tag) => {
                if self.status == TransactionStatus::Idle {
                    self.status = TransactionStatus::Transaction;
                }
                tag
            }
            Said::End(tag) => {
                self.status = TransactionStatus::Idle;
                self.prepared.close_portals();
                tag
            }
            Said::Back(tag) => {
                if self.status == TransactionStatus::Error {
                    self.status = TransactionStatus::Transaction;
                }
                tag
            }
            Said::Nothing(tag) => tag,
            Said::Set(name, value) => {
                if let Err(error) = self.settings.set(name, value.as_deref()) {
                    return Ok(Err(error));
                }
                if value.is_some() { "SET" } else { "RESET" }
            }
            Said::ResetAll => {
                self.settings.reset();
                "RESET"
            }
            Said::DiscardAll => {
                self.settings.reset();
                self.prepared = Default::default();
                "DISCARD ALL"
            }
            Said::Deallocate(name) => {
                self.prepared.forget(name.as_deref());
                "DEALLOCATE"
            }
            Said::Close(name) => {
                match name {
                    Some(name) => self.prepared.close(name),
                    None => self.prepared.close_portals(),
                }
                "CLOSE CURSOR"
            }
            Said::Show(name) => return self.show(name.as_deref(), described).await,
        };
        self.complete((*tag).to_owned()).await.map(Ok)
    }

    async fn show(&mut self, name: Option<&str>, described: bool) -> Wire<Result<()>> {
        let rows: Vec<Vec<String>> = match name {
            Some(name) => match self.settings.get(name) {
                Ok(value) => vec![vec![value.to_owned()]],
                Err(error) => return Ok(Err(error)),
            },
            None => {
                let all = self.settings.all().into_iter();
                all.map(|(name, value)| vec![name.to_owned(), value.to_owned()])
                    .collect()
            }
        };
        if described {
            self.describe_columns(&shown(name)).await?;
        }
        for row in rows {
            self.feed(PgWireBackendMessage::DataRow(text_row(&row)))
                .await?;
        }
        self.complete("SHOW".to_owned()).await.map(Ok)
    }
}

/// The columns of `SHOW`.
pub(super) fn shown(name: Option<&str>) -> Vec<Column> {
    match name {
        Some(name) => vec![Column::text(name)],
        None => vec![Column::text("name"), Column::text("setting")],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_split_at_the_semicolons_between_statements_only() {
        let text = "SELECT ';é' AS a;\n-- x;y\n ;SELECT \"b;c\" /* ; */ FROM t; ";
        let statements = split(text);
        let texts: Vec<&str> = statements.iter().map(|(_, sql)| sql.trim()).collect();
        assert_eq!(texts, ["SELECT ';é' AS a", "SELECT \"b;c\" /* ; */ FROM t"]);
        for (from, sql) in statements {
            assert!(text.get(from..).is_some_and(|rest| rest.starts_with(sql)));
        }
        assert!(split(" ; -- nothing\n;;").is_empty());
        assert_eq!(split("SELECT 'open; "), [(0, "SELECT 'open; ")]);
    }
}
