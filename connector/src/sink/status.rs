//! What others may know of a task: plain data, replaced by the task a few times a second.

use crate::sink::measures::TaskMeasures;

/// A connector and its tasks.
#[derive(Debug, Clone)]
pub struct ConnectorStatus {
    /// The connector's name.
    pub name: String,
    /// Its consumer group.
    pub group: String,
    /// Its topics that exist.
    pub topics: Vec<String>,
    /// Its topics that don't exist yet; they are picked up once they do.
    pub waiting_for: Vec<String>,
    /// Why the broker's topics can't be listed at present.
    pub error: Option<String>,
    /// Its tasks in this process.
    pub tasks: Vec<TaskStatus>,
}

/// One task.
#[derive(Debug, Clone)]
pub struct TaskStatus {
    /// The task's number within its connector.
    pub task: usize,
    /// What it is doing.
    pub state: TaskState,
    /// Why it failed, or what keeps it waiting.
    pub error: Option<String>,
    /// What it owns.
    pub partitions: Vec<PartitionStatus>,
    /// What it has counted.
    pub measures: TaskMeasures,
}

/// What a task is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TaskState {
    /// It reads, or waits for partitions.
    Running,
    /// The lake doesn't answer or the memory is used up: it keeps its place in the group and reads
    /// on once there is room.
    Held,
    /// It failed and starts again by itself after a while.
    Failed,
    /// It was asked to stop and has.
    Stopped,
}

impl TaskState {
    /// The text of system tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "RUNNING",
            Self::Held => "HELD",
            Self::Failed => "FAILED",
            Self::Stopped => "STOPPED",
        }
    }
}

/// One partition of a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionStatus {
    /// The topic.
    pub topic: String,
    /// The topic's id, once it is known.
    pub topic_id: Option<String>,
    /// The partition.
    pub partition: i32,
    /// What happens to it.
    pub state: PartitionState,
    /// The next offset to be read; what is below is in SQL's answers within a moment.
    pub position: Option<i64>,
    /// The next offset after what is committed.
    pub committed: Option<i64>,
    /// The next offset that the broker will give out, as last asked.
    pub end: Option<i64>,
    /// The tables beside the topic's own that transforms send its records to.
    pub others: Vec<String>,
    /// Why it stopped or waits, and what to do; why nothing comes of one that is read.
    pub error: Option<String>,
}

impl PartitionStatus {
    /// The records that were produced and not yet read.
    pub fn lag(&self) -> Option<i64> {
        Some((self.end? - self.position?).max(0))
    }
}

/// What happens to a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PartitionState {
    /// It is being read.
    Running,
    /// Its start is being found; the error says what keeps it.
    Waiting,
    /// It needs a person; the error says what to do.
    Stopped,
}

impl PartitionState {
    /// The text of system tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "RUNNING",
            Self::Waiting => "WAITING",
            Self::Stopped => "STOPPED",
        }
    }
}
