//! What one connector does on this worker. Plain data.

use std::collections::BTreeMap;
use std::time::Duration;

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
    /// How many tasks it has on all workers.
    pub(super) count: usize,
    /// Those of this worker.
    pub(super) tasks: BTreeMap<usize, TaskHere>,
    /// When it is started again by itself after a failure.
    pub(super) again: Option<Again>,
    /// Which of its topics had records.
    pub(super) active: Active,
}

/// A start that failed is tried again.
#[derive(Debug, Clone, Copy)]
pub(super) struct Again {
    /// When, on the monotonic clock.
    pub(super) at: Duration,
    /// After how long: doubled at each failure.
    pub(super) after: Duration,
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

impl Here {
    /// Nothing runs because it can't be started.
    pub(super) fn fail(&mut self, why: String) {
        (self.state, self.trace) = (State::Failed, Some(why));
        self.tasks.clear();
    }
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
