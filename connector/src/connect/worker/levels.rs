//! Levels of loggers that are set for all workers of a group: told through the log, kept by whoever
//! hears of them, as in Connect. A worker that starts later begins with its own.

use super::{Inner, Worker};
use crate::connect::state::Entry;
use crate::error::Result;

/// Sets a level of a logger of this process.
pub(super) type SetLevel = dyn Fn(&str, &str) + Send + Sync;

impl Worker {
    /// From now on `set` is told each logger and its level that are set for all workers. Only the
    /// first counts.
    pub(in crate::connect) fn on_level(&self, set: impl Fn(&str, &str) + Send + Sync + 'static) {
        let _ = self.0.set_level.set(Box::new(set));
    }

    /// Sets the level of a logger on all workers, on this one before it returns. Blocks.
    ///
    /// # Errors
    /// As [`Worker::put`].
    pub(in crate::connect) fn set_level(&self, logger: &str, level: &str) -> Result<()> {
        if self.0.group.is_some() {
            self.0.change(&|_| Ok(vec![Entry::level(logger, level)]))?;
        }
        self.0.set_level(logger, level);
        Ok(())
    }
}

impl Inner {
    /// Sets a level of a logger here.
    pub(super) fn set_level(&self, logger: &str, level: &str) {
        if let Some(set) = self.set_level.get() {
            set(logger, level);
        }
    }
}
