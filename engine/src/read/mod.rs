//! What a query may see: a version of a table, and the rows that are not committed yet.

mod snapshot;
mod tables;

pub use snapshot::{Snapshot, SnapshotCache};
pub use tables::tables;
