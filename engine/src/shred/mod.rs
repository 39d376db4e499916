//! Records become Arrow batches, one at a time: our own JSON parser, then straight into columns.
//!
//! ```text
//! bytes --json.rs--> tape --walk.rs, list.rs--> columns of the tree --batch.rs--> RecordBatch
//!    \     (text.rs, number.rs)     ^      (tree.rs, column.rs)     + envelope.rs
//!     \--direct.rs: nothing unusual-/
//! Value --typed.rs--> text and tape, and so on
//! Arrow --whole.rs, fit.rs--> columns of the tree, or --cell.rs--> text and tape
//! ```
//!
//! Types are discovered in the walk: an unknown key, or a value whose type fits none of its
//! key's columns, makes a column, if the budgets allow it; else the value goes to its object's
//! `_rescued` text. Nothing is dropped and nothing is cast in a way that loses something.
//!
//! A broken record touches no column but the envelope's: its parse ends before its shredding
//! begins, or what it appended is taken back. The cost of a row follows the values that it has,
//! never the table's width: columns without a value in a row are not visited, and nothing is
//! allocated per row once the buffers have grown.
//!
//! Names and growth are `schema/`'s; when to make a batch is `write/`'s.

mod batch;
mod batches;
mod blobs;
mod cell;
mod column;
mod direct;
mod envelope;
mod fit;
mod group;
mod iso;
mod json;
mod key_fields;
mod kinds;
mod list;
mod number;
mod parse_value;
mod payload;
mod repeated;
mod sketch;
mod sparse;
mod tape;
#[cfg(test)]
pub(crate) mod tests;
mod text;
#[cfg(any(test, feature = "testing"))]
mod to_json;
mod tree;
mod typed;
mod walk;
mod whole;

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use arrow::record_batch::RecordBatchOptions;

use crate::record::{Record, TopicId};
use crate::schema::{Detect, Limits};
use crate::spare::Spare;
use crate::{Error, Result};
use column::Column;
use direct::Attempts;
use envelope::{Envelope, Envelopes, payload_bytes};
use group::{WIDE, Waiting};
pub(crate) use json::Tape;
pub(crate) use number::is_exact;
pub(crate) use parse_value::parse_value;
pub use payload::Payload;
pub(crate) use tape::{Entry, Token};
pub(crate) use text::{plain_end, unescape};
use tree::{ROOT, Tree};
use typed::Typed;
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
    attempts: Attempts,
    typed: Typed,
    /// Payload bytes of the rows that are being collected.
    payload: usize,
    /// The buffers for the next batch are as large as the last one was.
    prepared: bool,
    /// Nothing came between the last two calls for batches: one alone may be a cut's, right behind
    /// the call that took all rows.
    idle: bool,
    /// The rows that are being collected are grouped.
    grouping: bool,
    waiting: Waiting,
    /// Batches that had to be ended before anybody asked for them.
    sealed: Vec<Result<RecordBatch>>,
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
            envelope: Envelope::new(topic, &topic_id, limits, reserved),
            tape: Tape::default(),
            scratch: Scratch::default(),
            attempts: Attempts::default(),
            typed: Typed::default(),
            payload: 0,
            prepared: false,
            idle: false,
            grouping: false,
            waiting: Waiting::default(),
            sealed: Vec::new(),
            sealed_rows: 0,
            sealed_bytes: 0,
        }
    }

    /// The same with another converter.
    #[must_use]
    pub fn with_converter(self, converter: Converter) -> Self {
        Self { converter, ..self }
    }

    /// The same, with large buffers from `spare`, which they go back to.
    #[must_use]
    pub(crate) fn with_spare(mut self, spare: Spare) -> Self {
        self.tree.spare = spare;
        self
    }

    /// The same, with a look for moments and decimals in strings.
    #[must_use]
    pub fn with_detection(mut self, detect: Detect, reserved: &Schema) -> Self {
        self.tree.detect = detect;
        self.tree.adopt(reserved);
        self
    }

    /// The same, but every record goes the long way.
    #[cfg(test)]
    fn without_attempts(self) -> Self {
        let attempts = Attempts::none();
        Self { attempts, ..self }
    }

    /// Appends a record as a row; answers the bytes buffered. It never fails: what is taken for
    /// JSON (see [`Converter`]) and isn't becomes a row with `_error`, what is no object a row with
    /// its envelope alone.
    pub fn append(&mut self, record: &Record<'_>, ingested_at_us: i64) -> usize {
        self.append_payload(record, Payload::Original, ingested_at_us)
    }

    /// The same with columns of what somebody made of the record's bytes.
    pub fn append_payload(
        &mut self,
        record: &Record<'_>,
        payload: Payload<'_>,
        ingested_at_us: i64,
    ) -> usize {
        let mut typed = std::mem::take(&mut self.typed);
        typed.clear();
        let mut error = match payload {
            Payload::Original => None,
            Payload::Value(value) => typed.root(value).err(),
            Payload::Failed(reason) => Some(reason.to_owned()),
        };
        let row = self.begin_rows(payload_bytes(record) + typed.text.len());
        match (payload, record.value) {
            (Payload::Original, Some(value))
                if self.converter == Converter::Json || begins_object(value) =>
            {
                if self.grouping {
                    self.waiting.push_record(value);
                } else {
                    error = self.shred(value, row);
                }
            }
            (Payload::Value(_), _) if error.is_none() => self.take(&typed.tape, &typed.text, row),
            _ => {}
        }
        self.typed = typed;
        self.end_row(record, ingested_at_us, error.as_deref());
        self.bytes()
    }

    /// Ends the row whose payload was taken, if it has one.
    fn end_row(&mut self, record: &Record<'_>, ingested_at_us: i64, error: Option<&str>) {
        if self.grouping && self.waiting.rows() == self.envelope.rows() {
            self.waiting.push_empty();
        }
        self.envelope.append(record, ingested_at_us, error);
    }

    /// Makes room for rows with so many bytes of payload; answers which is the first.
    fn begin_rows(&mut self, payload: usize) -> usize {
        if self.payload.saturating_add(payload) > SEAL_BYTES {
            self.seal();
        }
        self.payload += payload;
        let row = self.envelope.rows();
        if row == 0 {
            self.grouping = self.tree.leaves() >= WIDE;
            self.tree.grouped = self.grouping;
        }
        row
    }

    /// Rows since the last batch.
    pub fn rows(&self) -> usize {
        self.envelope.rows() + self.sealed_rows
    }

    /// The table's columns with values of their own.
    pub(crate) fn leaves(&self) -> usize {
        self.tree.leaves()
    }

    /// Rows of like keys are put together when the batch ends: the more there are, the more are
    /// alike.
    pub(crate) fn groups(&self) -> bool {
        self.grouping
    }

    /// Bytes buffered, roughly.
    pub fn bytes(&self) -> usize {
        self.envelope.bytes() + self.tree.bytes + self.waiting.bytes() + self.sealed_bytes
    }

    /// The batch should be finished now, whatever else is planned.
    pub fn is_full(&self) -> bool {
        self.payload >= FULL_BYTES || !self.sealed.is_empty()
    }

    /// Takes the rows as batches with the columns that they have, the envelope last: none without
    /// rows, one in general. There are several, and the rows in another order, where rows of like
    /// keys are put together, and after [`Shredder::is_full`].
    ///
    /// # Errors
    ///
    /// `Internal` for what can't happen.
    pub fn finish(&mut self) -> Result<Vec<RecordBatch>> {
        let empty = self.envelope.rows() == 0 && self.sealed.is_empty();
        if std::mem::replace(&mut self.idle, empty) && empty {
            self.shrink();
        }
        self.seal();
        self.sealed_rows = 0;
        self.sealed_bytes = 0;
        std::mem::take(&mut self.sealed).into_iter().collect()
    }

    /// Goes on with the columns that the table has now. Columns discovered here that it lacks stay.
    pub fn rebase(&mut self, reserved: &Schema) {
        self.tree.adopt(reserved);
        self.envelope.adopt(reserved);
    }

    /// Appends a record's bytes to the columns; answers why they are no JSON.
    fn shred(&mut self, value: &[u8], row: usize) -> Option<String> {
        if self.attempts.record(&mut self.tree, value, row) {
            return None;
        }
        if let Err(fault) = self.tape.parse(value) {
            return Some(format!("json: {} at byte {}", fault.reason, fault.at));
        }
        let tape = std::mem::take(&mut self.tape);
        let root = tape.entries.first();
        if root.is_some_and(|root| root.token == Token::Object) {
            self.walk(&tape.entries, value, row);
        }
        self.tape = tape;
        None
    }

    /// Takes a value that came with its tape.
    fn take(&mut self, tape: &[Entry], text: &[u8], row: usize) {
        let root = tape.first();
        if root.is_none_or(|root| root.token != Token::Object) {
            return;
        }
        if self.grouping {
            self.waiting.push_own(tape, text);
        } else {
            self.walk(tape, text, row);
        }
    }

    fn walk(&mut self, tape: &[Entry], text: &[u8], row: usize) {
        let mut walk = Walk {
            tree: &mut self.tree,
            scratch: &mut self.scratch,
            tape,
            text,
        };
        walk.record(row);
    }

    fn seal(&mut self) {
        if self.envelope.rows() == 0 {
            return;
        }
        self.sealed_rows += self.envelope.rows();
        self.sealed_bytes += self.envelope.bytes() + self.tree.bytes;
        if self.grouping {
            self.take_groups();
        } else {
            let envelope = self.envelope.finish(&self.tree.spare);
            let batch = envelope.and_then(|envelope| self.take_rows(envelope));
            self.sealed.push(batch);
        }
        self.payload = 0;
        self.prepared = true;
    }

    /// Gives back the buffers that were made for the next batch when none comes: thousands of idle
    /// tables must not hold as much memory as busy ones.
    fn shrink(&mut self) {
        if std::mem::take(&mut self.prepared) {
            self.envelope.shrink();
            self.waiting.shrink();
            self.tree.columns.iter_mut().for_each(Column::shrink);
        }
    }

    /// The rows of the tree, with their envelopes.
    fn take_rows(&mut self, envelope: Envelopes) -> Result<RecordBatch> {
        let rows = envelope.len();
        self.tree.bytes = 0;
        let (mut fields, mut columns) = self.tree.take_object(ROOT, rows)?;
        fields.extend(envelope.fields);
        columns.extend(envelope.columns);
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
