//! The one lake that there is.

use axum::extract::State;
use axum::response::Json;
use eddy_engine::Lake;
use serde_json::{Value, json};

use super::{Answer, Platform};

/// Its id.
pub(super) const ID: &str = "lake";

/// `GET /v1/datalake`.
pub(super) async fn list(State(platform): State<Platform>) -> Answer {
    Ok(Json(json!([shown(&platform.0.lake)])))
}

/// As it is shown.
pub(super) fn shown(lake: &Lake) -> Value {
    let kind = match lake.url().scheme() {
        "s3" => "aws",
        "gs" => "gcp",
        "az" => "azure",
        other => other,
    };
    json!({
        "id": ID,
        "name": lake.url().as_str(),
        "type": kind,
        "status": "active",
        "status_full": "",
        "archived": false,
        "inserted_at": null,
        "updated_at": null,
    })
}
