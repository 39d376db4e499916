//! The shredder's rules, one by one; and any values, out again as they came.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Schema};

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
    let batch = shredder.finish().unwrap().unwrap();
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
    kinds(batch, key)
        .into_iter()
        .map(|(name, kind)| (kind.as_str(), name))
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
    let batch = shredder.finish().unwrap().unwrap();
    assert!(shredder.finish().unwrap().is_none());
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
