//! A batch under another schema's names: columns bind by identity (P11, P12), so nothing is
//! shredded twice and no value is copied.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, RecordBatch, StructArray, new_null_array};
use arrow::datatypes::{DataType, FieldRef, Fields, Schema};
use arrow::record_batch::RecordBatchOptions;

use super::kind::{Step, step};
use super::project::unreserved;
use crate::{Error, Result};

/// The rows of `batch` as `target` has them: renamed, reordered, and null where the batch has no
/// such column, inside structs and lists too.
///
/// # Errors
///
/// `Internal` when the batch has a column that `target` lacks, or has it with another type.
pub fn bind(batch: &RecordBatch, target: &Schema) -> Result<RecordBatch> {
    let rows = batch.num_rows();
    let columns = bind_fields(
        batch.schema_ref().fields(),
        batch.columns(),
        target.fields(),
        rows,
    )?;
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    Ok(RecordBatch::try_new_with_options(
        Arc::new(target.clone()),
        columns,
        &options,
    )?)
}

fn bind_fields(
    fields: &Fields,
    columns: &[ArrayRef],
    target: &Fields,
    rows: usize,
) -> Result<Vec<ArrayRef>> {
    let mut sources: HashMap<Step<'_>, (&FieldRef, &ArrayRef)> = fields
        .iter()
        .zip(columns)
        .map(|(field, column)| (step(field), (field, column)))
        .collect();
    let mut bound = Vec::with_capacity(target.len());
    for field in target {
        bound.push(match sources.remove(&step(field)) {
            Some((_, column)) => bind_array(column, field)?,
            None => new_null_array(field.data_type(), rows),
        });
    }
    match sources.into_values().next() {
        None => Ok(bound),
        Some((field, _)) => Err(unreserved(field)),
    }
}

/// As [`bind`], for one column.
pub(crate) fn bind_array(array: &ArrayRef, target: &FieldRef) -> Result<ArrayRef> {
    if array.data_type() == target.data_type() {
        return Ok(Arc::clone(array));
    }
    match (array.data_type(), target.data_type()) {
        (DataType::Struct(fields), DataType::Struct(wanted)) => {
            let array = array.as_struct();
            let rows = array.len();
            let columns = bind_fields(fields, array.columns(), wanted, rows)?;
            let nulls = array.nulls().cloned();
            Ok(Arc::new(StructArray::try_new_with_length(
                wanted.clone(),
                columns,
                nulls,
                rows,
            )?))
        }
        (DataType::List(_), DataType::List(element)) => {
            let array = array.as_list::<i32>();
            let values = bind_array(array.values(), element)?;
            Ok(Arc::new(ListArray::try_new(
                Arc::clone(element),
                array.offsets().clone(),
                values,
                array.nulls().cloned(),
            )?))
        }
        (found, wanted) => Err(Error::internal(format!(
            "column `{}` is `{wanted}` in the table and `{found}` in the batch",
            target.name()
        ))),
    }
}
