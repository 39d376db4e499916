//! Collections: what the collector has, each with a topic of its own name if it is made here.

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Json;
use eddy_connector::collect::{Collection, State as Stands};
use serde::Deserialize;
use serde_json::{Value, json};

use super::failure::{Failure, parse};
use super::rows::moment;
use super::{Answer, Platform, lake, schemas};

/// What a collection is made of. Clients say more, which means nothing here.
#[derive(Deserialize)]
struct Given {
    name: String,
    envelope_root_message: Option<Value>,
    payload_root_message: Option<Value>,
}

#[derive(Deserialize)]
struct Changed {
    collection_id: String,
    name: Option<String>,
    archived: Option<bool>,
}

/// `GET /v1/collection`.
pub(super) async fn list(State(platform): State<Platform>) -> Answer {
    let all = platform.0.collector.collections().await?;
    let all: Vec<Value> = all.iter().map(|one| platform.shown(one, "")).collect();
    Ok(Json(Value::Array(all)))
}

/// `GET /v1/collection/{id}`.
pub(super) async fn show(State(platform): State<Platform>, Path(id): Path<String>) -> Answer {
    let found = platform.0.collector.collection(&id).await?;
    Ok(Json(platform.shown(&found, "")))
}

/// `POST /v1/collection`: the answer shows the token, this once.
pub(super) async fn create(State(platform): State<Platform>, body: Bytes) -> Answer {
    let given: Given = parse(&body)?;
    let says = |value: &Option<Value>| {
        let text = value.as_ref().and_then(Value::as_str);
        text.is_some_and(|text| !text.is_empty())
    };
    if says(&given.envelope_root_message) || says(&given.payload_root_message) {
        return Err(Failure::invalid(
            "payload_root_message",
            "what a collection's events are is said to the connector of its topic, and not here",
        ));
    }
    let collector = &platform.0.collector;
    let created = collector.create_collection(&given.name, &given.name, None);
    let (made, token) = created.await.map_err(|error| {
        let failure: Failure = error.into();
        failure.at("name")
    })?;
    Ok(Json(platform.shown(&made, &token)))
}

/// `PUT /v1/collection`: archives, and takes back that.
pub(super) async fn update(State(platform): State<Platform>, body: Bytes) -> Answer {
    let changed: Changed = parse(&body)?;
    let collector = &platform.0.collector;
    let found = collector.collection(&changed.collection_id).await?;
    if changed.name.is_some_and(|name| name != found.name) {
        let text = "a collection keeps its name, by which it is found";
        return Err(Failure::invalid("name", text));
    }
    let state = match (changed.archived, found.state) {
        (Some(true), _) => Stands::Archived,
        (Some(false), Stands::Archived) => Stands::Active,
        (_, state) => state,
    };
    let found = match state == found.state {
        true => found,
        false => collector.set_collection_state(&found.name, state).await?,
    };
    Ok(Json(platform.shown(&found, "")))
}

/// `PUT /v1/collection/{id}/toggle-pause`.
pub(super) async fn toggle_pause(
    State(platform): State<Platform>,
    Path(id): Path<String>,
) -> Answer {
    let collector = &platform.0.collector;
    let state = match collector.collection(&id).await?.state {
        Stands::Active => Stands::Paused,
        Stands::Paused => Stands::Active,
        Stands::Archived => {
            let text = format!("collection `{id}` is archived");
            return Err(Failure::new(StatusCode::CONFLICT, text));
        }
    };
    let changed = collector.set_collection_state(&id, state).await?;
    Ok(Json(platform.shown(&changed, "")))
}

impl Platform {
    /// A collection as it is shown. Its token is known to nobody but its owner, and shown once.
    fn shown(&self, collection: &Collection, token: &str) -> Value {
        let created_ms = collection.tokens.iter().map(|one| one.created_ms).min();
        let created = created_ms.and_then(|ms| moment(ms.saturating_mul(1_000)));
        json!({
            "id": collection.name,
            "name": collection.name,
            "notes": "",
            "token": token,
            "paused": collection.state == Stands::Paused,
            "archived": collection.state == Stands::Archived,
            "schema_id": collection.name,
            "schema": schemas::shown(collection),
            "datalake_id": lake::ID,
            "datalake": lake::shown(&self.0.lake),
            "inserted_at": created,
            "updated_at": created,
        })
    }
}
