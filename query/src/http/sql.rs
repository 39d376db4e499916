//! `POST /api/v1/sql` and `GET /api/v1/sql?q=`: the answer is streamed.
//!
//! What goes wrong before the first row is an error with its status. What goes wrong later is the
//! last line, and the connection is aborted without the final chunk: no client can take a cut
//! answer for a whole one.

use axum::body::{Body, Bytes};
use axum::extract::{Query as UrlQuery, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures::{StreamExt, stream};
use serde_json::json;
use uuid::Uuid;

use super::error::ErrorBody;
use super::format::{Encoder, Format};
use super::request::{Asked, of_get, of_post};
use crate::error::{Error, Result};
use crate::query::{Answer, Query};

/// The header that says what an answer saw, usable as `as_of` and `wait_for`.
const POSITION: &str = "eddy-position";
/// The header with the query's id.
const QUERY_ID: &str = "eddy-query-id";

/// `POST /api/v1/sql`.
pub(super) async fn post(
    State(query): State<Query>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response> {
    answer(&query, of_post(&headers, &body)?).await
}

/// `GET /api/v1/sql?q=`.
pub(super) async fn get(
    State(query): State<Query>,
    headers: HeaderMap,
    UrlQuery(pairs): UrlQuery<Vec<(String, String)>>,
) -> Result<Response> {
    answer(&query, of_get(&headers, pairs)?).await
}

async fn answer(query: &Query, asked: Asked) -> Result<Response> {
    let mut answer = query.execute(asked.request).await?;
    let mut encoder = asked.format.encoder(&answer.schema, asked.int64)?;
    // The first rows decide the status: an error in them still has one.
    let first = match answer.batches.next().await {
        None => None,
        Some(batch) => Some(encoder.rows(&batch?)?),
    };
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::OK;
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static(asked.format.content_type()),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    for (name, value) in [
        (POSITION, answer.position.to_string()),
        (QUERY_ID, answer.query_id.to_string()),
    ] {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(name, value);
        }
    }
    *response.body_mut() = match first {
        Some(first) => Body::from_stream(rest(answer, encoder, asked.format, first)),
        None => Body::from(encoder.end()?),
    };
    Ok(response.into_response())
}

/// What is left to write.
enum Rest {
    First(Vec<u8>),
    Rows,
    /// The error's line is written; the abort follows.
    Abort(Error),
    Done,
}

fn rest(
    answer: Answer,
    encoder: Encoder,
    format: Format,
    first: Vec<u8>,
) -> impl futures::Stream<Item = Result<Bytes, Error>> {
    let start = (answer, encoder, Rest::First(first));
    stream::unfold(start, move |(mut answer, mut encoder, rest)| async move {
        match rest {
            Rest::First(bytes) => Some((Ok(bytes.into()), (answer, encoder, Rest::Rows))),
            Rest::Rows => {
                let bytes = match answer.batches.next().await {
                    Some(Ok(batch)) => encoder.rows(&batch).map(|bytes| (bytes, Rest::Rows)),
                    Some(Err(error)) => Err(error),
                    None => encoder.end().map(|bytes| (bytes, Rest::Done)),
                };
                match bytes {
                    Ok((bytes, next)) => Some((Ok(bytes.into()), (answer, encoder, next))),
                    Err(error) => {
                        tracing::warn!(query_id = %answer.query_id, %error, "an answer is cut");
                        let line = last_line(&error, answer.query_id, format);
                        Some((Ok(line.into()), (answer, encoder, Rest::Abort(error))))
                    }
                }
            }
            Rest::Abort(error) => Some((Err(error), (answer, encoder, Rest::Done))),
            Rest::Done => None,
        }
    })
}

fn last_line(error: &Error, query_id: Uuid, format: Format) -> Vec<u8> {
    match format {
        // Readers of Arrow see the end of the stream missing; text would be garbage to them.
        Format::Arrow => Vec::new(),
        _ => {
            let body = json!({"eddy_error": ErrorBody::of(error, Some(query_id))});
            format!("\n{body}\n").into_bytes()
        }
    }
}
