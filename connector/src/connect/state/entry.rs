//! One entry of the log: a key and a value in Connect's own form.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// A key and its value; no value removes the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::connect) struct Entry {
    pub(in crate::connect) key: String,
    pub(in crate::connect) value: Option<String>,
}

/// What a connector is meant to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::connect) enum Target {
    #[default]
    Running,
    /// Its tasks stay, and do nothing.
    Paused,
    /// It has no tasks.
    Stopped,
}

/// What an entry says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::connect) enum Change {
    /// The connector's configuration, or that it is gone.
    Config(String, Option<BTreeMap<String, String>>),
    /// The connector's target state.
    Target(String, Option<Target>),
    /// How many tasks it was given.
    Tasks(String, usize),
    /// A failed connector and these of its tasks are to be started anew, now.
    Restart(String, Chosen),
    /// All workers' loggers of this name, and those below it, are set to a level, now.
    Level(String, String),
    /// Something of a later version, or of Connect's.
    Unknown,
}

/// Which parts of a connector a restart is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::connect) enum Chosen {
    /// The connector, and its tasks if they are included; only what failed, if that is asked for.
    All { tasks: bool, failed: bool },
    /// This task.
    Task(usize),
}

const CONFIG: &str = "connector-";
const TARGET: &str = "target-state-";
const TASKS: &str = "commit-";
const RESTART: &str = "restart-connector-";
/// A task's restart; Connect's workers tell each other by another way.
const RESTART_TASK: &str = "eddy-restart-task-";
/// A logger's level on all workers.
const LOGGER: &str = "logger-cluster-";
const WRITER: &str = "eddy-writer";

impl Entry {
    /// The connector's configuration.
    pub(in crate::connect) fn config(name: &str, config: &BTreeMap<String, String>) -> Self {
        Self {
            key: format!("{CONFIG}{name}"),
            value: Some(json!({"properties": config}).to_string()),
        }
    }

    /// The connector is gone.
    pub(in crate::connect) fn gone(name: &str) -> [Self; 2] {
        [CONFIG, TARGET].map(|prefix| Self {
            key: format!("{prefix}{name}"),
            value: None,
        })
    }

    /// The connector's target state. Workers that don't know `STOPPED` take it for a pause.
    pub(in crate::connect) fn target(name: &str, target: Target) -> Self {
        let old = match target {
            Target::Running => "STARTED",
            Target::Paused | Target::Stopped => "PAUSED",
        };
        Self {
            key: format!("{TARGET}{name}"),
            value: Some(json!({"state": old, "state.v2": target.word()}).to_string()),
        }
    }

    /// How many tasks the connector was given.
    pub(in crate::connect) fn tasks(name: &str, tasks: usize) -> Self {
        Self {
            key: format!("{TASKS}{name}"),
            value: Some(json!({"tasks": tasks}).to_string()),
        }
    }

    /// A restart; whoever reads it later than its time doesn't carry it out.
    pub(in crate::connect) fn restart(name: &str, chosen: Chosen) -> Self {
        let (key, value) = match chosen {
            Chosen::All { tasks, failed } => (
                format!("{RESTART}{name}"),
                json!({"include-tasks": tasks, "only-failed": failed}),
            ),
            Chosen::Task(task) => (format!("{RESTART_TASK}{name}"), json!({"task": task})),
        };
        Self {
            key,
            value: Some(value.to_string()),
        }
    }

    /// A level for a logger of every worker that hears of it.
    pub(in crate::connect) fn level(logger: &str, level: &str) -> Self {
        Self {
            key: format!("{LOGGER}{logger}"),
            value: Some(json!({"level": level}).to_string()),
        }
    }

    /// From here on this worker writes.
    pub(super) fn writer(worker: &str) -> Self {
        Self {
            key: WRITER.to_owned(),
            value: Some(json!({"worker_id": worker}).to_string()),
        }
    }

    /// What it says.
    pub(super) fn change(&self) -> Change {
        let json: Option<Value> = match &self.value {
            Some(text) => match serde_json::from_str(text) {
                Ok(json) => Some(json),
                Err(_) => return Change::Unknown,
            },
            None => None,
        };
        if let Some(name) = self.key.strip_prefix(TARGET) {
            let target = json.as_ref().map(Target::of);
            return Change::Target(name.to_owned(), target.flatten());
        }
        if let Some(name) = self.key.strip_prefix(RESTART) {
            let flag = |key| json.as_ref().and_then(|json| json.get(key)?.as_bool());
            return match (flag("include-tasks"), flag("only-failed")) {
                (Some(tasks), Some(failed)) => {
                    Change::Restart(name.to_owned(), Chosen::All { tasks, failed })
                }
                _ => Change::Unknown,
            };
        }
        if let Some(name) = self.key.strip_prefix(RESTART_TASK) {
            let task = json.as_ref().and_then(|json| json.get("task")?.as_u64());
            let task = task.and_then(|task| usize::try_from(task).ok());
            return task.map_or(Change::Unknown, |task| {
                Change::Restart(name.to_owned(), Chosen::Task(task))
            });
        }
        if let Some(logger) = self.key.strip_prefix(LOGGER) {
            let level = json.as_ref().and_then(|json| json.get("level")?.as_str());
            return level.map_or(Change::Unknown, |level| {
                Change::Level(logger.to_owned(), level.to_owned())
            });
        }
        if let Some(name) = self.key.strip_prefix(CONFIG) {
            return Change::Config(name.to_owned(), json.as_ref().and_then(properties));
        }
        if let Some(name) = self.key.strip_prefix(TASKS) {
            let tasks = json.as_ref().and_then(|json| json.get("tasks")?.as_u64());
            let tasks = tasks.and_then(|tasks| usize::try_from(tasks).ok());
            return Change::Tasks(name.to_owned(), tasks.unwrap_or(0));
        }
        Change::Unknown
    }
}

fn properties(json: &Value) -> Option<BTreeMap<String, String>> {
    let properties = json.get("properties")?.as_object()?;
    let texts = properties
        .iter()
        .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())));
    Some(texts.collect())
}

impl Target {
    fn word(self) -> &'static str {
        match self {
            Self::Running => "STARTED",
            Self::Paused => "PAUSED",
            Self::Stopped => "STOPPED",
        }
    }

    fn of(json: &Value) -> Option<Self> {
        let word = json.get("state.v2").or_else(|| json.get("state"))?;
        match word.as_str()? {
            "STARTED" => Some(Self::Running),
            "PAUSED" => Some(Self::Paused),
            "STOPPED" => Some(Self::Stopped),
            _ => None,
        }
    }
}
