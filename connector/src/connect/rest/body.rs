//! JSON as Connect reads it: scalars become text, what is no scalar is refused, and so is anything
//! after the document.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::value::RawValue;

use super::answer::Answer;
use crate::connect::validate::Posted;

/// An object whose values aren't looked at yet; of a key given twice the last counts.
pub(super) type Object = BTreeMap<String, Box<RawValue>>;

/// The request's object; null and nothing are none.
pub(super) fn object(body: &[u8]) -> Result<Option<Object>, Answer> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(None);
    }
    serde_json::from_slice(body).map_err(|error| malformed(&error))
}

/// The request's object, told as what Connect calls `class` where a second document follows it.
pub(super) fn object_of(class: &str, body: &[u8]) -> Result<Option<Object>, Answer> {
    object(body).map_err(|answer| second_document(class, body).unwrap_or(answer))
}

/// What Connect's parser says of an object or a list behind the document, or of a text.
fn second_document(class: &str, body: &[u8]) -> Option<Answer> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let mut documents = serde_json::Deserializer::from_slice(body).into_iter::<&RawValue>();
    documents.next()?.ok()?;
    let rest = body.get(documents.byte_offset()..)?.trim_ascii_start();
    let token = match rest.first()? {
        b'{' => "START_OBJECT",
        b'[' => "START_ARRAY",
        b'"' => "VALUE_STRING",
        _ => return None,
    };
    let before = body.get(..body.len() - rest.len())?;
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    let column = before.rsplit(|byte| *byte == b'\n').next()?.len() + 1;
    let text = format!(
        "Trailing token (of type {token}) found after value (bound as `{class}`): not allowed as \
         per `DeserializationFeature.FAIL_ON_TRAILING_TOKENS`\n at [Source: REDACTED \
         (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled); line: {line}, column: {column}]"
    );
    Some(Answer::error(500, text))
}

/// The request's flat map of texts.
pub(super) fn config(body: &[u8]) -> Result<Option<Posted>, Answer> {
    object(body)?.map(texts).transpose()
}

/// The flat map of texts within an object.
pub(super) fn inner_config(value: &RawValue) -> Result<Option<Posted>, Answer> {
    config(value.get().as_bytes())
}

fn texts(object: Object) -> Result<Posted, Answer> {
    object
        .into_iter()
        .map(|(key, value)| {
            let text = text(&value).map_err(|what| {
                Answer::error(
                    500,
                    format!("the value of `{key}` is {what}, and must be text"),
                )
            })?;
            Ok((key, text))
        })
        .collect()
}

/// A scalar as text; null is none.
pub(super) fn text(value: &RawValue) -> Result<Option<String>, &'static str> {
    let raw = value.get();
    match raw.as_bytes().first() {
        Some(b'n') => Ok(None),
        Some(b'"') => Ok(Some(string(raw))),
        Some(b'{') => Err("an object"),
        Some(b'[') => Err("an array"),
        _ => Ok(Some(raw.to_owned())),
    }
}

/// A scalar as Java prints the value that it reads: numbers with a fraction are doubles.
pub(super) fn printed(value: &RawValue) -> String {
    let raw = value.get();
    match raw.as_bytes().first() {
        Some(b'"') => string(raw),
        Some(b'0'..=b'9' | b'-') if raw.contains(['.', 'e', 'E']) => match raw.parse::<f64>() {
            Ok(number) => format!("{number:?}"),
            Err(_) => raw.to_owned(),
        },
        _ => raw.to_owned(),
    }
}

/// What is no JSON, or not the JSON that is asked for.
pub(super) fn malformed(error: &serde_json::Error) -> Answer {
    Answer::error(
        500,
        format!("the request is not the JSON that it should be: {error}"),
    )
}

/// The text of a JSON string. Java lets half a surrogate pair pass; here it is replaced.
fn string(raw: &str) -> String {
    struct Bytes;
    impl serde::de::Visitor<'_> for Bytes {
        type Value = String;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("a string")
        }

        fn visit_bytes<E>(self, bytes: &[u8]) -> Result<String, E> {
            Ok(String::from_utf8_lossy(bytes).into_owned())
        }
    }
    let mut json = serde_json::Deserializer::from_str(raw);
    serde::Deserializer::deserialize_bytes(&mut json, Bytes).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn scalars_become_text_and_the_last_of_two_counts() {
        let read = config(b"\xef\xbb\xbf{\"a\":1,\"a\":\"x\\n\",\"b\":true,\"c\":null,\"d\":1.50}");
        let read = read.unwrap().unwrap();
        let text = |key: &str| read.get(key).cloned().flatten();
        assert_eq!(text("a").as_deref(), Some("x\n"));
        assert_eq!(text("b").as_deref(), Some("true"));
        assert_eq!(text("d").as_deref(), Some("1.50"));
        assert_eq!(read.get("c"), Some(&None));
        let half = config(b"{\"a\":\"x\\ud800y\"}").unwrap().unwrap();
        assert!(half.get("a").cloned().flatten().unwrap().starts_with('x'));
    }

    #[test]
    fn nothing_and_null_are_no_object_and_everything_else_is_refused() {
        for nothing in [&b""[..], b" \n", b"null"] {
            assert_eq!(config(nothing).unwrap(), None);
        }
        for wrong in [
            "[]",
            "1",
            "\"x\"",
            "{",
            "{}{}",
            "{} x",
            "{\"a\":{}}",
            "{\"a\":[1]}",
        ] {
            assert_eq!(config(wrong.as_bytes()).unwrap_err().status, 500, "{wrong}");
        }
    }

    #[test]
    fn a_second_document_is_told_by_its_kind_and_place() {
        let told = |body: &str| format!("{:?}", object_of("a.Class", body.as_bytes()));
        for (body, token, place) in [
            ("{}{}", "START_OBJECT", "line: 1, column: 3"),
            ("{}\n [1]", "START_ARRAY", "line: 2, column: 2"),
            ("{} \"x\"", "VALUE_STRING", "line: 1, column: 4"),
        ] {
            let told = told(body);
            assert!(told.contains(&format!("of type {token})")), "{told}");
            assert!(told.contains("bound as `a.Class`"), "{told}");
            assert!(told.contains(place), "{told}");
        }
        assert!(told("{} x").contains("the request is not the JSON"));
        assert!(object_of("a.Class", b"{} \n").unwrap().is_some());
    }

    #[test]
    fn numbers_are_printed_as_java_prints_what_it_read() {
        let printed = |json: &str| printed(&RawValue::from_string(json.to_owned()).unwrap());
        assert_eq!(printed("1e3"), "1000.0");
        assert_eq!(printed("1.5"), "1.5");
        assert_eq!(printed("99999999999999999999"), "99999999999999999999");
        assert_eq!(printed("\" 1 \""), " 1 ");
        assert_eq!(printed("null"), "null");
    }
}
