//! What a survey makes of rows.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::sync::Arc;

use arrow::array::{Int32Array, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Field, Schema, TimeUnit};

use super::*;

/// Rows of these files, partitions and offsets.
fn rows(places: &[(i32, i32, i64)]) -> RecordBatch {
    let text = |name| Field::new(name, DataType::Utf8, true);
    let schema = Schema::new(vec![
        Field::new("number", DataType::Int32, true),
        text("_topic"),
        text("_topic_id"),
        Field::new("_partition", DataType::Int32, true),
        Field::new("_offset", DataType::Int64, true),
        Field::new(
            "_timestamp",
            DataType::Timestamp(TimeUnit::Microsecond, None),
            true,
        ),
    ]);
    let number = |of: fn(&(i32, i32, i64)) -> i32| {
        let numbers = places.iter().map(of);
        Arc::new(Int32Array::from_iter_values(numbers))
    };
    let named = |name: &str| {
        let names = places.iter().map(|_| name);
        Arc::new(StringArray::from_iter_values(names))
    };
    let offsets = Int64Array::from_iter_values(places.iter().map(|place| place.2));
    let times = TimestampMicrosecondArray::from_iter_values(places.iter().map(|place| place.2));
    RecordBatch::try_new(
        Arc::new(schema),
        vec![
            number(|place| place.0),
            named("orders"),
            named("id"),
            number(|place| place.1),
            Arc::new(offsets),
            Arc::new(times),
        ],
    )
    .unwrap()
}

fn extent(fold: &Fold, number: i32, partition: i32) -> (i64, i64, u64, bool) {
    let extent = fold.spans[&(number, 0, partition)];
    (extent.first, extent.last, extent.rows, extent.in_order)
}

#[test]
fn partitions_of_files_are_told_apart_and_their_order_is_seen() {
    let mut fold = Fold::default();
    fold.add(&rows(&[(0, 0, 5), (0, 1, 70), (0, 0, 6)]))
        .unwrap();
    fold.add(&rows(&[(0, 1, 69), (0, 0, 9), (1, 0, 1)]))
        .unwrap();
    assert_eq!(extent(&fold, 0, 0), (5, 9, 3, true));
    assert_eq!(extent(&fold, 0, 1), (69, 70, 2, false));
    assert_eq!(extent(&fold, 1, 0), (1, 1, 1, true));
    assert_eq!((fold.first_us, fold.last_us), (Some(1), Some(70)));
}

#[test]
fn of_a_file_that_two_have_read_nobody_knows_the_order() {
    let (mut one, mut other) = (Fold::default(), Fold::default());
    one.add(&rows(&[(0, 0, 5)])).unwrap();
    other.add(&rows(&[(0, 0, 6), (2, 0, 7)])).unwrap();
    one.merge(other);
    assert_eq!(extent(&one, 0, 0), (5, 6, 2, false));
    assert_eq!(extent(&one, 2, 0), (7, 7, 1, true));
}
