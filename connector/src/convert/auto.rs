//! What bytes are that nobody configured a converter for.
//!
//! A value that begins like a JSON object must be one, as where the engine reads it by itself;
//! other JSON is what it is, and the rest is text or bytes. Keys are never a failure.

use eddy_engine::Value;

use super::json::not_json;
use crate::data::Datum;

/// A record's value.
///
/// # Errors
/// What is wrong with an object.
pub(super) fn value(bytes: &[u8]) -> Result<Datum, String> {
    if !bytes.trim_ascii_start().starts_with(b"{") {
        return Ok(lenient(bytes));
    }
    let value = Value::parse(bytes).ok_or_else(|| not_json(bytes))?;
    Ok(Datum::schemaless(value))
}

/// JSON if it is, else text if it is, else bytes.
pub(super) fn lenient(bytes: &[u8]) -> Datum {
    let value = Value::parse(bytes).unwrap_or_else(|| match std::str::from_utf8(bytes) {
        Ok(text) => Value::Text(text.to_owned()),
        Err(_) => Value::Binary(bytes.to_vec()),
    });
    Datum::schemaless(value)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn bytes_are_taken_for_what_they_look_like_and_a_broken_object_is_refused() {
        let text = |text: &str| Value::Text(text.to_owned());
        for (bytes, wanted) in [
            (&b"{\"a\":1}"[..], Some(Value::parse(b"{\"a\":1}").unwrap())),
            (b" {broken", None),
            (b"plain", Some(text("plain"))),
            (b"7", Some(Value::Integer(7))),
            (b"", Some(text(""))),
            (&[0xff, 0], Some(Value::Binary(vec![0xff, 0]))),
        ] {
            let value = value(bytes).ok().map(|datum| datum.value);
            assert_eq!(value, wanted, "{bytes:?}");
        }
        assert_eq!(lenient(b" {broken").value, text(" {broken"));
    }
}
