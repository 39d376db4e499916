//! A query's life: it waits for its turn, is planned, streams its rows, and ends.
//!
//! All of that happens on a thread pool of its own (`pool`): what a query does to the processor
//! stays there. A dropped answer, a timeout and a cancel all end the same way: DataFusion's stream
//! is dropped, which stops its work.

mod bind;
mod moment;
mod physical;
mod pool;
mod registry;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arrow::array::{ArrayRef, RecordBatch, StringArray, UInt64Array};
use arrow::datatypes::SchemaRef;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder};
use datafusion::physical_plan::{ExecutionPlan, SendableRecordBatchStream, execute_stream};
use datafusion::prelude::SQLOptions;
use datafusion::sql::parser::Statement as PlanStatement;
use datafusion::sql::sqlparser::ast::{Query as QueryTree, Statement as Tree};
use futures::{StreamExt, TryStreamExt};
use serde_json::Value as Json;
use tokio::sync::{mpsc, oneshot};

pub(crate) use bind::{Bound, bind, resolve};

pub(crate) use pool::Pool;
pub(crate) use registry::{Registry, Seen};

use self::physical::{limited, physical};
use crate::erase;
use crate::error::{Error, ErrorKind, Result};
use crate::hooks::IntoRequest;
use crate::query::{Answer, Inner, Request};
use crate::source;
use crate::statement::{self, Into, Statement};
use crate::table::{Reads, ScanCount};

/// Batches that wait for a slow client; few, because each may be large.
const BATCHES_AHEAD: usize = 2;

/// How long an answer may take, and whether it waits for its turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    /// A query of a person: the limits apply.
    Limited,
    /// The rows of a replay: it takes as long as its destination does, and would hold a turn
    /// all that time.
    Unlimited,
}

/// How much later than the query itself its caller gives up.
const LATE: Duration = Duration::from_secs(1);

/// Runs one statement.
pub(crate) async fn execute(inner: &Arc<Inner>, request: Request, pace: Pace) -> Result<Answer> {
    let query_id = inner.clock.new_id();
    let (head_tx, head_rx) = oneshot::channel();
    let (tx, mut rx) = mpsc::channel(BATCHES_AHEAD);
    inner
        .registry
        .add(query_id, &request.sql, inner.clock.now_us());
    let task = {
        let inner = Arc::clone(inner);
        let request = request.clone();
        async move {
            let result = live(&inner, query_id, request, pace, head_tx, &tx).await;
            inner
                .registry
                .end(query_id, result.as_ref().err(), inner.clock.now_us());
            // Without this the reader takes the end of the channel for a cancel.
            let last = match result {
                Ok(()) => Item::End,
                Err(error) => Item::Error(error),
            };
            let _ = tx.send(last).await;
        }
    };
    let handle = inner.pool.spawn(task);
    let guard = inner.registry.running(query_id, handle);
    // Planning can't be interrupted, so the caller has a limit of its own.
    let late_by = limit(inner, &request).saturating_add(LATE);
    let head = tokio::select! {
        head = head_rx => head,
        () = inner.clock.sleep(late_by), if pace == Pace::Limited => {
            return Err(late(late_by, &AtomicBool::new(false)));
        }
    };
    let head = match head {
        Ok(head) => head,
        Err(_) => return Err(first_error(&mut rx).await),
    };
    let batches =
        futures::stream::unfold((rx, false, guard), |(mut rx, ended, guard)| async move {
            if ended {
                return None;
            }
            match rx.recv().await {
                Some(Item::Batch(batch)) => Some((Ok(batch), (rx, false, guard))),
                Some(Item::Error(error)) => Some((Err(error), (rx, true, guard))),
                Some(Item::End) => None,
                None => Some((Err(cancelled()), (rx, true, guard))),
            }
        });
    Ok(Answer {
        query_id,
        schema: head.schema,
        position: head.position,
        batches: batches.boxed(),
    })
}

enum Item {
    Batch(RecordBatch),
    Error(Error),
    End,
}

/// What is known before the first row.
struct Head {
    schema: SchemaRef,
    position: Json,
}

async fn first_error(rx: &mut mpsc::Receiver<Item>) -> Error {
    match rx.recv().await {
        Some(Item::Error(error)) => error,
        _ => cancelled(),
    }
}

fn cancelled() -> Error {
    Error::new(ErrorKind::Cancelled, "the query was cancelled")
}

async fn live(
    inner: &Arc<Inner>,
    query_id: uuid::Uuid,
    request: Request,
    pace: Pace,
    head: oneshot::Sender<Head>,
    tx: &mpsc::Sender<Item>,
) -> Result<()> {
    let limit = limit(inner, &request);
    let waiting = Arc::new(AtomicBool::new(false));
    let work = Box::pin(async {
        let _turn = match pace {
            Pace::Limited => Some(inner.pool.turn().await?),
            Pace::Unlimited => None,
        };
        inner.registry.started(query_id);
        let prepared = Box::pin(prepare(inner, query_id, &request, &waiting)).await?;
        if head.send(prepared.head).is_err() {
            return Ok(());
        }
        let mut stream = prepared.rows;
        while let Some(batch) = stream.try_next().await? {
            inner.registry.rows(query_id, batch.num_rows());
            if tx.send(Item::Batch(batch)).await.is_err() {
                return Err(cancelled());
            }
        }
        if let Some(scans) = prepared.scans {
            inner.registry.reads(query_id, scans.reads());
        }
        Ok(())
    });
    tokio::select! {
        result = work => result,
        () = tx.closed() => Err(cancelled()),
        () = inner.clock.sleep(limit), if pace == Pace::Limited => {
            let late = late(limit, &waiting);
            Err(match statement::parse(&request.sql, &request.params) {
                Ok(Statement::Delete(delete)) => {
                    late.with_hint(erase::again(delete.id.unwrap_or(query_id)))
                }
                _ => late,
            })
        }
    }
}

/// How long a request may take.
fn limit(inner: &Inner, request: &Request) -> Duration {
    let most = inner.options.timeout;
    request.timeout.map_or(most, |asked| asked.min(most))
}

fn late(limit: Duration, waiting: &AtomicBool) -> Error {
    let limit = limit.as_secs_f64();
    if waiting.load(Ordering::Relaxed) {
        let text = format!("the offsets of `wait_for` were not visible within {limit} s");
        return Error::new(ErrorKind::WaitForTimeout, text);
    }
    let text = format!("the query took longer than {limit} s");
    Error::new(ErrorKind::Timeout, text).with_hint(
        "narrow it (a range of `dt` or `_timestamp` leaves out files), or ask for a longer \
         `timeout`",
    )
}

type Rows = futures::stream::BoxStream<'static, Result<RecordBatch>>;

/// An answer that is about to be given.
struct Prepared {
    head: Head,
    rows: Rows,
    /// `None` for statements that read nothing.
    scans: Option<Scans>,
}

/// The scans behind an answer.
#[derive(Clone)]
struct Scans {
    counts: Vec<Arc<ScanCount>>,
    plan: Arc<dyn ExecutionPlan>,
}

impl Scans {
    /// What they read so far.
    fn reads(&self) -> Reads {
        Reads::of(&self.counts, self.plan.as_ref())
    }
}

async fn prepare(
    inner: &Arc<Inner>,
    query_id: uuid::Uuid,
    request: &Request,
    waiting: &Arc<AtomicBool>,
) -> Result<Prepared> {
    let seen = Seen::of(request, waiting)?;
    match statement::parse(&request.sql, &request.params)? {
        Statement::Select(mut query) => {
            let bound = bind(inner, &mut query, &seen).await?;
            let plan = plan(&bound.state, *query).await?;
            let plan = limited(plan, request.limit)?;
            stream(&bound, &plan).await
        }
        Statement::Explain {
            mut query,
            analyze,
            verbose,
        } => {
            let bound = bind(inner, &mut query, &seen).await?;
            let plan = plan(&bound.state, *query).await?;
            let plan = LogicalPlanBuilder::from(plan)
                .explain(verbose, analyze)?
                .build()?;
            let prepared = stream(&bound, &plan).await?;
            Ok(if analyze {
                with_reads(prepared)
            } else {
                prepared
            })
        }
        Statement::Into(statement) => into(inner, request, *statement).await,
        Statement::ExplainDelete(delete) => {
            Ok(answered(erase::explain(inner, request, *delete).await?))
        }
        Statement::Delete(delete) => {
            let erased = Box::pin(erase::run(inner, request, *delete, query_id)).await?;
            Ok(answered(erased))
        }
        Statement::CreateDestination(request) => {
            let name = request.name.clone();
            inner.handler_of_into()?.create_destination(request).await?;
            done(&name, "created")
        }
        Statement::DropDestination { name, if_exists } => {
            let handler = inner.handler_of_into()?;
            handler.drop_destination(&name, if_exists).await?;
            done(&name, "dropped")
        }
    }
}

/// Hands a `SELECT ... INTO` over, and answers what became of it.
async fn into(inner: &Arc<Inner>, request: &Request, statement: Into) -> Result<Prepared> {
    let handler = inner.handler_of_into()?;
    statement::check_known(&statement.options, handler.option_names())?;
    let select = source::freeze(inner, statement.query, &statement.options).await?;
    let answer = handler
        .start(IntoRequest {
            select,
            destination: statement.destination,
            options: statement.options,
            text: request.sql.clone(),
        })
        .await?;
    let columns: [(&str, ArrayRef); 4] = [
        (
            "replay_id",
            Arc::new(StringArray::from(vec![answer.replay_id])),
        ),
        ("state", Arc::new(StringArray::from(vec![answer.state]))),
        ("records", Arc::new(UInt64Array::from(vec![answer.records]))),
        ("bytes", Arc::new(UInt64Array::from(vec![answer.bytes]))),
    ];
    one_row(columns)
}

/// Adds a row to an `EXPLAIN ANALYZE` that says what was read.
fn with_reads(prepared: Prepared) -> Prepared {
    let (schema, scans) = (Arc::clone(&prepared.head.schema), prepared.scans.clone());
    let last = futures::stream::once(async move {
        let reads = scans.map(|scans| scans.reads()).unwrap_or_default();
        let columns: [ArrayRef; 2] = [
            Arc::new(StringArray::from(vec!["Reads"])),
            Arc::new(StringArray::from(vec![reads.to_string()])),
        ];
        Ok(RecordBatch::try_new(schema, columns.to_vec())?)
    });
    Prepared {
        rows: prepared.rows.chain(last).boxed(),
        ..prepared
    }
}

fn done(name: &str, state: &str) -> Result<Prepared> {
    one_row([
        (
            "destination",
            Arc::new(StringArray::from(vec![name])) as ArrayRef,
        ),
        ("state", Arc::new(StringArray::from(vec![state]))),
    ])
}

fn one_row<const N: usize>(columns: [(&str, ArrayRef); N]) -> Result<Prepared> {
    let batch = RecordBatch::try_from_iter_with_nullable(
        columns.map(|(name, column)| (name, column, true)),
    )?;
    Ok(answered((batch.schema(), vec![batch])))
}

/// Rows that are there already.
fn answered((schema, batches): (SchemaRef, Vec<RecordBatch>)) -> Prepared {
    let head = Head {
        schema,
        position: Json::Null,
    };
    let rows = futures::stream::iter(batches.into_iter().map(Ok)).boxed();
    Prepared {
        head,
        rows,
        scans: None,
    }
}

/// The logical plan of a bound query.
pub(crate) async fn plan(state: &SessionState, query: QueryTree) -> Result<LogicalPlan> {
    let tree = PlanStatement::Statement(Box::new(Tree::Query(Box::new(query))));
    let plan = state.statement_to_plan(tree).await?;
    // INTO and the like are refused on the tree; this is the second lock on the same door.
    SQLOptions::new()
        .with_allow_ddl(false)
        .with_allow_dml(false)
        .with_allow_statements(false)
        .verify_plan(&plan)?;
    Ok(plan)
}

/// The rows of a plan.
pub(crate) async fn rows(
    state: &SessionState,
    plan: &LogicalPlan,
) -> Result<SendableRecordBatchStream> {
    let physical = physical(state, plan).await?;
    Ok(execute_stream(physical, state.task_ctx())?)
}

async fn stream(bound: &Bound, plan: &LogicalPlan) -> Result<Prepared> {
    let physical = physical(&bound.state, plan).await?;
    let batches = execute_stream(Arc::clone(&physical), bound.state.task_ctx())?;
    let head = Head {
        schema: batches.schema(),
        position: bound.position.clone(),
    };
    Ok(Prepared {
        head,
        rows: batches.map_err(Error::from).boxed(),
        scans: Some(Scans {
            counts: bound.counts.clone(),
            plan: physical,
        }),
    })
}
