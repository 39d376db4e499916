//! A connector's states, its restarts, and which topics it works on.

use serde_json::json;

use super::answer::{Answer, Handled};
use super::connectors::status_json;
use super::{Api, Call};
use crate::connect::state::{Chosen, Target};

impl Api {
    pub(super) fn pause(&self, name: &str) -> Handled {
        self.set(name, Target::Paused)?;
        Ok(Answer::empty(202))
    }

    pub(super) fn resume(&self, name: &str) -> Handled {
        self.set(name, Target::Running)?;
        Ok(Answer::empty(202))
    }

    pub(super) fn stop(&self, name: &str) -> Handled {
        self.set(name, Target::Stopped)?;
        Ok(Answer::empty(204))
    }

    fn set(&self, name: &str, target: Target) -> Result<(), Answer> {
        if self.worker.config(name).is_none() {
            return Err(Answer::error(404, format!("Unknown connector {name}")));
        }
        self.changeable(name)?;
        Ok(self.worker.set(name, target)?)
    }

    pub(super) fn restart(&self, name: &str, call: &Call) -> Handled {
        let (tasks, failed) = (call.flag("includeTasks"), call.flag("onlyFailed"));
        let Some(view) = self.worker.view(name) else {
            return Err(Answer::error(404, format!("Unknown connector: {name}")));
        };
        let wanted = |state: &str| !failed || state == "FAILED";
        let restarting = wanted(&view.state);
        let all = view.tasks.iter().enumerate();
        let chosen: Vec<usize> = all
            .filter(|(_, task)| tasks && wanted(&task.state))
            .map(|(at, _)| at)
            .collect();
        if restarting || !chosen.is_empty() {
            self.worker.restart(name, Chosen::All { tasks, failed })?;
        }
        if !tasks && !failed {
            return Ok(Answer::empty(204));
        }
        let status = status_json(name, &view, restarting, &chosen);
        Ok(Answer::json(202, status))
    }

    pub(super) fn restart_task(&self, name: &str, task: i32) -> Handled {
        let Some(view) = self.worker.view(name) else {
            return Err(Answer::error(404, format!("Unknown connector: {name}")));
        };
        let at = usize::try_from(task)
            .ok()
            .filter(|at| *at < view.tasks.len());
        let Some(at) = at else {
            return Err(Answer::error(404, format!("Unknown task: {name}-{task}")));
        };
        self.worker.restart(name, Chosen::Task(at))?;
        Ok(Answer::empty(204))
    }

    pub(super) fn topics(&self, name: &str) -> Answer {
        let topics = self.worker.active_topics(name);
        Answer::ok(json!({name: {"topics": topics}}))
    }

    pub(super) fn reset_topics(&self, name: &str) -> Handled {
        self.worker.reset_topics(name)?;
        Ok(Answer::empty(202))
    }
}
