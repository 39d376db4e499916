//! Columns of few bytes: neither compressed nor indexed where that costs more than it saves.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::Compression;
use parquet::file::metadata::ColumnChunkMetaData;

use crate::encode::{Form, encode};
use crate::spare::Spare;

/// The column of a file with these texts, which come back.
fn column(texts: Vec<String>) -> ColumnChunkMetaData {
    column_of(Arc::new(StringArray::from(texts)))
}

/// The same of any values.
fn column_of(values: ArrayRef) -> ColumnChunkMetaData {
    let batch = RecordBatch::try_from_iter_with_nullable([("values", values, true)]).unwrap();
    let encoded = encode(
        std::slice::from_ref(&batch),
        &batch.schema(),
        &Form::default(),
        &Spare::default(),
    )
    .unwrap();
    let file = ParquetRecordBatchReaderBuilder::try_new(encoded.bytes).unwrap();
    let column = file.metadata().row_group(0).column(0).clone();
    let mut rows = file.with_batch_size(batch.num_rows()).build().unwrap();
    assert_eq!(rows.next().unwrap().unwrap(), batch);
    column
}

#[test]
fn a_column_is_compressed_once_that_saves_something() {
    for (rows, packed) in [(1, false), (20, false), (200, true)] {
        let unique = column((0..rows).map(|row| format!("text number {row}")).collect());
        let zstd = matches!(unique.compression(), Compression::ZSTD(_));
        assert_eq!(zstd, packed, "{rows} rows");
        let alike = column(vec!["again and again".to_owned(); rows]);
        assert_eq!(alike.compression(), Compression::UNCOMPRESSED);
    }
}

#[test]
fn few_texts_have_a_dictionary_only_if_they_repeat() {
    let texts = |times: usize| (0..10).flat_map(move |at| vec![format!("text {at}"); times]);
    assert!(
        column(texts(1).collect())
            .dictionary_page_offset()
            .is_none()
    );
    assert!(
        column(texts(2).collect())
            .dictionary_page_offset()
            .is_some()
    );
}

#[test]
fn the_bounds_of_an_only_page_are_said_once() {
    for (rows, pages) in [(20_000, 1), (20_001, 2)] {
        let numbers = Int64Array::from_iter_values(0..rows);
        let column = column_of(Arc::new(numbers));
        assert_eq!(column.column_index_offset().is_some(), pages > 1);
        assert!(column.offset_index_offset().is_some());
        let statistics = column.statistics().unwrap();
        assert!(statistics.min_bytes_opt().is_some() && statistics.max_bytes_opt().is_some());
    }
}
