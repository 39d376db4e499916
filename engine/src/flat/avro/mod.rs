//! Avro's object container files. One has one schema:
//!
//! | the records' values | schema |
//! |---|---|
//! | of a registry's Avro, without transforms | that of the registry, byte for byte as they came |
//! | anything else | made of the file's own values (`schema`), under the configuration's names |
//!
//! Records whose registered schemas differ have files of their own within a rotation, each called
//! by its first record, however often the schemas alternate ([`classes`]).
//!
//! `held` is what waits in `_value`, `book` the schemas that it came with, `column` a part of the
//! records, `kinds` what values are, `encode` their binary, `file` the container.

mod book;
mod column;
mod encode;
mod file;
mod held;
mod kinds;
mod schema;
#[cfg(test)]
mod tests;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::Int32Type;
use serde_json::{Value as Json, json};

pub(crate) use book::Book;
use column::Column;
use file::File;
use schema::Names;

use super::record::Part;
use super::rows::Row;
use crate::error::{Error, Result};
use crate::record::Record;
use crate::schema::VALUE;
use crate::shred::Converter;
use crate::value::Value;

pub use file::BlockCodec;

/// How Avro files are made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Avro {
    /// How their blocks are compressed.
    pub codec: BlockCodec,
    /// What their records are.
    pub shape: Shape,
    /// The full name of the first record whose own name nobody knows; others have a number behind.
    pub record: String,
    /// The full name of the records that have a field for each part.
    pub envelope: String,
}

/// What the records of an Avro file are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shape {
    /// A part of a Kafka record.
    Alone(Part),
    /// The same, but what is no record of Avro's becomes the field of one.
    Unwrapped(Part),
    /// Records of Avro's, with a field for each of these parts.
    Envelope(Vec<Part>),
}

impl Avro {
    /// The file of `rows`, whose schemas `book` has. `sync` is what stands between its blocks.
    ///
    /// # Errors
    /// `Internal` for rows that were not made for such a file.
    pub(super) fn object(&self, rows: &[Row<'_>], book: &Book, sync: [u8; 16]) -> Result<Vec<u8>> {
        let (parts, is_alone) = (self.parts(), !matches!(self.shape, Shape::Envelope(_)));
        let mut names = Names::new(&self.record);
        let columns = parts
            .iter()
            .map(|part| Column::of(*part, rows, book, &mut names, is_alone));
        let columns: Vec<Column<'_>> = columns.collect::<Result<_>>()?;
        let schema = self.schema(parts, &columns).to_string();
        let mut file = File::new(&schema, self.codec, sync);
        for at in 0..rows.len() {
            file.add(|out| columns.iter().try_for_each(|column| column.write(at, out)))?;
        }
        file.finish()
    }

    fn parts(&self) -> &[Part] {
        match &self.shape {
            Shape::Alone(part) | Shape::Unwrapped(part) => std::slice::from_ref(part),
            Shape::Envelope(parts) => parts,
        }
    }

    fn schema(&self, parts: &[Part], columns: &[Column<'_>]) -> Json {
        let is_record = |schema: &Json| schema.get("type").is_some_and(|kind| kind == "record");
        match (&self.shape, columns) {
            (Shape::Alone(_), [only]) => return only.schema(),
            (Shape::Unwrapped(_), [only]) if is_record(&only.schema()) => return only.schema(),
            _ => {}
        }
        let fields = parts.iter().zip(columns);
        let fields = fields.map(|(part, one)| json!({"name": part.name(), "type": one.schema()}));
        schema::definition(&self.envelope, fields.collect())
    }

    /// By what its files tell records apart.
    pub(super) fn apart(&self) -> impl Iterator<Item = Apart> {
        self.parts().iter().filter_map(|part| match part {
            Part::Value => Some(Apart::Values),
            Part::Key | Part::KeyText | Part::KeyBytes => Some(Apart::Keys),
            _ => None,
        })
    }
}

/// Writes what waits in `_value` for a record's Avro; `false`: the value is null.
pub(super) fn hold(record: &Record<'_>, value: &Value, book: &Book, out: &mut Vec<u8>) -> bool {
    if *value == Value::Null {
        return false;
    }
    let declared = record.decoded.value_avro;
    match declared.and_then(|avro| Some((book.value(avro.schema)?, avro.bytes))) {
        Some((number, bytes)) => held::declared(number, bytes, out),
        None => held::value(value, out),
    }
    true
}

/// The value of bytes that nobody decoded, as the engine takes them; `None` where it will refuse
/// them.
pub(super) fn undecoded(bytes: &[u8], converter: Converter) -> Option<Value> {
    let is_json = converter == Converter::Json || bytes.trim_ascii_start().starts_with(b"{");
    match Value::parse(bytes) {
        None if is_json => None,
        None => Some(column::plain(bytes)),
        value => value,
    }
}

/// By what the files of a form tell records apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Apart {
    /// The schema that their values came with.
    Values,
    /// The registered schema of their keys.
    Keys,
}

/// Which of the rows may share a file: those of the same number, and those without one with any.
///
/// # Errors
/// `Internal` for a batch without envelope.
pub(crate) fn classes(batch: &RecordBatch, by: Apart, book: &Book) -> Result<Vec<Option<u32>>> {
    let missing = || Error::internal("a batch lacks a column of the envelope");
    let rows = 0..batch.num_rows();
    match by {
        Apart::Values => {
            let values = batch.column_by_name(VALUE).ok_or_else(missing)?;
            let values = values.as_binary_opt::<i32>().ok_or_else(missing)?;
            let class = |row: usize| {
                let schema = held::schema_of(values.value(row));
                values
                    .is_valid(row)
                    .then(|| schema.map_or(0, |number| number + 1))
            };
            Ok(rows.map(class).collect())
        }
        Apart::Keys => {
            let ids = batch.column_by_name("_key_schema_id").ok_or_else(missing)?;
            let ids = ids.as_primitive_opt::<Int32Type>().ok_or_else(missing)?;
            let class = |row: usize| {
                let id = ids.is_valid(row).then(|| ids.value(row))?;
                book.schema_of_key(id).map(|_| id.cast_unsigned())
            };
            Ok(rows.map(class).collect())
        }
    }
}
