//! A JSON text as a [`Value`]: what transforms are given.

use super::json::Tape;
use super::number;
use super::tape::{Entry, Token};
use super::text::unescape;
use crate::value::Value;

/// The value of a JSON text; `None` if it isn't one.
pub(crate) fn parse_value(text: &[u8]) -> Option<Value> {
    let mut tape = Tape::default();
    tape.parse(text).ok()?;
    value(&tape.entries, 0, text)
}

fn value(tape: &[Entry], at: usize, text: &[u8]) -> Option<Value> {
    let entry = tape.get(at)?;
    let span = entry.of(text);
    let raw = || {
        let json = std::str::from_utf8(entry.raw(text)).ok()?;
        Some(Value::Raw(json.into()))
    };
    Some(match entry.token {
        Token::Null => Value::Null,
        Token::True => Value::Boolean(true),
        Token::False => Value::Boolean(false),
        Token::Integer | Token::Wide => Value::Integer(number::wide(span)?),
        Token::Decimal => match number::double(span) {
            Some(double) => Value::Double(double),
            None => return raw(),
        },
        Token::Text if entry.has(Entry::LONE_SURROGATE) => return raw(),
        Token::Text => Value::Text(plain(span)?),
        Token::List => {
            let mut elements = Vec::new();
            let mut child = at + 1;
            while child < entry.next as usize {
                elements.push(value(tape, child, text)?);
                child = tape.get(child)?.next as usize;
            }
            Value::List(elements)
        }
        Token::Object => {
            let mut members = Vec::new();
            let mut key = at + 1;
            while key < entry.next as usize {
                let name = tape.get(key)?;
                if name.has(Entry::LONE_SURROGATE) {
                    // No key of ours can be that.
                    return raw();
                }
                members.push((plain(name.of(text))?, value(tape, key + 1, text)?));
                key = tape.get(key + 1)?.next as usize;
            }
            Value::Object(members)
        }
        // The last ones are on no tape of a JSON text.
        Token::Huge
        | Token::Scaled
        | Token::NotFinite
        | Token::Timestamp
        | Token::Date
        | Token::Binary => return raw(),
    })
}

fn plain(span: &[u8]) -> Option<String> {
    let mut bytes = Vec::with_capacity(span.len());
    unescape(span, &mut bytes);
    String::from_utf8(bytes).ok()
}
