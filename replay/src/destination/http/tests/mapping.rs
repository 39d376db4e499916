//! What a record looks like on the other side.

use serde_json::{Value, json};

use super::*;
use crate::request::Headers;

fn settings(options: &[(&str, &str)], replay: &Options) -> Settings {
    let url = [("url", "https://h/in")];
    let options = url.iter().chain(options);
    let options: BTreeMap<String, String> = options
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect();
    Settings::new(&options, replay).unwrap()
}

fn header(letter: &Letter, name: &str) -> Option<String> {
    let value = letter.headers.get(name)?;
    Some(value.to_str().unwrap().to_owned())
}

#[test]
fn a_record_is_its_value_and_headers_that_say_the_rest() {
    let settings = settings(&[("header.X-Team", "a")], &Options::default());
    let letter = Letter::of(&packed(), &settings).unwrap();
    assert_eq!(letter.url.as_str(), "https://h/in");
    assert_eq!(letter.body, &b"{\"a\": 1}"[..]);
    for (name, value) in [
        ("idempotency-key", Some("r:id:3:42")),
        ("eddy-replay-id", Some("r")),
        ("eddy-source", Some("orders:3:42")),
        ("eddy-source-timestamp", Some("1500")),
        ("eddy-key", Some("k%FF")),
        ("eddy-tombstone", None),
        ("content-type", Some("application/json")),
        ("x-team", Some("a")),
    ] {
        assert_eq!(header(&letter, name).as_deref(), value, "{name}");
    }
    let headers = letter.headers.get_all("eddy-header").iter();
    let headers: Vec<_> = headers.map(|value| value.to_str().unwrap()).collect();
    assert_eq!(headers, ["h", "h=", "%D0%BA%3D%2C=%FF%0D%0A"]);
}

#[test]
fn null_and_empty_are_told_apart() {
    let settings = settings(&[], &Options::default());
    let letter = |key: Option<&'static [u8]>, value: Option<&'static [u8]>| {
        let record = Packed {
            key: key.map(Bytes::from_static),
            value: value.map(Bytes::from_static),
            ..packed()
        };
        Letter::of(&record, &settings).unwrap()
    };
    let null = letter(None, None);
    assert_eq!(header(&null, "eddy-key"), None);
    assert_eq!(header(&null, "eddy-tombstone").as_deref(), Some("true"));
    assert!(null.body.is_empty());
    let empty = letter(Some(b""), Some(b""));
    assert_eq!(header(&empty, "eddy-key").as_deref(), Some(""));
    assert_eq!(header(&empty, "eddy-tombstone"), None);
    let octets = Some("application/octet-stream");
    assert_eq!(header(&empty, "content-type").as_deref(), octets);
    assert_eq!(
        header(&letter(None, Some(b"\xff")), "content-type").as_deref(),
        octets
    );
}

#[test]
fn a_stripped_record_keeps_its_key_and_its_idempotency() {
    let replay = Options {
        headers: Some(Headers::Strip),
        ..Options::default()
    };
    let letter = Letter::of(&packed(), &settings(&[], &replay)).unwrap();
    let mut names: Vec<&str> = letter.headers.keys().map(|name| name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["content-type", "eddy-key", "idempotency-key"]);
}

#[test]
fn a_batch_has_a_line_a_record_with_everything_in_it() {
    let settings = settings(&[("format", "ndjson")], &Options::default());
    let values: [(Option<&'static [u8]>, &str, Value); 8] = [
        (Some(b"{\"a\": 1.50}"), "value", json!({"a": 1.5})),
        (Some(b"[]"), "value", json!([])),
        (Some(b"{\n}"), "value_text", json!("{\n}")),
        (Some(b" 1"), "value_text", json!(" 1")),
        (Some(b"null"), "value_text", json!("null")),
        (Some(b""), "value_text", json!("")),
        (Some(b"\"\xff\""), "value_base64", json!("Iv8i")),
        (None, "value", json!(null)),
    ];
    let of = |(value, ..): &(Option<&'static [u8]>, &str, Value)| Packed {
        value: value.map(Bytes::from_static),
        ..packed()
    };
    let records: Vec<Packed> = values.iter().map(of).collect();
    let letter = Letter::of_batch(&records, &settings).unwrap();
    let kind = header(&letter, "content-type");
    assert_eq!(kind.as_deref(), Some("application/x-ndjson"));
    let body = std::str::from_utf8(&letter.body).unwrap();
    let lines: Vec<Value> = body
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), values.len());
    for (line, (_, name, value)) in lines.iter().zip(&values) {
        assert_eq!(line.get(name), Some(value));
        let forms = ["value", "value_text", "value_base64"];
        assert_eq!(
            forms.iter().filter(|form| line.get(form).is_some()).count(),
            1
        );
    }
    assert!(
        body.contains("\"value\":{\"a\": 1.50}}\n"),
        "byte for byte: {body}"
    );
    assert_eq!(
        (
            &lines[0]["id"],
            &lines[0]["topic"],
            &lines[0]["partition"],
            &lines[0]["offset"]
        ),
        (&json!("r:id:3:42"), &json!("orders"), &json!(3), &json!(42))
    );
    assert_eq!(lines[0]["key_base64"], json!("a/8="));
    assert_eq!(
        lines[0]["headers"],
        json!([
            {"name": "h", "value": null},
            {"name": "h", "value": ""},
            {"name": "\u{43a}=,", "value_base64": "/w0K"},
        ])
    );
}

#[test]
fn a_batch_has_the_key_of_its_lines_and_of_no_others() {
    let settings = settings(&[("format", "ndjson")], &Options::default());
    let key = |ids: &[&str]| {
        let records = ids.iter().map(|id| Packed {
            id: (*id).to_owned(),
            ..packed()
        });
        let records: Vec<Packed> = records.collect();
        let letter = Letter::of_batch(&records, &settings).unwrap();
        header(&letter, "idempotency-key").unwrap()
    };
    assert_eq!(key(&["a", "b", "c"]), key(&["a", "b", "c"]));
    assert_ne!(key(&["a", "b", "c"]), key(&["a", "x", "c"]));
    assert_ne!(key(&["a", "b", "c"]), key(&["a", "b"]));
}

#[test]
fn what_it_stands_for_has_no_secret_in_it() {
    for (url, target) in [
        ("https://h/in?sig=hunter2", "http POST https://h/in"),
        ("${env:HOOK}", "http POST ${env:HOOK}"),
    ] {
        let written = BTreeMap::from([("url".to_owned(), url.to_owned())]);
        assert_eq!(
            super::super::target(&written, &settings(&[], &Options::default())),
            target
        );
    }
}
