//! The management API of the old platform, for clients that know no other: a thin layer over
//! collections, SQL, destinations and replays, which are what they are by any other way.
//!
//! ```text
//! request -> guard -> session, lake         who asks, and what there is (one account, one lake)
//!                     collections, schemas
//!                     search                query + words: an old query as conditions of SQL
//!                     destinations          metadata: its settings as options, and back
//!                     replays, health
//! ```
//!
//! Names are ids: collections and destinations are called by theirs. A replay's is random, and what
//! it was called stands in its text. Nothing is stored that has no place in what is stored anyway,
//! so notes are taken and not kept. The shapes of answers are the platform's, as far as its clients
//! read them; errors are always `{"errors": [...]}`.

mod collections;
mod destinations;
mod failure;
mod guard;
mod health;
mod lake;
mod metadata;
mod query;
mod replays;
mod rows;
mod schemas;
mod search;
mod session;
mod words;

use std::sync::Arc;

use anyhow::{Result, bail};
use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::response::Json;
use axum::routing::{any, get, post, put};
use eddy_connector::Collector;
use eddy_engine::Lake;
use eddy_query::Query;
use eddy_query::http::{HostGuard, Token};
use eddy_replay::Jobs;
use serde_json::Value;

use crate::config::Config;
use failure::Failure;

/// What the layer stands on. Cheap to clone.
#[derive(Clone)]
struct Platform(Arc<Parts>);

/// The parts of the process that do the work.
struct Parts {
    collector: Collector,
    jobs: Jobs,
    query: Query,
    lake: Lake,
    hosts: HostGuard,
    /// What a request has to carry, if anything.
    token: Option<Token>,
}

/// What a route answers.
type Answer = Result<Json<Value>, Failure>;

/// The routes of this process, if `[platform]` asks for them.
///
/// # Errors
/// When the process lacks a role that they stand on.
pub(super) fn of_process(
    config: &Config,
    lake: &Lake,
    query: &Query,
    jobs: &Option<Jobs>,
    collector: Option<&Collector>,
    token: &Option<Token>,
) -> Result<Router> {
    if !config.settings.platform.enabled {
        return Ok(Router::new());
    }
    let (Some(jobs), Some(collector)) = (jobs, collector) else {
        bail!(
            "`platform.enabled` needs the roles `collector` and `replay` in this process, a \
             listener of the collector, and [kafka]"
        );
    };
    Ok(router(Parts {
        collector: collector.clone(),
        jobs: jobs.clone(),
        query: query.clone(),
        lake: lake.clone(),
        hosts: HostGuard::default(),
        token: token.clone(),
    }))
}

/// The routes under `/v1/` and `/auth/`, with guards of their own: their clients carry a cookie,
/// and read other errors.
fn router(parts: Parts) -> Router {
    let platform = Platform(Arc::new(parts));
    Router::new()
        .route("/v1/login", post(session::login))
        .route("/auth/logout", post(session::logout))
        .route("/v1/account", get(session::account))
        .route(
            "/v1/collection",
            get(collections::list)
                .post(collections::create)
                .put(collections::update),
        )
        .route("/v1/collection/{id}", get(collections::show))
        .route(
            "/v1/collection/{id}/toggle-pause",
            put(collections::toggle_pause),
        )
        .route("/v1/collection/{id}/search", post(search::search))
        .route("/v1/schema", get(schemas::list))
        .route("/v1/schema/{id}", get(schemas::show))
        .route("/v1/schema/{id}/versions", get(schemas::versions))
        .route("/v1/datalake", get(lake::list))
        .route(
            "/v1/destination",
            get(destinations::list).post(destinations::create),
        )
        .route("/v1/replay", get(replays::list).post(replays::create))
        .route(
            "/v1/replay/{id}",
            get(replays::show).delete(replays::archive),
        )
        .route("/v1/replay/{id}/toggle-pause", put(replays::toggle_pause))
        .route("/v1/replayer/history/{id}", get(replays::history))
        .route("/v1/health/destination", get(health::all))
        .route("/v1/health/destination/{id}", get(health::one))
        .route("/v1/{*rest}", any(failure::no_route))
        .method_not_allowed_fallback(failure::no_method)
        .layer(from_fn_with_state(platform.clone(), guard::guard))
        .with_state(platform)
}
