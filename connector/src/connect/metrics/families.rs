//! The metrics themselves: each a name, what it means, and where its value comes from.

use std::collections::BTreeMap;
use std::time::Duration;

use super::text::{Kind, Text};
use super::{OfWorker, Seen};
use crate::sink::{PartitionState, PartitionStatus, TaskMeasures, TaskStatus};

type All = BTreeMap<String, Seen>;
type Labels<'a> = Vec<(&'a str, String)>;

/// Of the worker as a whole, and of the connectors as parts of it.
pub(super) fn worker(text: &mut Text, all: &All, worker: OfWorker) {
    let one = |value: usize| [(Labels::new(), exact(value))];
    let name = "kafka_connect_worker_connector_count";
    let help = "Connectors that this worker has something of.";
    text.family(name, Kind::Gauge, help, one(all.len()));
    let tasks = all.values().map(|seen| seen.tasks.len()).sum();
    let name = "kafka_connect_worker_task_count";
    text.family(name, Kind::Gauge, "Tasks of this worker.", one(tasks));
    let rebalances = worker.rebalances.into_iter();
    text.family(
        "kafka_connect_worker_rebalance_completed_rebalances_total",
        Kind::Counter,
        "How often what falls to this worker of its group has changed.",
        rebalances.map(|count| (Labels::new(), float(count))),
    );
    for word in ["total", "running", "paused", "failed", "unassigned"] {
        let count = |seen: &Seen| {
            let words = seen.tasks.values().map(|(state, _)| state);
            let is_one = |state: &&String| word == "total" || state.eq_ignore_ascii_case(word);
            words.filter(is_one).count()
        };
        let samples = all
            .iter()
            .map(|(name, seen)| (vec![("connector", name.clone())], exact(count(seen))));
        let name = format!("kafka_connect_worker_connector_{word}_task_count");
        let help = format!("Tasks of the connector on this worker: {word}.");
        text.family(&name, Kind::Gauge, &help, samples);
    }
    let (used, most) = worker.memory;
    let help = "Bytes that records on their way hold.";
    text.family("eddy_worker_memory_bytes", Kind::Gauge, help, one(used));
    let name = "eddy_worker_memory_limit_bytes";
    let help = "Bytes that records on their way may hold.";
    text.family(name, Kind::Gauge, help, one(most));
}

/// What each connector does.
pub(super) fn connectors(text: &mut Text, all: &All) {
    let samples = all.iter().filter_map(|(name, seen)| {
        let state = seen.state.as_ref()?.to_ascii_lowercase();
        let labels = vec![("connector", name.clone()), ("status", state)];
        Some((labels, 1.0))
    });
    let help = "What the connector does: 1 with the word for it.";
    text.family("kafka_connect_connector_status", Kind::Gauge, help, samples);
}

/// What each task does and has done.
pub(super) fn tasks(text: &mut Text, all: &All, now: Duration) {
    let states = each(all).map(|(mut labels, state, _)| {
        labels.push(("status", state.to_ascii_lowercase()));
        (labels, 1.0)
    });
    let name = "kafka_connect_connector_task_status";
    let help = "What the task does: 1 with the word for it.";
    text.family(name, Kind::Gauge, help, states);
    for (word, ratio) in [("running", "running_ratio"), ("paused", "pause_ratio")] {
        let samples = each(all).map(|(labels, state, _)| {
            let is_so = state.eq_ignore_ascii_case(word);
            (labels, if is_so { 1.0 } else { 0.0 })
        });
        let name = format!("kafka_connect_connector_task_{ratio}");
        let help = format!("1 while the task is {word}, else 0.");
        text.family(&name, Kind::Gauge, &help, samples);
    }
    for (name, kind, help, value) in OF_TASKS {
        let samples = each(all).filter_map(|(labels, _, status)| {
            let status = status?;
            let measures = &status.measures;
            Some((labels, value(measures, status, now)))
        });
        text.family(&format!("kafka_connect_{name}"), *kind, help, samples);
    }
}

type Value = fn(&TaskMeasures, &TaskStatus, Duration) -> f64;

/// The numbers of a task. Times are in milliseconds and percentages are from 0 to 1, as Connect has
/// them; averages, maxima and rates are of the last 30 to 60 seconds.
const OF_TASKS: &[(&str, Kind, &str, Value)] = &[
    (
        "connector_task_batch_size_avg",
        Kind::Gauge,
        "Records of a batch, on average.",
        |of, _, _| of.batches.average(),
    ),
    (
        "connector_task_batch_size_max",
        Kind::Gauge,
        "Records of the largest batch.",
        |of, _, _| of.batches.most(),
    ),
    (
        "connector_task_offset_commit_avg_time_ms",
        Kind::Gauge,
        "How long a commit takes, on average.",
        |of, _, _| of.commit_seconds.average() * 1e3,
    ),
    (
        "connector_task_offset_commit_max_time_ms",
        Kind::Gauge,
        "How long the slowest commit took.",
        |of, _, _| of.commit_seconds.most() * 1e3,
    ),
    (
        "connector_task_offset_commit_success_percentage",
        Kind::Gauge,
        "The part of the commits that ended well.",
        |of, _, _| 1.0 - lost(of),
    ),
    (
        "connector_task_offset_commit_failure_percentage",
        Kind::Gauge,
        "The part of the commits that were lost to another writer.",
        |of, _, _| lost(of),
    ),
    (
        "sink_task_sink_record_read_total",
        Kind::Counter,
        "Records that came from Kafka.",
        |of, _, _| float(of.read),
    ),
    (
        "sink_task_sink_record_read_rate",
        Kind::Gauge,
        "Records a second that came from Kafka.",
        |of, _, now| of.batches.per_second(now),
    ),
    (
        "sink_task_sink_record_send_total",
        Kind::Counter,
        "Records that went to tables.",
        |of, _, _| float(of.sent),
    ),
    (
        "sink_task_sink_record_send_rate",
        Kind::Gauge,
        "Records a second that went to tables.",
        |of, _, now| of.sends.per_second(now),
    ),
    (
        "sink_task_sink_record_lag_max",
        Kind::Gauge,
        "Records that the partition furthest behind has still to be read of.",
        |_, status, _| {
            let lags = status.partitions.iter().filter_map(PartitionStatus::lag);
            signed(lags.max().unwrap_or(0))
        },
    ),
    (
        "sink_task_sink_record_active_count",
        Kind::Gauge,
        "Offsets that were read and aren't committed yet.",
        |_, status, _| signed(status.partitions.iter().map(open).sum()),
    ),
    (
        "sink_task_partition_count",
        Kind::Gauge,
        "Partitions that the task has.",
        |_, status, _| exact(status.partitions.len()),
    ),
    (
        "sink_task_offset_commit_seq_no",
        Kind::Gauge,
        "The number of the last commit.",
        |of, _, _| float(of.commits),
    ),
    (
        "sink_task_offset_commit_completion_total",
        Kind::Counter,
        "Commits that ended well.",
        |of, _, _| float(of.commits),
    ),
    (
        "sink_task_offset_commit_skip_total",
        Kind::Counter,
        "Commits that were lost to another writer.",
        |of, _, _| float(of.commits_lost),
    ),
    (
        "sink_task_put_batch_avg_time_ms",
        Kind::Gauge,
        "How long a batch takes to be taken in, on average.",
        |of, _, _| of.batch_seconds.average() * 1e3,
    ),
    (
        "sink_task_put_batch_max_time_ms",
        Kind::Gauge,
        "How long the slowest batch took to be taken in.",
        |of, _, _| of.batch_seconds.most() * 1e3,
    ),
    (
        "task_error_total_record_failures",
        Kind::Counter,
        "Attempts to convert or transform a record that failed.",
        |of, _, _| float(of.errors.failures),
    ),
    (
        "task_error_total_record_errors",
        Kind::Counter,
        "Records that failed for good.",
        |of, _, _| float(of.errors.errors),
    ),
    (
        "task_error_total_records_skipped",
        Kind::Counter,
        "Records that failed and were set aside.",
        |of, _, _| float(of.errors.skipped),
    ),
    (
        "task_error_total_retries",
        Kind::Counter,
        "Attempts after a first one.",
        |of, _, _| float(of.errors.retries),
    ),
    (
        "task_error_total_errors_logged",
        Kind::Counter,
        "Failures that were told in the log.",
        |of, _, _| float(of.errors.logged),
    ),
    (
        "task_error_deadletterqueue_produce_requests",
        Kind::Counter,
        "Copies sent to the dead-letter topic.",
        |of, _, _| float(of.errors.dead_letters),
    ),
    (
        "task_error_deadletterqueue_produce_failures",
        Kind::Counter,
        "Copies that the dead-letter topic didn't take.",
        |of, _, _| float(of.errors.dead_letters_failed),
    ),
    (
        "task_error_last_error_timestamp",
        Kind::Gauge,
        "When a record failed last, in milliseconds since 1970; 0 is never.",
        |of, _, _| signed(of.errors.last_error_ms.unwrap_or(0)),
    ),
];

/// Where each partition is, and what becomes of tables.
pub(super) fn partitions(text: &mut Text, all: &All) {
    let of_partitions = |value: fn(&PartitionStatus) -> Option<i64>| {
        each(all).flat_map(move |(labels, _, status)| {
            let partitions = status.iter().flat_map(|status| &status.partitions);
            let sample = move |partition: &PartitionStatus| {
                let mut labels = labels.clone();
                labels.push(("topic", partition.topic.clone()));
                labels.push(("partition", partition.partition.to_string()));
                Some((labels, signed(value(partition)?)))
            };
            partitions.filter_map(sample).collect::<Vec<_>>()
        })
    };
    let lags = of_partitions(PartitionStatus::lag).map(|(mut labels, lag)| {
        let client = labels.iter().map(|(_, value)| value.as_str()).take(2);
        let client: Vec<&str> = client.collect();
        let client = format!("connector-consumer-{}", client.join("-"));
        labels.insert(0, ("clientid", client));
        (labels, lag)
    });
    text.family(
        "kafka_consumer_fetch_manager_records_lag",
        Kind::Gauge,
        "Records that are produced and not yet read, as the broker was last asked.",
        lags,
    );
    for (name, help, value) in OF_PARTITIONS {
        text.family(name, Kind::Gauge, help, of_partitions(*value));
    }
}

type Offset = fn(&PartitionStatus) -> Option<i64>;

/// What of a partition Connect has no metric for.
const OF_PARTITIONS: &[(&str, &str, Offset)] = &[
    (
        "eddy_partition_uncommitted_records",
        "Offsets that are produced and not yet in the table's committed files.",
        |of| Some((of.end? - of.committed?).max(0)),
    ),
    (
        "eddy_partition_committed_offset",
        "The next offset after what is committed to the table.",
        |of| of.committed,
    ),
    (
        "eddy_partition_is_stopped",
        "1 while the partition needs somebody, else 0; its status says why.",
        |of| Some(i64::from(of.state == PartitionState::Stopped)),
    ),
];

/// Every task with its labels, its state, and what it tells if it has a thread.
fn each(all: &All) -> impl Iterator<Item = (Labels<'static>, &String, Option<&TaskStatus>)> {
    all.iter().flat_map(|(name, seen)| {
        seen.tasks.iter().map(move |(task, (state, status))| {
            let labels = vec![("connector", name.clone()), ("task", task.to_string())];
            (labels, state, status.as_ref())
        })
    })
}

/// Offsets that were read and aren't committed yet.
fn open(partition: &PartitionStatus) -> i64 {
    let offsets = partition.position.zip(partition.committed);
    offsets.map_or(0, |(position, committed)| (position - committed).max(0))
}

fn lost(of: &TaskMeasures) -> f64 {
    match of.commits + of.commits_lost {
        0 => 0.0,
        all => float(of.commits_lost) / float(all),
    }
}

fn exact(count: usize) -> f64 {
    float(u64::try_from(count).unwrap_or(u64::MAX))
}

fn float(count: u64) -> f64 {
    count as f64
}

fn signed(count: i64) -> f64 {
    count as f64
}
