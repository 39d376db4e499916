//! How a task is told to end.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// Whether a task that ends gives up its place in the group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Leave {
    /// It doesn't come back: the group gives its partitions to others at once.
    Yes,
    /// It comes back soon, here or on another worker, under its lasting name: nothing moves.
    No,
}

/// A flag that a thread looks at, with the time it has left once it is up.
#[derive(Debug, Default)]
pub(crate) struct StopFlag {
    up: AtomicBool,
    leaves: AtomicBool,
    within_ms: AtomicU64,
}

impl StopFlag {
    /// Raises the flag.
    pub(crate) fn raise(&self, leave: Leave, within: Duration) {
        let within = u64::try_from(within.as_millis()).unwrap_or(u64::MAX);
        self.within_ms.store(within, Ordering::SeqCst);
        self.leaves.store(leave == Leave::Yes, Ordering::SeqCst);
        self.up.store(true, Ordering::SeqCst);
    }

    /// The time to stop within, once asked.
    pub(crate) fn raised(&self) -> Option<Duration> {
        let up = self.up.load(Ordering::SeqCst);
        up.then(|| Duration::from_millis(self.within_ms.load(Ordering::SeqCst)))
    }

    /// Whether the place in the group is to be given up.
    pub(crate) fn leaves(&self) -> bool {
        self.leaves.load(Ordering::SeqCst)
    }
}
