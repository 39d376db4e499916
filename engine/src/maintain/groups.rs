//! The row groups of a file that is rewritten: encoded by the Parquet crate's own writer, but for
//! what it says of doubles.
//!
//! That writer leaves NaN out of bounds, as Parquet wants it, and readers compare NaN as the
//! greatest of all. Who asks for `x > 5` so passes over a row group of which the bounds say 1 to 3
//! and whose NaN is wanted. Where NaN is, a column has no bounds here, in the footer, in the page
//! index and so in the log, as on the hot path.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Float64Type, SchemaRef};
use parquet::arrow::arrow_writer::{
    ArrowColumnWriter, ArrowRowGroupWriterFactory, ArrowWriter, ArrowWriterOptions, compute_leaves,
};
use parquet::column::writer::ColumnCloseResult;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::statistics::{Statistics, ValueStatistics};
use parquet::file::writer::SerializedFileWriter;

use crate::error::{Error, Result};

/// A file that is being encoded, row group by row group.
pub(super) struct Groups {
    file: SerializedFileWriter<Vec<u8>>,
    factory: ArrowRowGroupWriterFactory,
    schema: SchemaRef,
    open: Option<Group>,
}

/// The row group that isn't complete.
struct Group {
    columns: Vec<ArrowColumnWriter>,
    /// By column, whether a NaN may be in it.
    unordered: Vec<bool>,
    rows: usize,
}

impl Groups {
    /// Nothing is encoded yet. Row groups end where [`Groups::end`] is called.
    ///
    /// # Errors
    /// `Internal` for a schema that Parquet can't hold.
    pub(super) fn new(schema: SchemaRef, options: ArrowWriterOptions) -> Result<Self> {
        let writer =
            ArrowWriter::try_new_with_options(Vec::new(), SchemaRef::clone(&schema), options)?;
        let (file, factory) = writer.into_serialized_writer()?;
        Ok(Self {
            file,
            factory,
            schema,
            open: None,
        })
    }

    /// Rows of the row group that isn't complete.
    pub(super) fn rows(&self) -> usize {
        self.open.as_ref().map_or(0, |group| group.rows)
    }

    /// About how many bytes that row group has so far.
    pub(super) fn size(&self) -> usize {
        let columns = self.open.iter().flat_map(|group| &group.columns);
        columns
            .map(ArrowColumnWriter::get_estimated_total_bytes)
            .sum()
    }

    /// Bytes of the complete row groups.
    pub(super) fn bytes_written(&self) -> usize {
        self.file.bytes_written()
    }

    /// Those bytes, as far as nobody took them.
    pub(super) fn bytes(&mut self) -> &mut Vec<u8> {
        self.file.inner_mut()
    }

    /// Takes rows with the columns of the schema.
    ///
    /// # Errors
    /// `Internal` when they have others.
    pub(super) fn write(&mut self, rows: &RecordBatch) -> Result<()> {
        let number = self.file.flushed_row_groups().len();
        let group = match &mut self.open {
            Some(group) => group,
            none => none.insert(Group::new(self.factory.create_column_writers(number)?)),
        };
        let mut columns = group.columns.iter_mut();
        let mut leaf = 0;
        for (field, array) in self.schema.fields().iter().zip(rows.columns()) {
            for one in compute_leaves(field, array)? {
                let column = columns.next().ok_or_else(lacking)?;
                column.write(&one)?;
            }
            note(array.as_ref(), &mut leaf, &mut group.unordered);
        }
        group.rows += rows.num_rows();
        Ok(())
    }

    /// Completes the row group, if one is begun.
    ///
    /// # Errors
    /// `Internal` when it can't be encoded.
    pub(super) fn end(&mut self) -> Result<()> {
        let Some(group) = self.open.take() else {
            return Ok(());
        };
        let mut row_group = self.file.next_row_group()?;
        for (column, unordered) in group.columns.into_iter().zip(group.unordered) {
            let mut chunk = column.close()?;
            if unordered {
                forget_bounds(chunk.close_mut())?;
            }
            chunk.append_to_row_group(&mut row_group)?;
        }
        row_group.close()?;
        Ok(())
    }

    /// Completes the file.
    ///
    /// # Errors
    /// As [`Groups::end`].
    pub(super) fn finish(&mut self) -> Result<ParquetMetaData> {
        self.end()?;
        Ok(self.file.finish()?)
    }
}

impl Group {
    fn new(columns: Vec<ArrowColumnWriter>) -> Self {
        Self {
            unordered: vec![false; columns.len()],
            columns,
            rows: 0,
        }
    }
}

/// Notes which leaves of an array have a NaN, the first of them being column `leaf` of the file.
/// What lies under a null counts too, which only costs bounds.
fn note(array: &dyn Array, leaf: &mut usize, unordered: &mut [bool]) {
    match array.data_type() {
        DataType::Struct(_) => {
            for column in array.as_struct().columns() {
                note(column.as_ref(), leaf, unordered);
            }
        }
        DataType::List(_) => {
            let list = array.as_list::<i32>();
            let offsets = list.offsets();
            let at = |offset: Option<&i32>| {
                let offset = offset.and_then(|offset| usize::try_from(*offset).ok());
                offset.unwrap_or(0)
            };
            let (first, last) = (at(offsets.first()), at(offsets.last()));
            let values = list.values().slice(first, last.saturating_sub(first));
            note(values.as_ref(), leaf, unordered);
        }
        data_type => {
            if *data_type == DataType::Float64
                && let Some(here) = unordered.get_mut(*leaf)
            {
                let values = array.as_primitive::<Float64Type>().values();
                *here |= values.iter().any(|value| value.is_nan());
            }
            *leaf += 1;
        }
    }
}

/// Of a column of doubles nothing stays but how many are missing.
fn forget_bounds(column: &mut ColumnCloseResult) -> Result<()> {
    let nulls = column.metadata.statistics();
    let nulls = nulls.and_then(Statistics::null_count_opt);
    let statistics = Statistics::Double(ValueStatistics::new(None, None, None, nulls, false));
    let metadata = column.metadata.clone().into_builder();
    column.metadata = metadata.set_statistics(statistics).build()?;
    column.column_index = None;
    Ok(())
}

fn lacking() -> Error {
    Error::internal("a rewritten file lacks a column")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Float64Array, Int64Array, ListArray, StringArray, StructArray};
    use arrow::datatypes::{Field, Int64Type, Schema};
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
    use serde_json::{Value, json};

    use super::*;
    use crate::encode::delta_stats;

    /// A long, a list of doubles, a struct of a text and a double, and a double.
    fn rows(numbers: [i64; 2], inner: [Option<f64>; 2], last: [f64; 2]) -> RecordBatch {
        let list = [Some([Some(1.0), Some(f64::NAN)]), None];
        let list = ListArray::from_iter_primitive::<Float64Type, _, _>(list);
        let text: ArrayRef = Arc::new(StringArray::from(vec!["a", "b"]));
        let double: ArrayRef = Arc::new(Float64Array::from(inner.to_vec()));
        let inside = StructArray::from(vec![
            (Arc::new(Field::new("t", DataType::Utf8, true)), text),
            (Arc::new(Field::new("d", DataType::Float64, true)), double),
        ]);
        let columns: [(&str, ArrayRef); 4] = [
            ("n", Arc::new(Int64Array::from(numbers.to_vec()))),
            ("l", Arc::new(list)),
            ("s", Arc::new(inside)),
            ("x", Arc::new(Float64Array::from(last.to_vec()))),
        ];
        let fields = columns
            .iter()
            .map(|(name, array)| Field::new(*name, array.data_type().clone(), true));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let arrays = columns.into_iter().map(|(_, array)| array);
        RecordBatch::try_new(schema, arrays.collect()).unwrap()
    }

    #[test]
    fn a_column_has_no_bounds_where_it_has_a_nan_and_keeps_all_else() {
        let first = rows([1, 2], [Some(1.0), None], [1.0, f64::NAN]);
        let second = rows([3, 4], [Some(2.0), Some(3.0)], [2.0, 3.0]);
        let options = ArrowWriterOptions::new().with_skip_arrow_metadata(true);
        let mut groups = Groups::new(first.schema(), options).unwrap();
        for batch in [&first, &second] {
            groups.write(batch).unwrap();
            assert_eq!(groups.rows(), 2);
            groups.end().unwrap();
            assert_eq!((groups.rows(), groups.size()), (0, 0));
        }
        let metadata = groups.finish().unwrap();
        let stats: Value = serde_json::from_str(&delta_stats(&metadata, false)).unwrap();
        assert_eq!(
            stats["minValues"],
            json!({"n": 1, "s": {"t": "a", "d": 1.0}})
        );
        assert_eq!(
            stats["maxValues"],
            json!({"n": 4, "s": {"t": "b", "d": 3.0}})
        );
        assert_eq!(
            stats["nullCount"],
            json!({"n": 0, "s": {"t": 0, "d": 1}, "x": 0})
        );
        assert_eq!(stats["eddyComplete"], json!(true));
        let bounds = |group: usize, column: usize| {
            let statistics = metadata.row_group(group).column(column).statistics();
            statistics.unwrap().max_bytes_opt().map(<[u8]>::to_vec)
        };
        assert_eq!(bounds(0, 4), None);
        assert_eq!(bounds(1, 4), Some(3.0_f64.to_le_bytes().to_vec()));
        assert_eq!(bounds(0, 3), Some(1.0_f64.to_le_bytes().to_vec()));
        // The rows are what they were.
        let bytes = bytes::Bytes::from(std::mem::take(groups.bytes()));
        let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap();
        let read: Vec<RecordBatch> = reader.build().unwrap().map(Result::unwrap).collect();
        let read = arrow::compute::concat_batches(&read[0].schema(), &read).unwrap();
        assert!(read["x"].as_primitive::<Float64Type>().value(1).is_nan());
        let numbers = read["n"].as_primitive::<Int64Type>();
        assert_eq!(numbers.values().to_vec(), [1, 2, 3, 4]);
    }
}
