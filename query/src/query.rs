//! [`Query`]: the crate's one door, used by the HTTP routes and by the binary.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, SchemaRef};
use eddy_engine::{Clock, Lake};
use futures::stream::BoxStream;
use serde_json::Value as Json;
use tokio::sync::Semaphore;
use uuid::Uuid;

use crate::cache::{Blocks, CacheOptions, Readers};
use crate::catalog::{Catalog, Tables};
use crate::columns::Columns;
use crate::error::{Error, Result};
use crate::flight::peers::Away;
use crate::hooks::{IntoHandler, SystemTable, TableKeeper, no_handler};
use crate::http::TAILS_MAX;
use crate::nodes::Nodes;
use crate::run::{Done, Pace, Pool, Progress, Registry};
use crate::session::Sessions;
use crate::source::Surveys;
use crate::statement::Params;
use crate::table::Origin;

/// What queries may use.
#[derive(Debug, Clone)]
pub struct QueryOptions {
    /// Memory of all queries together, in bytes.
    pub memory_bytes: usize,
    /// Memory of one query, in bytes: its sorts, groupings and joins spill what exceeds it.
    pub memory_bytes_per_query: usize,
    /// What the rows of a batch may take at most, in bytes, and never more than `memory_bytes`:
    /// rows aren't counted while they are made.
    pub batch_bytes_max: usize,
    /// Disk for spilling, in bytes.
    pub spill_bytes: u64,
    /// Where to spill; the system's folder for temporary files unless said.
    pub spill_dir: Option<PathBuf>,
    /// Threads of the queries' own pool, so that a bad query can't stall ingest.
    pub threads: usize,
    /// Queries that run at once.
    pub running_max: usize,
    /// Queries that wait for their turn; more are refused.
    pub waiting_max: usize,
    /// How long a query may take unless its request says less.
    pub timeout: Duration,
    /// The most rows of an answer; as many as there are unless said.
    pub rows_max: Option<u64>,
    /// The most bytes that a query may read of files and filters; any unless said.
    pub scan_bytes_max: Option<u64>,
    /// Memory for filters, in bytes; with less they are read from the store more often.
    pub filter_bytes: usize,
    /// Memory for the uncommitted rows of other workers, in bytes; what exceeds it is missing in
    /// answers, which say so.
    pub live_bytes: usize,
    /// What is kept of remote files; it isn't part of `memory_bytes`.
    pub cache: CacheOptions,
}

impl Default for QueryOptions {
    fn default() -> Self {
        Self {
            memory_bytes: 512 << 20,
            memory_bytes_per_query: 256 << 20,
            batch_bytes_max: 512 << 20,
            spill_bytes: 20 << 30,
            spill_dir: None,
            threads: std::thread::available_parallelism().map_or(2, usize::from),
            running_max: 8,
            waiting_max: 64,
            timeout: Duration::from_secs(300),
            rows_max: None,
            scan_bytes_max: None,
            filter_bytes: 64 << 20,
            live_bytes: 256 << 20,
            cache: CacheOptions::default(),
        }
    }
}

/// One request.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// The statement.
    pub sql: String,
    /// Values for its placeholders.
    pub params: Params,
    /// `{"version": N}`, `{"time": "..."}` or `{"offsets": {"0": N}}`.
    pub as_of: Option<Json>,
    /// Next offsets that must be visible first, as in `as_of`.
    pub wait_for: Option<Json>,
    /// Less time than the server's limit.
    pub timeout: Option<Duration>,
    /// At most this many rows.
    pub limit: Option<usize>,
    /// A statement that does more than read is refused: the request may not have been meant (a
    /// link).
    pub read_only: bool,
    /// Where it came from.
    pub front: Front,
}

impl Request {
    /// A statement and nothing else.
    pub fn new(sql: impl Into<String>) -> Self {
        Self {
            sql: sql.into(),
            ..Self::default()
        }
    }
}

/// Where a request came from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Front {
    /// This process itself, as for the rows of a replay.
    #[default]
    Inside,
    /// The HTTP API.
    Http,
    /// The Postgres wire.
    Postgres,
    /// Arrow Flight SQL.
    Flight,
}

impl Front {
    /// As it is listed; nothing for what no client asked.
    pub(crate) fn name(self) -> Option<&'static str> {
        match self {
            Self::Inside => None,
            Self::Http => Some("http"),
            Self::Postgres => Some("postgres"),
            Self::Flight => Some("flight"),
        }
    }

    /// Whether its clients may send a statement twice: `INTO` then needs a `name`, which makes both
    /// the same replay.
    pub(crate) fn repeats(self) -> bool {
        matches!(self, Self::Postgres | Self::Flight)
    }

    /// Whether its clients take this for a Postgres: what tools ask of its catalog is understood
    /// too.
    pub(crate) fn is_postgres(self) -> bool {
        self == Self::Postgres
    }
}

/// What a statement will answer, and what its placeholders stand for.
#[derive(Debug, Clone)]
pub struct Description {
    /// The columns.
    pub schema: SchemaRef,
    /// The types of the placeholders, by their names with `$`, where they could be told.
    pub placeholders: BTreeMap<String, Option<DataType>>,
    /// Whether running it only reads. Another statement must not run before it is asked to.
    pub reads: bool,
}

/// An answer: its rows come as they are computed. Dropping it cancels the query.
pub struct Answer {
    /// The query's id, as in `system.queries`.
    pub query_id: Uuid,
    /// The columns.
    pub schema: SchemaRef,
    /// What the answer saw, usable as `as_of` and `wait_for`; null for statements that read none.
    pub position: Json,
    /// What may be missing, because workers are away.
    pub stale: Option<Stale>,
    /// The rows.
    pub batches: BoxStream<'static, Result<RecordBatch>>,
    pub(crate) progress: Arc<Progress>,
}

impl Answer {
    /// What the query has done by now.
    pub(crate) fn done(&self) -> Done {
        self.progress.now()
    }
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Answer")
            .field("query_id", &self.query_id)
            .field("schema", &self.schema)
            .finish_non_exhaustive()
    }
}

/// How old an answer may be whose uncommitted rows could not all be had.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Stale {
    /// The age of the oldest version of a table that the answer saw without all live rows beyond
    /// it, in milliseconds.
    pub stale_ms: u64,
    /// Who did not answer, and why.
    pub(crate) workers_away: Vec<Away>,
}

/// SQL over one lake. Cheap to clone.
#[derive(Clone)]
pub struct Query(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) catalog: Catalog,
    pub(crate) sessions: Sessions,
    pub(crate) pool: Pool,
    blocks: Option<Arc<Blocks>>,
    columns: Option<Arc<Columns>>,
    pub(crate) registry: Registry,
    /// Places for tails.
    pub(crate) tails: Arc<Semaphore>,
    pub(crate) clock: Clock,
    pub(crate) options: QueryOptions,
    /// Where the rows of replays are.
    pub(crate) surveys: Surveys,
    /// This process among those of the lake.
    pub(crate) process: Uuid,
    /// Who large queries are answered with, if anyone.
    pub(crate) nodes: OnceLock<Nodes>,
    into: OnceLock<Arc<dyn IntoHandler>>,
    keeper: OnceLock<Arc<dyn TableKeeper>>,
    system: RwLock<Vec<Arc<dyn SystemTable>>>,
}

impl Query {
    /// Queries over `lake`.
    ///
    /// # Errors
    /// `Internal` when the threads or the spill folder can't be had; `Invalid` when the cache's
    /// folder can't be used.
    pub fn new(lake: Lake, options: QueryOptions) -> Result<Self> {
        let clock = lake.clock().clone();
        let tables = crate::lake::LakeTables::new(lake, options.filter_bytes);
        Self::over(Arc::new(tables), clock, options)
    }

    /// Queries over any tables.
    pub(crate) fn over(
        tables: Arc<dyn Tables>,
        clock: Clock,
        options: QueryOptions,
    ) -> Result<Self> {
        let sessions = Sessions::new(&options)?;
        let pool = Pool::new(&options)?;
        // Disk is read and written on the queries' threads, never on those of ingest.
        let blocks = pool.wait(Blocks::open(options.cache.clone(), clock.clone()))??;
        Ok(Self(Arc::new(Inner {
            catalog: Catalog::new(tables, clock.clone()),
            sessions,
            pool,
            blocks,
            columns: Columns::new(options.cache.columns_bytes),
            registry: Registry::new(clock.clone()),
            tails: Arc::new(Semaphore::new(TAILS_MAX)),
            process: clock.new_id(),
            clock,
            options,
            surveys: Surveys::default(),
            nodes: OnceLock::new(),
            into: OnceLock::new(),
            keeper: OnceLock::new(),
            system: RwLock::new(Vec::new()),
        })))
    }

    /// Says who runs `SELECT ... INTO`; only the first call counts.
    pub fn set_into_handler(&self, handler: Arc<dyn IntoHandler>) {
        if self.0.into.set(handler).is_err() {
            tracing::warn!("a second handler of `INTO` is ignored");
        }
    }

    /// Says who keeps the tables of this process, and so erases from them; only the first call
    /// counts.
    pub fn set_table_keeper(&self, keeper: Arc<dyn TableKeeper>) {
        if self.0.keeper.set(keeper).is_err() {
            tracing::warn!("a second keeper of tables is ignored");
        }
    }

    /// Adds the tables right under a folder of another lake: one that a connector has for itself.
    pub fn add_lake(&self, lake: Lake, topics_dir: &str) {
        self.0.catalog.tables().add_lake(lake, topics_dir);
    }

    /// Adds a table to the `system` schema.
    pub fn add_system_table(&self, table: Arc<dyn SystemTable>) {
        let mut all = self
            .0
            .system
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        all.push(table);
    }

    /// Runs one statement.
    ///
    /// # Errors
    /// Whatever is wrong before the first row; what goes wrong later is in the stream.
    pub async fn execute(&self, request: Request) -> Result<Answer> {
        crate::run::execute(&self.0, request, Pace::Limited).await
    }

    /// What a statement will answer, without running it. With [`Params::Unbound`] it may have
    /// placeholders.
    ///
    /// # Errors
    /// Whatever is wrong with the statement before it runs.
    pub async fn describe(&self, request: Request) -> Result<Description> {
        crate::run::describe(&self.0, request).await
    }

    /// Cancels a running query.
    ///
    /// # Errors
    /// `NotFound` when no such query runs.
    pub fn cancel(&self, query_id: Uuid) -> Result<()> {
        self.0.registry.cancel(query_id)
    }
}

impl Inner {
    /// Where scans of a table read from.
    pub(crate) fn origin(&self, table: &str) -> Result<Origin> {
        let home = self.catalog.tables().home(table)?;
        let store = Arc::clone(home.lake.store());
        Ok(Origin {
            kept: self.kept(&home.lake, home.number),
            columns: self.columns.clone(),
            is_own: home.number == 0,
            keys: home.lake.keys().clone(),
            store: self.sessions.store(home.number, store)?,
            filters: home.filters,
            leaves: home.leaves,
        })
    }

    /// Where blocks of a lake's files are kept, if they are.
    pub(crate) fn kept(&self, lake: &Lake, number: usize) -> Option<Readers> {
        // What is on a local disk already isn't kept twice.
        let blocks = self.blocks.as_ref().filter(|_| !lake.is_local())?;
        Some(Readers {
            blocks: Arc::clone(blocks),
            lake: number,
        })
    }

    /// Who runs `INTO`.
    pub(crate) fn handler_of_into(&self) -> Result<Arc<dyn IntoHandler>, Error> {
        self.into.get().cloned().ok_or_else(no_handler)
    }

    /// Who erases; `None` in a process that keeps no table.
    pub(crate) fn table_keeper(&self) -> Option<Arc<dyn TableKeeper>> {
        self.keeper.get().cloned()
    }

    /// The system tables that others added.
    pub(crate) fn added_system_tables(&self) -> Vec<Arc<dyn SystemTable>> {
        let all = self.system.read().unwrap_or_else(PoisonError::into_inner);
        all.clone()
    }
}
