//! Rows of a batch as `DataRow` messages.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field};
use bytes::{BufMut, BytesMut};
use pgwire::messages::data::DataRow;

use super::kind::{Column, Kind};
use super::{array, scalar};
use crate::error::{Error, Result};
use crate::http::json_values;

/// Writes rows of these columns.
pub(in crate::postgres) struct Encoder {
    columns: Vec<Column>,
    count: i16,
}

impl Encoder {
    /// For answers of these columns.
    pub(in crate::postgres) fn new(columns: Vec<Column>) -> Self {
        // `columns` has refused more.
        let count = i16::try_from(columns.len()).unwrap_or(i16::MAX);
        Self { columns, count }
    }

    /// The rows of a batch.
    pub(in crate::postgres) fn rows(&self, batch: &RecordBatch) -> Result<Vec<DataRow>> {
        if batch.num_columns() != self.columns.len() {
            return Err(Error::internal(
                "the answer has other columns than were told",
            ));
        }
        let schema = batch.schema_ref();
        let columns = self.columns.iter().zip(batch.columns());
        let cells: Vec<Cells<'_>> = columns
            .zip(schema.fields())
            .map(|((column, array), field)| Cells::of(column, array, field))
            .collect::<Result<_>>()?;
        let rows = 0..batch.num_rows();
        Ok(rows
            .map(|row| {
                let mut out = BytesMut::with_capacity(16 * cells.len());
                for cell in &cells {
                    cell.write(row, &mut out);
                }
                DataRow::new(out, self.count)
            })
            .collect())
    }
}

/// A row of texts.
pub(in crate::postgres) fn text_row(values: &[String]) -> DataRow {
    let mut out = BytesMut::new();
    for value in values {
        with_length(&mut out, |out| out.put_slice(value.as_bytes()));
    }
    DataRow::new(out, i16::try_from(values.len()).unwrap_or(i16::MAX))
}

/// A column of a batch, ready to be written.
struct Cells<'a> {
    column: &'a Column,
    /// Values of the column's kind, or the elements of its lists.
    values: ArrayRef,
    lists: Option<ListArray>,
}

impl<'a> Cells<'a> {
    fn of(column: &'a Column, array: &ArrayRef, field: &Field) -> Result<Self> {
        if column.is_list {
            let (_, lists) = as_list(array)?;
            return Ok(Self {
                column,
                values: column.kind.plain(lists.values())?,
                lists: Some(lists),
            });
        }
        let values = match column.kind {
            Kind::Json => Arc::new(StringArray::from(json_values(field, array)?)),
            kind => kind.plain(array)?,
        };
        Ok(Self {
            column,
            values,
            lists: None,
        })
    }

    fn write(&self, row: usize, out: &mut BytesMut) {
        let kind = self.column.kind;
        let binary = self.column.binary;
        match &self.lists {
            Some(lists) if lists.is_null(row) => out.put_i32(-1),
            None if self.values.is_null(row) => out.put_i32(-1),
            None if binary => with_length(out, |out| scalar::binary(kind, &self.values, row, out)),
            None => with_length(out, |out| scalar::text(kind, &self.values, row, out)),
            Some(lists) => {
                let from = usize::try_from(lists.value_offsets().get(row).copied().unwrap_or(0));
                let from = from.unwrap_or(0);
                let length = usize::try_from(lists.value_length(row)).unwrap_or(0);
                let elements = self.values.slice(from, length);
                with_length(out, |out| match binary {
                    true => array::binary(kind, &elements, out),
                    false => array::text(kind, &elements, out),
                });
            }
        }
    }
}

fn as_list(array: &ArrayRef) -> Result<(ArrayRef, ListArray)> {
    let list = match array.data_type() {
        DataType::LargeList(field) | DataType::FixedSizeList(field, _) => {
            cast(array, &DataType::List(Arc::clone(field)))?
        }
        _ => ArrayRef::clone(array),
    };
    let lists = list.as_list_opt::<i32>();
    let lists = lists
        .ok_or_else(|| Error::internal("a list is none"))?
        .clone();
    Ok((list, lists))
}

/// Writes a value's length and the value.
pub(super) fn with_length(out: &mut BytesMut, write: impl FnOnce(&mut BytesMut)) {
    let at = out.len();
    out.put_i32(0);
    write(out);
    let length = i32::try_from(out.len() - at - 4).unwrap_or(i32::MAX);
    if let Some(place) = out.get_mut(at..at + 4) {
        place.copy_from_slice(&length.to_be_bytes());
    }
}
