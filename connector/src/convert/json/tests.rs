//! Connect's JSON: every type by its schema, and what is refused.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use super::*;

fn converter() -> JsonConverter {
    JsonConverter::with_schemas(None, 10, true).unwrap()
}

/// What the payload is by the schema.
fn read(schema: &str, payload: &str) -> Result<Value, String> {
    let text = format!(r#"{{"schema":{schema},"payload":{payload}}}"#);
    converter()
        .convert(text.as_bytes())
        .map(|datum| datum.value)
}

fn decimal(unscaled: i128, scale: u8) -> Value {
    Value::Decimal { unscaled, scale }
}

#[test]
fn every_type_is_what_its_schema_says() {
    for (kind, payload, wanted) in [
        ("int8", "-128", Value::Integer(-128)),
        (
            "int64",
            "9223372036854775807",
            Value::Integer(i64::MAX.into()),
        ),
        ("float", "1", Value::Double(1.0)),
        ("double", "1e3", Value::Double(1_000.0)),
        ("double", r#""NaN""#, Value::Double(f64::NAN)),
        ("boolean", "true", Value::Boolean(true)),
        ("string", r#""a\n""#, Value::Text("a\n".to_owned())),
        ("bytes", r#""AP8=""#, Value::Binary(vec![0, 255])),
    ] {
        let found = read(&format!(r#"{{"type":"{kind}"}}"#), payload).unwrap();
        // NaN is not itself.
        assert_eq!(
            format!("{found:?}"),
            format!("{wanted:?}"),
            "{kind} {payload}"
        );
    }
    let schema = r#"{"type":"struct","fields":[
        {"field":"l","type":"array","items":{"type":"int32"}},
        {"field":"m","type":"map","keys":{"type":"string"},"values":{"type":"int32"}},
        {"field":"p","type":"map","keys":{"type":"int32"},"values":{"type":"string","optional":true}}]}"#;
    let found = read(schema, r#"{"l":[1,2],"m":{"a":1},"p":[[1,"x"],[2,null]]}"#).unwrap();
    let pair = |key, value| {
        Value::Object(vec![
            ("key".to_owned(), Value::Integer(key)),
            ("value".to_owned(), value),
        ])
    };
    let Value::Object(members) = found else {
        panic!("{found:?}")
    };
    assert_eq!(
        members[0].1,
        Value::List(vec![Value::Integer(1), Value::Integer(2)])
    );
    assert_eq!(
        members[1].1,
        Value::Object(vec![("a".to_owned(), Value::Integer(1))])
    );
    let pairs = vec![pair(1, Value::Text("x".to_owned())), pair(2, Value::Null)];
    assert_eq!(members[2].1, Value::List(pairs));
}

#[test]
fn logical_types_go_by_their_names_and_decimals_keep_their_digits() {
    let of = |kind: &str, name: &str, payload: &str| {
        let name = format!("org.apache.kafka.connect.data.{name}");
        let parameters = r#""parameters":{"scale":"2"}"#;
        read(
            &format!(r#"{{"type":"{kind}","name":"{name}",{parameters}}}"#),
            payload,
        )
    };
    assert_eq!(of("int32", "Date", "-1"), Ok(Value::Date(-1)));
    assert_eq!(of("int64", "Timestamp", "5"), Ok(Value::Timestamp(5_000)));
    assert_eq!(of("int32", "Time", "1500"), Ok(Value::Integer(1_500)));
    assert_eq!(of("bytes", "Decimal", r#""/gw=""#), Ok(decimal(-500, 2)));
    let long = "12345678901234567890123456789012345.678";
    let digits = 12_345_678_901_234_567_890_123_456_789_012_345_678;
    assert_eq!(of("bytes", "Decimal", long), Ok(decimal(digits, 3)));
    assert_eq!(of("bytes", "Decimal", "1.50"), Ok(decimal(150, 2)));
    assert_eq!(of("bytes", "Decimal", "-2e2"), Ok(decimal(-200, 0)));
    assert!(of("bytes", "Decimal", r#""%""#).is_err());
    assert!(of("bytes", "Decimal", "true").is_err());
}

#[test]
fn what_is_missing_is_its_default_null_or_refused() {
    let schema = r#"{"type":"struct","fields":[
        {"field":"a","type":"int32","optional":true},
        {"field":"b","type":"int32","optional":true,"default":7}]}"#;
    let Value::Object(members) = read(schema, r#"{"b":null}"#).unwrap() else {
        panic!()
    };
    assert_eq!(
        (&members[0].1, &members[1].1),
        (&Value::Null, &Value::Integer(7))
    );
    let mut keeping = JsonConverter::with_schemas(None, 10, false).unwrap();
    let text = format!(r#"{{"payload":{{}},"schema":{schema}}}"#);
    let Value::Object(members) = keeping.convert(text.as_bytes()).unwrap().value else {
        panic!()
    };
    assert_eq!(members[1].1, Value::Null);
    let required = r#"{"type":"struct","fields":[{"field":"a","type":"int32"}]}"#;
    assert!(read(required, "{}").unwrap_err().contains("field `a`"));
    assert_eq!(
        read("null", r#"{"a":[1]}"#).map(|value| matches!(value, Value::Object(_))),
        Ok(true)
    );
}

#[test]
fn what_a_type_cannot_hold_is_refused_where_connect_would_cut_it() {
    for (kind, payload) in [
        ("int8", "128"),
        ("int32", "1.5"),
        ("int32", r#""1""#),
        ("int64", "9223372036854775808"),
        ("double", r#""x""#),
        ("boolean", "1"),
        ("string", "1"),
        ("bytes", r#""*""#),
        ("int32", "null"),
    ] {
        let schema = format!(r#"{{"type":"{kind}"}}"#);
        assert!(read(&schema, payload).is_err(), "{kind} {payload}");
    }
}

#[test]
fn an_envelope_has_schema_and_payload_and_nothing_else() {
    for text in [
        "{}",
        r#"{"a":1}"#,
        r#"{"schema":null,"payload":1,"x":2}"#,
        "[1]",
        "7",
    ] {
        let error = converter().convert(text.as_bytes()).unwrap_err();
        assert!(error.contains("`schemas.enable`"), "{error}");
    }
    let error = converter().convert(b"{broken").unwrap_err();
    assert!(error.contains("no JSON"), "{error}");
    let error = converter()
        .convert(br#"{"schema":{"type":"int9"},"payload":1}"#)
        .unwrap_err();
    assert!(error.contains("`int9`"), "{error}");
}

#[test]
fn one_schema_for_all_needs_no_envelope() {
    let schema = r#"{"type":"struct","fields":[{"field":"a","type":"double"}]}"#;
    let mut converter = JsonConverter::with_schemas(Some(schema), 10, true).unwrap();
    let datum = converter.convert(br#"{"a":1}"#).unwrap();
    assert_eq!(
        datum.value,
        Value::Object(vec![("a".to_owned(), Value::Double(1.0))])
    );
    assert!(datum.schema.is_some());
    assert!(JsonConverter::with_schemas(Some("{}"), 10, true).is_err());
}

#[test]
fn a_schema_is_read_once_while_records_alternate() {
    let mut converter = converter();
    let text = |kind: &str| format!(r#"{{"schema":{{"type":"{kind}"}},"payload":1}}"#);
    let first = converter
        .convert(text("int32").as_bytes())
        .unwrap()
        .schema
        .unwrap();
    converter.convert(text("double").as_bytes()).unwrap();
    let again = converter
        .convert(text("int32").as_bytes())
        .unwrap()
        .schema
        .unwrap();
    assert!(Arc::ptr_eq(&first, &again));
}

#[test]
fn json_without_schemas_is_what_it_is() {
    let mut plain = JsonConverter::schemaless();
    assert_eq!(
        plain.convert(b"[1]").unwrap(),
        Datum::schemaless(Value::List(vec![Value::Integer(1)]))
    );
    assert!(plain.convert(b"{").unwrap_err().contains("no JSON"));
    assert!(plain.convert(b"").is_err());
}

#[test]
fn a_payload_without_schema_that_nests_too_deep_is_refused_and_is_no_null() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(read("null", &nested(1_001)).is_err());
    assert!(read("null", &nested(100)).is_ok());
    assert_eq!(read("null", "null"), Ok(Value::Null));
}
