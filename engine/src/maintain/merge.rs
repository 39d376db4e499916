//! Many files become one stream of rows in order, with a bounded part of them in memory.
//!
//! Inputs come in order of their oldest row. Rows older than the oldest of the next input can be
//! given out; when there are none, that input is opened. So what is in memory is what overlaps in
//! time, which for files of successive commits is little. Where it is more than the budget, what is
//! in memory is given out as it is and the caller is told to begin another file: each file stays in
//! order, and a later rewrite, which reads them as streams, can put them together.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};

use arrow::array::RecordBatch;
use arrow::compute::interleave_record_batch;
use arrow::datatypes::{DataType, Fields, SchemaRef};
use bytes::Bytes;
use parquet::arrow::arrow_reader::ArrowReaderOptions;

use crate::elide::Values;
use crate::error::{Error, Result};
use crate::lake::Lake;
use crate::maintain::input::{Input, fetch};
use crate::maintain::rows::{Key, Reader, Run};
use crate::maintain::sizes::{Sizes, rows_of_batch};
use crate::path::TablePath;

/// Bytes of inputs fetched ahead.
const AHEAD_BYTES: u64 = 16 << 20;
/// Inputs fetched ahead.
const AHEAD_FILES: usize = 16;

/// What comes next of a merge.
pub(super) enum Part {
    /// Rows that follow all before.
    Rows(RecordBatch),
    /// What follows does not come after what was before: begin another file.
    Break,
}

/// The merge of the inputs of one rewrite.
pub(super) struct Merge {
    lake: Lake,
    table: TablePath,
    target: SchemaRef,
    /// Decoded bytes that may be in memory.
    budget_bytes: usize,
    batch_rows: usize,
    inputs: VecDeque<Input>,
    fetched: VecDeque<Bytes>,
    runs: BTreeMap<usize, Run>,
    opened: usize,
    heads: BinaryHeap<Reverse<(Key, usize)>>,
    /// Over the budget: what is in memory goes out before anything else is opened.
    draining: bool,
    last_us: i64,
}

impl Merge {
    /// Over `inputs`, in order of their oldest rows, each bound to the columns of `target`.
    pub(super) fn new(
        lake: &Lake,
        table: &TablePath,
        inputs: Vec<Input>,
        target: &SchemaRef,
        budget_bytes: usize,
    ) -> Self {
        Self {
            lake: lake.clone(),
            table: table.clone(),
            target: SchemaRef::clone(target),
            budget_bytes,
            batch_rows: batch_rows(&inputs, target),
            inputs: inputs.into(),
            fetched: VecDeque::new(),
            runs: BTreeMap::new(),
            opened: 0,
            heads: BinaryHeap::new(),
            draining: false,
            last_us: i64::MIN,
        }
    }

    /// What comes next; `None` at the end.
    ///
    /// # Errors
    /// `Unavailable`, `NotFound`, `Data` for inputs that can't be read.
    pub(super) fn next(&mut self) -> Result<Option<Part>> {
        if self.draining && self.heads.is_empty() {
            self.draining = false;
            if self
                .inputs
                .front()
                .is_some_and(|next| next.from_us <= self.last_us)
            {
                return Ok(Some(Part::Break));
            }
        }
        self.open_what_is_due()?;
        let limit = match self.inputs.front() {
            Some(next) if !self.draining => next.from_us,
            _ => i64::MAX,
        };
        let rows = self.pick(limit)?;
        Ok(rows.map(Part::Rows))
    }

    /// Opens inputs until some row is older than all that are not open.
    fn open_what_is_due(&mut self) -> Result<()> {
        while let Some(next) = self.inputs.front() {
            let known = self.heads.peek().map(|Reverse((key, _))| key.timestamp_us);
            if self.draining || known.is_some_and(|known| known < next.from_us) {
                break;
            }
            self.open_next()?;
            let held: usize = self.runs.values().map(Run::bytes).sum();
            self.draining = held > self.budget_bytes && !self.inputs.is_empty();
        }
        Ok(())
    }

    fn open_next(&mut self) -> Result<()> {
        if self.fetched.is_empty() {
            self.fetched = self.fetch_ahead()?.into();
        }
        let (Some(input), Some(bytes)) = (self.inputs.pop_front(), self.fetched.pop_front()) else {
            return Err(Error::internal("an input was not fetched"));
        };
        let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        // A stream needs little at a time; what must be sorted had better be few runs.
        let rows = if input.sorted {
            self.batch_rows
        } else {
            self.batch_rows * 8
        };
        let path = self.table.object(&input.file.path);
        let keys = self.lake.keys();
        let batches = keys
            .reader(bytes, path.as_ref(), options)?
            .with_batch_size(rows)
            .build()?;
        let mut reader = Reader {
            batches,
            values: Values::new(input.schema.fields()),
            identified: input.schema,
            target: SchemaRef::clone(&self.target),
        };
        if input.sorted {
            if let Some(run) = Run::streaming(reader)? {
                self.add(run);
            }
            return Ok(());
        }
        while let Some(batch) = reader.next()? {
            self.add(Run::sorting(batch)?);
        }
        Ok(())
    }

    fn fetch_ahead(&self) -> Result<Vec<Bytes>> {
        let mut ahead = Vec::new();
        let mut bytes = 0;
        for input in self.inputs.iter().take(AHEAD_FILES) {
            bytes += input.file.size;
            if !ahead.is_empty() && bytes > AHEAD_BYTES {
                break;
            }
            ahead.push(input.clone());
        }
        fetch(&self.lake, &self.table, &ahead)
    }

    fn add(&mut self, run: Run) {
        if let Some(key) = run.key() {
            self.heads.push(Reverse((key, self.opened)));
            self.runs.insert(self.opened, run);
            self.opened += 1;
        }
    }

    /// The next rows older than `limit_us`, at most a batch.
    fn pick(&mut self, limit_us: i64) -> Result<Option<RecordBatch>> {
        let mut picked = Picked::default();
        while picked.rows.len() < self.batch_rows {
            let Some(Reverse((key, id))) = self.heads.peek().copied() else {
                break;
            };
            if key.timestamp_us >= limit_us && limit_us < i64::MAX {
                break;
            }
            self.heads.pop();
            let other = self.heads.peek().map(|Reverse(other)| *other);
            let Some(run) = self.runs.get_mut(&id) else {
                return Err(Error::internal("a run of rows is not there"));
            };
            let slot = picked.slot(id, run);
            // As many rows of this run as come before those of every other.
            let next = loop {
                picked.rows.push((slot, run.row()));
                run.advance();
                let Some(key) = run.key() else {
                    picked.slots.remove(&id);
                    break if run.refill()? { run.key() } else { None };
                };
                let passed = other.is_some_and(|other| (key, id) > other);
                if passed || key.timestamp_us >= limit_us || picked.rows.len() >= self.batch_rows {
                    break Some(key);
                }
            };
            self.last_us = self.last_us.max(key.timestamp_us);
            match next {
                Some(key) => self.heads.push(Reverse((key, id))),
                None => {
                    self.runs.remove(&id);
                }
            }
        }
        picked.into_batch()
    }
}

/// Rows picked out of several batches.
#[derive(Default)]
struct Picked {
    batches: Vec<RecordBatch>,
    slots: BTreeMap<usize, usize>,
    rows: Vec<(usize, usize)>,
}

impl Picked {
    fn slot(&mut self, id: usize, run: &Run) -> usize {
        *self.slots.entry(id).or_insert_with(|| {
            self.batches.push(run.batch().clone());
            self.batches.len() - 1
        })
    }

    fn into_batch(self) -> Result<Option<RecordBatch>> {
        let Some((_, first)) = self.rows.first().copied() else {
            return Ok(None);
        };
        if let [batch] = self.batches.as_slice() {
            let together = self
                .rows
                .iter()
                .zip(first..)
                .all(|((_, row), at)| *row == at);
            if together {
                return Ok(Some(batch.slice(first, self.rows.len())));
            }
        }
        let batches: Vec<&RecordBatch> = self.batches.iter().collect();
        Ok(Some(interleave_record_batch(&batches, &self.rows)?))
    }
}

/// Rows of a batch of the inputs.
fn batch_rows(inputs: &[Input], target: &SchemaRef) -> usize {
    let sizes: Vec<Sizes> = inputs.iter().map(|input| input.sizes).collect();
    rows_of_batch(&sizes, leaves(target.fields()))
}

/// The columns that hold values, those inside of structs and lists counted each.
pub(super) fn leaves(fields: &Fields) -> usize {
    let inside = |data_type: &DataType| match data_type {
        DataType::Struct(fields) => leaves(fields),
        DataType::List(element) => match element.data_type() {
            DataType::Struct(fields) => leaves(fields),
            _ => 1,
        },
        _ => 1,
    };
    fields.iter().map(|field| inside(field.data_type())).sum()
}
