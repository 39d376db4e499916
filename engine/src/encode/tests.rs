//! What a plain Parquet reader finds in the files.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod round_trip;
mod small;
mod stats;

use bytes::Bytes;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::file::metadata::PageIndexPolicy;

use crate::seal::{Key, Keys};

/// The keys of sealed files.
fn keys() -> [Key; 2] {
    let long = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
    [("short", "MDEyMzQ1Njc4OWFiY2RlZg=="), ("long", long)]
        .map(|(id, text)| Key::from_base64(id, text).unwrap())
}

fn open(bytes: &Bytes) -> ParquetRecordBatchReaderBuilder<Bytes> {
    let known = Keys::default();
    known.add_all(&keys()).unwrap();
    let options = ArrowReaderOptions::new();
    let options = options.with_page_index_policy(PageIndexPolicy::Required);
    known.reader(bytes.clone(), "f", options).unwrap()
}
