//! Any bytes at all: nothing panics, what lands is JSON without what the rules name, and what can't
//! be searched doesn't land.

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::Value;

use super::{Config, record};
use crate::testing::scale;

/// Bytes from which JSON, nearly JSON and none at all is put together.
const PARTS: &[&[u8]] = &[
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"\"",
    b"\\",
    b" ",
    b"\n",
    b"\"a\"",
    b"\"\\u0061\"",
    b"\"b\":",
    b"\"a\":",
    b"{\"a\":1}",
    b"{\"b\":{\"a\":\"x\"},\"a\":[]}",
    b"[{\"a\":1},2]",
    b"null",
    b"true",
    b"-1.5e3",
    b"12345678901234567890",
    b"\"\\ud800\"",
    b"\"\\ud83d\\ude00\"",
    b"\xff",
    b"\0",
    b"\xef\xbb\xbf",
    b"\"\xc3\xa9\"",
];

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let parts = prop::collection::vec(select(PARTS), 0..24);
    prop_oneof![
        8 => parts.prop_map(|parts| parts.concat()),
        1 => prop::collection::vec(any::<u8>(), 0..64),
    ]
}

/// `a` is a key somewhere.
fn has_a(value: &Value) -> bool {
    match value {
        Value::Array(elements) => elements.iter().any(has_a),
        Value::Object(members) => members
            .iter()
            .any(|(key, value)| key == "a" || has_a(value)),
        _ => false,
    }
}

fn is_container(bytes: &[u8]) -> bool {
    let valid = std::str::from_utf8(bytes)
        .is_ok_and(|text| serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok());
    let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
    valid && matches!(first, Some(b'{' | b'['))
}

fn check(bytes: &[u8], key: &[u8]) {
    let dropping = Config {
        drop: "**.a,key:**.a",
        ..Config::default()
    };
    let configs = [
        dropping,
        Config {
            ignore_case: true,
            keep_unparsed: true,
            ..dropping
        },
        Config {
            hash: "**.a, key:",
            drop: "header:*",
            ..Config::default()
        },
        Config {
            mask: "**.a:1, key:*, b.*:2",
            hash: "*.b",
            ..Config::default()
        },
    ];
    for config in configs {
        let mut redactor = config.redactor();
        let redacted = redactor.redact(&record(Some(key), Some(bytes), &[]));
        let landed = redacted.record();
        let Some(value) = landed.value else {
            assert!(!bytes.is_empty() && !is_container(bytes) && redacted.withheld().is_some());
            continue;
        };
        assert_eq!(is_container(bytes), is_container(value));
        let is_kept = bytes.is_empty() || config.keep_unparsed;
        assert!(
            is_container(bytes) || is_kept && value == bytes,
            "unsearched"
        );
        if config.drop.starts_with("**.a")
            && let Ok(tree) = serde_json::from_slice(value)
        {
            assert!(!has_a(&tree), "{tree} has it");
        }
    }
}

#[test]
fn any_bytes_land_without_what_the_rules_name_or_not_at_all() {
    let config = ProptestConfig {
        cases: scale(5_000, 1_000_000) as u32,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    proptest!(config, |(value in bytes(), key in bytes())| check(&value, &key));
}
