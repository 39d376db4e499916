//! Carrying out orders: a connector becomes what it should be. For each connector one at a
//! time (`lanes`).

use std::collections::BTreeMap;

use super::here::{State, TaskHere};
use super::{Inner, STOP, lock};
use crate::connect::config::{ConnectorConfig, Unknown};
use crate::connect::state::{Entry, Target, Wish};
use crate::error::Result;
use crate::sink::TaskState;

/// What a start came to: the connector's state, why it failed, its tasks.
type Started = (State, Option<String>, Vec<TaskHere>);

impl Inner {
    /// Makes the connector what it should be.
    pub(super) fn follow(&self, name: &str) {
        let wish = lock(&self.wanted).get(name);
        let before = lock(&self.here).get(name).cloned();
        let Some(wish) = wish else {
            self.end(name);
            lock(&self.here).remove(name);
            return;
        };
        let mut here = before.clone().unwrap_or_default();
        let same = before.is_some_and(|before| before.config == wish.config);
        match wish.target {
            Target::Stopped => {
                self.end(name);
                (here.state, here.trace, here.tasks) = (State::Stopped, None, Vec::new());
                self.given(name, &wish, 0);
            }
            Target::Paused => {
                let failed = |task: &TaskHere, at| match task {
                    TaskHere::Live if same => self.failure(name, at),
                    TaskHere::Failed(why) if same => Some(why.clone()),
                    _ => None,
                };
                let mut tasks: Vec<TaskHere> = here
                    .tasks
                    .iter()
                    .enumerate()
                    .map(|(at, task)| failed(task, at).map_or(TaskHere::Paused, TaskHere::Failed))
                    .collect();
                self.end(name);
                tasks.resize(wish.tasks, TaskHere::Paused);
                (here.state, here.trace, here.tasks) = (State::Paused, None, tasks);
            }
            Target::Running if same && here.state == State::Running => return,
            Target::Running => {
                self.end(name);
                (here.state, here.trace, here.tasks) = self.begin(name, &wish.config);
                self.given(name, &wish, here.tasks.len());
            }
        }
        here.config = wish.config;
        lock(&self.here).insert(name.to_owned(), here);
    }

    /// Starts a failed connector and these of its tasks anew.
    pub(super) fn restart(&self, name: &str, tasks: &[usize]) {
        let Some(mut here) = lock(&self.here).get(name).cloned() else {
            self.restart_live(name, tasks);
            return;
        };
        if here.state == State::Failed {
            (here.state, here.trace, here.tasks) = self.begin(name, &here.config);
            lock(&self.here).insert(name.to_owned(), here);
            return;
        }
        self.restart_live(name, tasks);
        if here.state == State::Paused {
            for task in tasks {
                if let Some(task) = here.tasks.get_mut(*task) {
                    *task = TaskHere::Paused;
                }
            }
            lock(&self.here).insert(name.to_owned(), here);
        }
    }

    fn restart_live(&self, name: &str, tasks: &[usize]) {
        if self.connectors.get(name).is_none() {
            return;
        }
        for task in tasks {
            if let Err(error) = self.connectors.restart(name, *task, STOP) {
                tracing::warn!(connector = name, task, %error, "a task was not restarted");
            }
        }
    }

    /// Starts the connector's tasks.
    fn begin(&self, name: &str, config: &BTreeMap<String, String>) -> Started {
        match self.try_begin(name, config) {
            Ok(started) => started,
            Err(error) => {
                tracing::error!(connector = name, %error, "the connector can't be started");
                (State::Failed, Some(error.to_string()), Vec::new())
            }
        }
    }

    fn try_begin(&self, name: &str, config: &BTreeMap<String, String>) -> Result<Started> {
        let config = self.connectors.providers().resolve(config, Unknown::Keep)?;
        let config = ConnectorConfig::parse(name, &config)?;
        let tasks = config.tasks_max;
        self.connectors.add(config)?;
        Ok((State::Running, None, vec![TaskHere::Live; tasks]))
    }

    /// Ends the connector's tasks, with what it is known of their topics kept.
    fn end(&self, name: &str) {
        self.look_at_topics(name);
        if let Err(error) = self.connectors.remove(name, STOP) {
            tracing::warn!(connector = name, %error, "tasks are left to end by themselves");
        }
    }

    /// Why the task failed, if it has.
    fn failure(&self, name: &str, task: usize) -> Option<String> {
        let running = self.connectors.get(name)?;
        let status = running.tasks().get(task)?.status();
        let failed = status.state == TaskState::Failed;
        failed.then(|| status.error.unwrap_or_default())
    }

    /// Notes how many tasks the connector was given, for all workers and the next start.
    fn given(&self, name: &str, wish: &Wish, tasks: usize) {
        if wish.tasks == tasks {
            return;
        }
        if let Err(error) = self.change(&[Entry::tasks(name, tasks)]) {
            tracing::warn!(connector = name, %error, "the number of tasks was not noted");
        }
    }
}
