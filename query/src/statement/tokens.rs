//! The statement as tokens: exactly one statement, its first words, and table names with dashes.

use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Span, Token, TokenWithSpan, Tokenizer};

use super::{check, members};
use crate::error::{Error, ErrorKind, Result, TextPosition};

/// The most tokens of one statement. What recurses over a tree recurses over at most as many
/// levels, and the stacks of the query threads are made for that.
const TOKENS_MAX: usize = 100_000;

/// The tokens of one statement, without white space, comments and trailing semicolons.
pub(super) struct Tokens(Vec<TokenWithSpan>);

impl Tokens {
    /// Reads a text that must hold exactly one statement.
    pub(super) fn read(sql: &str) -> Result<Self> {
        let all = Tokenizer::new(&GenericDialect {}, sql)
            .tokenize_with_location()
            .map_err(|error| {
                Error::new(ErrorKind::Syntax, lower_first(&error.message)).with_position(Some(
                    TextPosition {
                        line: error.location.line,
                        column: error.location.column,
                    },
                ))
            })?;
        let mut tokens: Vec<TokenWithSpan> = all
            .into_iter()
            .filter(|token| !matches!(token.token, Token::Whitespace(_) | Token::EOF))
            .collect();
        while tokens
            .last()
            .is_some_and(|last| last.token == Token::SemiColon)
        {
            tokens.pop();
        }
        for token in &mut tokens {
            // `user` is a column of half of all events, not a function without parentheses.
            if let Token::Word(word) = &mut token.token
                && word.keyword == Keyword::USER
            {
                word.keyword = Keyword::NoKeyword;
            }
        }
        if tokens.is_empty() {
            return Err(Error::new(ErrorKind::Syntax, "the statement is empty"));
        }
        if tokens.len() > TOKENS_MAX {
            return Err(Error::invalid(format!(
                "the statement has {} words; the most is {TOKENS_MAX}",
                tokens.len()
            )));
        }
        if let Some(semicolon) = tokens.iter().find(|token| token.token == Token::SemiColon) {
            return Err(Error::not_supported("only one statement at a time")
                .with_position(Some(start(semicolon))));
        }
        Ok(Self(tokens))
    }

    /// Whether the statement begins with these words.
    pub(super) fn starts_with(&self, words: &[&str]) -> bool {
        words.iter().enumerate().all(|(index, word)| {
            self.0
                .get(index)
                .is_some_and(|token| is_word(&token.token, word))
        })
    }

    /// Refuses, by name, what doesn't begin like a query.
    pub(super) fn refuse_other_statements(&self) -> Result<()> {
        const ALLOWED: [&str; 10] = [
            "select", "with", "values", "explain", "describe", "desc", "show", "from", "table",
            "delete",
        ];
        match self.0.first() {
            Some(TokenWithSpan {
                token: Token::LParen,
                ..
            }) => Ok(()),
            Some(first) => match &first.token {
                Token::Word(word)
                    if ALLOWED.contains(&word.value.to_lowercase().as_str())
                        && word.quote_style.is_none() =>
                {
                    Ok(())
                }
                Token::Word(word) if word.keyword != Keyword::NoKeyword => {
                    Err(check::not_supported(&word.value).with_position(Some(start(first))))
                }
                other => Err(Error::new(
                    ErrorKind::Syntax,
                    format!("expected a statement, found `{other}`"),
                )
                .with_position(Some(start(first)))),
            },
            None => Ok(()),
        }
    }

    /// `SHOW TABLES`, `SHOW COLUMNS FROM t` and `DESCRIBE t` as queries of the system tables.
    pub(super) fn sugar(&self) -> Result<Option<String>> {
        if self.starts_with(&["show", "tables"]) && self.0.len() == 2 {
            let text = "SELECT name, version, rows, bytes FROM system.tables ORDER BY name";
            return Ok(Some(text.to_owned()));
        }
        let rest = if self.starts_with(&["show", "columns", "from"]) {
            self.0.get(3..)
        } else if self.starts_with(&["describe"]) || self.starts_with(&["desc"]) {
            self.0.get(1..)
        } else if self.starts_with(&["show"]) {
            return Err(Error::not_supported(
                "not supported: `SHOW` of anything but `TABLES` and `COLUMNS FROM`",
            ));
        } else {
            None
        };
        let Some(rest) = rest else { return Ok(None) };
        let name: String = rest.iter().map(|token| plain(&token.token)).collect();
        let name = name.replace('\'', "''");
        Ok(Some(format!(
            "SELECT \"column\", type, kind FROM system.columns WHERE \"table\" = '{name}' \
             OR lower(\"table\") = lower('{name}') ORDER BY position"
        )))
    }

    /// After `FROM` and `JOIN`, makes one name of `orders-v1` and `logs.2026`: a dash or a number
    /// can't follow a table there, and topics are named like that. What begins with a number is
    /// none: `substring(a FROM 2)`, `IS DISTINCT FROM 7`.
    pub(super) fn join_table_names(&mut self) {
        let mut joined: Vec<TokenWithSpan> = Vec::with_capacity(self.0.len());
        let mut rest = std::mem::take(&mut self.0).into_iter().peekable();
        while let Some(token) = rest.next() {
            let before_name = is_word(&token.token, "from") || is_word(&token.token, "join");
            joined.push(token);
            let word = |next: &TokenWithSpan| matches!(next.token, Token::Word(_));
            if !before_name || !rest.peek().is_some_and(word) {
                continue;
            }
            let mut run: Vec<TokenWithSpan> = Vec::new();
            while let Some(next) = rest.next_if(|next| {
                name_part(&next.token)
                    && run
                        .last()
                        .is_none_or(|last| last.span.end == next.span.start)
            }) {
                run.push(next);
            }
            joined.extend(join_run(run));
        }
        self.0 = joined;
    }

    /// Lets members of JSON bind as in Postgres.
    pub(super) fn group_members(&mut self) {
        members::group(&mut self.0);
    }

    /// The tokens.
    pub(super) fn as_slice(&self) -> &[TokenWithSpan] {
        &self.0
    }

    /// Cuts off everything from `index` on.
    pub(super) fn split_off(&mut self, index: usize) -> Vec<TokenWithSpan> {
        self.0.split_off(index.min(self.0.len()))
    }

    /// The tokens, given away.
    pub(super) fn into_inner(self) -> Vec<TokenWithSpan> {
        self.0
    }
}

/// Where a token starts.
pub(super) fn start(token: &TokenWithSpan) -> TextPosition {
    TextPosition {
        line: token.span.start.line,
        column: token.span.start.column,
    }
}

/// Whether a token is this word, unquoted, in any case.
pub(super) fn is_word(token: &Token, word: &str) -> bool {
    matches!(token, Token::Word(found)
        if found.quote_style.is_none() && found.value.eq_ignore_ascii_case(word))
}

/// A token's text without quotes.
pub(super) fn plain(token: &Token) -> String {
    match token {
        Token::Word(word) => word.value.clone(),
        Token::SingleQuotedString(text) | Token::DoubleQuotedString(text) => text.clone(),
        other => other.to_string(),
    }
}

fn name_part(token: &Token) -> bool {
    match token {
        Token::Word(word) => word.quote_style.is_none(),
        Token::Number(_, _) | Token::Minus | Token::Period => true,
        _ => false,
    }
}

fn join_run(run: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let needs_joining = run
        .iter()
        .any(|token| matches!(token.token, Token::Minus | Token::Number(_, _)));
    let (Some(first), Some(last)) = (run.first(), run.last()) else {
        return run;
    };
    if !needs_joining {
        return run;
    }
    let span = Span::new(first.span.start, last.span.end);
    let name: String = run.iter().map(|token| plain(&token.token)).collect();
    vec![TokenWithSpan::new(Token::make_word(&name, Some('"')), span)]
}

fn lower_first(text: &str) -> String {
    let mut text = text.to_owned();
    if let Some(first) = text.get_mut(0..1) {
        first.make_ascii_lowercase();
    }
    text
}
