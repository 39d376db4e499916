//! A part of a query, done: by this node for its own queries and for those of others.
//!
//! A part has a share of memory of its own, of the memory that all queries here have, and so many
//! parts at once as `query.running_max` queries may need; more are refused and not queued, so that
//! nodes never wait for each other in a circle. Whoever asked ends it by going away.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::datasource::physical_plan::FileScanConfigBuilder;
use datafusion::datasource::source::DataSourceExec;
use datafusion::error::Result as PlanResult;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::execution::session_state::SessionState;
use datafusion::physical_plan::ExecutionPlan;
use datafusion_distributed::{
    DistributedExt, Worker, WorkerPlanRewriteEvent, WorkerPlanRewriteEventResponse,
    WorkerPlanRewriteHandler, WorkerQueryContext,
};
use eddy_engine::Lake;
use object_store::ObjectStore;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::cut::is_part;
use super::may::scan;
use super::reads::PartReaders;
use super::whole::Whole;
use crate::cache::Readers;
use crate::error::{Error, ErrorKind, Result};
use crate::query::Inner;
use crate::session::Sessions;

/// Parts of one query: its plan may have several scans that are divided.
const PARTS_OF_A_QUERY: usize = 4;

/// What parts are done with.
pub(super) struct Desk {
    sessions: Sessions,
    url: ObjectStoreUrl,
    store: Arc<dyn ObjectStore>,
    kept: Option<Readers>,
    bytes_max: Option<u64>,
    places: Arc<Semaphore>,
}

/// A part's place at the desk, until its rows have ended or nobody wants them any more.
///
/// A part that arrived and whose rows nobody came for, because whoever asked has died, keeps its
/// place until the next part arrives: only then the crate that carries the parts forgets it. So a
/// part counts as running from its first rows on.
#[derive(Debug)]
pub(super) struct Place {
    _permit: OwnedSemaphorePermit,
    runs: AtomicBool,
}

impl Place {
    fn new(permit: OwnedSemaphorePermit) -> Self {
        Self {
            _permit: permit,
            runs: AtomicBool::new(false),
        }
    }

    /// From now on rows are made.
    pub(super) fn begin(&self) {
        if !self.runs.swap(true, Ordering::Relaxed) {
            metrics::gauge!("eddy_query_parts_running").increment(1.0);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if *self.runs.get_mut() {
            metrics::gauge!("eddy_query_parts_running").decrement(1.0);
        }
    }
}

/// The place on its way from the session, which outlives the rows, to the plan.
struct Reserved(Mutex<Option<Place>>);

impl Desk {
    /// Parts are read from `lake`, the process's own.
    pub(super) fn new(inner: &Inner, lake: &Lake) -> Result<Self> {
        let store = Arc::clone(lake.store());
        Ok(Self {
            sessions: inner.sessions.clone(),
            url: inner.sessions.store(0, Arc::clone(&store))?,
            store,
            kept: inner.kept(lake, 0),
            bytes_max: inner.options.scan_bytes_max,
            places: Arc::new(Semaphore::new(
                inner
                    .options
                    .running_max
                    .max(1)
                    .saturating_mul(PARTS_OF_A_QUERY),
            )),
        })
    }

    /// The session of one part.
    fn session(self: &Arc<Self>, asked: WorkerQueryContext) -> PlanResult<SessionState> {
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| {
            Error::new(
                ErrorKind::Busy,
                "too many parts of queries are done here already",
            )
        })?;
        metrics::counter!("eddy_query_parts_total").increment(1);
        let base = self.sessions.base();
        let mut builder = asked.builder;
        let config = builder.config().get_or_insert_default();
        config.options_mut().execution = base.config_options().execution.clone();
        let place = Mutex::new(Some(Place::new(place)));
        config.set_extension(Arc::new(Reserved(place)));
        let functions = base.scalar_functions().values().cloned().collect();
        Ok(builder
            .with_runtime_env(self.sessions.runtime_of_a_part()?)
            .with_scalar_functions(functions)
            .with_distributed_worker_plan_rewrite_handler(Arrived(Arc::clone(self)))
            .build())
    }
}

/// Does parts at the desk.
pub(super) fn worker(desk: Arc<Desk>) -> Worker {
    let runtime = Arc::clone(desk.sessions.base().runtime_env());
    let session = move |asked: WorkerQueryContext| {
        let session = desk.session(asked);
        async move { session }
    };
    Worker::from_session_builder(session).with_runtime_env(runtime)
}

/// Makes a plan that arrived one that can be executed here.
struct Arrived(Arc<Desk>);

impl WorkerPlanRewriteHandler for Arrived {
    fn rewrite_worker_plan(
        &self,
        event: WorkerPlanRewriteEvent<'_>,
    ) -> PlanResult<WorkerPlanRewriteEventResponse> {
        let desk = &self.0;
        if !is_part(&event.plan, desk.url.as_str())? {
            let text = "the plan is none that nodes do for each other";
            return Err(Error::new(ErrorKind::NotSupported, text).into());
        }
        let read = Arc::<AtomicU64>::default();
        let plan = event.plan.transform_up(|node| {
            let Some((config, parquet)) = scan(node.as_ref()) else {
                return Ok(Transformed::no(node));
            };
            let runtime = desk.sessions.base().runtime_env();
            let readers = PartReaders {
                store: Arc::clone(&desk.store),
                footers: runtime.cache_manager.get_file_metadata_cache(),
                kept: desk.kept.clone(),
                read: Arc::clone(&read),
                bytes_max: desk.bytes_max,
            };
            let parquet = parquet
                .clone()
                .with_parquet_file_reader_factory(Arc::new(readers));
            let config = FileScanConfigBuilder::from(config.clone()).with_source(Arc::new(parquet));
            let scan = DataSourceExec::from_data_source(config.build());
            Ok(Transformed::yes(scan as Arc<dyn ExecutionPlan>))
        })?;
        let reserved = event.session_config.get_extension::<Reserved>();
        let place = reserved.and_then(|reserved| {
            let mut place = reserved.0.lock().unwrap_or_else(PoisonError::into_inner);
            place.take()
        });
        let whole = Arc::new(Whole::new(plan.data, place));
        Ok(WorkerPlanRewriteEventResponse::new(whole))
    }
}
