//! Destinations: the same as everywhere, with the platform's settings.

use axum::body::Bytes;
use axum::extract::State;
use axum::response::Json;
use eddy_replay::Definition;
use eddy_replay::destination::Listed;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::failure::{Failure, parse};
use super::{Answer, Platform, metadata};

#[derive(Deserialize)]
struct Given {
    name: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    metadata: Map<String, Value>,
}

/// `GET /v1/destination`.
pub(super) async fn list(State(platform): State<Platform>) -> Answer {
    let all = platform.0.jobs.destinations().list().await?;
    Ok(Json(all.iter().map(shown).collect()))
}

/// `POST /v1/destination`.
pub(super) async fn create(State(platform): State<Platform>, body: Bytes) -> Answer {
    let given: Given = parse(&body)?;
    let made = metadata::options(&given.kind, &given.metadata);
    let (kind, options) = made.map_err(|wrong| Failure::invalid(wrong.field, wrong.message))?;
    let definition = Definition {
        name: given.name.clone(),
        kind: kind.to_owned(),
        options,
    };
    let destinations = platform.0.jobs.destinations();
    destinations.create(definition).await?;
    Ok(Json(shown(&destinations.get(&given.name).await?)))
}

fn shown(listed: &Listed) -> Value {
    let (kind, metadata) = metadata::shown(&listed.definition);
    json!({
        "id": listed.definition.name,
        "name": listed.definition.name,
        "notes": "",
        "type": kind,
        "metadata": metadata,
        "archived": false,
    })
}
