//! What runs on all workers, as they tell each other: the entries of Connect's own status topic,
//! and what is known by them. Pure.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::spread::Owned;
use crate::connect::state::Entry;

const CONNECTOR: &str = "status-connector-";
const TASK: &str = "status-task-";
const TOPIC: &str = "status-topic-";
const OF: &str = ":connector-";

/// What a worker says of a connector or a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Said {
    /// Connect's word.
    pub(super) state: String,
    /// Why it failed.
    pub(super) trace: Option<String>,
    /// `host:port` of the worker.
    pub(super) worker: String,
}

/// Everything that was said and not taken back.
#[derive(Debug, Default)]
pub(super) struct Board {
    connectors: BTreeMap<String, OfConnector>,
}

/// What was said of one connector.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct OfConnector {
    pub(super) connector: Option<Said>,
    pub(super) tasks: BTreeMap<usize, Said>,
    /// The topics that had records.
    pub(super) topics: BTreeSet<String>,
}

/// What one worker knows of a connector by itself.
#[derive(Debug, Default)]
pub(super) struct Local {
    /// It has begun with the connector: what it doesn't know isn't there.
    pub(super) settled: bool,
    /// Its own state of the connector.
    pub(super) connector: Option<Said>,
    /// The tasks that it runs.
    pub(super) tasks: BTreeMap<usize, Said>,
    /// The topics of which these had records.
    pub(super) topics: BTreeSet<String>,
}

impl Board {
    /// Takes an entry in; answers the connector and the topic whose use was forgotten by it.
    pub(super) fn take(&mut self, key: &str, value: Option<&str>) -> Option<(String, String)> {
        if let Some(rest) = key.strip_prefix(TOPIC) {
            let (topic, name) = rest.split_once(OF)?;
            let topics = &mut self.of(name).topics;
            if value.is_some() {
                topics.insert(topic.to_owned());
            } else if topics.remove(topic) {
                self.tidy(name);
                return Some((name.to_owned(), topic.to_owned()));
            }
            return None;
        }
        let said = value.and_then(|value| Said::read(&serde_json::from_str(value).ok()?));
        if let Some(name) = key.strip_prefix(CONNECTOR) {
            self.of(name).connector = said;
            self.tidy(name);
        } else if let Some((name, task)) = key.strip_prefix(TASK).and_then(|of| of.rsplit_once('-'))
        {
            let task = task.parse().ok()?;
            let tasks = &mut self.of(name).tasks;
            match said {
                Some(said) => tasks.insert(task, said),
                None => tasks.remove(&task),
            };
            self.tidy(name);
        }
        None
    }

    /// What was said of a connector.
    pub(super) fn get(&self, name: &str) -> Option<&OfConnector> {
        self.connectors.get(name)
    }

    /// All connectors of which something was said.
    pub(super) fn names(&self) -> impl Iterator<Item = &String> {
        self.connectors.keys()
    }

    fn of(&mut self, name: &str) -> &mut OfConnector {
        self.connectors.entry(name.to_owned()).or_default()
    }

    fn tidy(&mut self, name: &str) {
        if self.get(name) == Some(&OfConnector::default()) {
            self.connectors.remove(name);
        }
    }
}

impl Said {
    fn read(json: &Value) -> Option<Self> {
        let text = |key| Some(json.get(key)?.as_str()?.to_owned());
        Some(Self {
            state: text("state")?,
            trace: text("trace"),
            worker: text("worker_id").unwrap_or_default(),
        })
    }

    fn entry(&self, key: String, generation: u64) -> Entry {
        let value = json!({
            "state": self.state,
            "trace": self.trace,
            "worker_id": self.worker,
            "generation": generation,
            "version": env!("CARGO_PKG_VERSION"),
        });
        Entry {
            key,
            value: Some(value.to_string()),
        }
    }

    fn unassigned(worker: &str) -> Self {
        Self {
            state: "UNASSIGNED".to_owned(),
            trace: None,
            worker: worker.to_owned(),
        }
    }
}

/// What the worker `me` has to say of the connector `name`, so that the board agrees with what it
/// knows; without `local` there is no such connector. Whoever keeps a partition answers for what
/// falls on it, also for what a worker that is gone has left.
pub(super) fn due(
    board: &Board,
    name: &str,
    local: Option<&Local>,
    owned: &Owned,
    me: &str,
    (generation, now_ms): (u64, i64),
) -> Vec<Entry> {
    let nothing = OfConnector::default();
    let said = board.get(name).unwrap_or(&nothing);
    let none = Local {
        settled: true,
        ..Local::default()
    };
    let known = local.unwrap_or(&none);
    let mut entries = Vec::new();
    let mine = owned.has_connector(name);
    let key = format!("{CONNECTOR}{name}");
    match (&said.connector, &known.connector) {
        (said, Some(state)) if mine && said.as_ref() != Some(state) => {
            entries.push(state.entry(key, generation));
        }
        (Some(_), None) if mine && local.is_none() => entries.push(gone(key)),
        (Some(said), _) if !mine && left_by(said, me) => {
            entries.push(Said::unassigned(me).entry(key, generation));
        }
        _ => {}
    }
    for (task, state) in &known.tasks {
        if owned.has_task(name, *task) && said.tasks.get(task) != Some(state) {
            entries.push(state.entry(format!("{TASK}{name}-{task}"), generation));
        }
    }
    for (task, said) in &said.tasks {
        let key = format!("{TASK}{name}-{task}");
        if known.tasks.contains_key(task) {
            continue;
        }
        if owned.has_task(name, *task) && known.settled {
            entries.push(gone(key));
        } else if !owned.has_task(name, *task) && left_by(said, me) {
            entries.push(Said::unassigned(me).entry(key, generation));
        }
    }
    for topic in known.topics.difference(&said.topics) {
        entries.push(used(name, topic, now_ms));
    }
    if mine && local.is_none() {
        entries.extend(forgotten(name, &said.topics));
    }
    entries
}

/// The entries that take back which topics had records.
pub(super) fn forgotten(name: &str, topics: &BTreeSet<String>) -> Vec<Entry> {
    let key = |topic| format!("{TOPIC}{topic}{OF}{name}");
    topics.iter().map(|topic| gone(key(topic))).collect()
}

fn left_by(said: &Said, me: &str) -> bool {
    said.worker == me && said.state != "UNASSIGNED"
}

fn used(name: &str, topic: &str, now_ms: i64) -> Entry {
    let of = json!({"name": topic, "connector": name, "task": 0, "discoverTimestamp": now_ms});
    Entry {
        key: format!("{TOPIC}{topic}{OF}{name}"),
        value: Some(json!({"topic": of}).to_string()),
    }
}

fn gone(key: String) -> Entry {
    Entry { key, value: None }
}

#[cfg(test)]
mod tests;
