//! Values with a JSON Schema: what the schema changes, and what it does not.
#![allow(clippy::unwrap_used, clippy::panic)]

use super::*;

fn read(schema: &str, json: &str) -> Value {
    let plan = Plan::parse(&[], schema).unwrap();
    plan.convert(json.as_bytes()).unwrap()
}

fn of(members: &[(&str, Value)]) -> Value {
    let members = members.iter();
    Value::Object(
        members
            .map(|(key, value)| ((*key).to_owned(), value.clone()))
            .collect(),
    )
}

#[test]
fn a_number_is_a_double_even_where_it_is_whole_and_the_rest_is_as_it_came() {
    let schema = r#"{"type":"object","properties":{
        "price":{"type":"number"},"count":{"type":"integer"},
        "maybe":{"oneOf":[{"type":"null"},{"type":"number"}]},
        "either":{"oneOf":[{"type":"string"},{"type":"number"}]},
        "list":{"type":"array","items":{"type":["null","number"]}}},
        "additionalProperties":{"type":"number"}}"#;
    let found = read(
        schema,
        r#"{"price":1,"count":1,"maybe":2,"either":3,"list":[1,null],"more":5}"#,
    );
    let wanted = of(&[
        ("price", Value::Double(1.0)),
        ("count", Value::Integer(1)),
        ("maybe", Value::Double(2.0)),
        ("either", Value::Integer(3)),
        ("list", Value::List(vec![Value::Double(1.0), Value::Null])),
        ("more", Value::Double(5.0)),
    ]);
    assert_eq!(found, wanted);
    // Beyond a double's whole numbers nothing is rounded.
    let wide = read(schema, r#"{"price":9007199254740993}"#);
    assert_eq!(
        wide,
        of(&[("price", Value::Integer(9_007_199_254_740_993))])
    );
    assert_eq!(
        read(schema, r#"{"price":"dear"}"#),
        of(&[("price", Value::Text("dear".to_owned()))])
    );
}

#[test]
fn connects_own_types_go_by_title() {
    let schema = r#"{"type":"object","properties":{
        "d":{"type":"number","title":"org.apache.kafka.connect.data.Decimal","connect.type":"bytes",
             "connect.parameters":{"scale":"2"}},
        "day":{"type":"integer","title":"org.apache.kafka.connect.data.Date","connect.type":"int32"},
        "at":{"type":"integer","title":"org.apache.kafka.connect.data.Timestamp"},
        "time":{"type":"integer","title":"org.apache.kafka.connect.data.Time"},
        "b":{"type":"string","connect.type":"bytes"}}}"#;
    let found = read(
        schema,
        r#"{"d":1.10,"day":-1,"at":7,"time":1000,"b":"AP8="}"#,
    );
    let unscaled = 110;
    let wanted = of(&[
        ("d", Value::Decimal { unscaled, scale: 2 }),
        ("day", Value::Date(-1)),
        ("at", Value::Timestamp(7_000)),
        ("time", Value::Text("00:00:01".to_owned())),
        ("b", Value::Binary(vec![0, 255])),
    ]);
    assert_eq!(found, wanted);
    let unscaled = -500;
    let base64 = read(schema, r#"{"d":"/gw="}"#);
    assert_eq!(base64, of(&[("d", Value::Decimal { unscaled, scale: 2 })]));
}

#[test]
fn references_lead_into_the_schema_into_others_and_in_circles() {
    let schema = r##"{"$ref":"#/definitions/tree","definitions":{"tree":{"type":"object","properties":{
        "v":{"type":"number"},"kids":{"type":"array","items":{"$ref":"#/definitions/tree"}},
        "other":{"$ref":"other.json"}}}}}"##;
    let other = r#"{"type":"object","properties":{"n":{"type":"number"}}}"#;
    let references = [("other.json".to_owned(), other.to_owned())];
    let plan = Plan::parse(&references, schema).unwrap();
    let found = plan
        .convert(br#"{"v":1,"kids":[{"v":2}],"other":{"n":3}}"#)
        .unwrap();
    let kid = of(&[("v", Value::Double(2.0))]);
    let wanted = of(&[
        ("v", Value::Double(1.0)),
        ("kids", Value::List(vec![kid])),
        ("other", of(&[("n", Value::Double(3.0))])),
    ]);
    assert_eq!(found, wanted);
    let error = Plan::parse(&[], schema).unwrap_err();
    assert!(error.contains("other.json"), "{error}");
    let circle = r##"{"$ref":"#"}"##;
    assert!(Plan::parse(&[], circle).unwrap().convert(b"{}").is_ok());
}

#[test]
fn bytes_that_are_no_json_are_refused() {
    let plan = Plan::parse(&[], r#"{"type":"object"}"#).unwrap();
    for broken in [&b"{"[..], b"", b"\xff", b"{} {}"] {
        assert!(plan.convert(broken).is_err(), "{broken:?}");
    }
    assert!(Plan::parse(&[], "not json").is_err());
    let deep = format!("{}1{}", "[".repeat(300), "]".repeat(300));
    assert!(
        plan.convert(deep.as_bytes())
            .is_ok_and(|value| matches!(value, Value::List(_)))
    );
}
