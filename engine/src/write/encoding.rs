//! How each column of a file is encoded, decided from its type and a sample of its values.
//!
//! A dictionary where values repeat, deltas for numbers, lengths and bytes apart for texts that are
//! all different: a dictionary of unique values costs its hashing and is thrown away.

use std::collections::HashSet;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Schema};
use parquet::arrow::ArrowSchemaConverter;
use parquet::basic::{Compression, Encoding, Type, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};

use crate::error::Result;

/// The bytes after which a column's dictionary falls back to plain values. A column of 20,000 ids
/// still fits.
const DICTIONARY_BYTES: usize = 1 << 20;

/// Rows of a row group: small enough that readers prune and parallelise, large enough that a
/// dictionary pays.
pub(crate) const ROW_GROUP_ROWS: usize = 256 * 1024;

/// Encoded bytes of a row group: what a reader must be ready to hold.
const ROW_GROUP_BYTES: usize = 128 << 20;

/// Values of a text column that are looked at: of 20,000 ids at random, 100 come twice among these.
const SAMPLE: usize = 2_048;

/// Below this a sample says nothing; a dictionary of so few values costs nothing either.
const SAMPLE_LEAST: usize = 1_024;

/// What each column of `file_schema` is written with; `batches` are bound to it, and without any
/// every text column begins with a dictionary.
///
/// # Errors
/// `Internal` for a schema that Parquet can't hold.
pub(crate) fn properties(
    file_schema: &Schema,
    batches: &[RecordBatch],
) -> Result<WriterPropertiesBuilder> {
    let mut builder = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_max_row_group_bytes(Some(ROW_GROUP_BYTES))
        .set_dictionary_page_size_limit(DICTIONARY_BYTES)
        .set_statistics_enabled(EnabledStatistics::Page);
    let parquet_schema = ArrowSchemaConverter::new().convert(file_schema)?;
    let samples = samples(batches);
    for (at, column) in parquet_schema.columns().iter().enumerate() {
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
            Type::BYTE_ARRAY
                if root == Some("_key")
                    || samples
                        .iter()
                        .any(|sample| sample.get(at).is_some_and(is_unique)) =>
            {
                builder = builder
                    .set_column_dictionary_enabled(path.clone(), false)
                    .set_column_encoding(path.clone(), Encoding::DELTA_LENGTH_BYTE_ARRAY);
            }
            _ => {}
        }
    }
    Ok(builder)
}

/// The leaves of an array in the order of Parquet's columns.
pub(super) fn leaf_arrays(array: &ArrayRef, leaves: &mut Vec<ArrayRef>) {
    match array.data_type() {
        DataType::Struct(_) => {
            for column in array.as_struct().columns() {
                leaf_arrays(column, leaves);
            }
        }
        DataType::List(_) => leaf_arrays(array.as_list::<i32>().values(), leaves),
        _ => leaves.push(ArrayRef::clone(array)),
    }
}

/// The leaves of the batches in the middle and at the end.
fn samples(batches: &[RecordBatch]) -> Vec<Vec<ArrayRef>> {
    let picked = [batches.get(batches.len() / 2), batches.last()];
    picked
        .into_iter()
        .flatten()
        .map(|batch| {
            let mut leaves = Vec::new();
            for column in batch.columns() {
                leaf_arrays(column, &mut leaves);
            }
            leaves
        })
        .collect()
}

/// Hardly any text of the sample comes twice.
fn is_unique(array: &ArrayRef) -> bool {
    let Some(texts) = array.as_string_opt::<i32>() else {
        return false;
    };
    if texts.len() - texts.null_count() < SAMPLE_LEAST {
        return false;
    }
    let mut seen = HashSet::with_capacity(SAMPLE);
    let mut looked = 0;
    for text in texts.iter().flatten().take(SAMPLE) {
        seen.insert(text);
        looked += 1;
    }
    (looked - seen.len()) * 100 < looked
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;

    use arrow::array::StringArray;

    use super::*;

    fn texts(distinct: usize) -> ArrayRef {
        let texts = (0..8_192).map(|at| format!("id-{}", at * 7_919 % distinct));
        Arc::new(texts.map(Some).collect::<StringArray>())
    }

    #[test]
    fn only_columns_whose_values_repeat_have_a_dictionary() {
        let few: ArrayRef = Arc::new(StringArray::from_iter_values(
            (0..100).map(|at| at.to_string()),
        ));
        assert!(is_unique(&texts(1_000_003)) && !is_unique(&texts(1_000)) && !is_unique(&few));
        let batch = RecordBatch::try_from_iter([("id", texts(1_000_003)), ("kind", texts(3))]);
        let batch = batch.unwrap();
        let properties = properties(&batch.schema(), std::slice::from_ref(&batch))
            .unwrap()
            .build();
        assert!(!properties.dictionary_enabled(&"id".into()));
        assert!(properties.dictionary_enabled(&"kind".into()));
    }
}
