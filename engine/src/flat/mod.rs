//! Objects that hold records one behind the other, as other sinks write them besides Parquet: lines
//! of JSON, a JSON list, CSV, bytes, Avro.
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
//! `json` writes JSON, `avro` files of Avro, `record` one record of each other form, `rows` finds
//! the records in batches, `compress` the whole; `column` is a part of them for a file of Parquet.

mod avro;
mod column;
mod compress;
mod json;
mod record;
mod rows;
#[cfg(test)]
mod tests;

use arrow::array::RecordBatch;
use bytes::Bytes;
use rows::Row;
use uuid::Uuid;

use crate::error::Result;
use crate::record::Record;
use crate::shred::{Converter, Payload};
use crate::value::Value;

pub(crate) use avro::{Apart, Book, classes};
pub use avro::{Avro, BlockCodec, Shape};
pub(crate) use column::column;
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
    /// Hands `shred` the record as it waits for its object: what converters and transforms made of
    /// it stands for its bytes. `book` gets the schemas, `text` is for what is written anew.
    pub(crate) fn waiting<T>(
        &self,
        record: &Record<'_>,
        payload: Payload<'_>,
        (converter, book, text): (Converter, &Book, &mut Vec<u8>),
        shred: impl FnOnce(&Record<'_>, Payload<'_>) -> T,
    ) -> T {
        let is_avro = self.is_avro();
        let made;
        let payload = match (payload, record.value) {
            // Its schema is that of all values of its file, so they wait as what they are.
            (Payload::Original, Some(bytes)) if is_avro => {
                match avro::undecoded(bytes, converter) {
                    Some(value) => {
                        made = value;
                        Payload::Value(&made)
                    }
                    None => payload,
                }
            }
            _ => payload,
        };
        let Payload::Value(value) = payload else {
            return shred(record, payload);
        };
        text.clear();
        let is_there = match is_avro {
            true => avro::hold(record, value, book, text),
            false => self.value(value, text),
        };
        let value = is_there.then_some(text.as_slice());
        shred(&Record { value, ..*record }, payload)
    }

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

    /// Whether it is Avro.
    pub fn is_avro(&self) -> bool {
        matches!(self.form, Form::Avro(_))
    }

    /// By what its objects tell records apart.
    pub(crate) fn apart(&self) -> Vec<Apart> {
        match &self.form {
            Form::Avro(avro) => avro.apart().collect(),
            _ => Vec::new(),
        }
    }

    /// The object of the records of `batches`, and how many they are. `book` has the schemas that
    /// they came with; `id` is the commit's.
    ///
    /// # Errors
    /// `Internal` for batches without envelope, or when it can't be compressed.
    pub(crate) fn object(
        &self,
        batches: &[RecordBatch],
        order: Order,
        (book, id): (&Book, Uuid),
    ) -> Result<(Bytes, u64)> {
        let mut rows = rows::of(batches)?;
        if order == Order::Offsets {
            // Rows of like keys were put together.
            rows.sort_by_key(|row| row.offset);
        }
        let whole = match &self.form {
            Form::Avro(avro) => avro.object(&rows, book, id.into_bytes())?,
            form => self.text(form, &rows),
        };
        let bytes = self.compression.compress(whole)?;
        Ok((bytes.into(), rows.len() as u64))
    }

    fn text(&self, form: &Form, rows: &[Row<'_>]) -> Vec<u8> {
        let mut text = Vec::from(self.frame.begin.as_bytes());
        for (at, row) in rows.iter().enumerate() {
            if at > 0 {
                text.extend_from_slice(self.frame.between.as_bytes());
            }
            form.write(row, &mut text);
        }
        text.extend_from_slice(self.frame.end.as_bytes());
        text
    }
}

/// In which order the records of an object stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// In that of their offsets.
    Offsets,
    /// As their rows do, which a file of the table has as well.
    Rows,
}
