//! The parser against others: serde_json decides what is JSON, simd-json must not know better.

use proptest::prelude::*;

use super::any_values::{cases, object};
use crate::schema::rebuild::Json;
use crate::shred::json::{DEPTH_MAX, Fault, Tape};

/// The standard's verdict. `IgnoredAny` checks the grammar and neither the range of numbers nor
/// surrogates, which the standard leaves open too.
fn is_json(text: &[u8]) -> bool {
    std::str::from_utf8(text)
        .is_ok_and(|text| serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok())
}

fn assert_agrees(text: &[u8]) {
    let mut tape = Tape::default();
    let parsed = tape.parse(text);
    assert_eq!(
        parsed.is_ok(),
        is_json(text),
        "{:?}: {parsed:?}",
        String::from_utf8_lossy(text)
    );
    if simd_json::to_tape(&mut text.to_vec()).is_ok() {
        assert!(
            parsed.is_ok(),
            "simd-json takes {:?}",
            String::from_utf8_lossy(text)
        );
    }
    if let (Ok(()), Ok(wanted)) = (parsed, serde_json::from_slice::<serde_json::Value>(text)) {
        let found = Json::parse(text).unwrap();
        assert!(same(&found, &wanted), "{found:?} is not {wanted}");
    }
}

fn same(found: &Json, wanted: &serde_json::Value) -> bool {
    use serde_json::Value;
    match (found, wanted) {
        (Json::Null, Value::Null) => true,
        (Json::Boolean(a), Value::Bool(b)) => a == b,
        (Json::Text(a), Value::String(b)) => a == b,
        (Json::Integer(a), Value::Number(b)) if b.is_i64() || b.is_u64() => {
            b.as_i64().map(i128::from).or(b.as_u64().map(i128::from)) == Some(*a)
        }
        (Json::Integer(a), Value::Number(b)) => close(*a as f64, b.as_f64().unwrap()),
        (Json::Double(a), Value::Number(b)) => close(*a, b.as_f64().unwrap()),
        // Too large for us or too small: serde_json rounds.
        (Json::Raw(_), Value::Number(_)) => true,
        (Json::List(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Json::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|((k, a), (l, b))| k == l && same(a, b))
        }
        _ => false,
    }
}

/// serde_json's doubles are only the nearest but one.
fn close(a: f64, b: f64) -> bool {
    (a - b).abs() <= b.abs() * 1e-14
}

const ACCEPTED: &[&str] = &[
    "0",
    "-0",
    "0.0",
    "1e5",
    "1E+5",
    "1.5e-3",
    "\"\"",
    "[]",
    "{}",
    " [ 1 , 2 ] ",
    "true",
    "{\"a\":{\"b\":[null,false]}}",
    "\"\\u0000\"",
    "\"\\ud800\"",
    "\t\r\n 1 \n",
    "\"\u{7f}\"",
];

const REFUSED: &[&str] = &[
    "",
    " ",
    "01",
    "-",
    "+1",
    "1.",
    ".5",
    "1e",
    "1e+",
    "\"",
    "\"\\x\"",
    "\"\\u12g4\"",
    "[1,]",
    "[,1]",
    "{\"a\"}",
    "{\"a\":}",
    "{\"a\":1,}",
    "{,}",
    "{a:1}",
    "[1 2]",
    "tru",
    "nul",
    "[1}",
    "{\"a\":1]",
    "1 2",
    "\"\n\"",
    "'a'",
    "NaN",
    "[",
    "{",
    "{\"a\":1",
    "\u{feff}1",
    "\"\\",
    "[]]",
    "{}}",
    "{\"a\" 1}",
    "--1",
    "1e5.5",
    "/**/1",
    "\"\\u12\"",
    "true1",
];

#[test]
fn the_grammar_is_the_standards() {
    for text in ACCEPTED {
        assert!(Tape::default().parse(text.as_bytes()).is_ok(), "{text}");
        assert_agrees(text.as_bytes());
    }
    for text in REFUSED {
        assert!(Tape::default().parse(text.as_bytes()).is_err(), "{text}");
        assert_agrees(text.as_bytes());
    }
    assert_agrees(b"\"\xff\"");
    assert_agrees(b"[\"\xed\xa0\x80\"]");
}

#[test]
fn depth_is_bounded_without_recursion() {
    let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    assert!(Tape::default().parse(nested(DEPTH_MAX).as_bytes()).is_ok());
    let fault = Tape::default()
        .parse(nested(1_000_000).as_bytes())
        .unwrap_err();
    let reason = "nested deeper than 1000 levels";
    assert_eq!(
        fault,
        Fault {
            reason,
            at: DEPTH_MAX
        }
    );
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn any_bytes_are_json_or_not(text in prop::collection::vec(any::<u8>(), 0..40)) {
        assert_agrees(&text);
    }

    #[test]
    fn any_texts_of_json_characters_are_json_or_not(
        text in "[\\[\\]{}:,\"\\\\ u0-9eE+.truefalsn-]{0,24}",
    ) {
        assert_agrees(text.as_bytes());
    }

    #[test]
    fn a_broken_text_is_broken_for_all(
        text in object(),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
        how in 0..4,
    ) {
        let mut text = text.into_bytes();
        assert_agrees(&text);
        let at = at.index(text.len());
        match how {
            0 => text[at] = byte,
            1 => text.insert(at, byte),
            2 => text.truncate(at),
            _ => { text.remove(at); }
        }
        assert_agrees(&text);
    }
}
