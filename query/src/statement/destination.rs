//! `CREATE DESTINATION name TYPE kind OPTIONS ('k' 'v', ...)` and `DROP DESTINATION name`.

use std::collections::BTreeMap;

use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};

use super::Statement;
use super::options::parse_list;
use super::tokens::{Tokens, is_word, plain, start};
use crate::error::{Error, ErrorKind, Result};
use crate::hooks::CreateDestination;

const CREATE: &str =
    "write it like `CREATE DESTINATION retry TYPE kafka OPTIONS ('topic' 'orders.retry')`";

/// Reads a `CREATE DESTINATION`.
pub(super) fn create(tokens: &Tokens) -> Result<CreateDestination> {
    let mut words = Words(tokens.as_slice().get(2..).unwrap_or_default());
    let if_not_exists = words.take_words(&["if", "not", "exists"]);
    let name = words.name(CREATE)?;
    if !words.take_words(&["type"]) {
        return Err(words.expected("`TYPE`", CREATE));
    }
    let kind = words.name(CREATE)?.to_lowercase();
    let mut options = BTreeMap::new();
    if words.take_words(&["options"]) || words.take_words(&["with"]) {
        let list = words.parenthesised(CREATE)?;
        options = parse_list(list, "OPTIONS")?;
    }
    words.end(CREATE)?;
    Ok(CreateDestination {
        name,
        kind,
        options,
        if_not_exists,
    })
}

/// Reads a `DROP DESTINATION`.
pub(super) fn drop(tokens: &Tokens) -> Result<Statement> {
    const DROP: &str = "write it like `DROP DESTINATION retry`";
    let mut words = Words(tokens.as_slice().get(2..).unwrap_or_default());
    let if_exists = words.take_words(&["if", "exists"]);
    let name = words.name(DROP)?;
    words.end(DROP)?;
    Ok(Statement::DropDestination { name, if_exists })
}

/// What is left of the statement.
struct Words<'a>(&'a [TokenWithSpan]);

impl<'a> Words<'a> {
    fn take_words(&mut self, words: &[&str]) -> bool {
        let found = words.iter().enumerate().all(|(index, word)| {
            self.0
                .get(index)
                .is_some_and(|token| is_word(&token.token, word))
        });
        if found {
            self.0 = self.0.get(words.len()..).unwrap_or_default();
        }
        found
    }

    /// A name: a quoted string, or words, dots and dashes that touch each other.
    fn name(&mut self, hint: &str) -> Result<String> {
        let mut name = String::new();
        let mut end = None;
        while let Some((first, rest)) = self.0.split_first() {
            let touches = end.is_none_or(|end| end == first.span.start);
            let part = matches!(
                first.token,
                Token::Word(_)
                    | Token::SingleQuotedString(_)
                    | Token::DoubleQuotedString(_)
                    | Token::Number(_, _)
                    | Token::Minus
                    | Token::Period
            );
            if !touches || !part {
                break;
            }
            name.push_str(&plain(&first.token));
            end = Some(first.span.end);
            self.0 = rest;
        }
        if name.is_empty() {
            return Err(self.expected("a name", hint));
        }
        Ok(name)
    }

    fn parenthesised(&mut self, hint: &str) -> Result<&'a [TokenWithSpan]> {
        match self.0 {
            [open, list @ .., close]
                if open.token == Token::LParen && close.token == Token::RParen =>
            {
                self.0 = &[];
                Ok(list)
            }
            _ => Err(self.expected("`(...)` at the end", hint)),
        }
    }

    fn end(&self, hint: &str) -> Result<()> {
        if self.0.is_empty() {
            return Ok(());
        }
        Err(self.expected("the end of the statement", hint))
    }

    fn expected(&self, wanted: &str, hint: &str) -> Error {
        let found = self.0.first();
        let text = match found {
            Some(token) => format!("expected {wanted}, found `{token}`"),
            None => format!("expected {wanted} at the end of the statement"),
        };
        Error::new(ErrorKind::Syntax, text)
            .with_position(found.map(start))
            .with_hint(hint)
    }
}
