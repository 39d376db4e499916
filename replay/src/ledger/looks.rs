//! When a worker looks whether much is stored of its replay's entries.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::folds::MANY;

/// A worker's looks: one when it begins, since nobody knows what was left, and then one after
/// every [`MANY`] objects that it stored, in whichever attempt.
#[derive(Debug, Default)]
pub(crate) struct Looks(AtomicUsize);

impl Looks {
    /// An object was stored.
    pub(super) fn stored(&self) {
        let left = self.0.load(Ordering::Relaxed);
        self.0.store(left.saturating_sub(1), Ordering::Relaxed);
    }

    /// Whether it is time for one.
    pub(super) fn are_due(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 0
    }

    /// Somebody looks.
    pub(super) fn looked(&self) {
        self.0.store(MANY, Ordering::Relaxed);
    }
}
