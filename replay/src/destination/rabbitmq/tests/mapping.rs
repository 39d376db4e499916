//! What a record looks like on the other side.

use lapin::types::{AMQPValue, FieldTable};

use super::*;
use crate::request::Headers;

fn header<'a>(letter: &'a Letter<'_>, name: &str) -> Option<&'a AMQPValue> {
    let headers = letter.properties.headers().as_ref()?;
    headers.inner().get(name)
}

fn string(text: &str) -> AMQPValue {
    AMQPValue::LongString(text.into())
}

fn bytes(bytes: &[u8]) -> AMQPValue {
    AMQPValue::ByteArray(bytes.into())
}

#[test]
fn a_record_is_its_value_and_properties_and_headers_that_say_the_rest() {
    let settings = settings(&[
        ("routing.key", "{topic}.{partition}.{key}"),
        ("header.team", "a"),
        ("property.app-id", "eddy"),
        ("property.priority", "7"),
    ]);
    let record = packed();
    let letter = Letter::of(&record, &settings).unwrap();
    assert_eq!(letter.routing_key, "orders.3.k");
    assert_eq!(letter.body, b"{\"a\": 1}");
    let properties = &letter.properties;
    let text = |of: &Option<lapin::types::ShortString>| of.as_ref().map(ToString::to_string);
    assert_eq!(text(properties.message_id()).as_deref(), Some("r:id:3:42"));
    assert_eq!(text(properties.app_id()).as_deref(), Some("eddy"));
    let kind = text(properties.content_type());
    assert_eq!(kind.as_deref(), Some("application/json"));
    assert_eq!(*properties.delivery_mode(), Some(2));
    assert_eq!(*properties.priority(), Some(7));
    assert_eq!(*properties.timestamp(), Some(1));
    for (name, value) in [
        ("eddy-replay-id", Some(string("r"))),
        ("eddy-source", Some(string("orders:3:42"))),
        ("eddy-source-timestamp", Some(AMQPValue::LongLongInt(1_500))),
        ("eddy-key", Some(string("k"))),
        ("eddy-tombstone", None),
        ("eddy-headers", None),
        ("team", Some(string("a"))),
    ] {
        assert_eq!(header(&letter, name), value.as_ref(), "{name}");
    }
}

#[test]
fn headers_are_there_in_order_and_by_their_names() {
    let headers: [(&str, Option<&'static [u8]>); 6] = [
        ("h", None),
        ("h", Some(b"")),
        ("", Some(b"x")),
        ("b", Some(b"\xff\r\n")),
        ("CC", Some(b"elsewhere")),
        ("eddy-key", Some(b"of another replay")),
    ];
    let record = Packed {
        headers: headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.map(Bytes::from_static)))
            .collect(),
        ..packed()
    };
    let letter = Letter::of(&record, &settings(&[])).unwrap();
    let Some(AMQPValue::FieldArray(told)) = header(&letter, "eddy-headers") else {
        panic!("no headers");
    };
    let pair = |name: &str, value: AMQPValue| {
        let mut pair = FieldTable::default();
        pair.insert("name".into(), string(name));
        pair.insert("value".into(), value);
        AMQPValue::FieldTable(pair)
    };
    assert_eq!(
        told.as_slice(),
        [
            pair("h", AMQPValue::Void),
            pair("h", string("")),
            pair("", string("x")),
            pair("b", bytes(b"\xff\r\n")),
            pair("CC", string("elsewhere")),
            pair("eddy-key", string("of another replay")),
        ]
    );
    for (name, value) in [
        ("h", Some(string(""))),
        ("b", Some(bytes(b"\xff\r\n"))),
        ("CC", None),
        ("", None),
        ("eddy-key", Some(string("k"))),
    ] {
        assert_eq!(header(&letter, name), value.as_ref(), "{name}");
    }
}

#[test]
fn null_and_empty_are_told_apart() {
    let settings = settings(&[]);
    let null = Packed {
        key: None,
        value: None,
        timestamp_ms: None,
        ..packed()
    };
    let letter = Letter::of(&null, &settings).unwrap();
    assert!(letter.body.is_empty() && letter.properties.timestamp().is_none());
    assert_eq!(header(&letter, "eddy-key"), None);
    let tombstone = Some(&AMQPValue::Boolean(true));
    assert_eq!(header(&letter, "eddy-tombstone"), tombstone);
    let empty = Packed {
        key: Some(Bytes::new()),
        value: Some(Bytes::new()),
        timestamp_ms: Some(-1),
        ..packed()
    };
    let letter = Letter::of(&empty, &settings).unwrap();
    assert!(letter.body.is_empty() && letter.properties.timestamp().is_none());
    assert_eq!(header(&letter, "eddy-key"), Some(&string("")));
    assert_eq!(header(&letter, "eddy-tombstone"), None);
    let ms = AMQPValue::LongLongInt(-1);
    assert_eq!(header(&letter, "eddy-source-timestamp"), Some(&ms));
}

#[test]
fn a_stripped_record_keeps_its_key_and_its_id() {
    let replay = Options {
        headers: Some(Headers::Strip),
        ..Options::default()
    };
    let record = Packed {
        headers: vec![("h".to_owned(), None)],
        value: None,
        ..packed()
    };
    let letter = Letter::of(&record, &of_replay(&[], &replay)).unwrap();
    let headers = letter.properties.headers().as_ref().unwrap();
    let names: Vec<&str> = headers.inner().keys().map(|name| name.as_str()).collect();
    assert_eq!(names, ["eddy-key", "eddy-tombstone"]);
    assert_eq!(letter.id, "r:id:3:42");
}

#[test]
fn what_amqp_has_no_room_for_is_rejected() {
    let by_key = settings(&[("routing.key", "{key}")]);
    let key = |key: Option<&[u8]>| Packed {
        key: key.map(Bytes::copy_from_slice),
        ..packed()
    };
    let told = |record: &Packed| {
        let error = Letter::of(record, &by_key).unwrap_err();
        assert_eq!(error.kind(), crate::error::ErrorKind::Rejected, "{error}");
        error.to_string()
    };
    assert!(told(&key(None)).contains("needs a key"));
    assert!(told(&key(Some(b"\xff"))).contains("is no text"));
    assert!(told(&key(Some(&[b'x'; 256]))).contains("has 256 bytes"));
    assert!(Letter::of(&key(Some(&[b'x'; 255])), &by_key).is_ok());
    let large = Packed {
        headers: vec![("h".to_owned(), Some(vec![0; 64 << 10].into()))],
        ..packed()
    };
    let error = Letter::of(&large, &settings(&[])).unwrap_err();
    assert!(
        error.to_string().contains("key and headers take"),
        "{error}"
    );
}

#[test]
fn an_id_that_is_too_long_is_its_digest() {
    let record = Packed {
        id: "x".repeat(256),
        ..packed()
    };
    let letter = Letter::of(&record, &settings(&[])).unwrap();
    assert_eq!(letter.id.len(), 64);
    assert!(letter.properties.message_id().is_some());
}
