//! The offsets whose rows left a table for good by a stated policy, as recorded before they did
//! (P5, E1).
//!
//! A record is an object of the table's own, made once, before the commit that removes the files
//! that it names. Whether that commit landed is seen by the files: what is still live is not
//! retired.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use object_store::{ObjectStoreExt, PutMode, PutPayload};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::commit::DataFile;
use crate::error::{Error, Result};
use crate::lake::Lake;
use crate::path::{TablePath, retired_object, retired_objects};
use crate::read::Snapshot;
use crate::read::accounts::accounts_of;
use crate::read::altered::{alterations, keep};
use crate::record::TopicId;

/// The offsets of each partition that are retired, as half-open ranges in order.
pub type RetiredRanges = BTreeMap<(TopicId, i32), Vec<(i64, i64)>>;

/// What left the table, as of `snapshot`, and was not taken back by a rewind since.
///
/// # Errors
/// `Unavailable`; `Data` for a record that can't be read.
pub async fn retired(lake: &Lake, table: &TablePath, snapshot: &Snapshot) -> Result<RetiredRanges> {
    let live: BTreeSet<&str> = snapshot
        .files
        .iter()
        .map(|file| file.path.as_str())
        .collect();
    let alterations = alterations(lake, table, snapshot).await?;
    let mut found = RetiredRanges::new();
    for (_, record) in records(lake, table).await? {
        let gone = record.files.into_iter();
        for file in gone.filter(|file| !live.contains(file.path.as_str())) {
            for partition in file.partitions {
                let key = (TopicId::new(partition.topic_id), partition.partition);
                let kept = keep(&alterations, &key, partition.epoch, partition.ranges);
                found.entry(key).or_default().extend(kept);
            }
        }
    }
    found.values_mut().for_each(join);
    Ok(found)
}

/// Every record of the table with the id of its commit.
///
/// # Errors
/// As [`retired`].
pub(crate) async fn records(lake: &Lake, table: &TablePath) -> Result<Vec<(Uuid, Record)>> {
    let folder = retired_objects(lake.root(), table);
    let store = lake.store();
    let objects = store.list_with_delimiter(Some(&folder)).await?.objects;
    let mut records = Vec::new();
    for object in objects {
        let broken = || Error::data(format!("`{}` can't be read", object.location));
        let id = object
            .location
            .filename()
            .and_then(|name| name.strip_suffix(".json"));
        let id = id.and_then(|id| id.parse().ok()).ok_or_else(broken)?;
        let bytes = lake.store().get(&object.location).await?.bytes().await?;
        let record = serde_json::from_slice(&bytes);
        records.push((id, record.map_err(|error| broken().with_source(error))?));
    }
    Ok(records)
}

/// All rows of `files`.
///
/// # Errors
/// `Unavailable`; `NotFound` or `Data` when a file can't be read.
pub(crate) fn rows_of(
    lake: &Lake,
    table: &TablePath,
    files: &[Arc<DataFile>],
) -> Result<Vec<Gone>> {
    let mut gone = Vec::with_capacity(files.len());
    for file in files {
        let (of, from, one) = (lake.clone(), table.clone(), [Arc::clone(file)]);
        let accounts = lake.wait(async move { accounts_of(&of, &from, &one).await })??;
        let ranges = accounts
            .into_iter()
            .map(|(key, account)| (key, account.ranges));
        gone.push(Gone {
            path: file.path.clone(),
            ranges: ranges.collect(),
        });
    }
    Ok(gone)
}

/// Records that rows are about to leave the table with the commit `id`, and why. They were read in
/// `snapshot`.
///
/// # Errors
/// `Unavailable`.
pub(crate) fn record(
    lake: &Lake,
    table: &TablePath,
    id: Uuid,
    reason: &str,
    gone: Vec<Gone>,
    snapshot: &Snapshot,
) -> Result<()> {
    let files = gone.into_iter().map(|gone| File::of(gone, snapshot));
    let record = Record {
        at_us: lake.clock().now_us(),
        reason: reason.to_owned(),
        files: files.collect(),
    };
    let text = serde_json::to_vec(&record)
        .map_err(|error| Error::internal("a record can't be written").with_source(error))?;
    let (store, path) = (
        Arc::clone(lake.store()),
        retired_object(lake.root(), table, id),
    );
    let body = PutPayload::from_bytes(Bytes::from(text));
    lake.wait(async move { store.put_opts(&path, body, PutMode::Create.into()).await })??;
    Ok(())
}

/// Takes the record of the commit `id` back, which is known not to have landed: its files are still
/// the table's, and may leave it later for another reason.
///
/// # Errors
/// `Unavailable`.
pub(crate) fn withdraw(lake: &Lake, table: &TablePath, id: Uuid) -> Result<()> {
    let (store, path) = (
        Arc::clone(lake.store()),
        retired_object(lake.root(), table, id),
    );
    lake.wait(async move { store.delete(&path).await })??;
    Ok(())
}

/// Rows of one file that are about to leave the table.
#[derive(Debug, Default)]
pub(crate) struct Gone {
    path: String,
    ranges: RetiredRanges,
}

impl Gone {
    /// None yet, of the file `path`.
    pub(crate) fn new(path: &str) -> Self {
        Self {
            path: path.to_owned(),
            ranges: RetiredRanges::new(),
        }
    }

    /// One row.
    pub(crate) fn add(&mut self, topic_id: &str, partition: i32, offset: i64) {
        let key = (TopicId::new(topic_id), partition);
        let ranges = self.ranges.entry(key).or_default();
        match ranges.last_mut() {
            Some((_, end)) if *end == offset => *end += 1,
            _ => ranges.push((offset, offset + 1)),
        }
    }
}

pub(super) fn join(ranges: &mut Vec<(i64, i64)>) {
    ranges.sort_unstable();
    let mut joined: Vec<(i64, i64)> = Vec::with_capacity(ranges.len());
    for (from, to) in ranges.drain(..) {
        match joined.last_mut() {
            Some((_, end)) if from <= *end => *end = to.max(*end),
            _ => joined.push((from, to)),
        }
    }
    *ranges = joined;
}

/// What left with one commit.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Record {
    at_us: i64,
    /// The policy.
    pub(crate) reason: String,
    files: Vec<File>,
}

/// How many rows `records` tell of, each offset once: a commit that didn't land is recorded like
/// the one that came in its place.
pub(crate) fn rows(records: &[Record]) -> u64 {
    let mut found = RetiredRanges::new();
    let files = records.iter().flat_map(|record| &record.files);
    for partition in files.flat_map(|file| &file.partitions) {
        let topic_id = TopicId::new(partition.topic_id.as_str());
        let ranges = found.entry((topic_id, partition.partition)).or_default();
        ranges.extend(&partition.ranges);
    }
    found.values_mut().for_each(join);
    let rows = found.values().flatten().map(|(from, to)| to - from);
    u64::try_from(rows.sum::<i64>()).unwrap_or(0)
}

impl Record {
    /// The files that they were in.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &str> {
        self.files.iter().map(|file| file.path.as_str())
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct File {
    path: String,
    partitions: Vec<Partition>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Partition {
    topic_id: String,
    partition: i32,
    /// That of the position when the rows were read: what left may be taken back (P5).
    #[serde(default)]
    epoch: i64,
    ranges: Vec<(i64, i64)>,
}

impl File {
    fn of(gone: Gone, snapshot: &Snapshot) -> Self {
        let partitions = gone.ranges.into_iter();
        let partitions = partitions.map(|((topic_id, partition), mut ranges)| {
            join(&mut ranges);
            let position = snapshot.position(&topic_id, partition);
            Partition {
                topic_id: topic_id.to_string(),
                partition,
                epoch: position.map_or(0, |position| position.epoch),
                ranges,
            }
        });
        Self {
            path: gone.path,
            partitions: partitions.collect(),
        }
    }
}
