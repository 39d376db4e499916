//! Live rows as a scan needs them: bound to the table's columns.
//!
//! The engine has clipped them by the version's positions already (P20).

use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions, new_null_array};
use arrow::compute::cast;
use arrow::datatypes::{Field, FieldRef, Schema, SchemaRef};
use eddy_engine::Result;
use eddy_engine::schema::{KEY, KIND, bind};

use super::view::View;

/// The live rows of a view that the version's files don't hold (E8), with the columns `narrow`:
/// those of `file_schema`, then the partition columns, then perhaps the file and their place in
/// it, which they have none of.
pub(super) fn live_batches(
    view: &View,
    file_schema: &SchemaRef,
    narrow: &SchemaRef,
) -> Result<Vec<RecordBatch>> {
    let mut batches = Vec::with_capacity(view.live.len());
    for batch in view.live.iter().filter(|batch| batch.num_rows() > 0) {
        batches.push(bound(view, batch, file_schema, narrow)?);
    }
    Ok(batches)
}

/// Gives a batch the table's columns by identity, not by name (P12).
fn bound(
    view: &View,
    batch: &RecordBatch,
    file_schema: &SchemaRef,
    narrow: &SchemaRef,
) -> Result<RecordBatch> {
    // Narrow first: binding a column costs its nulls, and most columns aren't asked for.
    let asked = |field: &Field| {
        file_schema.fields().iter().any(|one| {
            let of_table = view.schema.field_with_name(one.name());
            of_table.is_ok_and(|of_table| alike(of_table, field))
        })
    };
    let fields = view.schema.fields().iter();
    let target = Schema::new(
        fields
            .filter(|field| asked(field))
            .cloned()
            .collect::<Vec<FieldRef>>(),
    );
    let kept: Vec<usize> = batch
        .schema_ref()
        .fields()
        .iter()
        .enumerate()
        .filter(|(_, field)| asked(field))
        .map(|(index, _)| index)
        .collect();
    let rows = bind(&batch.project(&kept)?, &target)?;
    let mut columns = Vec::with_capacity(narrow.fields().len());
    for field in file_schema.fields() {
        let column = rows.column_by_name(field.name()).ok_or_else(|| {
            eddy_engine::Error::internal(format!("a live batch lost `{}`", field.name()))
        })?;
        columns.push(cast(column, field.data_type())?);
    }
    let placement = view.partitioning.place(batch)?;
    for field in narrow.fields().iter().skip(columns.len()) {
        let partitions = view.partitioning.columns().iter();
        let at = partitions
            .enumerate()
            .find(|(_, name)| *name == field.name());
        columns.push(match at {
            Some((at, _)) => placement.column(at),
            None => new_null_array(field.data_type(), batch.num_rows()),
        });
    }
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(
        Arc::clone(narrow),
        columns,
        &options,
    )?)
}

/// Alike enough to be compared by the engine: the same key and kind, or the same envelope name.
fn alike(table: &Field, live: &Field) -> bool {
    let identity = |field: &Field| {
        let metadata = field.metadata();
        let kind = metadata.get(KIND).cloned();
        kind.map(|kind| (metadata.get(KEY).cloned(), kind))
    };
    match (identity(table), identity(live)) {
        (None, None) => table.name() == live.name(),
        (one, other) => one == other,
    }
}
