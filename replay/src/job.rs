//! What a replay is once it is asked for: the durable description, and the states it goes through.
//!
//! The state machine is a pure function; `cell` stores what it decides, `run` does the work.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::destination::Checked;
use crate::error::{Error, Result};
use crate::plan::Plan;
use crate::progress::{Counts, Mark, after};
use crate::source::{After, PartitionCount, Pinned};

/// Where a replay stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Stored, not begun.
    Planned,
    /// A worker sends its rows.
    Running,
    /// Stopped by a person; goes on when told to.
    Paused,
    /// Stopped for good by a person.
    Cancelled,
    /// Stopped by an error; goes on from its progress when told to.
    Failed,
    /// Every row is acknowledged (or skipped, as the options say).
    Done,
}

impl State {
    /// The word for it in answers and system tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Cancelled => "cancelled",
            Self::Failed => "failed",
            Self::Done => "done",
        }
    }

    /// Nothing more will happen to it.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Cancelled | Self::Done)
    }

    /// A worker must be sending it.
    pub fn is_active(self) -> bool {
        matches!(self, Self::Planned | Self::Running)
    }
}

/// What happens to a replay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// A worker took it up.
    Start,
    /// A person stops it for now.
    Pause,
    /// A person lets it go on.
    Resume,
    /// A person stops it for good.
    Cancel,
    /// The worker gave up.
    Fail,
    /// The worker has sent everything.
    Finish,
}

impl Event {
    fn verb(self) -> &'static str {
        match self {
            Self::Start => "started",
            Self::Pause => "paused",
            Self::Resume => "resumed",
            Self::Cancel => "cancelled",
            Self::Fail => "failed",
            Self::Finish => "finished",
        }
    }
}

/// The state after `event`. Repeating what already holds is no error, so a command may be sent
/// twice.
///
/// # Errors
/// `Conflict` when the state doesn't allow the event.
pub fn transition(state: State, event: Event) -> Result<State> {
    let next = match (state, event) {
        (State::Planned | State::Running, Event::Start) => State::Running,
        (State::Planned | State::Running | State::Paused, Event::Pause) => State::Paused,
        (State::Paused | State::Failed | State::Running, Event::Resume) => State::Running,
        (state, Event::Cancel) if state != State::Done => State::Cancelled,
        (State::Running, Event::Fail) => State::Failed,
        (State::Running, Event::Finish) => State::Done,
        _ => {
            let (state, verb) = (state.as_str(), event.verb());
            return Err(Error::conflict(format!(
                "a replay that is {state} can't be {verb}"
            )));
        }
    };
    Ok(next)
}

/// The durable description of a replay, stored whole at every change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// The format of this object; raised when its meaning changes.
    pub format: u32,
    /// The replay's id: its name, or a random one.
    pub id: String,
    /// The statement as the user wrote it, for people.
    pub text: String,
    /// What it reads.
    pub source: Pinned,
    /// The destination's name.
    pub destination: String,
    /// What the destination stood for when the replay began; must not change under it.
    pub target: String,
    /// The options as given.
    pub options: BTreeMap<String, String>,
    /// What was planned.
    pub plan: Plan,
    /// Where it stands.
    pub state: State,
    /// Why it failed, when it did.
    pub reason: Option<String>,
    /// Everything up to these marks is acknowledged (P23).
    pub progress: Vec<Mark>,
    /// What lies behind the marks.
    pub counts: Counts,
    /// Whether what its canary expects has come true.
    #[serde(default)]
    pub canary_passed: bool,
    /// The rate that holds instead of the one that was asked for at first; `max` is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<String>,
    /// The transactions that its records go out in, where each is to be there exactly once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transactions: Option<Transactions>,
    /// The source partitions of each of its shards, which send instead of it; none: it sends.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shards: Vec<Vec<PartitionCount>>,
    /// Which shard of another replay it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<Part>,
    /// How often a replay of shards was let go on. A shard that stopped before the last time is to
    /// go on, one that stopped since is not.
    #[serde(default)]
    pub resumes: u64,
    /// The worker that wrote this object last: the fence (P23).
    pub worker: String,
    /// When it was asked for, microseconds since the Unix epoch.
    pub created_us: i64,
    /// When it was stored last.
    pub updated_us: i64,
    /// When it reached a final state, or failed.
    pub finished_us: Option<i64>,
}

/// The transactions of a replay that sends each record exactly once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transactions {
    /// What the destination calls them. It is this replay's in this lake and nobody else's, as the
    /// names of replays aren't: two lakes may send to one Kafka.
    pub name: String,
    /// Whether some may have been committed that `progress` doesn't know of.
    pub open: bool,
}

/// The place of a shard in its replay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// The replay that was asked for.
    pub replay: String,
    /// Which of its shards this is, from 0.
    pub shard: usize,
    /// How many records the whole replay has: the rate is divided by them.
    pub of_records: u64,
    /// What the other shards send: their source partitions, as marks behind any offset.
    pub elsewhere: Vec<Mark>,
}

impl Job {
    /// What was asked for: the replay itself, or the one whose shard it is. Its records are marked
    /// with it.
    pub fn asked(&self) -> &str {
        match &self.part {
            Some(part) => &part.replay,
            None => &self.id,
        }
    }

    /// Whether it has shards that send instead of it.
    pub fn is_divided(&self) -> bool {
        !self.shards.is_empty()
    }

    /// The rows beyond this are those that it is to send: not what lies behind its marks, nor what
    /// other shards send.
    pub(crate) fn after(&self) -> After {
        let mut found = after(&self.progress);
        if let Some(part) = &self.part {
            found.extend(after(&part.elsewhere));
        }
        found
    }

    /// Applies `event` to the state; `reason` is why, where it fails.
    ///
    /// # Errors
    /// `Conflict` when the state doesn't allow it.
    pub(crate) fn advance(
        &mut self,
        event: Event,
        reason: Option<String>,
        now_us: i64,
    ) -> Result<()> {
        let next = transition(self.state, event)?;
        let ended = next.is_final() || next == State::Failed;
        self.finished_us = match self.finished_us {
            Some(at) if ended && self.state == next => Some(at),
            _ => ended.then_some(now_us),
        };
        self.state = next;
        self.reason = reason;
        Ok(())
    }

    /// Refuses a destination that stands for something else now than when the replay began.
    ///
    /// # Errors
    /// `Conflict`.
    pub(crate) fn check_target(&self, now: &str) -> Result<()> {
        match now == self.target {
            true => Ok(()),
            false => Err(self.moved(&self.target, now)),
        }
    }

    /// Refuses a destination that is in another Kafka now, as far as both checks tell its cluster.
    ///
    /// # Errors
    /// `Conflict`.
    pub(crate) fn check_cluster(&self, now: &Checked) -> Result<()> {
        let planned = self.plan.destination.as_ref();
        let then = planned.and_then(|checked| checked.cluster.as_deref());
        match (then, now.cluster.as_deref()) {
            (Some(then), Some(now)) if then != now => {
                let cluster = |id: &str| format!("in the Kafka cluster `{id}`");
                Err(self.moved(&cluster(then), &cluster(now)))
            }
            _ => Ok(()),
        }
    }

    fn moved(&self, then: &str, now: &str) -> Error {
        Error::conflict(format!(
            "destination `{}` was {then} when the replay began, and is {now} now",
            self.destination
        ))
        .with_hint("set it back, or start a new replay under another name")
    }
}

/// The format of a replay that sends all of its records itself.
pub(crate) const FORMAT: u32 = 1;

/// The format of a replay of shards, and of these: a build that doesn't know of them would send
/// everything once more.
pub(crate) const FORMAT_OF_SHARDS: u32 = 2;

#[cfg(test)]
mod tests {
    use super::*;

    const STATES: [State; 6] = [
        State::Planned,
        State::Running,
        State::Paused,
        State::Cancelled,
        State::Failed,
        State::Done,
    ];
    const EVENTS: [Event; 6] = [
        Event::Start,
        Event::Pause,
        Event::Resume,
        Event::Cancel,
        Event::Fail,
        Event::Finish,
    ];

    #[test]
    fn a_final_state_is_never_left() {
        for state in STATES.into_iter().filter(|state| state.is_final()) {
            for event in EVENTS {
                assert_eq!(transition(state, event).unwrap_or(state), state);
            }
        }
    }

    #[test]
    fn a_command_may_be_repeated() {
        for event in [Event::Start, Event::Pause, Event::Resume, Event::Cancel] {
            for state in STATES {
                if let Ok(next) = transition(state, event) {
                    assert_eq!(transition(next, event).ok(), Some(next), "{event:?}");
                }
            }
        }
    }

    #[test]
    fn only_a_running_replay_becomes_done() {
        for state in STATES {
            let allowed = transition(state, Event::Finish).is_ok();
            assert_eq!(allowed, state == State::Running);
        }
    }
}
