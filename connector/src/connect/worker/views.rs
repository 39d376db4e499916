//! What answers are made of: connectors and tasks as they are seen now.

use super::here::{Here, State, TaskHere};
use super::{Worker, lock};
use crate::connect::state::Target;
use crate::sink::{PartitionState, TaskState, TaskStatus};

/// A connector as it is seen now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::connect) struct ConnectorView {
    /// Connect's word for what it does.
    pub(in crate::connect) state: &'static str,
    /// Why it failed.
    pub(in crate::connect) trace: Option<String>,
    /// Its tasks, in their order.
    pub(in crate::connect) tasks: Vec<TaskView>,
}

/// A task as it is seen now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::connect) struct TaskView {
    /// Connect's word for what it does.
    pub(in crate::connect) state: &'static str,
    /// Why it failed.
    pub(in crate::connect) trace: Option<String>,
}

impl Worker {
    /// The connector called `name`, as it is seen now.
    pub(in crate::connect) fn view(&self, name: &str) -> Option<ConnectorView> {
        if self.is_of_file(name) {
            let tasks = self.live(name);
            return Some(ConnectorView {
                state: State::Running.as_str(),
                trace: None,
                tasks: tasks.iter().map(of_task).collect(),
            });
        }
        self.wish(name)?;
        let here = lock(&self.0.here).get(name).cloned();
        Some(self.of_here(name, &here.unwrap_or_default()))
    }

    /// How many tasks the connector has been given.
    pub(in crate::connect) fn task_count(&self, name: &str) -> usize {
        if self.is_of_file(name) {
            return self.live(name).len();
        }
        self.wish(name).map_or(0, |wish| wish.tasks)
    }

    /// Whether its offsets may be changed: it should be stopped, and has.
    pub(in crate::connect) fn is_stopped(&self, name: &str) -> bool {
        let wish = self.wish(name);
        let here = lock(&self.0.here).get(name).map(|here| here.state);
        wish.is_some_and(|wish| wish.target == Target::Stopped) && here == Some(State::Stopped)
    }

    fn of_here(&self, name: &str, here: &Here) -> ConnectorView {
        let live = self.live(name);
        let of = |(at, task): (usize, &TaskHere)| match task {
            TaskHere::Live => live.get(at).map_or_else(unassigned, of_task),
            TaskHere::Paused => TaskView {
                state: "PAUSED",
                trace: None,
            },
            TaskHere::Failed(why) => TaskView {
                state: "FAILED",
                trace: Some(why.clone()),
            },
        };
        ConnectorView {
            state: here.state.as_str(),
            trace: here.trace.clone(),
            tasks: here.tasks.iter().enumerate().map(of).collect(),
        }
    }

    fn live(&self, name: &str) -> Vec<TaskStatus> {
        let running = self.0.connectors.get(name);
        running.map_or_else(Vec::new, |running| running.status().tasks)
    }
}

/// Which partitions of a task need somebody, and why.
fn stopped(status: &TaskStatus) -> impl Iterator<Item = String> {
    let partitions = status.partitions.iter();
    let stopped = partitions.filter(|partition| partition.state == PartitionState::Stopped);
    stopped.map(|partition| {
        let why = partition.error.as_deref().unwrap_or_default();
        format!("{}-{}: {why}", partition.topic, partition.partition)
    })
}

fn unassigned() -> TaskView {
    TaskView {
        state: "UNASSIGNED",
        trace: None,
    }
}

/// A task that waits for a lake that doesn't answer runs, as Connect sees it: it needs nobody. One
/// that has only partitions which need somebody failed; where others go on, it says so as it runs.
fn of_task(status: &TaskStatus) -> TaskView {
    match status.state {
        TaskState::Running | TaskState::Held if stopped(status).next().is_some() => TaskView {
            state: match stopped(status).count() == status.partitions.len() {
                true => "FAILED",
                false => "RUNNING",
            },
            trace: Some(stopped(status).collect::<Vec<_>>().join("\n")),
        },
        TaskState::Running | TaskState::Held => TaskView {
            state: "RUNNING",
            trace: None,
        },
        TaskState::Failed => TaskView {
            state: "FAILED",
            trace: status.error.clone(),
        },
        TaskState::Stopped => unassigned(),
    }
}
