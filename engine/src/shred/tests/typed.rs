//! Values that came as no JSON text: they end where the same JSON text ends, and what JSON can't
//! say of their types stays.

use std::collections::BTreeMap;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, TimeUnit};
use proptest::prelude::*;

use super::any_values::{cases, limits, object};
use super::{record, shredder};
use crate::schema::rebuild::{Json, rebuild};
use crate::schema::{Limits, columns, decide, envelope_schema, grow};
use crate::shred::{Payload, Shredder};
use crate::value::Value;

fn append(shredder: &mut Shredder, value: &Value) {
    let offset = shredder.rows() as i64;
    shredder.append_payload(&record(offset, b"raw"), Payload::Value(value), 7);
}

/// One batch of these values under wide budgets.
fn shred(values: &[Value]) -> RecordBatch {
    let mut shredder = shredder(&envelope_schema(), Limits::default());
    for value in values {
        append(&mut shredder, value);
    }
    shredder.finish().unwrap().remove(0)
}

fn object_of(members: &[(&str, Value)]) -> Value {
    let members = members.iter();
    Value::Object(
        members
            .map(|(key, value)| ((*key).to_owned(), value.clone()))
            .collect(),
    )
}

/// What must come back: the value itself, without what decides nothing.
pub(crate) fn wanted(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Boolean(value) => Json::Boolean(*value),
        Value::Integer(value) => Json::Integer(*value),
        Value::Double(value) => Json::Double(*value),
        Value::Decimal { unscaled, scale: 0 } => Json::Integer(*unscaled),
        Value::Decimal { unscaled, scale } => Json::Decimal(*unscaled, *scale),
        Value::Text(text) => Json::Text(text.clone()),
        Value::Binary(bytes) => Json::Binary(bytes.clone()),
        Value::Timestamp(us) => Json::Timestamp(*us),
        Value::Date(days) => Json::Date(*days),
        Value::List(elements) => Json::List(elements.iter().map(wanted).collect()),
        Value::Object(members) => {
            let members = members.iter();
            let members = members.map(|(key, value)| (key.clone(), wanted(value)));
            Json::Object(members.collect::<BTreeMap<_, _>>())
        }
        Value::Raw(json) => Json::parse(json.as_bytes()).unwrap(),
    }
}

#[test]
fn types_that_json_does_not_have_have_columns_of_their_own() {
    let all = object_of(&[
        ("at", Value::Timestamp(1_500_000)),
        ("day", Value::Date(-1)),
        ("bytes", Value::Binary(vec![0, 255, 7])),
        (
            "price",
            Value::Decimal {
                unscaled: -5,
                scale: 2,
            },
        ),
        (
            "whole",
            Value::Decimal {
                unscaled: 5,
                scale: 0,
            },
        ),
        ("nan", Value::Double(f64::NEG_INFINITY)),
        ("text", Value::Text("a \"quote\"\\ \n\u{1} é".to_owned())),
        ("long", Value::Integer(i128::from(u64::MAX))),
    ]);
    let batch = shred(std::slice::from_ref(&all));
    let names: Vec<String> = columns(&batch.schema())
        .into_iter()
        .map(|column| format!("{} {} {}", column.names[0], column.kind, column.data_type))
        .collect();
    assert_eq!(
        names,
        [
            "at timestamp Timestamp(µs, \"UTC\")",
            "day date Date32",
            "bytes binary Binary",
            "price decimal_2 Decimal128(38, 2)",
            "whole decimal Decimal128(38, 0)",
            "nan double Float64",
            "text string Utf8",
            "long decimal Decimal128(38, 0)",
        ]
    );
    assert_eq!(rebuild(&batch, 0), wanted(&all));
    let utc = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    assert_eq!(batch.column(0).data_type(), &utc);
}

#[test]
fn values_of_other_types_at_one_path_are_alternates_of_each_other() {
    let values = [
        Value::Timestamp(1),
        Value::Text("1970-01-01T00:00:00.000001Z".to_owned()),
        Value::Date(1),
        Value::Decimal {
            unscaled: 10,
            scale: 1,
        },
        Value::Decimal {
            unscaled: 100,
            scale: 2,
        },
        Value::Binary(vec![1]),
        Value::Integer(1),
    ];
    let rows: Vec<Value> = values
        .iter()
        .map(|one| object_of(&[("x", one.clone())]))
        .collect();
    let batch = shred(&rows);
    let found: Vec<String> = columns(&batch.schema())
        .into_iter()
        .map(|column| column.names.concat())
        .collect();
    assert_eq!(
        found,
        [
            "x",
            "x__string",
            "x__date",
            "x__decimal_1",
            "x__decimal_2",
            "x__binary",
            "x__long"
        ]
    );
    for (row, value) in rows.iter().enumerate() {
        assert_eq!(rebuild(&batch, row), wanted(value), "row {row}");
    }
}

#[test]
fn lists_of_typed_values_are_lists_of_one_kind_or_mixed() {
    let moments = Value::List(vec![Value::Timestamp(1), Value::Null, Value::Timestamp(2)]);
    let mixed = Value::List(vec![
        Value::Decimal {
            unscaled: 1,
            scale: 2,
        },
        Value::Decimal {
            unscaled: 1,
            scale: 3,
        },
        Value::Double(f64::INFINITY),
        Value::Date(3),
        Value::Binary(Vec::new()),
        Value::List(vec![Value::Timestamp(1)]),
    ]);
    let value = object_of(&[("moments", moments), ("mixed", mixed)]);
    let batch = shred(std::slice::from_ref(&value));
    assert_eq!(rebuild(&batch, 0), wanted(&value));
}

#[test]
fn what_finds_no_column_is_rescued_as_json_text() {
    let limits = Limits {
        keys: 1,
        ..Limits::default()
    };
    let mut shredder = shredder(&envelope_schema(), limits);
    let value = object_of(&[
        ("a", Value::Integer(1)),
        ("at", Value::Timestamp(0)),
        ("day", Value::Date(0)),
        ("bytes", Value::Binary(b"hello".to_vec())),
        (
            "price",
            Value::Decimal {
                unscaled: 120,
                scale: 2,
            },
        ),
        ("nan", Value::Double(f64::NAN)),
        (
            "o",
            object_of(&[("é\n", Value::List(vec![Value::Double(1.0), Value::Null]))]),
        ),
        (
            "huge",
            Value::Decimal {
                unscaled: i128::MAX,
                scale: 2,
            },
        ),
    ]);
    append(&mut shredder, &value);
    let batch = shredder.finish().unwrap().remove(0);
    let rescued = batch.column_by_name("_rescued").unwrap();
    let rescued = arrow::array::AsArray::as_string::<i32>(rescued).value(0);
    assert_eq!(
        rescued,
        concat!(
            r#"{"at":"1970-01-01T00:00:00Z","day":"1970-01-01","bytes":"aGVsbG8=","price":1.20,"#,
            r#""nan":"NaN","o":{"é\u000a":[1.0,null]},"#,
            r#""huge":1701411834604692317316873037158841057.27}"#
        )
    );
}

#[test]
fn a_value_that_cannot_be_taken_is_an_error_row_and_the_others_are_unharmed() {
    let mut deep = Value::Null;
    for _ in 0..2_000 {
        deep = Value::List(vec![deep]);
    }
    let mut shredder = shredder(&envelope_schema(), Limits::default());
    append(&mut shredder, &object_of(&[("a", Value::Integer(1))]));
    append(
        &mut shredder,
        &object_of(&[("a", Value::Integer(2)), ("deep", deep)]),
    );
    append(
        &mut shredder,
        &object_of(&[("a", Value::Raw("not json".into()))]),
    );
    shredder.append_payload(&record(3, b"x"), Payload::Failed("avro: no schema 7"), 7);
    append(&mut shredder, &Value::Text("no object".to_owned()));
    append(&mut shredder, &object_of(&[("a", Value::Integer(3))]));
    let batch = shredder.finish().unwrap().remove(0);
    let errors = batch.column_by_name("_error").unwrap();
    let errors: Vec<Option<&str>> = arrow::array::AsArray::as_string::<i32>(errors)
        .iter()
        .collect();
    assert_eq!(
        errors,
        [
            None,
            Some("value: nested deeper than 1000 levels"),
            Some("value: a raw value is no JSON: an unknown word at byte 0"),
            Some("avro: no schema 7"),
            None,
            None
        ]
    );
    let one = |row| rebuild(&batch, row);
    assert_eq!(one(0), wanted(&object_of(&[("a", Value::Integer(1))])));
    for row in 1..5 {
        assert_eq!(one(row), Json::Object(BTreeMap::new()));
    }
    assert_eq!(one(5), wanted(&object_of(&[("a", Value::Integer(3))])));
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn a_value_ends_in_the_same_cells_whether_it_came_as_bytes_or_not(
        cuts in prop::collection::vec(
            prop::collection::vec((object(), any::<bool>()), 1..8), 1..4),
        limits in limits(),
    ) {
        let (mut bytes, mut mixed) = (envelope_schema(), envelope_schema());
        for cut in &cuts {
            let as_bytes = cut.iter().map(|(json, _)| (json, false));
            let (left, left_table) = commit(&bytes, limits, as_bytes);
            let (right, right_table) =
                commit(&mixed, limits, cut.iter().map(|(json, typed)| (json, *typed)));
            prop_assert_eq!(columns(&left_table), columns(&right_table));
            (bytes, mixed) = (left_table, right_table);
            for row in 0..cut.len() {
                prop_assert_eq!(rebuild(&left, row), rebuild(&right, row));
            }
            let kinds = |batch: &RecordBatch| columns(&batch.schema());
            prop_assert_eq!(kinds(&left), kinds(&right));
        }
    }
}

fn commit<'a>(
    table: &arrow::datatypes::Schema,
    limits: Limits,
    values: impl Iterator<Item = (&'a String, bool)>,
) -> (RecordBatch, arrow::datatypes::Schema) {
    let mut shredder = shredder(table, limits);
    for (offset, (json, typed)) in values.enumerate() {
        let record = record(offset as i64, json.as_bytes());
        if typed {
            let value = Value::parse(json.as_bytes()).unwrap();
            shredder.append_payload(&record, Payload::Value(&value), 7);
        } else {
            shredder.append(&record, 7);
        }
    }
    let batch = shredder.finish().unwrap().remove(0);
    let batch = decide(table, vec![batch]).unwrap().remove(0);
    let table = grow(table, &batch.schema()).unwrap_or_else(|| table.clone());
    (batch, table)
}
