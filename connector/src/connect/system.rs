//! The system tables `connectors` and `offsets`, as Arrow batches.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, Int64Array, RecordBatch, StringArray};

use crate::error::{Error, ErrorKind, Result};
use crate::sink::{ConnectorStatus, PartitionStatus, TaskStatus};

/// A row per task.
pub(super) fn connectors(status: &[ConnectorStatus]) -> Result<RecordBatch> {
    let rows: Vec<(&ConnectorStatus, &TaskStatus)> = status
        .iter()
        .flat_map(|connector| connector.tasks.iter().map(move |task| (connector, task)))
        .collect();
    batch(vec![
        (
            "connector",
            text(
                rows.iter()
                    .map(|(connector, _)| Some(connector.name.clone())),
            ),
        ),
        (
            "task",
            number32(rows.iter().map(|(_, task)| i32::try_from(task.task).ok())),
        ),
        (
            "state",
            text(
                rows.iter()
                    .map(|(_, task)| Some(task.state.as_str().to_owned())),
            ),
        ),
        (
            "group",
            text(
                rows.iter()
                    .map(|(connector, _)| Some(connector.group.clone())),
            ),
        ),
        (
            "topics",
            text(
                rows.iter()
                    .map(|(connector, _)| Some(connector.topics.join(","))),
            ),
        ),
        (
            "waiting_for",
            text(rows.iter().map(|(connector, _)| {
                let waiting = connector.waiting_for.join(",");
                (!waiting.is_empty()).then_some(waiting)
            })),
        ),
        (
            "partitions",
            number32(
                rows.iter()
                    .map(|(_, task)| i32::try_from(task.partitions.len()).ok()),
            ),
        ),
        (
            "error",
            text(rows.iter().map(|(connector, task)| {
                let own = task.error.clone().or_else(|| connector.error.clone());
                own.or_else(|| of_partitions(task))
            })),
        ),
    ])
}

/// Why the first of a task's partitions that doesn't go on doesn't.
fn of_partitions(task: &TaskStatus) -> Option<String> {
    task.partitions.iter().find_map(|row| {
        let why = row.error.as_ref()?;
        Some(format!(
            "partition {} of `{}`: {why}",
            row.partition, row.topic
        ))
    })
}

/// A row per partition.
pub(super) fn offsets(status: &[ConnectorStatus]) -> Result<RecordBatch> {
    let rows: Vec<(&str, &TaskStatus, &PartitionStatus)> = status
        .iter()
        .flat_map(|connector| {
            connector
                .tasks
                .iter()
                .map(move |task| (connector.name.as_str(), task))
        })
        .flat_map(|(name, task)| {
            task.partitions
                .iter()
                .map(move |partition| (name, task, partition))
        })
        .collect();
    batch(vec![
        (
            "connector",
            text(rows.iter().map(|(name, _, _)| Some((*name).to_owned()))),
        ),
        (
            "task",
            number32(
                rows.iter()
                    .map(|(_, task, _)| i32::try_from(task.task).ok()),
            ),
        ),
        (
            "topic",
            text(rows.iter().map(|(_, _, row)| Some(row.topic.clone()))),
        ),
        (
            "topic_id",
            text(rows.iter().map(|(_, _, row)| row.topic_id.clone())),
        ),
        (
            "partition",
            number32(rows.iter().map(|(_, _, row)| Some(row.partition))),
        ),
        (
            "state",
            text(
                rows.iter()
                    .map(|(_, _, row)| Some(row.state.as_str().to_owned())),
            ),
        ),
        (
            "position",
            number(rows.iter().map(|(_, _, row)| row.position)),
        ),
        (
            "committed",
            number(rows.iter().map(|(_, _, row)| row.committed)),
        ),
        ("end", number(rows.iter().map(|(_, _, row)| row.end))),
        ("lag", number(rows.iter().map(|(_, _, row)| row.lag()))),
        (
            "error",
            text(rows.iter().map(|(_, _, row)| row.error.clone())),
        ),
    ])
}

fn batch(columns: Vec<(&str, ArrayRef)>) -> Result<RecordBatch> {
    let columns = columns.into_iter().map(|(name, array)| (name, array, true));
    RecordBatch::try_from_iter_with_nullable(columns).map_err(|error| {
        Error::new(ErrorKind::Internal, "a system table can't be made").with_source(error)
    })
}

fn text(values: impl Iterator<Item = Option<String>>) -> ArrayRef {
    Arc::new(values.collect::<StringArray>())
}

fn number(values: impl Iterator<Item = Option<i64>>) -> ArrayRef {
    Arc::new(values.collect::<Int64Array>())
}

fn number32(values: impl Iterator<Item = Option<i32>>) -> ArrayRef {
    Arc::new(values.collect::<Int32Array>())
}
