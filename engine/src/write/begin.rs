//! How a cut begins: what it takes, and what it leaves for later.
//!
//! In the native layout a cut takes everything. In a foreign one it may take only the rotations
//! that have ended, per Kafka partition (P6): what it leaves stays buffered and live.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{Int32Type, Int64Type};

use crate::commit::Move;
use crate::error::{Error, Result};
use crate::layout::{Group, Take, place};
use crate::partition::Placement;
use crate::read::live::{LiveBatch, LiveRange};
use crate::write::buffer::{Buffer, Owned};
use crate::write::job::{Job, Plan};
use crate::write::settle::{Flight, FlightMove};
use crate::write::table::TableWriter;

/// Encoded files are at most about this part of the rows in memory.
const ENCODED_PART: usize = 4;

impl TableWriter {
    /// Starts a commit of everything buffered in the background; appending goes on meanwhile.
    /// `false`: nothing to commit, or a commit is still in flight.
    ///
    /// # Errors
    /// As [`TableWriter::publish`]; `Unavailable` when the table's log must be opened again first
    /// and the store does not answer: nothing was lost, call again.
    pub fn cut(&mut self) -> Result<bool> {
        self.begin(Take::All)
    }

    /// As [`TableWriter::cut`], of what is due: in a foreign layout that may be less than
    /// everything.
    ///
    /// # Errors
    /// As [`TableWriter::cut`].
    pub fn cut_due(&mut self) -> Result<bool> {
        self.publish()?;
        match self.take() {
            // What was due may have been committed by a release meanwhile.
            Take::Nothing => Ok(false),
            take => self.begin(take),
        }
    }

    /// The table's files are in the native layout: a cut takes everything.
    pub fn is_native(&self) -> bool {
        self.options.layout.foreign().is_none()
    }

    fn begin(&mut self, take: Take) -> Result<bool> {
        self.publish()?;
        let ends = self.ends(take);
        if self.flight.is_some() || ends.is_empty() {
            return Ok(false);
        }
        let log = self.take_log()?;
        let buffer = match take {
            Take::All => self.buffer.take(),
            _ => self.take_below(&ends)?,
        };
        let filtered = self.take_filtered(&ends);
        let (moves, flight_moves) = self.plan_moves(&ends, take);
        // What the commit encodes comes on top of the rows, which stay readable until it lands.
        let encoded = match self.options.layout.flat() {
            None => {
                // To be sealed a file is gone through once more: then there are two of it.
                let copies = 1 + usize::from(self.options.key.is_some());
                let shapes = self.options.raw.shapes_bytes(buffer.bytes);
                buffer.bytes / ENCODED_PART * copies + shapes
            }
            // Text isn't smaller than its rows before it is compressed.
            Some(_) => buffer.bytes,
        };
        // Keys and headers are a part of their rows.
        let sides = match self.options.layout.sides() {
            [] => 0,
            _ => buffer.bytes,
        };
        let beside = encoded + sides + buffer.files_bytes;
        let held = self.options.budget.hold(buffer.bytes + beside);
        self.whole_since = None;
        self.report();
        let plan = Plan {
            id: self.lake.clock().new_id(),
            begun_us: self.lake.clock().now_us(),
            table: self.options.table.clone(),
            topic: self.options.topic.clone(),
            layout: self.options.layout.clone(),
            live: buffer.batches,
            placements: buffer.placements,
            moves,
            topic_id: self.options.topic_id.clone(),
            filtered,
            book: Arc::clone(&self.book),
            raw: self.options.raw,
            key: self.options.key.clone(),
            detect: self.options.detect,
            retry: self.options.retry,
            held,
        };
        self.flight = Some(Flight {
            job: Job::start(&self.lake, log, plan),
            moves: flight_moves,
        });
        Ok(true)
    }

    /// The partitions, in a foreign layout the files, of the rows of `batches`.
    pub(super) fn place(&mut self, batches: &[RecordBatch]) -> Result<Vec<Placement>> {
        let Some(foreign) = self.options.layout.foreign() else {
            let partitioning = &self.options.partitioning;
            return batches
                .iter()
                .map(|batch| partitioning.place(batch))
                .collect();
        };
        let now = self.lake.clock().monotonic();
        let taken =
            |(partition, owned): (&i32, &mut Owned)| (*partition, std::mem::take(&mut owned.group));
        let mut groups: BTreeMap<i32, Group> = self.owned.iter_mut().map(taken).collect();
        let placed = place(foreign, &self.options.topic, batches, &mut groups, now);
        for (partition, group) in groups {
            if let Some(owned) = self.owned.get_mut(&partition) {
                owned.group = group;
            }
        }
        let is_whole = |owned: &Owned| owned.group.ended_at.is_some_and(|end| end > owned.base());
        if self.whole_since.is_none() && self.owned.values().any(is_whole) {
            self.whole_since = Some(now);
        }
        placed
    }

    /// Where the cut ends in each of the partitions of which it takes something.
    fn ends(&self, take: Take) -> BTreeMap<i32, i64> {
        let end = |owned: &Owned| match take {
            Take::Nothing => None,
            Take::All => Some(owned.next),
            Take::Whole => match owned.group.open_since() {
                Some(_) => owned.group.ended_at,
                None => Some(owned.next),
            },
        };
        let ends = self.owned.iter().filter_map(|(partition, owned)| {
            let end = end(owned).filter(|end| *end > owned.base())?;
            Some((*partition, end))
        });
        ends.collect()
    }

    /// Takes the rows below `ends` out of the buffer.
    fn take_below(&mut self, ends: &BTreeMap<i32, i64>) -> Result<Buffer> {
        let whole = self.buffer.take();
        let mut placements = whole.placements.into_iter();
        let mut taken = Buffer::default();
        for live in whole.batches {
            let placed: Vec<Placement> = placements.by_ref().take(live.batches.len()).collect();
            let end = |range: &LiveRange| ends.get(&range.partition).copied().unwrap_or(range.lo);
            if live.ranges.iter().all(|range| range.hi <= end(range)) {
                taken.push(live, placed);
            } else if live.ranges.iter().all(|range| end(range) <= range.lo) {
                self.buffer.push(live, placed);
            } else {
                let [below, left] = divide(&live, &placed, ends)?;
                let parts = [below.0, left.0];
                let table = &self.options.table;
                let [under, over] = self.lake.live().split(table, &live, parts);
                taken.push(under, below.1);
                self.buffer.push(over, left.1);
            }
        }
        let open = self
            .owned
            .values()
            .filter_map(|owned| owned.group.open_since());
        self.buffer.since = open.min();
        if self.buffer.since.is_some() {
            self.buffer.scheduled_us = whole.scheduled_us;
        }
        Ok(taken)
    }

    fn plan_moves(
        &mut self,
        ends: &BTreeMap<i32, i64>,
        take: Take,
    ) -> (Vec<Move>, Vec<FlightMove>) {
        let topic_id = &self.options.topic_id;
        let moving = self.owned.iter_mut();
        moving
            .filter_map(|(partition, owned)| Some((partition, owned, *ends.get(partition)?)))
            .map(|(partition, owned, end)| {
                // Nothing is in flight, so the settled position is what the fence must see (P8).
                debug_assert!(owned.flying.is_none() && owned.published == owned.next);
                owned.flying = Some(end);
                owned.span.cut();
                if take == Take::All {
                    owned.group.cut();
                }
                let plan = Move {
                    topic_id: topic_id.clone(),
                    partition: *partition,
                    from: Some(owned.settled),
                    to: end,
                    raise: false,
                    altered: false,
                    leader_epoch: owned.leader_epoch,
                };
                let moved = FlightMove {
                    partition: *partition,
                    assignment: owned.assignment,
                    to: end,
                    leader_epoch: owned.leader_epoch,
                };
                (plan, moved)
            })
            .unzip()
    }
}

type Part = (LiveBatch, Vec<Placement>);

/// The rows below `ends`, and the others.
fn divide(
    live: &LiveBatch,
    placements: &[Placement],
    ends: &BTreeMap<i32, i64>,
) -> Result<[Part; 2]> {
    let end = |range: &LiveRange| {
        let end = ends.get(&range.partition).copied().unwrap_or(range.lo);
        end.clamp(range.lo, range.hi)
    };
    let ranges = |part: fn(&LiveRange, i64) -> (i64, i64)| -> Vec<LiveRange> {
        let parts = live.ranges.iter().map(|range| {
            let (lo, hi) = part(range, end(range));
            LiveRange {
                lo,
                hi,
                ..range.clone()
            }
        });
        parts.filter(|range| range.lo < range.hi).collect()
    };
    let part = |ranges| LiveBatch {
        batches: Vec::new(),
        ranges,
    };
    let mut below = (part(ranges(|range, end| (range.lo, end))), Vec::new());
    let mut left = (part(ranges(|range, end| (end, range.hi))), Vec::new());
    for (batch, placement) in live.batches.iter().zip(placements) {
        let kept = is_below(batch, ends)?;
        let rest: Vec<bool> = kept.iter().map(|kept| !kept).collect();
        for (part, kept) in [(&mut below, kept), (&mut left, rest)] {
            if kept.contains(&true) {
                part.1.push(placement.filter(&kept));
                let rows = filter_record_batch(batch, &BooleanArray::from(kept))?;
                part.0.batches.push(rows);
            }
        }
    }
    Ok([below, left])
}

fn is_below(batch: &RecordBatch, ends: &BTreeMap<i32, i64>) -> Result<Vec<bool>> {
    let missing = || Error::internal("a batch has no `_partition` and `_offset`");
    let partitions = batch.column_by_name("_partition").ok_or_else(missing)?;
    let partitions = partitions
        .as_primitive_opt::<Int32Type>()
        .ok_or_else(missing)?;
    let offsets = batch.column_by_name("_offset").ok_or_else(missing)?;
    let offsets = offsets
        .as_primitive_opt::<Int64Type>()
        .ok_or_else(missing)?;
    debug_assert!(partitions.null_count() + offsets.null_count() == 0);
    let rows = partitions.values().iter().zip(offsets.values());
    let below = rows.map(|(partition, offset)| ends.get(partition).is_some_and(|end| offset < end));
    Ok(below.collect())
}
