//! Which partition each row of a batch belongs to.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, StringBuilder, TimestampMicrosecondArray};

use crate::error::{Error, Result};
use crate::partition::field::Coded;
use crate::partition::time::meant;
use crate::partition::{Part, Partitioning, TimePart};

/// A partition: a value for each of the partitioning's columns, `None` is null.
pub type Values = Vec<Option<String>>;

/// The partitions of a batch's rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placement {
    values: Vec<Values>,
    /// The partition of each row by its number; none when there is only one.
    numbers: Vec<u32>,
    rows: usize,
}

impl Partitioning {
    /// The partitions of the rows of `batch`, which is as the shredder made it.
    ///
    /// # Errors
    /// `Internal` when the batch has no `_timestamp` and `_ingested_at`.
    pub fn place(&self, batch: &RecordBatch) -> Result<Placement> {
        let mut all: Option<Coded> = None;
        for part in self.parts() {
            let coded = match part {
                Part::Field(path) => path.values(batch),
                Part::Time(time) => stretches(time, batch)?,
            };
            all = Some(match all {
                Some(outer) => together(&outer, &coded),
                None => coded,
            });
        }
        let rows = batch.num_rows();
        let Coded {
            rows: mut numbers,
            values,
        } = all.unwrap_or_else(|| Coded {
            rows: Vec::new(),
            values: vec![Vec::new(); usize::from(rows > 0)],
        });
        if values.len() < 2 {
            numbers = Vec::new();
        }
        Ok(Placement {
            values,
            numbers,
            rows,
        })
    }
}

impl Placement {
    /// Rows by the numbers of their partitions.
    pub(crate) fn of(values: Vec<Values>, mut numbers: Vec<u32>) -> Self {
        let rows = numbers.len();
        if values.len() < 2 {
            numbers = Vec::new();
        }
        Self {
            values,
            numbers,
            rows,
        }
    }

    /// The rows of which `kept` says so, and their partitions.
    pub(crate) fn filter(&self, kept: &[bool]) -> Self {
        let mut values = Vec::new();
        let mut known: HashMap<u32, u32> = HashMap::new();
        let mut numbers = Vec::new();
        for (number, _) in self.numbers().zip(kept).filter(|(_, kept)| **kept) {
            let next = u32::try_from(values.len()).unwrap_or(u32::MAX);
            let new = *known.entry(number).or_insert(next);
            if new == next {
                let at = usize::try_from(number).unwrap_or(usize::MAX);
                values.push(self.values.get(at).cloned().unwrap_or_default());
            }
            numbers.push(new);
        }
        Self::of(values, numbers)
    }

    /// The partitions that the rows belong to. One may be named twice.
    pub fn partitions(&self) -> &[Values] {
        &self.values
    }

    /// The rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Each row's partition, as its place in [`Placement::partitions`].
    pub fn numbers(&self) -> impl Iterator<Item = u32> {
        let one = self.numbers.is_empty();
        let each = self.numbers.iter().copied();
        each.chain(std::iter::repeat_n(0, if one { self.rows } else { 0 }))
    }

    /// The bytes that it takes in memory.
    pub(crate) fn bytes(&self) -> usize {
        let texts = self.values.iter().flatten().flatten();
        texts.map(String::len).sum::<usize>() + self.numbers.len() * size_of::<u32>()
    }

    /// The value of each row in the column at `index`, as an array of strings.
    pub fn column(&self, index: usize) -> ArrayRef {
        let mut column = StringBuilder::with_capacity(self.rows, 0);
        let values: Vec<Option<&str>> = self
            .values
            .iter()
            .map(|values| values.get(index).and_then(Option::as_deref))
            .collect();
        for number in self.numbers() {
            let value = usize::try_from(number).ok().and_then(|at| values.get(at));
            column.append_option(value.copied().flatten());
        }
        Arc::new(column.finish())
    }
}

fn stretches(part: &TimePart, batch: &RecordBatch) -> Result<Coded> {
    let records = times(batch, "_timestamp")?;
    let arrivals = times(batch, "_ingested_at")?;
    let said = part.field().map(|field| field.times(batch));
    let mut stretches = part.stretches();
    let mut rows = Vec::with_capacity(batch.num_rows());
    for (row, (record, arrival)) in records.iter().zip(arrivals).enumerate() {
        let said = said
            .as_ref()
            .and_then(|said| said.get(row).copied().flatten());
        let time = meant([said, record], arrival.unwrap_or_default());
        rows.push(stretches.at(time));
    }
    let values = stretches.values;
    Ok(Coded { rows, values })
}

fn times<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a TimestampMicrosecondArray> {
    batch
        .column_by_name(name)
        .and_then(|column| column.as_any().downcast_ref())
        .ok_or_else(|| Error::internal(format!("a batch has no column `{name}`")))
}

/// The pairs that there are of two values each row has.
fn together(outer: &Coded, inner: &Coded) -> Coded {
    let mut known: HashMap<(u32, u32), u32> = HashMap::new();
    let mut coded = Coded::default();
    for pair in outer.rows.iter().copied().zip(inner.rows.iter().copied()) {
        let next = u32::try_from(coded.values.len()).unwrap_or(u32::MAX);
        let number = *known.entry(pair).or_insert(next);
        if number == next {
            let value = |of: &Coded, at: u32| {
                let at = usize::try_from(at).unwrap_or(usize::MAX);
                of.values.get(at).cloned().unwrap_or_default()
            };
            let mut values = value(outer, pair.0);
            values.extend(value(inner, pair.1));
            coded.values.push(values);
        }
        coded.rows.push(number);
    }
    coded
}
