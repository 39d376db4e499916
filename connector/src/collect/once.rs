//! The request that an `Idempotency-Key` came with first, as a digest of what it says: over a
//! while, in memory.
//!
//! A key that comes with another request is a mistake of the client's, of which it is told. That a
//! request counts once is the matter of `seen`.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::tokens::Digest;

/// The keys of a while.
#[derive(Debug)]
pub(super) struct Window {
    keep: Duration,
    most: usize,
    keys: Mutex<Keys>,
}

/// A collection's name and a key.
type Key = (String, Vec<u8>);

#[derive(Debug, Default)]
struct Keys {
    requests: HashMap<Key, Digest>,
    order: VecDeque<(Duration, Key)>,
}

impl Window {
    /// Keeps keys for `keep`, the newest `most` of them.
    pub(super) fn new(keep: Duration, most: usize) -> Self {
        Self {
            keep,
            most: most.max(1),
            keys: Mutex::default(),
        }
    }

    /// Whether the key came with this request first, or comes now for the first time.
    pub(super) fn enter(&self, now: Duration, collection: &str, key: &[u8], said: Digest) -> bool {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        keys.forget(now, self.keep, self.most);
        let key = (collection.to_owned(), key.to_vec());
        if let Some(first) = keys.requests.get(&key) {
            return *first == said;
        }
        keys.requests.insert(key.clone(), said);
        keys.order.push_back((now, key));
        true
    }
}

impl Keys {
    /// Makes room for one more.
    fn forget(&mut self, now: Duration, keep: Duration, most: usize) {
        while let Some((entered, key)) = self.order.front() {
            if self.order.len() < most && now < entered.saturating_add(keep) {
                return;
            }
            self.requests.remove(key);
            self.order.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_one_request_for_a_while_within_its_collection() {
        let window = Window::new(Duration::from_secs(10), 100);
        let enter = |now, collection, said| {
            window.enter(Duration::from_secs(now), collection, b"k", [said; 32])
        };
        assert!(enter(0, "a", 1));
        assert!(enter(9, "a", 1));
        assert!(!enter(9, "a", 2), "it says something else");
        assert!(enter(9, "b", 2));
        assert!(enter(10, "a", 2), "it is forgotten by then");
    }

    #[test]
    fn the_oldest_keys_go_first() {
        let window = Window::new(Duration::from_secs(10), 2);
        let enter = |key: &[u8], said| window.enter(Duration::ZERO, "a", key, [said; 32]);
        assert!([b"1", b"2", b"3"].into_iter().all(|key| enter(key, 0)));
        assert!(!enter(b"3", 1));
        assert!(enter(b"1", 1));
    }
}
