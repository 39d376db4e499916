//! Positions that were altered by hand: what became of them, what was passed over, and what was
//! taken back (P5).
//!
//! A record is an object of the table's own, made once, named by its commit and written before it.
//! The table points at the record of each partition's last alteration (`txn` `.../altered`), so one
//! whose commit never landed says nothing, and what counts is known however old the log is. A
//! record says what the ones before it said, so the last is enough.
//!
//! What other records say of offsets (`filtered`, `retired`) carries the epoch that it was true in:
//! a later rewind took back what lies at or beyond its target.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use object_store::{Error as StoreError, ObjectStoreExt};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::commit::record_number;
use crate::error::{Error, Result};
use crate::lake::Lake;
use crate::path::{TablePath, altered_object, altered_objects};
use crate::read::Snapshot;
use crate::read::retired::join;
use crate::record::{Position, TopicId};
use crate::state::once;

/// The last alteration of each partition that ever had one.
pub type Alterations = BTreeMap<(TopicId, i32), Altered>;

/// What altering a partition's position came to, together with all that came before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Altered {
    /// The position before; `None` where the table had none.
    pub from: Option<i64>,
    /// The position after.
    pub to: i64,
    /// The epoch after.
    pub epoch: i64,
    /// It was put to where a new connector begins, not to an offset that somebody named.
    pub reset: bool,
    /// Why, for people.
    pub reason: String,
    /// The offsets below the position that were passed over, as half-open ranges in order.
    pub skipped: Vec<(i64, i64)>,
    /// Rewinds: the epoch that each began and its target, both rising. What was true in an epoch
    /// before is so below the target alone.
    rewinds: Vec<(i64, i64)>,
}

impl Altered {
    /// The record of a move from `from` to `to`, after what `before` says. Pure.
    pub(crate) fn after(
        before: Option<&Self>,
        from: Option<Position>,
        to: Position,
        reset: bool,
        reason: &str,
    ) -> Self {
        let mut skipped = before.map_or_else(Vec::new, |before| before.skipped.clone());
        let mut rewinds = before.map_or_else(Vec::new, |before| before.rewinds.clone());
        match from.map(|from| from.offset) {
            Some(from) if from < to.offset => skipped.push((from, to.offset)),
            Some(from) if from > to.offset => {
                clip(&mut skipped, to.offset);
                // One that went less far says nothing that this one doesn't.
                rewinds.retain(|(_, target)| *target < to.offset);
                rewinds.push((to.epoch, to.offset));
            }
            _ => {}
        }
        join(&mut skipped);
        Self {
            from: from.map(|from| from.offset),
            to: to.offset,
            epoch: to.epoch,
            reset,
            reason: reason.to_owned(),
            skipped,
            rewinds,
        }
    }

    /// Takes from `ranges`, which were true in `epoch`, what was taken back since. Pure.
    fn keep(&self, epoch: i64, ranges: &mut Vec<(i64, i64)>) {
        let later = self.rewinds.iter().filter(|(began, _)| *began > epoch);
        if let Some(target) = later.map(|(_, target)| *target).min() {
            clip(ranges, target);
        }
    }
}

/// Takes from `ranges` of a partition, which were true in `epoch`, what was taken back since.
pub(crate) fn keep(
    alterations: &Alterations,
    key: &(TopicId, i32),
    epoch: i64,
    mut ranges: Vec<(i64, i64)>,
) -> Vec<(i64, i64)> {
    if let Some(altered) = alterations.get(key) {
        altered.keep(epoch, &mut ranges);
    }
    ranges
}

fn clip(ranges: &mut Vec<(i64, i64)>, end: i64) {
    ranges.retain_mut(|(from, to)| {
        *to = end.min(*to);
        from < to
    });
}

/// The alterations that `snapshot` knows of.
///
/// # Errors
/// `Unavailable`; `Data` for a record that is gone or can't be read.
pub async fn alterations(
    lake: &Lake,
    table: &TablePath,
    snapshot: &Snapshot,
) -> Result<Alterations> {
    let pointed = snapshot.positions.keys();
    let pointed: BTreeMap<&(TopicId, i32), i64> = pointed
        .filter_map(|key| Some((key, snapshot.altered_by(key)?)))
        .collect();
    let mut found = Alterations::new();
    if pointed.is_empty() {
        return Ok(found);
    }
    let numbers: BTreeSet<i64> = pointed.values().copied().collect();
    let folder = altered_objects(lake.root(), table);
    let store = lake.store();
    let objects = store.list_with_delimiter(Some(&folder)).await?.objects;
    let mut records: BTreeMap<i64, Record> = BTreeMap::new();
    for object in objects {
        let name = object.location.filename();
        let id: Option<Uuid> = name.and_then(|name| name.strip_suffix(".json")?.parse().ok());
        let Some(number) = id
            .map(record_number)
            .filter(|number| numbers.contains(number))
        else {
            continue;
        };
        let bytes = lake.store().get(&object.location).await?.bytes().await?;
        let record = serde_json::from_slice(&bytes).map_err(|error| {
            Error::data(format!("`{}` can't be read", object.location)).with_source(error)
        })?;
        records.insert(number, record);
    }
    for (key, number) in pointed {
        let record = records.get(&number);
        let altered = record.and_then(|record| record.of(key)).ok_or_else(|| {
            Error::data(format!(
                "the record of what altered partition `{}` of table `{}` is gone from `{folder}`; \
                 restore it",
                key.1,
                table.topic()
            ))
        })?;
        found.insert(key.clone(), altered);
    }
    Ok(found)
}

/// Records what the commit `id` is about to alter. Again with the same id is the same record.
///
/// # Errors
/// `Unavailable`.
pub(crate) fn record(
    lake: &Lake,
    table: &TablePath,
    id: Uuid,
    alterations: &Alterations,
) -> Result<()> {
    let partitions = alterations.iter().map(|(key, altered)| Partition {
        topic_id: key.0.to_string(),
        partition: key.1,
        from: altered.from,
        to: altered.to,
        epoch: altered.epoch,
        reset: altered.reset,
        reason: altered.reason.clone(),
        skipped: altered.skipped.clone(),
        rewinds: altered.rewinds.clone(),
    });
    let record = Record {
        at_us: lake.clock().now_us(),
        partitions: partitions.collect(),
    };
    let text = serde_json::to_vec(&record)
        .map_err(|error| Error::internal("a record can't be written").with_source(error))?;
    once::put(lake, altered_object(lake.root(), table, id), text)
}

/// Takes the record of the commit `id` back, which is known not to have landed.
///
/// # Errors
/// `Unavailable`.
pub(crate) fn withdraw(lake: &Lake, table: &TablePath, id: Uuid) -> Result<()> {
    let (store, path) = (
        Arc::clone(lake.store()),
        altered_object(lake.root(), table, id),
    );
    match lake.wait(async move { store.delete(&path).await })? {
        Ok(()) | Err(StoreError::NotFound { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// What one commit altered.
#[derive(Debug, Serialize, Deserialize)]
struct Record {
    at_us: i64,
    partitions: Vec<Partition>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Partition {
    topic_id: String,
    partition: i32,
    from: Option<i64>,
    to: i64,
    epoch: i64,
    reset: bool,
    reason: String,
    skipped: Vec<(i64, i64)>,
    rewinds: Vec<(i64, i64)>,
}

impl Record {
    fn of(&self, key: &(TopicId, i32)) -> Option<Altered> {
        let same = |one: &&Partition| one.topic_id == key.0.as_str() && one.partition == key.1;
        let one = self.partitions.iter().find(same)?;
        Some(Altered {
            from: one.from,
            to: one.to,
            epoch: one.epoch,
            reset: one.reset,
            reason: one.reason.clone(),
            skipped: one.skipped.clone(),
            rewinds: one.rewinds.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    fn at(offset: i64, epoch: i64) -> Position {
        Position {
            offset,
            epoch,
            leader_epoch: None,
        }
    }

    #[test]
    fn a_jump_is_skipped_until_a_rewind_takes_it_back() {
        let jump = Altered::after(None, Some(at(10, 0)), at(20, 1), false, "asked");
        assert_eq!(jump.skipped, [(10, 20)]);
        let back = Altered::after(Some(&jump), Some(at(30, 1)), at(15, 2), false, "asked");
        assert_eq!(back.skipped, [(10, 15)]);
        let further = Altered::after(Some(&back), Some(at(15, 2)), at(5, 3), true, "asked");
        assert!(further.skipped.is_empty() && further.reset);
        assert_eq!(
            further.rewinds,
            [(3, 5)],
            "it says all that the one before said"
        );
    }

    proptest! {
        /// What was noted in an epoch counts below the least target of all rewinds since.
        #[test]
        fn p5_what_was_true_before_a_rewind_is_so_below_its_target_alone(
            steps in proptest::collection::vec((0_i64..40, any::<bool>()), 1..20)
        ) {
            let mut last: Option<Altered> = None;
            let mut position = at(20, 0);
            // Each range with the epoch that it was noted in, and those targets that came later.
            let mut noted: Vec<(i64, i64)> = Vec::new();
            for (target, moves) in steps {
                noted.push((position.epoch, i64::MAX));
                let to = at(target, position.epoch + 1);
                if moves {
                    if target < position.offset {
                        for one in &mut noted {
                            one.1 = one.1.min(target);
                        }
                    }
                    last = Some(Altered::after(last.as_ref(), Some(position), to, false, ""));
                    position = to;
                }
            }
            for (epoch, least) in noted {
                let mut ranges = vec![(0, 100)];
                if let Some(last) = &last {
                    last.keep(epoch, &mut ranges);
                }
                let expected = 100.min(least);
                prop_assert_eq!(ranges, if expected > 0 { vec![(0, expected)] } else { vec![] });
            }
        }
    }
}
