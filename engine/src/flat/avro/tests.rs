//! Files of Avro, taken apart again.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod apart;
mod codecs;

use std::sync::Arc;

use super::*;
use crate::flat::{Compression, Decimals, Flat, Form, Frame, Order};
use crate::record::{Avro as Bytes, Decoded, Header, Record, TimestampType, TopicId};
use crate::schema::{Limits, envelope_schema};
use crate::shred::{Payload, Shredder};
use apart::{long, parse};

const SYNC: [u8; 16] = *b"0123456789abcdef";

fn flat(codec: BlockCodec, shape: Shape) -> Flat {
    Flat {
        form: Form::Avro(Avro {
            codec,
            shape,
            record: "a.b.Default".to_owned(),
            envelope: "c.Records".to_owned(),
        }),
        frame: Frame::default(),
        compression: Compression::None,
        decimals: Decimals::default(),
    }
}

fn record<'a>(offset: i64, key: Option<&'a [u8]>, value: Option<&'a [u8]>) -> Record<'a> {
    Record {
        partition: 0,
        offset,
        timestamp_ms: Some(1_577_836_800_000 + offset),
        timestamp_type: TimestampType::Create,
        key,
        value,
        headers: &[],
        decoded: Decoded::default(),
    }
}

/// The rows of records, as they wait for their files.
fn batches(flat: &Flat, book: &Book, records: &[(Record<'_>, Payload<'_>)]) -> Vec<RecordBatch> {
    let topic_id = TopicId::new("AAAAAAAAAAAAAAAAAAAAAQ");
    let mut shredder = Shredder::new("t", topic_id, &envelope_schema(), Limits::default());
    let mut text = Vec::new();
    for (record, payload) in records {
        let with = (Converter::Auto, book, &mut text);
        flat.waiting(record, *payload, with, |record, payload| {
            shredder.append_payload(record, payload, 0);
        });
    }
    shredder.finish().unwrap()
}

/// The schema and the bytes of the only block of a file, which has all of the records.
fn file(flat: &Flat, book: &Book, batches: &[RecordBatch]) -> (Json, Vec<u8>) {
    let id = uuid::Uuid::from_bytes(SYNC);
    let (bytes, rows) = flat.object(batches, Order::Offsets, (book, id)).unwrap();
    let (schema, codec, mut blocks) = parse(&bytes);
    assert_eq!((codec.as_str(), blocks.len()), ("null", 1));
    let (records, block) = blocks.remove(0);
    assert_eq!(records, i64::try_from(rows).unwrap());
    (schema, block)
}

/// What a file of such values is.
fn of_values(values: &[Value]) -> (Json, Vec<u8>) {
    let (flat, book) = (
        flat(BlockCodec::Null, Shape::Alone(Part::Value)),
        Book::default(),
    );
    let records = (0..).zip(values);
    let records =
        records.map(|(offset, value)| (record(offset, None, Some(b"?")), Payload::Value(value)));
    let rows = batches(&flat, &book, &records.collect::<Vec<_>>());
    file(&flat, &book, &rows)
}

fn object(members: &[(&str, Value)]) -> Value {
    let members = members.iter();
    Value::Object(
        members
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect(),
    )
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

#[test]
fn objects_are_records_of_all_their_members_each_null_or_what_it_is() {
    let values = [
        object(&[("id", Value::Integer(-1)), ("a-b", text("é"))]),
        object(&[("at", Value::Timestamp(1_000)), ("id", Value::Integer(300))]),
    ];
    let (schema, block) = of_values(&values);
    let moment = json!({"type": "long", "logicalType": "timestamp-millis"});
    let field =
        |name: &str, kind: Json| json!({"name": name, "type": ["null", kind], "default": null});
    let wanted = json!({
        "type": "record", "name": "Default", "namespace": "a.b",
        "fields": [
            field("id", json!("long")), field("a_2Db", json!("string")), field("at", moment),
        ],
    });
    assert_eq!(schema, wanted);
    assert_eq!(block, [2, 1, 2, 4, 0xC3, 0xA9, 0, 2, 0xD8, 4, 0, 2, 2]);
}

#[test]
fn each_kind_of_value_has_its_type_and_every_digit() {
    let decimal = |unscaled, scale| Value::Decimal { unscaled, scale };
    for (values, schema, block) in [
        (vec![Value::Boolean(true)], json!("boolean"), vec![1]),
        (
            vec![Value::Binary(vec![7, 255])],
            json!("bytes"),
            vec![4, 7, 255],
        ),
        (
            vec![Value::Date(3)],
            json!({"type": "int", "logicalType": "date"}),
            vec![6],
        ),
        (
            vec![Value::Timestamp(-1)],
            json!({"type": "long", "logicalType": "timestamp-micros"}),
            vec![1],
        ),
        (
            vec![decimal(-5, 1), decimal(250, 2)],
            json!({"type": "bytes", "logicalType": "decimal", "precision": 38, "scale": 2}),
            vec![2, 0xCE, 4, 0, 0xFA],
        ),
    ] {
        assert_eq!(of_values(&values), (schema, block), "{values:?}");
    }
}

#[test]
fn several_kinds_are_a_union_and_what_no_type_holds_is_text() {
    let list = Value::List(vec![Value::Integer(1), text("x"), Value::Null]);
    let decimal = |unscaled, scale| Value::Decimal { unscaled, scale };
    for (values, schema, block) in [
        // Integers beside other numbers are doubles unless one would lose a digit.
        (
            vec![Value::Integer(1), Value::Double(0.5)],
            json!("double"),
            [1_f64.to_le_bytes(), 0.5_f64.to_le_bytes()].concat(),
        ),
        (
            vec![Value::Integer((1 << 53) + 1), Value::Double(0.5)],
            json!(["long", "double"]),
            [
                &[0, 0x82, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x20, 2][..],
                &0.5_f64.to_le_bytes(),
            ]
            .concat(),
        ),
        // What no type holds is text.
        (
            vec![Value::Integer(1 << 64)],
            json!("string"),
            b"\x2818446744073709551616".to_vec(),
        ),
        (vec![decimal(1, 39)], json!("string"), {
            let digits = format!("0.{:0>39}", 1);
            [vec![82], digits.into_bytes()].concat()
        }),
        (
            vec![Value::Integer(1), Value::Timestamp(0)],
            json!(["long", "string"]),
            [&[0, 2, 2, 40][..], b"1970-01-01T00:00:00Z"].concat(),
        ),
        (
            vec![list],
            json!({"type": "array", "items": ["null", "long", "string"]}),
            vec![6, 2, 2, 4, 2, b'x', 0, 0],
        ),
        (
            vec![Value::List(Vec::new())],
            json!({"type": "array", "items": "null"}),
            vec![0],
        ),
        (
            vec![text("a"), Value::Null],
            json!(["null", "string"]),
            vec![2, 2, b'a', 0],
        ),
    ] {
        assert_eq!(of_values(&values), (schema, block), "{values:?}");
    }
}

#[test]
fn names_without_end_are_a_map_and_those_within_each_other_differ() {
    let member = |n: usize| (format!("k{n}"), Value::Integer(n as i128));
    let wide = Value::Object((0..=kinds::MEMBERS_MOST).map(member).collect());
    let (schema, _) = of_values(&[object(&[("all", wide)])]);
    let all = json!(["null", {"type": "map", "values": "long"}]);
    assert_eq!(schema["fields"][0]["type"], all);
    let inner = object(&[("x", object(&[]))]);
    let (schema, block) = of_values(&[object(&[("a", inner)])]);
    let named = &schema["fields"][0]["type"][1];
    assert_eq!(named["name"], "Default2");
    assert_eq!(named["fields"][0]["type"][1]["name"], "Default3");
    assert_eq!(block, [2, 2]);
}

#[test]
fn bytes_that_nobody_decoded_are_json_or_text_or_bytes() {
    let (flat, book) = (
        flat(BlockCodec::Null, Shape::Alone(Part::Value)),
        Book::default(),
    );
    let of = |value: &'static [u8]| {
        let record = record(0, None, Some(value));
        let rows = batches(&flat, &book, &[(record, Payload::Original)]);
        let errors = rows[0].column_by_name("_error").unwrap();
        match errors.is_valid(0) {
            true => None,
            false => Some(file(&flat, &book, &rows).0),
        }
    };
    assert_eq!(of(b"{\"a\": 1}").unwrap()["fields"][0]["name"], "a");
    assert_eq!(of(b"7"), Some(json!("long")));
    assert_eq!(of(b"plain"), Some(json!("string")));
    assert_eq!(of(b"\xFF"), Some(json!("bytes")));
    assert_eq!(of(b"{broken"), None, "P18");
}

#[test]
fn avro_stays_as_it_came_and_each_schema_has_its_own_files() {
    let (flat, book) = (
        flat(BlockCodec::Null, Shape::Alone(Part::Value)),
        Book::default(),
    );
    let schemas: [Arc<str>; 3] = [
        r#"{"type":"record","name":"A","fields":[{"name":"e","type":{"type":"enum","name":"E","symbols":["X"]}}]}"#,
        r#"["string","int"]"#,
        r#"["null","int"]"#,
    ]
    .map(Arc::from);
    // The same text again, as after a schema was fetched anew.
    let again: Arc<str> = schemas[0].as_ref().into();
    let value = Value::Boolean(true);
    let avro = |offset, schema, bytes: &'static [u8]| {
        let mut record = record(offset, None, Some(b"?"));
        record.decoded.value_avro = Some(Bytes { schema, bytes });
        (record, Payload::Value(&value))
    };
    let null = |offset| (record(offset, None, None), Payload::Value(&Value::Null));
    let rows = |records: &[_]| batches(&flat, &book, records);

    let mixed = rows(&[
        avro(0, &schemas[0], b"\x00"),
        avro(1, &schemas[1], b"\x02\x0A"),
        null(2),
        avro(3, &again, b"\x00"),
    ]);
    let found = classes(&mixed[0], Apart::Values, &book).unwrap();
    let (one, other) = (found[0].unwrap(), found[1].unwrap());
    assert!(one != other && one > 0 && other > 0);
    assert_eq!(found[2..], [None, Some(one)]);
    let plain = rows(&[(record(0, None, Some(b"7")), Payload::Original)]);
    assert_eq!(classes(&plain[0], Apart::Values, &book).unwrap(), [Some(0)]);

    let json = |at: usize| serde_json::from_str::<Json>(&schemas[at]).unwrap();
    let only = rows(&[avro(0, &schemas[0], b"\x00"), avro(1, &again, b"\x00")]);
    assert_eq!(file(&flat, &book, &only), (json(0), vec![0, 0]));
    let with_null = rows(&[avro(0, &schemas[0], b"\x00"), null(1)]);
    let wanted = (json!(["null", json(0)]), vec![2, 0, 0]);
    assert_eq!(file(&flat, &book, &with_null), wanted);
    let union = rows(&[avro(0, &schemas[1], b"\x02\x0A"), null(1)]);
    let wanted = (json!(["string", "int", "null"]), vec![2, 10, 4]);
    assert_eq!(file(&flat, &book, &union), wanted);
    let optional = rows(&[avro(0, &schemas[2], b"\x02\x0A"), null(1)]);
    assert_eq!(file(&flat, &book, &optional), (json(2), vec![2, 10, 0]));
}

#[test]
fn keys_and_headers_have_files_of_their_own_or_fields() {
    let headers = [("h", Some(&b"1"[..])), ("n", None), ("h", Some(b"2"))];
    let headers = headers.map(|(name, value)| Header { name, value });
    let mut first = record(0, Some(b"{\"id\": 1}"), Some(b"a"));
    first.headers = &headers;
    let records = [
        first,
        record(1, Some(b"k"), Some(b"b")),
        record(2, None, Some(b"c")),
    ];
    let records = records.map(|record| (record, Payload::Original));
    let book = Book::default();
    let of = |shape| {
        let flat = flat(BlockCodec::Null, shape);
        file(&flat, &book, &batches(&flat, &book, &records))
    };
    let (schema, _) = of(Shape::Alone(Part::Key));
    let id = json!({"name": "id", "type": ["null", "long"], "default": null});
    let key = json!({
        "type": "record", "name": "Default", "namespace": "a.b",
        "fields": [id],
    });
    assert_eq!(schema, json!(["null", key, "string"]));
    let (schema, block) = of(Shape::Alone(Part::KeyText));
    assert_eq!(schema, json!(["null", "string"]));
    assert_eq!(
        block,
        [&b"\x02\x12{\"id\": 1}"[..], b"\x02\x02k", b"\x00"].concat()
    );
    assert_eq!(of(Shape::Alone(Part::KeyBytes)).0, json!(["null", "bytes"]));

    let (schema, block) = of(Shape::Alone(Part::Headers));
    let fields = json!([
        {"name": "key", "type": "string"},
        {"name": "value", "type": ["null", "string"], "default": null},
    ]);
    assert_eq!(schema["items"]["fields"], fields);
    assert_eq!(
        block,
        b"\x06\x02h\x02\x021\x02n\x00\x02h\x02\x022\x00\x00\x00"
    );

    let parts = [Part::Offset, Part::Timestamp, Part::Headers, Part::Value];
    let (schema, block) = of(Shape::Envelope(parts.to_vec()));
    let wanted = json!({
        "type": "record", "name": "Records", "namespace": "c",
        "fields": [
            {"name": "offset", "type": "long"},
            {"name": "timestamp", "type": "long"},
            {"name": "headers", "type": {"type": "map", "values": ["null", "string"]}},
            {"name": "value", "type": "string"},
        ],
    });
    assert_eq!(schema, wanted);
    let mut rest = &block[..];
    assert_eq!((long(&mut rest), long(&mut rest)), (0, 1_577_836_800_000));
    assert!(
        rest.starts_with(b"\x04\x02h\x02\x022\x02n\x00\x00\x02a"),
        "{rest:?}"
    );
    let (schema, _) = of(Shape::Unwrapped(Part::Value));
    let wrapped = json!([{"name": "value", "type": "string"}]);
    assert_eq!(schema["fields"], wrapped);
}

#[test]
fn a_key_of_a_registered_schema_is_its_avro_whether_bytes_or_a_header_name_it() {
    let (flat, book) = (
        flat(BlockCodec::Null, Shape::Alone(Part::Key)),
        Book::default(),
    );
    let schema: Arc<str> = r#"{"type":"enum","name":"E","symbols":["X","Y"]}"#.into();
    book.note_key(258, &schema);
    let mut named = record(0, Some(b"\x00\x00\x00\x01\x02\x02"), None);
    named.decoded.key_schema_id = Some(258);
    let by_header = [Header {
        name: "__key_schema_id",
        value: Some(b"\x00\x00\x00\x01\x02"),
    }];
    let mut bare = record(1, Some(b"\x00"), None);
    bare.decoded.key_schema_id = Some(258);
    bare.headers = &by_header;
    let records = [named, bare].map(|record| (record, Payload::Original));
    let rows = batches(&flat, &book, &records);
    let wanted = serde_json::from_str(&schema).unwrap();
    assert_eq!(file(&flat, &book, &rows), (wanted, vec![2, 0]));
    let one = Some(258_u32);
    assert_eq!(classes(&rows[0], Apart::Keys, &book).unwrap(), [one, one]);
}
