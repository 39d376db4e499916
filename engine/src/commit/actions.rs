//! One commit file of a table's log: read, taken apart, and the lines that we write into it.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use object_store::{Error as StoreError, ObjectStoreExt};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::commit::cut::{Cut, DataFile, Move};
use crate::error::{Error, Result};
use crate::lake::Lake;
use crate::partition::{PROPERTY, Partitioning};
use crate::path::{TablePath, escape, unescape};
use crate::record::TopicId;
use crate::seal;

/// Our fields in `commitInfo`, beside those that Delta knows.
pub(crate) const ID: &str = "eddyId";
pub(crate) const OPERATION: &str = "eddyOperation";
pub(crate) const MOVES: &str = "eddyMoves";

/// What one commit did.
#[derive(Debug, Clone, Default)]
pub(crate) struct Actions {
    /// The id of the payload that occupies the version, if it is one of ours (P9).
    pub(crate) id: Option<Uuid>,
    pub(crate) operation: Option<String>,
    pub(crate) timestamp_ms: Option<i64>,
    pub(crate) moved: Vec<MovedRange>,
    pub(crate) txns: Vec<(String, i64)>,
    pub(crate) metadata: Option<Metadata>,
    /// Reader and writer version.
    pub(crate) protocol: Option<(i64, i64)>,
    pub(crate) adds: Vec<DataFile>,
    pub(crate) removes: Vec<Removed>,
}

/// A file that stopped being part of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Removed {
    pub(crate) path: String,
    pub(crate) data_change: bool,
}

/// The range of offsets that a commit took of one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MovedRange {
    /// The topic's id.
    pub topic_id: TopicId,
    /// The Kafka partition.
    pub partition: i32,
    /// The position before; `None` for a partition's base.
    pub from: Option<i64>,
    /// The position after.
    pub to: i64,
    /// The epoch of both.
    pub epoch: i64,
}

/// A table's metadata action, as much as Eddy needs of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Metadata {
    pub(crate) schema: String,
    pub(crate) partition_columns: Vec<String>,
    pub(crate) configuration: BTreeMap<String, String>,
}

impl Metadata {
    /// The id of the key with which the table's files are written; `None`: in plain.
    pub(crate) fn key_id(&self) -> Option<&str> {
        self.configuration.get(seal::PROPERTY).map(String::as_str)
    }

    /// How the table is partitioned.
    ///
    /// # Errors
    /// `Invalid` when its partition columns aren't those that it was made with, or when Eddy did
    /// not make it; `Data` when a newer version of Eddy did.
    pub(crate) fn partitioning(&self, table: &TablePath) -> Result<Partitioning> {
        let property = self.configuration.get(PROPERTY);
        let partitioning = Partitioning::of_property(property.map(String::as_str))?;
        if partitioning.columns() == self.partition_columns {
            return Ok(partitioning);
        }
        Err(Error::invalid(format!(
            "table `{}` has the partition columns `{}`, and was made by Eddy with `{}`: they are \
             fixed, so it was made or changed by something else",
            table.topic(),
            self.partition_columns.join("`, `"),
            partitioning.columns().join("`, `")
        )))
    }
}

/// The bytes of a version's commit file; `None` when there is none.
///
/// # Errors
/// `Unavailable` when the store does not answer.
pub(crate) fn read(lake: &Lake, table: &TablePath, version: u64) -> Result<Option<Bytes>> {
    let store = Arc::clone(lake.store());
    let location = table.commit(version);
    let read = lake.wait(async move { store.get(&location).await?.bytes().await })?;
    match read {
        Ok(bytes) => Ok(Some(bytes)),
        Err(StoreError::NotFound { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

impl Actions {
    /// Takes a commit file apart.
    ///
    /// # Errors
    /// `Data` when a line is not an action.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self> {
        let mut actions = Self::default();
        for line in bytes
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
        {
            let value: Value = serde_json::from_slice(line).map_err(|error| {
                Error::data("a line of the table's log is not JSON").with_source(error)
            })?;
            if let Some(object) = value.as_object() {
                for (name, action) in object {
                    actions.take(name, action);
                }
            }
        }
        Ok(actions)
    }

    fn take(&mut self, name: &str, action: &Value) {
        let number = |key: &str| action.get(key).and_then(Value::as_i64);
        match name {
            "commitInfo" => {
                self.id = text(action, ID).and_then(|id| id.parse().ok());
                self.operation = text(action, OPERATION).or_else(|| text(action, "operation"));
                self.timestamp_ms = number("timestamp");
                self.moved = text(action, MOVES)
                    .map(|moves| read_moves(&moves))
                    .unwrap_or_default();
            }
            "txn" => {
                if let (Some(app_id), Some(version)) = (text(action, "appId"), number("version")) {
                    self.txns.push((app_id, version));
                }
            }
            "protocol" => {
                let reader = number("minReaderVersion").unwrap_or(i64::MAX);
                self.protocol = Some((reader, number("minWriterVersion").unwrap_or(i64::MAX)));
            }
            "metaData" => self.metadata = read_metadata(action),
            "add" => self.adds.extend(read_add(action)),
            "remove" => self.removes.extend(text(action, "path").map(|path| {
                Removed {
                    path: unescape(&path),
                    data_change: action
                        .get("dataChange")
                        .and_then(Value::as_bool)
                        .unwrap_or(true),
                }
            })),
            _ => {}
        }
    }
}

/// The lines of a cut's files, those that leave the table first.
pub(crate) fn file_lines(cut: &Cut, now_ms: i64) -> Vec<u8> {
    let mut lines = Vec::new();
    let data_change = cut
        .rewrite
        .as_ref()
        .is_none_or(|rewrite| rewrite.data_change);
    for file in cut.rewrite.iter().flat_map(|rewrite| &rewrite.removes) {
        let remove = json!({
            "path": escape(&file.path),
            "deletionTimestamp": now_ms,
            "dataChange": data_change,
            "extendedFileMetadata": true,
            "partitionValues": file.partition_values,
            "size": file.size,
        });
        lines.extend_from_slice(json!({"remove": remove}).to_string().as_bytes());
        lines.push(b'\n');
    }
    for file in &cut.files {
        let mut add = json!({
            "path": escape(&file.path),
            "partitionValues": file.partition_values,
            "size": file.size,
            "modificationTime": file.modified_ms,
            "dataChange": data_change,
        });
        if !file.stats_json.is_empty()
            && let Some(add) = add.as_object_mut()
        {
            add.insert("stats".to_owned(), file.stats_json.clone().into());
        }
        lines.extend_from_slice(json!({"add": add}).to_string().as_bytes());
        lines.push(b'\n');
    }
    lines
}

/// The text of `eddyMoves`.
pub(crate) fn moves_text(moves: &[Move]) -> String {
    let moves: Vec<Value> = moves
        .iter()
        .map(|moved| {
            json!({
                "topicId": moved.topic_id.as_str(),
                "partition": moved.partition,
                "from": moved.from.map(|from| from.offset),
                "to": moved.to,
                "epoch": moved.target().epoch,
            })
        })
        .collect();
    Value::Array(moves).to_string()
}

/// The file that an `add` names, its rows taken from its statistics.
pub(crate) fn data_file(
    path: &str,
    size: i64,
    modified_ms: i64,
    partition_values: BTreeMap<String, Option<String>>,
    stats_json: Option<String>,
) -> DataFile {
    let stats_json = stats_json.unwrap_or_default();
    DataFile {
        path: unescape(path),
        size: u64::try_from(size).unwrap_or(0),
        modified_ms,
        partition_values,
        rows: rows(&stats_json).unwrap_or(0),
        stats_json,
    }
}

fn rows(stats_json: &str) -> Option<u64> {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Counted {
        num_records: u64,
    }
    serde_json::from_str::<Counted>(stats_json)
        .ok()
        .map(|stats| stats.num_records)
}

fn text(action: &Value, key: &str) -> Option<String> {
    action.get(key).and_then(Value::as_str).map(str::to_owned)
}

fn read_add(action: &Value) -> Option<DataFile> {
    let partition_values = action
        .get("partitionValues")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .map(|(key, value)| (key.clone(), value.as_str().map(str::to_owned)))
        .collect();
    Some(data_file(
        action.get("path")?.as_str()?,
        action.get("size")?.as_i64()?,
        action
            .get("modificationTime")
            .and_then(Value::as_i64)
            .unwrap_or(0),
        partition_values,
        text(action, "stats"),
    ))
}

fn read_metadata(action: &Value) -> Option<Metadata> {
    let columns = action.get("partitionColumns").and_then(Value::as_array);
    let configuration = action.get("configuration").and_then(Value::as_object);
    Some(Metadata {
        schema: text(action, "schemaString")?,
        partition_columns: columns
            .into_iter()
            .flatten()
            .filter_map(|column| column.as_str().map(str::to_owned))
            .collect(),
        configuration: configuration
            .into_iter()
            .flatten()
            .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
            .collect(),
    })
}

fn read_moves(text: &str) -> Vec<MovedRange> {
    let read = |value: &Value| {
        Some(MovedRange {
            topic_id: TopicId::new(value.get("topicId")?.as_str()?),
            partition: i32::try_from(value.get("partition")?.as_i64()?).ok()?,
            from: value.get("from").and_then(Value::as_i64),
            to: value.get("to")?.as_i64()?,
            epoch: value.get("epoch")?.as_i64()?,
        })
    };
    let values: Vec<Value> = serde_json::from_str(text).unwrap_or_default();
    values.iter().filter_map(read).collect()
}
