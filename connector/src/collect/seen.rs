//! A record that comes again counts once: marks of records over a while, in memory.
//!
//! A mark is claimed by whoever sends its record, and remembered once Kafka has acknowledged that.
//! Who comes with a claimed one meanwhile waits for whoever has it, and sends the record if that
//! one couldn't. Marks are 16 bytes and kept in two halves, of which the older goes when the
//! younger is full or old enough: a mark lives for at least the time, unless there are too many.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hasher};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

/// What two records have in common that are one: two hashes of 64 bits.
pub(super) type Mark = u128;

/// The mark of what consists of these parts.
pub(super) fn mark<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Mark {
    let (mut one, mut other) = (DefaultHasher::new(), DefaultHasher::new());
    other.write_u8(1);
    for part in parts {
        for hasher in [&mut one, &mut other] {
            // Where a part ends is part of it.
            hasher.write_usize(part.len());
            hasher.write(part);
        }
    }
    (u128::from(one.finish()) << 64) | u128::from(other.finish())
}

/// The marks of a while.
#[derive(Debug)]
pub(super) struct Seen {
    keep: Duration,
    most: usize,
    marks: Mutex<Marks>,
}

#[derive(Debug, Default)]
struct Marks {
    younger: HashSet<Mark>,
    older: HashSet<Mark>,
    /// When the younger ones began.
    turned: Duration,
    /// Those whose records are on their way; each ends with its claim.
    claimed: HashMap<Mark, watch::Receiver<()>>,
}

/// Whose a record is.
#[derive(Debug)]
pub(super) enum Found {
    /// Nobody's: it is claimed now.
    Claimed,
    /// It is in Kafka.
    Acknowledged,
    /// It is on its way, until this ends.
    Elsewhere(watch::Receiver<()>),
}

/// Marks whose records somebody sends. What wasn't acknowledged is free again when it is dropped.
#[derive(Debug)]
pub(super) struct Claim<'a> {
    seen: &'a Seen,
    claimed: Vec<Mark>,
    ends: watch::Sender<()>,
}

impl Seen {
    /// Keeps marks for `keep`, the newest `most` of them.
    pub(super) fn new(keep: Duration, most: usize) -> Self {
        Self {
            keep,
            most: most.max(2),
            marks: Mutex::default(),
        }
    }

    /// A claim without anything in it.
    pub(super) fn claim(&self, now: Duration) -> Claim<'_> {
        self.marks().turn(now, self.keep, self.most);
        Claim {
            seen: self,
            claimed: Vec::new(),
            ends: watch::Sender::new(()),
        }
    }

    fn marks(&self) -> MutexGuard<'_, Marks> {
        self.marks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Claim<'_> {
    /// Claims these, as far as they are nobody's.
    pub(super) fn take(&mut self, wanted: impl IntoIterator<Item = Mark>) -> Vec<Found> {
        let mut marks = self.seen.marks();
        let found = wanted.into_iter().map(|mark| {
            if marks.younger.contains(&mark) || marks.older.contains(&mark) {
                return Found::Acknowledged;
            }
            if let Some(other) = marks.claimed.get(&mark) {
                return Found::Elsewhere(other.clone());
            }
            marks.claimed.insert(mark, self.ends.subscribe());
            self.claimed.push(mark);
            Found::Claimed
        });
        found.collect()
    }

    /// Remembers that the records of these are in Kafka.
    pub(super) fn acknowledge(&self, acknowledged: impl IntoIterator<Item = Mark>) {
        let mut marks = self.seen.marks();
        for mark in acknowledged {
            marks.younger.insert(mark);
        }
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        let mut marks = self.seen.marks();
        for mark in &self.claimed {
            marks.claimed.remove(mark);
        }
    }
}

impl Marks {
    fn turn(&mut self, now: Duration, keep: Duration, most: usize) {
        if self.younger.len() >= most / 2 || now >= self.turned.saturating_add(keep) {
            self.older = std::mem::take(&mut self.younger);
            self.turned = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(claim: &mut Claim<'_>, wanted: &[Mark]) -> Vec<&'static str> {
        let found = claim.take(wanted.iter().copied());
        let found = found.iter().map(|found| match found {
            Found::Claimed => "claimed",
            Found::Acknowledged => "acknowledged",
            Found::Elsewhere(_) => "elsewhere",
        });
        found.collect()
    }

    #[test]
    fn a_record_is_sent_by_one_and_by_another_if_that_one_could_not() {
        let window = Seen::new(Duration::from_secs(10), 100);
        let mut first = window.claim(Duration::ZERO);
        assert_eq!(seen(&mut first, &[1, 2]), ["claimed", "claimed"]);
        let mut second = window.claim(Duration::ZERO);
        let found = second.take([1, 2, 3]);
        let [Found::Elsewhere(one), Found::Elsewhere(_), Found::Claimed] = found.as_slice() else {
            unreachable!("{found:?}");
        };
        assert!(one.has_changed().is_ok(), "it goes on");
        first.acknowledge([1]);
        drop(first);
        assert!(one.has_changed().is_err(), "it has ended");
        assert_eq!(seen(&mut second, &[1, 2]), ["acknowledged", "claimed"]);
    }

    #[test]
    fn marks_live_for_their_time_and_never_are_too_many() {
        let second = Duration::from_secs;
        let window = Seen::new(second(10), 4);
        let note = |at, mark| {
            let mut claim = window.claim(second(at));
            claim.take([mark]);
            claim.acknowledge([mark]);
        };
        note(0, 1);
        note(9, 2);
        assert_eq!(seen(&mut window.claim(second(9)), &[1]), ["acknowledged"]);
        for mark in 3..40 {
            note(10, mark);
            let marks = window.marks();
            assert!(marks.younger.len() + marks.older.len() <= 4);
        }
        assert_eq!(seen(&mut window.claim(second(10)), &[1]), ["claimed"]);
        assert_eq!(seen(&mut window.claim(second(10)), &[39]), ["acknowledged"]);
        for at in [20, 30] {
            drop(window.claim(second(at)));
        }
        assert_eq!(seen(&mut window.claim(second(30)), &[39]), ["claimed"]);
    }

    #[test]
    fn parts_that_are_cut_elsewhere_have_another_mark() {
        let of = |parts: &[&'static str]| mark(parts.iter().map(|part| part.as_bytes()));
        assert_eq!(of(&["ab", "c"]), of(&["ab", "c"]));
        assert_ne!(of(&["ab", "c"]), of(&["a", "bc"]));
        assert_ne!(of(&["ab"]), of(&["ab", ""]));
    }
}
