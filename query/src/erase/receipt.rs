//! Receipts and plans of erasures as rows.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, SchemaRef};
use eddy_engine::maintain::Receipt;
use serde::Serialize;

use crate::error::{Error, Result};
use crate::query::Inner;
use crate::system::rows::{self, COUNT, TEXT, rfc3339, schema, time};

/// What a `DELETE` would erase.
#[derive(Debug, Serialize)]
pub(super) struct Counted {
    pub(super) table: String,
    /// The newest version.
    pub(super) version: u64,
    /// Rows that match, committed or not.
    pub(super) rows: u64,
    /// Those of them with `_error`.
    pub(super) dead_letters: u64,
    /// Those of them that are not committed yet.
    pub(super) live_rows: u64,
    /// Files that hold them.
    pub(super) files: u64,
    /// Files of the version.
    pub(super) files_total: u64,
}

/// A plan as one row.
pub(super) fn plan(counted: &Counted) -> Result<(SchemaRef, Vec<RecordBatch>)> {
    let schema = explained_schema();
    let batches = rows::batches(&schema, &[counted])?;
    Ok((schema, batches))
}

/// The columns of a plan.
pub(crate) fn explained_schema() -> SchemaRef {
    schema([
        ("table", TEXT),
        ("version", COUNT),
        ("rows", COUNT),
        ("dead_letters", COUNT),
        ("live_rows", COUNT),
        ("files", COUNT),
        ("files_total", COUNT),
    ])
}

/// One receipt.
#[derive(Debug, Serialize)]
pub(super) struct Row<'a> {
    table: &'a str,
    erasure_id: &'a str,
    reference: &'a str,
    requested_at: Option<String>,
    requested_at_version: u64,
    erased_at: Option<String>,
    versions: &'a [u64],
    rows: u64,
    files: &'a [String],
    removed_at: Option<String>,
    beyond: &'a [String],
}

impl<'a> Row<'a> {
    pub(super) fn new(table: &'a str, receipt: &'a Receipt) -> Self {
        Self {
            table,
            erasure_id: &receipt.id,
            reference: &receipt.reference,
            requested_at: rfc3339(receipt.requested_us),
            requested_at_version: receipt.requested_at_version,
            erased_at: receipt.erased_us.and_then(rfc3339),
            versions: &receipt.versions,
            rows: receipt.rows,
            files: &receipt.files,
            removed_at: receipt.removed_us.and_then(rfc3339),
            beyond: &receipt.beyond,
        }
    }
}

/// The columns of a receipt.
pub(crate) fn receipts_schema() -> SchemaRef {
    let list = |of| DataType::List(Arc::new(Field::new("element", of, true)));
    schema([
        ("table", TEXT),
        ("erasure_id", TEXT),
        ("reference", TEXT),
        ("requested_at", time()),
        ("requested_at_version", COUNT),
        ("erased_at", time()),
        ("versions", list(COUNT)),
        ("rows", COUNT),
        ("files", list(TEXT)),
        ("removed_at", time()),
        ("beyond", list(TEXT)),
    ])
}

pub(super) fn batches(receipts: &[Row<'_>]) -> Result<Vec<RecordBatch>> {
    rows::batches(&receipts_schema(), receipts)
}

/// `system.erasures`: every receipt of every table.
pub(crate) async fn receipts(inner: &Arc<Inner>) -> Result<(SchemaRef, Vec<RecordBatch>)> {
    let mut found = Vec::new();
    for name in inner.catalog.list(true).await?.iter() {
        let path = inner.catalog.tables().path(name)?;
        let lake = inner.catalog.tables().home(name)?.lake;
        let read =
            tokio::task::spawn_blocking(move || eddy_engine::maintain::receipts(&lake, &path));
        let receipts = read
            .await
            .map_err(|error| Error::internal(format!("a blocking call ended early: {error}")))??;
        let rows: Vec<Row<'_>> = receipts.iter().map(|one| Row::new(name, one)).collect();
        found.extend(batches(&rows)?);
    }
    Ok((receipts_schema(), found))
}
