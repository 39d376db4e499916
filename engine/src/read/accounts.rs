//! Which offsets a version of a table holds as rows, and which of them twice: E1 is checked by it.
//!
//! Only the envelope's columns are read. What explains an offset that is no row is Kafka's to say.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{Int32Type, Int64Type};
use futures::TryStreamExt;
use parquet::arrow::ProjectionMask;
use parquet::arrow::async_reader::ParquetRecordBatchStreamBuilder;

use crate::commit::DataFile;
use crate::error::{Error, Result};
use crate::lake::Lake;
use crate::path::TablePath;
use crate::read::Snapshot;
use crate::read::fetch::Fetch;
use crate::record::TopicId;

/// The rows of one partition of one incarnation of the topic.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Account {
    /// The rows, doubled ones counted as often as they are there.
    pub rows: u64,
    /// Those with `_error`.
    pub dead_letters: u64,
    /// The offsets that are rows: half-open ranges in order, none touching the next.
    pub ranges: Vec<(i64, i64)>,
    /// The offsets that are rows more than once, as such ranges.
    pub doubled: Vec<(i64, i64)>,
}

/// Reads the offsets of every row of a version.
///
/// # Errors
/// `NotFound` or `Data` when a file of the version is gone or broken; `Unavailable`.
pub async fn accounts(
    lake: &Lake,
    table: &TablePath,
    snapshot: &Snapshot,
) -> Result<BTreeMap<(TopicId, i32), Account>> {
    accounts_of(lake, table, &snapshot.files).await
}

/// Reads the offsets of every row of `files`.
///
/// # Errors
/// As [`accounts`].
pub(crate) async fn accounts_of(
    lake: &Lake,
    table: &TablePath,
    files: &[Arc<DataFile>],
) -> Result<BTreeMap<(TopicId, i32), Account>> {
    let mut found: BTreeMap<(String, i32), Rows> = BTreeMap::new();
    for file in files {
        let reader = Fetch::of(lake, table, file);
        let broken = |error| {
            Error::data(format!(
                "file `{}` of table `{table}` can't be read",
                file.path
            ))
            .with_source(error)
        };
        let builder = ParquetRecordBatchStreamBuilder::new(reader)
            .await
            .map_err(broken)?;
        let mask = ProjectionMask::columns(
            builder.parquet_schema(),
            ["_topic_id", "_partition", "_offset", "_error"],
        );
        let mut batches = builder.with_projection(mask).build().map_err(broken)?;
        while let Some(batch) = batches.try_next().await.map_err(broken)? {
            gather(&batch, &mut found)?;
        }
    }
    let accounts = found
        .into_iter()
        .map(|((topic_id, partition), rows)| ((TopicId::new(topic_id), partition), rows.account()));
    Ok(accounts.collect())
}

impl Account {
    /// Adds what is stored beside the table, `dead` of them as dead letters.
    pub(crate) fn store(&mut self, ranges: &[(i64, i64)], dead: u64) {
        let rows: u64 = ranges.iter().map(|(from, to)| to.abs_diff(*from)).sum();
        self.add(&Self {
            rows,
            dead_letters: dead,
            ranges: ranges.to_vec(),
            doubled: Vec::new(),
        });
    }

    /// Adds what another table or object holds. An offset that both have is doubled.
    pub fn add(&mut self, more: &Self) {
        self.rows += more.rows;
        self.dead_letters += more.dead_letters;
        self.doubled.extend(&more.doubled);
        let mut all = std::mem::take(&mut self.ranges);
        all.extend(&more.ranges);
        all.sort_unstable();
        for (from, to) in all {
            match self.ranges.last_mut() {
                Some((_, end)) if from <= *end => {
                    if from < *end {
                        self.doubled.push((from, to.min(*end)));
                    }
                    *end = to.max(*end);
                }
                _ => self.ranges.push((from, to)),
            }
        }
    }
}

#[derive(Default)]
struct Rows {
    /// Runs of offsets as they were met; one run per stretch of a file.
    runs: Vec<(i64, i64)>,
    rows: u64,
    dead_letters: u64,
}

impl Rows {
    fn add(&mut self, offset: i64, dead: bool) {
        self.rows += 1;
        self.dead_letters += u64::from(dead);
        match self.runs.last_mut() {
            Some((_, end)) if *end == offset => *end += 1,
            _ => self.runs.push((offset, offset + 1)),
        }
    }

    fn account(mut self) -> Account {
        self.runs.sort_unstable();
        let mut ranges: Vec<(i64, i64)> = Vec::new();
        let mut doubled = Vec::new();
        for (start, end) in self.runs {
            match ranges.last_mut() {
                Some((_, known)) if start <= *known => {
                    if start < *known {
                        append(&mut doubled, (start, end.min(*known)));
                    }
                    *known = end.max(*known);
                }
                _ => ranges.push((start, end)),
            }
        }
        Account {
            rows: self.rows,
            dead_letters: self.dead_letters,
            ranges,
            doubled,
        }
    }
}

fn append(ranges: &mut Vec<(i64, i64)>, range: (i64, i64)) {
    match ranges.last_mut() {
        Some((_, end)) if range.0 <= *end => *end = range.1.max(*end),
        _ => ranges.push(range),
    }
}

fn gather(batch: &RecordBatch, found: &mut BTreeMap<(String, i32), Rows>) -> Result<()> {
    let column = |name: &str| -> Result<&ArrayRef> {
        batch
            .column_by_name(name)
            .ok_or_else(|| Error::data(format!("a file has no column `{name}`")))
    };
    let wrong = || Error::data("an envelope column has another type than Eddy writes");
    let topic_ids = column("_topic_id")?
        .as_string_opt::<i32>()
        .ok_or_else(wrong)?;
    let partitions = column("_partition")?
        .as_primitive_opt::<Int32Type>()
        .ok_or_else(wrong)?;
    let offsets = column("_offset")?
        .as_primitive_opt::<Int64Type>()
        .ok_or_else(wrong)?;
    let errors = column("_error")?;
    let mut current: Option<(&str, i32, Rows)> = None;
    for row in 0..batch.num_rows() {
        let key = (topic_ids.value(row), partitions.value(row));
        let same = current
            .as_ref()
            .is_some_and(|(id, partition, _)| (*id, *partition) == key);
        if !same {
            let next = found.remove(&(key.0.to_owned(), key.1)).unwrap_or_default();
            if let Some((id, partition, rows)) = current.replace((key.0, key.1, next)) {
                found.insert((id.to_owned(), partition), rows);
            }
        }
        if let Some((_, _, rows)) = current.as_mut() {
            rows.add(offsets.value(row), errors.is_valid(row));
        }
    }
    if let Some((id, partition, rows)) = current {
        found.insert((id.to_owned(), partition), rows);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_names_holes_and_doubles_whatever_the_order_of_the_files() {
        let mut rows = Rows::default();
        for offset in [5, 6, 7, 0, 1, 2, 6, 7, 8, 1] {
            rows.add(offset, offset == 0);
        }
        let account = rows.account();
        assert_eq!(account.rows, 10);
        assert_eq!(account.dead_letters, 1);
        assert_eq!(account.ranges, [(0, 3), (5, 9)]);
        assert_eq!(account.doubled, [(1, 2), (6, 8)]);
    }
}
