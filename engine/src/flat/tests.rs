//! What objects hold, byte for byte.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]
use std::io::Read as _;

use super::*;
use crate::record::{Header, Record, TimestampType, TopicId};
use crate::schema::{Limits, envelope_schema};
use crate::shred::Shredder;

/// A key or a value.
type Content = Option<&'static [u8]>;

fn flat(form: Form, frame: Frame) -> Flat {
    Flat {
        form,
        frame,
        compression: Compression::None,
        decimals: Decimals::default(),
    }
}

/// The objects' records, which came in another order than that of their offsets.
fn batches() -> Vec<RecordBatch> {
    let headers = [
        Header {
            name: "h",
            value: Some(b"1"),
        },
        Header {
            name: "n",
            value: None,
        },
    ];
    let records: [(i64, Content, Content); 5] = [
        (
            7,
            Some(b"k"),
            Some(b"{ \"a\": 1.50, \"b\" : [ \"x y\\\" \" ]\n}"),
        ),
        (3, None, None),
        (4, Some(b"{\"id\": 1}"), Some(b"plain, text")),
        (5, Some(b"\xFF"), Some(b"\xFF\xFE")),
        (6, Some(b"7"), Some(b" 42 ")),
    ];
    let topic_id = TopicId::new("AAAAAAAAAAAAAAAAAAAAAQ");
    let mut shredder = Shredder::new("t", topic_id, &envelope_schema(), Limits::default());
    for (offset, key, value) in records {
        let record = Record {
            partition: 0,
            offset,
            timestamp_ms: (offset != 3).then_some(1_577_836_800_000 + offset % 2),
            timestamp_type: TimestampType::Create,
            key,
            value,
            headers: if offset == 7 { &headers } else { &[] },
            decoded: Default::default(),
        };
        shredder.append(&record, 0);
    }
    shredder.finish().unwrap()
}

fn object(flat: &Flat, batches: &[RecordBatch]) -> (Bytes, u64) {
    let book = Book::default();
    flat.object(batches, Order::Offsets, (&book, Uuid::nil()))
        .unwrap()
}

fn text(flat: &Flat) -> String {
    let (bytes, rows) = object(flat, &batches());
    assert_eq!(rows, 5);
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn a_line_of_json_is_the_value_in_the_order_of_offsets() {
    let lines = flat(Form::Alone(Part::Value), Frame::ended("\n"));
    let expected = "null\n\"plain, text\"\n\"//4=\"\n42\n{\"a\":1.50,\"b\":[\"x y\\\" \"]}\n";
    assert_eq!(text(&lines), expected);
}

#[test]
fn a_list_of_json_has_the_members_that_were_asked_for() {
    let parts = vec![
        Part::Headers,
        Part::Offset,
        Part::Value,
        Part::Key,
        Part::Timestamp,
    ];
    let list = flat(Form::Object(parts), Frame::list());
    let lines = [
        r#"{"headers":[],"offset":3,"value":null,"key":null,"timestamp":null}"#,
        concat!(
            r#"{"headers":[],"offset":4,"value":"plain, text","key":{"id":1},"#,
            r#""timestamp":"2020-01-01T00:00:00Z"}"#
        ),
        concat!(
            r#"{"headers":[],"offset":5,"value":"//4=","key":"/w==","#,
            r#""timestamp":"2020-01-01T00:00:00.001Z"}"#
        ),
        concat!(
            r#"{"headers":[],"offset":6,"value":42,"key":"7","#,
            r#""timestamp":"2020-01-01T00:00:00Z"}"#
        ),
        concat!(
            r#"{"headers":[{"key":"h","value":"1"},{"key":"n","value":null}],"offset":7,"#,
            r#""value":{"a":1.50,"b":["x y\" "]},"key":"k","#,
            r#""timestamp":"2020-01-01T00:00:00.001Z"}"#
        ),
    ];
    let expected = format!("[\n{}\n]", lines.join(",\n"));
    assert_eq!(text(&list), expected);
    let alone = flat(Form::Alone(Part::Offset), Frame::lines(""));
    assert_eq!(text(&alone), "3\n4\n5\n6\n7");
}

#[test]
fn between_commas_keys_and_headers_are_base64_and_values_as_asked() {
    let all = vec![
        Part::Key,
        Part::Value,
        Part::Offset,
        Part::Timestamp,
        Part::Headers,
    ];
    let commas = |value, parts| flat(Form::Commas { parts, value }, Frame::lines(""));
    let expected = ",,3,,\n\
        eyJpZCI6IDF9,cGxhaW4sIHRleHQ=,4,2020-01-01T00:00:00Z,\n\
        /w==,//4=,5,2020-01-01T00:00:00.001Z,\n\
        Nw==,IDQyIA==,6,2020-01-01T00:00:00Z,\n\
        aw==,eyAiYSI6IDEuNTAsICJiIiA6IFsgInggeVwiICIgXQp9,7,2020-01-01T00:00:00.001Z,\
        aA==:MQ==;bg==:;";
    assert_eq!(text(&commas(Encoding::Base64, all)), expected);
    let (bytes, _) = object(&commas(Encoding::None, vec![Part::Value]), &batches());
    assert!(bytes.starts_with(b"\nplain, text\n\xFF\xFE\n 42 \n{ "));
}

#[test]
fn bytes_are_as_they_came_each_with_its_separator() {
    let bytes = flat(Form::Bytes(Part::Value), Frame::ended("|"));
    let (bytes, _) = object(&bytes, &batches());
    assert!(bytes.starts_with(b"|plain, text|\xFF\xFE| 42 |{ "));
    assert!(bytes.ends_with(b"\n}|"));
}

#[test]
fn a_decoded_value_is_written_as_connects_json_converter_does() {
    let decoded = Value::Object(vec![
        ("n".to_owned(), Value::Null),
        ("b".to_owned(), Value::Boolean(true)),
        ("i".to_owned(), Value::Integer(i128::from(i64::MAX) + 1)),
        ("d".to_owned(), Value::Double(2.0)),
        ("nan".to_owned(), Value::Double(f64::NAN)),
        ("low".to_owned(), Value::Double(f64::NEG_INFINITY)),
        (
            "amount".to_owned(),
            Value::Decimal {
                unscaled: -129,
                scale: 2,
            },
        ),
        ("bytes".to_owned(), Value::Binary(vec![0, 255])),
        ("at".to_owned(), Value::Timestamp(1_577_836_800_001_000)),
        ("fine".to_owned(), Value::Timestamp(1_577_836_800_000_001)),
        ("day".to_owned(), Value::Date(18_262)),
        (
            "list".to_owned(),
            Value::List(vec![
                Value::Text("a\n\"é".to_owned()),
                Value::Raw("[1e400 ]".into()),
            ]),
        ),
    ]);
    let written = |flat: &Flat, value: &Value| {
        let mut out = Vec::new();
        flat.value(value, &mut out)
            .then(|| String::from_utf8(out).unwrap())
    };
    let lines = flat(Form::Alone(Part::Value), Frame::ended("\n"));
    let expected = concat!(
        r#"{"n":null,"b":true,"i":9223372036854775808,"d":2.0,"nan":"NaN","low":"-Infinity","#,
        r#""amount":"/38=","bytes":"AP8=","at":1577836800001,"fine":"2020-01-01T00:00:00.000001Z","#,
        r#""day":18262,"list":["a\n\"é",[1e400]]}"#
    );
    assert_eq!(written(&lines, &decoded).unwrap(), expected);
    let numbers = Flat {
        decimals: Decimals::Number,
        ..lines.clone()
    };
    let decimal = |unscaled, scale| written(&numbers, &Value::Decimal { unscaled, scale }).unwrap();
    assert_eq!(decimal(-129, 2), "-1.29");
    assert_eq!(decimal(7, 3), "0.007");
    assert_eq!(decimal(-40, 0), "-40");
    assert_eq!(written(&lines, &Value::Null), None);
    let bytes = flat(Form::Bytes(Part::Value), Frame::ended("\n"));
    let text = written(&bytes, &Value::Text("a \"b\"".to_owned())).unwrap();
    assert_eq!(text, "a \"b\"");
}

#[test]
fn a_decimals_bytes_are_javas_shortest_of_its_digits() {
    for (unscaled, base64) in [
        (0, "AA=="),
        (127, "fw=="),
        (128, "AIA="),
        (-1, "/w=="),
        (-128, "gA=="),
        (-129, "/38="),
        (i128::MAX, "f////////////////////w=="),
    ] {
        let mut out = Vec::new();
        let value = Value::Decimal { unscaled, scale: 0 };
        json::value(&value, Decimals::Base64, &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), format!("\"{base64}\""));
    }
}

#[test]
fn each_compression_gives_the_text_back() {
    let plain = text(&flat(Form::Alone(Part::Value), Frame::ended("\n"))).repeat(4_000);
    let compressed = |how: Compression| how.compress(plain.clone().into_bytes()).unwrap();
    let mut back = String::new();
    for level in [None, Some(0), Some(9)] {
        let bytes = compressed(Compression::Gzip(level));
        back.clear();
        flate2::read::GzDecoder::new(&bytes[..])
            .read_to_string(&mut back)
            .unwrap();
        assert_eq!(back, plain);
    }
    let bytes = zstd::decode_all(&compressed(Compression::Zstd)[..]).unwrap();
    assert_eq!(bytes, plain.as_bytes());
    assert_eq!(compressed(Compression::None), plain.as_bytes());
    let snappy = compressed(Compression::Snappy);
    let (header, mut rest) = snappy.split_at(16);
    assert_eq!(header, b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01");
    let mut back = Vec::new();
    while let Some((length, after)) = rest.split_first_chunk::<4>() {
        let (block, after) = after.split_at(u32::from_be_bytes(*length) as usize);
        back.extend(snap::raw::Decoder::new().decompress_vec(block).unwrap());
        rest = after;
    }
    assert_eq!(back, plain.as_bytes());
}
