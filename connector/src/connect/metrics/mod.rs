//! What `/metrics` tells of connectors: Connect's metrics by the names that they have once a JMX
//! exporter has brought them to Prometheus, so that dashboards and alerts go on as they are.
//!
//! `type=sink-task-metrics`, attribute `put-batch-avg-time-ms`, is
//! `kafka_connect_sink_task_put_batch_avg_time_ms`, with the labels `connector` and `task`; lags
//! are the consumer's, `kafka_consumer_fetch_manager_records_lag`. Nothing is counted for this but
//! what tasks copy out with their status (`sink/measures`): a scrape reads that and makes text
//! (`text`). `families` are the metrics. Of a group each worker tells of what it runs.

mod families;
pub(crate) mod text;

use std::collections::BTreeMap;
use std::time::Duration;

use crate::sink::{ConnectorStatus, TaskState, TaskStatus};
use text::Text;

/// What a worker has of one connector.
#[derive(Debug, Clone, Default)]
pub(in crate::connect) struct Seen {
    /// Connect's word for what the connector does, in capitals; `None` where nobody says it here.
    pub(in crate::connect) state: Option<String>,
    /// Its tasks here: Connect's word for what each does, and what it tells if it has a thread.
    pub(in crate::connect) tasks: BTreeMap<usize, (String, Option<TaskStatus>)>,
}

/// What is told of the worker as a whole.
#[derive(Debug, Clone, Copy)]
pub(in crate::connect) struct OfWorker {
    /// The monotonic clock's time.
    pub(in crate::connect) now: Duration,
    /// What records on their way hold, and may hold.
    pub(in crate::connect) memory: (usize, usize),
    /// How often what falls to this worker of its group has changed.
    pub(in crate::connect) rebalances: Option<u64>,
}

/// Connectors as their tasks tell of them.
pub(in crate::connect) fn seen(status: Vec<ConnectorStatus>) -> BTreeMap<String, Seen> {
    let of_task = |task: TaskStatus| {
        let word = match task.state {
            TaskState::Running | TaskState::Held => "RUNNING",
            TaskState::Failed => "FAILED",
            TaskState::Stopped => "UNASSIGNED",
        };
        (task.task, (word.to_owned(), Some(task)))
    };
    let of_connector = |connector: ConnectorStatus| {
        let seen = Seen {
            state: None,
            tasks: connector.tasks.into_iter().map(of_task).collect(),
        };
        (connector.name, seen)
    };
    status.into_iter().map(of_connector).collect()
}

/// All of it in Prometheus' text format.
pub(in crate::connect) fn text(seen: &BTreeMap<String, Seen>, worker: OfWorker) -> String {
    let mut text = Text::default();
    families::worker(&mut text, seen, worker);
    families::connectors(&mut text, seen);
    families::tasks(&mut text, seen, worker.now);
    families::partitions(&mut text, seen);
    text.done()
}

#[cfg(test)]
mod tests;
