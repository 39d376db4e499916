//! How the Parquet crate's own writer encodes the columns that are left to it: rare types of the
//! hot path, and all of a compacted file.

use arrow::datatypes::Schema;
use parquet::arrow::ArrowSchemaConverter;
use parquet::basic::{Compression, Encoding, Type, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};

use crate::error::Result;
use crate::schema::{VALUE, VALUE_SHAPE};

/// The bytes after which a column's dictionary falls back to plain values. A column of 20,000 ids
/// still fits.
const DICTIONARY_BYTES: usize = 1 << 20;

/// Rows of a row group: small enough that readers prune and parallelise, large enough that a
/// dictionary pays.
pub(crate) const ROW_GROUP_ROWS: usize = 256 * 1024;

/// Encoded bytes of a row group: what a reader must be ready to hold.
const ROW_GROUP_BYTES: usize = 128 << 20;

/// What each column of `file_schema` is written with by the Parquet crate's own writer; every text
/// column begins with a dictionary.
///
/// # Errors
/// `Internal` for a schema that Parquet can't hold.
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
            _ if root == Some(VALUE) => {
                builder = builder
                    .set_column_dictionary_enabled(path.clone(), false)
                    .set_column_statistics_enabled(path.clone(), EnabledStatistics::Chunk);
            }
            // Nobody looks for a shape.
            _ if root == Some(VALUE_SHAPE) => {
                builder =
                    builder.set_column_statistics_enabled(path.clone(), EnabledStatistics::Chunk);
            }
            Type::BYTE_ARRAY if root == Some("_key") => {
                builder = builder
                    .set_column_dictionary_enabled(path.clone(), false)
                    .set_column_encoding(path.clone(), Encoding::DELTA_LENGTH_BYTE_ARRAY);
            }
            _ => {}
        }
    }
    Ok(builder)
}
