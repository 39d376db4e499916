//! Whole records through a connector's converters, with a registry that a test plays.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeMap;

use eddy_engine::{TimestampType, Value};

use super::registry::tests::{Played, answer};
use super::*;
use crate::connect::ConnectorConfig;

const AVRO: &str = r#"{"type":"record","name":"R","fields":[{"name":"a","type":"int"}]}"#;

fn conversion(entries: &[(&str, &str)]) -> Conversion {
    let entries = entries.iter().chain(&[("topics", "t")]);
    let entries = entries.map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    let config = ConnectorConfig::parse("c", &entries.collect::<BTreeMap<_, _>>()).unwrap();
    Conversion::start(&config.conversion, &Clock::system()).unwrap()
}

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

fn convert(
    converters: &mut Converters,
    record: &Record<'_>,
) -> (Converted, Result<(), Unconverted>) {
    let mut converted = Converted::default();
    let result = converters.convert(record, &mut converted);
    (converted, result)
}

#[test]
fn without_converters_the_engine_reads_by_itself() {
    for entries in [
        &[][..],
        &[("value.converter", "json"), ("header.converter", "string")],
    ] {
        let conversion = conversion(entries);
        assert!(conversion.converters(Need::Columns).unwrap().is_none());
    }
}

#[test]
fn a_record_has_the_ids_of_its_schemas_and_its_decoded_key() {
    let registry = Played::start(|path| match path {
        "/schemas/ids/7" => answer(AVRO, "AVRO"),
        _ => (404, r#"{"error_code":40403,"message":"none"}"#.to_owned()),
    });
    let url = registry.url();
    let conversion = conversion(&[
        ("key.converter", "avro"),
        ("key.converter.schema.registry.url", &url),
        ("value.converter", "avro"),
        ("value.converter.schema.registry.url", &url),
    ]);
    let mut converters = conversion.converters(Need::Columns).unwrap().unwrap();
    let framed = b"\x00\x00\x00\x00\x07\x04";
    let (converted, result) = convert(&mut converters, &record(Some(framed), Some(framed), &[]));
    assert_eq!(result, Ok(()));
    let ids = (converted.key_schema_id, converted.value_schema_id);
    assert_eq!(ids, (Some(7), Some(7)));
    let two = Value::Object(vec![("a".to_owned(), Value::Integer(2))]);
    assert_eq!(converted.key.unwrap().value, two);
    assert_eq!(converted.value.unwrap().value, two);
    // The same by a header; the value is then nothing but itself.
    let headers = [Header {
        name: "__value_schema_id",
        value: Some(b"\x00\x00\x00\x00\x07"),
    }];
    let (converted, result) = convert(&mut converters, &record(None, Some(b"\x04"), &headers));
    assert_eq!(result, Ok(()));
    assert_eq!(converted.value.unwrap().value, two);
    assert_eq!(
        (converted.key_schema_id, converted.value_schema_id),
        (None, Some(7))
    );
    // A tombstone is none of anybody's schemas.
    let (converted, result) = convert(&mut converters, &record(None, None, &[]));
    assert_eq!((result, converted.value), (Ok(()), Some(Datum::null())));
    // One registry for both, one request for all.
    assert_eq!(registry.asked("/schemas/ids/7"), 1);
}

#[test]
fn a_broken_record_says_where_and_by_what_and_keeps_its_schemas_id() {
    let registry = Played::start(|path| match path {
        "/schemas/ids/7" => answer(AVRO, "AVRO"),
        "/schemas/ids/8" => answer("{}", "JSON"),
        _ => (
            404,
            r#"{"error_code":40403,"message":"no such schema"}"#.to_owned(),
        ),
    });
    let url = registry.url();
    let conversion = conversion(&[
        ("key.converter", "long"),
        ("value.converter", "avro"),
        ("value.converter.schema.registry.url", &url),
    ]);
    let mut converters = conversion.converters(Need::Columns).unwrap().unwrap();
    for (key, value, id, wanted) in [
        (
            &b"\x01"[..],
            &b""[..],
            None,
            "1 bytes where there must be 8",
        ),
        (&[0; 8], b"plain", None, "the first byte is 112"),
        (
            &[0; 8],
            b"\x00\x00\x00\x00\x07",
            Some(7),
            "not a value of schema 7: field `a`",
        ),
        (
            &[0; 8],
            b"\x00\x00\x00\x00\x08\x02",
            Some(8),
            "it is of type `JSON`, not `AVRO`",
        ),
        (&[0; 8], b"\x00\x00\x00\x00\x09\x02", None, "no such schema"),
    ] {
        let (converted, result) = convert(&mut converters, &record(Some(key), Some(value), &[]));
        let Err(Unconverted::Broken { part, class, why }) = result else {
            panic!("{result:?}")
        };
        assert!(why.contains(wanted), "{why}");
        let by = match key.len() {
            8 => (Part::Value, "io.confluent.connect.avro.AvroConverter"),
            _ => (
                Part::Key,
                "org.apache.kafka.connect.converters.LongConverter",
            ),
        };
        assert_eq!((part, class), by);
        assert_eq!(converted.value_schema_id, id, "{why}");
    }
}

#[test]
fn a_header_that_its_converter_cannot_read_breaks_the_record() {
    let conversion = conversion(&[("header.converter", "integer")]);
    let mut converters = conversion.converters(Need::Columns).unwrap().unwrap();
    let header = |value| Header { name: "h", value };
    let good = [header(Some(&[0; 4])), header(None)];
    assert_eq!(
        convert(&mut converters, &record(None, None, &good)).1,
        Ok(())
    );
    let bad = [header(Some(b"x"))];
    let (_, result) = convert(&mut converters, &record(None, None, &bad));
    let Err(Unconverted::Broken { part, class, .. }) = result else {
        panic!("{result:?}")
    };
    let by = "org.apache.kafka.connect.converters.IntegerConverter";
    assert_eq!((part, class), (Part::Header, by));
}

#[test]
fn transforms_see_every_part_whatever_it_is_and_keys_are_fields_only_where_configured() {
    let mut converters = conversion(&[])
        .converters(Need::Everything)
        .unwrap()
        .unwrap();
    assert!(!converters.decodes_keys());
    let headers = [
        Header {
            name: "n",
            value: Some(b"7"),
        },
        Header {
            name: "none",
            value: None,
        },
    ];
    let both = record(Some(b"k"), Some(br#"{"a":1}"#), &headers);
    let (converted, result) = convert(&mut converters, &both);
    assert_eq!(result, Ok(()));
    assert_eq!(converted.key.unwrap().value, Value::Text("k".to_owned()));
    let one = Value::Object(vec![("a".to_owned(), Value::Integer(1))]);
    assert_eq!(converted.value.unwrap().value, one);
    let headers: Vec<_> = converted.headers.into_iter().collect();
    assert_eq!(
        (headers[0].0.as_str(), &headers[0].1.value),
        ("n", &Value::Integer(7))
    );
    assert_eq!(headers[1].1, Datum::null());
    // A header that its converter takes for text is text.
    let text = conversion(&[("header.converter", "string"), ("key.converter", "json")]);
    let mut text = text.converters(Need::Everything).unwrap().unwrap();
    assert!(text.decodes_keys());
    let headers = [Header {
        name: "n",
        value: Some(b"7"),
    }];
    let (converted, _) = convert(&mut text, &record(None, None, &headers));
    assert_eq!(converted.headers[0].1.value, Value::Text("7".to_owned()));
}

#[test]
fn what_is_only_checked_stays_bytes_for_the_engine() {
    for (class, plain) in [("auto", true), ("json", false)] {
        let conversion = conversion(&[("value.converter", class)]);
        let mut converters = conversion.converters(Need::Checks).unwrap().unwrap();
        let object = record(None, Some(br#"{"a":1}"#), &[]);
        let (converted, result) = convert(&mut converters, &object);
        assert_eq!((converted.value, result), (None, Ok(())));
        let (_, broken) = convert(&mut converters, &record(None, Some(b"{broken"), &[]));
        assert!(matches!(
            broken,
            Err(Unconverted::Broken { class: JSON, .. })
        ));
        let (_, text) = convert(&mut converters, &record(None, Some(b"plain"), &[]));
        assert_eq!(text.is_ok(), plain);
    }
}
