//! What others plug into a query: where `INTO` goes, and system tables.
//!
//! This crate knows neither replay nor Kafka; the binary implements these traits with them.

use std::collections::BTreeMap;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use eddy_engine::Lake;

use crate::error::{Error, Result};

/// `SELECT ... INTO destination WITH (...)`, taken apart.
#[derive(Debug, Clone)]
pub struct IntoRequest {
    /// The query without `INTO` and without options, with `now()` frozen and other tables pinned:
    /// the same text gives the same rows at any time. It is what
    /// [`Query::plan_source`](crate::Query::plan_source) takes.
    pub select: String,
    /// The destination's name.
    pub destination: String,
    /// The options of the trailing `WITH (...)`; names in lower case.
    pub options: BTreeMap<String, String>,
    /// The statement as it was sent.
    pub text: String,
}

/// What `SELECT ... INTO` answers, as one row.
#[derive(Debug, Clone)]
pub struct IntoAnswer {
    /// The job's id.
    pub replay_id: String,
    /// The job's state.
    pub state: String,
    /// How many records it will send, when that is known.
    pub records: Option<u64>,
    /// How many bytes it will send, when that is known.
    pub bytes: Option<u64>,
}

/// `CREATE DESTINATION name TYPE kind OPTIONS (...)`.
#[derive(Debug, Clone)]
pub struct CreateDestination {
    /// The destination's name.
    pub name: String,
    /// What it is: `kafka`, ...
    pub kind: String,
    /// Its options; values may be secrets.
    pub options: BTreeMap<String, String>,
    /// `IF NOT EXISTS` was said.
    pub if_not_exists: bool,
}

/// The options that [`IntoHandler::option_names`] knows by default.
pub const INTO_OPTIONS: &[&str] = &[
    "attempts",
    "canary",
    "continuous",
    "dead_letter",
    "exactly_once",
    "expect",
    "headers",
    "name",
    "on_error",
    "ordering",
    "partition",
    "payload",
    "rate",
    "shards",
    "speed",
    "timestamp",
    "tombstones",
    "topics",
    "within",
];

/// Who runs what `INTO` asks for.
#[async_trait]
pub trait IntoHandler: Send + Sync {
    /// The options that a trailing `WITH (...)` may name; anything else is refused.
    fn option_names(&self) -> &'static [&'static str] {
        INTO_OPTIONS
    }

    /// Starts the replay, or finds the one of the same name and text.
    ///
    /// # Errors
    /// As the handler decides; the error is the statement's answer.
    async fn start(&self, request: IntoRequest) -> Result<IntoAnswer>;

    /// Makes a destination.
    ///
    /// # Errors
    /// As the handler decides.
    async fn create_destination(&self, request: CreateDestination) -> Result<()>;

    /// Removes a destination; `if_exists` makes an unknown one no error.
    ///
    /// # Errors
    /// As the handler decides.
    async fn drop_destination(&self, name: &str, if_exists: bool) -> Result<()>;
}

/// Who keeps tables up, and so erases from them.
#[async_trait]
pub trait TableKeeper: Send + Sync {
    /// Commits what Kafka holds of a topic by now to its table in `lake`, so that an erasure finds
    /// it.
    ///
    /// # Errors
    /// `NotSupported` when another process keeps the table; `Unavailable` when not everything was
    /// committed in time: call again.
    async fn settle(&self, lake: &Lake, topics_dir: &str, topic: &str) -> Result<()>;
}

/// A table of the `system` schema.
#[async_trait]
pub trait SystemTable: Send + Sync {
    /// The name after `system.`.
    fn name(&self) -> &str;

    /// The columns.
    fn schema(&self) -> SchemaRef;

    /// The rows as they are now, each batch with exactly [`SystemTable::schema`].
    ///
    /// # Errors
    /// As the table decides.
    async fn batches(&self) -> Result<Vec<RecordBatch>>;
}

/// The answer to `INTO` when nobody handles it.
pub(crate) fn no_handler() -> Error {
    Error::not_supported("this server runs no replays").with_hint("start it with the role `replay`")
}
