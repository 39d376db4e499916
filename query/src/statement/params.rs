//! Values for a statement's placeholders, and how they are read from JSON.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use crate::error::{Error, Result};

/// The values for a statement's placeholders.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Params {
    /// No values.
    #[default]
    None,
    /// For `$1`, `$2`, ... or `?` in order.
    List(Vec<Literal>),
    /// For `$name`.
    Named(BTreeMap<String, Literal>),
    /// The placeholders stay: the statement is only described.
    Unbound,
}

/// A value for a placeholder.
#[derive(Debug, Clone, PartialEq)]
pub enum Literal {
    /// No value.
    Null,
    /// A truth.
    Boolean(bool),
    /// A number, in digits.
    Number(String),
    /// A text; also a moment, a day and the like, which a comparison makes of it.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
}

impl Params {
    /// The values of a JSON list, for `$1` and `?`, or object, for `$name`. Numbers keep their
    /// digits: a double of JSON's readers isn't always the one that was sent, nor is it a decimal.
    ///
    /// # Errors
    /// `Invalid` for anything else, and for values that are lists or objects.
    pub(crate) fn of_json(json: &RawValue) -> Result<Self> {
        let text = json.get();
        let broken = |error| Error::invalid(format!("`params` can't be read: {error}"));
        Ok(match text.as_bytes().first() {
            Some(b'n') => Self::None,
            Some(b'[') => {
                let list: Vec<&RawValue> = serde_json::from_str(text).map_err(broken)?;
                Self::List(list.into_iter().map(literal).collect::<Result<_>>()?)
            }
            Some(b'{') => {
                let named: BTreeMap<String, &RawValue> =
                    serde_json::from_str(text).map_err(broken)?;
                let named = named.into_iter();
                let named = named.map(|(name, value)| Ok((name, literal(value)?)));
                Self::Named(named.collect::<Result<_>>()?)
            }
            _ => return Err(Error::invalid("`params` is a list or an object")),
        })
    }
}

fn literal(json: &RawValue) -> Result<Literal> {
    let text = json.get();
    Ok(match text.as_bytes().first() {
        Some(b'n') => Literal::Null,
        Some(b't') => Literal::Boolean(true),
        Some(b'f') => Literal::Boolean(false),
        Some(b'"') => {
            let text = serde_json::from_str(text);
            Literal::Text(text.map_err(|error| {
                Error::invalid(format!("a parameter's text can't be read: {error}"))
            })?)
        }
        Some(b'-' | b'0'..=b'9') => Literal::Number(text.to_owned()),
        _ => {
            return Err(Error::invalid(
                "a parameter is a string, a number, a boolean or null",
            ));
        }
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn read(json: &str) -> Result<Params> {
        let json: &RawValue = serde_json::from_str(json).unwrap();
        Params::of_json(json)
    }

    #[test]
    fn values_are_read_as_they_were_written() {
        let numbers = [
            "19.990000000000002",
            "12345678901234567890123",
            "-0.5e-3",
            "7",
        ];
        let list = read(&format!("[{}, null, true, \"it's\\n\"]", numbers.join(","))).unwrap();
        let numbers = numbers.map(|number| Literal::Number(number.to_owned()));
        let others = [
            Literal::Null,
            Literal::Boolean(true),
            Literal::Text("it's\n".to_owned()),
        ];
        assert_eq!(list, Params::List([&numbers[..], &others].concat()));
        let named = BTreeMap::from([("a".to_owned(), Literal::Boolean(false))]);
        assert_eq!(read("{\"a\": false}").unwrap(), Params::Named(named));
        assert_eq!(read("null").unwrap(), Params::None);
        for wrong in ["7", "\"x\"", "[[1]]", "{\"a\": {}}"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
