//! A run of rows in order: part of one input, read as far as it is needed.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::buffer::{NullBuffer, ScalarBuffer};
use arrow::datatypes::{Int32Type, Int64Type, SchemaRef, TimestampMicrosecondType};
use parquet::arrow::arrow_reader::ParquetRecordBatchReader;

use crate::elide::Values;
use crate::error::{Error, Result};
use crate::schema::{bind, with_identities};

/// The order of compacted rows: by time, then as Kafka has them. Rows without a time come first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) timestamp_us: i64,
    partition: i32,
    offset: i64,
}

/// Rows in order, one batch of them in memory.
pub(super) struct Run {
    batch: RecordBatch,
    keys: Keys,
    /// The rows of the batch in order; `None` when they are stored so.
    order: Option<Vec<u32>>,
    at: usize,
    /// The batches that follow, of a file whose rows are in order.
    rest: Option<Reader>,
}

/// The batches of one file under the columns of the rewrite.
pub(super) struct Reader {
    pub(super) batches: ParquetRecordBatchReader,
    pub(super) identified: SchemaRef,
    pub(super) target: SchemaRef,
    /// Makes the bytes of rows that don't store them: what compares them again when they are
    /// written must not be what they are made of.
    pub(super) values: Values,
}

impl Reader {
    /// The next batch that has rows.
    ///
    /// # Errors
    /// `Data` when the file can't be read.
    pub(super) fn next(&mut self) -> Result<Option<RecordBatch>> {
        for batch in self.batches.by_ref() {
            let batch = batch.map_err(|error| {
                Error::data("a file of the table can't be read").with_source(error)
            })?;
            if batch.num_rows() > 0 {
                let identified = with_identities(&batch, &self.identified)?;
                let whole = self.values.whole(&identified)?;
                return Ok(Some(bind(&whole, &self.target)?));
            }
        }
        Ok(None)
    }
}

impl Run {
    /// A run over rows in any order, all of them in memory.
    ///
    /// # Errors
    /// `Data` when the envelope is not what Eddy writes.
    pub(super) fn sorting(batch: RecordBatch) -> Result<Self> {
        let keys = Keys::of(&batch)?;
        let rows = u32::try_from(batch.num_rows())
            .map_err(|_| Error::internal("a batch has too many rows"))?;
        let mut order: Vec<u32> = (0..rows).collect();
        let in_order = order.is_sorted_by_key(|row| keys.get(*row as usize));
        if !in_order {
            order.sort_by_cached_key(|row| keys.get(*row as usize));
        }
        Ok(Self {
            batch,
            keys,
            order: (!in_order).then_some(order),
            at: 0,
            rest: None,
        })
    }

    /// A run over a file whose rows are in order, read batch by batch; `None` when it has none.
    ///
    /// # Errors
    /// `Data` when the file can't be read.
    pub(super) fn streaming(mut reader: Reader) -> Result<Option<Self>> {
        let Some(batch) = reader.next()? else {
            return Ok(None);
        };
        Ok(Some(Self {
            keys: Keys::of(&batch)?,
            batch,
            order: None,
            at: 0,
            rest: Some(reader),
        }))
    }

    /// The next row's key; `None` at the end of the batch.
    pub(super) fn key(&self) -> Option<Key> {
        (self.at < self.batch.num_rows()).then(|| self.keys.get(self.row()))
    }

    /// The next row within the batch.
    pub(super) fn row(&self) -> usize {
        match &self.order {
            Some(order) => order.get(self.at).map_or(0, |row| *row as usize),
            None => self.at,
        }
    }

    /// Goes past the next row.
    pub(super) fn advance(&mut self) {
        self.at += 1;
    }

    /// The batch in memory.
    pub(super) fn batch(&self) -> &RecordBatch {
        &self.batch
    }

    /// What the batch holds in memory.
    pub(super) fn bytes(&self) -> usize {
        self.batch.get_array_memory_size()
    }

    /// Reads the batch that follows; `false` at the end of the run.
    ///
    /// # Errors
    /// `Data` when the file can't be read or its rows are not in the order that it claims.
    pub(super) fn refill(&mut self) -> Result<bool> {
        let Some(batch) = self.rest.as_mut().map(Reader::next).transpose()?.flatten() else {
            return Ok(false);
        };
        let last = self.at.checked_sub(1).map(|row| self.keys.get(row));
        self.keys = Keys::of(&batch)?;
        self.batch = batch;
        self.at = 0;
        if last > self.key() {
            return Err(Error::data(
                "a file claims an order that its rows don't have; it was written by something else",
            ));
        }
        Ok(true)
    }
}

/// The columns that order rows.
struct Keys {
    timestamps: ScalarBuffer<i64>,
    known: Option<NullBuffer>,
    partitions: ScalarBuffer<i32>,
    offsets: ScalarBuffer<i64>,
}

impl Keys {
    fn of(batch: &RecordBatch) -> Result<Self> {
        let column = |name: &str| {
            batch
                .column_by_name(name)
                .ok_or_else(|| Error::data(format!("a file has no column `{name}`")))
        };
        let wrong = || Error::data("an envelope column has another type than Eddy writes");
        let timestamps = column("_timestamp")?
            .as_primitive_opt::<TimestampMicrosecondType>()
            .ok_or_else(wrong)?;
        let partitions = column("_partition")?
            .as_primitive_opt::<Int32Type>()
            .ok_or_else(wrong)?;
        let offsets = column("_offset")?
            .as_primitive_opt::<Int64Type>()
            .ok_or_else(wrong)?;
        Ok(Self {
            timestamps: timestamps.values().clone(),
            known: timestamps.nulls().cloned(),
            partitions: partitions.values().clone(),
            offsets: offsets.values().clone(),
        })
    }

    fn get(&self, row: usize) -> Key {
        let known = self.known.as_ref().is_none_or(|known| known.is_valid(row));
        let timestamp_us = self.timestamps.get(row).copied().filter(|_| known);
        Key {
            timestamp_us: timestamp_us.unwrap_or(i64::MIN),
            partition: self.partitions.get(row).copied().unwrap_or(0),
            offset: self.offsets.get(row).copied().unwrap_or(0),
        }
    }
}
