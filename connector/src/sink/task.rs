//! A task from the outside: its thread, its status, how it stops and starts again.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use eddy_engine::Lake;
use eddy_engine::budget::Budget;

use crate::connect::ConnectorConfig;
use crate::convert::Conversion;
use crate::error::{Error, ErrorKind, Result};
use crate::kafka::KafkaConfig;
use crate::sink::asked::Asked;
use crate::sink::discovery::TopicBoard;
use crate::sink::measures::TaskMeasures;
use crate::sink::run::Run;
use crate::sink::status::{TaskState, TaskStatus};
use crate::sink::stop::{Leave, StopFlag};
use crate::sink::way::Refusal;

/// What a task is made of.
pub(crate) struct TaskSettings {
    pub(crate) task: usize,
    pub(crate) config: Arc<ConnectorConfig>,
    pub(crate) conversion: Conversion,
    pub(crate) kafka: KafkaConfig,
    /// For the dead-letter topic.
    pub(crate) producer: KafkaConfig,
    pub(crate) lake: Lake,
    pub(crate) budget: Arc<Budget>,
    pub(crate) board: Arc<TopicBoard>,
    pub(crate) asked: Arc<Asked>,
    /// What the task's lasting name in its group begins with.
    pub(crate) member: String,
    pub(crate) queue_bytes: usize,
    pub(crate) refusal: Refusal,
}

/// A task's status, written by the task and read by others.
pub(super) type Shared = Arc<Mutex<TaskStatus>>;

/// A running task, as others see it.
pub(crate) struct TaskHandle {
    task: usize,
    status: Shared,
    stop: Arc<StopFlag>,
    ended: Mutex<Receiver<()>>,
}

/// The wait before a failed task starts again; doubled while it goes on failing.
const BACKOFF_LEAST: Duration = Duration::from_secs(1);
const BACKOFF_MOST: Duration = Duration::from_secs(30);

impl TaskHandle {
    /// Starts the task's thread.
    ///
    /// # Errors
    /// `Internal` when the thread can't be started.
    pub(crate) fn start(settings: TaskSettings) -> Result<Self> {
        let task = settings.task;
        let status = Arc::new(Mutex::new(TaskStatus {
            task,
            state: TaskState::Running,
            error: None,
            partitions: Vec::new(),
            measures: TaskMeasures::default(),
        }));
        let stop = Arc::new(StopFlag::default());
        let (end, ended) = channel();
        let (shared, flag) = (Arc::clone(&status), Arc::clone(&stop));
        std::thread::Builder::new()
            .name(format!("{}-{task}", settings.config.name))
            .spawn(move || {
                supervise(&settings, &shared, &flag);
                let _ = end.send(());
            })
            .map_err(|error| {
                Error::new(ErrorKind::Internal, "a task's thread can't be started")
                    .with_source(error)
            })?;
        Ok(Self {
            task,
            status,
            stop,
            ended: Mutex::new(ended),
        })
    }

    /// The task's number.
    pub(crate) fn number(&self) -> usize {
        self.task
    }

    /// What it is doing.
    pub(crate) fn status(&self) -> TaskStatus {
        self.status
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Asks it to commit and end within a time.
    pub(crate) fn ask_to_stop(&self, leave: Leave, within: Duration) {
        self.stop.raise(leave, within);
    }

    /// Waits for its end; `false` when it takes longer.
    pub(crate) fn wait(&self, within: Duration) -> bool {
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        !matches!(
            ended.recv_timeout(within),
            Err(std::sync::mpsc::RecvTimeoutError::Timeout)
        )
    }
}

/// Runs the task again and again until it is asked to stop, or fails and isn't to start again.
fn supervise(settings: &TaskSettings, status: &Shared, stop: &StopFlag) {
    let clock = settings.lake.clock();
    let mut backoff = BACKOFF_LEAST;
    // A member that was fenced by its own name's successor must not fence it in turn.
    let mut lasting_name = true;
    while stop.raised().is_none() {
        let began = clock.monotonic();
        let ran = catch_unwind(AssertUnwindSafe(|| {
            Run::new(settings, status, lasting_name)?.until_stopped(stop)
        }));
        let error = match ran {
            Ok(Ok(())) => break,
            Ok(Err(error)) => error,
            Err(_) => Error::new(
                ErrorKind::Internal,
                "the task panicked; this is a bug of Eddy",
            ),
        };
        if error.kind() == ErrorKind::Fenced {
            lasting_name = false;
        }
        if clock.monotonic().saturating_sub(began) > BACKOFF_MOST * 2 {
            backoff = BACKOFF_LEAST;
        }
        let again = settings.config.errors.restart;
        tracing::error!(connector = %settings.config.name, task = settings.task, %error,
            again_in = ?again.then_some(backoff), "task failed");
        let mut shared = status.lock().unwrap_or_else(PoisonError::into_inner);
        shared.state = TaskState::Failed;
        shared.error = Some(trace(&error, again.then_some(backoff)));
        shared.partitions.clear();
        drop(shared);
        if !again {
            // What it says stays to be seen.
            return;
        }
        let until = clock.monotonic() + backoff;
        while clock.monotonic() < until && stop.raised().is_none() {
            clock.block(Duration::from_millis(50));
        }
        backoff = (backoff * 2).min(BACKOFF_MOST);
    }
    let mut shared = status.lock().unwrap_or_else(PoisonError::into_inner);
    shared.state = TaskState::Stopped;
    shared.partitions.clear();
}

/// Why it failed, and what comes next.
fn trace(error: &Error, again: Option<Duration>) -> String {
    match again {
        Some(wait) => format!("{error}\nThe task starts again by itself in {wait:?}."),
        None => format!(
            "{error}\nThe task stays so until it is restarted: `restart.failed.tasks` is false."
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_says_why_and_whether_the_task_starts_again() {
        let error = Error::invalid("the key is no JSON");
        let again = trace(&error, Some(Duration::from_secs(4)));
        let first = again.lines().next();
        assert_eq!(first, Some("the key is no JSON"));
        assert!(again.contains("in 4s"), "{again}");
        assert!(trace(&error, None).contains("restart.failed.tasks"));
    }
}
