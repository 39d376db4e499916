//! What a file's statistics say, and what they must not.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray,
    StructArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, Fields};
use serde_json::{Value, json};

use crate::encode::{Form, encode};
use crate::spare::Spare;

fn stats(columns: Vec<(&str, ArrayRef)>) -> Value {
    let batch = RecordBatch::try_from_iter_with_nullable(
        columns
            .into_iter()
            .map(|(name, column)| (name, column, true)),
    )
    .unwrap();
    let encoded = encode(
        std::slice::from_ref(&batch),
        &batch.schema(),
        &Form::default(),
        &Spare::default(),
    )
    .unwrap();
    assert_eq!(encoded.rows, batch.num_rows() as u64);
    serde_json::from_str(&encoded.stats_json).unwrap()
}

#[test]
fn bounds_hold_every_value_even_where_they_are_rounded() {
    let long = "y".repeat(100);
    let times = TimestampMicrosecondArray::from(vec![1_500_123_456, 1_600_123_456]);
    let stats = stats(vec![
        ("n", Arc::new(Int64Array::from(vec![Some(3), None]))),
        ("text", Arc::new(StringArray::from(vec!["x", &long]))),
        ("_timestamp", Arc::new(times.with_timezone("UTC"))),
        (
            "_value",
            Arc::new(BinaryArray::from(vec![None, Some(&b"v"[..])])),
        ),
        ("ok", Arc::new(BooleanArray::from(vec![true, false]))),
    ]);
    assert_eq!(stats["numRecords"], 2);
    assert_eq!(stats["minValues"]["n"], 3);
    assert_eq!(stats["nullCount"]["n"], 1);
    assert_eq!(stats["nullCount"]["_value"], 1);
    assert_eq!(stats["nullCount"]["ok"], 0);
    assert!(stats["maxValues"]["_value"].is_null() && stats["maxValues"]["ok"].is_null());
    let max = stats["maxValues"]["text"].as_str().unwrap();
    assert!(max > long.as_str() && max.len() <= 64);
    assert_eq!(stats["minValues"]["_timestamp"], "1970-01-01T00:25:00.123Z");
    assert_eq!(stats["maxValues"]["_timestamp"], "1970-01-01T00:26:40.124Z");
}

#[test]
fn what_has_no_bounds_gets_none_and_nested_columns_nest() {
    let fields = Fields::from(vec![Field::new("b", DataType::Float64, true)]);
    let inner: ArrayRef = Arc::new(Float64Array::from(vec![Some(1.5), None]));
    let nested = StructArray::new(fields, vec![inner], None);
    let stats = stats(vec![
        (
            "nan",
            Arc::new(Float64Array::from(vec![f64::NAN, f64::NAN])),
        ),
        ("a", Arc::new(nested)),
        (
            "none",
            Arc::new(StringArray::from(vec![None::<&str>, None])),
        ),
    ]);
    assert_eq!(stats["minValues"], json!({"a": {"b": 1.5}}));
    assert_eq!(
        stats["nullCount"],
        json!({"nan": 0, "a": {"b": 1}, "none": 2})
    );
}

#[test]
fn only_so_many_payload_leaves_have_statistics_and_the_envelope_always() {
    let column: ArrayRef = Arc::new(Int64Array::from(vec![1]));
    let names: Vec<String> = (0..40).map(|number| format!("c{number}")).collect();
    let mut columns: Vec<(&str, ArrayRef)> = names
        .iter()
        .map(|name| (name.as_str(), column.clone()))
        .collect();
    columns.push(("_offset", column.clone()));
    let stats = stats(columns);
    let counts = stats["nullCount"].as_object().unwrap();
    assert_eq!(counts.len(), 33);
    assert!(counts.contains_key("_offset"));
}
