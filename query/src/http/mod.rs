//! The HTTP routes of queries: `POST /api/v1/sql`, tables, queries.
//!
//! The binary merges the router with those of the other crates and puts `guard` around all, which
//! answers what no route does.

mod body;
mod compress;
mod error;
mod format;
mod guard;
mod json;
mod parquet;
mod queries;
mod request;
mod sql;
mod tables;
mod tail;

use axum::Router;
use axum::routing::{delete, get, post};

pub use error::{ErrorBody, error_response, status};
pub use guard::{HostGuard, Token, protect};
pub(crate) use json::values as json_values;
pub(crate) use tail::TAILS_MAX;

use crate::query::Query;

impl Query {
    /// The routes under `/api/v1/` that queries serve.
    pub fn router(&self) -> Router {
        Router::new()
            .route("/api/v1/sql", post(sql::post).get(sql::get))
            .route("/api/v1/tables", get(tables::list))
            .route("/api/v1/tables/{table}", get(tables::show))
            .route("/api/v1/tables/{table}/tail", get(tail::follow))
            .route("/api/v1/queries", get(queries::list))
            .route("/api/v1/queries/{id}", delete(queries::cancel))
            .route("/api/v1/queries/{id}/cancel", post(queries::cancel))
            .with_state(self.clone())
    }
}

#[cfg(test)]
mod tests;
