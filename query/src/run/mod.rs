//! A query's life: it waits for its turn, is planned, streams its rows, and ends.
//!
//! All of that happens on a thread pool of its own (`pool`): what a query does to the processor
//! stays there. A dropped answer, a timeout, a cancel and a limit that is hit end it wherever it is
//! (`halt`): where it waits its task is dropped, where it computes it is told so (`yielding`).

mod again;
mod batches;
mod bind;
mod describe;
mod distinct;
mod few;
mod given;
mod halt;
mod memory;
mod moment;
mod physical;
mod pool;
mod prepare;
mod progress;
mod registry;
mod share;
mod star;
mod yielding;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use futures::{FutureExt, StreamExt, TryStreamExt};
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

pub(crate) use bind::{Bound, bind, resolve};
pub(crate) use describe::describe;
pub(crate) use distinct::CountsByValue;
pub(crate) use given::{Given, Order, planned};
pub(crate) use halt::Halt;
pub(crate) use memory::{AllMemory, QueryMemory};
pub(crate) use pool::Pool;
pub(crate) use prepare::{Head, Prepared, plan, rows};
pub(crate) use progress::{Done, Progress, Scans};
pub(crate) use registry::{Registry, Seen};
pub(crate) use yielding::{Yielding, is_yield};

use halt::cancelled;
use prepare::prepare;

use crate::erase;
use crate::error::{Error, ErrorKind, Result};
use crate::query::{Answer, Inner, Request};
use crate::source::Sliced;
use crate::statement::{self, Statement};

/// Batches that wait for a slow client; few, because each may be large.
const BATCHES_AHEAD: usize = 2;

/// How long an answer may take, and whether it waits for its turn.
#[derive(Debug, Clone)]
pub(crate) enum Pace {
    /// A query of a person: the limits apply.
    Limited,
    /// The rows of a replay: it takes as long as its destination does, and would hold a turn
    /// all that time. Without slices they are those of the request's statement.
    Unlimited(Option<Arc<Sliced>>),
}

/// How much later than the query itself its caller gives up.
const LATE: Duration = Duration::from_secs(1);

/// Runs one statement.
pub(crate) async fn execute(inner: &Arc<Inner>, request: Request, pace: Pace) -> Result<Answer> {
    let query_id = inner.clock.new_id();
    let answer = run(inner, query_id, request, pace).await;
    answer.map_err(|error| error.with_query_id(query_id))
}

async fn run(inner: &Arc<Inner>, query_id: Uuid, request: Request, pace: Pace) -> Result<Answer> {
    let (head_tx, head_rx) = oneshot::channel();
    let (tx, mut rx) = mpsc::channel(BATCHES_AHEAD);
    let limit = match pace {
        Pace::Limited => Some(limit(inner, &request)),
        Pace::Unlimited(_) => None,
    };
    let halt = Arc::new(Halt::new(&inner.clock, limit, &inner.options));
    let progress = Arc::<Progress>::default();
    inner.registry.add(query_id, &request, &halt, &progress);
    let live = Live {
        inner: Arc::clone(inner),
        query_id,
        request,
        pace,
        halt: Arc::clone(&halt),
        progress: Arc::clone(&progress),
    };
    let handle = inner.pool.spawn(live.run(head_tx, tx));
    let guard = inner.registry.running(query_id, handle);
    let head = tokio::select! {
        head = head_rx => head,
        // Planning can't be interrupted, so the caller has a limit of its own.
        error = too_late(&inner.clock, &halt, limit) => return Err(error),
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
        stale: head.stale,
        batches: batches.boxed(),
        progress,
    })
}

enum Item {
    Batch(RecordBatch),
    Error(Error),
    End,
}

async fn first_error(rx: &mut mpsc::Receiver<Item>) -> Error {
    match rx.recv().await {
        Some(Item::Error(error)) => error,
        _ => cancelled(),
    }
}

async fn too_late(clock: &eddy_engine::Clock, halt: &Halt, limit: Option<Duration>) -> Error {
    let Some(limit) = limit else {
        return std::future::pending().await;
    };
    clock.sleep(limit.saturating_add(LATE)).await;
    halt.late(limit)
}

/// How long a request may take.
fn limit(inner: &Inner, request: &Request) -> Duration {
    let most = inner.options.timeout;
    request.timeout.map_or(most, |asked| asked.min(most))
}

/// A query that is worked for.
struct Live {
    inner: Arc<Inner>,
    query_id: Uuid,
    request: Request,
    pace: Pace,
    halt: Arc<Halt>,
    progress: Arc<Progress>,
}

impl Live {
    /// Gives all rows, and says how it ended.
    async fn run(self, head: oneshot::Sender<Head>, tx: mpsc::Sender<Item>) {
        let result = AssertUnwindSafe(self.until_halted(head, &tx)).catch_unwind();
        let result = result
            .await
            .unwrap_or_else(|panic| Err(panicked(panic.as_ref())));
        let result = result.map_err(|error| error.with_query_id(self.query_id));
        let registry = &self.inner.registry;
        registry.end(self.query_id, result.as_ref().err());
        // Without this the reader takes the end of the channel for a cancel.
        let last = match result {
            Ok(()) => Item::End,
            Err(error) => Item::Error(error),
        };
        let _ = tx.send(last).await;
    }

    async fn until_halted(
        &self,
        head: oneshot::Sender<Head>,
        tx: &mpsc::Sender<Item>,
    ) -> Result<()> {
        let result = tokio::select! {
            result = Box::pin(self.rows(head, tx)) => result,
            () = tx.closed() => Err(cancelled()),
            error = self.halt.watch() => Err(error),
        };
        result.map_err(|error| self.with_how_to_go_on(error))
    }

    async fn rows(&self, head: oneshot::Sender<Head>, tx: &mpsc::Sender<Item>) -> Result<()> {
        let inner = &self.inner;
        let _turn = match self.pace {
            Pace::Limited => Some(inner.pool.turn().await?),
            Pace::Unlimited(_) => None,
        };
        inner.registry.started(self.query_id);
        let sliced = match &self.pace {
            Pace::Unlimited(Some(sliced)) => sliced.prepare(inner, &self.halt).await?,
            _ => None,
        };
        let prepared = match sliced {
            Some(prepared) => prepared,
            None => {
                let prepare = prepare(inner, self.query_id, &self.request, &self.halt);
                Box::pin(prepare).await?
            }
        };
        if let Some(stale) = &prepared.head.stale {
            self.progress.stale(stale);
        }
        if let Some((scans, memory)) = prepared.reads {
            self.halt.counts(scans.counts());
            self.progress.planned(scans, memory);
        }
        if head.send(prepared.head).is_err() {
            return Ok(());
        }
        let mut stream = prepared.rows;
        while let Some(batch) = stream.try_next().await? {
            self.count(batch.num_rows())?;
            if tx.send(Item::Batch(batch)).await.is_err() {
                return Err(cancelled());
            }
        }
        self.halt.check()
    }

    /// Counts some more rows, and refuses them beyond the limit.
    fn count(&self, rows: usize) -> Result<()> {
        let rows = self.progress.add_rows(rows);
        let most = self.inner.options.rows_max;
        match most.filter(|_| matches!(self.pace, Pace::Limited)) {
            Some(most) if rows > most => Err(Error::new(
                ErrorKind::TooManyRows,
                format!("the answer has more than {most} rows, which is `query.rows_max`"),
            )
            .with_hint("add a `LIMIT` or a condition, or raise `query.rows_max`")),
            _ => Ok(()),
        }
    }

    /// An erasure that took too long goes on when it is asked for again.
    fn with_how_to_go_on(&self, error: Error) -> Error {
        if error.kind() != ErrorKind::Timeout {
            return error;
        }
        match statement::parse(&self.request.sql, &self.request.params) {
            Ok(Statement::Delete(delete)) => {
                error.with_hint(erase::again(delete.id.unwrap_or(self.query_id)))
            }
            _ => error,
        }
    }
}

/// What a panic said; it ends its query and nothing else.
fn panicked(panic: &(dyn std::any::Any + Send)) -> Error {
    let said = panic.downcast_ref::<String>().map(String::as_str);
    let said = said.or_else(|| panic.downcast_ref::<&str>().copied());
    Error::internal(format!("the query panicked: {}", said.unwrap_or("?")))
        .with_hint("this is a bug of Eddy's: please report the statement")
}

#[cfg(test)]
mod tests;
