//! One source per offset range: live rows clipped to what lies beyond a snapshot (P20, E8). Pure.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, BooleanArray, Int32Array, Int64Array, RecordBatch};
use arrow::compute::filter_record_batch;

use crate::error::{Error, Result};
use crate::read::live::LiveBatch;
use crate::record::{Position, TopicId};

/// Live rows beyond a snapshot.
#[derive(Debug, Clone, Default)]
pub struct Clipped {
    /// The rows, each offset at most once and none below the snapshot's position. Columns have
    /// provisional names; bind them by identity (P12).
    pub batches: Vec<RecordBatch>,
    /// Per partition the offset up to which snapshot and live rows together answer.
    pub ends: BTreeMap<(TopicId, i32), i64>,
    /// A range began beyond what the snapshot and the ranges before it cover: the snapshot is older
    /// than the live rows. Its rows are left out; a fresher snapshot has what is missing.
    pub gap: bool,
}

/// The rows of `live` beyond `positions`.
///
/// Two writers may offer the same offsets for a moment, a zombie and its successor. They hold the
/// same records, so each offset is taken from whichever range comes first.
///
/// # Errors
/// `Internal` when a batch has no envelope.
pub fn clip(
    live: &[Arc<LiveBatch>],
    positions: &BTreeMap<(TopicId, i32), Position>,
) -> Result<Clipped> {
    let mut clipped = Clipped {
        ends: positions
            .iter()
            .map(|(partition, position)| (partition.clone(), position.offset))
            .collect(),
        ..Clipped::default()
    };
    let mut ranges: Vec<_> = live
        .iter()
        .enumerate()
        .flat_map(|(batch, live)| live.ranges.iter().map(move |range| (range, batch)))
        .collect();
    ranges.sort_by(|(a, a_batch), (b, b_batch)| {
        (&a.topic_id, a.partition, a.lo, a_batch).cmp(&(&b.topic_id, b.partition, b.lo, b_batch))
    });
    let mut takes = vec![Take::default(); live.len()];
    for (range, batch) in ranges {
        let key = (range.topic_id.clone(), range.partition);
        let Some(end) = clipped.ends.get_mut(&key).filter(|end| **end >= range.lo) else {
            clipped.gap = true;
            if let Some(take) = takes.get_mut(batch) {
                take.partial = true;
            }
            continue;
        };
        let from = range.lo.max(*end);
        *end = range.hi.max(*end);
        if let Some(take) = takes.get_mut(batch) {
            take.partial |= from > range.lo;
            if from < range.hi {
                take.offsets.insert(range.partition, (from, range.hi));
            }
        }
    }
    for (live, take) in live.iter().zip(takes) {
        if take.offsets.is_empty() {
            continue;
        }
        for batch in &live.batches {
            let rows = match take.partial {
                false => batch.clone(),
                true => rows_of(batch, &take.offsets)?,
            };
            if rows.num_rows() > 0 {
                clipped.batches.push(rows);
            }
        }
    }
    Ok(clipped)
}

/// What to take of one batch.
#[derive(Debug, Clone, Default)]
struct Take {
    /// Per partition the offsets `[from, to)`.
    offsets: BTreeMap<i32, (i64, i64)>,
    /// Not all of it.
    partial: bool,
}

fn rows_of(batch: &RecordBatch, offsets: &BTreeMap<i32, (i64, i64)>) -> Result<RecordBatch> {
    let partitions: &Int32Array = envelope(batch, "_partition")?;
    let row_offsets: &Int64Array = envelope(batch, "_offset")?;
    let mask: BooleanArray = partitions
        .iter()
        .zip(row_offsets.iter())
        .map(|(partition, offset)| {
            let within = partition
                .and_then(|partition| offsets.get(&partition))
                .zip(offset)
                .is_some_and(|((from, to), offset)| offset >= *from && offset < *to);
            Some(within)
        })
        .collect();
    Ok(filter_record_batch(batch, &mask)?)
}

fn envelope<'a, A: Array + 'static>(batch: &'a RecordBatch, name: &str) -> Result<&'a A> {
    batch
        .column_by_name(name)
        .and_then(|column| column.as_any().downcast_ref())
        .ok_or_else(|| Error::internal(format!("a batch of live rows has no column `{name}`")))
}

#[cfg(test)]
mod tests;
