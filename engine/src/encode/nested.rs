//! Columns inside of lists, and those of rare types: left to the Parquet crate's own writer.

use std::sync::Arc;

use arrow::array::{ArrayRef, StructArray, new_null_array};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema};
use parquet::arrow::arrow_writer::{ArrowWriter, ArrowWriterOptions, compute_leaves};
use parquet::file::writer::SerializedRowGroupWriter;

use super::codec::Codec;
use super::history::Stretch;
use super::pieces::Unit;
use super::properties::properties;
use crate::error::{Error, Result};
use crate::schema::bind_array;

/// Writes all columns of the unit into the row group.
///
/// # Errors
/// `Internal` when a piece doesn't fit the file's type.
pub(super) fn write(
    unit: &Unit,
    codec: Codec,
    row_group: &mut SerializedRowGroupWriter<'_, Vec<u8>>,
) -> Result<()> {
    let Some(field) = unit.field() else {
        return Err(Error::internal("a column without a path"));
    };
    // The path down to the unit, alone: its columns are the same as in the file.
    let above = unit.path.get(..unit.path.len() - 1).unwrap_or_default();
    let root = above.iter().rfold(FieldRef::clone(field), |inner, field| {
        let fields = Fields::from(vec![inner]);
        Arc::new(Field::new(
            field.name(),
            DataType::Struct(fields),
            field.is_nullable(),
        ))
    });
    let schema = Arc::new(Schema::new(vec![FieldRef::clone(&root)]));
    let properties = properties(&schema)?.set_compression(codec.compression()?);
    let options = ArrowWriterOptions::new()
        .with_properties(properties.build())
        .with_skip_arrow_metadata(true);
    let (_, factory) =
        ArrowWriter::try_new_with_options(Vec::new(), schema, options)?.into_serialized_writer()?;
    let mut columns = factory.create_column_writers(0)?;
    for (Stretch { rows, nodes }, array) in unit.stretches() {
        let piece = (rows.len(), array);
        let array = wrap(piece, &root, unit.path.len(), &mut nodes.nulls())?;
        for (leaf, column) in compute_leaves(&root, &array)?.iter().zip(&mut columns) {
            column.write(leaf)?;
        }
    }
    for column in columns {
        column.close()?.append_to_row_group(row_group)?;
    }
    Ok(())
}

/// Rows, and their values if the batch has the column, as an array of `field`, `depth` fields above
/// the values.
fn wrap<'a>(
    (rows, values): (usize, Option<&ArrayRef>),
    field: &FieldRef,
    depth: usize,
    nulls: &mut impl Iterator<Item = Option<&'a NullBuffer>>,
) -> Result<ArrayRef> {
    match (field.data_type(), values) {
        (_, Some(array)) if depth == 1 => bind_array(array, field),
        (DataType::Struct(fields), _) if depth > 1 => {
            let Some(nulls_here) = nulls.next() else {
                // The batch lacks the rest of the path.
                return Ok(new_null_array(field.data_type(), rows));
            };
            let inner = fields
                .first()
                .ok_or_else(|| Error::internal("a struct without fields"))?;
            let inner = wrap((rows, values), inner, depth - 1, nulls)?;
            Ok(Arc::new(StructArray::try_new(
                fields.clone(),
                vec![inner],
                nulls_here.cloned(),
            )?))
        }
        _ => Ok(new_null_array(field.data_type(), rows)),
    }
}
