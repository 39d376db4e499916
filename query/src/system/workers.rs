//! `system.workers`: the lake's workers in other processes, and whether they answer.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use serde::Serialize;

use super::rows::{COUNT, TEXT, batches, rfc3339, schema, time};
use crate::error::Result;
use crate::query::Inner;

/// One worker.
#[derive(Serialize)]
struct WorkerRow {
    worker: String,
    process: String,
    address: String,
    /// `here`, `away`, or `unasked` before a query needed it.
    state: &'static str,
    /// When it last said in the lake that it lives.
    said_at: Option<String>,
    /// How long ago it last answered a query.
    answered_ms_ago: Option<u64>,
    error: Option<String>,
}

/// The workers as queries know them: the list is as old as the last query of a table.
pub(super) fn rows(inner: &Arc<Inner>) -> Result<(SchemaRef, Vec<RecordBatch>)> {
    let schema = schema([
        ("worker", TEXT),
        ("process", TEXT),
        ("address", TEXT),
        ("state", TEXT),
        ("said_at", time()),
        ("answered_ms_ago", COUNT),
        ("error", TEXT),
    ]);
    let peers = inner.catalog.tables().peers();
    let states = peers.map(|peers| peers.states()).unwrap_or_default();
    let millis = |age: Duration| u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
    let rows = states.into_iter().map(|peer| WorkerRow {
        worker: peer.said.worker,
        process: peer.said.process,
        address: peer.said.address,
        state: match (&peer.error, peer.answered) {
            (Some(_), _) => "away",
            (None, Some(_)) => "here",
            (None, None) => "unasked",
        },
        said_at: rfc3339(peer.said.said_at_ms.saturating_mul(1_000)),
        answered_ms_ago: peer.answered.map(millis),
        error: peer.error,
    });
    let rows: Vec<WorkerRow> = rows.collect();
    let batches = batches(&schema, &rows)?;
    Ok((schema, batches))
}
