//! Large buffers that nobody uses any more, kept for a moment to be filled again.
//!
//! A writer at full speed fills tens of megabytes a second, and lets go of them a second later.
//! Memory that went back to the system in between has to be cleared by it, page for page, which was
//! an eighth of a sink's CPU. What is kept is bounded, and what isn't needed again within a second
//! goes back.

use std::fmt;
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;

/// Smaller buffers aren't worth a lock: the allocator has them at hand.
pub(crate) const LEAST_BYTES: usize = 64 << 10;

/// What is kept at most, unless a worker's budget says less: all that a cut lets go of at once, and
/// the buffers of its file.
const KEPT_BYTES: usize = 128 << 20;

/// A buffer that is larger than what is asked for by more than this part of it is left to who needs
/// all of it: what stays unused in it counts nowhere.
const SLACK_PART: usize = 2;

/// How long a buffer may go unused.
const UNUSED: Duration = Duration::from_secs(1);

/// The buffers. Cheap to clone; clones share them.
#[derive(Clone, Default)]
pub(crate) struct Spare(Arc<Shared>);

struct Shared {
    most: AtomicUsize,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    /// All empty, the longest unused first.
    buffers: Vec<Vec<u8>>,
    /// Their capacity.
    bytes: usize,
    /// The least that `bytes` was since the last sweep: so much isn't needed.
    fewest: usize,
    swept: Duration,
}

impl Spare {
    /// An empty buffer with room for `bytes`.
    pub(crate) fn take(&self, bytes: usize) -> Vec<u8> {
        if bytes < LEAST_BYTES {
            return Vec::with_capacity(bytes);
        }
        let bytes = class(bytes);
        let found = self.0.kept().take(bytes);
        found.unwrap_or_else(|| Vec::with_capacity(bytes))
    }

    /// Keeps a buffer's memory for the next one, if there is room.
    pub(crate) fn give(&self, mut buffer: Vec<u8>) {
        let most = self.0.most.load(Ordering::Relaxed);
        let mut kept = self.0.kept();
        if buffer.capacity() >= LEAST_BYTES && kept.bytes + buffer.capacity() <= most {
            buffer.clear();
            kept.bytes += buffer.capacity();
            kept.buffers.push(buffer);
        }
    }

    /// The bytes, whose memory comes back here with their last reader.
    pub(crate) fn lend(&self, bytes: Vec<u8>) -> Bytes {
        if bytes.capacity() < LEAST_BYTES {
            return Bytes::from(bytes);
        }
        Bytes::from_owner(Lent {
            bytes,
            spare: self.clone(),
        })
    }

    /// Lends what a growing buffer holds so far and leaves it empty, with room for `next` bytes.
    /// Bytes that fill less than half of it move into a buffer of their own: they may be read for
    /// long, and the rest of their memory would count nowhere.
    pub(crate) fn lend_all(&self, buffer: &mut Vec<u8>, next: usize) -> Bytes {
        let (bytes, room) = (buffer.len(), buffer.capacity());
        if room < LEAST_BYTES || bytes >= room / 2 {
            let next = self.take(next);
            return self.lend(std::mem::replace(buffer, next));
        }
        let mut own = self.take(bytes);
        own.extend_from_slice(buffer);
        buffer.clear();
        if !fitting(class(next)).contains(&room) {
            self.give(std::mem::take(buffer));
            *buffer = self.take(next);
        }
        self.lend(own)
    }

    /// Keeps at most `bytes`.
    pub(crate) fn keep_at_most(&self, bytes: usize) {
        self.0.most.store(bytes, Ordering::Relaxed);
    }

    /// Frees what nobody took for a second. `now` is the monotonic clock's.
    pub(crate) fn sweep(&self, now: Duration) {
        let unused = self.0.kept().unused(now);
        drop(unused);
    }
}

/// What the next batch may need, so that its buffers needn't grow step by step: as much as this
/// one, or nearly as much as one before it, since a publication cuts batches short.
pub(crate) fn usual(before: usize, now: usize) -> usize {
    now.max(before - before / 4)
}

/// Rounded up, by an eighth at most, so that a buffer fits whoever needs about as much.
fn class(bytes: usize) -> usize {
    bytes.next_multiple_of((bytes.next_power_of_two() / 16).max(1))
}

fn fitting(bytes: usize) -> RangeInclusive<usize> {
    bytes..=bytes.saturating_add(bytes / SLACK_PART)
}

impl Shared {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Shared {
    fn default() -> Self {
        Self {
            most: AtomicUsize::new(KEPT_BYTES),
            kept: Mutex::default(),
        }
    }
}

impl Kept {
    /// The smallest that has room for `bytes` without being far too large.
    fn take(&mut self, bytes: usize) -> Option<Vec<u8>> {
        let fitting = fitting(bytes);
        let buffers = self.buffers.iter().enumerate();
        let (at, _) = buffers
            .map(|(at, buffer)| (at, buffer.capacity()))
            .filter(|(_, capacity)| fitting.contains(capacity))
            .min_by_key(|(_, capacity)| *capacity)?;
        let buffer = self.buffers.remove(at);
        self.bytes -= buffer.capacity();
        self.fewest = self.fewest.min(self.bytes);
        Some(buffer)
    }

    /// Takes out what can go, if it is time.
    fn unused(&mut self, now: Duration) -> Vec<Vec<u8>> {
        if now.saturating_sub(self.swept) < UNUSED {
            return Vec::new();
        }
        self.swept = now;
        let mut freed = 0;
        let fits = |buffer: &&Vec<u8>| {
            freed += buffer.capacity();
            freed <= self.fewest
        };
        let count = self.buffers.iter().take_while(fits).count();
        let unused: Vec<Vec<u8>> = self.buffers.drain(..count).collect();
        self.bytes -= unused.iter().map(Vec::capacity).sum::<usize>();
        self.fewest = self.bytes;
        unused
    }
}

/// Bytes that are being read.
struct Lent {
    bytes: Vec<u8>,
    spare: Spare,
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        self.spare.give(std::mem::take(&mut self.bytes));
    }
}

impl fmt::Debug for Spare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kept = self.0.kept();
        f.debug_struct("Spare")
            .field("buffers", &kept.buffers.len())
            .field("bytes", &kept.bytes)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(spare: &Spare, bytes: usize) -> Vec<u8> {
        let mut buffer = spare.take(bytes);
        buffer.resize(bytes, 7);
        buffer
    }

    #[test]
    fn a_buffer_comes_back_with_its_last_reader_and_is_filled_again() {
        let spare = Spare::default();
        let buffer = filled(&spare, LEAST_BYTES);
        let place = buffer.as_ptr();
        let lent = spare.lend(buffer);
        let reader = lent.slice(10..20);
        drop(lent);
        let other = spare.take(LEAST_BYTES);
        assert_ne!(other.as_ptr(), place, "still being read");
        drop(other);
        assert_eq!(reader.as_ref(), [7; 10]);
        drop(reader);
        let again = spare.take(LEAST_BYTES);
        assert_eq!(again.as_ptr(), place);
        assert!(again.is_empty());
    }

    #[test]
    fn what_is_kept_is_bounded_and_the_smallest_that_fits_is_taken() {
        let spare = Spare::default();
        spare.keep_at_most(LEAST_BYTES * 5);
        for size in [3, 1, 2] {
            spare.give(Vec::with_capacity(LEAST_BYTES * size));
        }
        let kept = spare.0.kept().bytes;
        assert_eq!(kept, LEAST_BYTES * 4, "the third has no room");
        assert_eq!(spare.take(LEAST_BYTES).capacity(), LEAST_BYTES);
        let other = spare.take(LEAST_BYTES);
        assert_eq!(other.capacity(), LEAST_BYTES, "three are far too large");
        assert_eq!(spare.take(LEAST_BYTES * 2).capacity(), LEAST_BYTES * 3);
    }

    #[test]
    fn what_is_lent_takes_no_more_than_twice_its_bytes() {
        let spare = Spare::default();
        let mut growing = filled(&spare, LEAST_BYTES * 8);
        let lent = spare.lend_all(&mut growing, LEAST_BYTES * 9);
        assert_eq!(lent.len(), LEAST_BYTES * 8);
        let room = growing.capacity();
        assert_eq!((growing.len(), room), (0, LEAST_BYTES * 9), "as asked for");
        growing.extend_from_slice(&[1; LEAST_BYTES * 3]);
        let place = growing.as_ptr();
        let few = spare.lend_all(&mut growing, LEAST_BYTES * 8);
        assert_eq!(few.as_ref(), [1; LEAST_BYTES * 3]);
        assert_eq!(growing.as_ptr(), place, "it still fits");
        growing.extend_from_slice(&[1; LEAST_BYTES]);
        let fewer = spare.lend_all(&mut growing, LEAST_BYTES * 2);
        assert_eq!(growing.capacity(), LEAST_BYTES * 2, "room for few again");
        drop(few);
        drop(lent);
        drop(fewer);
        let kept: Vec<usize> = spare.0.kept().buffers.iter().map(Vec::capacity).collect();
        assert_eq!(kept, [9, 3, 8, 1].map(|times| LEAST_BYTES * times));
    }

    #[test]
    fn a_batch_that_was_cut_short_does_not_make_the_next_ones_buffers_small() {
        assert_eq!(usual(8_000, 100), 6_000);
        assert_eq!(usual(6_000, 7_000), 7_000);
        let idle = (0..40).fold(8_000, |usual_so_far, _| usual(usual_so_far, 10));
        assert_eq!(idle, 10, "but many of them do");
    }

    #[test]
    fn what_nobody_took_for_a_second_is_freed_and_no_more() {
        let spare = Spare::default();
        let second = |seconds| spare.sweep(Duration::from_secs(seconds));
        second(1);
        for _ in 0..4 {
            spare.give(Vec::with_capacity(LEAST_BYTES));
        }
        second(2);
        assert_eq!(spare.0.kept().buffers.len(), 4, "given within the second");
        let (one, other) = (spare.take(LEAST_BYTES), spare.take(LEAST_BYTES));
        spare.give(one);
        spare.give(other);
        second(3);
        assert_eq!(spare.0.kept().buffers.len(), 2, "two were taken at once");
        second(4);
        assert_eq!(spare.0.kept().bytes, 0);
    }
}
