//! The ways of a record into the writer that differ in what fills its columns.

use arrow::array::{BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;

use super::table::{BATCH_ROWS, TableWriter, owned_mut};
use crate::error::{Error, Result};
use crate::record::Record;
use crate::shred::Payload;
use crate::write::intake;

impl TableWriter {
    /// Takes one record, whose columns are those of its own bytes.
    ///
    /// # Errors
    /// As [`TableWriter::append_payload`].
    pub fn append(&mut self, record: &Record<'_>) -> Result<()> {
        self.append_payload(record, Payload::Original)
    }

    /// Passes over a record that a filter takes out: it is no row, and the commit that moves past
    /// it says why (E1).
    ///
    /// # Errors
    /// As [`TableWriter::append_payload`].
    pub fn filter(&mut self, partition: i32, offset: i64) -> Result<()> {
        self.check_good()?;
        let owned = owned_mut(&mut self.owned, partition)?;
        if owned.filter(partition, offset)? {
            // Ranges are memory that only a cut gives back.
            self.buffer.bytes += size_of::<(i64, i64)>();
        }
        self.note_progress();
        Ok(())
    }

    /// The next offset that a partition expects; `None` when it isn't assigned.
    pub fn next_offset(&self, partition: i32) -> Option<i64> {
        self.owned.get(&partition).map(|owned| owned.next)
    }

    /// Takes decoded records: a row of `batch` is the payload of the record in its place, a column
    /// is a key. Answers how many were not taken, because their partition is not assigned or their
    /// offset is that of a late record of an earlier assignment: nothing is lost by that, do not
    /// `advance` past them. What no column can hold becomes a row with `_error` (P18).
    ///
    /// # Errors
    /// `Invalid` when there aren't as many rows as records, and nothing was taken; `Fenced` as
    /// [`TableWriter::append_payload`].
    pub fn append_batch(&mut self, records: &[Record<'_>], batch: &RecordBatch) -> Result<usize> {
        self.check_good()?;
        if records.len() != batch.num_rows() {
            return Err(Error::invalid(format!(
                "a batch of {} rows is not the payload of {} records",
                batch.num_rows(),
                records.len()
            )));
        }
        let mut begin = 0;
        let mut late = 0;
        while begin < records.len() {
            // No batch is larger than one of records that come one by one.
            let end = records.len().min(begin + BATCH_ROWS);
            let part = records.get(begin..end).unwrap_or_default();
            late += self.append_part(part, &batch.slice(begin, end - begin))?;
            begin = end;
        }
        Ok(late)
    }

    fn append_part(&mut self, records: &[Record<'_>], batch: &RecordBatch) -> Result<usize> {
        if self.shredder.rows() > 0 && self.shredder.rows() + records.len() > BATCH_ROWS {
            self.publish()?;
        }
        let mut taken = Vec::with_capacity(records.len());
        let now_us = self.lake.clock().now_us();
        for record in records {
            let owned = owned_mut(&mut self.owned, record.partition);
            let take = owned.and_then(|owned| owned.take(record.partition, record.offset));
            taken.push(take.is_ok());
            if take.is_ok() {
                self.note_span(record, now_us);
            }
        }
        let count = taken.iter().filter(|taken| **taken).count();
        let (redactor, shredder) = (&mut self.redactor, &mut self.shredder);
        if count == records.len() {
            intake::append_batch(redactor, shredder, records, batch, now_us);
        } else if count > 0 {
            let kept = records.iter().zip(&taken);
            let kept: Vec<Record<'_>> = kept
                .filter_map(|(one, kept)| kept.then_some(*one))
                .collect();
            let batch = filter_record_batch(batch, &BooleanArray::from(taken))?;
            intake::append_batch(redactor, shredder, &kept, &batch, now_us);
        }
        if count > 0 {
            self.appended()?;
        }
        Ok(records.len() - count)
    }
}
