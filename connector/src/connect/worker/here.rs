//! What one connector does on this worker. Plain data.

use std::collections::BTreeMap;

use super::topics::Active;

/// A connector of this worker.
#[derive(Debug, Clone, Default)]
pub(super) struct Here {
    /// The configuration with which its tasks were started.
    pub(super) config: BTreeMap<String, String>,
    /// What it does.
    pub(super) state: State,
    /// Why it failed.
    pub(super) trace: Option<String>,
    /// Its tasks.
    pub(super) tasks: Vec<TaskHere>,
    /// Which of its topics had records.
    pub(super) active: Active,
}

/// What a connector does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::connect) enum State {
    /// It was created and nobody has begun with it yet.
    #[default]
    Unassigned,
    Running,
    Paused,
    Stopped,
    /// It can't be started.
    Failed,
}

/// One task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum TaskHere {
    /// It runs, or tries to: its handle knows more.
    Live,
    /// It does nothing until its connector is resumed.
    Paused,
    /// It can't run; says why.
    Failed(String),
}

impl State {
    /// Connect's word.
    pub(in crate::connect) fn as_str(self) -> &'static str {
        match self {
            Self::Unassigned => "UNASSIGNED",
            Self::Running => "RUNNING",
            Self::Paused => "PAUSED",
            Self::Stopped => "STOPPED",
            Self::Failed => "FAILED",
        }
    }
}
