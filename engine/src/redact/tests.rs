//! What rules name and what becomes of it, text by text; any text by any rules is `any`.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod any;
mod reading;
mod records;

use super::walk::{Refused, Walk};
use super::*;
use crate::record::{Header, Record, TimestampType};

pub(super) const KEY: &[u8] = b"a key of thirty-two bytes, so so";

fn record<'a>(
    key: Option<&'a [u8]>,
    value: Option<&'a [u8]>,
    headers: &'a [Header<'a>],
) -> Record<'a> {
    Record {
        partition: 0,
        offset: 0,
        timestamp_ms: None,
        timestamp_type: TimestampType::None,
        key,
        value,
        headers,
        decoded: Default::default(),
    }
}

/// Rules as people write them.
#[derive(Clone, Copy, Default)]
struct Config<'a> {
    drop: &'a str,
    hash: &'a str,
    mask: &'a str,
    ignore_case: bool,
    keep_unparsed: bool,
}

impl Config<'_> {
    fn redactor(self) -> Redactor {
        let lists = [
            (self.drop, Action::Drop),
            (self.hash, Action::Hash),
            (self.mask, Action::Mask(0)),
        ];
        let rules = lists.into_iter().filter(|(list, _)| !list.is_empty());
        let rules = rules.flat_map(|(list, action)| Rule::parse_list(list, action).unwrap());
        let options = Options {
            hash_key: HashKey::new(KEY),
            ignore_case: self.ignore_case,
            keep_unparsed: self.keep_unparsed,
        };
        Redactor::new(Redaction::new(rules.collect(), options).unwrap())
    }
}

/// What may land of the value, as text, if any of it may.
fn value(config: Config<'_>, text: &str) -> Option<String> {
    let mut redactor = config.redactor();
    let redacted = redactor.redact(&record(None, Some(text.as_bytes()), &[]));
    let value = redacted.record().value;
    assert_eq!(value.is_none(), redacted.withheld().is_some());
    value.map(|value| String::from_utf8(value.to_vec()).unwrap())
}

fn dropped(drop: &str, text: &str) -> String {
    let config = Config {
        drop,
        ..Config::default()
    };
    value(config, text).unwrap()
}

fn masked(mask: &str, text: &str) -> String {
    let config = Config {
        mask,
        ..Config::default()
    };
    value(config, text).unwrap()
}

fn hashed(hash: &str, text: &str) -> String {
    let config = Config {
        hash,
        ..Config::default()
    };
    value(config, text).unwrap()
}

/// As any other tool would make it.
fn hmac(text: &str) -> String {
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, KEY);
    let tag = ring::hmac::sign(&key, text.as_bytes());
    tag.as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[test]
fn a_dropped_member_leaves_the_text_around_it_as_it_was() {
    for (rule, text, expected) in [
        ("a", r#"{"a":1}"#, "{}"),
        ("a", r#"{ "a" : 1 }"#, "{  }"),
        (
            "a",
            r#"{ "a": 1, "b" : 2.0 , "c":3}"#,
            r#"{ "b" : 2.0 , "c":3}"#,
        ),
        (
            "b",
            r#"{ "a": 1, "b" : 2.0 , "c":3}"#,
            r#"{ "a": 1 , "c":3}"#,
        ),
        (
            "c",
            r#"{ "a": 1, "b" : 2.0 , "c":3}"#,
            r#"{ "a": 1, "b" : 2.0}"#,
        ),
        ("a,b", r#"{ "a": 1, "b" : 2.0 , "c":3}"#, r#"{ "c":3}"#),
        ("a, c", r#"{ "a": 1, "b" : 2.0 , "c":3}"#, r#"{ "b" : 2.0}"#),
        ("*", r#"{ "a": 1, "b" : 2.0 , "c":3}"#, "{ }"),
        ("x", r#" {"a" : [1 ,2]} "#, r#" {"a" : [1 ,2]} "#),
        ("a", r#"{"a":{"a":1},"b":{"a":1}}"#, r#"{"b":{"a":1}}"#),
    ] {
        assert_eq!(dropped(rule, text), expected, "{rule} of {text}");
    }
}

#[test]
fn a_key_is_what_its_escapes_mean_and_every_duplicate_of_it_goes() {
    let text = r#"{"p\u0061ssword":1,"x":2,"password":3,"\u0070assword":{"y":4},"Password":5}"#;
    assert_eq!(dropped("password", text), r#"{"x":2,"Password":5}"#);
    assert_eq!(
        dropped(r#""p\u0061ssword""#, text),
        r#"{"x":2,"Password":5}"#
    );
    let any_case = Config {
        drop: "pASSword",
        ignore_case: true,
        ..Config::default()
    };
    assert_eq!(value(any_case, text).unwrap(), r#"{"x":2}"#);
}

#[test]
fn case_is_ignored_in_every_alphabet() {
    for (rule, key) in [
        ("straße", "STRASSE"),
        ("ς", "Σ"),
        ("ß", "ẞ"),
        ("k", "\u{212a}"),
        ("ÉTÉ", "été"),
    ] {
        let rules = Config {
            drop: rule,
            ignore_case: true,
            ..Config::default()
        };
        let text = format!("{{\"{key}\":1}}");
        assert_eq!(value(rules, &text).unwrap(), "{}", "{rule} {key}");
        assert_eq!(dropped(rule, &text), text, "exactly unless configured");
    }
}

#[test]
fn paths_lead_through_lists_stars_and_any_depth() {
    for (rule, text, expected) in [
        (
            "items.card",
            r#"{"items":[{"card":1,"n":1},[{"card":2}],3]}"#,
            r#"{"items":[{"n":1},[{}],3]}"#,
        ),
        (
            "items.card",
            r#"{"items":{"card":1},"card":2}"#,
            r#"{"items":{},"card":2}"#,
        ),
        ("tags", r#"{"tags":["a","b"]}"#, "{}"),
        ("tags.*", r#"{"tags":["a", "b"]}"#, r#"{"tags":[]}"#),
        (
            "users.*.card",
            r#"{"users":{"x":{"card":1},"y":{"card":2,"z":3}}}"#,
            r#"{"users":{"x":{},"y":{"z":3}}}"#,
        ),
        (
            "users.*.card",
            r#"{"users":[{"card":1}]}"#,
            r#"{"users":[{}]}"#,
        ),
        (
            "*.card",
            r#"{"card":1,"a":{"card":2},"b":{"c":{"card":3}}}"#,
            r#"{"card":1,"a":{},"b":{"c":{"card":3}}}"#,
        ),
        (
            "**.card",
            r#"{"card":1,"a":{"card":2},"b":[[{"c":{"card":3}}]]}"#,
            r#"{"a":{},"b":[[{"c":{}}]]}"#,
        ),
        (
            "a.**.z",
            r#"{"a":{"z":1,"b":{"z":2},"c":{"d":{"z":3}}},"z":4}"#,
            r#"{"a":{"b":{},"c":{"d":{}}},"z":4}"#,
        ),
        (
            "**.a.b",
            r#"{"a":{"a":{"b":1},"b":2}}"#,
            r#"{"a":{"a":{}}}"#,
        ),
        (
            "**.a.a.b",
            r#"{"a":{"a":{"a":{"b":1}}}}"#,
            r#"{"a":{"a":{"a":{}}}}"#,
        ),
        (
            r#""a.b".c"#,
            r#"{"a.b":{"c":1},"a":{"b":{"c":2}}}"#,
            r#"{"a.b":{},"a":{"b":{"c":2}}}"#,
        ),
        (r#""""#, r#"{"":1,"a":2}"#, r#"{"a":2}"#),
        (
            "password",
            r#"[{"password":1},[{"password":2,"a":3}]]"#,
            r#"[{},[{"a":3}]]"#,
        ),
    ] {
        assert_eq!(dropped(rule, text), expected, "{rule} of {text}");
    }
}

#[test]
fn a_hash_is_the_hmac_of_what_the_value_says() {
    let of = |text: &str| hashed("a", &format!("{{\"a\":{text}}}"));
    let stands = |text: &str| format!("{{\"a\":\"{}\"}}", hmac(text));
    for (value, says) in [
        (r#""x@example.com""#, "x@example.com"),
        (r#""x\u0040example.com""#, "x@example.com"),
        (r#""\ud83d\ude00\n""#, "😀\n"),
        (r#""""#, ""),
        (r#""\ud800""#, "\\ud800"),
        ("17", "17"),
        ("-1.50e+3", "-1.50e+3"),
        ("true", "true"),
        (" { \"b\" : [ 1 , \" \\\" \" ] } ", r#"{"b":[1," \" "]}"#),
        ("[]", "[]"),
    ] {
        let text = of(value);
        let text = text.replace(": ", ":").replace(" }", "}");
        assert_eq!(text, stands(says), "{value}");
    }
    assert_eq!(of("null"), r#"{"a":null}"#, "there is nothing in it");
    // RFC 4231 has keys that are too short for us; this one is openssl's answer.
    assert_eq!(
        hmac("x@example.com"),
        "2dec7773ff5f5266b39ccade1fdd3fed8bcef41c142c2cf06e572fb144d7c701"
    );
}

#[test]
fn a_mask_keeps_the_end_only_of_a_text_twice_as_long() {
    for (rule, text, expected) in [
        ("a", r#"{"a":"4111111111111111"}"#, r#"{"a":"***"}"#),
        ("a:4", r#"{"a":"4111111111111234"}"#, r#"{"a":"***1234"}"#),
        ("a:4", r#"{"a":4111111111111234}"#, r#"{"a":"***1234"}"#),
        ("a:4", r#"{"a":"12345678"}"#, r#"{"a":"***5678"}"#),
        ("a:4", r#"{"a":"1234567"}"#, r#"{"a":"***"}"#),
        ("a:2", r#"{"a":"xx\u00e9\""}"#, r#"{"a":"***é\""}"#),
        ("a:1", r#"{"a":"ab\n"}"#, r#"{"a":"***\n"}"#),
        ("a:1", r#"{"a":"abcd\ud800"}"#, r#"{"a":"***"}"#),
        ("a:1", r#"{"a":true}"#, r#"{"a":"***"}"#),
        ("a:1", r#"{"a":{"b":"secret"}}"#, r#"{"a":"***"}"#),
        ("a:1", r#"{"a":["secret"]}"#, r#"{"a":"***"}"#),
        (
            "a.*:1",
            r#"{"a":["secret",null,{}]}"#,
            r#"{"a":["***t",null,"***"]}"#,
        ),
    ] {
        assert_eq!(masked(rule, text), expected, "{rule} of {text}");
    }
}

#[test]
fn the_strongest_rule_counts_and_the_outermost_value_goes_as_a_whole() {
    let all = Config {
        drop: "**.a",
        hash: "**.b,a",
        mask: "*:1,*:2,c.*",
        ..Config::default()
    };
    let text = r#"{"a":1,"b":"x","c":{"a":1},"dd":"dddd"}"#;
    let expected = format!(r#"{{"b":"{}","c":"***","dd":"***d"}}"#, hmac("x"));
    assert_eq!(value(all, text).unwrap(), expected);
}

#[test]
fn a_text_that_redaction_would_make_absurdly_large_is_refused() {
    let rules = [(vec![Step::Any], Action::Hash)];
    let (paths, key) = (Paths::compile(&rules, false).unwrap(), HashKey::new(KEY));
    let text = "[1,1]";
    let mut tape = crate::shred::Tape::default();
    tape.parse(text.as_bytes()).unwrap();
    let run = |most| {
        let (mut out, mut plain) = (Vec::new(), Vec::new());
        let walk = Walk {
            paths: &paths,
            hash_key: key.as_ref(),
            tape: &tape.entries,
            text: text.as_bytes(),
            out: &mut out,
            plain: &mut plain,
            copied: 0,
            most,
        };
        walk.run().map(|_| out.len())
    };
    let whole = run(usize::MAX).unwrap();
    assert_eq!(whole, "[,]".len() + 2 * 66);
    assert_eq!(run(whole), Ok(whole));
    assert_eq!(
        run(whole - 1),
        Err(Refused("redacted it would be too large"))
    );
}

#[test]
fn the_key_of_hashes_is_never_shown() {
    let config = Config {
        hash: "a",
        ..Config::default()
    };
    let redactor = config.redactor();
    let text = format!("{redactor:?}");
    assert!(
        text.contains("hidden") && !text.contains("thirty-two"),
        "{text}"
    );
    assert!(
        HashKey::new(&KEY[..15]).is_none(),
        "a short key can be guessed"
    );
    let rules = Rule::parse_list("a", Action::Hash).unwrap();
    assert!(
        Redaction::new(rules, Options::default()).is_err(),
        "no hash without a key"
    );
}
