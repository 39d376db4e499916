//! `GET /api/v1/tables/{table}/tail?where=...`: new records as server-sent events.
//!
//! Each record is an event whose `id` is where the reader is behind it; who comes back with
//! `Last-Event-ID` goes on there. A reader that is too slow holds up the tail and nothing else:
//! what it is given next is read as a whole, and waits for it as text while others query. When it
//! is too far behind, it gets an event `dropped` that says how many records it missed.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{Int32Type, Int64Type};
use axum::body::Bytes;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query as UrlQuery, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use futures::StreamExt;
use http_body::Frame;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use super::body::{self, Piece, Working};
use super::format::Int64;
use super::{error::ErrorBody, json};
use crate::error::{Error, ErrorKind, Result};
use crate::pieces::pieces;
use crate::query::Query;
use crate::table::OffsetMap;
use crate::tail::{self, Ids, Round};

/// Records that a reader may be behind.
const BEHIND_MAX: u64 = 1_000_000;
/// Records that one query of a tail looks at, so that a reader that is far behind doesn't sort all
/// of what it lacks again for each part of it.
const ROUND_RECORDS: u64 = 10_000;
/// Text that waits for a reader, in bytes; a piece of rows may exceed it once. All tails together
/// have at most some hundred times as much.
const ROUND_BYTES: usize = 4 << 20;
/// Tails at once: each looks again and again whether there is more.
pub(crate) const TAILS_MAX: usize = 100;
/// How often an idle tail says that it is there: proxies close what is silent.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// The parameters.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    /// Which records, as after `WHERE`.
    #[serde(rename = "where")]
    condition: Option<String>,
}

/// Follows a table from now on, or from `Last-Event-ID`.
pub(super) async fn follow(
    State(query): State<Query>,
    table: Result<Path<String>, PathRejection>,
    asked: Result<UrlQuery<Asked>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response> {
    let Path(table) = table.map_err(|error| Error::invalid(error.body_text()))?;
    let UrlQuery(asked) = asked.map_err(|error| Error::invalid(error.body_text()))?;
    let condition = asked.condition.filter(|text| !text.trim().is_empty());
    if let Some(condition) = &condition {
        tail::check(condition)?;
    }
    // What is wrong is told with a status, before anything is followed.
    let trial = tail::trial(&table, condition.as_deref());
    query.describe(trial).await?;
    let table = name(&query, &table).await?;
    let position = match headers.get("last-event-id") {
        Some(id) => tail::position(id.to_str().unwrap_or_default())?,
        None => visible(&query, &table).await?,
    };
    let place = place(&query)?;
    let (tx, rx) = body::channel();
    let following = Following {
        _place: place,
        query: query.clone(),
        table,
        condition,
        position,
        tx,
    };
    let task = Working(query.0.pool.spawn(following.run()));
    let headers = [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    Ok((headers, body::of(rx, task)).into_response())
}

/// A place among those that follow.
fn place(query: &Query) -> Result<OwnedSemaphorePermit> {
    let free = Arc::clone(&query.0.tails).try_acquire_owned();
    free.map_err(|_| {
        let text = format!("{TAILS_MAX} tails run already, which is all that may");
        Error::new(ErrorKind::Busy, text).with_hint("end one of them, or try again later")
    })
}

/// The table as the lake calls it.
async fn name(query: &Query, wanted: &str) -> Result<String> {
    let list = query.0.catalog.list(false).await?;
    let exact = list.iter().find(|name| *name == wanted);
    let alike = || {
        list.iter()
            .find(|name| name.to_lowercase() == wanted.to_lowercase())
    };
    let found = exact.or_else(alike).ok_or_else(|| {
        let text = format!("there is no table `{wanted}`");
        Error::new(ErrorKind::UnknownTable, text)
            .with_hint("only tables of topics are followed, and by their names alone")
    })?;
    Ok(found.clone())
}

async fn visible(query: &Query, table: &str) -> Result<OffsetMap> {
    let view = query.0.catalog.view(table, None).await?;
    Ok(view.visible_offsets())
}

/// A reader that follows.
struct Following {
    /// Given back when its reader goes.
    _place: OwnedSemaphorePermit,
    query: Query,
    table: String,
    condition: Option<String>,
    /// Up to where the reader has everything.
    position: OffsetMap,
    tx: mpsc::Sender<Piece>,
}

impl Following {
    async fn run(mut self) {
        if let Err(error) = self.rounds().await {
            let told = json!(ErrorBody::of(&error, error.query_id()));
            let _ = self.send(format!("event: error\ndata: {told}\n\n")).await;
        }
    }

    /// Ends when its reader goes, or with an error.
    async fn rounds(&mut self) -> Result<()> {
        // Who waits for the head of the answer sees that there is one.
        self.send(format!("id: {}\n\n", tail::token(&self.position)))
            .await?;
        let clock = self.query.0.clock.clone();
        let mut quiet_since = clock.monotonic();
        loop {
            let ends = visible(&self.query, &self.table).await?;
            if let Some(round) = Round::next(&self.position, &ends, BEHIND_MAX) {
                self.round(&round.first(ROUND_RECORDS)).await?;
                quiet_since = clock.monotonic();
                continue;
            }
            if clock.monotonic().saturating_sub(quiet_since) >= KEEP_ALIVE {
                self.send(":\n\n".to_owned()).await?;
                quiet_since = clock.monotonic();
            }
            self.query.0.catalog.tables().changed().await;
        }
    }

    async fn round(&mut self, round: &Round) -> Result<()> {
        if round.dropped > 0 {
            self.position.extend(&round.from);
            let dropped = json!({"records": round.dropped});
            let id = tail::token(&self.position);
            self.send(format!("event: dropped\nid: {id}\ndata: {dropped}\n\n"))
                .await?;
        }
        let (events, position) = self.read(round).await?;
        for text in events {
            self.send(text).await?;
        }
        self.position = position;
        // Records that were passed over needn't be looked at again.
        self.send(format!("id: {}\n\n", tail::token(&self.position)))
            .await
    }

    /// The records of a round as text, or as many of them as may wait for a reader, and where it
    /// is behind them. The query is over by then: it would keep its turn from others as long as
    /// the reader takes.
    async fn read(&self, round: &Round) -> Result<(Vec<String>, OffsetMap)> {
        let request = round.request(&self.table, self.condition.as_deref());
        let mut answer = self.query.execute(request).await?;
        let (mut events, mut bytes) = (Vec::new(), 0);
        while let Some(batch) = answer.batches.next().await {
            for piece in pieces(&batch?) {
                let (text, position) = self.events(round, &piece)?;
                bytes += text.len();
                events.push(text);
                if bytes >= ROUND_BYTES {
                    return Ok((events, position));
                }
            }
        }
        let mut position = self.position.clone();
        position.extend(&round.to);
        Ok((events, position))
    }

    /// Some records as events, and where a reader is behind the last of them.
    fn events(&self, round: &Round, rows: &RecordBatch) -> Result<(String, OffsetMap)> {
        let missing = || Error::internal("the records have no positions");
        let partitions = rows.column_by_name("_partition").ok_or_else(missing)?;
        let partitions = partitions
            .as_primitive_opt::<Int32Type>()
            .ok_or_else(missing)?;
        let offsets = rows.column_by_name("_offset").ok_or_else(missing)?;
        let offsets = offsets
            .as_primitive_opt::<Int64Type>()
            .ok_or_else(missing)?;
        let lines = json::lines(rows, Int64::Number)?;
        let lines = String::from_utf8_lossy(&lines);
        let mut events = String::with_capacity(lines.len() + 64 * rows.num_rows());
        let mut ids = Ids::new(round, &self.position);
        for (row, line) in lines.lines().enumerate().take(offsets.len()) {
            events.push_str("id: ");
            ids.write(partitions.value(row), offsets.value(row), &mut events);
            events.push_str("\ndata: ");
            events.push_str(line);
            events.push_str("\n\n");
        }
        let last = partitions.values().last().zip(offsets.values().last());
        let (partition, offset) = last.ok_or_else(missing)?;
        Ok((events, round.behind(&self.position, *partition, *offset)))
    }

    async fn send(&self, text: String) -> Result<()> {
        let gone = |_| Error::new(ErrorKind::Cancelled, "nobody reads the answer");
        let frame = Frame::data(Bytes::from(text));
        self.tx.send(Ok(frame)).await.map_err(gone)
    }
}
