//! The writer of one table: what a sink task calls from its own thread.

use std::time::Duration;

use arrow::datatypes::SchemaRef;

use crate::error::{Error, Result};
use crate::lake::Lake;
use crate::record::{Position, Record};
use crate::write::options::{CommittedRange, Released, Stall, Start, WriterOptions};

/// The writer of one table.
#[derive(Debug)]
pub struct TableWriter {
    options: WriterOptions,
}

/// Stub.
fn pending<T>() -> Result<T> {
    Err(Error::internal("the table writer is not built yet"))
}

impl TableWriter {
    /// Opens the table, or makes it when it does not exist yet.
    ///
    /// # Errors
    /// `Invalid` when another connector owns the table (P2) or the store refuses the credentials;
    /// `Unavailable` when the store does not answer: call again.
    pub fn open(_lake: &Lake, options: WriterOptions) -> Result<Self> {
        Ok(Self { options })
    }

    /// The table's positions of `partitions`, read fresh; `None` where the table knows none, which
    /// is where [`TableWriter::assign`] needs a real start.
    ///
    /// # Errors
    /// `Unavailable`: call again.
    pub fn known(&mut self, _partitions: &[i32]) -> Result<Vec<(i32, Option<Position>)>> {
        pending()
    }

    /// Takes over `partitions` and answers where each goes on (P2): the table's position, or for a
    /// partition that the table does not know its `Start`, which is stored first (P3). Seek the
    /// consumer there, with the leader epoch where there is one. Each call begins a new assignment.
    ///
    /// # Errors
    /// `Unavailable`: nothing was assigned, call again. `Invalid` when something of a partition is
    /// still buffered here: release it first. `Fenced`: call `reset` first.
    pub fn assign(&mut self, _partitions: &[(i32, Start)]) -> Result<Vec<(i32, Position)>> {
        pending()
    }

    /// Takes one record. Records of a partition come in order; what can't be decoded becomes a row
    /// with `_error` (P18).
    ///
    /// # Errors
    /// `Fenced`: the record was dropped, call `poll` or `reset`. `Invalid` for a partition that is
    /// not assigned or an offset below what was already taken: a late record of an earlier
    /// assignment, which the caller drops.
    pub fn append(&mut self, _record: &Record<'_>) -> Result<()> {
        pending()
    }

    /// Moves the position past what is not a record: control records, aborted transactions (P4).
    /// `next_offset` is the consumer's position, sampled after the records below it were appended.
    ///
    /// # Errors
    /// As [`TableWriter::append`]; an offset below what was taken is ignored, since the position
    /// only moves forward.
    pub fn advance(
        &mut self,
        _partition: i32,
        _next_offset: i64,
        _leader_epoch: Option<i32>,
    ) -> Result<()> {
        pending()
    }

    /// Makes what was appended so far visible as live rows. Call it at most every 250 ms; the
    /// writer does it by itself when a batch is full.
    ///
    /// # Errors
    /// `Fenced` as in `append`; `Internal` when a batch can't be made.
    pub fn publish(&mut self) -> Result<()> {
        pending()
    }

    /// Whether a cut should be made now. Before it, the caller makes sure that the topic is still
    /// the same (P1).
    pub fn due(&self) -> bool {
        false
    }

    /// Starts a commit of everything buffered in the background; appending goes on meanwhile.
    /// `false`: nothing to commit, or a commit is still in flight.
    ///
    /// # Errors
    /// As [`TableWriter::publish`].
    pub fn cut(&mut self) -> Result<bool> {
        pending()
    }

    /// What was committed since the last call: the caller commits these offsets for its group.
    /// An unavailable store is retried in the background; see [`TableWriter::stalled`].
    ///
    /// # Errors
    /// `Fenced`: another writer moved a position; everything buffered was dropped, call `reset` and
    /// seek. Any other kind: the same, and the task should fail with it.
    pub fn poll(&mut self) -> Result<Vec<CommittedRange>> {
        pending()
    }

    /// As [`TableWriter::poll`], but waits up to `deadline` for the commit in flight. Returns at
    /// once when there is none; an empty answer with one still in flight means that the deadline
    /// passed.
    ///
    /// # Errors
    /// As [`TableWriter::poll`].
    pub fn wait_cut(&mut self, _deadline: Duration) -> Result<Vec<CommittedRange>> {
        pending()
    }

    /// Whether a commit is in flight.
    pub fn in_flight(&self) -> bool {
        false
    }

    /// Gives `partitions` up (P7): commits what is buffered within `deadline`, else drops it. After
    /// the return nothing of them is buffered (E5) and the revoke can be acknowledged. A commit
    /// whose deadline passed may still land later; positions are fenced, so that is safe.
    ///
    /// # Errors
    /// None of the store's: what it does not settle in time is dropped. A lost fence shows at the
    /// next `poll`.
    pub fn release(&mut self, _partitions: &[i32], _deadline: Duration) -> Result<Released> {
        pending()
    }

    /// Drops everything buffered and reads the positions again: after `Fenced`, or whenever the
    /// caller wants to start over. Answers where each assigned partition goes on; seek there.
    ///
    /// # Errors
    /// `Unavailable`: call again. `Data` when the table lost a position that it had (P22).
    pub fn reset(&mut self) -> Result<Vec<(i32, Position)>> {
        pending()
    }

    /// Releases everything and ends the writer. Dropping a writer without this is safe: what it
    /// had buffered is read again from the table's positions.
    ///
    /// # Errors
    /// As [`TableWriter::release`].
    pub fn close(self, _deadline: Duration) -> Result<Released> {
        pending()
    }

    /// The bytes held: builders, batches, and the commit in flight. The caller pauses its consumer
    /// while [`TableWriter::must_pause`], which bounds this.
    pub fn memory(&self) -> usize {
        0
    }

    /// Whether the worker's budget is used up, so that the caller must stop appending (and keep
    /// polling) until it is not. Goes on being true until a quarter of the budget is free again.
    pub fn must_pause(&self) -> bool {
        false
    }

    /// The commit in flight that the store has not answered for a while, if any.
    pub fn stalled(&self) -> Option<Stall> {
        None
    }

    /// The partitions assigned, and the next offset that each expects.
    pub fn assigned(&self) -> Vec<(i32, i64)> {
        Vec::new()
    }

    /// The table's columns as this writer last saw them.
    pub fn schema(&self) -> SchemaRef {
        SchemaRef::new(arrow::datatypes::Schema::empty())
    }

    /// What the writer was opened with.
    pub fn options(&self) -> &WriterOptions {
        &self.options
    }
}
