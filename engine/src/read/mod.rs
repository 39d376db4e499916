//! What a query may see: a version of a table, and the rows that are not committed yet.

pub mod accounts;
pub mod altered;
pub mod answer;
mod bytes;
pub mod clip;
mod counting;
mod fetch;
pub mod filtered;
mod folded;
pub mod live;
pub mod retired;
mod runs;
mod snapshot;
mod tables;
mod through;

pub use accounts::{Account, accounts};
pub use altered::{Alterations, Altered, alterations};
pub use answer::{Answer, consistent};
pub use counting::{CountingStore, ReadCount};
pub use filtered::{FilteredRanges, filtered, stored};
pub use live::{LiveBatch, LiveRange, LiveRows};
pub use retired::{RetiredRanges, retired};
pub use snapshot::{SchemaHistory, Snapshot, SnapshotCache};
pub use tables::{tables, tables_in};
pub use through::{ObjectReader, ReadThrough};

pub(crate) use bytes::bytes_of;
pub(crate) use fetch::Fetch;
