//! `/api/v1/collections`: collections are listed, made, paused, resumed, archived; tokens are
//! handed out and taken back.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State as Shared};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{delete, get, post};
use chrono::{DateTime, SecondsFormat};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::Collector;
use super::collection::{Collection, Issued, State};
use super::tokens::Token;
use crate::error::{Error, ErrorKind};

const COLLECTION: &str = "/api/v1/collections/{name}";

/// The routes of collections.
pub(super) fn router(collector: Collector) -> Router {
    Router::new()
        .route("/api/v1/collections", get(list).post(create))
        .route(COLLECTION, get(show))
        .route(&format!("{COLLECTION}/pause"), post(pause))
        .route(&format!("{COLLECTION}/resume"), post(resume))
        .route(&format!("{COLLECTION}/archive"), post(archive))
        .route(&format!("{COLLECTION}/tokens"), post(add_token))
        .route(&format!("{COLLECTION}/tokens/{{id}}"), delete(revoke))
        .with_state(collector)
}

type Answer = Result<Response, Failed>;

async fn list(Shared(collector): Shared<Collector>) -> Answer {
    let all = collector.collections().await?;
    let all: Vec<Value> = all.iter().map(|one| shown(&collector, one)).collect();
    Ok(answer(StatusCode::OK, &json!({ "collections": all })))
}

async fn show(Shared(collector): Shared<Collector>, Path(name): Path<String>) -> Answer {
    let found = collector.0.collections.get(&name).await?;
    Ok(answer(StatusCode::OK, &shown(&collector, &found)))
}

async fn create(Shared(collector): Shared<Collector>, body: Bytes) -> Answer {
    let given: Given = parse(&body)?;
    let created = collector.create(&given.name, &given.topic, given.partitions);
    let (made, token) = created.await?;
    let mut body = shown(&collector, &made);
    reveal(&mut body, &token);
    Ok(answer(StatusCode::CREATED, &body))
}

async fn pause(shared: Shared<Collector>, path: Path<String>) -> Answer {
    set(shared, path, State::Paused).await
}

async fn resume(shared: Shared<Collector>, path: Path<String>) -> Answer {
    set(shared, path, State::Active).await
}

async fn archive(shared: Shared<Collector>, path: Path<String>) -> Answer {
    set(shared, path, State::Archived).await
}

async fn set(
    Shared(collector): Shared<Collector>,
    Path(name): Path<String>,
    state: State,
) -> Answer {
    let changed = collector.0.collections.set_state(&name, state).await?;
    Ok(answer(StatusCode::OK, &shown(&collector, &changed)))
}

async fn add_token(
    Shared(collector): Shared<Collector>,
    Path(name): Path<String>,
    body: Bytes,
) -> Answer {
    let given: GivenToken = match body.is_empty() {
        true => GivenToken::default(),
        false => parse(&body)?,
    };
    let expires_ms = given.expires.map(|text| {
        DateTime::parse_from_rfc3339(&text)
            .map(|moment| moment.timestamp_millis())
            .map_err(|_| {
                let example = "2027-01-31T00:00:00Z";
                Error::invalid(format!("`expires` is `{text}`; give a time as `{example}`"))
            })
    });
    let collections = &collector.0.collections;
    let (issued, token) = collections
        .add_token(&name, expires_ms.transpose()?, given.rate)
        .await?;
    let mut body = shown_token(&issued);
    reveal(&mut body, &token);
    Ok(answer(StatusCode::CREATED, &body))
}

async fn revoke(
    Shared(collector): Shared<Collector>,
    Path((name, id)): Path<(String, String)>,
) -> Result<StatusCode, Failed> {
    collector.0.collections.revoke(&name, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Given {
    name: String,
    topic: String,
    partitions: Option<i32>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct GivenToken {
    expires: Option<String>,
    rate: Option<u32>,
}

fn shown(collector: &Collector, collection: &Collection) -> Value {
    let counted = collector.0.statistics.of(&collection.name).now();
    json!({
        "name": collection.name,
        "topic": collection.topic,
        "state": collection.state.as_str(),
        "declared": collection.declared,
        "tokens": collection.tokens.iter().map(shown_token).collect::<Vec<Value>>(),
        "statistics": {
            "events": counted.events,
            "bytes": counted.bytes,
            "rejected": counted.rejected,
            "last_seen": counted.last_seen_ms.map(moment),
        },
    })
}

fn shown_token(issued: &Issued) -> Value {
    json!({
        "id": issued.id,
        "created": moment(issued.created_ms),
        "expires": issued.expires_ms.map(moment),
        "rate": issued.rate,
    })
}

/// The one time that a token is shown.
fn reveal(body: &mut Value, token: &Token) {
    if let Some(object) = body.as_object_mut() {
        object.insert("token".to_owned(), token.reveal().into());
    }
}

fn moment(ms: i64) -> Option<String> {
    let moment = DateTime::from_timestamp_millis(ms)?;
    Some(moment.to_rfc3339_opts(SecondsFormat::Millis, true))
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(body)
        .map_err(|error| Error::invalid("the body is not what is expected").with_source(error))
}

/// A token may be in it, so nobody on the way keeps it.
fn answer(status: StatusCode, body: &Value) -> Response {
    (status, [(header::CACHE_CONTROL, "no-store")], Json(body)).into_response()
}

/// An error in the API's one shape.
struct Failed(Error);

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        let (status, code) = match self.0.kind() {
            ErrorKind::Invalid => (StatusCode::BAD_REQUEST, "invalid"),
            ErrorKind::NotFound => (StatusCode::NOT_FOUND, "not_found"),
            ErrorKind::Fenced => (StatusCode::CONFLICT, "conflict"),
            ErrorKind::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
            ErrorKind::Data | ErrorKind::Internal => {
                (StatusCode::INTERNAL_SERVER_ERROR, "internal")
            }
        };
        if status.is_server_error() {
            tracing::warn!(error = %self.0, "a request failed");
        }
        let message = self.0.to_string();
        let body = json!({ "error": { "code": code, "message": message, "hint": null } });
        (status, Json(body)).into_response()
    }
}
