//! Decoded records, a batch at a time: columns as wholes where they fit, the rest row by row.

use std::collections::HashSet;

use arrow::array::{Array, RecordBatch};
use arrow::datatypes::FieldRef;

use super::envelope::payload_bytes;
use super::fit::Needs;
use super::group::WIDE;
use super::tape::Token;
use super::tree::ROOT;
use super::typed::{Fault, Typed};
use super::whole::Whole;
use super::{FULL_BYTES, Shredder};
use crate::record::Record;

/// Columns of a batch and their places in it.
type Slow<'a> = Vec<(&'a FieldRef, usize)>;

impl Shredder {
    /// Appends decoded records as rows: a row of `batch` is the payload of the record in its
    /// place, and a column is a key. A row with a value that no column can hold becomes one with
    /// `_error`; the others are unharmed. Records and rows are equally many.
    pub fn append_batch(
        &mut self,
        records: &[Record<'_>],
        batch: &RecordBatch,
        ingested_at_us: i64,
    ) {
        debug_assert_eq!(records.len(), batch.num_rows());
        let (mut whole, slow) = self.parts(batch);
        let mut rows = texts(&slow, batch);
        if !whole.is_empty() && rows.iter().any(Result::is_err) {
            // A row that fails has no columns at all, so all go row by row.
            whole.clear();
            rows = texts(&all(batch), batch);
        }
        let taken: usize = whole.iter().map(|(_, whole)| whole.bytes()).sum();
        let own: usize = records.iter().map(payload_bytes).sum();
        let written: usize = rows.iter().flatten().map(|typed| typed.text.len()).sum();
        let payload = own + taken + written;
        if payload > FULL_BYTES && records.len() > 1 {
            // Nothing was touched yet.
            let (half, rest) = records.split_at(records.len() / 2);
            self.append_batch(half, &batch.slice(0, half.len()), ingested_at_us);
            let others = batch.slice(half.len(), rest.len());
            return self.append_batch(rest, &others, ingested_at_us);
        }
        let base = self.begin_rows(payload);
        if self.grouping && !whole.is_empty() {
            // The rows before were sealed, and the next ones are to be grouped.
            whole.clear();
            rows = texts(&all(batch), batch);
        }
        for (field, whole) in &whole {
            self.tree.append_whole(ROOT, field.name(), whole, base);
            self.tree.bytes += whole.bytes();
        }
        for ((row, record), typed) in (base..).zip(records).zip(rows) {
            let error = match &typed {
                Ok(typed) => {
                    self.take(&typed.tape, &typed.text, row);
                    None
                }
                Err(fault) => Some(format!("value: {fault}")),
            };
            self.end_row(record, ingested_at_us, error.as_deref());
        }
    }

    /// The columns that go as wholes, and the others.
    fn parts<'a>(&self, batch: &'a RecordBatch) -> (Vec<(&'a FieldRef, Whole)>, Slow<'a>) {
        let fields = batch.schema_ref().fields();
        let names: HashSet<&String> = fields.iter().map(|field| field.name()).collect();
        let groups = match self.envelope.rows() {
            0 => self.tree.leaves() >= WIDE,
            _ => self.grouping,
        };
        if groups || names.len() < fields.len() {
            return (Vec::new(), all(batch));
        }
        let (mut whole, mut slow) = (Vec::new(), Vec::new());
        let mut needs = Needs::default();
        for (at, (field, column)) in fields.iter().zip(batch.columns()).enumerate() {
            let admitted = Whole::of(field, column)
                .filter(|whole| self.tree.admits(ROOT, field.name(), whole, &mut needs));
            match admitted {
                Some(column) => whole.push((field, column)),
                None => slow.push((field, at)),
            }
        }
        (whole, slow)
    }
}

fn all(batch: &RecordBatch) -> Slow<'_> {
    batch.schema_ref().fields().iter().zip(0..).collect()
}

/// Some columns of each row as an object, or why that can't be.
fn texts(columns: &[(&FieldRef, usize)], batch: &RecordBatch) -> Vec<Result<Typed, Fault>> {
    let row = |row| {
        let mut typed = Typed::default();
        if !columns.is_empty() {
            typed.row(columns, batch, row)?;
        }
        Ok(typed)
    };
    (0..batch.num_rows()).map(row).collect()
}

impl Typed {
    fn row(
        &mut self,
        columns: &[(&FieldRef, usize)],
        batch: &RecordBatch,
        row: usize,
    ) -> Result<(), Fault> {
        self.begin(Token::Object)?;
        for (field, at) in columns {
            let Some(column) = batch.columns().get(*at).filter(|one| one.is_valid(row)) else {
                continue;
            };
            self.key(field.name());
            self.cell(field, column, row)
                .map_err(|fault| format!("column `{}`: {fault}", field.name()))?;
        }
        self.end();
        self.check_size()
    }
}
