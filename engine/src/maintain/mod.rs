//! The upkeep of tables, off the hot path: many small files become few large ones, and what is not
//! needed any more goes.
//!
//! ```text
//! Keeper::pass (one table)
//!   retain    whole files whose time is up leave the table                         P15, E1
//!   compact   plan -> input -> merge -> output -> one version {removes, adds}      P15
//!   filter    filters of files that have none, many packs of them become few      P14
//!   fold      many records of what filters passed over become one                  E1
//!   clean     what only old versions need: log files, objects                      P10, P14, P16
//!   erase     on request: rows leave the table, a day later the store               P16
//!   alter     on request: positions go back with the rows beyond, or forward        P5, E3
//! Keeper::sweep (the lake)
//!   uploads   journals whose files landed or never will                            P14
//! ```
//!
//! Who keeps which table is the caller's matter, and an optimisation: a rewrite is only a version
//! while the files that it read are still live, and nothing is deleted that our own log or upload
//! journal did not name (E6).
//!
//! # What a crash leaves
//!
//! | point | what is left | on recovery |
//! |---|---|---|
//! | `before_compacted_upload` | a journal | swept after the grace time |
//! | `before_filters_upload` | files that no version names, their journals | swept |
//! | `after_compacted_upload` | the same and a pack of their filters | swept |
//! | (the commit) | as in [`crate::commit`] | |
//! | (committed) | journals whose files landed | swept at once |
//! | `before_altered` | rewritten files that no version names, their journals | swept |
//! | `after_altered` | the same and a record that no version points at | counts for nothing |
//! | (the commit) | positions and rows as before, or both as asked | asked again |
//! | (retired rows are recorded) | a record of rows that are all still there | counts for nothing |
//! | `before_filters_merge` | packs as they were, a journal of what would replace them | swept |
//! | (merged) | two packs of the same filters | the older ones go after the grace time |
//! | (records are folded) | the one and those that it stands for | the same twice; folded again |
//! | (old objects are gone) | commits whose objects are gone | go with the next cleaning |

mod alter;
mod beyond;
mod clean;
mod compact;
mod erase;
mod fold;
mod groups;
mod input;
mod keeper;
mod merge;
mod output;
mod packs;
mod pins;
mod plan;
mod policy;
mod receipt;
mod remove;
mod retain;
mod rows;
mod scan;
mod sizes;
#[cfg(test)]
mod tests;
mod times;
mod unfiltered;
mod uploads;
mod without;

pub use alter::{Alteration, Moved, Target, alter, is_untouched};
pub use clean::Cleaned;
pub use compact::Compacted;
pub use erase::{Erasure, Matches, erase};
pub use keeper::{Filtered, Keeper, Kept};
pub use pins::{PIN_LIFE, Pin, Pinned, pins};
pub use policy::{Compaction, Policy, Retention};
pub use receipt::{Receipt, receipts};
pub use retain::Retired;
