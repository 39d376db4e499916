//! Rows by the day that their file is partitioned by (`dt`).

use std::collections::BTreeMap;

use arrow::array::{Array, RecordBatch, TimestampMicrosecondArray, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::Schema;
use chrono::DateTime;

use crate::error::{Error, Result};
use crate::schema::KIND;

const DAY_US: i64 = 86_400_000_000;

/// 2000-01-01. Earlier times are clocks that were never set.
const FIRST_DAY: i64 = 10_957;

/// The rows of `batches` by day (days since the epoch, UTC). A record without a time, from before
/// 2000 or from more than a day ahead of `now_us` counts as today.
///
/// # Errors
/// `Internal` when a batch has no `_timestamp`.
pub(super) fn by_day(
    batches: &[RecordBatch],
    now_us: i64,
) -> Result<BTreeMap<i64, Vec<RecordBatch>>> {
    let mut days: BTreeMap<i64, Vec<RecordBatch>> = BTreeMap::new();
    for batch in batches.iter().filter(|batch| batch.num_rows() > 0) {
        let rows = rows_of_days(batch, now_us)?;
        if let [(day, _)] = rows.iter().collect::<Vec<_>>().as_slice() {
            days.entry(**day).or_default().push(batch.clone());
            continue;
        }
        for (day, rows) in rows {
            let part = take_record_batch(batch, &UInt32Array::from(rows))?;
            days.entry(day)
                .or_default()
                .push(without_empty_columns(&part)?);
        }
    }
    Ok(days)
}

/// The text of a day: `2026-11-23`.
pub(super) fn day_text(day: i64) -> String {
    DateTime::from_timestamp(day.saturating_mul(86_400), 0).map_or_else(
        || "1970-01-01".to_owned(),
        |time| time.format("%Y-%m-%d").to_string(),
    )
}

fn rows_of_days(batch: &RecordBatch, now_us: i64) -> Result<BTreeMap<i64, Vec<u32>>> {
    let times = batch
        .column_by_name("_timestamp")
        .and_then(|column| column.as_any().downcast_ref::<TimestampMicrosecondArray>())
        .ok_or_else(|| Error::internal("a batch has no column `_timestamp`"))?;
    let today = now_us.div_euclid(DAY_US);
    let latest_us = now_us.saturating_add(DAY_US);
    let mut days: BTreeMap<i64, Vec<u32>> = BTreeMap::new();
    let mut last: Option<(i64, Vec<u32>)> = None;
    for (row, time) in (0_u32..).zip(times.iter()) {
        let day = match time {
            Some(us) if us <= latest_us => Some(us.div_euclid(DAY_US)),
            _ => None,
        };
        let day = day.filter(|day| *day >= FIRST_DAY).unwrap_or(today);
        // Neighbours mostly share a day: the map is only touched when it changes.
        match &mut last {
            Some((current, rows)) if *current == day => rows.push(row),
            _ => {
                if let Some((before, rows)) = last.take() {
                    days.entry(before).or_default().extend(rows);
                }
                last = Some((day, vec![row]));
            }
        }
    }
    if let Some((day, rows)) = last {
        days.entry(day).or_default().extend(rows);
    }
    Ok(days)
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
