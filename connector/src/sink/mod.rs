//! Sink tasks: from a group member's batches to the tables' writers.
//!
//! One thread per task; it owns its consumer and a `TableWriter` per topic. `rebalance` and `start`
//! say where a partition begins, `cut` when what was read is committed, `errors` what a failure
//! means, `discovery` which topics there are. `status` is what others may know of a task.

mod discovery;
mod status;
mod task;

pub(crate) use discovery::{Discovery, TopicBoard};
pub use status::{ConnectorStatus, PartitionState, PartitionStatus, TaskState, TaskStatus};
pub(crate) use task::{TaskHandle, TaskSettings};
