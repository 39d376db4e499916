//! Records as a client encodes them by the `.proto` files, and what becomes of them.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use proptest::prelude::*;
use prost::Message as _;
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MapKey, MessageDescriptor, Value};

use super::*;
use crate::collect::grpc::{described, fields};

/// The message of a method's records.
fn described(name: &str) -> MessageDescriptor {
    let pool = described::compile().unwrap().descriptor_pool();
    let service = pool.get_service_by_name("services.GRPCCollector").unwrap();
    let method = service.methods().find(|method| method.name() == name);
    match method.unwrap().input().get_field(1).unwrap().kind() {
        Kind::Message(record) => record,
        other => unreachable!("{other:?}"),
    }
}

fn encoded(name: &str, fields: &[(&str, Value)]) -> Bytes {
    let mut record = DynamicMessage::new(described(name));
    for (field, value) in fields {
        record.set_field_by_name(field, value.clone());
    }
    record.encode_to_vec().into()
}

fn read(name: &str, record: impl Into<Bytes>) -> (Event, Option<Mark>) {
    let event = event(fields::method(name).unwrap(), "clicks", 0, record.into()).unwrap();
    let mark = event.mark;
    (event, mark)
}

fn headers(event: &Event) -> Vec<(&str, &str)> {
    let headers = event.headers.iter();
    headers
        .map(|(name, value)| (name.as_ref(), std::str::from_utf8(value).unwrap()))
        .collect()
}

fn string(text: &str) -> Value {
    Value::String(text.to_owned())
}

fn bytes(text: &'static str) -> Value {
    Value::Bytes(Bytes::from_static(text.as_bytes()))
}

fn map(pairs: &[(&str, Value)]) -> Value {
    let pairs = pairs.iter();
    Value::Map(
        pairs
            .map(|(key, value)| (MapKey::String((*key).to_owned()), value.clone()))
            .collect(),
    )
}

#[test]
fn a_record_of_kafka_keeps_its_place_its_key_and_its_headers_in_order() {
    let described = described("AddKafkaRecord");
    let Kind::Message(header) = described.get_field(7).unwrap().kind() else {
        unreachable!();
    };
    let header = |key: &str, value: &str| {
        let mut pair = DynamicMessage::new(header.clone());
        pair.set_field_by_name("key", string(key));
        pair.set_field_by_name("value", string(value));
        Value::Message(pair)
    };
    let record = encoded(
        "AddKafkaRecord",
        &[
            ("topic", string("orders")),
            ("key", bytes("k")),
            ("value", bytes("v")),
            ("timestamp", Value::I64(-5)),
            (
                "headers",
                Value::List(vec![header("b", "1"), header("a", ""), header("b", "2")]),
            ),
        ],
    );
    let (event, _) = read("AddKafkaRecord", record);
    assert_eq!(event.key.as_deref(), Some(b"k".as_slice()));
    assert_eq!(event.value, "v");
    let expected = [
        ("kafka-timestamp", "-5"),
        ("b", "1"),
        ("a", ""),
        ("b", "2"),
        ("kafka-topic", "orders"),
        ("kafka-partition", "0"),
        ("kafka-offset", "0"),
    ];
    assert_eq!(headers(&event), expected);
    let (empty, _) = read("AddKafkaRecord", Bytes::new());
    assert_eq!(empty.key, None, "an empty key is none");
    assert_eq!(empty.value, "", "and an empty value is none that is null");
}

/// A value that tells which field it is of, and the texts that must be kept of it.
fn telling(field: &FieldDescriptor, kept: &mut Vec<String>) -> Value {
    let name = field.full_name().to_owned();
    if field.is_map() {
        let Kind::Message(entry) = field.kind() else {
            unreachable!("{name}");
        };
        kept.push(format!("name of {name}"));
        let value = telling(&entry.map_entry_value_field(), kept);
        return map(&[(&format!("name of {name}"), value)]);
    }
    let number = i32::try_from(field.number()).unwrap();
    let value = match field.kind() {
        Kind::String => string(&name),
        Kind::Bytes => Value::Bytes(name.clone().into()),
        Kind::Bool => Value::Bool(true),
        Kind::Int32 => Value::I32(-number - 7_000),
        Kind::Int64 => Value::I64(-i64::from(number) - 5_000_000_000),
        Kind::Uint32 => Value::U32(u32::MAX - field.number()),
        Kind::Uint64 => Value::U64(u64::MAX - u64::from(field.number())),
        Kind::Message(inner) => {
            let mut message = DynamicMessage::new(inner.clone());
            for field in inner.fields() {
                // Of a text and bytes an attribute has one.
                if field.name() != "stringvalue" {
                    let value = telling(&field, kept);
                    message.set_field(&field, value);
                }
            }
            let message = Value::Message(message);
            return if field.is_list() {
                Value::List(vec![message])
            } else {
                message
            };
        }
        other => unreachable!("{name}: {other:?}"),
    };
    kept.push(match &value {
        Value::String(text) => text.clone(),
        Value::Bytes(_) => name,
        Value::Bool(_) => "true".to_owned(),
        Value::I32(number) => number.to_string(),
        Value::I64(number) => number.to_string(),
        Value::U32(number) => number.to_string(),
        Value::U64(number) => number.to_string(),
        other => unreachable!("{other:?}"),
    });
    value
}

#[test]
fn nothing_that_any_record_says_is_lost() {
    for method in &fields::METHODS {
        let described = described(method.name);
        let mut record = DynamicMessage::new(described.clone());
        let mut kept = Vec::new();
        for field in described.fields() {
            let value = telling(&field, &mut kept);
            record.set_field(&field, value);
        }
        let (event, _) = read(method.name, record.encode_to_vec());
        let headers = headers(&event);
        for text in kept {
            let key = event.key.as_deref() == Some(text.as_bytes());
            let mut there = headers.iter().flat_map(|(name, value)| [name, value]);
            // Maps may have prefixes.
            let is_there = key || event.value == text || there.any(|it| it.ends_with(&text));
            assert!(is_there, "{}: {text} in {event:?}", method.name);
        }
    }
}

#[test]
fn the_order_of_a_map_is_no_difference_and_typed_attributes_keep_their_types() {
    let one = |key: &str| encoded("AddRecord", &[("metadata", map(&[(key, string("x"))]))]);
    let time = encoded(
        "AddRecord",
        &[("timestamp", Value::I64(1_700_000_000_000_000_001))],
    );
    let both = |a: &str, b: &str| [one(a), time.clone(), one(b)].concat();
    let (first, mark) = read("AddRecord", both("a", "b"));
    assert_eq!((first, mark), read("AddRecord", both("b", "a")));
    assert!(mark.is_some());
    let Kind::Message(entry) = described("AddSQSRecord").get_field(2).unwrap().kind() else {
        unreachable!();
    };
    let Kind::Message(attribute) = entry.map_entry_value_field().kind() else {
        unreachable!();
    };
    let attribute = |kind: &str, field: &str, value: Value| {
        let mut attribute = DynamicMessage::new(attribute.clone());
        attribute.set_field_by_name("datatype", string(kind));
        attribute.set_field_by_name(field, value);
        Value::Message(attribute)
    };
    let attributes = map(&[
        ("n", attribute("Number", "stringvalue", string("7"))),
        ("s", attribute("String", "stringvalue", string("t"))),
        ("b", attribute("Binary", "binaryvalue", bytes("raw"))),
    ]);
    let (event, _) = read(
        "AddSQSRecord",
        encoded("AddSQSRecord", &[("messageattributes", attributes)]),
    );
    let expected = [
        ("b", "raw"),
        ("n", "7"),
        ("s", "t"),
        ("sqs-datatype-n", "Number"),
    ];
    assert_eq!(headers(&event), expected);
}

#[test]
fn a_record_is_known_again_by_its_place_its_id_or_a_fine_time_and_by_what_it_says() {
    let kafka = |topic: &str, offset: i64, value: &'static str, timestamp: i64| {
        let fields = [
            ("topic", string(topic)),
            ("offset", Value::I64(offset)),
            ("value", bytes(value)),
            ("timestamp", Value::I64(timestamp)),
        ];
        read("AddKafkaRecord", encoded("AddKafkaRecord", &fields)).1
    };
    let known = kafka("t", 7, "v", 1);
    assert!(known.is_some());
    assert_eq!(known, kafka("t", 7, "v", 2), "whenever it was sent");
    for other in [
        kafka("t", 8, "v", 1),
        kafka("u", 7, "v", 1),
        // A topic that was made again.
        kafka("t", 7, "w", 1),
        // Clients that say no place.
        kafka("t", 0, "v", 1),
        kafka("", 7, "v", 1),
    ] {
        assert_ne!(known, other);
    }
    let sqs = |id: &str| {
        read(
            "AddSQSRecord",
            encoded("AddSQSRecord", &[("messageid", string(id))]),
        )
    };
    assert_eq!(sqs("a").1, sqs("a").1);
    assert_ne!(sqs("a").1, sqs("b").1);
    assert_eq!(sqs("").1, None);
    let timed = |index: usize, timestamp: i64| {
        let record = encoded("AddRecord", &[("timestamp", Value::I64(timestamp))]);
        let method = fields::method("AddRecord").unwrap();
        event(method, "clicks", index, record).unwrap().mark
    };
    let fine = 1_700_000_000_000_000_001;
    assert!(timed(0, fine).is_some());
    assert_eq!(timed(0, fine), timed(0, fine));
    assert_ne!(timed(0, fine), timed(1, fine));
    for coarse in [
        0,
        1_700_000_000,
        1_700_000_000_001,
        1_700_000_000_001_000_000,
    ] {
        assert_eq!(timed(0, coarse), None, "{coarse}");
    }
}

#[test]
fn what_is_no_record_is_told_by_its_field() {
    let method = fields::method("AddKafkaRecord").unwrap();
    let wrong = |record: &'static [u8]| event(method, "c", 0, record.into()).unwrap_err();
    assert!(wrong(b"\x08\x01").contains("field 1"), "a number as topic");
    assert!(wrong(b"\x2a\x01x").contains("field 5"), "a text as offset");
    assert!(
        wrong(b"\x3a\x03\x0a\x01\xff").contains("UTF-8"),
        "a header's name"
    );
    assert!(wrong(b"\x1a\x05abc").contains("too early"));
    let event = event(method, "c", 0, Bytes::from_static(b"\xf8\x07\x01\x1a\x01v")).unwrap();
    assert_eq!(event.value, "v", "unknown fields are passed over");
}

#[test]
fn records_are_cut_out_of_a_message_one_by_one() {
    let cut = |message: &'static [u8]| Records(message.into()).collect::<Vec<_>>();
    let (a, b) = (Bytes::from_static(b"a"), Bytes::new());
    assert_eq!(cut(b"\x0a\x01a\x10\x07\x0a\x00"), [Ok(a.clone()), Ok(b)]);
    let broken = cut(b"\x0a\x01a\x0a\x09b");
    assert_eq!(broken[0], Ok(a));
    assert!(broken[1].is_err() && broken.len() == 2);
    assert!(cut(b"\x08\x01")[0].is_err());
}

proptest! {
    #[test]
    fn any_bytes_are_a_record_or_an_error(message: Vec<u8>, number in 0..14_usize) {
        let method = &fields::METHODS[number];
        for record in Records(message.into()).take(100).flatten() {
            let _ = event(method, "c", 0, record);
        }
    }
}
