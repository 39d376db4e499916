//! How many rows of a file make a batch, from what its footer says of their sizes.
//!
//! A text that repeats is stored once and decoded for each row: what a file takes in the store says
//! little about what its rows take in memory. A footer may say how large the texts are when they
//! are decoded. Where it doesn't, each may be as long as the whole dictionary of its column.

use parquet::basic::{Encoding, Type};
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};

/// What one batch should hold in memory.
const BATCH_BYTES: usize = 16 << 20;

/// What the texts of one column of a batch may take at worst. Inputs that must be sorted are read
/// eight batches at once, and an array has less than 2 GiB.
const COLUMN_BYTES_MOST: usize = 128 << 20;

/// Writers end a dictionary once it is as large.
const DICTIONARY_BYTES: usize = 1 << 20;

/// The most rows of a batch.
const ROWS_MOST: usize = 8_192;

/// What a file's rows take.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sizes {
    /// The rows.
    rows: usize,
    /// The bytes of all values, encoded but not compressed.
    encoded_bytes: usize,
    /// The same decoded, as far as the footer says so.
    decoded_bytes: usize,
    /// What one row may take in one column at worst; 0 where texts don't repeat enough to matter.
    heaviest_bytes: usize,
}

impl Sizes {
    /// What the footer says.
    pub(super) fn of(metadata: &ParquetMetaData) -> Self {
        let mut sizes = Self {
            rows: size(metadata.file_metadata().num_rows()),
            ..Self::default()
        };
        for group in metadata.row_groups() {
            let rows = size(group.num_rows()).max(1);
            for column in group.columns() {
                let encoded = size(column.uncompressed_size());
                let decoded = size(column.unencoded_byte_array_data_bytes().unwrap_or(0));
                sizes.encoded_bytes += encoded;
                sizes.decoded_bytes += encoded.max(decoded);
                let values = size(column.num_values()).div_ceil(rows).max(1);
                let heaviest = heaviest(column).saturating_mul(values);
                sizes.heaviest_bytes = sizes.heaviest_bytes.max(heaviest);
            }
        }
        sizes
    }
}

/// The rows of a batch of such files: by their size, and by the columns, `leaves`, since even a
/// null takes room; one row where they are large.
pub(super) fn rows_of_batch(files: &[Sizes], leaves: usize) -> usize {
    let rows: usize = files.iter().map(|file| file.rows).sum();
    let encoded: usize = files.iter().map(|file| file.encoded_bytes).sum();
    // The rows of one file may be large and those of the others many.
    let decoded = files
        .iter()
        .map(|file| file.decoded_bytes / file.rows.max(1));
    // Values that repeat are encoded once and decoded each.
    let row_bytes = (encoded * 2 / rows.max(1)).max(decoded.max().unwrap_or(0)) + 8 * leaves;
    let heaviest = files.iter().map(|file| file.heaviest_bytes).max();
    let at_worst = COLUMN_BYTES_MOST / heaviest.unwrap_or(0).max(1);
    (BATCH_BYTES / row_bytes.max(1))
        .min(at_worst)
        .clamp(1, ROWS_MOST)
}

/// What one value of a column may take: a number is as small as it looks, a text that is stored in
/// plain too. One of a dictionary may be all that the dictionary holds, unless the column is known
/// to take little in all.
fn heaviest(column: &ColumnChunkMetaData) -> usize {
    let encoded = size(column.uncompressed_size());
    let shared = column.dictionary_page_offset().is_some()
        || column.encodings().any(|one| {
            matches!(
                one,
                Encoding::PLAIN_DICTIONARY | Encoding::RLE_DICTIONARY | Encoding::DELTA_BYTE_ARRAY
            )
        });
    let known = column.unencoded_byte_array_data_bytes().map(size);
    let little = known.is_some_and(|bytes| bytes <= COLUMN_BYTES_MOST.max(2 * encoded));
    if column.column_type() != Type::BYTE_ARRAY || !shared || little {
        return 0;
    }
    encoded.min(DICTIONARY_BYTES)
}

/// A count of a footer; nothing when it makes no sense.
fn size(count: i64) -> usize {
    usize::try_from(count).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]

    use std::sync::Arc;

    use arrow::array::{ArrayRef, RecordBatch, StringArray};
    use parquet::arrow::ArrowWriter;

    use super::*;

    /// The footer of a file of 20 times `texts`, with dictionaries.
    fn footer(texts: &[String]) -> ParquetMetaData {
        let array: ArrayRef = Arc::new(StringArray::from(texts.to_vec()));
        let batch = RecordBatch::try_from_iter([("t", array)]).unwrap();
        let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
        for _ in 0..20 {
            writer.write(&batch).unwrap();
        }
        writer.close().unwrap()
    }

    /// The same file by a writer that doesn't say how large its texts are.
    fn silent(metadata: &ParquetMetaData) -> Sizes {
        let group = metadata.row_group(0).clone();
        let column = group.column(0).clone().into_builder();
        let column = column.set_unencoded_byte_array_data_bytes(None);
        let group = group.into_builder();
        let group = group.set_column_metadata(vec![column.build().unwrap()]);
        let builder = metadata.clone().into_builder();
        let builder = builder.set_row_groups(vec![group.build().unwrap()]);
        Sizes::of(&builder.build())
    }

    #[test]
    fn a_long_text_in_every_row_makes_small_batches() {
        const LENGTH: usize = 30_000;
        let metadata = footer(&vec!["x".repeat(LENGTH); 50]);
        let known = Sizes::of(&metadata);
        assert!(known.encoded_bytes < 2 * LENGTH, "it is stored once");
        let rows = rows_of_batch(&[known], 1);
        assert!(rows > 1 && rows * LENGTH <= BATCH_BYTES, "{rows}");
        let small = Sizes::of(&footer(&vec!["small".to_owned(); 5_000]));
        let both = rows_of_batch(&[small, known], 1);
        assert!(both <= rows, "the small rows hide the large ones: {both}");
        let rows = rows_of_batch(&[silent(&metadata)], 1);
        assert!(rows > 1 && rows * LENGTH <= COLUMN_BYTES_MOST, "{rows}");
    }

    #[test]
    fn short_texts_make_large_batches_whether_or_not_they_repeat() {
        for many in [1, 7, 100] {
            let texts: Vec<String> = (0..500).map(|row| format!("{:07}", row % many)).collect();
            let metadata = footer(&texts);
            assert_eq!(
                rows_of_batch(&[Sizes::of(&metadata)], 1),
                ROWS_MOST,
                "{many}"
            );
            assert_eq!(rows_of_batch(&[silent(&metadata)], 1), ROWS_MOST, "{many}");
        }
        assert_eq!(rows_of_batch(&[], 0), ROWS_MOST);
    }
}
