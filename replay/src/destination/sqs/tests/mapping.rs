//! What a record looks like on the other side.

use super::*;
use crate::error::ErrorKind;
use crate::request::Headers;

fn settings(queue: &str, more: &[(&str, &str)], replay: &Options) -> Settings {
    let url = format!("https://h/1/{queue}");
    Settings::new(&options(&url, more), replay).unwrap()
}

fn standard() -> Settings {
    settings("orders", &[], &Options::default())
}

fn entry(record: &Packed, settings: &Settings) -> Value {
    Letter::of(record, settings, BYTES_MAX).unwrap().entry(7)
}

fn attribute<'a>(entry: &'a Value, name: &str) -> Option<&'a str> {
    let attribute = entry["MessageAttributes"].get(name)?;
    assert_eq!(attribute["DataType"], "String");
    attribute["StringValue"].as_str()
}

#[test]
fn a_record_is_its_value_and_attributes_that_say_the_rest() {
    let record = Packed {
        headers: vec![
            ("h".to_owned(), None),
            ("h".to_owned(), Some(Bytes::from_static(b"1"))),
            ("h".to_owned(), Some(Bytes::from_static(b"2"))),
            ("a b".to_owned(), Some(Bytes::from_static(b"x"))),
            ("empty".to_owned(), Some(Bytes::new())),
            ("bytes".to_owned(), Some(Bytes::from_static(b"\xff"))),
        ],
        ..packed()
    };
    let team = settings("orders", &[("attribute.team", "a")], &Options::default());
    let entry = entry(&record, &team);
    assert_eq!(entry["Id"], "7");
    assert_eq!(entry["MessageBody"], "{\"a\": 1}");
    assert_eq!(entry.get("MessageGroupId"), None);
    for (name, value) in [
        ("eddy-id", Some("r:id:3:42")),
        ("eddy-source", Some("orders:3:42")),
        ("eddy-key", Some("k")),
        ("eddy-body", None),
        ("team", Some("a")),
        ("h", Some("2")),
        ("a b", None),
        ("empty", None),
        ("bytes", None),
    ] {
        assert_eq!(attribute(&entry, name), value, "{name}");
    }
    let about: Value = serde_json::from_str(attribute(&entry, "eddy-record").unwrap()).unwrap();
    assert_eq!(
        about,
        json!({
            "id": "r:id:3:42", "replay": "r", "topic": "orders", "partition": 3, "offset": 42,
            "timestamp": 1500, "key": "k", "headers": [
                {"name": "h", "value": null},
                {"name": "h", "value": "1"},
                {"name": "h", "value": "2"},
                {"name": "a b", "value": "x"},
                {"name": "empty", "value": ""},
                {"name": "bytes", "value_base64": "/w=="},
            ],
        })
    );
}

#[test]
fn every_value_has_one_body_and_form() {
    for (value, body, form) in [
        (Some(&b"text\r\n\t"[..]), "text\r\n\t", None),
        (
            Some("\u{1f980}\u{fffd}\u{e000}".as_bytes()),
            "\u{1f980}\u{fffd}\u{e000}",
            None,
        ),
        (Some(b"-"), "-", None),
        (Some(b""), "-", Some("empty")),
        (None, "-", Some("null")),
        (Some(b"\xff"), "/w==", Some("base64")),
        (Some(b"a\0"), "YQA=", Some("base64")),
        (Some(b"\x1b"), "Gw==", Some("base64")),
        (Some("\u{fffe}".as_bytes()), "77++", Some("base64")),
    ] {
        let record = Packed {
            value: value.map(Bytes::copy_from_slice),
            ..packed()
        };
        let entry = entry(&record, &standard());
        assert_eq!(entry["MessageBody"], body);
        assert_eq!(attribute(&entry, "eddy-body"), form, "{body}");
    }
}

#[test]
fn no_record_has_more_than_ten_attributes_and_all_are_text_that_sqs_takes() {
    let header = |n: u8| (format!("h{n}"), Some(Bytes::from(vec![b'a' + n])));
    let record = Packed {
        key: Some(Bytes::from_static("\u{ffff}\0".as_bytes())),
        value: None,
        headers: (0..20).map(header).collect(),
        ..packed()
    };
    let entry = entry(&record, &standard());
    let attributes = entry["MessageAttributes"].as_object().unwrap();
    assert_eq!(attributes.len(), ATTRIBUTES);
    for (name, value) in attributes {
        let text = value["StringValue"].as_str().unwrap();
        assert!(
            letter::is_text(text) && letter::is_name(name),
            "{name}: {text}"
        );
    }
    let about: Value = serde_json::from_str(attribute(&entry, "eddy-record").unwrap()).unwrap();
    assert_eq!(about["key"], "\u{ffff}\0");
    assert_eq!(about["headers"].as_array().unwrap().len(), 20);
}

/// What SQS takes.
const ATTRIBUTES: usize = 10;

#[test]
fn a_fifo_queue_has_groups_and_ids_that_fit() {
    let of = |settings: &Settings, key: Option<&[u8]>| {
        let record = Packed {
            key: key.map(Bytes::copy_from_slice),
            ..packed()
        };
        let entry = entry(&record, settings);
        assert_eq!(entry["MessageDeduplicationId"], "r:id:3:42");
        entry["MessageGroupId"].as_str().unwrap().to_owned()
    };
    let default = settings("orders.fifo", &[], &Options::default());
    assert_eq!(of(&default, Some(b"k 1")), "key:k%201");
    assert_eq!(of(&default, Some(b"")), "key:");
    assert_eq!(of(&default, None), "partition:orders:3");
    let long = of(&default, Some(&[b'x'; 200]));
    assert_eq!(long.len(), 64);
    assert_ne!(long, of(&default, Some(&[b'x'; 201])));
    let group = [("group", "{topic}-{partition}")];
    let by_partition = settings("orders.fifo", &group, &Options::default());
    assert_eq!(of(&by_partition, None), "orders-3");
    let by_key = settings("orders.fifo", &[("group", "{key}")], &Options::default());
    let lacks = Packed {
        key: None,
        ..packed()
    };
    let error = Letter::of(&lacks, &by_key, BYTES_MAX).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Rejected);
    assert!(
        error.to_string().contains("the group needs a key"),
        "{error}"
    );
}

#[test]
fn a_message_over_the_limit_is_rejected_and_one_at_the_limit_is_not() {
    let fits = Letter::of(&packed(), &standard(), BYTES_MAX).unwrap().bytes;
    assert!(Letter::of(&packed(), &standard(), fits).is_ok());
    let error = Letter::of(&packed(), &standard(), fits - 1).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Rejected);
    let told = format!(
        "it is a message of {fits} bytes, and the queue takes {}",
        fits - 1
    );
    assert_eq!(error.to_string(), told);
}

#[test]
fn a_stripped_record_keeps_its_key_and_its_id() {
    let replay = Options {
        headers: Some(Headers::Strip),
        ..Options::default()
    };
    let record = Packed {
        headers: vec![("h".to_owned(), Some(Bytes::from_static(b"1")))],
        ..packed()
    };
    let entry = entry(&record, &settings("orders", &[], &replay));
    let names = entry["MessageAttributes"].as_object().unwrap().keys();
    let names: Vec<&str> = names.map(String::as_str).collect();
    assert_eq!(names, ["eddy-id", "eddy-key", "eddy-record"]);
    let about = attribute(&entry, "eddy-record").unwrap();
    let about: Value = serde_json::from_str(about).unwrap();
    assert_eq!(about, json!({"id": "r:id:3:42", "key": "k"}));
}
