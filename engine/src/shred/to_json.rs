//! A parsed text as a value, for tests that compare.

use std::collections::BTreeMap;

use super::json::Tape;
use super::number;
use super::tape::{Entry, Token};
use super::text::unescape;
use crate::schema::rebuild::Json;

/// The value of a JSON text.
pub(crate) fn to_json(text: &[u8]) -> Option<Json> {
    let mut tape = Tape::default();
    tape.parse(text).ok()?;
    value(&tape.entries, 0, text)
}

fn value(tape: &[Entry], at: usize, text: &[u8]) -> Option<Json> {
    let entry = tape.get(at)?;
    let span = entry.of(text);
    let raw = || Json::Raw(String::from_utf8_lossy(entry.raw(text)).into_owned());
    Some(match entry.token {
        Token::Null => Json::Null,
        Token::True => Json::Boolean(true),
        Token::False => Json::Boolean(false),
        Token::Integer | Token::Wide => number::wide(span).map_or_else(raw, Json::Integer),
        Token::Decimal => number::double(span).map_or_else(raw, Json::Double),
        Token::Huge => raw(),
        // A tape of a JSON text has none of these.
        Token::Scaled | Token::NotFinite | Token::Timestamp | Token::Date | Token::Binary => raw(),
        Token::Text if entry.has(Entry::LONE_SURROGATE) => raw(),
        Token::Text => Json::Text(plain(*entry, text)),
        Token::List => {
            let mut elements = Vec::new();
            let mut child = at + 1;
            while child < entry.next as usize {
                elements.push(value(tape, child, text)?);
                child = tape.get(child)?.next as usize;
            }
            Json::List(elements)
        }
        Token::Object => {
            let mut members = BTreeMap::new();
            let mut key = at + 1;
            while key < entry.next as usize {
                let name = tape.get(key)?;
                let name = if name.has(Entry::LONE_SURROGATE) {
                    String::from_utf8_lossy(name.raw(text)).into_owned()
                } else {
                    plain(*name, text)
                };
                members.insert(name, value(tape, key + 1, text)?);
                key = tape.get(key + 1)?.next as usize;
            }
            Json::Object(members)
        }
    })
}

fn plain(entry: Entry, text: &[u8]) -> String {
    let mut bytes = Vec::new();
    unescape(entry.of(text), &mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}
