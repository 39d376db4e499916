//! Rows of a system table from plain structs: their field names are the columns.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use arrow::json::ReaderBuilder;
use serde::Serialize;

use crate::error::Result;

/// A text column.
pub(crate) const TEXT: DataType = DataType::Utf8;
/// A count.
pub(crate) const COUNT: DataType = DataType::Int64;

/// A moment, written as RFC 3339.
pub(crate) fn time() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

/// A schema of nullable columns.
pub(crate) fn schema<const N: usize>(columns: [(&str, DataType); N]) -> SchemaRef {
    let fields: Vec<Field> = columns
        .into_iter()
        .map(|(name, data_type)| Field::new(name, data_type, true))
        .collect();
    Arc::new(Schema::new(fields))
}

/// The rows as batches of that schema.
pub(crate) fn batches<T: Serialize>(schema: &SchemaRef, rows: &[T]) -> Result<Vec<RecordBatch>> {
    let mut decoder = ReaderBuilder::new(Arc::clone(schema)).build_decoder()?;
    let mut batches = Vec::new();
    for chunk in rows.chunks(1_000) {
        decoder.serialize(chunk)?;
        batches.extend(decoder.flush()?);
    }
    Ok(batches)
}

/// Microseconds since the epoch as RFC 3339.
pub(crate) fn rfc3339(us: i64) -> Option<String> {
    let moment = chrono::DateTime::from_timestamp_micros(us)?;
    Some(moment.to_rfc3339_opts(chrono::SecondsFormat::Micros, true))
}
