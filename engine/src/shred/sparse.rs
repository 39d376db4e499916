//! A column of numbers that few tables have, and that is the same in many rows where it is there.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, new_null_array};
use arrow::datatypes::DataType;

/// Numbers of the rows that have one.
#[derive(Debug, Default)]
pub(super) struct Sparse {
    values: Vec<Option<i32>>,
}

impl Sparse {
    /// Notes the number of `row`, if it has one.
    pub(super) fn push(&mut self, row: usize, value: Option<i32>) {
        if value.is_some() {
            self.values.resize(row, None);
            self.values.push(value);
        }
    }

    /// The column of the `rows` since the last call.
    pub(super) fn finish(&mut self, rows: usize) -> ArrayRef {
        if self.values.is_empty() {
            return new_null_array(&DataType::Int32, rows);
        }
        let mut values = std::mem::take(&mut self.values);
        values.resize(rows, None);
        Arc::new(Int32Array::from(values))
    }
}
