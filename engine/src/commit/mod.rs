//! One Delta table's log: the commit, and the rules that make it exactly once.

mod actions;
mod app;
mod checkpoint;
pub(crate) mod columns;
mod committer;
mod create;
mod cut;
mod history;
#[cfg(any(test, feature = "testing"))]
pub mod invariants;
pub(crate) mod kernel;
mod log;
mod put;
mod reserve;
mod table_state;
#[cfg(test)]
mod tests;

pub use actions::MovedRange;
pub use cut::{Committed, Cut, DataFile, GRACE, Move};
pub use history::Version;
pub use log::TableLog;

pub(crate) use actions::{Actions, data_file, read as read_commit};
pub(crate) use table_state::{TableState, check_positions, record_batch, strings};

/// How Eddy names itself in a table's history.
const ENGINE: &str = concat!("Eddy/", env!("CARGO_PKG_VERSION"));
