//! The threads that queries run on, and whose turn it is.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::AbortHandle;

use crate::error::{Error, ErrorKind, Result};
use crate::query::QueryOptions;

/// The stack of a query's thread. Planning recurses over the statement, whose size is bounded by
/// the parser; the memory is only used by statements that need it.
const STACK_BYTES: usize = 64 << 20;

/// How much nicer a query's thread is than the process: beside threads that ingest, which want a
/// processor as well, it has a tenth of it; alone it has all of it.
#[cfg(target_os = "linux")]
const NICER: i32 = 10;

/// Lets the threads that ingest go first. On Linux a thread has a priority of its own; where it
/// can't be set, queries only have their own threads.
fn step_back() {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{getpriority_process, setpriority_process};
        if let Ok(now) = getpriority_process(None) {
            let _ = setpriority_process(Some(rustix::thread::gettid()), now + NICER);
        }
    }
}

/// The queries' own thread pool.
pub(crate) struct Pool {
    runtime: Option<Runtime>,
    handle: Handle,
    turns: Arc<Semaphore>,
    waiting: AtomicUsize,
    waiting_max: usize,
}

impl Pool {
    /// Starts the threads.
    pub(crate) fn new(options: &QueryOptions) -> Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(options.threads.max(1))
            .thread_name("eddy-query")
            .thread_stack_size(STACK_BYTES)
            .on_thread_start(step_back)
            .enable_all()
            .build()
            .map_err(|error| Error::internal(format!("the query threads can't start: {error}")))?;
        Ok(Self {
            handle: runtime.handle().clone(),
            runtime: Some(runtime),
            turns: Arc::new(Semaphore::new(options.running_max.max(1))),
            waiting: AtomicUsize::new(0),
            waiting_max: options.waiting_max,
        })
    }

    /// Runs a future on the pool.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) -> AbortHandle {
        self.handle.spawn(task).abort_handle()
    }

    /// Runs a future on the pool and blocks until it is done: for what a start waits for.
    pub(crate) fn wait<T: Send + 'static>(
        &self,
        task: impl Future<Output = T> + Send + 'static,
    ) -> Result<T> {
        let (tx, rx) = std::sync::mpsc::channel();
        self.handle.spawn(async move {
            // The receiver waits below.
            drop(tx.send(task.await));
        });
        rx.recv()
            .map_err(|_| Error::internal("the query threads ended"))
    }

    /// Waits for a turn; dropping what it returns gives the turn to the next.
    pub(crate) async fn turn(&self) -> Result<OwnedSemaphorePermit> {
        if let Ok(turn) = Arc::clone(&self.turns).try_acquire_owned() {
            return Ok(turn);
        }
        let _place = Place::take(&self.waiting, self.waiting_max)?;
        Arc::clone(&self.turns)
            .acquire_owned()
            .await
            .map_err(|_| Error::internal("the query pool is closed"))
    }
}

#[cfg(test)]
impl Pool {
    /// How many wait for their turn.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::SeqCst)
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        // A runtime that is dropped inside of another one panics unless it is told not to wait.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// A place in the queue.
struct Place<'a>(&'a AtomicUsize);

impl<'a> Place<'a> {
    fn take(waiting: &'a AtomicUsize, most: usize) -> Result<Self> {
        let before = waiting.fetch_add(1, Ordering::SeqCst);
        let place = Self(waiting);
        if before >= most {
            return Err(Error::new(
                ErrorKind::Busy,
                format!("{before} queries wait for their turn already, which is all that may"),
            )
            .with_hint(
                "try again later; `GET /api/v1/queries` lists what runs, `query.waiting_max` and \
                 `query.running_max` say how many may",
            ));
        }
        Ok(place)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    #![allow(clippy::unwrap_used)]
    use rustix::process::getpriority_process;

    use super::*;

    #[test]
    fn the_threads_of_queries_let_others_go_first() {
        let pool = Pool::new(&QueryOptions::default()).unwrap();
        let theirs = pool.wait(async { getpriority_process(Some(rustix::thread::gettid())) });
        let ours = getpriority_process(Some(rustix::thread::gettid())).unwrap();
        assert_eq!(theirs.unwrap().unwrap(), (ours + NICER).min(19));
    }
}
