//! The offsets of a commit that are no rows of the table, as recorded before it moved past them
//! (P5, E1): those that a filter passed over, and those that are stored beside the table, in
//! objects of a format that its readers don't know (`crate::flat`).
//!
//! A record is an object of the table's own, made once and named by the commit. One whose commit
//! never landed says nothing: what it names was read again, and accounted by another.

use std::collections::{BTreeMap, BTreeSet};

use object_store::path::Path;
use object_store::{Error as StoreError, ObjectStoreExt};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::commit::{DataFile, Version};
use crate::error::{Error, Result};
use crate::lake::Lake;
use crate::path::{TablePath, filtered_object, filtered_objects, stored_object, stored_objects};
use crate::read::accounts::Account;
use crate::read::altered::{self, Alterations};
use crate::read::folded::is_folded;
use crate::read::retired::join;
use crate::read::runs::Partition;
use crate::record::TopicId;
use crate::state::once;

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
    let mut found = FilteredRanges::new();
    for one in landed(lake, table, Kind::Filtered, history).await? {
        for ((key, epoch), ranges) in one.ranges {
            let kept = altered::keep(alterations, &key, epoch, ranges);
            found.entry(key).or_default().extend(kept);
        }
    }
    found.values_mut().for_each(join);
    Ok(found)
}

/// What is stored beside the table, by the commits that `history` has; as [`filtered`]. Dead
/// letters are in no object, but they are accounted. No rewind takes such rows back.
///
/// # Errors
/// As [`filtered`].
pub async fn stored(
    lake: &Lake,
    table: &TablePath,
    history: &[Version],
) -> Result<BTreeMap<(TopicId, i32), Account>> {
    let mut found: BTreeMap<(TopicId, i32), Account> = BTreeMap::new();
    let all = landed(lake, table, Kind::Stored, history).await?;
    for (at, one) in all.iter().enumerate() {
        if is_folded(&all, at) {
            continue;
        }
        for ((key, _), ranges) in &one.ranges {
            found.entry(key.clone()).or_default().store(ranges, 0);
        }
        for ((key, _), ranges) in &one.dead {
            let dead = ranges.iter().map(|(from, to)| to.abs_diff(*from)).sum();
            found.entry(key.clone()).or_default().store(ranges, dead);
        }
    }
    Ok(found)
}

async fn landed(
    lake: &Lake,
    table: &TablePath,
    kind: Kind,
    history: &[Version],
) -> Result<Vec<Kept>> {
    let landed = Landed::of(history);
    let mut kept = kept(lake, table, kind).await?;
    kept.retain(|one| landed.has(one));
    Ok(kept)
}

/// Which records' commits have landed, as far as a log tells.
pub(crate) struct Landed {
    ids: BTreeSet<Uuid>,
    /// What is older was in commits that may have been cleaned away.
    since_ms: i64,
}

impl Landed {
    /// By the newest versions of a log, newest first.
    pub(crate) fn of(history: &[Version]) -> Self {
        let complete = history.last().is_none_or(|oldest| oldest.version == 0);
        let oldest_ms = history
            .iter()
            .filter_map(|version| version.timestamp_ms)
            .min();
        Self {
            ids: history.iter().filter_map(|version| version.id).collect(),
            since_ms: oldest_ms.filter(|_| !complete).unwrap_or(i64::MIN),
        }
    }

    /// Whether the record's commit has landed. Of a record that is older than what is left of the
    /// log nobody can tell any more: it counts as landed, whoever asks.
    pub(crate) fn has(&self, one: &Kept) -> bool {
        one.landed || one.at_us / 1_000 < self.since_ms || self.ids.contains(&one.id)
    }
}

/// What a record tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Offsets that a filter passed over.
    Filtered,
    /// Offsets that are stored beside the table.
    Stored,
}

impl Kind {
    /// Every kind.
    pub(crate) const ALL: [Self; 2] = [Self::Filtered, Self::Stored];

    fn folder(self, lake: &Lake, table: &TablePath) -> Path {
        match self {
            Self::Filtered => filtered_objects(lake.root(), table),
            Self::Stored => stored_objects(lake.root(), table),
        }
    }

    fn object(self, lake: &Lake, table: &TablePath, id: Uuid) -> Path {
        match self {
            Self::Filtered => filtered_object(lake.root(), table, id),
            Self::Stored => stored_object(lake.root(), table, id),
        }
    }
}

/// Ranges of offsets by partition.
pub(crate) type Ranges = Vec<(i32, Vec<(i64, i64)>)>;

/// What a commit comes with beside the table's files.
#[derive(Debug, Default)]
pub(crate) struct Beside {
    /// Offsets that are records of `objects`.
    pub(crate) stored: Ranges,
    /// Offsets whose records no such object can hold.
    pub(crate) dead: Ranges,
    /// The objects.
    pub(crate) objects: Vec<DataFile>,
    /// Objects of the keys and headers of the same records, or of files'.
    pub(crate) sides: Vec<DataFile>,
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
        partitions: partitions.collect(),
        ..Record::default()
    };
    put(lake, table, Kind::Filtered, id, &record)
}

/// Records what the commit `id` is about to come with. Again with the same id is the same record.
///
/// # Errors
/// `Unavailable`.
pub(crate) fn record_stored(
    lake: &Lake,
    table: &TablePath,
    id: Uuid,
    topic_id: &TopicId,
    beside: &Beside,
) -> Result<()> {
    let objects = beside
        .objects
        .iter()
        .chain(&beside.sides)
        .map(|object| Object {
            path: object.path.clone(),
            size: object.size,
            rows: object.rows,
        });
    let record = Record {
        at_us: lake.clock().now_us(),
        partitions: partitions(topic_id, &beside.stored),
        dead: partitions(topic_id, &beside.dead),
        objects: objects.collect(),
        ..Record::default()
    };
    put(lake, table, Kind::Stored, id, &record)
}

fn partitions(topic_id: &TopicId, ranges: &[(i32, Vec<(i64, i64)>)]) -> Vec<Partition> {
    let ranges = ranges.iter();
    ranges
        .map(|(partition, ranges)| Partition::new(topic_id.as_str(), *partition, 0, ranges))
        .collect()
}

/// Records in one what several records say, whose commits have landed.
///
/// # Errors
/// `Unavailable`.
pub(crate) fn record_landed(
    lake: &Lake,
    table: &TablePath,
    kind: Kind,
    settled: &[Kept],
) -> Result<()> {
    let record = Record {
        at_us: lake.clock().now_us(),
        landed: true,
        partitions: joined(settled.iter().flat_map(|one| &one.ranges)),
        dead: joined(settled.iter().flat_map(|one| &one.dead)),
        // Their names say what they hold; a list of all of them would grow for ever.
        objects: Vec::new(),
    };
    put(lake, table, kind, lake.clock().new_id(), &record)
}

fn joined<'a>(
    ranges: impl Iterator<Item = (&'a ((TopicId, i32), i64), &'a Vec<(i64, i64)>)>,
) -> Vec<Partition> {
    let mut all = ByEpoch::new();
    for (key, ranges) in ranges {
        all.entry(key.clone()).or_default().extend(ranges);
    }
    all.values_mut().for_each(join);
    let partitions = all.iter().map(|(((topic_id, partition), epoch), ranges)| {
        Partition::new(topic_id.as_str(), *partition, *epoch, ranges)
    });
    partitions.collect()
}

/// Takes records back whose ranges another has, or whose commits never landed.
///
/// # Errors
/// `Unavailable`.
pub(crate) fn remove(lake: &Lake, table: &TablePath, kind: Kind, ids: &[Uuid]) -> Result<()> {
    for id in ids {
        let store = lake.store().clone();
        let path = kind.object(lake, table, *id);
        match lake.wait(async move { store.delete(&path).await })? {
            // Another keeper was quicker.
            Ok(()) | Err(StoreError::NotFound { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn put(lake: &Lake, table: &TablePath, kind: Kind, id: Uuid, record: &Record) -> Result<()> {
    let text = serde_json::to_vec(record)
        .map_err(|error| Error::internal("a record can't be written").with_source(error))?;
    once::put(lake, kind.object(lake, table, id), text)
}

/// One record, as it is kept.
#[derive(Debug)]
pub(crate) struct Kept {
    /// Its commit's, or its own where it stands for several.
    pub(crate) id: Uuid,
    pub(crate) at_us: i64,
    /// It stands for commits that have landed.
    pub(crate) landed: bool,
    pub(super) ranges: ByEpoch,
    pub(super) dead: ByEpoch,
    /// The objects that the commit came with: path and size.
    #[cfg_attr(
        not(any(test, feature = "testing")),
        expect(dead_code, reason = "only the invariants look at them")
    )]
    pub(crate) objects: Vec<(String, u64)>,
}

/// Offsets of each partition, by its epochs.
pub(super) type ByEpoch = BTreeMap<((TopicId, i32), i64), Vec<(i64, i64)>>;

/// How often the records are listed anew because one went before it was read.
const LOOKS: u32 = 5;

/// Every record of the table.
///
/// # Errors
/// `Unavailable`; `Data` for one that can't be read.
pub(crate) async fn kept(lake: &Lake, table: &TablePath, kind: Kind) -> Result<Vec<Kept>> {
    for _ in 0..LOOKS {
        if let Some(kept) = look(lake, table, kind).await? {
            return Ok(kept);
        }
    }
    Err(Error::unavailable(
        "the records of what is no row change all the while; call again",
    ))
}

async fn look(lake: &Lake, table: &TablePath, kind: Kind) -> Result<Option<Vec<Kept>>> {
    let folder = kind.folder(lake, table);
    let store = lake.store();
    let objects = store.list_with_delimiter(Some(&folder)).await?.objects;
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
        let objects = record.objects.into_iter();
        kept.push(Kept {
            id,
            at_us: record.at_us,
            landed: record.landed,
            ranges: by_partition(record.partitions),
            dead: by_partition(record.dead),
            objects: objects.map(|object| (object.path, object.size)).collect(),
        });
    }
    Ok(Some(kept))
}

fn by_partition(partitions: Vec<Partition>) -> ByEpoch {
    let ranges = partitions.into_iter().map(|partition| {
        let ranges = partition.ranges();
        let key = (TopicId::new(partition.topic_id), partition.partition);
        ((key, partition.epoch), ranges)
    });
    ranges.collect()
}

/// What one commit passed over, or came with.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Record {
    at_us: i64,
    /// It stands for several, whose commits have landed.
    #[serde(default)]
    landed: bool,
    partitions: Vec<Partition>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    dead: Vec<Partition>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    objects: Vec<Object>,
}

/// An object beside the table.
#[derive(Debug, Serialize, Deserialize)]
struct Object {
    path: String,
    size: u64,
    rows: u64,
}
