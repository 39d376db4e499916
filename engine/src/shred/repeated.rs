//! A column of one text.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, StringArray};

/// A text that every row has: batches share one array of it.
#[derive(Debug)]
pub(super) struct Repeated {
    text: String,
    array: StringArray,
}

impl Repeated {
    /// No rows yet.
    pub(super) fn new(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            array: StringArray::new_null(0),
        }
    }

    /// Whether it is this text.
    pub(super) fn is(&self, text: &str) -> bool {
        self.text == text
    }

    /// The column of so many rows.
    pub(super) fn rows(&mut self, rows: usize) -> ArrayRef {
        if self.array.len() < rows {
            let texts = std::iter::repeat_n(self.text.as_str(), rows);
            self.array = StringArray::from_iter_values(texts);
        }
        Arc::new(self.array.slice(0, rows))
    }
}
