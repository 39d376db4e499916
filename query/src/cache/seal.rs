//! Blocks on disk, sealed so that they end by themselves.
//!
//! Erasing a file's bytes from a disk is nothing that a process can be sure of; forgetting a key
//! is. So every half of [`KEPT`] has a random key of its own, which is in memory alone, and is
//! forgotten after two of them: nothing that it sealed can be opened then by anybody. The seal
//! (AES-GCM) also says that a block is the one that was asked for, byte for byte.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use eddy_engine::Clock;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};

/// How long a block can be opened at most: a day, so that what is hot is read from the store once
/// in a day, and what was erased ends on disk well within any grace time.
pub(super) const KEPT: Duration = Duration::from_hours(24);

/// How long blocks are sealed with one key, in seconds.
const EPOCH: u64 = KEPT.as_secs() / 2;

/// Before the sealed bytes: which epoch, and which block of it.
const HEAD: usize = 16;

/// The keys of this epoch and the one before it.
#[derive(Debug)]
pub(super) struct Seals {
    clock: Clock,
    epochs: Mutex<BTreeMap<u64, Arc<Epoch>>>,
}

#[derive(Debug)]
struct Epoch {
    key: LessSafeKey,
    /// How many blocks it sealed: no two have the same nonce.
    sealed: AtomicU64,
}

impl Seals {
    /// Keys by the monotonic time of `clock`.
    pub(super) fn new(clock: &Clock) -> Self {
        Self {
            clock: clock.clone(),
            epochs: Mutex::default(),
        }
    }

    /// Seals `block` under its `name`; `None` when the system gives no randomness.
    pub(super) fn seal(&self, name: &str, block: &[u8]) -> Option<Bytes> {
        let now = self.now();
        let epoch = self.current(now)?;
        let count = epoch.sealed.fetch_add(1, Ordering::Relaxed);
        let mut sealed = BytesMut::with_capacity(HEAD + block.len() + AES_256_GCM.tag_len());
        sealed.extend_from_slice(&now.to_be_bytes());
        sealed.extend_from_slice(&count.to_be_bytes());
        let head = sealed.len();
        sealed.extend_from_slice(block);
        let mut body = sealed.split_off(head);
        let tag = epoch
            .key
            .seal_in_place_separate_tag(nonce(count), Aad::from(name), &mut body)
            .ok()?;
        sealed.unsplit(body);
        sealed.extend_from_slice(tag.as_ref());
        Some(sealed.freeze())
    }

    /// The block that was sealed under `name`; `None` when it is another, was changed, or is too
    /// old.
    pub(super) fn open(&self, name: &str, sealed: &[u8]) -> Option<Bytes> {
        let (epoch, rest) = sealed.split_first_chunk::<8>()?;
        let (count, body) = rest.split_first_chunk::<8>()?;
        let epoch = u64::from_be_bytes(*epoch);
        let key = self.lock_recent(self.now()).get(&epoch).cloned()?;
        let mut body = body.to_vec();
        let nonce = nonce(u64::from_be_bytes(*count));
        let opened = key.key.open_in_place(nonce, Aad::from(name), &mut body);
        let length = opened.ok()?.len();
        body.truncate(length);
        Some(Bytes::from(body))
    }

    /// Forgets what is too old, and says how long until there is more to forget.
    pub(super) fn forget(&self) -> Duration {
        drop(self.lock_recent(self.now()));
        Duration::from_secs(EPOCH - self.clock.monotonic().as_secs() % EPOCH)
    }

    fn now(&self) -> u64 {
        self.clock.monotonic().as_secs() / EPOCH
    }

    fn current(&self, now: u64) -> Option<Arc<Epoch>> {
        let mut epochs = self.lock_recent(now);
        if let Some(epoch) = epochs.get(&now) {
            return Some(Arc::clone(epoch));
        }
        let mut bytes = [0; 32];
        SystemRandom::new().fill(&mut bytes).ok()?;
        let key = UnboundKey::new(&AES_256_GCM, &bytes).ok()?;
        let epoch = Arc::new(Epoch {
            key: LessSafeKey::new(key),
            sealed: AtomicU64::new(0),
        });
        epochs.insert(now, Arc::clone(&epoch));
        Some(epoch)
    }

    fn lock_recent(&self, now: u64) -> MutexGuard<'_, BTreeMap<u64, Arc<Epoch>>> {
        let mut epochs = self.epochs.lock().unwrap_or_else(PoisonError::into_inner);
        epochs.retain(|epoch, _| epoch.saturating_add(1) >= now);
        epochs
    }
}

fn nonce(count: u64) -> Nonce {
    let mut bytes = [0; NONCE_LEN];
    let (_, low) = bytes.split_at_mut(NONCE_LEN - 8);
    low.copy_from_slice(&count.to_be_bytes());
    Nonce::assume_unique_for_key(bytes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn a_block_opens_under_its_name_alone_and_only_as_it_was() {
        let seals = Seals::new(&Clock::manual(0));
        let sealed = seals.seal("file#1", b"some bytes").unwrap();
        assert_eq!(seals.open("file#1", &sealed).unwrap(), "some bytes");
        assert!(seals.open("file#2", &sealed).is_none());
        for at in 0..sealed.len() {
            let mut changed = sealed.to_vec();
            changed[at] ^= 1;
            assert!(seals.open("file#1", &changed).is_none(), "byte {at}");
            assert!(seals.open("file#1", &sealed[..at]).is_none(), "cut at {at}");
        }
        let again = seals.seal("file#1", b"some bytes").unwrap();
        assert_ne!(again, sealed, "no nonce comes twice");
    }

    #[test]
    fn no_block_opens_after_a_day_and_its_key_is_gone() {
        let clock = Clock::manual(0);
        let seals = Seals::new(&clock);
        let sealed = seals.seal("file#1", b"some bytes").unwrap();
        clock.advance(seals.forget());
        assert!(seals.open("file#1", &sealed).is_some());
        let wait = seals.forget();
        assert_eq!(wait, KEPT / 2);
        clock.advance(wait);
        assert!(seals.open("file#1", &sealed).is_none());
        seals.forget();
        assert!(seals.epochs.lock().unwrap().is_empty());
    }
}
