//! `POST /v1/collection`: one event, or many, over HTTP.
//!
//! ```text
//! token -> 401    body -> 408, 413, 415    events -> 400, 413    rate -> 429
//!     -> Kafka -> 200, 400, 413, 503
//! ```
//!
//! The token is asked for before the body is read. Bodies wait for room, which is bounded in bytes
//! and requests. `shape` says of how many events a body is, `split` cuts them out byte for byte,
//! `key` finds their keys, `body` reads and inflates, `kept` says what of a request stays with its
//! events, `send` sends them, `answer` is what clients are told.

mod answer;
mod body;
mod kept;
mod key;
mod send;
mod shape;
mod split;

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State as Shared};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use bytes::Bytes;

use super::collection::State;
use super::deliver::Item;
use super::door::Opened;
use super::produce;
use super::tokens::Token;
use super::{Collector, CollectorOptions, within};
use answer::Refusal;
use body::Encoding;
use shape::Shape;

/// A longer key is a mistake, and would be kept for a while.
const IDEMPOTENCY_KEY_MOST: usize = 255;
/// How long the body of a refused request is read on.
const REFUSED: Duration = Duration::from_secs(1);

/// OpenAPI 3.1 of what is served here.
pub(super) const DOCUMENT: &str = include_str!("openapi.json");

/// The route of events, and what they are described by.
pub(super) fn router(collector: Collector) -> Router {
    let document = ([(header::CONTENT_TYPE, "application/json")], DOCUMENT);
    Router::new()
        .route("/v1/collection", post(collect))
        .route("/openapi.json", get(move || async move { document }))
        .fallback(|| async { Refusal::not_found() })
        .method_not_allowed_fallback(|| async { Refusal::not_allowed() })
        .with_state(collector)
}

async fn collect(Shared(collector): Shared<Collector>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let opened = match open(&collector, &parts.headers).await {
        Ok(opened) => opened,
        Err(refusal) => return refuse(&collector, refusal, body).await,
    };
    let announced = match Announced::read(&parts, &collector.0.options) {
        Ok(announced) => announced,
        Err(refusal) => {
            collector
                .0
                .statistics
                .of(&opened.collection)
                .count_rejected();
            return refuse(&collector, refusal, body).await;
        }
    };
    match take(&collector, &opened, &parts, announced, body).await {
        Ok(()) => answer::collected(),
        Err(refusal) => {
            collector
                .0
                .statistics
                .of(&opened.collection)
                .count_rejected();
            refusal.into_response()
        }
    }
}

/// Answers before the body was read, for a client that may only see it once all was.
async fn refuse(collector: &Collector, refusal: Refusal, body: Body) -> Response {
    within(&collector.0.clock, REFUSED, body::discard(body)).await;
    refusal.into_response()
}

/// What a request says of its body ahead of it.
struct Announced {
    shape: Shape,
    encoding: Encoding,
    idempotency_key: Option<Bytes>,
    /// The most bytes that it will take.
    expected: usize,
}

impl Announced {
    fn read(parts: &Parts, options: &CollectorOptions) -> Result<Self, Refusal> {
        let encoding = body::encoding(&parts.headers)?;
        Ok(Self {
            shape: shape::of(&parts.headers, parts.uri.query())?,
            encoding,
            idempotency_key: idempotency_key(&parts.headers)?,
            expected: body::expected(&parts.headers, encoding, options.body_bytes_max)?,
        })
    }
}

/// The collection that the request's token opens.
async fn open(collector: &Collector, headers: &HeaderMap) -> Result<Opened, Refusal> {
    let opened = match token(headers) {
        Some(token) => collector.0.door.open(token).await.map_err(|error| {
            tracing::warn!(%error, "tokens can't be looked up");
            Refusal::unavailable("tokens can't be looked up just now")
        })?,
        None => None,
    };
    let Some(opened) = opened else {
        collector.0.statistics.count_unauthorized();
        return Err(Refusal::unauthorized());
    };
    match opened.state {
        State::Active => Ok(opened),
        state => {
            collector
                .0
                .statistics
                .of(&opened.collection)
                .count_rejected();
            Err(Refusal::closed(state))
        }
    }
}

/// `Batch-Token`, or what `Authorization: Bearer` carries.
fn token(headers: &HeaderMap) -> Option<Token> {
    let text = |name: &str| headers.get(name)?.to_str().ok();
    if let Some(token) = text("batch-token") {
        return Some(Token::given(token.trim()));
    }
    let (scheme, token) = text(header::AUTHORIZATION.as_str())?.split_once(' ')?;
    let is_bearer = scheme.eq_ignore_ascii_case("bearer");
    is_bearer.then(|| Token::given(token.trim()))
}

/// Takes a request's events.
async fn take(
    collector: &Collector,
    opened: &Opened,
    parts: &Parts,
    announced: Announced,
    body: Body,
) -> Result<(), Refusal> {
    let options = &collector.0.options;
    let clock = &collector.0.clock;
    let Announced {
        shape,
        encoding,
        idempotency_key,
        expected,
    } = announced;
    let room = within(clock, options.hold, collector.0.room.enter(expected)).await;
    let room = room.and_then(Result::ok);
    let room = room.ok_or_else(|| Refusal::unavailable("there is no room just now"))?;
    let read = body::read(body, options.body_bytes_max);
    let read = within(clock, options.body_timeout, read).await;
    let body = read.unwrap_or_else(|| Err(Refusal::slow()))?;
    let body = body::inflate(body, encoding, options.body_bytes_max).await?;
    let events = split::events(&body, shape, options.events_max)?;
    let mut events = key::with_keys(events, &parts.headers, parts.uri.query())?;
    let of_all = kept::headers(parts, shape, &options.headers);
    if let Some(key) = idempotency_key {
        let collection = &opened.collection;
        send::with_marks(collector, collection, &key, &body, &of_all, &mut events)?;
    }
    drop(body);
    let bytes = produce::size(&of_all, &events);
    if !collector.0.producer.fits(events.len(), bytes) {
        return Err(Refusal::too_large(
            "the events and their headers are too much at once",
        ));
    }
    if let Some(rate) = opened.rate {
        let now = clock.monotonic();
        let rates = &collector.0.rates;
        let taken = rates.take(&opened.token, rate, events.len(), now);
        taken.map_err(|wait| Refusal::too_many(rate, wait))?;
    }
    let request = send::Request {
        collector: collector.clone(),
        collection: opened.collection.clone(),
        topic: opened.topic.clone(),
        of_all,
        items: events.into_iter().map(Item::new).collect(),
    };
    // A task of its own: whoever hangs up, or is told to come again, doesn't stop what has begun,
    // or a request that comes again would find it half done. It keeps its room until it ends.
    let sent = tokio::spawn(async move {
        let _room = room;
        request.send().await
    });
    match within(clock, options.hold, sent).await {
        Some(sent) => {
            sent.unwrap_or_else(|_| Err(Refusal::unavailable("sending the events broke off")))
        }
        None => Err(Refusal::unavailable(format!(
            "Kafka did not acknowledge the events within {} s; some of them may be there",
            options.hold.as_secs()
        ))),
    }
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<Bytes>, Refusal> {
    match headers.get("idempotency-key") {
        Some(key) if key.is_empty() || key.len() > IDEMPOTENCY_KEY_MOST => Err(Refusal::invalid(
            "`Idempotency-Key` must have between 1 and 255 letters",
        )),
        key => Ok(key.map(|key| Bytes::copy_from_slice(key.as_bytes()))),
    }
}
