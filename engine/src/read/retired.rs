//! The offsets whose rows left a table for good by a stated policy, as recorded before they did
//! (P5, E1).
//!
//! A record is an object of the table's own, made once, before the commit that removes the files
//! that it names. Whether that commit landed is seen by the files: what is still live is not
//! retired.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use futures::TryStreamExt;
use object_store::{ObjectStoreExt, PutMode, PutPayload};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::commit::DataFile;
use crate::error::{Error, Result};
use crate::lake::Lake;
use crate::path::{TablePath, retired_object, retired_objects};
use crate::read::Snapshot;
use crate::read::accounts::accounts_of;
use crate::record::TopicId;

/// The offsets of each partition that are retired, as half-open ranges in order.
pub type RetiredRanges = BTreeMap<(TopicId, i32), Vec<(i64, i64)>>;

/// What left the table, as of `snapshot`.
///
/// # Errors
/// `Unavailable`; `Data` for a record that can't be read.
pub async fn retired(lake: &Lake, table: &TablePath, snapshot: &Snapshot) -> Result<RetiredRanges> {
    let folder = retired_objects(lake.root(), table);
    let objects: Vec<_> = lake.store().list(Some(&folder)).try_collect().await?;
    let live: BTreeSet<&str> = snapshot
        .files
        .iter()
        .map(|file| file.path.as_str())
        .collect();
    let mut found = RetiredRanges::new();
    for object in objects {
        let bytes = lake.store().get(&object.location).await?.bytes().await?;
        let record: Record = serde_json::from_slice(&bytes).map_err(|error| {
            Error::data(format!("`{}` can't be read", object.location)).with_source(error)
        })?;
        let gone = record.files.into_iter();
        for file in gone.filter(|file| !live.contains(file.path.as_str())) {
            for partition in file.partitions {
                let key = (TopicId::new(partition.topic_id), partition.partition);
                found.entry(key).or_default().extend(partition.ranges);
            }
        }
    }
    found.values_mut().for_each(join);
    Ok(found)
}

/// Records that the rows of `files` are about to leave the table with the commit `id`. Reads who
/// the rows are.
///
/// # Errors
/// `Unavailable`; `NotFound` or `Data` when a file can't be read.
pub(crate) fn record(
    lake: &Lake,
    table: &TablePath,
    id: Uuid,
    files: &[Arc<DataFile>],
) -> Result<()> {
    let mut gone = Vec::with_capacity(files.len());
    for file in files {
        let (of, from, one) = (lake.clone(), table.clone(), [Arc::clone(file)]);
        let accounts = lake.wait(async move { accounts_of(&of, &from, &one).await })??;
        let partitions = accounts
            .into_iter()
            .map(|((topic_id, partition), account)| Partition {
                topic_id: topic_id.to_string(),
                partition,
                ranges: account.ranges,
            });
        gone.push(File {
            path: file.path.clone(),
            partitions: partitions.collect(),
        });
    }
    let record = Record {
        at_us: lake.clock().now_us(),
        reason: "retention".to_owned(),
        files: gone,
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

fn join(ranges: &mut Vec<(i64, i64)>) {
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

#[derive(Serialize, Deserialize)]
struct Record {
    at_us: i64,
    reason: String,
    files: Vec<File>,
}

#[derive(Serialize, Deserialize)]
struct File {
    path: String,
    partitions: Vec<Partition>,
}

#[derive(Serialize, Deserialize)]
struct Partition {
    topic_id: String,
    partition: i32,
    ranges: Vec<(i64, i64)>,
}
