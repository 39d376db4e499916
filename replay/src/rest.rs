//! `/api/v1/destinations` and `/api/v1/replays`.

mod events;

use std::collections::BTreeMap;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{get, post};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::destination::Definition;
use crate::error::{Error, ErrorKind, Result};
use crate::jobs::{GroupRequest, Jobs};
use crate::report::{check_json, destination_json, plan_json, replay_json, shards_json};
use crate::request::Request;

/// The routes of replays and destinations.
pub fn router(jobs: Jobs) -> Router {
    Router::new()
        .route(
            "/api/v1/destinations",
            get(list_destinations).post(create_destination),
        )
        .route(
            "/api/v1/destinations/{name}",
            get(show_destination).delete(delete_destination),
        )
        .route(
            "/api/v1/destinations/{name}/check",
            get(check_destination).post(check_destination),
        )
        .route("/api/v1/replays", get(list_replays).post(start_replay))
        .route("/api/v1/replays/{id}", get(show_replay))
        .route("/api/v1/replays/{id}/events", get(events::follow))
        .route("/api/v1/replays/{id}/pause", post(pause_replay))
        .route("/api/v1/replays/{id}/resume", post(resume_replay))
        .route("/api/v1/replays/{id}/cancel", post(cancel_replay))
        .route("/api/v1/replays/{id}/rate", post(change_rate))
        .route("/api/v1/replays/{id}/offsets", post(group_offsets))
        .with_state(jobs)
}

type Answer = Result<(StatusCode, Json<Value>)>;

async fn list_destinations(State(jobs): State<Jobs>) -> Answer {
    let listed = jobs.destinations().list().await?;
    let listed: Vec<Value> = listed.iter().map(destination_json).collect();
    Ok((StatusCode::OK, Json(json!({ "destinations": listed }))))
}

async fn create_destination(State(jobs): State<Jobs>, body: Bytes) -> Answer {
    let given: GivenDestination = parse(&body)?;
    let definition = Definition {
        name: given.name,
        kind: given.kind,
        options: strings(given.options)?,
    };
    let name = definition.name.clone();
    let is_new = jobs.destinations().create(definition).await?;
    let listed = jobs.destinations().get(&name).await?;
    Ok((created(is_new), Json(destination_json(&listed))))
}

async fn show_destination(State(jobs): State<Jobs>, Path(name): Path<String>) -> Answer {
    let listed = jobs.destinations().get(&name).await?;
    let mut shown = destination_json(&listed);
    if let Some(object) = shown.as_object_mut() {
        let checks = jobs.destinations().checks(&name);
        let checks: Vec<Value> = checks.iter().map(check_json).collect();
        object.insert("checks".to_owned(), checks.into());
    }
    Ok((StatusCode::OK, Json(shown)))
}

async fn delete_destination(
    State(jobs): State<Jobs>,
    Path(name): Path<String>,
) -> Result<StatusCode> {
    jobs.delete_destination(&name).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn check_destination(State(jobs): State<Jobs>, Path(name): Path<String>) -> Answer {
    let checked = jobs.destinations().check(&name).await?;
    Ok((StatusCode::OK, Json(json!(checked))))
}

async fn list_replays(State(jobs): State<Jobs>) -> Answer {
    let listed = jobs.list().await?;
    let listed: Vec<Value> = listed.iter().map(replay_json).collect();
    Ok((StatusCode::OK, Json(json!({ "replays": listed }))))
}

async fn start_replay(State(jobs): State<Jobs>, body: Bytes) -> Answer {
    let given: GivenReplay = parse(&body)?;
    let dry = given.plan;
    let request = given.request(&jobs).await?;
    if dry {
        let plan = jobs.plan(&request).await?;
        return Ok((StatusCode::OK, Json(plan_json(&plan))));
    }
    let started = jobs.start(&request).await?;
    Ok((created(started.is_new), Json(replay_json(&started.job))))
}

async fn show_replay(State(jobs): State<Jobs>, Path(id): Path<String>) -> Answer {
    let job = jobs.show(&id).await?;
    let mut shown = replay_json(&job);
    if job.is_divided()
        && let Some(object) = shown.as_object_mut()
    {
        let shards = jobs.shards(&job).await?;
        object.insert("parts".to_owned(), shards_json(&job, &shards));
    }
    Ok((StatusCode::OK, Json(shown)))
}

async fn pause_replay(State(jobs): State<Jobs>, Path(id): Path<String>) -> Answer {
    let job = jobs.pause(&id).await?;
    Ok((StatusCode::OK, Json(replay_json(&job))))
}

async fn resume_replay(State(jobs): State<Jobs>, Path(id): Path<String>, body: Bytes) -> Answer {
    let given: GivenResume = if body.is_empty() {
        GivenResume::default()
    } else {
        parse(&body)?
    };
    let job = jobs.resume(&id, given.sql.as_deref()).await?;
    Ok((StatusCode::OK, Json(replay_json(&job))))
}

async fn cancel_replay(State(jobs): State<Jobs>, Path(id): Path<String>) -> Answer {
    let job = jobs.cancel(&id).await?;
    Ok((StatusCode::OK, Json(replay_json(&job))))
}

async fn change_rate(State(jobs): State<Jobs>, Path(id): Path<String>, body: Bytes) -> Answer {
    let given: GivenRate = parse(&body)?;
    let job = jobs.change_rate(&id, &given.rate).await?;
    Ok((StatusCode::OK, Json(replay_json(&job))))
}

async fn group_offsets(State(jobs): State<Jobs>, Path(id): Path<String>, body: Bytes) -> Answer {
    let given: GivenGroup = parse(&body)?;
    let request = GroupRequest {
        group: given.group,
        topic: given.topic,
        committed: given.committed,
        apply: given.apply,
    };
    let offsets = jobs.group_offsets(&id, request).await?;
    Ok((StatusCode::OK, Json(json!(offsets))))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GivenRate {
    rate: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GivenGroup {
    group: String,
    topic: Option<String>,
    committed: Option<BTreeMap<i32, i64>>,
    #[serde(default)]
    apply: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GivenDestination {
    name: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    options: BTreeMap<String, Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GivenReplay {
    #[serde(alias = "select")]
    sql: String,
    destination: Option<String>,
    #[serde(default)]
    options: BTreeMap<String, Value>,
    #[serde(default)]
    plan: bool,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct GivenResume {
    #[serde(alias = "select")]
    sql: Option<String>,
}

impl GivenReplay {
    /// A SELECT with its destination beside it, or a whole SELECT INTO.
    async fn request(self, jobs: &Jobs) -> Result<Request> {
        let mut options = strings(self.options)?;
        let text = self.sql;
        let Some(destination) = self.destination else {
            let statement = jobs.source().statement(&text).await?;
            options.extend(statement.options);
            return Ok(Request {
                select: statement.select,
                destination: statement.destination,
                options,
                text,
            });
        };
        Ok(Request {
            select: text.clone(),
            destination,
            options,
            text,
        })
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let status = match self.kind() {
            ErrorKind::Invalid | ErrorKind::Rejected => StatusCode::BAD_REQUEST,
            ErrorKind::NotFound => StatusCode::NOT_FOUND,
            ErrorKind::Conflict | ErrorKind::Fenced => StatusCode::CONFLICT,
            ErrorKind::Unavailable | ErrorKind::GaveUp => StatusCode::SERVICE_UNAVAILABLE,
            ErrorKind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        };
        if status.is_server_error() {
            tracing::warn!(error = %self, "a request failed");
        }
        let body = json!({
            "error": {
                "code": self.kind().code(),
                "message": self.to_string(),
                "hint": self.hint(),
            }
        });
        (status, Json(body)).into_response()
    }
}

fn created(is_new: bool) -> StatusCode {
    if is_new {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    }
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T> {
    serde_json::from_slice(body)
        .map_err(|error| Error::invalid("the body is not what is expected").with_source(error))
}

/// Option values as strings, as SQL gives them; numbers and booleans may come as such.
fn strings(options: BTreeMap<String, Value>) -> Result<BTreeMap<String, String>> {
    options
        .into_iter()
        .map(|(key, value)| match value {
            Value::String(text) => Ok((key, text)),
            Value::Number(_) | Value::Bool(_) => Ok((key, value.to_string())),
            _ => Err(Error::invalid(format!(
                "option `{key}` is not a string, a number or a boolean"
            ))),
        })
        .collect()
}

#[cfg(test)]
mod tests;
