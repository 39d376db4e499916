//! The rows of a cut by the partition that their file belongs to.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::interleave_record_batch;
use arrow::datatypes::{Int64Type, Schema};

use crate::error::{Error, Result};
use crate::partition::{Placement, Values};
use crate::read::bytes_of;
use crate::schema::KIND;

/// Batches of more bytes aren't gathered into one: its string offsets have 31 bits.
const GATHER_BYTES: usize = 512 << 20;

/// The rows of one partition: places in a cut's batches. Nothing is copied before its file's turn.
#[derive(Debug, Default)]
pub(super) struct PartitionRows {
    /// Batches that hold no other partition.
    whole: Vec<usize>,
    /// Rows of batches that do: the batch and the row in it, the batches in order.
    rows: Vec<(u32, u32)>,
}

/// The rows of `batches` by their partition, of which `placements` has those of each batch.
///
/// # Errors
/// `Internal` when the two don't fit together.
pub(super) fn by_partition(
    batches: &[RecordBatch],
    placements: &[Placement],
) -> Result<BTreeMap<Values, PartitionRows>> {
    let mut parts: BTreeMap<Values, PartitionRows> = BTreeMap::new();
    let fit = batches.len() == placements.len();
    let mut pairs = batches.iter().zip(placements);
    if !fit || pairs.any(|(batch, placed)| batch.num_rows() != placed.rows()) {
        return Err(misplaced());
    }
    for (at, placement) in placements.iter().enumerate() {
        if let [only] = placement.partitions() {
            parts.entry(only.clone()).or_default().whole.push(at);
            continue;
        }
        let at = u32::try_from(at).map_err(|_| Error::internal("a cut has too many batches"))?;
        let mut rows: Vec<Vec<(u32, u32)>> = vec![Vec::new(); placement.partitions().len()];
        for (row, number) in (0_u32..).zip(placement.numbers()) {
            let number = usize::try_from(number).map_err(|_| misplaced())?;
            rows.get_mut(number).ok_or_else(misplaced)?.push((at, row));
        }
        for (values, rows) in placement.partitions().iter().zip(rows) {
            let part = parts.entry(values.clone()).or_default();
            part.rows.extend(rows);
        }
    }
    Ok(parts)
}

impl PartitionRows {
    /// The least and the greatest offset of the rows.
    ///
    /// # Errors
    /// As [`PartitionRows::gather`].
    pub(super) fn ends(&self, batches: &[RecordBatch]) -> Result<(i64, i64)> {
        let offsets = |at: usize| {
            let column = batches.get(at)?.column_by_name("_offset")?;
            column.as_primitive_opt::<Int64Type>()
        };
        let (mut first, mut last) = (i64::MAX, i64::MIN);
        for at in &self.whole {
            for offset in offsets(*at).ok_or_else(misplaced)?.values() {
                (first, last) = (first.min(*offset), last.max(*offset));
            }
        }
        for (at, row) in &self.rows {
            let offsets = offsets(*at as usize).ok_or_else(misplaced)?;
            let offset = offsets.values().get(*row as usize).ok_or_else(misplaced)?;
            (first, last) = (first.min(*offset), last.max(*offset));
        }
        Ok((first, last))
    }

    /// The rows by their class, of which `classes` has those of each batch; those without one are
    /// with the least.
    ///
    /// # Errors
    /// `Internal` when the two don't fit together.
    pub(super) fn split(self, classes: &[Vec<Option<u32>>]) -> Result<Vec<Self>> {
        let class = |at: usize, row: usize| {
            let class = classes.get(at).and_then(|classes| classes.get(row));
            class.copied().ok_or_else(misplaced)
        };
        let mut places = self.rows.clone();
        for at in &self.whole {
            let rows = classes.get(*at).ok_or_else(misplaced)?.len();
            let number = |count: usize| u32::try_from(count).map_err(|_| misplaced());
            let (at, rows) = (number(*at)?, number(rows)?);
            places.extend((0..rows).map(|row| (at, row)));
        }
        let mut found = BTreeSet::new();
        for (at, row) in &places {
            found.extend(class(*at as usize, *row as usize)?);
        }
        let Some(least) = found.first().filter(|_| found.len() > 1) else {
            return Ok(vec![self]);
        };
        places.sort_unstable();
        let mut parts: BTreeMap<u32, Self> = BTreeMap::new();
        for (at, row) in places {
            let class = class(at as usize, row as usize)?.unwrap_or(*least);
            parts.entry(class).or_default().rows.push((at, row));
        }
        Ok(parts.into_values().collect())
    }

    /// The rows as batches, each with the columns that its rows have.
    ///
    /// # Errors
    /// `Internal` when `batches` aren't those that the places are of.
    pub(super) fn gather(&self, batches: &[RecordBatch]) -> Result<Vec<RecordBatch>> {
        let whole = self.whole.iter().map(|at| batches.get(*at).cloned());
        let whole: Option<Vec<RecordBatch>> = whole.collect();
        let mut gathered = whole.ok_or_else(misplaced)?;
        // Batches of the same columns are gathered in one go: with thousands of partitions,
        // each has a row or two in every batch.
        let mut gather = Gather::default();
        for rows in self.rows.chunk_by(|a, b| a.0 == b.0) {
            let Some((at, _)) = rows.first() else {
                continue;
            };
            let batch = batches.get(*at as usize).ok_or_else(misplaced)?;
            if !gather.takes(batch) {
                gathered.push(std::mem::take(&mut gather).finish()?);
            }
            gather.add(batch, rows.iter().map(|(_, row)| *row as usize));
        }
        if !gather.from.is_empty() {
            gathered.push(gather.finish()?);
        }
        Ok(gathered)
    }
}

/// Rows of several batches on their way into one.
#[derive(Default)]
struct Gather<'a> {
    from: Vec<&'a RecordBatch>,
    bytes: usize,
    places: Vec<(usize, usize)>,
}

impl<'a> Gather<'a> {
    fn takes(&self, batch: &RecordBatch) -> bool {
        self.from.last().is_none_or(|last| {
            let (a, b) = (last.schema_ref(), batch.schema_ref());
            (Arc::ptr_eq(a, b) || a == b) && self.bytes + bytes_of(batch) <= GATHER_BYTES
        })
    }

    fn add(&mut self, batch: &'a RecordBatch, rows: impl Iterator<Item = usize>) {
        let at = self.from.len();
        self.bytes += bytes_of(batch);
        self.from.push(batch);
        self.places.extend(rows.map(|row| (at, row)));
    }

    fn finish(self) -> Result<RecordBatch> {
        without_empty_columns(&interleave_record_batch(&self.from, &self.places)?)
    }
}

fn misplaced() -> Error {
    Error::internal("a partition's rows are of other batches")
}

/// A file holds only the columns that its rows have: a part of a batch may have fewer than the
/// whole. Envelope columns (without identity in their metadata) stay.
fn without_empty_columns(batch: &RecordBatch) -> Result<RecordBatch> {
    let schema = batch.schema();
    let (fields, columns): (Vec<_>, Vec<_>) = schema
        .fields()
        .iter()
        .zip(batch.columns())
        .filter(|(field, column)| {
            column.null_count() < batch.num_rows() || !field.metadata().contains_key(KIND)
        })
        .map(|(field, column)| (field.clone(), column.clone()))
        .unzip();
    let schema = Schema::new_with_metadata(fields, schema.metadata().clone());
    Ok(RecordBatch::try_new(schema.into(), columns)?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;
    use crate::partition::Partitioning;
    use arrow::array::{ArrayRef, Int64Array, StringArray, TimestampMicrosecondArray};

    const DAY_US: i64 = 86_400_000_000;

    fn batch(name: &str, times: &[Option<i64>], first: i64) -> RecordBatch {
        let rows = i64::try_from(times.len()).unwrap();
        let times = times.iter().map(|day| day.map(|day| day * DAY_US + 1));
        let arrivals = (0..rows).map(|_| Some(20_000 * DAY_US + 5));
        let columns: [(&str, ArrayRef); 4] = [
            (
                name,
                Arc::new(Int64Array::from_iter_values(first..first + rows)),
            ),
            (
                "text",
                Arc::new(StringArray::from_iter_values(
                    (0..rows).map(|row| row.to_string()),
                )),
            ),
            (
                "_timestamp",
                Arc::new(times.collect::<TimestampMicrosecondArray>()),
            ),
            (
                "_ingested_at",
                Arc::new(arrivals.collect::<TimestampMicrosecondArray>()),
            ),
        ];
        RecordBatch::try_from_iter_with_nullable(columns.map(|(n, c)| (n, c, true))).unwrap()
    }

    #[test]
    fn each_row_is_in_its_partition_once_whatever_batch_it_came_in() {
        // The 15,000th day is 2011-01-26, the 20,000th, on which all arrive, 2024-10-04.
        let batches = [
            batch("a", &[Some(15_000), Some(15_001), None, Some(15_000)], 0),
            batch("a", &[Some(15_001), Some(15_002)], 10),
            batch("b", &[Some(15_001), Some(3)], 20),
            batch("a", &[Some(15_002), Some(15_002)], 30),
            batch("a", &[Some(30_000), Some(15_001)], 40),
        ];
        let place = |batch| Partitioning::by_day().place(batch).unwrap();
        let placements: Vec<Placement> = batches.iter().map(place).collect();
        let days = by_partition(&batches, &placements).unwrap();
        let found = |day: &str| -> Vec<Vec<i64>> {
            let parts = days[&vec![Some(day.to_owned())]].gather(&batches).unwrap();
            let column = |part: &RecordBatch| {
                assert_eq!(part.num_columns(), 4);
                part.column(0).as_primitive::<Int64Type>().values().to_vec()
            };
            parts.iter().map(column).collect()
        };
        assert_eq!(days.len(), 4);
        assert_eq!(found("2011-01-26"), [[0, 3]]);
        assert_eq!(found("2011-01-27"), [vec![1, 10], vec![20], vec![41]]);
        // A whole batch is not copied.
        assert_eq!(found("2011-01-28"), [vec![30, 31], vec![11]]);
        assert_eq!(found("2024-10-04"), [vec![2], vec![21], vec![40]]);
        assert!(by_partition(&batches[1..], &placements).is_err());
        assert!(by_partition(&batches[1..], &placements[..4]).is_err());
    }
}
