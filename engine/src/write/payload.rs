//! The ways of a record into the writer that differ in what fills its columns.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use arrow::array::{BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;

use super::buffer::Owned;
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

    /// The same for a record that came at `arrival_us`, microseconds since the Unix epoch: whoever
    /// reads thousands at once looks at the clock once.
    ///
    /// # Errors
    /// As [`TableWriter::append_payload`].
    pub fn append_at(&mut self, record: &Record<'_>, arrival_us: i64) -> Result<()> {
        self.take_record(record, Payload::Original, arrival_us)
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
        let (taken, moved) = choose(&self.owned, records);
        let kept = records.iter().zip(&taken);
        let kept: Vec<Record<'_>> = kept
            .filter_map(|(one, kept)| kept.then_some(*one))
            .collect();
        if kept.is_empty() {
            return Ok(records.len());
        }
        let filtered = match kept.len() == records.len() {
            true => None,
            false => Some(filter_record_batch(batch, &BooleanArray::from(taken))?),
        };
        // Nothing can fail any more between the offsets and their rows (E1).
        let now_us = self.lake.clock().now_us();
        self.owned.extend(moved);
        for record in &kept {
            self.note_span(record, now_us);
        }
        let (redactor, shredder) = (&mut self.redactor, &mut self.shredder);
        let batch = filtered.as_ref().unwrap_or(batch);
        intake::append_batch(redactor, shredder, &kept, batch, now_us);
        self.appended()?;
        Ok(records.len() - kept.len())
    }
}

/// Which of the records are to be taken, and where their partitions are once they are.
fn choose(
    owned: &BTreeMap<i32, Owned>,
    records: &[Record<'_>],
) -> (Vec<bool>, BTreeMap<i32, Owned>) {
    let mut moved: BTreeMap<i32, Owned> = BTreeMap::new();
    let mut take = |record: &Record<'_>| {
        let owned = match moved.entry(record.partition) {
            Entry::Occupied(moved) => moved.into_mut(),
            Entry::Vacant(place) => match owned.get(&record.partition) {
                Some(owned) => place.insert(owned.clone()),
                None => return false,
            },
        };
        owned.take(record.partition, record.offset).is_ok()
    };
    (records.iter().map(&mut take).collect(), moved)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;
    use crate::record::{Position, TimestampType};

    #[test]
    fn e1_offsets_of_a_batch_are_taken_with_their_rows_or_not_at_all() {
        let position = Position {
            offset: 5,
            epoch: 0,
            leader_epoch: None,
        };
        let owned = BTreeMap::from([(0, Owned::new(1, position))]);
        let record = |(partition, offset)| Record {
            partition,
            offset,
            timestamp_ms: None,
            timestamp_type: TimestampType::None,
            key: None,
            value: None,
            headers: &[],
            decoded: Default::default(),
        };
        let records = [(0, 5), (1, 0), (0, 4), (0, 8), (0, 8)].map(record);
        let (taken, moved) = choose(&owned, &records);
        assert_eq!(taken, [true, false, false, true, false]);
        assert_eq!(moved.keys().collect::<Vec<_>>(), [&0]);
        assert_eq!(moved[&0].next, 9);
        assert_eq!(owned[&0].next, 5, "until the rows are there");
    }
}
