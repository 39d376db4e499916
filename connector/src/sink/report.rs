//! What a task tells of itself: its status, as others see it.

use std::sync::PoisonError;

use crate::sink::measures::TaskMeasures;
use crate::sink::run::Run;
use crate::sink::status::TaskState;
use crate::sink::task::Shared;
use crate::sink::topic::Slot;

/// What the task's lives before this one counted.
pub(super) fn measured(status: &Shared) -> TaskMeasures {
    let status = status.lock().unwrap_or_else(PoisonError::into_inner);
    status.measures
}

impl Run<'_> {
    /// Updates the status that others see.
    pub(super) fn report(&self) {
        let stall = self
            .slots
            .values()
            .filter_map(|slot| slot.writer.as_ref()?.stalled())
            .map(|stall| {
                format!(
                    "the lake does not answer ({} attempts): {}",
                    stall.attempts, stall.message
                )
            })
            .next();
        let told = self.way.is_settled();
        let mut status = self.status.lock().unwrap_or_else(PoisonError::into_inner);
        let blocked = self.held || stall.is_some() || !told;
        status.state = if blocked {
            TaskState::Held
        } else {
            TaskState::Running
        };
        status.error = match (&stall, self.held) {
            (None, true) => Some("the memory for records on their way is used up".to_owned()),
            (None, false) if !told => Some("the dead-letter topic does not answer".to_owned()),
            _ => stall,
        };
        if status.error.is_none() && self.slots.is_empty() {
            status.error.clone_from(&self.denied);
        }
        status.measures = self.counted();
        status.partitions = self.slots.values().flat_map(Slot::status).collect();
    }

    /// Updates what others see of the counts alone, before the task ends.
    pub(super) fn count(&self) {
        let mut status = self.status.lock().unwrap_or_else(PoisonError::into_inner);
        status.measures = self.counted();
    }

    fn counted(&self) -> TaskMeasures {
        let measures = TaskMeasures {
            errors: self.way.counts,
            ..self.measures
        };
        measures.turned(self.clock.monotonic())
    }
}
