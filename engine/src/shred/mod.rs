//! Records become Arrow batches, one at a time: our own JSON parser, then straight into columns.
//!
//! ```text
//! bytes --json.rs--> tape --walk.rs, list.rs--> columns of the tree --batch.rs--> RecordBatch
//!         (text.rs, number.rs)        (tree.rs, column.rs)     + envelope.rs
//! ```
//!
//! Types are discovered in the walk: an unknown key, or a value whose type fits none of its
//! key's columns, makes a column, if the budgets allow it; else the value goes to its object's
//! `_rescued` text. Nothing is dropped and nothing is cast in a way that loses something.
//!
//! The parse of a record ends before its shredding begins, so a broken record touches no column
//! but the envelope's. The cost of a row follows the values that it has, never the table's width:
//! columns without a value in a row are not visited, and nothing is allocated per row once the
//! buffers have grown.
//!
//! Names and growth are `schema/`'s; when to make a batch is `write/`'s.

mod batch;
mod column;
mod envelope;
mod json;
mod list;
mod number;
mod tape;
#[cfg(test)]
mod tests;
mod text;
#[cfg(any(test, feature = "testing"))]
mod to_json;
mod tree;
mod walk;

use std::collections::VecDeque;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use arrow::record_batch::RecordBatchOptions;

use crate::record::{Record, TopicId};
use crate::schema::Limits;
use crate::{Error, Result};
use column::Column;
use envelope::{Envelope, payload_bytes};
use json::Tape;
pub(crate) use number::is_exact;
use tape::Token;
use tree::{ROOT, Tree};
use walk::{Scratch, Walk};

#[cfg(any(test, feature = "testing"))]
pub(crate) use to_json::to_json;

/// Payload bytes from which a batch should be finished: far below the range of its offsets.
const FULL_BYTES: usize = 512 << 20;
/// Payload bytes that a batch never exceeds: string offsets have 31 bits.
const SEAL_BYTES: usize = i32::MAX as usize;

/// Which values are taken for JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Converter {
    /// What begins like a JSON object. Anything else is no JSON to begin with.
    #[default]
    Auto,
    /// Every value that there is: one that isn't JSON becomes a row with `_error`. JSON that is no
    /// object has no columns and lands with its envelope, as under [`Converter::Auto`].
    Json,
}

/// Makes batches of one topic's records.
#[derive(Debug)]
pub struct Shredder {
    converter: Converter,
    tree: Tree,
    envelope: Envelope,
    tape: Tape,
    scratch: Scratch,
    /// Payload bytes of the rows that are being collected.
    payload: usize,
    /// The buffers for the next batch are as large as the last one was.
    prepared: bool,
    /// Batches that had to be ended before anybody asked for them.
    sealed: VecDeque<Result<RecordBatch>>,
    sealed_rows: usize,
    sealed_bytes: usize,
}

impl Shredder {
    /// A shredder for the records of `topic`, with the columns that the table has.
    pub fn new(topic: &str, topic_id: TopicId, reserved: &Schema, limits: Limits) -> Self {
        let mut tree = Tree::new(limits);
        tree.adopt(reserved);
        Self {
            converter: Converter::default(),
            tree,
            envelope: Envelope::new(topic, &topic_id),
            tape: Tape::default(),
            scratch: Scratch::default(),
            payload: 0,
            prepared: false,
            sealed: VecDeque::new(),
            sealed_rows: 0,
            sealed_bytes: 0,
        }
    }

    /// The same with another converter.
    #[must_use]
    pub fn with_converter(self, converter: Converter) -> Self {
        Self { converter, ..self }
    }

    /// Appends a record as a row; answers the bytes buffered. It never fails: what is taken for
    /// JSON (see [`Converter`]) and isn't becomes a row with `_error`, what is no object a row with
    /// its envelope alone.
    pub fn append(&mut self, record: &Record<'_>, ingested_at_us: i64) -> usize {
        let payload = payload_bytes(record);
        if self.payload.saturating_add(payload) > SEAL_BYTES {
            self.seal();
        }
        self.payload += payload;
        let row = self.envelope.rows();
        let error = match record.value {
            Some(value) if self.converter == Converter::Json || begins_object(value) => {
                self.shred(value, row)
            }
            _ => None,
        };
        self.envelope
            .append(record, ingested_at_us, error.as_deref());
        self.bytes()
    }

    /// Rows since the last batch.
    pub fn rows(&self) -> usize {
        self.envelope.rows() + self.sealed_rows
    }

    /// Bytes buffered, roughly.
    pub fn bytes(&self) -> usize {
        self.envelope.bytes() + self.tree.bytes + self.sealed_bytes
    }

    /// The batch should be finished now, whatever else is planned.
    pub fn is_full(&self) -> bool {
        self.payload >= FULL_BYTES || !self.sealed.is_empty()
    }

    /// Takes the rows as a batch with the columns that they have, the envelope last; `None`
    /// without rows. Who appends on after [`Shredder::is_full`] may get the rows in several
    /// batches: call until `None`.
    ///
    /// # Errors
    ///
    /// `Internal` for what can't happen.
    pub fn finish(&mut self) -> Result<Option<RecordBatch>> {
        if let Some(batch) = self.sealed.pop_front() {
            if self.sealed.is_empty() {
                self.sealed_rows = 0;
                self.sealed_bytes = 0;
            }
            return batch.map(Some);
        }
        if self.envelope.rows() == 0 {
            self.shrink();
            return Ok(None);
        }
        self.take().map(Some)
    }

    /// Goes on with the columns that the table has now. Columns discovered here that it lacks stay.
    pub fn rebase(&mut self, reserved: &Schema) {
        self.tree.adopt(reserved);
    }

    fn shred(&mut self, value: &[u8], row: usize) -> Option<String> {
        if let Err(fault) = self.tape.parse(value) {
            return Some(format!("json: {} at byte {}", fault.reason, fault.at));
        }
        let root = self.tape.entries.first();
        if root.is_none_or(|root| root.token != Token::Object) {
            return None;
        }
        let mut walk = Walk {
            tree: &mut self.tree,
            scratch: &mut self.scratch,
            tape: &self.tape.entries,
            text: value,
        };
        walk.record(row);
        None
    }

    fn seal(&mut self) {
        if self.envelope.rows() == 0 {
            return;
        }
        self.sealed_rows += self.envelope.rows();
        self.sealed_bytes += self.envelope.bytes() + self.tree.bytes;
        let batch = self.take();
        self.sealed.push_back(batch);
    }

    /// Gives back the buffers that were made for the next batch when none comes: thousands of idle
    /// tables must not hold as much memory as busy ones.
    fn shrink(&mut self) {
        if std::mem::take(&mut self.prepared) {
            self.envelope.shrink();
            self.tree.columns.iter_mut().for_each(Column::shrink);
        }
    }

    fn take(&mut self) -> Result<RecordBatch> {
        let rows = self.envelope.rows();
        self.prepared = true;
        self.payload = 0;
        self.tree.bytes = 0;
        let (mut fields, mut columns) = self.tree.take_object(ROOT, rows)?;
        let (envelope_fields, envelope_columns) = self.envelope.finish()?;
        fields.extend(envelope_fields);
        columns.extend(envelope_columns);
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options)
            .map_err(Error::from)
    }
}

/// The value's first byte behind blanks opens an object.
fn begins_object(value: &[u8]) -> bool {
    let first = value
        .iter()
        .find(|byte| !matches!(byte, b' ' | b'\n' | b'\r' | b'\t'));
    first == Some(&b'{')
}
