//! From records to committed files: the open files of a sink task, and when they are cut.

mod cut;
mod options;
mod table;

pub use cut::{CutPolicy, Pending};
pub use options::{CommittedRange, Limits, Released, Retry, Stall, Start, WriterOptions};
pub use table::TableWriter;
