//! Which target offset a source offset came to: runs of records that lie one behind the other in
//! the target. Pure.
//!
//! A run without gaps says it exactly for each of its records. Where the source has gaps, as behind
//! a filter, a run says it to within a thousand records. Records that the target acknowledged
//! without an offset, since a first answer was lost and it knows no more than that they are there,
//! make runs of their own, which say only in which target partition they are.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::destination::Landed;

/// Records of one source partition that lie one behind the other in one target partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// Kafka's id of the source topic.
    pub topic_id: String,
    /// The source topic; empty where an earlier version stored the run.
    #[serde(default)]
    pub topic: String,
    /// The target topic, where that isn't the destination's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_topic: Option<String>,
    /// The source partition.
    pub partition: i32,
    /// The source offset of its first record.
    pub first: i64,
    /// The source offset of its last record.
    pub last: i64,
    /// How many records.
    pub records: u64,
    /// The target partition.
    pub target_partition: i32,
    /// The target offset of its first record; `None`: the target acknowledged its records and
    /// didn't say where they are.
    pub target_first: Option<i64>,
}

/// The records that a run with gaps may have.
const STEP: u64 = 1_000;

impl Run {
    /// The target offset of its last record, where that is known.
    pub fn target_last(&self) -> Option<i64> {
        let behind = i64::try_from(self.records.saturating_sub(1)).unwrap_or(i64::MAX);
        Some(self.target_first?.saturating_add(behind))
    }

    /// Whether each offset between its first and its last is one of its records.
    pub fn is_exact(&self) -> bool {
        let span = u64::try_from(self.last.saturating_sub(self.first)).unwrap_or(u64::MAX);
        span.saturating_add(1) == self.records
    }

    /// Whether the place is the one behind its last record, or as unknown as that one's is.
    fn lies_before(&self, target_partition: i32, target: Option<i64>) -> bool {
        let lies_behind = match (self.target_last(), target) {
            (Some(last), Some(target)) => last.checked_add(1) == Some(target),
            (None, None) => true,
            _ => false,
        };
        target_partition == self.target_partition && lies_behind
    }

    /// Takes a record more, if it lies behind the others, or is as unknown as they are.
    fn takes(&mut self, offset: i64, target_partition: i32, target: Option<i64>) -> bool {
        let follows = self.lies_before(target_partition, target) && offset > self.last;
        let exact = self.is_exact() && Some(offset) == self.last.checked_add(1);
        if !follows || !(exact || self.records < STEP) {
            return false;
        }
        self.last = offset;
        self.records += 1;
        true
    }

    /// Takes the records of `next`, if the two say no more than one run does: without gaps, and one
    /// behind the other on both sides.
    fn joins(&mut self, next: &Self) -> bool {
        let follows = self.lies_before(next.target_partition, next.target_first)
            && Some(next.first) == self.last.checked_add(1);
        if !follows || !self.is_exact() || !next.is_exact() {
            return false;
        }
        self.last = next.last;
        self.records += next.records;
        true
    }

    /// The first target offset of its records at `offset` and beyond; a little before it where that
    /// can't be told, and no later than `before`, behind which they are, where nothing is known.
    /// `None`: there are none.
    fn target_of(&self, offset: i64, before: i64) -> Option<i64> {
        if offset > self.last {
            return None;
        }
        let Some(first) = self.target_first else {
            return Some(before);
        };
        let behind = offset.saturating_sub(self.first);
        Some(match self.is_exact() && behind > 0 {
            true => first.saturating_add(behind),
            false => first,
        })
    }
}

/// Runs as they come.
#[derive(Debug, Default)]
pub(crate) struct Runs {
    done: Vec<Run>,
    open: BTreeMap<(String, i32), Run>,
}

impl Runs {
    /// The next record of a source partition came to rest.
    pub(crate) fn add(&mut self, topic_id: &str, partition: i32, offset: i64, landed: Landed) {
        // A destination that tells no partition has no offsets either.
        let Some(target_partition) = landed.partition else {
            return;
        };
        let target = landed.offset;
        let run = Run {
            topic_id: topic_id.to_owned(),
            topic: String::new(),
            target_topic: None,
            partition,
            first: offset,
            last: offset,
            records: 1,
            target_partition,
            target_first: target,
        };
        match self.open.entry((topic_id.to_owned(), partition)) {
            std::collections::btree_map::Entry::Vacant(entry) => {
                entry.insert(run);
            }
            std::collections::btree_map::Entry::Occupied(mut entry) => {
                if !entry.get_mut().takes(offset, target_partition, target) {
                    self.done.push(entry.insert(run));
                }
            }
        }
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.done.len() + self.open.len()
    }

    /// All of them; what comes later begins others.
    pub(crate) fn take(&mut self) -> Vec<Run> {
        let mut taken = std::mem::take(&mut self.done);
        taken.extend(std::mem::take(&mut self.open).into_values());
        taken
    }
}

/// Runs in their order, those as one that say no more than one does. Which are joined hangs on each
/// and the one behind it alone: whether some were joined before makes no difference.
#[derive(Debug, Default)]
pub(crate) struct Joined {
    runs: Vec<Run>,
    /// Where each source partition's last run is.
    last: BTreeMap<(String, i32), usize>,
}

impl Joined {
    /// The next run.
    pub(crate) fn add(&mut self, run: Run) {
        let of = (run.topic_id.clone(), run.partition);
        let last = self.last.get(&of).and_then(|at| self.runs.get_mut(*at));
        if last.is_some_and(|last| last.joins(&run)) {
            return;
        }
        self.last.insert(of, self.runs.len());
        self.runs.push(run);
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.runs.len()
    }

    /// All of them.
    pub(crate) fn into_runs(self) -> Vec<Run> {
        self.runs
    }
}

/// Where a group that read the source up to `committed` (next offsets, by partition) goes on in the
/// target, by its partitions; the runs are of one source topic and one target topic. No record that
/// it hasn't read is passed over. It may read some again, where several source partitions share a
/// target partition, behind gaps, what was sent twice, and from the last known record before those
/// whose offsets nobody knows: what came from one source partition into one target partition lies
/// there in order.
pub fn translate(runs: &[Run], committed: &BTreeMap<i32, i64>) -> BTreeMap<i32, i64> {
    let mut found: BTreeMap<i32, (Option<i64>, i64)> = BTreeMap::new();
    // Behind the last known record of each source partition in each target partition.
    let mut known: BTreeMap<(&str, i32, i32), i64> = BTreeMap::new();
    for run in runs {
        let way = (run.topic_id.as_str(), run.partition, run.target_partition);
        // Nothing is known before the first: the target partition's start.
        let before = known.entry(way).or_insert(0);
        let behind = run.target_last().map(|last| last.saturating_add(1));
        let behind = behind.unwrap_or(*before);
        // A partition that the group never read is read from its start.
        let next = committed.get(&run.partition).copied().unwrap_or(0);
        let target = run.target_of(next, *before);
        *before = behind;
        let (first, end) = found.entry(run.target_partition).or_insert((None, behind));
        *end = behind.max(*end);
        *first = [*first, target].into_iter().flatten().min();
    }
    let next = |(first, end): (Option<i64>, i64)| first.unwrap_or(end);
    found
        .into_iter()
        .map(|(partition, found)| (partition, next(found)))
        .collect()
}

#[cfg(test)]
mod tests;
