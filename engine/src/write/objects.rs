//! The objects of a cut that are no files of the table (`crate::flat`): written as its files are,
//! but for the columns, which nobody reserves, and the dead letters, which have no place in them.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{Int32Type, Int64Type};

use crate::commit::DataFile;
use crate::error::{Error, Result};
use crate::fault;
use crate::flat::{Flat, Order};
use crate::partition::Placement;
use crate::read::filtered::{Beside, Ranges};
use crate::write::gather::by_partition;
use crate::write::going::{Waiting, What};
use crate::write::job::Run;

impl Run {
    /// Writes one object per partition and rotation; `None` without rows.
    pub(super) fn write_objects(&mut self, flat: &Flat) -> Result<Option<Beside>> {
        let live = self.plan.live.iter();
        let batches: Vec<RecordBatch> =
            live.flat_map(|live| live.batches.iter().cloned()).collect();
        if batches.is_empty() {
            return Ok(None);
        }
        let placements = std::mem::take(&mut self.plan.placements);
        let good = Good::of(batches, &placements)?;
        fault::point("before_encode");
        let parts = by_partition(&good.batches, &good.placements)?;
        let parts = self.apart(parts, &good.batches, flat.apart())?;
        let named = self.name(parts, &good.batches)?;
        fault::point("before_upload");
        let begun_us = self.journal(&named, What::Objects)?;
        let mut objects = Vec::with_capacity(named.len());
        let mut waiting = Waiting::new(What::Objects);
        let (batches, flat) = (
            Arc::<[RecordBatch]>::from(good.batches),
            Arc::new(flat.clone()),
        );
        for part in &named {
            let (rows, batches) = (Arc::clone(&part.rows), Arc::clone(&batches));
            let (flat, book, id) = (Arc::clone(&flat), Arc::clone(&self.plan.book), self.plan.id);
            let made = self
                .lake
                .compute(move || flat.object(&rows.gather(&batches)?, Order::Offsets, (&book, id)));
            let (bytes, rows) = made??;
            let object = DataFile {
                path: part.path.clone(),
                size: bytes.len() as u64,
                modified_ms: begun_us.div_euclid(1_000),
                rows,
                ..DataFile::default()
            };
            let going = self.going(part, rows, bytes);
            self.finish_file(object, going, &mut waiting, &mut objects)?;
        }
        self.upload(waiting, &mut objects)?;
        let sides = self.write_sides(&named, &batches, (begun_us, Order::Offsets))?;
        fault::point("after_upload");
        self.note_dead(&good.dead);
        Ok(Some(Beside {
            stored: good.stored,
            dead: good.dead,
            objects,
            sides,
        }))
    }

    fn note_dead(&self, dead: &Ranges) {
        let ranges = dead.iter().flat_map(|(_, ranges)| ranges);
        let records: u64 = ranges.map(|(from, to)| to.abs_diff(*from)).sum();
        if records > 0 {
            tracing::warn!(
                topic = self.plan.table.topic(),
                records,
                "records that can't be decoded are in no object; a dead-letter topic has them"
            );
        }
    }
}

/// The rows that an object can hold, and which offsets they are and the others.
#[derive(Default)]
struct Good {
    batches: Vec<RecordBatch>,
    placements: Vec<Placement>,
    stored: Ranges,
    dead: Ranges,
}

impl Good {
    fn of(batches: Vec<RecordBatch>, placements: &[Placement]) -> Result<Self> {
        let (mut stored, mut dead) = (Offsets::default(), Offsets::default());
        let mut good = Self::default();
        for (batch, placement) in batches.into_iter().zip(placements) {
            let kept = note(&batch, &mut stored, &mut dead)?;
            if kept.iter().all(|kept| *kept) {
                good.placements.push(placement.clone());
                good.batches.push(batch);
            } else if kept.contains(&true) {
                good.placements.push(placement.filter(&kept));
                let rows = filter_record_batch(&batch, &BooleanArray::from(kept))?;
                good.batches.push(rows);
            }
        }
        good.stored = stored.ranges();
        good.dead = dead.ranges();
        Ok(good)
    }
}

/// Notes the offset of each row; answers which rows an object can hold.
fn note(batch: &RecordBatch, stored: &mut Offsets, dead: &mut Offsets) -> Result<Vec<bool>> {
    let missing = || Error::internal("a batch lacks a column of the envelope");
    let column = |name: &str| batch.column_by_name(name).ok_or_else(missing);
    let partitions = column("_partition")?.as_primitive_opt::<Int32Type>();
    let offsets = column("_offset")?.as_primitive_opt::<Int64Type>();
    let (partitions, offsets) = (
        partitions.ok_or_else(missing)?,
        offsets.ok_or_else(missing)?,
    );
    let errors = column("_error")?;
    let rows = partitions.values().iter().zip(offsets.values()).enumerate();
    let kept = rows.map(|(row, (partition, offset))| {
        let kept = errors.is_null(row);
        let into = if kept { &mut *stored } else { &mut *dead };
        into.0.entry(*partition).or_default().push(*offset);
        kept
    });
    Ok(kept.collect())
}

/// Offsets by partition.
#[derive(Default)]
struct Offsets(BTreeMap<i32, Vec<i64>>);

impl Offsets {
    fn ranges(self) -> Ranges {
        let ranges = self.0.into_iter().map(|(partition, mut offsets)| {
            // Rows of like keys were put together.
            offsets.sort_unstable();
            let mut ranges: Vec<(i64, i64)> = Vec::new();
            for offset in offsets {
                match ranges.last_mut() {
                    Some((_, end)) if *end == offset => *end += 1,
                    _ => ranges.push((offset, offset + 1)),
                }
            }
            (partition, ranges)
        });
        ranges.collect()
    }
}
