//! `POST /api/v1/sql` and `GET /api/v1/sql?q=`: the answer is streamed.
//!
//! What goes wrong before the first row is an error with its status. What goes wrong later is the
//! last line, and the connection is aborted without the final chunk: no client can take a cut
//! answer for a whole one. What the query did comes last, as a trailer, to clients that say that
//! they take trailers.
//!
//! Rows become text, and text is compressed, on the queries' threads: those of the listener serve
//! the health checks and the rest of the process.

use arrow::array::RecordBatch;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query as UrlQuery, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures::StreamExt;
use http_body::Frame;
use serde_json::json;
use tokio::sync::{mpsc, oneshot};

use super::body::{self, Piece, Working};
use super::compress::{Coding, Compressor};
use super::error::ErrorBody;
use super::format::{Encoder, Format};
use super::request::{Asked, of_get, of_post};
use crate::error::{Error, ErrorKind, Result};
use crate::pieces::pieces;
use crate::query::{Answer, Query};

/// The header that says what an answer saw, usable as `as_of` and `wait_for`.
const POSITION: &str = "eddy-position";
/// The header that says that live rows may be missing, and how old the answer may be.
const STALE: &str = "eddy-stale";
/// The header with the query's id.
const QUERY_ID: &str = "eddy-query-id";
/// The trailer that says what the query did, as `GET /api/v1/queries` does.
const DONE: HeaderName = HeaderName::from_static("eddy-done");

/// The largest body: a statement of the most that is parsed, its parameters, and JSON's escapes.
const BODY_BYTES_MAX: usize = 4 << 20;

/// `POST /api/v1/sql`.
pub(super) async fn post(
    State(query): State<Query>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response> {
    let body = read(&headers, body).await?;
    answer(&query, of_post(&headers, &body)?, &headers).await
}

/// `GET /api/v1/sql?q=`.
pub(super) async fn get(
    State(query): State<Query>,
    headers: HeaderMap,
    pairs: Result<UrlQuery<Vec<(String, String)>>, QueryRejection>,
) -> Result<Response> {
    let UrlQuery(pairs) = pairs.map_err(|error| Error::invalid(error.body_text()))?;
    answer(&query, of_get(&headers, pairs)?, &headers).await
}

/// Reads a body of bounded size; one that says that it is larger isn't read at all.
async fn read(headers: &HeaderMap, body: Body) -> Result<Bytes> {
    let too_large = || {
        let text = format!("the request has more than {BODY_BYTES_MAX} bytes");
        Error::new(ErrorKind::TooLarge, text)
            .with_hint("records come into the lake through Kafka; see `eddy load`")
    };
    let length = headers.get(header::CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if length.is_some_and(|length| length > BODY_BYTES_MAX) {
        return Err(too_large());
    }
    to_bytes(body, BODY_BYTES_MAX).await.map_err(|error| {
        let is_limit = std::error::Error::source(&error)
            .is_some_and(|source| source.to_string().contains("length limit"));
        match is_limit {
            true => too_large(),
            false => Error::invalid(format!("the request broke off: {error}")),
        }
    })
}

async fn answer(query: &Query, asked: Asked, headers: &HeaderMap) -> Result<Response> {
    let coding = Coding::of_accept(headers);
    let (head_tx, head_rx) = oneshot::channel();
    let (tx, rx) = body::channel();
    let task = write(query.clone(), asked, coding, head_tx, tx);
    let task = Working(query.0.pool.spawn(task));
    let head = head_rx.await;
    let mut response = head.map_err(|_| Error::internal("the query's task has ended"))??;
    *response.body_mut() = body::of(rx, task);
    Ok(response)
}

/// Runs the query; the first rows decide the status, since an error in them still has one.
async fn write(
    query: Query,
    asked: Asked,
    coding: Coding,
    head: oneshot::Sender<Result<Response>>,
    tx: mpsc::Sender<Piece>,
) {
    let begun = begin(&query, asked, coding).await;
    let (mut writing, first) = match begun {
        Ok(begun) => begun,
        Err(error) => {
            let _ = head.send(Err(error));
            return;
        }
    };
    if head.send(Ok(writing.response(coding))).is_err() {
        return;
    }
    if let Err(error) = writing.rows(first, &tx).await
        && !tx.is_closed()
    {
        writing.cut(error, &tx).await;
    }
}

async fn begin(
    query: &Query,
    asked: Asked,
    coding: Coding,
) -> Result<(Writing, Option<RecordBatch>)> {
    let mut answer = query.execute(asked.request).await?;
    let encoder = asked.format.encoder(&answer.schema, asked.int64)?;
    let first = answer.batches.next().await.transpose()?;
    let writing = Writing {
        answer,
        encoder,
        format: asked.format,
        compressor: coding.compressor()?,
    };
    Ok((writing, first))
}

/// An answer on its way.
struct Writing {
    answer: Answer,
    encoder: Encoder,
    format: Format,
    compressor: Compressor,
}

impl Writing {
    /// The answer without its body.
    fn response(&self, coding: Coding) -> Response {
        let mut response = StatusCode::OK.into_response();
        let headers = response.headers_mut();
        let fixed = HeaderValue::from_static;
        headers.insert(header::CONTENT_TYPE, fixed(self.format.content_type()));
        headers.insert(header::CACHE_CONTROL, fixed("no-store"));
        headers.insert(header::VARY, fixed("accept, accept-encoding"));
        headers.insert(header::TRAILER, HeaderValue::from(DONE));
        if let Some(name) = coding.name() {
            headers.insert(header::CONTENT_ENCODING, fixed(name));
        }
        let stale = self.answer.stale.as_ref();
        let stale = stale.and_then(|stale| serde_json::to_string(stale).ok());
        let always = [
            (POSITION, self.answer.position.to_string()),
            (QUERY_ID, self.answer.query_id.to_string()),
        ];
        for (name, value) in always.into_iter().chain(stale.map(|stale| (STALE, stale))) {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(name, value);
            }
        }
        response
    }

    /// Writes all rows and what comes after them.
    async fn rows(&mut self, first: Option<RecordBatch>, tx: &mpsc::Sender<Piece>) -> Result<()> {
        let mut next = first;
        while let Some(batch) = next {
            for piece in pieces(&batch) {
                let bytes = self.encoder.rows(&piece)?;
                self.send(bytes, tx).await?;
            }
            next = self.answer.batches.next().await.transpose()?;
        }
        let mut last = self.encoder.end()?;
        last = self.compressor.write(last)?;
        let compressor = std::mem::replace(&mut self.compressor, Compressor::Plain);
        last.extend(compressor.end()?);
        self.send(last, tx).await?;
        let done = serde_json::to_string(&self.answer.done()).unwrap_or_default();
        if let Ok(done) = HeaderValue::from_str(&done) {
            let trailers = HeaderMap::from_iter([(DONE, done)]);
            let _ = tx.send(Ok(Frame::trailers(trailers))).await;
        }
        Ok(())
    }

    async fn send(&mut self, bytes: Vec<u8>, tx: &mpsc::Sender<Piece>) -> Result<()> {
        let bytes = self.compressor.write(bytes)?;
        if bytes.is_empty() {
            return Ok(());
        }
        let gone = |_| Error::new(ErrorKind::Cancelled, "nobody reads the answer");
        tx.send(Ok(Frame::data(bytes.into()))).await.map_err(gone)
    }

    /// Says what went wrong after the first row.
    async fn cut(&mut self, error: Error, tx: &mpsc::Sender<Piece>) {
        let query_id = self.answer.query_id;
        tracing::warn!(%query_id, %error, "an answer is cut");
        if self.format.is_text() {
            let body = json!({"eddy_error": ErrorBody::of(&error, Some(query_id))});
            let _ = self.send(format!("\n{body}\n").into_bytes(), tx).await;
        }
        let _ = tx.send(Err(error)).await;
    }
}
