//! Whether destinations are there, asked when somebody asks.

use std::time::Duration;

use axum::extract::{Path, State};
use axum::response::Json;
use eddy_engine::Clock;
use futures::StreamExt;
use serde_json::{Map, Value, json};

use super::rows::moment;
use super::{Answer, Platform};

/// How long a destination may take to answer.
const ASKED: Duration = Duration::from_secs(10);
/// Destinations that are asked at once.
const AT_ONCE: usize = 8;

/// `GET /v1/health/destination`.
pub(super) async fn all(State(platform): State<Platform>) -> Answer {
    let listed = platform.0.jobs.destinations().list().await?;
    let names = listed.into_iter().map(|one| one.definition.name);
    let asked = names.map(|name| platform.clone().ask(name));
    let asked = futures::stream::iter(asked).buffer_unordered(AT_ONCE);
    let told: Map<String, Value> = asked.collect().await;
    Ok(Json(Value::Object(told)))
}

/// `GET /v1/health/destination/{id}`.
pub(super) async fn one(State(platform): State<Platform>, Path(id): Path<String>) -> Answer {
    let listed = platform.0.jobs.destinations().get(&id).await?;
    let told = platform.ask(listed.definition.name).await;
    Ok(Json(Value::Object(Map::from_iter([told]))))
}

impl Platform {
    async fn ask(self, name: String) -> (String, Value) {
        let clock = Clock::system();
        let checked = tokio::select! {
            checked = self.0.jobs.destinations().check(&name) => {
                checked.map(|_| ()).map_err(|error| error.to_string())
            }
            () = clock.sleep(ASKED) => Err(format!("no answer in {} s", ASKED.as_secs())),
        };
        let told = json!({
            "status": if checked.is_ok() { "ok" } else { "error" },
            "message": checked.err().unwrap_or_default(),
            "latency_ms": u64::try_from(clock.monotonic().as_millis()).unwrap_or(u64::MAX),
            "last_checked_at": moment(clock.now_us()),
        });
        (name, told)
    }
}
