//! Carrying out orders: what runs here of a connector becomes what should. For each connector one
//! at a time (`lanes`).

use std::collections::{BTreeMap, BTreeSet};

use super::here::{Again, Here, State, TaskHere};
use super::{AGAIN_LEAST, AGAIN_MOST, Inner, STOP, lock};
use crate::connect::config::{ConnectorConfig, read_resolved};
use crate::connect::state::{Chosen, Entry, Target, Wish};
use crate::error::{Error, ErrorKind, Result};

impl Inner {
    /// Makes what runs here of the connector what it should be.
    pub(super) fn follow(&self, name: &str) {
        let wish = self.folded.read(|wanted| wanted.get(name));
        let before = lock(&self.here).get(name).cloned();
        let Some(wish) = wish else {
            self.end(name, |_| true);
            lock(&self.here).remove(name);
            return;
        };
        let mut here = before.clone().unwrap_or_default();
        let same = before.is_some_and(|before| before.config == wish.config);
        here.config.clone_from(&wish.config);
        match wish.target {
            Target::Stopped => {
                self.end(name, |_| true);
                (here.state, here.trace, here.count) = (State::Stopped, None, 0);
                here.tasks.clear();
            }
            Target::Paused => self.pause(name, &wish, same, &mut here),
            Target::Running if same && here.state == State::Running => self.adjust(name, &mut here),
            Target::Running => self.begin(name, &mut here),
        }
        self.given(name, &wish, here.count);
        self.keep(name, here);
    }

    /// Starts a failed connector and these of its tasks anew.
    pub(super) fn restart(&self, name: &str, chosen: Chosen) {
        let here = lock(&self.here).get(name).cloned();
        let state = here.as_ref().map(|here| here.state);
        if let Some(mut here) = here.clone().filter(|here| here.state == State::Failed) {
            self.begin(name, &mut here);
            if let Some(wish) = self.folded.read(|wanted| wanted.get(name)) {
                self.given(name, &wish, here.count);
            }
            self.keep(name, here);
            return;
        }
        let known: Vec<usize> = match here {
            Some(here) => here.tasks.into_keys().collect(),
            None => self.running_tasks(name),
        };
        let is_chosen = |task: &usize| match chosen {
            Chosen::Task(chosen) => chosen == *task,
            Chosen::All { tasks: false, .. } => false,
            Chosen::All { failed: false, .. } => true,
            Chosen::All { .. } => self.failure_here(name, *task).is_some(),
        };
        let tasks: Vec<usize> = known.into_iter().filter(is_chosen).collect();
        for task in &tasks {
            match self.connectors.restart(name, *task, STOP) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    tracing::warn!(connector = name, task, %error, "a task was not restarted");
                }
                _ => {}
            }
        }
        let mut all = lock(&self.here);
        if let Some(here) = all.get_mut(name).filter(|_| state == Some(State::Paused)) {
            let paused = tasks.into_iter().map(|task| (task, TaskHere::Paused));
            here.tasks.extend(paused);
        }
    }

    fn pause(&self, name: &str, wish: &Wish, same: bool, here: &mut Here) {
        let failed = |task: &usize| same.then(|| self.failure_here(name, *task)).flatten();
        let tasks: BTreeMap<usize, TaskHere> = self
            .owned(name, wish.tasks)
            .into_iter()
            .map(|task| {
                (
                    task,
                    failed(&task).map_or(TaskHere::Paused, TaskHere::Failed),
                )
            })
            .collect();
        self.end(name, |_| false);
        (here.state, here.trace, here.tasks) = (State::Paused, None, tasks);
        here.count = wish.tasks;
    }

    /// Ends what runs here of the connector and starts what should.
    fn begin(&self, name: &str, here: &mut Here) {
        let parsed = self.parsed(name, &here.config);
        let count = parsed.as_ref().map_or(0, |config| config.tasks_max);
        self.end(name, |task| task >= count);
        let config = match parsed {
            Ok(config) => config,
            Err(error) => {
                tracing::error!(connector = name, %error, "the connector can't be started");
                here.fail(error.to_string());
                (here.count, here.again) = (0, None);
                return;
            }
        };
        let restarts = config.errors.restart;
        let own = self.owned(name, count);
        here.count = count;
        if here.state != State::Failed {
            (here.state, here.trace) = (State::Running, None);
        }
        here.tasks = own.iter().map(|task| (*task, TaskHere::Live)).collect();
        // Others must know of tasks before these run: whoever waits for their end counts on it.
        self.keep(name, here.clone());
        self.tell(name);
        let own: Vec<usize> = own.into_iter().collect();
        let begun = match own.as_slice() {
            [] => self.connectors.meet(&config).map(|_| ()),
            own => self.connectors.add(config, own, &self.member),
        };
        match begun {
            Ok(()) => {
                (here.state, here.trace, here.again) = (State::Running, None, None);
            }
            Err(error) => self.failed_to_begin(name, here, &error, restarts),
        }
    }

    fn failed_to_begin(&self, name: &str, here: &mut Here, error: &Error, restarts: bool) {
        let after = here.again.map_or(AGAIN_LEAST, |again| again.after * 2);
        let after = after.min(AGAIN_MOST);
        let at = self.clock().monotonic() + after;
        here.again = restarts.then_some(Again { at, after });
        tracing::error!(connector = name, %error, again_in = ?restarts.then_some(after),
            "the connector can't be started");
        let why = match restarts {
            true => format!("{error}\nIt is started again by itself in {after:?}."),
            false => error.to_string(),
        };
        let own: Vec<usize> = here.tasks.keys().copied().collect();
        here.fail(why.clone());
        if self.keeps(name) {
            here.count = 0;
        } else {
            let failed = |task| (task, TaskHere::Failed(why.clone()));
            here.tasks = own.into_iter().map(failed).collect();
        }
    }

    /// Starts and ends tasks of a running connector, as they come to this worker or go.
    fn adjust(&self, name: &str, here: &mut Here) {
        let own = self.owned(name, here.count);
        let before: BTreeSet<usize> = here.tasks.keys().copied().collect();
        if own == before {
            return;
        }
        if before.is_empty() {
            self.begin(name, here);
            return;
        }
        here.tasks.retain(|task, _| own.contains(task));
        if own.is_empty() {
            self.end(name, |_| false);
            return;
        }
        let gone: Vec<usize> = before.difference(&own).copied().collect();
        if let Err(error) = self.connectors.end_tasks(name, &gone, STOP) {
            tracing::warn!(connector = name, %error, "tasks are left to end by themselves");
        }
        let new: Vec<usize> = own.difference(&before).copied().collect();
        here.tasks
            .extend(new.iter().map(|task| (*task, TaskHere::Live)));
        self.keep(name, here.clone());
        self.tell(name);
        if let Err(error) = self.connectors.start_tasks(name, &new) {
            tracing::error!(connector = name, %error, "tasks can't be started");
            let failed = |task| (task, TaskHere::Failed(error.to_string()));
            here.tasks.extend(new.into_iter().map(failed));
        }
    }

    /// What couldn't be started and is due, and whose number of tasks could not be noted.
    pub(super) fn due_again(&self) -> Vec<String> {
        let now = self.clock().monotonic();
        let all: Vec<(String, Here)> = {
            let here = lock(&self.here);
            here.iter()
                .map(|(name, here)| (name.clone(), here.clone()))
                .collect()
        };
        let is_due = |(name, here): &(String, Here)| match here.state {
            State::Failed => here.again.is_some_and(|again| again.at <= now),
            _ => self.is_unnoted(name, here),
        };
        let due = all.into_iter().filter(is_due);
        due.map(|(name, _)| name).collect()
    }

    /// The others don't know how many tasks there are: writing it down failed, since somebody else
    /// wrote at the same time or the broker was away.
    fn is_unnoted(&self, name: &str, here: &Here) -> bool {
        let wish = self.folded.read(|wanted| wanted.get(name));
        self.keeps(name)
            && wish.is_some_and(|wish| wish.config == here.config && wish.tasks != here.count)
    }

    /// Notes what the connector does here; which topics had records was noted meanwhile.
    fn keep(&self, name: &str, mut here: Here) {
        let mut all = lock(&self.here);
        if let Some(now) = all.remove(name) {
            here.active = now.active;
        }
        all.insert(name.to_owned(), here);
    }

    fn parsed(&self, name: &str, config: &BTreeMap<String, String>) -> Result<ConnectorConfig> {
        let read = |map: &_| ConnectorConfig::parse(name, map);
        read_resolved(config, self.connectors.providers(), read)
    }

    /// Ends the connector's tasks, with what it is known of their topics kept. Those that `leave`
    /// says so of give up their places in its group.
    fn end(&self, name: &str, leave: impl Fn(usize) -> bool) {
        self.look_at_topics(name);
        if let Err(error) = self.connectors.remove(name, leave, STOP) {
            tracing::warn!(connector = name, %error, "tasks are left to end by themselves");
        }
    }

    fn running_tasks(&self, name: &str) -> Vec<usize> {
        let running = self.connectors.get(name);
        let tasks = running.map(|running| running.tasks()).unwrap_or_default();
        tasks.iter().map(|task| task.number()).collect()
    }

    /// Why the task of this worker failed, if it has.
    fn failure_here(&self, name: &str, task: usize) -> Option<String> {
        let noted = lock(&self.here).get(name)?.tasks.get(&task).cloned();
        if let Some(TaskHere::Failed(why)) = noted {
            return Some(why);
        }
        // A task whose partitions all need somebody failed, too, as everybody sees it.
        let said = self.of_task(&self.connectors.get(name)?.get(task)?.status());
        (said.state == State::Failed.as_str()).then(|| said.trace.unwrap_or_default())
    }

    /// Notes how many tasks the connector was given, for all workers and the next start.
    fn given(&self, name: &str, wish: &Wish, tasks: usize) {
        if wish.tasks == tasks || !self.keeps(name) {
            return;
        }
        let decide = |wanted: &crate::connect::state::Wanted| {
            // Somebody may have changed it meanwhile, and will note it then.
            let still = wanted.config(name) == Some(&wish.config);
            Ok(still
                .then(|| Entry::tasks(name, tasks))
                .into_iter()
                .collect())
        };
        if let Err(error) = self.change(&decide) {
            tracing::warn!(connector = name, %error, "the number of tasks was not noted");
        }
    }
}
