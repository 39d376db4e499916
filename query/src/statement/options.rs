//! The trailing `WITH (name = value, ...)` of `SELECT ... INTO` and `DELETE`, cut off before
//! parsing.
//!
//! sqlparser takes `FROM t WITH (...)` for table hints and DataFusion drops those: a replay that
//! was meant to be throttled would run unthrottled.

use std::collections::BTreeMap;

use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};

use super::tokens::{Tokens, is_word, plain, start};
use crate::error::{Error, ErrorKind, Result, TextPosition};
use crate::nearest::nearest;

/// What was cut off.
#[derive(Debug)]
pub(super) struct Trailing {
    pub(super) options: BTreeMap<String, String>,
    pub(super) position: TextPosition,
}

/// Cuts a trailing `WITH (...)` off; `None` when there is none.
pub(super) fn cut_trailing(tokens: &mut Tokens) -> Result<Option<Trailing>> {
    let Some(index) = trailing_with(tokens.as_slice()) else {
        return Ok(None);
    };
    let cut = tokens.split_off(index);
    let (Some(with), Some(list)) = (cut.first(), cut.get(2..cut.len().saturating_sub(1))) else {
        return Ok(None);
    };
    Ok(Some(Trailing {
        options: parse_list(list, "WITH")?,
        position: start(with),
    }))
}

/// Refuses options that nobody knows, with those that somebody does.
pub(crate) fn check_known(options: &BTreeMap<String, String>, known: &[&str]) -> Result<()> {
    for name in options.keys() {
        if known.contains(&name.as_str()) {
            continue;
        }
        let list = known.join(", ");
        let hint = match nearest(name, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`? known options: {list}"),
            None => format!("known options: {list}"),
        };
        return Err(Error::invalid(format!("there is no option `{name}`")).with_hint(hint));
    }
    Ok(())
}

/// Parses `name = value` or `'name' 'value'` pairs, separated by commas.
pub(super) fn parse_list(tokens: &[TokenWithSpan], what: &str) -> Result<BTreeMap<String, String>> {
    let mut options = BTreeMap::new();
    let mut rest = tokens.iter().peekable();
    while let Some(first) = rest.next() {
        let mut name = option_name(first, what)?;
        while rest.next_if(|next| next.token == Token::Period).is_some() {
            let part = rest.next().ok_or_else(|| expected("a name", None, what))?;
            name = format!("{name}.{}", option_name(part, what)?);
        }
        rest.next_if(|next| next.token == Token::Eq);
        let value = option_value(&mut rest, what)?;
        // A name in quotes is a client's key and keeps its case; a bare one is ours.
        let name = match &first.token {
            Token::Word(word) if word.quote_style.is_none() => name.to_lowercase(),
            _ => name,
        };
        if options.insert(name.clone(), value).is_some() {
            return Err(
                Error::invalid(format!("the option `{name}` is given twice"))
                    .with_position(Some(start(first))),
            );
        }
        match rest.next() {
            None => break,
            Some(comma) if comma.token == Token::Comma => {}
            Some(other) => return Err(expected("`,` or `)`", Some(other), what)),
        }
    }
    Ok(options)
}

fn option_name(token: &TokenWithSpan, what: &str) -> Result<String> {
    match &token.token {
        Token::Word(_) | Token::SingleQuotedString(_) | Token::DoubleQuotedString(_) => {
            Ok(plain(&token.token))
        }
        _ => Err(expected("an option's name", Some(token), what)),
    }
}

fn option_value<'a>(
    rest: &mut impl Iterator<Item = &'a TokenWithSpan>,
    what: &str,
) -> Result<String> {
    let token = rest
        .next()
        .ok_or_else(|| expected("an option's value", None, what))?;
    match &token.token {
        Token::Word(_) | Token::SingleQuotedString(_) | Token::DoubleQuotedString(_) => {
            Ok(plain(&token.token))
        }
        Token::Number(number, _) => Ok(number.clone()),
        Token::Minus => match rest.next().map(|next| &next.token) {
            Some(Token::Number(number, _)) => Ok(format!("-{number}")),
            _ => Err(expected("a number", Some(token), what)),
        },
        _ => Err(expected("an option's value", Some(token), what)),
    }
}

/// Where a trailing `WITH (` begins: its closing parenthesis is the statement's last token.
fn trailing_with(tokens: &[TokenWithSpan]) -> Option<usize> {
    let mut depth = 0_usize;
    for (index, token) in tokens.iter().enumerate().rev() {
        match token.token {
            Token::RParen => depth += 1,
            Token::LParen => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    let with = index.checked_sub(1)?;
                    let is_with = tokens
                        .get(with)
                        .is_some_and(|token| is_word(&token.token, "with"));
                    return (is_with && with > 0).then_some(with);
                }
            }
            _ if depth == 0 => return None,
            _ => {}
        }
    }
    None
}

fn expected(wanted: &str, found: Option<&TokenWithSpan>, what: &str) -> Error {
    let text = match found {
        Some(token) => format!("expected {wanted} in `{what} (...)`, found `{token}`"),
        None => format!("expected {wanted} at the end of `{what} (...)`"),
    };
    Error::new(ErrorKind::Syntax, text)
        .with_position(found.map(start))
        .with_hint("write it like `WITH (rate = '500/s', name = 'retry')`")
}
