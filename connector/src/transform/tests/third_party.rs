//! Confluent's transforms and Debezium's.

use super::*;

const CONFLUENT: &str = "io.confluent.connect.transforms.";

fn kept(class: &str, options: &[(&str, &str)], json: &str) -> bool {
    let chain = one(&format!("{CONFLUENT}{class}"), options).unwrap();
    chain.apply(record(json)).unwrap().is_some()
}

#[test]
fn a_filter_goes_by_its_condition() {
    let condition = (
        "filter.condition",
        "$[?(@.status == 'open' || @.total > 10)]",
    );
    for (json, holds) in [
        (r#"{"status":"open"}"#, true),
        (r#"{"status":"sold","total":11}"#, true),
        (r#"{"status":"sold","total":10}"#, false),
        (r#"{"other":1}"#, false),
    ] {
        assert_eq!(
            kept(
                "Filter$Value",
                &[condition, ("filter.type", "include")],
                json
            ),
            holds
        );
        assert_eq!(
            kept(
                "Filter$Value",
                &[condition, ("filter.type", "exclude")],
                json
            ),
            !holds
        );
    }
    let nested = [
        ("filter.condition", "$.key[?(@.id == 1)]"),
        ("filter.type", "include"),
    ];
    assert!(kept("Filter$Value", &nested, r#"{"key":{"id":1}}"#));
    for (behavior, stays) in [("include", true), ("exclude", false)] {
        let options = [&nested[..], &[("missing.or.null.behavior", behavior)]].concat();
        assert_eq!(kept("Filter$Value", &options, r#"{"other":1}"#), stays);
        assert_eq!(kept("Filter$Value", &options, "null"), stays);
    }
    let failed = failure(&format!("{CONFLUENT}Filter$Value"), &nested, record("{}"));
    assert!(
        failed
            .failure
            .message()
            .contains("`missing.or.null.behavior`"),
        "{failed:?}"
    );
    let mut keyed = record("null");
    keyed.key = Datum::schemaless(parsed(r#"{"key":{"id":1}}"#));
    let chain = one(&format!("{CONFLUENT}Filter$Key"), &nested).unwrap();
    assert!(chain.apply(keyed).unwrap().is_some());
}

#[test]
fn a_part_is_dropped_and_its_schema_as_it_is_asked_for() {
    assert_eq!(apply("Drop$Value", &[], record("{}")).value, Datum::null());
    let text_schema = Schema::of(Kind::String);
    let typed_record = || typed(text_schema.clone(), "\"x\"");
    let dropped = apply(
        "Drop$Value",
        &[("schema.behavior", "force_optional")],
        typed_record(),
    );
    assert!(dropped.value.schema.unwrap().optional);
    let failed = failure(
        "Drop$Value",
        &[("schema.behavior", "retain")],
        typed_record(),
    );
    assert!(failed.failure.message().contains("`force_optional`"));
    assert_eq!(
        apply("Drop$Key", &[], record("{}")).value.value,
        parsed("{}")
    );
}

#[test]
fn a_topic_is_extracted_from_field_path_or_header() {
    for (class, options, topic) in [
        ("ExtractTopic$Value", &[("field", "to")][..], "bills"),
        (
            "ExtractTopic$Value",
            &[("field", "$.at[1]"), ("field.format", "JSON_PATH")],
            "b",
        ),
        ("ExtractTopic$Header", &[("field", "h")], "by-header"),
        (
            "ExtractTopic$Value",
            &[("field", "x"), ("skip.missing.or.null", "true")],
            "orders",
        ),
    ] {
        let mut one = record(r#"{"to":"bills","at":["a","b"],"n":1}"#);
        one.headers
            .push(("h".to_owned(), Datum::schemaless(text("by-header"))));
        assert_eq!(apply(class, options, one).topic, topic, "{class}");
    }
    assert_eq!(
        apply("ExtractTopic$Value", &[], record("\"whole\"")).topic,
        "whole"
    );
    for (field, needle) in [("x", "skip.missing.or.null"), ("n", "an integer")] {
        let failed = failure(
            "ExtractTopic$Value",
            &[("field", field)],
            record(r#"{"n":1}"#),
        );
        assert!(failed.failure.message().contains(needle), "{failed:?}");
    }
}

#[test]
fn a_topic_is_chosen_by_the_first_timestamp_there_is() {
    let options = [
        ("message.timestamp.keys", "a, b"),
        ("topic.format", "x-${topic}-${timestamp}"),
    ];
    for json in [
        r#"{"b":1714979289045}"#,
        r#"{"a":null,"b":"2024-05-06T09:08:09.045+02:00"}"#,
        r#"{"a":1714979289045,"b":0}"#,
    ] {
        let made = apply("MessageTimestampRouter", &options, record(json));
        assert_eq!(made.topic, "x-orders-20240506", "{json}");
    }
    for json in ["{}", r#"{"a":"x"}"#, r#"{"a":true}"#, "null"] {
        failure("MessageTimestampRouter", &options, record(json));
    }
}

#[test]
fn tombstones_are_handled_as_configured() {
    for (behavior, stays) in [
        ("drop_silent", Some(false)),
        ("drop_warn", Some(false)),
        ("ignore", Some(true)),
        ("warn", Some(true)),
        ("fail", None),
    ] {
        let chain = one("TombstoneHandler", &[("behavior", behavior)]).unwrap();
        let made = chain.apply(record("null"));
        assert_eq!(made.ok().map(|made| made.is_some()), stays, "{behavior}");
        assert!(chain.apply(record("{}")).unwrap().is_some());
    }
}

const UNWRAP: &str = "io.debezium.transforms.ExtractNewRecordState";

fn change(op: &str) -> ConnectRecord {
    let row = |id: i32| format!(r#"{{"id":{id},"name":"n"}}"#);
    let (before, after) = match op {
        "c" => ("null".to_owned(), row(2)),
        "d" => (row(1), "null".to_owned()),
        _ => (row(1), row(2)),
    };
    record(&format!(
        r#"{{"before":{before},"after":{after},"source":{{"table":"t","ts_ms":5}},"op":"{op}","ts_ms":6}}"#
    ))
}

#[test]
fn a_change_becomes_its_row() {
    for op in ["c", "u", "r"] {
        let made = apply(UNWRAP, &[], change(op));
        assert_eq!(made.value.value, parsed(r#"{"id":2,"name":"n"}"#), "{op}");
    }
    let options = [
        ("add.fields", "op,table,source.ts_ms:at"),
        ("add.headers", "ts_ms"),
        ("route.by.field", "name"),
        ("delete.tombstone.handling.mode", "rewrite"),
    ];
    let made = apply(UNWRAP, &options, change("u"));
    let row = r#"{"id":2,"name":"n","__op":"u","__table":"t","__at":5,"__deleted":"false"}"#;
    assert_eq!(made.value.value, parsed(row));
    assert_eq!(
        made.headers,
        [("__ts_ms".to_owned(), Datum::schemaless(Value::Integer(6)))]
    );
    assert_eq!(made.topic, "n");
    let plain = r#"{"id":2}"#;
    assert_eq!(
        apply(UNWRAP, &[], record(plain)).value.value,
        parsed(plain),
        "no change"
    );
    assert_eq!(
        one(UNWRAP, &[]).unwrap().apply(change("t")),
        Ok(None),
        "a table was truncated"
    );
}

#[test]
fn deletes_and_tombstones_are_handled_as_configured() {
    let mode = "delete.tombstone.handling.mode";
    let row = parsed(r#"{"id":1,"name":"n","__deleted":"true"}"#);
    for (options, delete, tombstone) in [
        (&[][..], None, true),
        (&[(mode, "tombstone")], None, true),
        (&[(mode, "drop")], None, false),
        (&[(mode, "rewrite")], Some(&row), false),
        (&[(mode, "rewrite-with-tombstone")], Some(&row), true),
        (&[(mode, "delete-to-tombstone")], Some(&Value::Null), false),
        (&[("drop.tombstones", "false")], None, true),
        (&[("delete.handling.mode", "rewrite")], Some(&row), false),
        (
            &[
                ("delete.handling.mode", "none"),
                ("drop.tombstones", "false"),
            ],
            Some(&Value::Null),
            true,
        ),
    ] {
        let chain = one(UNWRAP, options).unwrap();
        let deleted = chain.apply(change("d")).unwrap();
        assert_eq!(
            deleted.as_ref().map(|made| &made.value.value),
            delete,
            "{options:?}"
        );
        assert_eq!(
            chain.apply(record("null")).unwrap().is_some(),
            tombstone,
            "{options:?}"
        );
    }
}

#[test]
fn a_change_with_a_schema_becomes_its_row_with_one() {
    let row = of_struct(&[
        ("id", Schema::of(Kind::Int32)),
        ("n", with_default(Kind::Int32, Value::Integer(9))),
    ]);
    let envelope = of_struct(&[
        ("before", row.clone().optional()),
        ("after", row.named("t.Value").optional()),
        ("op", Schema::of(Kind::String)),
    ]);
    let json = r#"{"before":null,"after":{"id":1,"n":null},"op":"c"}"#;
    let options = [("add.fields", "op")];
    let made = apply(
        UNWRAP,
        &options,
        typed(envelope.clone().named("t.Envelope"), json),
    );
    assert_eq!(made.value.value, parsed(r#"{"id":1,"n":9,"__op":"c"}"#));
    let shape = shape(made.value.schema.as_ref());
    assert_eq!(shape[2], ("__op".into(), Kind::String, true));
    let other = typed(envelope.named("t.Other"), json);
    assert_eq!(
        apply(UNWRAP, &options, other.clone()),
        other,
        "its schema isn't a change's"
    );
}
