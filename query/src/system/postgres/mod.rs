//! `pg_catalog` and `information_schema`: what clients of Postgres ask of a server before anyone
//! asks it something.
//!
//! The tables hold what there is: one database with one schema, the topics' tables, their columns
//! and the types of these. What Eddy doesn't have (keys, indexes, owners, defaults) are tables
//! without rows. Every front has them, as it has the other system tables.

mod columns;
pub(crate) mod functions;
mod rows;

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use crate::error::Result;
use crate::query::Inner;
use columns::{COLUMNS, EMPTY};
pub(crate) use rows::DATABASE;

/// The names of both schemas.
pub(crate) const SCHEMAS: [&str; 2] = ["pg_catalog", "information_schema"];

/// The names of all tables, each with its schema.
pub(crate) fn names() -> Vec<String> {
    let all = COLUMNS.iter().chain(EMPTY);
    all.map(|(name, _)| (*name).to_owned()).collect()
}

/// Whether a table of this name has no rows whatever there is.
pub(crate) fn is_empty(name: &str) -> bool {
    EMPTY.iter().any(|(known, _)| *known == name)
}

/// The rows of a table, if it is one of these.
pub(super) async fn table(
    inner: &Arc<Inner>,
    name: &str,
) -> Result<Option<(SchemaRef, Vec<RecordBatch>)>> {
    let mut all = COLUMNS.iter().chain(EMPTY);
    let Some((_, columns)) = all.find(|(known, _)| *known == name) else {
        return Ok(None);
    };
    let schema = schema(columns);
    let rows = rows::of(inner, name).await?;
    let batches = super::rows::batches(&schema, &rows)?;
    Ok(Some((schema, batches)))
}

/// A schema from `name:T` and the like: text, number, truth, float.
fn schema(columns: &str) -> SchemaRef {
    let fields = columns.split_whitespace().map(|column| {
        let (name, letter) = column.split_once(':').unwrap_or((column, "T"));
        let data_type = match letter {
            "N" => DataType::Int64,
            "B" => DataType::Boolean,
            "F" => DataType::Float32,
            _ => DataType::Utf8,
        };
        Field::new(name, data_type, true)
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

#[cfg(test)]
mod tests;
