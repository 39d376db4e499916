//! Whole records: values that can't be searched, keys, headers.

use std::sync::Arc;

use super::{Config, hmac, record, value};
use crate::record::{Avro, Header};

#[test]
fn what_cannot_be_searched_is_withheld_and_the_row_says_so_without_quoting_it() {
    let strict = Config {
        drop: "password",
        ..Config::default()
    };
    let keeping = Config {
        keep_unparsed: true,
        ..strict
    };
    let secret = "s3cret";
    let deep = format!("{}\"s3cret\"{}", "[".repeat(1_001), "]".repeat(1_001));
    for broken in [
        r#"{"password":"s3cret""#,
        r#"{"password":"s3cret"}}"#,
        r#"{'password':'s3cret'}"#,
        r#"[{"password":"s3cret"},]"#,
        "\u{feff}{\"password\":\"s3cret\"}",
        "\0\0\0\0\u{1}{\"password\":\"s3cret\"}",
        "\0\0\0\u{7b}x \n{\"password\":\"s3cret\"}",
        " \t\u{c}{\"password\":\"s3cret\"}",
        "{\0\"\0p\0",
        "\0{\0\"\0p",
        &deep,
    ] {
        for config in [strict, keeping] {
            let mut redactor = config.redactor();
            let redacted = redactor.redact(&record(Some(b"k"), Some(broken.as_bytes()), &[]));
            assert_eq!(redacted.record().value, None, "{broken:?}");
            assert_eq!(redacted.record().key, Some(&b"k"[..]));
            let why = redacted.withheld().unwrap();
            assert!(!why.contains(secret) && why.contains("withheld"), "{why}");
            assert!(why.contains("from Kafka"), "{why}");
        }
    }
    for other in ["text s3cret", "17", "\"s3cret\"", "null", "true", " "] {
        assert_eq!(value(strict, other), None, "{other}");
        assert_eq!(value(keeping, other).as_deref(), Some(other));
    }
    let mut binary = keeping.redactor();
    let bytes = [0x80, 0x01, 0x02];
    assert_eq!(
        binary
            .redact(&record(None, Some(&bytes), &[]))
            .record()
            .value,
        Some(&bytes[..])
    );
    assert_eq!(value(strict, "").as_deref(), Some(""), "nothing is in it");
    let mut redactor = strict.redactor();
    let tombstone = redactor.redact(&record(None, None, &[]));
    assert!(tombstone.record().value.is_none() && tombstone.withheld().is_none());
}

#[test]
fn keys_are_replaced_whole_or_by_path() {
    let key = |config: Config<'_>, key: &str| {
        let mut redactor = config.redactor();
        let redacted = redactor.redact(&record(Some(key.as_bytes()), Some(b"not looked at"), &[]));
        assert_eq!(redacted.record().value, Some(&b"not looked at"[..]));
        let found = redacted
            .record()
            .key
            .map(|key| String::from_utf8(key.to_vec()).unwrap());
        (found, redacted.withheld().map(str::to_owned))
    };
    let hash = |hash| Config {
        hash,
        ..Config::default()
    };
    let mask = |mask| Config {
        mask,
        ..Config::default()
    };
    let drop = |drop| Config {
        drop,
        ..Config::default()
    };
    assert_eq!(key(hash("key:"), "alice"), (Some(hmac("alice")), None));
    assert_eq!(key(mask("key:"), "alice"), (Some("***".to_owned()), None));
    assert_eq!(
        key(mask("key::2"), "alice"),
        (Some("***ce".to_owned()), None)
    );
    assert_eq!(key(drop("key:"), "alice"), (None, None));
    let text = r#"{"id":1,"email":"a@b"}"#;
    assert_eq!(
        key(drop("key:email"), text).0.as_deref(),
        Some(r#"{"id":1}"#)
    );
    assert_eq!(
        key(mask("key:email:1"), text).0.as_deref(),
        Some(r#"{"id":1,"email":"***b"}"#)
    );
    let (found, why) = key(drop("key:email"), "alice");
    assert!(found.is_none() && why.unwrap().contains("the key is no JSON object"));
}

#[test]
fn headers_are_replaced_by_their_name_every_time_they_come() {
    let header = |name, value| Header { name, value };
    let headers = [
        header("x-user.email", Some(&b"a@b"[..])),
        header("trace", Some(b"1")),
        header("x-user.email", None),
        header("x-user.email", Some(b"")),
        header("X-User.Email", Some(b"A@B")),
    ];
    let land = |config: Config<'_>| {
        let mut redactor = config.redactor();
        let redacted = redactor.redact(&record(None, None, &headers));
        let text = |header: &Header<'_>| {
            let value = header
                .value
                .map(|value| String::from_utf8(value.to_vec()).unwrap());
            (header.name.to_owned(), value)
        };
        redacted
            .record()
            .headers
            .iter()
            .map(text)
            .collect::<Vec<_>>()
    };
    let kept = |value: Option<&str>| value.map(str::to_owned);
    let found = land(Config {
        hash: "header:x-user.email",
        ..Config::default()
    });
    let values: Vec<Option<String>> = found.into_iter().map(|(_, value)| value).collect();
    let expected = [
        Some(hmac("a@b")),
        kept(Some("1")),
        None,
        Some(hmac("")),
        kept(Some("A@B")),
    ];
    assert_eq!(values, expected);
    let names = |config| {
        land(config)
            .into_iter()
            .map(|(name, _)| name)
            .collect::<Vec<_>>()
    };
    let drop = Config {
        drop: "header:x-user.email",
        ..Config::default()
    };
    assert_eq!(names(drop), ["trace", "X-User.Email"]);
    assert_eq!(
        names(Config {
            ignore_case: true,
            ..drop
        }),
        ["trace"]
    );
    let all = Config {
        mask: "header:*",
        ..Config::default()
    };
    assert_eq!(land(all)[1].1.as_deref(), Some("***"));
}

#[test]
fn the_avro_of_a_value_stays_only_where_no_rule_is_for_values() {
    let schema: Arc<str> = Arc::from("\"string\"");
    let avro = Avro {
        schema: &schema,
        bytes: b"\x0cs3cret",
    };
    let mut came = record(None, Some(br#"{"password":"s3cret"}"#), &[]);
    came.decoded.value_avro = Some(avro);
    for (rules, kept) in [("password", None), ("header:trace", Some(avro))] {
        let mut redactor = Config {
            drop: rules,
            ..Config::default()
        }
        .redactor();
        let redacted = redactor.redact_decoded(&came);
        assert_eq!(redacted.record().decoded.value_avro, kept, "{rules}");
        let redacted = redactor.redact(&came);
        assert_eq!(redacted.record().decoded.value_avro, kept, "{rules}");
    }
}
