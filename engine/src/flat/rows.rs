//! The records in the rows of batches.

use arrow::array::{Array, AsArray, BinaryArray, Int32Array, Int64Array, ListArray, RecordBatch};
use arrow::array::{StringArray, TimestampMicrosecondArray};
use arrow::datatypes::{Int32Type, Int64Type, TimestampMicrosecondType};

use crate::error::{Error, Result};
use crate::schema::VALUE;

/// A record, as its row has it.
#[derive(Debug, Default)]
pub(super) struct Row<'a> {
    pub(super) offset: i64,
    /// The registry's id of the key's schema.
    pub(super) key_schema_id: Option<i32>,
    /// Microseconds since the Unix epoch.
    pub(super) time_us: Option<i64>,
    pub(super) key: Option<&'a [u8]>,
    pub(super) value: Option<&'a [u8]>,
    pub(super) headers: Vec<(&'a str, Option<&'a [u8]>)>,
}

/// The records of `batches` as they stand there.
///
/// # Errors
/// `Internal` for a batch without envelope.
pub(super) fn of(batches: &[RecordBatch]) -> Result<Vec<Row<'_>>> {
    let mut rows = Vec::with_capacity(batches.iter().map(RecordBatch::num_rows).sum());
    for batch in batches {
        let envelope = Envelope::of(batch).ok_or_else(|| {
            Error::internal("a batch lacks a column of the envelope, or has it otherwise")
        })?;
        rows.extend((0..batch.num_rows()).map(|row| envelope.row(row)));
    }
    Ok(rows)
}

struct Envelope<'a> {
    offsets: &'a Int64Array,
    key_schema_ids: &'a Int32Array,
    times: &'a TimestampMicrosecondArray,
    keys: &'a BinaryArray,
    values: &'a BinaryArray,
    headers: &'a ListArray,
    names: &'a StringArray,
    contents: &'a BinaryArray,
}

impl<'a> Envelope<'a> {
    fn of(batch: &'a RecordBatch) -> Option<Self> {
        let headers = batch.column_by_name("_headers")?.as_list_opt::<i32>()?;
        let fields = headers.values().as_struct_opt()?;
        let times = batch.column_by_name("_timestamp")?;
        Some(Self {
            offsets: batch
                .column_by_name("_offset")?
                .as_primitive_opt::<Int64Type>()?,
            key_schema_ids: batch
                .column_by_name("_key_schema_id")?
                .as_primitive_opt::<Int32Type>()?,
            times: times.as_primitive_opt::<TimestampMicrosecondType>()?,
            keys: batch.column_by_name("_key")?.as_binary_opt::<i32>()?,
            values: batch.column_by_name(VALUE)?.as_binary_opt::<i32>()?,
            headers,
            names: fields.column_by_name("key")?.as_string_opt::<i32>()?,
            contents: fields.column_by_name("value")?.as_binary_opt::<i32>()?,
        })
    }

    fn row(&self, row: usize) -> Row<'a> {
        let ids = self.key_schema_ids;
        let bytes = |array: &'a BinaryArray| array.is_valid(row).then(|| array.value(row));
        Row {
            offset: self.offsets.value(row),
            key_schema_id: ids.is_valid(row).then(|| ids.value(row)),
            time_us: self.times.is_valid(row).then(|| self.times.value(row)),
            key: bytes(self.keys),
            value: bytes(self.values),
            headers: self.headers(row),
        }
    }

    fn headers(&self, row: usize) -> Vec<(&'a str, Option<&'a [u8]>)> {
        if self.headers.is_null(row) {
            return Vec::new();
        }
        let offsets = self.headers.value_offsets();
        let place = |at: usize| offsets.get(at).and_then(|end| usize::try_from(*end).ok());
        let (Some(from), Some(to)) = (place(row), place(row + 1)) else {
            return Vec::new();
        };
        let header = |at: usize| {
            let value = self.contents.is_valid(at).then(|| self.contents.value(at));
            (self.names.value(at), value)
        };
        (from..to).map(header).collect()
    }
}
