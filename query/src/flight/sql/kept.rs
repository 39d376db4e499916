//! What clients were promised and may come back for, as tickets and prepared statements: bounded
//! in number, in bytes and in age. Clients are asked to give back what they don't need, and many
//! don't.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use eddy_engine::Clock;
use uuid::Uuid;

/// How much is kept.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// The most entries.
    pub(super) entries: usize,
    /// The most bytes of all of them.
    pub(super) bytes: usize,
    /// How long an entry that nobody asks for is kept.
    pub(super) age: Duration,
}

/// Entries by numbers that nobody guesses. Beyond the bounds the one goes that was asked for
/// longest ago.
pub(super) struct Kept<T> {
    entries: Mutex<HashMap<Uuid, Entry<T>>>,
    bounds: Bounds,
    clock: Clock,
}

struct Entry<T> {
    what: T,
    bytes: usize,
    asked_at: Duration,
}

impl<T> Kept<T> {
    /// Nothing yet.
    pub(super) fn new(bounds: Bounds, clock: Clock) -> Self {
        Self {
            entries: Mutex::default(),
            bounds,
            clock,
        }
    }

    /// Keeps something of about this size.
    pub(super) fn put(&self, what: T, bytes: usize) -> Uuid {
        let id = self.clock.new_id();
        let asked_at = self.clock.monotonic();
        let entry = Entry {
            what,
            bytes,
            asked_at,
        };
        let mut entries = self.lock();
        entries.retain(|_, entry| asked_at.saturating_sub(entry.asked_at) < self.bounds.age);
        entries.insert(id, entry);
        self.cut(&mut entries, id);
        id
    }

    /// Takes something out.
    pub(super) fn take(&self, id: Uuid) -> Option<T> {
        let entry = self.lock().remove(&id)?;
        self.is_young(&entry).then_some(entry.what)
    }

    /// Does something with an entry, which then has this size.
    pub(super) fn with<R>(&self, id: Uuid, change: impl FnOnce(&mut T) -> (R, usize)) -> Option<R> {
        let mut entries = self.lock();
        let entry = entries.get_mut(&id).filter(|entry| self.is_young(entry))?;
        let (changed, bytes) = change(&mut entry.what);
        entry.bytes = bytes;
        entry.asked_at = self.clock.monotonic();
        self.cut(&mut entries, id);
        Some(changed)
    }

    /// Lets the oldest go until the rest is within the bounds; never `newest`.
    fn cut(&self, entries: &mut HashMap<Uuid, Entry<T>>, newest: Uuid) {
        loop {
            let bytes: usize = entries.values().map(|entry| entry.bytes).sum();
            if entries.len() <= self.bounds.entries && bytes <= self.bounds.bytes {
                return;
            }
            let others = entries.iter().filter(|(id, _)| **id != newest);
            let oldest = others.min_by_key(|(_, entry)| entry.asked_at);
            let Some(oldest) = oldest.map(|(id, _)| *id) else {
                return;
            };
            entries.remove(&oldest);
        }
    }

    fn is_young(&self, entry: &Entry<T>) -> bool {
        self.clock.monotonic().saturating_sub(entry.asked_at) < self.bounds.age
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Uuid, Entry<T>>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const BOUNDS: Bounds = Bounds {
        entries: 3,
        bytes: 100,
        age: Duration::from_secs(60),
    };

    #[test]
    fn what_is_kept_is_bounded_in_number_bytes_and_age() {
        let clock = Clock::manual(0);
        let kept = Kept::new(BOUNDS, clock.clone());
        let put = |name: &'static str, bytes| {
            clock.advance(Duration::from_secs(1));
            kept.put(name, bytes)
        };
        let [a, b, c] = ["a", "b", "c"].map(|name| put(name, 1));
        assert_eq!(kept.with(a, |name| (*name, 1)), Some("a"));
        clock.advance(Duration::from_secs(1));
        assert_eq!(kept.with(a, |name| (*name, 1)), Some("a"));
        let d = put("d", 1);
        assert_eq!(kept.take(b), None, "asked for longest ago");
        assert_eq!(kept.take(c), Some("c"));
        assert_eq!(kept.take(c), None, "once");
        let e = put("e", 98);
        assert_eq!(kept.take(d), Some("d"), "100 bytes are allowed");
        assert_eq!(kept.with(a, |name| (*name, 3)), Some("a"));
        assert_eq!(kept.take(e), None, "an entry that grows counts too");
        clock.advance(Duration::from_secs(60));
        assert_eq!(kept.with(a, |name| (*name, 1)), None, "too old");
        assert_eq!(kept.take(a), None);
        let large = put("large", 1_000);
        assert_eq!(kept.take(large), Some("large"), "what is newest stays");
    }
}
