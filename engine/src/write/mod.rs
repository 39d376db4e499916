//! From records to committed files: what a sink task holds, and when it is cut.
//!
//! ```text
//! append -> shredder -> publish -> batch -> cut -> background job -> one Delta version
//!                                    |                 |
//!                                live rows     partition/file/stats/upload
//! ```
//!
//! A [`TableWriter`] belongs to one task and one table and is used from the task's own thread. It
//! never waits for the store while appending: one commit at a time runs in the background, and what
//! comes meanwhile is buffered for the next. The caller bounds the memory by pausing its consumer
//! while [`TableWriter::must_pause`].
//!
//! # The cut (P6)
//!
//! A commit takes every row and all progress below the cut, of every partition of the writer, in
//! one version: the files of all days and the positions of all partitions land together or not at
//! all. Offsets without a row (control records, aborted transactions) move the position too (P4),
//! so a cut may have no file.
//!
//! # What becomes of a cut
//!
//! | the commit | the writer | the task |
//! |---|---|---|
//! | lands | moves its settled positions; rows stay live for a grace time | commits group offsets |
//! | store unavailable | asks again, same cut (P9); see [`TableWriter::stalled`] | polls on |
//! | fenced (P8) | drops everything, rows vanish | `reset`, seek; twice in a row: fail |
//! | past a release's deadline (P7) | gives it up, drops it and what shares it | seeks co-tenants |
//! | fails otherwise | drops everything | fails with the error |
//!
//! A commit that was given up may still land. The next cut of the same partitions then loses its
//! fence, and `reset` finds the rows accounted: nothing is doubled.
//!
//! # What a crash leaves
//!
//! Nothing of a writer survives it. Files without a commit are named by the upload journal (P14);
//! positions are the table's, so the next owner reads everything else again.

mod assign;
mod begin;
mod buffer;
mod cut;
mod files;
mod gather;
mod going;
mod intake;
mod job;
mod journal;
mod objects;
mod options;
mod orphans;
mod payload;
mod release;
mod schedule;
mod settle;
mod sides;
mod span;
mod standing;
mod table;
mod upload;
mod waiting;

#[cfg(test)]
mod tests;

pub use crate::encode::STATS_COMPLETE;
pub use crate::shred::Payload;
pub use cut::{CutPolicy, Pending};
pub use options::{CommittedRange, Released, Retry, Stall, Start, WriterOptions};
pub use schedule::Schedule;
pub use table::TableWriter;

pub(crate) use journal::{
    Journal, Landed, Named, forget_journals, read_journals, write_journal, write_journal_of,
};
pub(crate) use upload::{PART_BYTES, carries};
