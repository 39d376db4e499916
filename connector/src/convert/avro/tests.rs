//! Avro values by hand: every type, and bytes that are none.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use eddy_engine::Value;

use super::schema::AvroOptions;
use super::{Plan, connect_schema, decode};
use crate::data::{Kind, TIMESTAMP};

fn plan(schema: &str) -> Plan {
    Plan::parse(&[], schema, AvroOptions::default()).unwrap()
}

fn read(schema: &str, bytes: &[u8]) -> Result<Value, String> {
    decode(&plan(schema), bytes)
}

fn long(value: i64) -> Vec<u8> {
    let mut left = ((value << 1) ^ (value >> 63)) as u64;
    let mut bytes = Vec::new();
    while left >= 0x80 {
        bytes.push(left as u8 | 0x80);
        left >>= 7;
    }
    bytes.push(left as u8);
    bytes
}

fn text(value: &str) -> Value {
    Value::Text(value.to_owned())
}

fn object(members: &[(&str, Value)]) -> Value {
    let members = members.iter();
    let members = members.map(|(key, value)| ((*key).to_owned(), value.clone()));
    Value::Object(members.collect())
}

fn record(fields: &str) -> String {
    format!(r#"{{"type":"record","name":"R","namespace":"n.s","fields":[{fields}]}}"#)
}

#[test]
fn every_type_is_read_as_what_it_is() {
    let schema = record(
        r#"{"name":"b","type":"boolean"},{"name":"i","type":"int"},{"name":"l","type":"long"},
           {"name":"f","type":"float"},{"name":"d","type":"double"},{"name":"y","type":"bytes"},
           {"name":"s","type":"string"},{"name":"n","type":"null"},
           {"name":"e","type":{"type":"enum","name":"E","symbols":["A","B"]}},
           {"name":"x","type":{"type":"fixed","name":"F","size":2}},
           {"name":"a","type":{"type":"array","items":"int"}},
           {"name":"m","type":{"type":"map","values":"E"}}"#,
    );
    let mut bytes = vec![1];
    bytes.extend(long(-7));
    bytes.extend(long(i64::MIN));
    bytes.extend(0.5_f32.to_le_bytes());
    bytes.extend((-0.1_f64).to_le_bytes());
    bytes.extend([4, 0, 255, 4]);
    bytes.extend("é".as_bytes());
    bytes.extend([2, 9, 8]);
    // A block whose length in bytes is given, then one without.
    bytes.extend([3, 4, 2, 4, 2, 6, 0]);
    bytes.extend([2, 2, b'k', 0, 0]);
    let wanted = object(&[
        ("b", Value::Boolean(true)),
        ("i", Value::Integer(-7)),
        ("l", Value::Integer(i64::MIN.into())),
        ("f", Value::Double(0.5)),
        ("d", Value::Double(-0.1)),
        ("y", Value::Binary(vec![0, 255])),
        ("s", text("é")),
        ("n", Value::Null),
        ("e", text("B")),
        ("x", Value::Binary(vec![9, 8])),
        ("a", Value::List([1, 2, 3].map(Value::Integer).into())),
        ("m", object(&[("k", text("A"))])),
    ]);
    assert_eq!(read(&schema, &bytes), Ok(wanted));
}

#[test]
fn logical_types_keep_every_digit_and_every_microsecond() {
    let of = |kind: &str, logical: &str, bytes: &[u8]| {
        let schema = format!(r#"{{"type":"{kind}","logicalType":"{logical}","scale":2}}"#);
        read(&schema, bytes).unwrap()
    };
    assert_eq!(of("int", "date", &long(-1)), Value::Date(-1));
    assert_eq!(of("int", "time-millis", &long(1_500)), text("00:00:01.5"));
    assert_eq!(of("long", "time-micros", &long(1)), text("00:00:00.000001"));
    assert_eq!(
        of("long", "timestamp-millis", &long(-1)),
        Value::Timestamp(-1_000)
    );
    assert_eq!(
        of("long", "timestamp-micros", &long(7)),
        Value::Timestamp(7)
    );
    assert_eq!(
        of("long", "timestamp-nanos", &long(7_000)),
        Value::Timestamp(7)
    );
    assert_eq!(
        of("long", "timestamp-nanos", &long(7_001)),
        text("1970-01-01T00:00:00.000007001Z")
    );
    assert_eq!(
        of("long", "local-timestamp-micros", &long(5)),
        text("1970-01-01T00:00:00.000005")
    );
    let decimal = |unscaled| Value::Decimal { unscaled, scale: 2 };
    assert_eq!(of("bytes", "decimal", &[4, 0xfe, 0x0c]), decimal(-500));
    let digits = 99_999_999_999_999_999_999_999_999_999_999_999_999_i128;
    let mut bytes = vec![32];
    bytes.extend(digits.to_be_bytes());
    assert_eq!(of("bytes", "decimal", &bytes), decimal(digits));
    let uuid = "00112233-4455-6677-8899-aabbccddeeff";
    let mut bytes = vec![72];
    bytes.extend(uuid.as_bytes());
    assert_eq!(of("string", "uuid", &bytes), text(uuid));
    // A logical type that doesn't fit its type is none.
    assert_eq!(of("long", "date", &long(3)), Value::Integer(3));
    assert_eq!(of("string", "made-up", &[2, b'x']), text("x"));

    let fixed = |logical: &str, size: usize, bytes: &[u8]| {
        let schema = format!(
            r#"{{"type":"fixed","name":"F","size":{size},"logicalType":"{logical}","scale":1}}"#
        );
        read(&schema, bytes).unwrap()
    };
    let bytes: Vec<u8> = (0..16).map(|at| at * 0x11).collect();
    assert_eq!(fixed("uuid", 16, &bytes), text(uuid));
    let unscaled = -1;
    assert_eq!(
        fixed("decimal", 3, &[255; 3]),
        Value::Decimal { unscaled, scale: 1 }
    );
    let duration = [1, 0, 0, 0, 2, 0, 0, 0, 0xdc, 5, 0, 0];
    assert_eq!(fixed("duration", 12, &duration), text("P1M2DT1.500S"));
}

#[test]
fn a_union_is_its_value_or_an_object_that_names_the_branch() {
    let optional = r#"["null","string"]"#;
    assert_eq!(read(optional, &[0]), Ok(Value::Null));
    assert_eq!(read(optional, &[2, 2, b'x']), Ok(text("x")));
    let several = r#"["null","string","long",{"type":"record","name":"a.b.C","fields":[]}]"#;
    assert_eq!(read(several, &[0]), Ok(Value::Null));
    assert_eq!(
        read(several, &[2, 2, b'x']),
        Ok(object(&[("string", text("x"))]))
    );
    let member = object(&[("long", Value::Integer(5))]);
    assert_eq!(read(several, &[4, 10]), Ok(member));
    assert_eq!(read(several, &[6]), Ok(object(&[("C", object(&[]))])));
    let single = r#"["int"]"#;
    assert_eq!(read(single, &[0, 2]), Ok(Value::Integer(1)));
    let options = AvroOptions {
        flatten_singletons: false,
        full_names: true,
        ..AvroOptions::default()
    };
    let of = |schema: &str, options| Plan::parse(&[], schema, options).unwrap();
    let kept = decode(&of(single, options), &[0, 2]);
    assert_eq!(kept, Ok(object(&[("int", Value::Integer(1))])));
    assert_eq!(
        decode(&of(several, options), &[6]),
        Ok(object(&[("a.b.C", object(&[]))]))
    );
    let options = AvroOptions {
        numbered_branches: true,
        ..AvroOptions::default()
    };
    let numbered = decode(&of(several, options), &[4, 10]);
    assert_eq!(
        numbered,
        Ok(object(&[("connect_union_field_2", Value::Integer(5))]))
    );
}

#[test]
fn a_type_that_contains_itself_ends_where_its_value_does() {
    let list = r#"{"type":"record","name":"Node","fields":[
        {"name":"v","type":"int"},{"name":"next","type":["null","Node"]}]}"#;
    let value = read(list, &[2, 2, 4, 0]).unwrap();
    let inner = object(&[("v", Value::Integer(2)), ("next", Value::Null)]);
    assert_eq!(value, object(&[("v", Value::Integer(1)), ("next", inner)]));
    assert_eq!(connect_schema(&plan(list)), None);
    let endless = [[2, 2].as_slice(); 100_000].concat();
    assert!(read(list, &endless).unwrap_err().contains("nested deeper"));
}

#[test]
fn names_are_found_in_their_namespace_and_in_references() {
    let references = [
        (
            "a",
            r#"{"type":"enum","name":"Color","namespace":"x.y","symbols":["RED"]}"#,
        ),
        (
            "b",
            r#"{"type":"record","name":"x.y.Box","fields":[{"name":"c","type":"Color"}]}"#,
        ),
    ];
    let references = references.map(|(name, text)| (name.to_owned(), text.to_owned()));
    let schema = r#"{"type":"record","name":"R","namespace":"other","fields":[
        {"name":"box","type":"x.y.Box"},{"name":"colors","type":{"type":"array","items":"x.y.Color"}}]}"#;
    let plan = Plan::parse(&references, schema, AvroOptions::default()).unwrap();
    let wanted = object(&[
        ("box", object(&[("c", text("RED"))])),
        ("colors", Value::List(vec![text("RED")])),
    ]);
    assert_eq!(decode(&plan, &[0, 2, 0, 0]), Ok(wanted));
    let missing = Plan::parse(&[], schema, AvroOptions::default()).unwrap_err();
    assert!(missing.contains("`x.y.Box`"), "{missing}");
}

#[test]
fn a_default_that_does_not_fit_and_a_strange_name_cost_no_record() {
    let schema = record(r#"{"name":"a-b c","type":"int","default":"none"}"#);
    let wanted = object(&[("a-b c", Value::Integer(1))]);
    assert_eq!(read(&schema, &[2]), Ok(wanted));
}

#[test]
fn broken_bytes_are_refused_with_what_and_where() {
    let schema = record(
        r#"{"name":"s","type":"string"},{"name":"u","type":["null","int"]},
           {"name":"l","type":{"type":"array","items":"null"}}"#,
    );
    let good = [2, b'x', 0, 0];
    assert!(read(&schema, &good).is_ok());
    for (bytes, needle) in [
        (&[][..], "broken off"),
        (
            &[2],
            "field `s`: the value is broken off: 1 bytes wanted, 0 left at byte 1 of 1",
        ),
        (&[1], "a length of -1"),
        (&[2, 0xff, 0, 0], "no UTF-8"),
        (&[2, b'x', 4, 0], "no such branch"),
        (&[2, b'x', 0, 0, 9], "1 bytes follow the value"),
        (&[2, b'x', 2, 0xff, 0xff, 0xff, 0xff, 0x7f], "32 bits"),
        // Elements that take no bytes.
        (&[2, b'x', 0, 0xfe, 0xff, 0xff, 0xff, 0x7f], "elements"),
        (&[0xff; 20], "too long"),
    ] {
        let error = read(&schema, bytes).unwrap_err();
        assert!(error.contains(needle), "{bytes:?}: {error}");
    }
}

#[test]
fn connects_schema_says_what_transforms_need() {
    let schema = record(
        r#"{"name":"at","type":["null",{"type":"long","logicalType":"timestamp-micros"}]},
           {"name":"small","type":{"type":"int","connect.type":"int8"},"default":3},
           {"name":"u","type":["int","string"]}"#,
    );
    let connect = connect_schema(&plan(&schema)).unwrap();
    assert_eq!(connect.name.as_deref(), Some("n.s.R"));
    let Kind::Struct(fields) = &connect.kind else {
        panic!("{connect:?}")
    };
    assert_eq!(fields[0].schema.name.as_deref(), Some(TIMESTAMP));
    assert!(fields[0].schema.optional && !fields[1].schema.optional);
    assert_eq!(fields[1].schema.kind, Kind::Int8);
    assert_eq!(fields[1].schema.default, Some(Value::Integer(3)));
    assert!(matches!(&fields[2].schema.kind, Kind::Struct(members) if members.len() == 2));
}

#[test]
fn any_bytes_are_a_value_or_refused() {
    let schema = record(
        r#"{"name":"a","type":{"type":"array","items":["null","string","bytes","n.s.R"]}},
           {"name":"m","type":{"type":"map","values":"double"}}"#,
    );
    let plan = plan(&schema);
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for round in 0..20_000 {
        let mut bytes = Vec::new();
        for _ in 0..round % 40 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            bytes.push((state >> 33) as u8 >> (state >> 61));
        }
        // What it says matters less here than that it says something, soon.
        let _ = decode(&plan, &bytes);
    }
}

#[test]
fn elements_that_take_no_bytes_are_no_way_to_fill_memory() {
    let schema = r#"{"type":"array","items":"null"}"#;
    let blocks = |counts: &[i64]| {
        let mut bytes: Vec<u8> = counts.iter().flat_map(|count| long(*count)).collect();
        bytes.push(0);
        read(schema, &bytes)
    };
    assert_eq!(blocks(&[3]), Ok(Value::List(vec![Value::Null; 3])));
    let few = blocks(&[50_000, 10_000]).unwrap();
    assert!(matches!(few, Value::List(elements) if elements.len() == 60_000));
    let many = [1 << 17, 1 << 23, i64::MAX, i64::MIN].map(|count| vec![count]);
    for counts in many.into_iter().chain([vec![50_000; 300]]) {
        let refused = blocks(&counts).unwrap_err();
        assert!(refused.starts_with("a list of "), "{refused}");
    }
}
