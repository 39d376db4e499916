//! P20 and E8 against a model: writers publish, commit, hand over and turn into zombies in any
//! order, and a reader between any two steps sees each offset exactly once.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, Int32Array, Int64Array, RecordBatch};
use object_store::path::Path;
use proptest::prelude::*;

use super::*;
use crate::clock::Clock;
use crate::path::TablePath;
use crate::read::live::{LiveRange, LiveRows};

const PARTITIONS: i32 = 3;

fn topic() -> TopicId {
    TopicId::new("t")
}

fn batch(ranges: &[(i32, i64, i64)]) -> LiveBatch {
    let rows: Vec<(i32, i64)> = ranges
        .iter()
        .flat_map(|(partition, lo, hi)| (*lo..*hi).map(move |offset| (*partition, offset)))
        .collect();
    let partitions: Int32Array = rows.iter().map(|(partition, _)| *partition).collect();
    let offsets: Int64Array = rows.iter().map(|(_, offset)| *offset).collect();
    let columns: [(&str, ArrayRef); 2] = [
        ("_partition", Arc::new(partitions)),
        ("_offset", Arc::new(offsets)),
    ];
    LiveBatch {
        batches: vec![RecordBatch::try_from_iter(columns).unwrap()],
        ranges: ranges
            .iter()
            .map(|(partition, lo, hi)| LiveRange {
                topic_id: topic(),
                partition: *partition,
                lo: *lo,
                hi: *hi,
            })
            .collect(),
    }
}

fn rows(clipped: &Clipped) -> Vec<(i32, i64)> {
    let mut rows = Vec::new();
    for batch in &clipped.batches {
        let partitions: &Int32Array = envelope(batch, "_partition").unwrap();
        let offsets: &Int64Array = envelope(batch, "_offset").unwrap();
        rows.extend(
            partitions
                .values()
                .iter()
                .copied()
                .zip(offsets.values().iter().copied()),
        );
    }
    rows.sort_unstable();
    rows
}

fn positions(of: &[i64]) -> BTreeMap<(TopicId, i32), Position> {
    (0..)
        .zip(of)
        .map(|(partition, offset)| {
            let position = Position {
                offset: *offset,
                epoch: 0,
                leader_epoch: None,
            };
            ((topic(), partition), position)
        })
        .collect()
}

#[test]
fn e8_each_row_is_clipped_by_the_position_of_its_own_partition() {
    let live = [Arc::new(batch(&[(0, 5, 10), (1, 0, 3)]))];
    let clipped = clip(&live, &positions(&[8, 1])).unwrap();
    assert_eq!(rows(&clipped), [(0, 8), (0, 9), (1, 1), (1, 2)]);
    assert_eq!(clipped.ends[&(topic(), 0)], 10);
    assert!(!clipped.gap);
}

#[test]
fn p20_a_range_beyond_the_snapshot_is_a_gap_and_left_out() {
    let live = [Arc::new(batch(&[(0, 5, 10), (1, 0, 3)]))];
    let clipped = clip(&live, &positions(&[4, 0])).unwrap();
    assert!(clipped.gap);
    assert_eq!(rows(&clipped), [(1, 0), (1, 1), (1, 2)]);
    assert_eq!(clipped.ends[&(topic(), 0)], 4);
}

#[test]
fn p1_rows_of_another_incarnation_of_the_topic_are_left_out() {
    let mut other = batch(&[(0, 0, 3)]);
    other.ranges[0].topic_id = TopicId::new("other");
    let clipped = clip(&[Arc::new(other)], &positions(&[0])).unwrap();
    assert!(clipped.gap && clipped.batches.is_empty());
}

/// A writer of the model: it owns every partition where `next` is set.
#[derive(Default)]
struct Writer {
    next: BTreeMap<i32, (i64, i64)>,
    buffer: Vec<Arc<LiveBatch>>,
    flight: Vec<Arc<LiveBatch>>,
    landed: bool,
}

struct World {
    live: LiveRows,
    clock: Clock,
    table: TablePath,
    committed: Vec<i64>,
    writers: [Writer; 2],
}

#[derive(Debug, Clone)]
enum Step {
    Append(usize, i32, i64),
    Publish(usize),
    Cut(usize),
    Land(usize),
    Settle(usize),
    HandOver(i32, usize),
    Wait(u64),
    Read,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0..2_usize, 0..PARTITIONS, 1..4_i64).prop_map(|(w, p, n)| Step::Append(w, p, n)),
        4 => (0..2_usize).prop_map(Step::Publish),
        2 => (0..2_usize).prop_map(Step::Cut),
        2 => (0..2_usize).prop_map(Step::Land),
        2 => (0..2_usize).prop_map(Step::Settle),
        1 => (0..PARTITIONS, 0..2_usize).prop_map(|(p, w)| Step::HandOver(p, w)),
        1 => (1..20_u64).prop_map(Step::Wait),
        2 => Just(Step::Read),
    ];
    proptest::collection::vec(step, 1..60)
}

impl World {
    fn new() -> Self {
        let clock = Clock::manual(0);
        let mut writers = [Writer::default(), Writer::default()];
        for partition in 0..PARTITIONS {
            writers[0].next.insert(partition, (0, 0));
        }
        Self {
            live: LiveRows::new(clock.clone()),
            clock,
            table: TablePath::new(&Path::default(), "topics", "t"),
            committed: vec![0; PARTITIONS as usize],
            writers,
        }
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Append(writer, partition, rows) => {
                if let Some((_, next)) = self.writers[*writer].next.get_mut(partition) {
                    *next += rows;
                }
            }
            Step::Publish(writer) => self.publish(*writer),
            Step::Cut(writer) => {
                self.publish(*writer);
                let writer = &mut self.writers[*writer];
                if writer.flight.is_empty() {
                    writer.flight = std::mem::take(&mut writer.buffer);
                    writer.landed = false;
                }
            }
            Step::Land(writer) => self.land(*writer),
            Step::Settle(writer) => self.settle(*writer),
            Step::HandOver(partition, to) => self.hand_over(*partition, *to),
            Step::Wait(seconds) => self.clock.advance(Duration::from_secs(*seconds)),
            Step::Read => {}
        }
    }

    fn publish(&mut self, writer: usize) {
        let writer = &mut self.writers[writer];
        let ranges: Vec<_> = writer
            .next
            .iter_mut()
            .filter(|(_, (published, next))| next > published)
            .map(|(partition, (published, next))| {
                (*partition, std::mem::replace(published, *next), *next)
            })
            .collect();
        if !ranges.is_empty() {
            let live = self.live.publish(&self.table, batch(&ranges));
            writer.buffer.push(live);
        }
    }

    /// The commit in flight lands, if its fence holds: every range begins at the position.
    fn land(&mut self, writer: usize) {
        let flight = &mut self.writers[writer];
        if flight.flight.is_empty() || flight.landed {
            return;
        }
        let mut after = self.committed.clone();
        let mut fence = true;
        for range in flight.flight.iter().flat_map(|live| &live.ranges) {
            let position = &mut after[range.partition as usize];
            fence &= *position == range.lo;
            *position = range.hi;
        }
        if fence {
            self.committed = after;
            flight.landed = true;
        } else {
            self.reset(writer);
        }
    }

    fn settle(&mut self, writer: usize) {
        let writer = &mut self.writers[writer];
        if writer.landed {
            self.live.committed(&self.table, &writer.flight);
            writer.flight.clear();
            writer.landed = false;
        }
    }

    /// A writer that lost its fence drops everything and starts over from the table.
    fn reset(&mut self, writer: usize) {
        let writer = &mut self.writers[writer];
        self.live.dropped(&self.table, &writer.flight);
        self.live.dropped(&self.table, &writer.buffer);
        writer.flight.clear();
        writer.buffer.clear();
        writer.landed = false;
        for (partition, next) in &mut writer.next {
            let position = self.committed[*partition as usize];
            *next = (position, position);
        }
    }

    /// The group moves the partition while its owner notices nothing: a zombie until its fence
    /// fails.
    fn hand_over(&mut self, partition: i32, to: usize) {
        let to = &mut self.writers[to];
        if !to.next.contains_key(&partition) && to.flight.is_empty() && to.buffer.is_empty() {
            let position = self.committed[partition as usize];
            to.next.insert(partition, (position, position));
        }
    }
}

fn check(fetched: &[Arc<LiveBatch>], committed: &[i64]) {
    let clipped = clip(fetched, &positions(committed)).unwrap();
    assert!(
        !clipped.gap,
        "live rows fetched first never begin beyond the snapshot"
    );
    let mut expected = Vec::new();
    for (partition, position) in (0..).zip(committed) {
        let end = clipped.ends[&(topic(), partition)];
        expected.extend((*position..end).map(|offset| (partition, offset)));
        let seen = fetched
            .iter()
            .flat_map(|live| &live.ranges)
            .filter(|range| range.partition == partition)
            .map(|range| range.hi)
            .max();
        assert_eq!(
            end,
            seen.unwrap_or(0).max(*position),
            "nothing published is missed"
        );
    }
    assert_eq!(rows(&clipped), expected, "each offset once, none missing");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn p20_random_interleavings_never_miss_or_double_a_record(
        steps in steps(),
        split in 0..60_usize,
    ) {
        let mut world = World::new();
        let mut early = Vec::new();
        for (index, step) in steps.iter().enumerate() {
            world.take(step);
            check(&world.live.batches(&world.table), &world.committed);
            if index == split {
                early = world.live.batches(&world.table);
            }
        }
        // A reader may be slow between its live rows and its snapshot, for as long as it likes.
        if split < steps.len() {
            check(&early, &world.committed);
        }
    }
}
