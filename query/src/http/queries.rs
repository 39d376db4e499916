//! `GET /api/v1/queries`, and a cancel of one.

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use chrono::{DateTime, SecondsFormat};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::error::{Error, Result};
use crate::query::Query;

/// The queries that run, and the last ones that ran; newest first.
pub(super) async fn list(State(query): State<Query>) -> Json<Value> {
    let moment = |us: i64| {
        DateTime::from_timestamp_micros(us)
            .map(|time| time.to_rfc3339_opts(SecondsFormat::Micros, true))
    };
    let queries: Vec<Value> = query
        .0
        .registry
        .list()
        .into_iter()
        .rev()
        .map(|listed| {
            json!({
                "query_id": listed.query_id.to_string(),
                "state": listed.state,
                "sql": listed.sql,
                "front": listed.front.name(),
                "started_at": moment(listed.started_us),
                "ended_at": listed.ended_us.and_then(moment),
                "rows": listed.done.rows,
                "reads": listed.done.reads,
                "memory_bytes": listed.done.memory_bytes,
                "memory_bytes_max": listed.done.memory_bytes_max,
                "stale_ms": listed.done.stale_ms,
                "workers_away": listed.done.workers_away,
                "error": listed.error,
            })
        })
        .collect();
    Json(json!({"queries": queries}))
}

/// Cancels a query.
pub(super) async fn cancel(
    State(query): State<Query>,
    id: Result<Path<String>, PathRejection>,
) -> Result<StatusCode> {
    let Path(id) = id.map_err(|error| Error::invalid(error.body_text()))?;
    let id = Uuid::parse_str(&id)
        .map_err(|_| Error::invalid(format!("`{id}` is not the id of a query")))?;
    query.cancel(id)?;
    Ok(StatusCode::NO_CONTENT)
}
