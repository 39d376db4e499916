//! An event that comes again counts once: marks of events over a while, in memory.
//!
//! A mark is claimed by whoever sends its event, and remembered once Kafka has acknowledged that.
//! Who comes with a claimed one meanwhile waits for whoever has it, and sends the event if that
//! one couldn't. Marks are 16 bytes and kept in two halves, of which the older goes when the
//! younger is full or old enough: a mark lives for at least the time, unless there are too many.
//!
//! Each event's record carries its mark, so what is remembered is a part of what Kafka has, and
//! `recall` reads it back.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ring::digest::{Context, Digest, SHA256};
use tokio::sync::watch;

/// What two events have in common that are one: the first half of a SHA-256.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark(u128);

impl Mark {
    /// The mark of what consists of these parts.
    pub(super) fn of<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut hashed = Hashed::default();
        for part in parts {
            // Where a part ends is part of it.
            hashed.add(&(part.len() as u64).to_be_bytes());
            hashed.add(part);
        }
        let digest = hashed.done();
        let half = digest.as_ref().iter().take(16);
        Self(half.fold(0, |all, byte| (all << 8) | u128::from(*byte)))
    }

    /// As the header of a record has it.
    pub(super) fn text(self) -> [u8; MARK_LETTERS] {
        let mut text = [0; MARK_LETTERS];
        // There is room for exactly so many letters.
        let _ = BASE64_URL_SAFE_NO_PAD.encode_slice(self.0.to_be_bytes(), &mut text);
        text
    }

    /// The same back; nothing for what was written by somebody else.
    pub(super) fn read(text: &[u8]) -> Option<Self> {
        // As long as what is longer by two letters, to tell it apart.
        let mut bytes = [0; 18];
        let length = BASE64_URL_SAFE_NO_PAD.decode_slice(text, &mut bytes).ok()?;
        let mark = bytes.first_chunk().filter(|_| length == 16)?;
        Some(Self(u128::from_be_bytes(*mark)))
    }
}

/// What is hashed: small parts together, since each by itself takes as long as many bytes do.
struct Hashed {
    context: Context,
    together: [u8; 1_024],
    length: usize,
}

impl Default for Hashed {
    fn default() -> Self {
        Self {
            context: Context::new(&SHA256),
            together: [0; 1_024],
            length: 0,
        }
    }
}

impl Hashed {
    fn add(&mut self, part: &[u8]) {
        let end = self.length + part.len();
        if let Some(room) = self.together.get_mut(self.length..end) {
            room.copy_from_slice(part);
            self.length = end;
            return;
        }
        self.flush();
        self.context.update(part);
    }

    fn flush(&mut self) {
        let together = self.together.get(..self.length).unwrap_or_default();
        self.context.update(together);
        self.length = 0;
    }

    fn done(mut self) -> Digest {
        self.flush();
        self.context.finish()
    }
}

/// The letters of a mark's text.
pub(super) const MARK_LETTERS: usize = 22;

impl std::hash::Hash for Mark {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0 as u64);
    }
}

/// Marks are as random as hashes get.
#[derive(Debug, Default)]
struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes
            .iter()
            .fold(self.0, |all, byte| (all << 8) | u64::from(*byte));
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }
}

type Marked<V> = HashMap<Mark, V, BuildHasherDefault<AsItIs>>;

/// The marks of a while.
#[derive(Debug)]
pub(super) struct Seen {
    keep: Duration,
    most: usize,
    marks: Mutex<Marks>,
}

#[derive(Debug, Default)]
struct Marks {
    younger: HashSet<Mark, BuildHasherDefault<AsItIs>>,
    older: HashSet<Mark, BuildHasherDefault<AsItIs>>,
    /// When the younger ones began.
    turned: Duration,
    /// Those whose events are on their way, each with its claim's number.
    claimed: Marked<u64>,
    /// The claims, each of which ends with its sender.
    claims: HashMap<u64, watch::Receiver<()>>,
    next: u64,
}

/// Whose an event is.
#[derive(Debug)]
pub(super) enum Found {
    /// Nobody's: it is claimed now.
    Claimed,
    /// It is in Kafka.
    Acknowledged,
    /// It is on its way, until this ends.
    Elsewhere(watch::Receiver<()>),
}

/// Marks whose events somebody sends. What wasn't acknowledged is free again when it is dropped.
#[derive(Debug)]
pub(super) struct Claim<'a> {
    seen: &'a Seen,
    number: u64,
    claimed: Vec<Mark>,
    /// Dropped with the claim, which ends the wait of others.
    _ends: watch::Sender<()>,
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
        let mut marks = self.marks();
        marks.turn(now, self.keep, self.most);
        let (ends, end) = watch::channel(());
        let number = marks.next;
        marks.next += 1;
        marks.claims.insert(number, end);
        Claim {
            seen: self,
            number,
            claimed: Vec::new(),
            _ends: ends,
        }
    }

    /// Remembers marks that Kafka was found to have, the newest first: half as many as there may
    /// be. The younger ones become the older ones where there is no room, as they soon would.
    pub(super) fn recall(&self, now: Duration, newest_first: impl IntoIterator<Item = Mark>) {
        let mut marks = self.marks();
        marks.turn(now, self.keep, self.most);
        let most = self.most / 2;
        let new = newest_first.into_iter();
        let new = new.filter(|mark| !marks.younger.contains(mark));
        // One less: the next claim would turn, for the sake of a single one more.
        let new: Vec<Mark> = new.take(most.saturating_sub(1)).collect();
        if marks.younger.len() + new.len() >= most {
            marks.older = std::mem::take(&mut marks.younger);
            marks.turned = now;
        }
        marks.younger.extend(new);
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
            let other = marks.claimed.get(&mark);
            if let Some(other) = other.and_then(|number| marks.claims.get(number)) {
                return Found::Elsewhere(other.clone());
            }
            marks.claimed.insert(mark, self.number);
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
        marks.claims.remove(&self.number);
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

    fn seen(claim: &mut Claim<'_>, wanted: &[u128]) -> Vec<&'static str> {
        let found = claim.take(wanted.iter().copied().map(Mark));
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
        let found = second.take([1, 2, 3].map(Mark));
        let [Found::Elsewhere(one), Found::Elsewhere(_), Found::Claimed] = found.as_slice() else {
            unreachable!("{found:?}");
        };
        assert!(one.has_changed().is_ok(), "it goes on");
        first.acknowledge([Mark(1)]);
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
            claim.take([Mark(mark)]);
            claim.acknowledge([Mark(mark)]);
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
    fn what_is_recalled_lives_as_long_and_has_room_whatever_there_is() {
        let second = Duration::from_secs;
        let window = Seen::new(second(10), 8);
        // The process has been there for a while before it asks for the first time.
        let mut claim = window.claim(second(100));
        claim.take([Mark(1), Mark(2)]);
        claim.acknowledge([Mark(1), Mark(2)]);
        drop(claim);
        window.recall(second(105), (3..100).map(Mark));
        let known = |at, mark| seen(&mut window.claim(second(at)), &[mark]) == ["acknowledged"];
        assert!(
            (1..6).all(|mark| known(105, mark)),
            "two of before, three newest"
        );
        assert!(!known(105, 6), "half as many as there may be, but for one");
        assert!((3..6).all(|mark| known(114, mark)));
        let other = Seen::new(second(10), 8);
        other.recall(second(100), [Mark(1)]);
        assert_eq!(seen(&mut other.claim(second(109)), &[1]), ["acknowledged"]);
        // What is known already takes no room of others.
        other.recall(second(100), [1, 1, 1, 2, 3].map(Mark));
        assert_eq!(
            seen(&mut other.claim(second(100)), &[1, 2, 3]),
            ["acknowledged"; 3]
        );
    }

    #[test]
    fn parts_that_are_cut_elsewhere_have_another_mark() {
        let of = |parts: &[&'static str]| Mark::of(parts.iter().map(|part| part.as_bytes()));
        assert_eq!(of(&["ab", "c"]), of(&["ab", "c"]));
        assert_ne!(of(&["ab", "c"]), of(&["a", "bc"]));
        assert_ne!(of(&["ab"]), of(&["ab", ""]));
        let (long, short) = ([b'x'; 5_000], [b'y'; 600]);
        let of = |parts: &[&[u8]]| Mark::of(parts.iter().copied());
        assert_ne!(of(&[&long, &short]), of(&[&short, &long]));
        assert_ne!(of(&[&short, &short]), of(&[&short, &short, &short]));
        assert_ne!(of(&[&short, &long[1..]]), of(&[&short, &long]));
    }

    #[test]
    fn a_mark_is_the_same_in_every_build_and_comes_back_from_its_text() {
        let mark = Mark::of([&b"clicks"[..], b"7"]);
        assert_eq!(&mark.text(), b"Km0ra8Sx6c8pMw7zy955AQ");
        assert_eq!(Mark::read(&mark.text()), Some(mark));
        for wrong in [&b""[..], b"short", b"Km0ra8Sx6c8pMw7zy955A+", &[b'A'; 24]] {
            assert_eq!(Mark::read(wrong), None, "{wrong:?}");
        }
    }
}
