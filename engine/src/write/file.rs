//! One Parquet file: from batches to its bytes, tuned for the hot path.
//!
//! The hot path writes fast, compaction writes beautifully: zstd(1), statistics and page index;
//! each column's encoding is `encoding.rs`'s. The Arrow schema isn't embedded: a wide table's
//! metadata would outweigh small files, and the Parquet types say everything.
//!
//! A row group is written column by column, all batches of one column before the next: only that
//! column's pages are buffered, whatever the table's width.

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use bytes::Bytes;
use parquet::arrow::arrow_writer::{
    ArrowColumnWriter, ArrowRowGroupWriterFactory, ArrowWriter, ArrowWriterOptions, compute_leaves,
};
use parquet::file::writer::SerializedFileWriter;

use crate::error::{Error, Result};
use crate::schema::bind;
use crate::write::encoding::{ROW_GROUP_ROWS, leaf_arrays, properties};
use crate::write::stats;

/// Bytes of a row group before it is encoded, several times what a reader must be ready to hold.
const ROW_GROUP_BYTES: usize = 512 << 20;

/// A finished file, not yet uploaded.
#[derive(Debug, Clone)]
pub(super) struct Encoded {
    /// The file's bytes.
    pub(super) bytes: Bytes,
    /// Its rows.
    pub(super) rows: u64,
    /// Its statistics as Delta's `stats` text.
    pub(super) stats_json: String,
}

/// Encodes `batches`, each bound to `file_schema` by its columns' identities (P11).
///
/// # Errors
/// `Internal` when a batch doesn't fit the schema.
pub(super) fn encode(batches: &[RecordBatch], file_schema: &SchemaRef) -> Result<Encoded> {
    let mut bound = Vec::with_capacity(batches.len());
    for batch in batches.iter().filter(|batch| batch.num_rows() > 0) {
        bound.push(bind(batch, file_schema)?);
    }
    let options = ArrowWriterOptions::new()
        .with_properties(properties(file_schema, &bound)?.build())
        .with_skip_arrow_metadata(true);
    let bytes: usize = bound.iter().map(RecordBatch::get_array_memory_size).sum();
    // About what zstd leaves of it; a buffer that grows step by step is copied as often.
    let out = Vec::with_capacity(bytes / 5);
    let writer = ArrowWriter::try_new_with_options(out, SchemaRef::clone(file_schema), options)?;
    let (mut file, factory) = writer.into_serialized_writer()?;
    for (index, group) in row_groups(&bound).into_iter().enumerate() {
        write_row_group(&mut file, &factory, index, group, file_schema)?;
    }
    let metadata = file.finish()?;
    let stats_json = stats::delta_stats(&metadata);
    let rows = u64::try_from(metadata.file_metadata().num_rows()).unwrap_or(0);
    Ok(Encoded {
        // Finished, so everything is flushed into it.
        bytes: Bytes::from(std::mem::take(file.inner_mut())),
        rows,
        stats_json,
    })
}

fn write_row_group(
    file: &mut SerializedFileWriter<Vec<u8>>,
    factory: &ArrowRowGroupWriterFactory,
    index: usize,
    batches: &[RecordBatch],
    file_schema: &Schema,
) -> Result<()> {
    let mut writers = factory.create_column_writers(index)?.into_iter();
    let mut row_group = file.next_row_group()?;
    for (at, field) in file_schema.fields().iter().enumerate() {
        let leaves = leaf_count(batches, at);
        let mut columns: Vec<ArrowColumnWriter> = writers.by_ref().take(leaves).collect();
        for batch in batches {
            let array = batch.columns().get(at).ok_or_else(missing)?;
            for (leaf, column) in compute_leaves(field, array)?.iter().zip(&mut columns) {
                column.write(leaf)?;
            }
        }
        for column in columns {
            column.close()?.append_to_row_group(&mut row_group)?;
        }
    }
    row_group.close()?;
    Ok(())
}

fn leaf_count(batches: &[RecordBatch], at: usize) -> usize {
    let mut leaves = Vec::new();
    if let Some(array) = batches.first().and_then(|batch| batch.columns().get(at)) {
        leaf_arrays(array, &mut leaves);
    }
    leaves.len()
}

fn missing() -> Error {
    Error::internal("a bound batch lacks a column of its file")
}

/// Neighbouring batches that share a row group.
fn row_groups(batches: &[RecordBatch]) -> Vec<&[RecordBatch]> {
    let mut groups = Vec::new();
    let (mut begin, mut rows, mut bytes) = (0, 0, 0);
    for (at, batch) in batches.iter().enumerate() {
        let more = batch.get_array_memory_size();
        if rows > 0 && (rows + batch.num_rows() > ROW_GROUP_ROWS || bytes + more > ROW_GROUP_BYTES)
        {
            groups.extend(batches.get(begin..at));
            (begin, rows, bytes) = (at, 0, 0);
        }
        rows += batch.num_rows();
        bytes += more;
    }
    groups.extend(batches.get(begin..).filter(|group| !group.is_empty()));
    groups
}

#[cfg(test)]
mod tests;
