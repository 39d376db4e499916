//! What answers are made of: connectors and tasks as they are seen now, on all workers.

use super::here::{State, TaskHere};
use super::status::{Local, Said};
use super::{Inner, Worker, lock};
use crate::connect::metrics;
use crate::connect::state::Target;
use crate::sink::{PartitionState, TaskState, TaskStatus};

/// A connector as it is seen now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::connect) struct ConnectorView {
    /// Connect's word for what it does.
    pub(in crate::connect) state: String,
    /// Why it failed.
    pub(in crate::connect) trace: Option<String>,
    /// The worker that keeps it.
    pub(in crate::connect) worker: String,
    /// Its tasks, in their order.
    pub(in crate::connect) tasks: Vec<TaskView>,
}

/// A task as it is seen now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::connect) struct TaskView {
    /// Connect's word for what it does.
    pub(in crate::connect) state: String,
    /// Why it failed.
    pub(in crate::connect) trace: Option<String>,
    /// The worker that runs it, or had it last.
    pub(in crate::connect) worker: String,
}

impl Worker {
    /// The connector called `name`, as it is seen now.
    pub(in crate::connect) fn view(&self, name: &str) -> Option<ConnectorView> {
        if self.is_of_file(name) {
            let said = |status: &TaskStatus| TaskView::from(self.0.of_task(status));
            return Some(ConnectorView {
                state: State::Running.as_str().to_owned(),
                trace: None,
                worker: self.0.worker.clone(),
                tasks: self.0.live(name).iter().map(said).collect(),
            });
        }
        let wish = self.wish(name)?;
        let mut local = self.0.local(name);
        let of = lock(&self.0.board).get(name).cloned().unwrap_or_default();
        let kept = match self.0.keeps(name) {
            true => local.connector.take(),
            false => of.connector,
        };
        let kept = kept.unwrap_or_else(|| self.0.unassigned());
        let stopped = wish.target == Target::Stopped && kept.state == State::Stopped.as_str();
        let count = if stopped { 0 } else { wish.tasks };
        let task = |task: usize| {
            let known = match self.0.runs(name, task) {
                true => local.tasks.get(&task),
                false => of.tasks.get(&task),
            };
            TaskView::from(known.cloned().unwrap_or_else(|| self.0.unassigned()))
        };
        Some(ConnectorView {
            state: kept.state,
            trace: kept.trace,
            worker: kept.worker,
            tasks: (0..count).map(task).collect(),
        })
    }

    /// How many tasks the connector has been given.
    pub(in crate::connect) fn task_count(&self, name: &str) -> usize {
        if self.is_of_file(name) {
            return self.0.live(name).len();
        }
        self.wish(name).map_or(0, |wish| wish.tasks)
    }

    /// Whether its offsets may be changed: it should be stopped, and has, on all workers. A worker
    /// says of a task that it is there before the task runs, and takes that back once it has ended;
    /// what a dead worker said is taken back by whoever gets its partitions. What could still run
    /// unseen is fenced by the epoch that a change of offsets raises (P5).
    pub(in crate::connect) fn is_stopped(&self, name: &str) -> bool {
        let wish = self.wish(name);
        let here = lock(&self.0.here).get(name).map(|here| here.state);
        let of = lock(&self.0.board).get(name).cloned().unwrap_or_default();
        let nowhere = of.tasks.keys().all(|task| self.0.runs(name, *task));
        wish.is_some_and(|wish| wish.target == Target::Stopped)
            && here == Some(State::Stopped)
            && nowhere
    }
}

impl Worker {
    /// What `/metrics` tells of the connectors of this worker, in Prometheus' text format.
    pub fn metrics(&self) -> String {
        let mut seen = metrics::seen(self.0.connectors.status());
        let names: Vec<String> = lock(&self.0.here).keys().cloned().collect();
        for name in names {
            let local = self.0.local(&name);
            let seen = seen.entry(name).or_default();
            seen.state = local.connector.map(|said| said.state);
            for (task, said) in local.tasks {
                seen.tasks.entry(task).or_default().0 = said.state;
            }
        }
        for (name, seen) in &mut seen {
            if self.is_of_file(name) {
                seen.state = Some(State::Running.as_str().to_owned());
            }
        }
        let given = self.0.group.as_ref().map(|_| lock(&self.0.ownership).1);
        metrics::text(&seen, self.0.connectors.measured(given))
    }
}

impl Inner {
    /// What this worker knows of the connector by itself.
    pub(super) fn local(&self, name: &str) -> Local {
        let Some(here) = lock(&self.here).get(name).cloned() else {
            return Local::default();
        };
        let live = self.live(name);
        let of = |(task, what): (&usize, &TaskHere)| {
            let said = match what {
                TaskHere::Live => live
                    .iter()
                    .find(|status| status.task == *task)
                    .map_or_else(|| self.unassigned(), |status| self.of_task(status)),
                TaskHere::Paused => self.said("PAUSED", None),
                TaskHere::Failed(why) => self.said("FAILED", Some(why.clone())),
            };
            (*task, said)
        };
        Local {
            settled: here.state != State::Unassigned,
            connector: Some(self.said(here.state.as_str(), here.trace.clone())),
            tasks: here.tasks.iter().map(of).collect(),
            topics: here.active.topics,
        }
    }

    fn live(&self, name: &str) -> Vec<TaskStatus> {
        let running = self.connectors.get(name);
        running.map_or_else(Vec::new, |running| running.status().tasks)
    }

    fn said(&self, state: &str, trace: Option<String>) -> Said {
        Said {
            state: state.to_owned(),
            trace,
            worker: self.worker.clone(),
        }
    }

    fn unassigned(&self) -> Said {
        self.said(State::Unassigned.as_str(), None)
    }

    /// A task as Connect sees it.
    pub(super) fn of_task(&self, status: &TaskStatus) -> Said {
        match status.state {
            TaskState::Running | TaskState::Held => {
                let (state, why) = running(status);
                self.said(state, why)
            }
            TaskState::Failed => self.said("FAILED", status.error.clone()),
            TaskState::Stopped => self.unassigned(),
        }
    }
}

/// A task that waits for a lake that doesn't answer runs, as Connect sees it: it needs nobody. One
/// that has only partitions which need somebody failed; where others go on, it says so as it runs.
/// So it does of partitions that the broker yields nothing of, and of a group that it can't join.
fn running(status: &TaskStatus) -> (&'static str, Option<String>) {
    let mut why = said_of(status, PartitionState::Stopped);
    let all = !why.is_empty() && why.len() == status.partitions.len();
    why.extend(said_of(status, PartitionState::Running));
    if status.partitions.is_empty() && status.state == TaskState::Running {
        why.extend(status.error.clone());
    }
    let state = if all { "FAILED" } else { "RUNNING" };
    (state, (!why.is_empty()).then(|| why.join("\n")))
}

/// What the partitions of a task that are in this state say of it.
fn said_of(status: &TaskStatus, state: PartitionState) -> Vec<String> {
    let partitions = status.partitions.iter();
    let said = partitions.filter(|partition| partition.state == state);
    said.filter_map(|partition| {
        let why = match (&partition.error, state) {
            (None, PartitionState::Running) => return None,
            (why, _) => why.as_deref().unwrap_or_default(),
        };
        Some(format!(
            "{}-{}: {why}",
            partition.topic, partition.partition
        ))
    })
    .collect()
}

impl From<Said> for TaskView {
    fn from(said: Said) -> Self {
        Self {
            state: said.state,
            trace: said.trace,
            worker: said.worker,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::{PartitionStatus, TaskMeasures};

    fn partition(state: PartitionState, error: Option<&str>) -> PartitionStatus {
        PartitionStatus {
            topic: "t".to_owned(),
            topic_id: None,
            partition: 0,
            state,
            position: None,
            committed: None,
            end: None,
            others: Vec::new(),
            error: error.map(str::to_owned),
        }
    }

    fn task(error: Option<&str>, partitions: Vec<PartitionStatus>) -> TaskStatus {
        TaskStatus {
            task: 0,
            state: TaskState::Running,
            error: error.map(str::to_owned),
            partitions,
            measures: TaskMeasures::default(),
        }
    }

    #[test]
    fn a_task_says_what_keeps_it_and_fails_only_when_all_of_it_needs_somebody() {
        let stopped = || partition(PartitionState::Stopped, Some("cut"));
        let denied = || partition(PartitionState::Running, Some("denied"));
        let fine = || partition(PartitionState::Running, None);
        for (status, state, why) in [
            (task(None, vec![stopped()]), "FAILED", Some("t-0: cut")),
            (
                task(None, vec![fine(), stopped()]),
                "RUNNING",
                Some("t-0: cut"),
            ),
            (
                task(None, vec![fine(), denied()]),
                "RUNNING",
                Some("t-0: denied"),
            ),
            (task(Some("no group"), vec![]), "RUNNING", Some("no group")),
            (task(Some("the lake"), vec![fine()]), "RUNNING", None),
        ] {
            assert_eq!(running(&status), (state, why.map(str::to_owned)));
        }
    }
}
