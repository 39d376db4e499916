//! What a task tells of itself: its status, as others see it.

use std::sync::PoisonError;

use crate::sink::run::Run;
use crate::sink::status::TaskState;
use crate::sink::topic::Slot;

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
        let mut status = self.status.lock().unwrap_or_else(PoisonError::into_inner);
        let blocked = self.held || stall.is_some();
        status.state = if blocked {
            TaskState::Held
        } else {
            TaskState::Running
        };
        status.error = match (&stall, self.held) {
            (None, true) => Some("the memory for records on their way is used up".to_owned()),
            _ => stall,
        };
        status.partitions = self.slots.values().flat_map(Slot::status).collect();
    }
}
