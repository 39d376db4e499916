//! Partitions of what the shredder makes of records.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::time::Duration;

use arrow::array::{AsArray, RecordBatch};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::path::partition_value;
use crate::record::{Record, TimestampType, TopicId};
use crate::schema::{Limits, envelope_schema};
use crate::shred::Shredder;

/// 2026-11-23T10:00:00Z, when every record here arrives.
const NOW_MS: i64 = 1_795_428_000_000;

fn shred(limits: Limits, records: &[(i64, &str)]) -> RecordBatch {
    let mut shredder = Shredder::new("t", TopicId::new("id"), &envelope_schema(), limits);
    for (offset, (time_ms, value)) in (0..).zip(records) {
        let record = Record {
            partition: 0,
            offset,
            timestamp_ms: Some(*time_ms),
            timestamp_type: TimestampType::Create,
            key: None,
            value: Some(value.as_bytes()),
            headers: &[],
            decoded: Default::default(),
        };
        shredder.append(&record, NOW_MS * 1_000);
    }
    shredder.finish().unwrap().remove(0)
}

fn batch(values: &[&str]) -> RecordBatch {
    let records: Vec<(i64, &str)> = values.iter().map(|value| (NOW_MS, *value)).collect();
    shred(Limits::default(), &records)
}

fn by(parts: Vec<Part>) -> Partitioning {
    Partitioning::new(parts).unwrap()
}

fn field(text: &str) -> Part {
    Part::Field(FieldPath::parse(text).unwrap())
}

fn time(unit: Unit, zone: &str, field: Option<&str>) -> Part {
    let field = field.map(|field| FieldPath::parse(field).unwrap());
    Part::Time(TimePart::new(Some(unit), Zone::parse(zone).unwrap(), None, field).unwrap())
}

/// The value of each row, column by column.
fn rows(partitioning: &Partitioning, batch: &RecordBatch) -> Vec<Values> {
    let placement = partitioning.place(batch).unwrap();
    assert_eq!(placement.rows(), batch.num_rows());
    let partitions = placement.partitions();
    let of = |number: u32| partitions[usize::try_from(number).unwrap()].clone();
    let rows: Vec<Values> = placement.numbers().map(of).collect();
    for index in 0..partitioning.columns().len() {
        let column = placement.column(index);
        let column = column.as_string::<i32>();
        let said = rows.iter().map(|row| row[index].as_deref());
        assert!(column.iter().eq(said), "{column:?}");
    }
    rows
}

fn values(of: &[Option<&str>]) -> Vec<Values> {
    of.iter()
        .map(|value| vec![value.map(str::to_owned)])
        .collect()
}

#[test]
fn a_field_has_the_value_of_whatever_scalar_it_holds_and_else_null() {
    let batch = batch(&[
        r#"{"r": "eu"}"#,
        r#"{"r": "a/b ü"}"#,
        r#"{"r": 7}"#,
        r#"{"r": -7.0}"#,
        r#"{"r": -0.0}"#,
        r#"{"r": 99999999999999999999}"#,
        r#"{"r": true}"#,
        r#"{"r": null}"#,
        r#"{"r": ""}"#,
        r#"{"r": 7.5}"#,
        r#"{"r": 1e300}"#,
        r#"{"r": {"s": 1}}"#,
        r#"{"r": ["eu"]}"#,
        r#"{"r": [1, "eu"]}"#,
        r#"{"other": "eu"}"#,
        r#"{"r": "#,
        "eu",
    ]);
    let null = None;
    assert_eq!(
        rows(&by(vec![field("r")]), &batch),
        values(&[
            Some("eu"),
            Some("a/b ü"),
            Some("7"),
            Some("-7"),
            Some("0"),
            Some("99999999999999999999"),
            Some("true"),
            null,
            null,
            null,
            null,
            null,
            null,
            null,
            null,
            null,
            null,
        ])
    );
}

#[test]
fn nested_fields_are_found_by_their_keys_and_not_by_their_columns_names() {
    let batch = batch(&[
        r#"{"a": {"b.c": {"d": "x"}}, "a.b": 1}"#,
        r#"{"a": {"b.c": {"d": 5}}, "A": {"b.c": {"d": "no"}}}"#,
        r#"{"a": {"b.c": "no"}}"#,
        r#"{"a": "no"}"#,
        r#"{"a": null}"#,
        r#"{"a": {"b.c": null}}"#,
        r#"{"a": [{"b.c": {"d": "no"}}]}"#,
    ]);
    let null = None;
    assert_eq!(
        rows(&by(vec![field("a.`b.c`.d")]), &batch),
        values(&[Some("x"), Some("5"), null, null, null, null, null])
    );
    assert_eq!(
        rows(&by(vec![field("`a.b`")]), &batch)[0],
        [Some("1".to_owned())]
    );
}

#[test]
fn what_the_budgets_keep_apart_has_no_value() {
    let limits = Limits {
        leaves: 1,
        ..Limits::default()
    };
    let batch = shred(limits, &[(NOW_MS, r#"{"a": 1, "r": "eu"}"#)]);
    assert_eq!(rows(&by(vec![field("r")]), &batch), values(&[None]));
}

#[test]
fn fields_and_time_make_a_folder_each_in_the_order_asked_for() {
    let (first, second) = (NOW_MS, NOW_MS + 3_600_000);
    let records = [
        (first, r#"{"r": "eu", "c": {"t": 1}}"#),
        (second, r#"{"r": "eu", "c": {"t": 1}}"#),
        (first, r#"{"r": "us"}"#),
        (first, r#"{"r": "eu", "c": {"t": 1}}"#),
    ];
    let batch = shred(Limits::default(), &records);
    let hour = time(Unit::Hour, "Europe/Berlin", None);
    let partitioning = by(vec![field("r"), hour, field("c.t")]);
    assert_eq!(partitioning.columns(), ["r", "dt", "hour", "c_t"]);
    let row = |region: &str, hour: &str, tier: Option<&str>| -> Values {
        let all = [Some(region), Some("2026-11-23"), Some(hour), tier];
        all.map(|value| value.map(str::to_owned)).into()
    };
    assert_eq!(
        rows(&partitioning, &batch),
        [
            row("eu", "11", Some("1")),
            row("eu", "12", Some("1")),
            row("us", "11", None),
            row("eu", "11", Some("1")),
        ]
    );
    let nothing = Partitioning::none();
    assert_eq!(rows(&nothing, &batch), vec![Values::new(); 4]);
    let empty = batch.slice(0, 0);
    for partitioning in [nothing, partitioning] {
        assert!(partitioning.place(&empty).unwrap().partitions().is_empty());
    }
}

#[test]
fn a_time_in_the_payload_is_milliseconds_or_rfc_3339_and_else_the_records() {
    let day = time(Unit::Day, "UTC", Some("at.ms"));
    let old = NOW_MS - 30 * 86_400_000;
    let records = [
        r#"{"at": {"ms": 1760000000000}}"#,
        r#"{"at": {"ms": "2025-10-09T23:59:59-01:00"}}"#,
        r#"{"at": {"ms": "1760000000000"}}"#,
        r#"{"at": {"ms": 1760000000000.0}}"#,
        r#"{"at": {"ms": "yesterday"}}"#,
        r#"{"at": {"ms": true}}"#,
        r#"{"at": {"ms": 1760000000}}"#,
        r#"{"at": {"ms": 9223372036854775807}}"#,
        r#"{"at": {}}"#,
        "no JSON",
    ];
    let records: Vec<(i64, &str)> = records.iter().map(|value| (old, *value)).collect();
    let batch = shred(Limits::default(), &records);
    let said = [
        Some("2025-10-09"),
        Some("2025-10-10"),
        Some("2025-10-09"),
        Some("2025-10-09"),
    ];
    let mut expected = values(&said);
    expected.extend(values(&[Some("2026-10-24"); 6]));
    assert_eq!(rows(&by(vec![day]), &batch), expected);
}

#[test]
fn names_of_columns_are_readable_and_differ_by_more_than_case() {
    for (parts, columns) in [
        (
            vec![field("Region"), field("region")],
            &["Region", "region_2"][..],
        ),
        (vec![field("a.b"), field("a_b")], &["a_b", "a_b_2"]),
        (
            vec![field("_offset"), field("`x/y z`.ü")],
            &["offset", "x_y_z_ü"],
        ),
        (vec![field("``"), field("`.`")], &["field", "field_2"]),
        (
            vec![field("DT"), time(Unit::Day, "UTC", None)],
            &["DT_2", "dt"],
        ),
        (vec![field(&"k".repeat(300))], &[&"k".repeat(44)]),
    ] {
        assert_eq!(by(parts).columns(), columns);
    }
}

#[test]
fn what_makes_no_partitions_is_refused_with_a_reason() {
    let pattern = |text: &str| {
        let pattern = Pattern::parse(text).unwrap();
        TimePart::new(None, Zone::UTC, Some(pattern), None).map(Part::Time)
    };
    let hour = || time(Unit::Hour, "UTC", None);
    for (parts, needle) in [
        (vec![field("a"); 2], "twice"),
        (
            vec![field("a"), field("b"), field("c"), field("d"), field("e")],
            "at most 4",
        ),
        (vec![hour(), hour()], "one time"),
        (vec![pattern("'_year'=yyyy").unwrap()], "`_year`"),
        (vec![pattern("'a b'=yyyy").unwrap()], "`a b`"),
        (vec![pattern("'y'=yyyy/'Y'=MM").unwrap()], "but for case"),
    ] {
        let error = Partitioning::new(parts).unwrap_err().to_string();
        assert!(error.contains(needle), "{error}");
    }
    for text in ["", "a.", ".a", "a..b", "`a", "`a`b", "a.`"] {
        assert!(FieldPath::parse(text).is_err(), "{text}");
    }
}

#[test]
fn a_partitioning_comes_back_from_the_tables_property() {
    let day = || time(Unit::Day, "UTC", None);
    let pattern = Pattern::parse("'t'=yyyy-MM-dd'T'HH-mm-ss-SSS").unwrap();
    let fine = TimePart::new(None, Zone::UTC, Some(pattern), None).unwrap();
    for parts in [
        vec![],
        vec![field("a.`b.c```"), field("``")],
        vec![time(
            Unit::Span(Duration::from_mins(15)),
            "America/St_Johns",
            Some("a.b"),
        )],
        vec![day(), field("a")],
        vec![Part::Time(fine)],
        vec![time(Unit::Day, "Europe/Berlin", None)],
    ] {
        let partitioning = by(parts);
        let text = partitioning.to_property();
        assert!(text.is_some(), "{partitioning}");
        assert_eq!(
            Partitioning::of_property(text.as_deref()).unwrap(),
            partitioning
        );
    }
    // Tables by day are as they were before there was anything else.
    assert_eq!(by(vec![day()]), Partitioning::by_day());
    assert_eq!(Partitioning::by_day().to_property(), None);
    assert_eq!(
        Partitioning::of_property(None).unwrap(),
        Partitioning::by_day()
    );
    for text in [
        "",
        "{}",
        r#"[{"lunar": 1}]"#,
        r#"[{"time": {"unit": "week"}}]"#,
    ] {
        assert!(Partitioning::of_property(Some(text)).is_err(), "{text}");
    }
}

fn any_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<String>().prop_map(Value::from),
        "[a-c/%=]{0,2}".prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-2_i64..2).prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        Just(Value::Null),
        Just(json!({"x": 1})),
        Just(json!([1])),
    ]
}

fn expected(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        _ => return None,
    };
    (!text.is_empty()).then(|| partition_value(&text).into_owned())
}

proptest! {
    #[test]
    fn any_row_is_in_the_partition_of_its_own_values(
        records in prop::collection::vec((any_value(), any_value(), 0_i64..200_000_000), 1..40),
    ) {
        let texts: Vec<(i64, String)> = records
            .iter()
            .map(|(a, b, age)| (NOW_MS - age, json!({"a": a, "in": {"b": b}}).to_string()))
            .collect();
        let borrowed: Vec<(i64, &str)> =
            texts.iter().map(|(time, text)| (*time, text.as_str())).collect();
        let batch = shred(Limits::default(), &borrowed);
        let partitioning = by(vec![field("in.b"), time(Unit::Day, "UTC", None), field("a")]);
        let rows = rows(&partitioning, &batch);
        for (row, (a, b, age)) in rows.iter().zip(&records) {
            let day = chrono::DateTime::from_timestamp_millis(NOW_MS - age).unwrap();
            let day = Some(day.format("%Y-%m-%d").to_string());
            prop_assert_eq!(row, &vec![expected(b), day, expected(a)]);
        }
    }
}
