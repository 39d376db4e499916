//! Objects that hold records one behind the other, as other sinks write them besides Parquet: lines
//! of JSON, a JSON list, CSV, bytes.
//!
//! ```text
//! record -> `_value`: what its converters and transforms made of it, as the object will have it
//!        -> rows of a cut, by file, in the order of their offsets
//!        -> begin, record, between, record, end -> compressed -> one object
//! ```
//!
//! No reader of the table can read such an object as one of its files, so no version has them: a
//! commit moves the positions alone, and the record named by its id says which objects and offsets
//! came with it (`read/filtered`). All else is as with files: names are journalled first, objects
//! are only ever created, and a commit that doesn't land leaves what its partition's next owner
//! removes.
//!
//! A row with `_error` has no place in such an object: its offset is recorded as a dead letter, and
//! only the dead-letter topic has its bytes (P18).
//!
//! `json` writes JSON, `record` one record of each form, `rows` finds the records in batches,
//! `compress` the whole.

mod compress;
mod json;
mod record;
mod rows;
#[cfg(test)]
mod tests;

use arrow::array::RecordBatch;
use bytes::Bytes;

use crate::error::Result;
use crate::value::Value;

pub use compress::Compression;
pub use record::{Encoding, Form, Part};

/// How objects of records one behind the other are made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flat {
    /// What of a record is written.
    pub form: Form,
    /// What stands around the records.
    pub frame: Frame,
    /// How the whole is compressed.
    pub compression: Compression,
    /// How exact numbers stand in JSON.
    pub decimals: Decimals,
}

/// What stands around the records of an object.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Frame {
    /// Before the first.
    pub begin: String,
    /// Between two.
    pub between: String,
    /// Behind the last.
    pub end: String,
}

impl Frame {
    /// A line for each record, and `end` behind the last.
    pub fn lines(end: &str) -> Self {
        Self {
            begin: String::new(),
            between: "\n".to_owned(),
            end: end.to_owned(),
        }
    }

    /// `ending` behind each record.
    pub fn ended(ending: &str) -> Self {
        Self {
            begin: String::new(),
            between: ending.to_owned(),
            end: ending.to_owned(),
        }
    }

    /// A JSON list, a record a line.
    pub fn list() -> Self {
        Self {
            begin: "[\n".to_owned(),
            between: ",\n".to_owned(),
            end: "\n]".to_owned(),
        }
    }
}

/// How exact numbers stand in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Decimals {
    /// Their digits without the point, as base64 of a big-endian two's complement.
    #[default]
    Base64,
    /// As numbers.
    Number,
}

impl Flat {
    /// Writes what `_value` has of a decoded value; `false`: it is null.
    pub(crate) fn value(&self, value: &Value, out: &mut Vec<u8>) -> bool {
        match (value, self.form.is_json()) {
            (Value::Null, _) => return false,
            (Value::Text(text), false) => out.extend_from_slice(text.as_bytes()),
            (Value::Binary(bytes), false) => out.extend_from_slice(bytes),
            _ => json::value(value, self.decimals, out),
        }
        true
    }

    /// The object of the records of `batches`, in the order of their offsets, and how many they
    /// are.
    ///
    /// # Errors
    /// `Internal` for batches without envelope, or when it can't be compressed.
    pub(crate) fn object(&self, batches: &[RecordBatch]) -> Result<(Bytes, u64)> {
        let rows = rows::sorted(batches)?;
        let mut text = Vec::from(self.frame.begin.as_bytes());
        for (at, row) in rows.iter().enumerate() {
            if at > 0 {
                text.extend_from_slice(self.frame.between.as_bytes());
            }
            self.form.write(row, &mut text);
        }
        text.extend_from_slice(self.frame.end.as_bytes());
        let bytes = self.compression.compress(text)?;
        Ok((bytes.into(), rows.len() as u64))
    }
}
