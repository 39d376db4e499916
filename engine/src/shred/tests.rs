//! The shredder's rules, one by one; what any values do is left to the modules below.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

pub(crate) mod any_values;
pub(crate) mod arrow_batches;
mod both_ways;
mod parser;
mod real_events;
pub(crate) mod typed;

use std::collections::BTreeMap;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Int64Type, Schema};

use super::Shredder;
use crate::record::{Header, Record, TimestampType, TopicId};
use crate::schema::rebuild::{Json, kinds, rebuild};
use crate::schema::{Kind, Limits, bind, envelope_schema, grow, project};

fn record(offset: i64, value: &[u8]) -> Record<'_> {
    Record {
        partition: 0,
        offset,
        timestamp_ms: Some(offset),
        timestamp_type: TimestampType::Create,
        key: None,
        value: Some(value),
        headers: &[],
        decoded: Default::default(),
    }
}

fn shredder(reserved: &Schema, limits: Limits) -> Shredder {
    Shredder::new("t", TopicId::new("id"), reserved, limits)
}

fn shred_into(reserved: &Schema, limits: Limits, values: &[&str]) -> RecordBatch {
    let mut shredder = shredder(reserved, limits);
    for (offset, value) in values.iter().enumerate() {
        shredder.append(&record(offset as i64, value.as_bytes()), 7);
    }
    let batch = shredder.finish().unwrap().remove(0);
    assert_eq!(batch.num_rows(), values.len());
    for (row, value) in values.iter().enumerate() {
        let wanted = Json::parse(value.as_bytes()).unwrap().normal();
        assert_eq!(rebuild(&batch, row).normal(), wanted, "row {row}: {value}");
    }
    batch
}

fn shred(values: &[&str]) -> RecordBatch {
    shred_into(&envelope_schema(), Limits::default(), values)
}

fn column_kinds(batch: &RecordBatch, key: &str) -> Vec<(&'static str, String)> {
    let texts = [
        "boolean", "long", "double", "decimal", "string", "object", "list", "mixed",
    ];
    let text = |kind| {
        let mut texts = texts.into_iter();
        texts.find(|text| Kind::parse(text) == Some(kind)).unwrap()
    };
    kinds(batch, key)
        .into_iter()
        .map(|(name, kind)| (text(kind), name))
        .collect()
}

fn names(batch: &RecordBatch) -> Vec<String> {
    let fields = batch.schema_ref().fields();
    let payload = fields.len() - envelope_schema().fields().len();
    fields
        .iter()
        .take(payload)
        .map(|field| field.name().clone())
        .collect()
}

#[test]
fn simple_records_become_columns() {
    let batch = shred(&[
        r#"{"a": 1, "b": {"c": "x", "d": [1, null, 3]}, "e": true, "f": 1.5}"#,
        r#"{"e": false, "b": {"d": [], "c": null}, "g": 12345678901234567890123}"#,
    ]);
    assert_eq!(names(&batch), ["a", "b", "e", "f", "g"]);
    assert_eq!(batch.column(4).data_type(), &DataType::Decimal128(38, 0));
}

#[test]
fn a_batch_binds_to_the_grown_table() {
    let batch = shred(&[r#"{"a": 1, "b": {"c": "x"}, "l": [{"m": [1, "x"]}]}"#]);
    let reserved = envelope_schema();
    let table = grow(&reserved, batch.schema_ref()).unwrap();
    assert!(grow(&table, batch.schema_ref()).is_none());
    let file = project(&table, batch.schema_ref()).unwrap();
    assert_eq!(&file, batch.schema_ref().as_ref());
    let bound = bind(&batch, &table).unwrap();
    assert_eq!(rebuild(&bound, 0), rebuild(&batch, 0));
}

#[test]
fn what_is_no_json_object_lands_with_its_envelope() {
    let mut shredder = shredder(&envelope_schema(), Limits::default());
    let headers = [
        Header {
            name: "h",
            value: None,
        },
        Header {
            name: "h",
            value: Some(b""),
        },
    ];
    let values: [Option<&[u8]>; 7] = [
        None,
        Some(b""),
        Some(b"text"),
        Some(b"[1]"),
        Some(b"\xff\xfe"),
        Some(b" {\"a\": }"),
        Some(b"{\"a\": 1}"),
    ];
    for (offset, value) in values.iter().enumerate() {
        let mut record = record(offset as i64, b"");
        record.value = *value;
        record.headers = &headers;
        record.timestamp_ms = None;
        shredder.append(&record, 7);
    }
    let batch = shredder.finish().unwrap().remove(0);
    assert!(shredder.finish().unwrap().is_empty());
    let value = batch.column_by_name("_value").unwrap().as_binary::<i32>();
    for (row, wanted) in values.iter().enumerate() {
        let found = value.is_valid(row).then(|| value.value(row));
        assert_eq!(found, *wanted);
    }
    let errors = batch.column_by_name("_error").unwrap().as_string::<i32>();
    assert_eq!(errors.null_count(), 6);
    assert_eq!(errors.value(5), "json: a value was expected at byte 7");
    assert_eq!(batch.column_by_name("_timestamp").unwrap().null_count(), 7);
    assert_eq!(names(&batch), ["a"]);
    assert_eq!(batch.column(0).null_count(), 6);
    let fields = batch.schema_ref().fields();
    assert_eq!(fields[1..], envelope_schema().fields()[..]);
}

#[test]
fn drift_goes_to_alternates() {
    let batch = shred(&[
        r#"{"subject": "a", "id": 1, "l": [1, 2]}"#,
        r#"{"subject": {"uri": "b"}, "id": "x", "l": ["x", null]}"#,
        r#"{"subject": [1, "a", {"b": null}, {"b": 1}, [2]], "id": 1.5, "l": [true, {"x": 1}]}"#,
    ]);
    let wanted = [
        ("string", "subject"),
        ("object", "subject__object"),
        ("mixed", "subject__list"),
    ];
    assert_eq!(
        column_kinds(&batch, "subject"),
        wanted.map(|(k, n)| (k, n.to_owned()))
    );
    let wanted = [
        ("long", "id"),
        ("string", "id__string"),
        ("double", "id__double"),
    ];
    assert_eq!(
        column_kinds(&batch, "id"),
        wanted.map(|(k, n)| (k, n.to_owned()))
    );
    let wanted = [("list", "l"), ("mixed", "l__list")];
    assert_eq!(
        column_kinds(&batch, "l"),
        wanted.map(|(k, n)| (k, n.to_owned()))
    );
    assert_eq!(Kind::parse("mixed"), Some(Kind::Mixed));
}

#[test]
fn integers_are_doubles_only_where_that_loses_nothing() {
    let batch = shred(&[r#"{"x": 1.5}"#, r#"{"x": 2}"#]);
    assert_eq!(column_kinds(&batch, "x"), [("double", "x".to_owned())]);
    let batch = shred(&[r#"{"x": 1.5}"#, r#"{"x": 9007199254740993}"#, r#"{"x": 1}"#]);
    let both = [("double", "x".to_owned()), ("long", "x__long".to_owned())];
    assert_eq!(column_kinds(&batch, "x"), both);
    let batch = shred(&[
        r#"{"x": [1, 2.5]}"#,
        r#"{"x": [1]}"#,
        r#"{"x": [9007199254740993]}"#,
    ]);
    assert_eq!(column_kinds(&batch, "x")[0], ("list", "x".to_owned()));
    let batch = shred(&[r#"{"x": [9007199254740993, 2.5]}"#]);
    assert_eq!(column_kinds(&batch, "x"), [("mixed", "x".to_owned())]);
}

#[test]
fn what_no_type_holds_is_rescued() {
    let batch = shred(&[
        r#"{"a": 1e999, "b": 1, "c": {"d": "\ud800", "e": [1, "\udc00"]}, "\ud800": 7}"#,
        r#"{"a": 100000000000000000000000000000000000000, "b": 2, "l": [1, 1e-999]}"#,
    ]);
    assert_eq!(names(&batch), ["b", "c", "_rescued"]);
    let rescued = batch.column_by_name("_rescued").unwrap().as_string::<i32>();
    assert_eq!(rescued.value(0), r#"{"a":1e999,"\ud800":7}"#);
    let object = batch.column_by_name("c").unwrap().as_struct();
    assert_eq!(object.column_names(), ["_rescued"]);
    let rescued = object.column(0).as_string::<i32>();
    assert_eq!(rescued.value(0), r#"{"d":"\ud800","e":[1, "\udc00"]}"#);
}

#[test]
fn of_a_key_that_comes_twice_the_last_wins_and_none_is_dropped() {
    let batch = shred(&[
        r#"{"a": 1, "b": 2, "a": 3, "\u0061": 4}"#,
        r#"{"a": 5, "a": null}"#,
        r#"{"a": {"b": 1}, "a": 6}"#,
    ]);
    let rescued = batch.column_by_name("_rescued").unwrap().as_string::<i32>();
    assert_eq!(rescued.value(0), r#"{"a":1,"a":3}"#);
    assert_eq!(rescued.value(1), r#"{"a":5,"a":null}"#);
    assert_eq!(rescued.value(2), r#"{"a":{"b": 1}}"#);
}

#[test]
fn what_exceeds_a_budget_is_rescued_in_its_object() {
    let limits = Limits {
        leaves: 3,
        ..Limits::default()
    };
    let values = [
        r#"{"a": 1, "m": {"k1": 1, "k2": 2, "k3": 3}, "b": [1]}"#,
        r#"{"a": "x"}"#,
    ];
    let batch = shred_into(&envelope_schema(), limits, &values);
    assert_eq!(names(&batch), ["a", "m", "_rescued"]);
    let rescued = batch.column_by_name("_rescued").unwrap().as_string::<i32>();
    assert_eq!(
        [rescued.value(0), rescued.value(1)],
        [r#"{"b":[1]}"#, r#"{"a":"x"}"#]
    );
    let object = batch.column_by_name("m").unwrap().as_struct();
    assert_eq!(object.column_names(), ["k1", "k2", "_rescued"]);

    let limits = Limits {
        keys: 2,
        ..Limits::default()
    };
    let values = [r#"{"n": null, "a": 1, "b": {"x": 1, "y": 2, "z": 3}, "c": 1}"#];
    let batch = shred_into(&envelope_schema(), limits, &values);
    assert_eq!(names(&batch), ["a", "b", "_rescued"]);

    let limits = Limits {
        depth: 2,
        ..Limits::default()
    };
    let values =
        [r#"{"a": {"b": {"c": 1}, "d": [1], "e": 2}, "f": [1], "g": [[1]], "h": [{"i": 1}]}"#];
    let batch = shred_into(&envelope_schema(), limits, &values);
    assert_eq!(names(&batch), ["a", "f", "h", "_rescued"]);
}

#[test]
fn empty_objects_and_lists_are_values_where_their_column_exists() {
    let mut table = envelope_schema();
    let mut shredder = shredder(&table, Limits::default());
    shredder.append(
        &record(0, br#"{"o": {"a": 1}, "l": [1], "m": [1, "a"]}"#),
        0,
    );
    table = grow(&table, shredder.finish().unwrap().remove(0).schema_ref()).unwrap();
    shredder.rebase(&table);
    shredder.append(
        &record(1, br#"{"o": {}, "l": [], "m": [{}, []], "new": {}}"#),
        0,
    );
    shredder.append(
        &record(2, br#"{"o": {"a": null}, "l": [null], "m": null}"#),
        0,
    );
    let batch = bind(&shredder.finish().unwrap().remove(0), &table).unwrap();
    let column = |name| batch.column_by_name(name).unwrap();
    assert_eq!(column("o").null_count(), 0);
    assert_eq!(column("l").null_count(), 0);
    assert_eq!(column("l").as_list::<i32>().value_length(1), 1);
    assert_eq!(column("m").as_list::<i32>().value_length(0), 2);
}

#[test]
fn rows_without_a_column_leave_it_out_of_their_batch() {
    let mut shredder = shredder(&envelope_schema(), Limits::default());
    shredder.append(
        &record(0, br#"{"a": 1, "b": {"c": [{"d": 1, "e": 2}]}}"#),
        0,
    );
    shredder.finish().unwrap().remove(0);
    shredder.append(&record(1, br#"{"b": {"c": [{"e": 2}]}, "a": null}"#), 0);
    let batch = shredder.finish().unwrap().remove(0);
    assert_eq!(names(&batch), ["b"]);
    let list = batch.column(0).as_struct().column(0).as_list::<i32>();
    assert_eq!(list.values().as_struct().column_names(), ["e"]);
    assert!(shredder.finish().unwrap().is_empty());
}

#[test]
fn large_and_deep_values_land() {
    let deep = format!(
        "{{\"a\": {}1{}, \"b\": 2}}",
        "[{\"x\":".repeat(400),
        "}]".repeat(400)
    );
    let mixed = format!("{{\"m\": [{}\"end\"]}}", "1, ".repeat(5_000));
    let long = format!("{{\"s\": \"{}\"}}", "x\\n".repeat(2 << 20));
    let batch = shred(&[&deep, &mixed, &long]);
    assert_eq!(column_kinds(&batch, "m"), [("mixed", "m".to_owned())]);
    let columns = crate::schema::columns(batch.schema_ref());
    assert!(
        columns
            .iter()
            .all(|column| column.path.len() <= Limits::default().depth)
    );
}

#[test]
fn inside_of_a_mixed_list_no_budget_refuses_anything() {
    let limits = Limits {
        leaves: 10,
        keys: 5,
        depth: 3,
    };
    let inner = r#"{"a": [true, 0, {"A": 1, "b": 1, "c": 1}, [0.5, null, 9007199254740993]]}"#;
    shred_into(&envelope_schema(), limits, &[r#"{"a": true}"#, inner]);
}

#[test]
fn a_list_of_mixed_lists_takes_no_flat_list() {
    let batch = shred(&[
        r#"{"x": [[true, 0]]}"#,
        r#"{"x": [true]}"#,
        r#"{"x": [["a"], []]}"#,
    ]);
    let wanted = [("list", "x".to_owned()), ("mixed", "x__list".to_owned())];
    assert_eq!(column_kinds(&batch, "x"), wanted);
}

#[test]
fn a_null_in_a_mixed_list_is_a_null_element() {
    let batch = shred(&[r#"{"x": [[1], null, true, {}, []]}"#]);
    let elements = batch.column(0).as_list::<i32>().value(0);
    let null: Vec<bool> = (0..elements.len()).map(|at| elements.is_null(at)).collect();
    // No member holds objects yet; the empty list is one of the member that holds lists.
    assert_eq!(null, [false, true, false, true, false]);
}

#[test]
fn broken_records_of_a_wide_table_are_rows_with_an_error_each_with_its_own() {
    let limits = Limits {
        keys: 1_000,
        ..Limits::default()
    };
    let texts: Vec<String> = (0..300)
        .map(|row| match row % 3 {
            0 => format!("{{\"k{}\":{row}}}", row % 40),
            1 => format!("{{\"k1\":{row},\"k2\"{row}}}"),
            _ => format!("no object {row}"),
        })
        .collect();
    let errors = |shredder: &mut Shredder| -> BTreeMap<i64, (Vec<u8>, Option<String>)> {
        for (offset, text) in texts.iter().enumerate() {
            shredder.append(&record(offset as i64, text.as_bytes()), 0);
        }
        let batches = shredder.finish().unwrap();
        let rows = batches.iter().flat_map(|batch| {
            let column = |name| batch.column_by_name(name).unwrap();
            let offsets = column("_offset").as_primitive::<Int64Type>().values();
            let values = column("_value").as_binary::<i32>();
            let errors = column("_error").as_string::<i32>();
            (0..batch.num_rows()).map(move |row| {
                let error = errors.is_valid(row).then(|| errors.value(row).to_owned());
                (offsets[row], (values.value(row).to_vec(), error))
            })
        });
        rows.collect()
    };
    let narrow = errors(&mut shredder(&envelope_schema(), limits));
    assert_eq!(narrow.len(), texts.len());
    assert_eq!(narrow.values().filter(|row| row.1.is_some()).count(), 100);
    let mut wide = shredder(&envelope_schema(), limits);
    let keys: Vec<String> = (0..500).map(|key| format!("\"k{key}\":1")).collect();
    wide.append(&record(0, format!("{{{}}}", keys.join(",")).as_bytes()), 0);
    assert_eq!(wide.finish().unwrap().len(), 1);
    assert_eq!(errors(&mut wide), narrow);
    assert!(wide.groups(), "the rows were put together");
}
