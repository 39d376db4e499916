//! A file's columns with the identities that the table gives them.
//!
//! A file carries names only. Within one table a name stands for one identity for good (P11), so a
//! file's columns get theirs from the table's columns of the same name, and then bind as any batch
//! does.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, RecordBatch, StructArray};
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema, SchemaRef};
use arrow::record_batch::RecordBatchOptions;

use crate::error::{Error, Result};

/// The columns of a file, as the table's `reserved` columns know them.
///
/// # Errors
/// `Data` when the file has a column that the table doesn't have so.
pub(crate) fn identify(file: &Schema, reserved: &Schema) -> Result<Schema> {
    Ok(Schema::new(fields(file.fields(), reserved.fields())?))
}

fn fields(found: &Fields, reserved: &Fields) -> Result<Fields> {
    found
        .iter()
        .map(|field| {
            let known = reserved.find(field.name());
            let (_, known) = known.ok_or_else(|| unknown(field))?;
            let data_type = data_type(field, known.data_type())?;
            Ok(Arc::new(
                Field::new(field.name(), data_type, true).with_metadata(known.metadata().clone()),
            ))
        })
        .collect()
}

fn data_type(found: &FieldRef, reserved: &DataType) -> Result<DataType> {
    match (found.data_type(), reserved) {
        (DataType::Struct(inner), DataType::Struct(known)) => {
            Ok(DataType::Struct(fields(inner, known)?))
        }
        (DataType::List(inner), DataType::List(known)) => {
            let element = data_type(inner, known.data_type())?;
            Ok(DataType::List(Arc::new(
                known.as_ref().clone().with_data_type(element),
            )))
        }
        (inner, known) if inner == known => Ok(known.clone()),
        _ => Err(unknown(found)),
    }
}

fn unknown(field: &FieldRef) -> Error {
    Error::data(format!(
        "a file has a column `{}` of type `{}` that its table doesn't have so",
        field.name(),
        field.data_type()
    ))
}

/// `batch` as read from a file, under the same columns with their identities.
///
/// # Errors
/// `Internal` when `identified` was not made from the file's columns.
pub(crate) fn with_identities(batch: &RecordBatch, identified: &SchemaRef) -> Result<RecordBatch> {
    let columns: Result<Vec<ArrayRef>> = batch
        .columns()
        .iter()
        .zip(identified.fields())
        .map(|(column, field)| retyped(column, field.data_type()))
        .collect();
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(
        SchemaRef::clone(identified),
        columns?,
        &options,
    )?)
}

/// The same values, under a type that differs in the metadata of its fields.
fn retyped(array: &ArrayRef, wanted: &DataType) -> Result<ArrayRef> {
    if array.data_type() == wanted {
        return Ok(Arc::clone(array));
    }
    match wanted {
        DataType::Struct(fields) => {
            let array = array
                .as_struct_opt()
                .ok_or_else(|| Error::internal("a column changed its type while it was read"))?;
            let columns: Result<Vec<ArrayRef>> = array
                .columns()
                .iter()
                .zip(fields)
                .map(|(column, field)| retyped(column, field.data_type()))
                .collect();
            Ok(Arc::new(StructArray::try_new_with_length(
                fields.clone(),
                columns?,
                array.nulls().cloned(),
                array.len(),
            )?))
        }
        DataType::List(element) => {
            let array = array
                .as_list_opt::<i32>()
                .ok_or_else(|| Error::internal("a column changed its type while it was read"))?;
            Ok(Arc::new(ListArray::try_new(
                Arc::clone(element),
                array.offsets().clone(),
                retyped(array.values(), element.data_type())?,
                array.nulls().cloned(),
            )?))
        }
        wanted => Err(Error::internal(format!(
            "a column is `{}` and was to be `{wanted}`",
            array.data_type()
        ))),
    }
}
