//! The writer of one table: what a sink task calls from its own thread.
//!
//! Opening, assigning and starting over are in `assign`, what waits and when it is too much in
//! `waiting`, how a cut begins in `begin` and ends in `settle`, giving partitions up in `release`;
//! this file has the steady state: append, publish, poll.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arrow::datatypes::SchemaRef;

use crate::budget::{Share, Standing};
use crate::commit::TableLog;
use crate::error::{Error, Result};
use crate::flat::Book;
use crate::lake::Lake;
use crate::read::live::LiveBatch;
use crate::record::Record;
use crate::redact::Redactor;
use crate::shred::{Payload, Shredder};
use crate::write::buffer::{Buffer, Owned, publish_ranges};
use crate::write::intake::{self, Waits, new_shredder};
use crate::write::options::{CommittedRange, Stall, WriterOptions};
use crate::write::settle::Flight;
use crate::write::standing::standing_bytes;

/// Rows after which a batch is closed by itself: builders this small stay in the cache.
pub(super) const BATCH_ROWS: usize = 8_192;

/// Bytes after which a batch is closed by itself.
const BATCH_BYTES: usize = 16 << 20;

/// The same for rows that are put together by their keys: each group has builders of its own, and
/// the more rows there are, the more of them are alike.
const GROUPED_ROWS: usize = 65_536;
const GROUPED_BYTES: usize = 40 << 20;

/// Bytes appended before the budget hears of them, so that it isn't touched for each record.
const REPORT_BYTES: usize = 256 << 10;

/// The writer of one table, used from one thread; commits run in the background, one at a time.
pub struct TableWriter {
    pub(super) lake: Lake,
    pub(super) options: WriterOptions,
    /// `None` while a commit is in flight, or after one was given up.
    pub(super) log: Option<TableLog>,
    pub(super) schema: SchemaRef,
    /// Stands before the shredder: what is never to land never gets there.
    pub(super) redactor: Option<Redactor>,
    pub(super) shredder: Shredder,
    /// What objects beside the table will have of a decoded value.
    text: Vec<u8>,
    /// The schemas that its records came with.
    pub(super) book: Arc<Book>,
    pub(super) owned: BTreeMap<i32, Owned>,
    pub(super) assignments: u64,
    pub(super) buffer: Buffer,
    pub(super) flight: Option<Flight>,
    pub(super) health: Health,
    /// Nothing was committed yet since partitions were taken over that have a position.
    pub(super) taken_over: bool,
    /// Since when a whole rotation waits for a commit, in a foreign layout.
    pub(super) whole_since: Option<Duration>,
    pub(super) share: Share,
    standing: Standing,
    pub(super) paused: std::cell::Cell<bool>,
}

/// Whether the writer may go on.
pub(super) enum Health {
    Good,
    /// Everything buffered was dropped; the error waits for the next `poll`, and only `reset`
    /// helps.
    Broken(Option<Error>),
}

impl TableWriter {
    pub(super) fn new(lake: &Lake, options: WriterOptions, log: TableLog) -> Self {
        let schema = log.schema();
        let shredder = new_shredder(lake, &options, &schema);
        let mut standing = Standing::new(&options.budget);
        standing.set(standing_bytes(&schema));
        Self {
            lake: lake.clone(),
            share: options.budget.join(),
            redactor: options.redaction.clone().map(Redactor::new),
            standing,
            options,
            log: Some(log),
            schema,
            shredder,
            text: Vec::new(),
            book: Arc::default(),
            owned: BTreeMap::new(),
            assignments: 0,
            buffer: Buffer::default(),
            flight: None,
            health: Health::Good,
            taken_over: false,
            whole_since: None,
            paused: std::cell::Cell::new(false),
        }
    }

    /// Takes one record, with the columns of `payload`. Records of a partition come in order; what
    /// can't be decoded becomes a row with `_error` (P18).
    ///
    /// # Errors
    /// `Fenced`: the record was dropped, call `poll` or `reset`. `Invalid` for a partition that is
    /// not assigned or an offset that a late record of an earlier assignment has: drop it and do
    /// not `advance` past it.
    pub fn append_payload(&mut self, record: &Record<'_>, payload: Payload<'_>) -> Result<()> {
        self.take_record(record, payload, self.lake.clock().now_us())
    }

    pub(super) fn take_record(
        &mut self,
        record: &Record<'_>,
        payload: Payload<'_>,
        arrival_us: i64,
    ) -> Result<()> {
        self.check_good()?;
        let large = record.value.map_or(0, <[u8]>::len) >= BATCH_BYTES;
        if large && self.shredder.rows() > 0 {
            // A batch's string offsets have 31 bits: a huge record gets a batch of its own.
            self.publish()?;
        }
        let owned = owned_mut(&mut self.owned, record.partition)?;
        owned.take(record.partition, record.offset)?;
        self.note_span(record, arrival_us);
        let mut text = std::mem::take(&mut self.text);
        let waits = Waits {
            flat: self.options.layout.flat(),
            converter: self.options.converter,
            book: &self.book,
            text: &mut text,
        };
        let (redactor, shredder) = (&mut self.redactor, &mut self.shredder);
        intake::append(redactor, shredder, waits, record, payload, arrival_us);
        self.text = text;
        self.appended()
    }

    /// Closes the batch if it is full.
    pub(super) fn appended(&mut self) -> Result<()> {
        self.note_progress();
        let bytes = self.shredder.bytes();
        let (rows_most, bytes_most) = match self.shredder.groups() {
            true => (GROUPED_ROWS, GROUPED_BYTES),
            false => (BATCH_ROWS, BATCH_BYTES),
        };
        if self.shredder.rows() >= rows_most || bytes >= bytes_most {
            self.publish()?;
        } else if self.share.bytes() + REPORT_BYTES < self.held_bytes() + bytes {
            self.report();
        }
        Ok(())
    }

    /// Moves the position past what is not a record: control records, aborted transactions (P4).
    /// `next_offset` is the consumer's position, sampled after the records below it were appended.
    /// An offset below what was taken is ignored: the position only moves forward.
    ///
    /// # Errors
    /// As [`TableWriter::append`].
    pub fn advance(
        &mut self,
        partition: i32,
        next_offset: i64,
        leader_epoch: Option<i32>,
    ) -> Result<()> {
        self.check_good()?;
        let owned = owned_mut(&mut self.owned, partition)?;
        owned.skip_to(partition, next_offset)?;
        if leader_epoch.is_some() {
            owned.leader_epoch = leader_epoch;
        }
        if owned.has_buffered() {
            self.note_progress();
        }
        Ok(())
    }

    /// Makes what was appended so far visible as live rows. Call it at most every 250 ms; the
    /// writer does it by itself when a batch is full.
    ///
    /// # Errors
    /// `Fenced` as in `append`; `Internal` when a batch can't be made.
    pub fn publish(&mut self) -> Result<()> {
        self.check_good()?;
        let rows = self.shredder.rows();
        let batches = self.shredder.finish()?;
        let placements = self.place(&batches)?;
        let ranges = publish_ranges(&mut self.owned, &self.options.topic_id);
        if !ranges.is_empty() {
            let live = LiveBatch { batches, ranges };
            debug_assert_eq!(live.rows(), rows, "E1: a shredded record is a row");
            let live = self.lake.live().publish(&self.options.table, live);
            self.buffer.push(live, placements);
        }
        self.report();
        Ok(())
    }

    /// What was committed since the last call: the caller commits these offsets for its group.
    /// An unavailable store is retried in the background; see [`TableWriter::stalled`].
    ///
    /// # Errors
    /// `Fenced`: another writer moved a position; everything buffered was dropped, call `reset` and
    /// seek. Any other kind: the same, and the task should fail with it.
    pub fn poll(&mut self) -> Result<Vec<CommittedRange>> {
        self.lake.live().sweep();
        self.lake.spare().sweep(self.lake.clock().monotonic());
        self.report();
        self.wait_cut(Duration::ZERO)
    }

    /// As [`TableWriter::poll`], but waits up to `deadline` for the commit in flight. Returns at
    /// once when there is none; an empty answer with one still in flight means that the deadline
    /// passed.
    ///
    /// # Errors
    /// As [`TableWriter::poll`].
    pub fn wait_cut(&mut self, deadline: Duration) -> Result<Vec<CommittedRange>> {
        let finished = match &self.flight {
            Some(flight) => flight.job.wait(deadline),
            None => None,
        };
        let committed = match finished {
            Some(finished) => self.settle(finished),
            None => Vec::new(),
        };
        match &mut self.health {
            Health::Good => Ok(committed),
            Health::Broken(error) => Err(error.take().unwrap_or_else(needs_reset)),
        }
    }

    /// Whether a cut would commit anything: rows, or progress past what is no row.
    pub fn has_buffered(&self) -> bool {
        self.shredder.rows() > 0 || self.owned.values().any(Owned::has_buffered)
    }

    /// Whether a commit is in flight.
    pub fn in_flight(&self) -> bool {
        self.flight.is_some()
    }

    /// The commit in flight that the store has not answered for a while, if any.
    pub fn stalled(&self) -> Option<Stall> {
        self.flight.as_ref().and_then(|flight| flight.job.stalled())
    }

    /// The partitions assigned, and the next offset that each expects.
    pub fn assigned(&self) -> Vec<(i32, i64)> {
        self.owned
            .iter()
            .map(|(partition, owned)| (*partition, owned.next))
            .collect()
    }

    /// The table's columns as this writer last saw them.
    pub fn schema(&self) -> SchemaRef {
        SchemaRef::clone(&self.schema)
    }

    /// What the writer was opened with.
    pub fn options(&self) -> &WriterOptions {
        &self.options
    }

    /// Takes over the table's columns as a log has them.
    pub(super) fn know(&mut self, schema: SchemaRef) {
        if !Arc::ptr_eq(&self.schema, &schema) {
            self.standing.set(standing_bytes(&schema));
            self.schema = schema;
        }
    }

    pub(super) fn check_good(&self) -> Result<()> {
        match self.health {
            Health::Good => Ok(()),
            Health::Broken(_) => Err(needs_reset()),
        }
    }
}

impl Drop for TableWriter {
    fn drop(&mut self) {
        // Whatever is not committed is read again by the next owner, so it is no live row any more.
        self.drop_everything();
    }
}

impl std::fmt::Debug for TableWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TableWriter")
            .field("table", &self.options.table)
            .field("assigned", &self.assigned())
            .finish_non_exhaustive()
    }
}

pub(super) fn owned_mut(owned: &mut BTreeMap<i32, Owned>, partition: i32) -> Result<&mut Owned> {
    owned.get_mut(&partition).ok_or_else(|| {
        Error::invalid(format!(
            "partition {partition} is not assigned to this writer; drop the record"
        ))
    })
}

fn needs_reset() -> Error {
    Error::fenced("what was buffered was dropped; reset the writer and seek to its positions")
}
