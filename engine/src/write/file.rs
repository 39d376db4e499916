//! One Parquet file: from batches to its bytes, tuned for the hot path.
//!
//! The hot path writes fast, compaction writes beautifully: zstd(1), statistics and page index,
//! a dictionary only where values repeat, deltas for numbers. The Arrow schema isn't embedded: a
//! wide table's metadata would outweigh small files, and the Parquet types say everything.

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use bytes::Bytes;
use parquet::arrow::ArrowSchemaConverter;
use parquet::arrow::arrow_writer::{ArrowWriter, ArrowWriterOptions};
use parquet::basic::{Compression, Encoding, Type, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};

use crate::error::Result;
use crate::schema::bind;
use crate::write::stats;

/// Rows of a row group: small enough that readers prune and parallelise, large enough that a
/// dictionary pays.
pub(crate) const ROW_GROUP_ROWS: usize = 256 * 1024;

/// Encoded bytes of a row group: what a reader must be ready to hold.
const ROW_GROUP_BYTES: usize = 128 << 20;

/// The bytes after which a column's dictionary falls back to plain values. A column of 20,000 ids
/// still fits; a column of unique ids gives up early.
const DICTIONARY_BYTES: usize = 1 << 20;

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
    let options = ArrowWriterOptions::new()
        .with_properties(properties(file_schema)?.build())
        .with_skip_arrow_metadata(true);
    let mut writer =
        ArrowWriter::try_new_with_options(Vec::new(), SchemaRef::clone(file_schema), options)?;
    for batch in batches {
        writer.write(&bind(batch, file_schema)?)?;
    }
    let metadata = writer.finish()?;
    let stats_json = stats::delta_stats(&metadata);
    let rows = u64::try_from(metadata.file_metadata().num_rows()).unwrap_or(0);
    Ok(Encoded {
        // Finished, so everything is flushed into it.
        bytes: Bytes::from(std::mem::take(writer.inner_mut())),
        rows,
        stats_json,
    })
}

/// What each column of `file_schema` is written with.
///
/// # Errors
/// `Internal` for columns that Parquet can't hold.
pub(crate) fn properties(file_schema: &Schema) -> Result<WriterPropertiesBuilder> {
    let mut builder = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_max_row_group_bytes(Some(ROW_GROUP_BYTES))
        .set_dictionary_page_size_limit(DICTIONARY_BYTES)
        .set_statistics_enabled(EnabledStatistics::Page);
    let parquet_schema = ArrowSchemaConverter::new().convert(file_schema)?;
    for column in parquet_schema.columns() {
        let path = column.path();
        let root = path.parts().first().map(String::as_str);
        match column.physical_type() {
            Type::INT32 | Type::INT64 => {
                builder = builder
                    .set_column_dictionary_enabled(path.clone(), false)
                    .set_column_encoding(path.clone(), Encoding::DELTA_BINARY_PACKED);
            }
            // The original bytes are unique: a dictionary only costs, and bounds of a blob prune
            // nothing, so pages do without them.
            _ if root == Some("_value") => {
                builder = builder
                    .set_column_dictionary_enabled(path.clone(), false)
                    .set_column_statistics_enabled(path.clone(), EnabledStatistics::Chunk);
            }
            _ if root == Some("_key") => {
                builder = builder.set_column_dictionary_enabled(path.clone(), false);
            }
            _ => {}
        }
    }
    Ok(builder)
}

#[cfg(test)]
mod tests;
