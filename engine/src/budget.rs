//! One memory budget per worker: what its writers hold, counted together.
//!
//! A writer reports what it holds through its [`Share`], and what each open table takes without any
//! rows as [`Standing`], which leaves less room for rows. Above half of that room the largest
//! writer cuts early; above all of it whoever feeds the writers pauses until there is some again.
//! The budget only counts: nobody waits in here.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The bytes that a worker's writers may hold together.
#[derive(Debug)]
pub struct Budget {
    limit_bytes: usize,
    used_bytes: AtomicUsize,
    standing_bytes: AtomicUsize,
    shares: Mutex<Shares>,
}

/// What each writer holds, in order, so that the largest of thousands is found at once.
#[derive(Debug, Default)]
struct Shares {
    /// Bytes and the share's number.
    by_size: BTreeSet<(usize, u64)>,
    next: u64,
}

impl Budget {
    /// A budget of `limit_bytes`.
    pub fn new(limit_bytes: usize) -> Arc<Self> {
        Arc::new(Self {
            limit_bytes: limit_bytes.max(1),
            used_bytes: AtomicUsize::new(0),
            standing_bytes: AtomicUsize::new(0),
            shares: Mutex::default(),
        })
    }

    /// A budget that is never used up.
    pub fn unlimited() -> Arc<Self> {
        Self::new(usize::MAX)
    }

    /// The bytes held by all writers, buffers in flight included.
    pub fn used_bytes(&self) -> usize {
        self.used_bytes.load(Ordering::Relaxed)
    }

    /// The limit in bytes.
    pub fn limit_bytes(&self) -> usize {
        self.limit_bytes
    }

    /// What is left of the limit for rows; a quarter of it at least, since nothing flows without.
    pub fn room_bytes(&self) -> usize {
        let standing = self.standing_bytes.load(Ordering::Relaxed);
        let least = self.limit_bytes / 4;
        self.limit_bytes.saturating_sub(standing).max(least)
    }

    /// More is held than allowed: stop feeding the writers.
    pub fn is_over(&self) -> bool {
        self.used_bytes() > self.room_bytes()
    }

    /// Enough was given back to go on after [`Budget::is_over`]; the distance between the two keeps
    /// a consumer from pausing and resuming at every record.
    pub fn has_room(&self) -> bool {
        self.used_bytes() <= self.room_bytes() / 4 * 3
    }

    /// The largest writer should cut now, so that its bytes are on their way before the rest of the
    /// budget fills.
    pub fn is_pressed(&self) -> bool {
        self.used_bytes() > self.room_bytes() / 2
    }

    /// A new writer's share, empty at first.
    pub fn join(self: &Arc<Self>) -> Share {
        let mut shares = self.shares();
        let number = shares.next;
        shares.next += 1;
        shares.by_size.insert((0, number));
        drop(shares);
        Share {
            budget: Arc::clone(self),
            number,
            held: AtomicUsize::new(0),
        }
    }

    /// Counts `bytes` until what is returned is dropped: a commit in flight, which no cut can make
    /// smaller.
    pub fn hold(self: &Arc<Self>, bytes: usize) -> Held {
        self.used_bytes.fetch_add(bytes, Ordering::Relaxed);
        Held {
            budget: Arc::clone(self),
            bytes,
        }
    }

    fn largest_bytes(&self) -> usize {
        let shares = self.shares();
        shares.by_size.last().map_or(0, |(bytes, _)| *bytes)
    }

    fn shares(&self) -> MutexGuard<'_, Shares> {
        self.shares.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What one writer holds of a [`Budget`]; given back when dropped.
#[derive(Debug)]
pub struct Share {
    budget: Arc<Budget>,
    number: u64,
    held: AtomicUsize,
}

impl Share {
    /// Says how many bytes the writer holds now, in place of what it said before.
    pub fn set(&self, bytes: usize) {
        let before = self.held.swap(bytes, Ordering::Relaxed);
        if bytes == before {
            return;
        }
        let mut shares = self.budget.shares();
        shares.by_size.remove(&(before, self.number));
        shares.by_size.insert((bytes, self.number));
        drop(shares);
        if bytes >= before {
            self.budget
                .used_bytes
                .fetch_add(bytes - before, Ordering::Relaxed);
        } else {
            self.budget
                .used_bytes
                .fetch_sub(before - bytes, Ordering::Relaxed);
        }
    }

    /// The bytes last set.
    pub fn bytes(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }

    /// Whether no other writer of the budget holds more.
    pub fn is_largest(&self) -> bool {
        self.bytes() >= self.budget.largest_bytes()
    }

    /// The budget that this is a share of.
    pub fn budget(&self) -> &Arc<Budget> {
        &self.budget
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.set(0);
        self.budget.shares().by_size.remove(&(0, self.number));
    }
}

/// What an open table takes of a [`Budget`] however few rows it has; given back when dropped.
#[derive(Debug)]
pub struct Standing {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Standing {
    /// Nothing of `budget`, at first.
    pub fn new(budget: &Arc<Budget>) -> Self {
        Self {
            budget: Arc::clone(budget),
            bytes: 0,
        }
    }

    /// Says how many bytes the table takes now, in place of what it said before.
    pub fn set(&mut self, bytes: usize) {
        let standing = &self.budget.standing_bytes;
        standing.fetch_add(bytes, Ordering::Relaxed);
        standing.fetch_sub(self.bytes, Ordering::Relaxed);
        self.bytes = bytes;
    }
}

impl Drop for Standing {
    fn drop(&mut self) {
        self.set(0);
    }
}

/// Bytes of a [`Budget`] on their way out; given back when dropped.
#[derive(Debug)]
pub struct Held {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Held {
    /// The bytes held.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.budget
            .used_bytes
            .fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_largest_writer_of_a_pressed_budget_cuts_early() {
        let budget = Budget::new(100);
        let (small, large) = (budget.join(), budget.join());
        small.set(20);
        large.set(40);
        assert!(budget.is_pressed() && !budget.is_over());
        assert!(large.is_largest() && !small.is_largest());
        large.set(90);
        assert!(budget.is_over() && !budget.has_room());
        drop(large);
        let flying = budget.hold(1_000);
        assert!(budget.is_over() && small.is_largest());
        drop(flying);
        assert_eq!(budget.used_bytes(), 20);
        assert!(budget.has_room() && small.is_largest());
    }

    #[test]
    fn open_tables_leave_less_room_for_rows_but_never_none() {
        let budget = Budget::new(100);
        let rows = budget.join();
        rows.set(45);
        assert!(!budget.is_pressed());
        let mut standing = Standing::new(&budget);
        standing.set(20);
        assert!(budget.is_pressed() && !budget.is_over());
        standing.set(60);
        assert!(budget.is_over());
        standing.set(1_000);
        assert_eq!((budget.room_bytes(), budget.used_bytes()), (25, 45));
        drop(standing);
        assert!(!budget.is_pressed());
    }
}
