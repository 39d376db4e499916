//! One Parquet file of the hot path: from batches to its bytes.
//!
//! ```text
//! batches -> pieces.rs: what they have of each column (history.rs: and what those lack it in)
//!         -> leaf.rs (levels.rs, in lists listed.rs): its entries, rows or elements
//!         -> text.rs, fixed.rs: pages (runs.rs, dictionary.rs, delta.rs, hybrid.rs)
//!         -> chunk.rs (header.rs): compressed, with bounds and places for the page index -> file
//!         -> nested.rs: rare types, by the Parquet crate's own writer -------^
//! ```
//!
//! The hot path writes fast, compaction writes beautifully: zstd(1) where a column is large enough
//! and gains by it, statistics, and a page index, with bounds for columns of several pages.
//!
//! A column is written from its Arrow buffers into pages without a copy in between, and rows that
//! lack it cost a run of levels, so the work follows the values and not the table's width. The
//! Arrow schema isn't embedded: a wide table's metadata would outweigh small files, and the Parquet
//! types say everything.
//!
//! A row group is written column by column: only that column's pages are buffered.

mod bounds;
mod chunk;
mod codec;
mod delta;
mod dictionary;
mod fixed;
mod header;
mod history;
mod hybrid;
mod leaf;
mod levels;
mod listed;
mod nested;
mod pieces;
mod properties;
mod runs;
mod search;
mod stats;
#[cfg(test)]
mod tests;
mod text;

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, SchemaRef};
use bytes::Bytes;
use parquet::arrow::ArrowSchemaConverter;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::ColumnDescPtr;
use uuid::Uuid;

use crate::error::{Error, Result};
use crate::read::bytes_of;
use crate::schema::VALUE;
use crate::seal::{Key, seal};
use crate::spare::Spare;
use chunk::{Chunk, Press};
use leaf::Leaf;
use pieces::{Unit, Units};

pub use codec::Codec;
pub(crate) use properties::{ROW_GROUP_ROWS, properties};
pub use stats::COMPLETE as STATS_COMPLETE;
pub(crate) use stats::delta_stats;

/// Bytes of a row group before it is encoded, several times what a reader must be ready to hold.
const ROW_GROUP_BYTES: usize = 512 << 20;

/// A file is at least this many times smaller than its batches, as a rule: a buffer that is too
/// small by a little is copied into one of twice the size, whose memory is touched for the first
/// time.
const PACKED: usize = 4;

/// The original bytes: unique, and bounds of a blob prune nothing.
const OPAQUE: &str = VALUE;

/// The key of a file's mark in its footer.
pub(crate) const MARK: &str = "eddy.cut";

/// A finished file, not yet uploaded.
#[derive(Debug, Clone)]
pub(crate) struct Encoded {
    /// The file's bytes.
    pub(crate) bytes: Bytes,
    /// Its rows.
    pub(crate) rows: u64,
    /// Its statistics as Delta's `stats` text.
    pub(crate) stats_json: String,
}

/// How a file is written, beside what is in it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Form {
    /// What its pages are compressed with.
    pub(crate) codec: Codec,
    /// Says in the footer whose the file is, where its name doesn't.
    pub(crate) mark: Option<Uuid>,
    /// Seals it.
    pub(crate) key: Option<Key>,
}

/// Encodes `batches`, whose columns are found in `file_schema` by their identities (P11).
///
/// # Errors
/// `Internal` when a batch doesn't fit the schema.
pub(crate) fn encode(
    batches: &[RecordBatch],
    file_schema: &SchemaRef,
    form: &Form,
    spare: &Spare,
) -> Result<Encoded> {
    let mark = form
        .mark
        .map(|mark| KeyValue::new(MARK.to_owned(), mark.to_string()));
    let properties = WriterProperties::builder()
        .set_key_value_metadata(mark.map(|mark| vec![mark]))
        .build();
    let columns = ArrowSchemaConverter::new().convert(file_schema)?;
    let sizes: Vec<usize> = batches.iter().map(bytes_of).collect();
    let bytes: usize = sizes.iter().sum();
    // About what zstd leaves of it; a buffer that grows step by step is copied as often.
    let out = spare.take(bytes / PACKED);
    let root = columns.root_schema_ptr();
    let mut file = SerializedFileWriter::new(out, root, Arc::new(properties))?;
    let mut units = Units::of(file_schema);
    let mut press = Press::new(form.codec, spare, bytes / PACKED)?;
    for batches in row_groups(batches, &sizes) {
        units.gather(batches)?;
        write_row_group(&mut file, &units.units, &mut press, form.codec)?;
    }
    let metadata = file.finish()?;
    let stats_json = stats::delta_stats(&metadata, form.key.is_some());
    let rows = u64::try_from(metadata.file_metadata().num_rows()).unwrap_or(0);
    // Finished, so everything is flushed into it.
    let mut bytes = std::mem::take(file.inner_mut());
    if let Some(key) = &form.key {
        let sealed = seal(&bytes, metadata, key, spare.take(bytes.len()))?;
        spare.give(std::mem::replace(&mut bytes, sealed));
    }
    Ok(Encoded {
        bytes: spare.lend(bytes),
        rows,
        stats_json,
    })
}

fn write_row_group(
    file: &mut SerializedFileWriter<Vec<u8>>,
    units: &[Unit],
    press: &mut Press,
    codec: Codec,
) -> Result<()> {
    let columns = file.schema_descr().columns().to_vec();
    let mut row_group = file.next_row_group()?;
    let mut columns = columns.into_iter();
    for unit in units {
        let data_type = unit.data_type();
        if !listed::is_ours(data_type) {
            columns.by_ref().take(leaves(data_type)).for_each(drop);
            nested::write(unit, codec, &mut row_group)?;
        } else if !matches!(data_type, DataType::List(_)) {
            let opaque = matches!(unit.path.as_slice(), [root] if root.name() == OPAQUE);
            let column = columns.next().ok_or_else(lacking)?;
            write_column(Leaf::Single(unit), column, opaque, press, &mut row_group)?;
        } else {
            let bound = listed::bound(unit)?;
            for leaf in listed::leaves(unit, &bound) {
                let column = columns.next().ok_or_else(lacking)?;
                let top = u32::try_from(column.max_def_level()).unwrap_or(0);
                let leaf = Leaf::Listed(&leaf, top);
                write_column(leaf, column, false, press, &mut row_group)?;
            }
        }
    }
    row_group.close()?;
    Ok(())
}

fn write_column(
    leaf: Leaf<'_>,
    column: ColumnDescPtr,
    opaque: bool,
    press: &mut Press,
    row_group: &mut SerializedRowGroupWriter<'_, Vec<u8>>,
) -> Result<()> {
    let mut chunk = Chunk::new(column, press);
    let statistics = if is_text(leaf.data_type()) {
        text::write(leaf, &mut chunk, opaque)?
    } else {
        fixed::write(leaf, &mut chunk)?
    };
    chunk.close(statistics, row_group)
}

fn is_text(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Utf8 | DataType::Binary)
}

fn lacking() -> Error {
    Error::internal("a file lacks a column")
}

/// Parquet columns of a type.
fn leaves(data_type: &DataType) -> usize {
    match data_type {
        DataType::Struct(fields) => fields.iter().map(|field| leaves(field.data_type())).sum(),
        DataType::List(element) => leaves(element.data_type()),
        _ => 1,
    }
}

/// Neighbouring batches that share a row group; of each batch its bytes.
fn row_groups<'a>(batches: &'a [RecordBatch], sizes: &[usize]) -> Vec<&'a [RecordBatch]> {
    let mut groups = Vec::new();
    let (mut begin, mut rows, mut bytes) = (0, 0, 0);
    for (at, (batch, &more)) in batches.iter().zip(sizes).enumerate() {
        if rows > 0 && (rows + batch.num_rows() > ROW_GROUP_ROWS || bytes + more > ROW_GROUP_BYTES)
        {
            groups.extend(batches.get(begin..at));
            (begin, rows, bytes) = (at, 0, 0);
        }
        rows += batch.num_rows();
        bytes += more;
    }
    groups.extend(batches.get(begin..).filter(|_| rows > 0));
    groups
}
