//! What a plain Parquet reader finds in the files.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod round_trip;
mod small;
mod stats;
