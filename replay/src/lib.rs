//! Eddy's replay: plays the rows of a SELECT back into a destination, record by record.
//!
//! A replay is a durable job: a pinned table version, a SELECT, a destination, options, progress.
//! This crate knows no SQL (the rows come from a [`RowSource`], which the binary implements with
//! the query crate) and writes nothing into the lake but its own objects under `_eddy/`.
//!
//! ```text
//! Request -> plan (dry run) -> Job in a register -> run: rows -> pacing -> Destination
//!                                   ^                                         |
//!                                   +---- progress (marks) <- acknowledged ---+
//! ```
//!
//! # Promises
//!
//! - Key, value, headers and timestamp leave as they were received (E7).
//! - Progress is stored only after the destination acknowledged everything up to it (P23): a
//!   restart sends nothing less than what is missing, and twice only what was not yet marked.
//! - The records of one source partition leave in their order.
//! - Every change of a job is the next number of its register: two workers can't both advance it.
//! - The shards of a divided replay are jobs with whole source partitions each, so that all of
//!   this holds for each of them; other workers take up what a dead one had (`divide`).
//! - A replay reads one version of its table at a time (E4), whose pin is the job itself (P16).
//! - Secrets stay where they are: the register, the answers and `Debug` hold references only.

pub mod destination;
pub mod error;
pub mod job;
pub mod jobs;
pub mod ledger;
pub mod mapping;
pub mod mark;
pub mod pacing;
pub mod plan;
pub mod progress;
pub mod report;
pub mod request;
pub mod rest;
pub mod source;

mod attempt;
mod cell;
mod divide;
mod rows;
mod run;
mod sending;
mod store;
#[cfg(test)]
mod testing;

pub use destination::{Definition, Destination, Destinations, Reach};
pub use error::{Error, ErrorKind, Result};
pub use job::{Job, State};
pub use jobs::{GroupOffsets, GroupRequest, Jobs, Started};
pub use plan::Plan;
pub use request::{OPTION_NAMES, Options, Payload, Request};
pub use rest::router;
pub use run::SHARDS_AT_ONCE;
pub use source::{
    After, Answered, PartitionCount, Pinned, PinnedTable, RowSource, Sequence, SourcePlan,
    Statement,
};
