//! What a writer holds for the next cut, and where each of its partitions stands.
//!
//! ```text
//! settled         flying            published        next
//!    |  in flight    |  in the buffer   |  in the shredder |   not read yet
//! ```
//!
//! `settled` is the table's position as last seen, `flying` the end of the commit in flight,
//! `published` the end of what is visible as live rows, `next` the end of what was taken.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::layout::Group;
use crate::partition::{Placement, Values};
use crate::read::live::{LiveBatch, LiveRange};
use crate::record::{Position, TopicId};
use crate::write::span::Span;
use crate::write::standing::file_bytes;

/// One assigned partition.
#[derive(Debug, Clone)]
pub(super) struct Owned {
    /// Which assignment this is: a commit begun under an earlier one says nothing about this one.
    pub(super) assignment: u64,
    pub(super) settled: Position,
    pub(super) flying: Option<i64>,
    pub(super) published: i64,
    pub(super) next: i64,
    pub(super) leader_epoch: Option<i32>,
    /// The record time since the last cut.
    pub(super) span: Span,
    /// What a filter passed over since the last cut: half-open ranges in order.
    pub(super) filtered: Vec<(i64, i64)>,
    /// Its rotations since the last cut, in a foreign layout.
    pub(super) group: Group,
    /// The offset after the last row taken.
    rows_end: i64,
    /// After a rewind, until the caller has sought: rows below this offset were dropped and must
    /// come again, so whatever comes first at or beyond it is a late record of the earlier
    /// assignment.
    expected_below: Option<i64>,
}

impl Owned {
    pub(super) fn new(assignment: u64, position: Position) -> Self {
        Self {
            assignment,
            settled: position,
            flying: None,
            published: position.offset,
            next: position.offset,
            leader_epoch: position.leader_epoch,
            span: Span::default(),
            filtered: Vec::new(),
            group: Group::default(),
            rows_end: position.offset,
            expected_below: None,
        }
    }

    /// The end of what is settled or on its way to be.
    pub(super) fn base(&self) -> i64 {
        self.flying.unwrap_or(self.settled.offset)
    }

    /// Something taken is not in a commit yet.
    pub(super) fn has_buffered(&self) -> bool {
        self.next > self.base()
    }

    /// Takes what a filter passed over below `end`; what is beyond stays for the next cut.
    pub(super) fn take_filtered(&mut self, end: i64) -> Vec<(i64, i64)> {
        let ranges = std::mem::take(&mut self.filtered);
        let mut below = Vec::new();
        for (from, to) in ranges {
            if from < end {
                below.push((from, to.min(end)));
            }
            if to > end {
                self.filtered.push((from.max(end), to));
            }
        }
        below
    }

    /// Something taken is not settled yet.
    pub(super) fn has_unsettled(&self) -> bool {
        self.next > self.settled.offset || self.flying.is_some()
    }

    /// Takes the record at `offset`.
    pub(super) fn take(&mut self, partition: i32, offset: i64) -> Result<()> {
        if offset < self.next {
            return Err(late(partition, offset, self.next));
        }
        self.check_expected(partition, offset)?;
        self.expected_below = None;
        self.next = offset.saturating_add(1);
        self.rows_end = self.next;
        Ok(())
    }

    /// Passes over the record at `offset`; answers whether that began another range.
    pub(super) fn filter(&mut self, partition: i32, offset: i64) -> Result<bool> {
        self.take(partition, offset)?;
        match self.filtered.last_mut() {
            Some((_, end)) if *end == offset => {
                *end = self.next;
                Ok(false)
            }
            _ => {
                self.filtered.push((offset, self.next));
                Ok(true)
            }
        }
    }

    /// Moves past offsets that hold no record (P4).
    pub(super) fn skip_to(&mut self, partition: i32, next_offset: i64) -> Result<()> {
        if next_offset > self.next {
            self.check_expected(partition, next_offset)?;
            self.next = next_offset;
        }
        Ok(())
    }

    /// The caller's reader has been brought to `offset`. Nothing late comes any more, and what was
    /// dropped may be gone from the topic by now, where it is compacted.
    pub(super) fn sought(&mut self, offset: i64) {
        if offset <= self.next {
            self.expected_below = None;
        }
    }

    fn check_expected(&self, partition: i32, offset: i64) -> Result<()> {
        match self.expected_below {
            Some(below) if offset >= below => Err(late(partition, offset, self.next)),
            _ => Ok(()),
        }
    }

    /// Forgets what was taken beyond `offset`; the caller seeks there. Until it has, the rows
    /// dropped must come again before anything later is taken.
    pub(super) fn rewind(&mut self, assignment: u64, position: Position, offset: i64) {
        let rows_end = self.rows_end.max(self.expected_below.unwrap_or(0));
        *self = Self::new(assignment, position);
        self.published = offset;
        self.next = offset;
        self.rows_end = offset;
        self.expected_below = (rows_end > offset).then_some(rows_end);
    }
}

fn late(partition: i32, offset: i64, next: i64) -> Error {
    Error::invalid(format!(
        "offset {offset} of partition {partition} belongs to an earlier assignment; drop it and \
         go on from offset {next}"
    ))
}

/// The batches of the next cut.
#[derive(Debug, Default)]
pub(super) struct Buffer {
    pub(super) batches: Vec<Arc<LiveBatch>>,
    /// The partitions of the rows, for each of the batches in order.
    pub(super) placements: Vec<Placement>,
    pub(super) rows: usize,
    pub(super) bytes: usize,
    /// The partitions that the rows belong to, each a file of the cut.
    pub(super) partitions: HashSet<Values>,
    /// What the files of those will take in memory beside their rows.
    pub(super) files_bytes: usize,
    /// When its first row or progress came.
    pub(super) since: Option<Duration>,
    /// The moment of the schedule after that, in microseconds since the Unix epoch.
    pub(super) scheduled_us: Option<i64>,
    /// The longest record time that one of the partitions has gone through.
    pub(super) span: Duration,
}

impl Buffer {
    pub(super) fn push(&mut self, live: Arc<LiveBatch>, placements: Vec<Placement>) {
        self.rows += live.rows();
        self.bytes += live.bytes();
        for (batch, placement) in live.batches.iter().zip(&placements) {
            self.bytes += placement.bytes();
            let mut new = 0;
            for values in placement.partitions() {
                if !self.partitions.contains(values) {
                    self.partitions.insert(values.clone());
                    new += 1;
                }
            }
            if new > 0 {
                self.files_bytes += new * file_bytes(batch.schema_ref());
            }
        }
        self.batches.push(live);
        self.placements.extend(placements);
    }

    pub(super) fn take(&mut self) -> Self {
        std::mem::take(self)
    }

    /// Whether a batch stands for offsets of `partition` (E5).
    pub(super) fn holds(&self, partition: i32) -> bool {
        self.batches
            .iter()
            .any(|live| live.ranges.iter().any(|range| range.partition == partition))
    }
}

/// The ranges that a batch closed now stands for, which count as published from here on.
pub(super) fn publish_ranges(
    owned: &mut BTreeMap<i32, Owned>,
    topic_id: &TopicId,
) -> Vec<LiveRange> {
    owned
        .iter_mut()
        .filter(|(_, owned)| owned.next > owned.published)
        .map(|(partition, owned)| {
            let lo = std::mem::replace(&mut owned.published, owned.next);
            LiveRange {
                topic_id: topic_id.clone(),
                partition: *partition,
                lo,
                hi: owned.next,
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn at(offset: i64) -> Position {
        Position {
            offset,
            epoch: 0,
            leader_epoch: None,
        }
    }

    #[test]
    fn p7_after_a_rewind_late_records_are_refused_until_the_dropped_ones_come_again() {
        let mut owned = Owned::new(1, at(100));
        for offset in 100..200 {
            owned.take(0, offset).unwrap();
        }
        owned.skip_to(0, 210).unwrap();
        owned.rewind(2, at(100), 100);
        assert!(owned.take(0, 210).is_err());
        assert!(owned.skip_to(0, 210).is_err());
        owned.take(0, 105).unwrap();
        assert!(owned.take(0, 104).is_err());
        owned.take(0, 210).unwrap();
        assert_eq!(owned.next, 211);
    }

    #[test]
    fn p7_once_the_reader_has_sought_what_was_dropped_may_be_gone_for_good() {
        let mut owned = Owned::new(1, at(100));
        owned.take(0, 199).unwrap();
        owned.rewind(2, at(100), 100);
        // Beyond where the partition goes on it would leave a gap.
        owned.sought(101);
        assert!(owned.take(0, 200).is_err());
        assert!(owned.skip_to(0, 200).is_err());
        owned.sought(100);
        owned.skip_to(0, 200).unwrap();
        owned.take(0, 200).unwrap();
        assert_eq!(owned.next, 201);
        owned.rewind(3, at(100), 100);
        assert!(owned.take(0, 201).is_err(), "another rewind, another seek");
        owned.sought(90);
        owned.take(0, 201).unwrap();
    }
}
