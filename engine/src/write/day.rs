//! Rows by the day that their file is partitioned by (`dt`).

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, RecordBatch, TimestampMicrosecondArray};
use arrow::compute::interleave_record_batch;
use arrow::datatypes::Schema;
use chrono::DateTime;

use crate::error::{Error, Result};
use crate::read::bytes_of;
use crate::schema::KIND;

const DAY_US: i64 = 86_400_000_000;

/// 2000-01-01. Earlier times are clocks that were never set.
const FIRST_DAY: i64 = 10_957;

/// Batches of more bytes aren't gathered into one: its string offsets have 31 bits.
const GATHER_BYTES: usize = 512 << 20;

/// The rows of one day: places in a cut's batches. Nothing is copied before its file's turn.
#[derive(Debug, Default)]
pub(super) struct DayRows {
    /// Batches that hold no other day.
    whole: Vec<usize>,
    /// Rows of batches that do: the batch and the row in it, the batches in order.
    rows: Vec<(u32, u32)>,
}

/// The rows of `batches` by day (days since the epoch, UTC). A record without a time, from before
/// 2000 or from more than a day ahead of `now_us` counts as today.
///
/// # Errors
/// `Internal` when a batch has no `_timestamp`.
pub(super) fn by_day(batches: &[RecordBatch], now_us: i64) -> Result<BTreeMap<i64, DayRows>> {
    let mut days: BTreeMap<i64, DayRows> = BTreeMap::new();
    for (at, batch) in batches.iter().enumerate() {
        let of_days = days_of(batch, now_us)?;
        let Some(first) = of_days.first() else {
            continue;
        };
        if of_days.iter().all(|day| day == first) {
            days.entry(*first).or_default().whole.push(at);
            continue;
        }
        let at = u32::try_from(at).map_err(|_| Error::internal("a cut has too many batches"))?;
        for (row, day) in (0_u32..).zip(of_days) {
            days.entry(day).or_default().rows.push((at, row));
        }
    }
    Ok(days)
}

impl DayRows {
    /// The rows as batches, each with the columns that its rows have.
    ///
    /// # Errors
    /// `Internal` when `batches` aren't those that the places are of.
    pub(super) fn gather(&self, batches: &[RecordBatch]) -> Result<Vec<RecordBatch>> {
        let whole = self.whole.iter().map(|at| batches.get(*at).cloned());
        let whole: Option<Vec<RecordBatch>> = whole.collect();
        let mut gathered = whole.ok_or_else(misplaced)?;
        // Batches of the same columns are gathered in one go: with thousands of days, each has a
        // row or two in every batch.
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
    Error::internal("a day's rows are of other batches")
}

/// The text of a day: `2026-11-23`.
pub(super) fn day_text(day: i64) -> String {
    DateTime::from_timestamp(day.saturating_mul(86_400), 0).map_or_else(
        || "1970-01-01".to_owned(),
        |time| time.format("%Y-%m-%d").to_string(),
    )
}

fn days_of(batch: &RecordBatch, now_us: i64) -> Result<Vec<i64>> {
    let times = batch
        .column_by_name("_timestamp")
        .and_then(|column| column.as_any().downcast_ref::<TimestampMicrosecondArray>())
        .ok_or_else(|| Error::internal("a batch has no column `_timestamp`"))?;
    let today = now_us.div_euclid(DAY_US);
    let latest_us = now_us.saturating_add(DAY_US);
    let day = |time: Option<i64>| {
        let day = time.filter(|us| *us <= latest_us)?.div_euclid(DAY_US);
        (day >= FIRST_DAY).then_some(day)
    };
    Ok(times
        .iter()
        .map(|time| day(time).unwrap_or(today))
        .collect())
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
    use arrow::array::{ArrayRef, AsArray, Int64Array, StringArray};
    use arrow::datatypes::Int64Type;

    fn batch(name: &str, times: &[Option<i64>], first: i64) -> RecordBatch {
        let rows = i64::try_from(times.len()).unwrap();
        let times = times.iter().map(|day| day.map(|day| day * DAY_US + 1));
        let columns: [(&str, ArrayRef); 3] = [
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
        ];
        RecordBatch::try_from_iter_with_nullable(columns.map(|(n, c)| (n, c, true))).unwrap()
    }

    #[test]
    fn each_row_is_in_its_day_once_whatever_batch_it_came_in() {
        let now_us = 20_000 * DAY_US + 5;
        let batches = [
            batch("a", &[Some(15_000), Some(15_001), None, Some(15_000)], 0),
            batch("a", &[Some(15_001), Some(15_002)], 10),
            batch("b", &[Some(15_001), Some(3)], 20),
            batch("a", &[Some(15_002), Some(15_002)], 30),
            batch("a", &[Some(30_000), Some(15_001)], 40),
        ];
        let days = by_day(&batches, now_us).unwrap();
        let found = |day: i64| -> Vec<Vec<i64>> {
            let parts = days[&day].gather(&batches).unwrap();
            let column = |part: &RecordBatch| {
                assert_eq!(part.num_columns(), 3);
                part.column(0).as_primitive::<Int64Type>().values().to_vec()
            };
            parts.iter().map(column).collect()
        };
        assert_eq!(
            days.keys().copied().collect::<Vec<_>>(),
            [15_000, 15_001, 15_002, 20_000]
        );
        assert_eq!(found(15_000), [[0, 3]]);
        assert_eq!(found(15_001), [vec![1, 10], vec![20], vec![41]]);
        // A whole batch is not copied.
        assert_eq!(found(15_002), [vec![30, 31], vec![11]]);
        assert_eq!(found(20_000), [vec![2], vec![21], vec![40]]);
    }
}
