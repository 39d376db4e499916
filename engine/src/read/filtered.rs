//! The offsets that a filter passed over, as recorded before the commit that moved past them (P5,
//! E1).
//!
//! A record is an object of the table's own, made once and named by the commit. One whose commit
//! never landed says nothing: what it names was read again, and accounted by another.

use std::collections::{BTreeMap, BTreeSet};

use futures::TryStreamExt;
use object_store::{Error as StoreError, ObjectStoreExt};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::commit::Version;
use crate::error::{Error, Result};
use crate::lake::Lake;
use crate::path::{TablePath, filtered_object, filtered_objects};
use crate::read::altered::{self, Alterations};
use crate::read::once;
use crate::read::retired::join;
use crate::record::TopicId;

/// The offsets of each partition that were filtered, as half-open ranges in order.
pub type FilteredRanges = BTreeMap<(TopicId, i32), Vec<(i64, i64)>>;

/// What filters passed over, by the commits that `history` has. Commits that are older than it are
/// taken to have landed. What a rewind took back since is left out.
///
/// # Errors
/// `Unavailable`; `Data` for a record that can't be read.
pub async fn filtered(
    lake: &Lake,
    table: &TablePath,
    history: &[Version],
    alterations: &Alterations,
) -> Result<FilteredRanges> {
    let landed: BTreeSet<Uuid> = history.iter().filter_map(|version| version.id).collect();
    let complete = history.last().is_none_or(|oldest| oldest.version == 0);
    let oldest_ms = history
        .iter()
        .filter_map(|version| version.timestamp_ms)
        .min();
    let mut found = FilteredRanges::new();
    for one in kept(lake, table).await? {
        let before = !complete && oldest_ms.is_some_and(|oldest| one.at_us / 1_000 < oldest);
        if one.landed || before || landed.contains(&one.id) {
            for ((key, epoch), ranges) in one.ranges {
                let kept = altered::keep(alterations, &key, epoch, ranges);
                found.entry(key).or_default().extend(kept);
            }
        }
    }
    found.values_mut().for_each(join);
    Ok(found)
}

/// What a commit passes over in one partition.
#[derive(Debug)]
pub(crate) struct Passed {
    pub(crate) partition: i32,
    /// That of the commit's position.
    pub(crate) epoch: i64,
    pub(crate) ranges: Vec<(i64, i64)>,
}

/// Records what the commit `id` is about to pass over. Again with the same id is the same record.
///
/// # Errors
/// `Unavailable`.
pub(crate) fn record(
    lake: &Lake,
    table: &TablePath,
    id: Uuid,
    topic_id: &TopicId,
    passed: &[Passed],
) -> Result<()> {
    let partitions = passed
        .iter()
        .map(|one| Partition::new(topic_id.as_str(), one.partition, one.epoch, &one.ranges));
    let record = Record {
        at_us: lake.clock().now_us(),
        landed: false,
        partitions: partitions.collect(),
    };
    put(lake, table, id, &record)
}

/// Records in one what several records say, whose commits have landed.
///
/// # Errors
/// `Unavailable`.
pub(crate) fn record_landed(lake: &Lake, table: &TablePath, settled: &[Kept]) -> Result<()> {
    let mut all = ByEpoch::new();
    for (key, ranges) in settled.iter().flat_map(|one| &one.ranges) {
        all.entry(key.clone()).or_default().extend(ranges);
    }
    all.values_mut().for_each(join);
    let partitions = all.iter().map(|(((topic_id, partition), epoch), ranges)| {
        Partition::new(topic_id.as_str(), *partition, *epoch, ranges)
    });
    let record = Record {
        at_us: lake.clock().now_us(),
        landed: true,
        partitions: partitions.collect(),
    };
    put(lake, table, lake.clock().new_id(), &record)
}

/// Takes records back whose ranges another has, or whose commits never landed.
///
/// # Errors
/// `Unavailable`.
pub(crate) fn remove(lake: &Lake, table: &TablePath, ids: &[Uuid]) -> Result<()> {
    for id in ids {
        let store = lake.store().clone();
        let path = filtered_object(lake.root(), table, *id);
        match lake.wait(async move { store.delete(&path).await })? {
            // Another keeper was quicker.
            Ok(()) | Err(StoreError::NotFound { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn put(lake: &Lake, table: &TablePath, id: Uuid, record: &Record) -> Result<()> {
    let text = serde_json::to_vec(record)
        .map_err(|error| Error::internal("a record can't be written").with_source(error))?;
    once::put(lake, filtered_object(lake.root(), table, id), text)
}

/// One record, as it is kept.
#[derive(Debug)]
pub(crate) struct Kept {
    /// Its commit's, or its own where it stands for several.
    pub(crate) id: Uuid,
    pub(crate) at_us: i64,
    /// It stands for commits that have landed.
    pub(crate) landed: bool,
    ranges: ByEpoch,
}

/// The offsets of each partition that were filtered in each of its epochs.
type ByEpoch = BTreeMap<((TopicId, i32), i64), Vec<(i64, i64)>>;

/// How often the records are listed anew because one went before it was read.
const LOOKS: u32 = 5;

/// Every record of the table.
///
/// # Errors
/// `Unavailable`; `Data` for one that can't be read.
pub(crate) async fn kept(lake: &Lake, table: &TablePath) -> Result<Vec<Kept>> {
    for _ in 0..LOOKS {
        if let Some(kept) = look(lake, table).await? {
            return Ok(kept);
        }
    }
    Err(Error::unavailable(
        "the records of what was filtered change all the while; call again",
    ))
}

async fn look(lake: &Lake, table: &TablePath) -> Result<Option<Vec<Kept>>> {
    let folder = filtered_objects(lake.root(), table);
    let objects: Vec<_> = lake.store().list(Some(&folder)).try_collect().await?;
    let mut kept = Vec::with_capacity(objects.len());
    for object in objects {
        let broken = || Error::data(format!("`{}` can't be read", object.location));
        let name = object.location.filename();
        let id = name.and_then(|name| name.strip_suffix(".json")?.parse().ok());
        let id = id.ok_or_else(broken)?;
        let bytes = match lake.store().get(&object.location).await {
            Ok(found) => found.bytes().await?,
            // One that stands for it and others was made, and this one went.
            Err(StoreError::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let record: Record =
            serde_json::from_slice(&bytes).map_err(|error| broken().with_source(error))?;
        let ranges = record.partitions.into_iter().map(|partition| {
            let ranges = partition.ranges();
            let key = (TopicId::new(partition.topic_id), partition.partition);
            ((key, partition.epoch), ranges)
        });
        kept.push(Kept {
            id,
            at_us: record.at_us,
            landed: record.landed,
            ranges: ranges.collect(),
        });
    }
    Ok(Some(kept))
}

/// What one commit passed over.
#[derive(Debug, Serialize, Deserialize)]
struct Record {
    at_us: i64,
    /// It stands for several, whose commits have landed.
    #[serde(default)]
    landed: bool,
    partitions: Vec<Partition>,
}

/// Ranges as numbers that stay small where every other record is filtered.
#[derive(Debug, Serialize, Deserialize)]
struct Partition {
    topic_id: String,
    partition: i32,
    /// That of the commit: what is filtered may be taken back (P5).
    #[serde(default)]
    epoch: i64,
    start: i64,
    /// From the start on, in turns: how many offsets were filtered, how many weren't.
    runs: Vec<i64>,
}

impl Partition {
    fn new(topic_id: &str, partition: i32, epoch: i64, ranges: &[(i64, i64)]) -> Self {
        let start = ranges.first().map_or(0, |(from, _)| *from);
        let mut runs = Vec::with_capacity(ranges.len() * 2);
        let mut end = start;
        for (from, to) in ranges {
            if *from > end {
                runs.push(from - end);
            }
            runs.push(to - from);
            end = *to;
        }
        Self {
            topic_id: topic_id.to_owned(),
            partition,
            epoch,
            start,
            runs,
        }
    }

    fn ranges(&self) -> Vec<(i64, i64)> {
        let mut ranges = Vec::with_capacity(self.runs.len() / 2 + 1);
        let mut at = self.start;
        for (turn, length) in self.runs.iter().enumerate() {
            let end = at.saturating_add(*length);
            if turn % 2 == 0 {
                ranges.push((at, end));
            }
            at = end;
        }
        ranges
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_come_back_from_their_runs() {
        for ranges in [
            &[][..],
            &[(5, 6)],
            &[(0, 1), (2, 3), (4, 9)],
            &[(7, 9), (100, 101)],
        ] {
            assert_eq!(Partition::new("t", 0, 0, ranges).ranges(), ranges);
        }
    }
}
