//! Sink tasks: from a group member's batches to the tables' writers.
//!
//! One thread per task; it owns its consumer and the writers of each topic's tables.
//!
//! ```text
//! task (thread, starts over after a failure)
//!   run (the loop) -> rebalance (assign, revoke) -> start (where a partition begins)
//!                  -> cut (live rows, commits, the group's offsets, the end)
//!                  -> take (a record to its writer) -> way (converters, transforms, errors policy)
//!                                                    errant   retry   dead_letters
//!   topic (its tables and partitions) -> tables (one writer to the task) -> routed   routes
//!   errors   measures
//!   discovery (which topics)   orphans (partitions without a reader)   status   asked (commits)
//! ```
//!
//! | what happens | what the task does |
//! |---|---|
//! | a record can't be converted or transformed | it is a row with `_error`; nothing stops |
//! | the same with `errors.tolerance` `none` | commits what came before it, fails with the reason |
//! | the schema registry doesn't answer | that partition waits, for `errors.retry.timeout` |
//! | a dead letter isn't acknowledged | reads no more, polling; commits what it is of only then |
//! | a transform changes the topic | the record is a row of that topic's table (P19) |
//! | a transform drops a record | its offset is recorded as filtered with the commit (E1) |
//! | the lake doesn't answer | reads on until the memory is used up, then waits, polling |
//! | the broker doesn't answer | waits; a commit waits too, since the topic can't be checked (P1) |
//! | position not in the log, topic made again | that partition or topic stops, or as configured |
//! | a fence is lost | drops, reads the positions, seeks; the second time in a row it fails (P8) |
//! | partitions are lost to others | drops what it had of them |
//! | the group leaves partitions without a reader | one member joins again |
//! | it fails | says why, starts over with a growing wait, unless `restart.failed.tasks` is false |

mod alter;
mod asked;
mod cut;
mod dead_letters;
mod decode;
mod discovery;
mod errant;
mod errors;
mod measures;
mod open;
mod orphans;
mod rebalance;
mod report;
mod retry;
mod routed;
mod routes;
mod run;
mod start;
mod status;
mod stop;
mod tables;
mod take;
mod task;
#[cfg(test)]
mod tests;
mod topic;
mod way;

pub(crate) use alter::{Altering, Plan as AlterPlan};
pub(crate) use asked::Asked;
pub(crate) use discovery::{Discovery, TopicBoard};
pub use measures::{ErrorCounts, TaskMeasures, Windowed};
pub(crate) use orphans::Watch;
pub(crate) use routes::{Noted, Routes};
pub use status::{ConnectorStatus, PartitionState, PartitionStatus, TaskState, TaskStatus};
pub(crate) use stop::Leave;
pub(crate) use task::{TaskHandle, TaskSettings};
pub(crate) use way::Refusal;
