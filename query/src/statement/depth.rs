//! How deep a statement's tree may become, told from its tokens before there is a tree.
//!
//! `1 + 1 + ...` and `SELECT ... UNION SELECT ...` become trees as deep as they are long, without
//! any parenthesis; walking and even dropping those recurses, and planning takes more than the
//! square of it.

use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};

use super::tokens::start;
use crate::error::{Error, Result};

/// Operators that may be open at once: four hundred conditions joined by `AND` fit.
const OPERATORS_MAX: usize = 1_000;

/// Words that nest what stands before them.
const NESTS: [&str; 14] = [
    "and",
    "or",
    "union",
    "intersect",
    "except",
    "is",
    "in",
    "like",
    "ilike",
    "between",
    "collate",
    "not",
    "div",
    "xor",
];

/// Refuses a statement that nests too deeply.
pub(super) fn check(tokens: &[TokenWithSpan]) -> Result<()> {
    let mut levels = vec![0_usize];
    let mut open = 0_usize;
    for token in tokens {
        match &token.token {
            Token::LParen | Token::LBracket | Token::LBrace => levels.push(0),
            Token::RParen | Token::RBracket | Token::RBrace if levels.len() > 1 => {
                open -= levels.pop().unwrap_or(0);
            }
            Token::Comma => open -= levels.last_mut().map(std::mem::take).unwrap_or(0),
            Token::Word(word) if word.quote_style.is_none() => {
                let word = word.value.to_lowercase();
                if NESTS.contains(&word.as_str()) {
                    nest(&mut levels, &mut open);
                }
            }
            other if is_operator(other) => nest(&mut levels, &mut open),
            _ => {}
        }
        if open > OPERATORS_MAX {
            return Err(Error::not_supported(format!(
                "not supported: more than {OPERATORS_MAX} operators that nest in each other"
            ))
            .with_hint("write `x IN (1, 2, ...)` instead of many `OR`")
            .with_position(Some(start(token))));
        }
    }
    Ok(())
}

fn nest(levels: &mut [usize], open: &mut usize) {
    if let Some(level) = levels.last_mut() {
        *level += 1;
        *open += 1;
    }
}

fn is_operator(token: &Token) -> bool {
    !matches!(
        token,
        Token::Word(_)
            | Token::Number(_, _)
            | Token::SingleQuotedString(_)
            | Token::DoubleQuotedString(_)
            | Token::Placeholder(_)
            | Token::RParen
            | Token::RBracket
            | Token::RBrace
    )
}
