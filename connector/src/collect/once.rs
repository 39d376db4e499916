//! A resent request counts once: the `Idempotency-Key`s of a while, in memory.
//!
//! Who comes with a key that is known waits for whoever has it, and is told 200 when that one's
//! events were acknowledged; when they weren't, it sends them itself.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
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
    requests: HashMap<Key, Arc<Request>>,
    order: VecDeque<(Duration, Key)>,
}

/// The request that came first with its key.
#[derive(Debug)]
pub(super) struct Request {
    body: Digest,
    /// Whether its events were acknowledged; locked while somebody sends them.
    pub(super) acknowledged: tokio::sync::Mutex<bool>,
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

    /// The request that came first with this key; nothing when its body was another one.
    pub(super) fn enter(
        &self,
        now: Duration,
        collection: &str,
        key: &[u8],
        body: Digest,
    ) -> Option<Arc<Request>> {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        keys.forget(now, self.keep, self.most);
        let key = (collection.to_owned(), key.to_vec());
        if let Some(first) = keys.requests.get(&key) {
            return (first.body == body).then(|| Arc::clone(first));
        }
        let first = Arc::new(Request {
            body,
            acknowledged: tokio::sync::Mutex::new(false),
        });
        keys.requests.insert(key.clone(), Arc::clone(&first));
        keys.order.push_back((now, key));
        Some(first)
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
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[tokio::test]
    async fn a_key_stands_for_its_first_request_within_its_collection() {
        let window = Window::new(Duration::from_secs(10), 100);
        let enter = |now, collection, body| {
            window.enter(Duration::from_secs(now), collection, b"k", [body; 32])
        };
        *enter(0, "a", 1).unwrap().acknowledged.lock().await = true;
        assert!(*enter(9, "a", 1).unwrap().acknowledged.lock().await);
        assert!(
            enter(9, "a", 2).is_none(),
            "another body is another request"
        );
        assert!(!*enter(9, "b", 2).unwrap().acknowledged.lock().await);
        let later = enter(10, "a", 2).unwrap();
        assert!(!*later.acknowledged.lock().await, "it is forgotten by then");
    }

    #[tokio::test]
    async fn the_oldest_keys_go_first() {
        let window = Window::new(Duration::from_secs(10), 2);
        let enter = |key: &[u8]| window.enter(Duration::ZERO, "a", key, [0; 32]).unwrap();
        for key in [b"1", b"2", b"3"] {
            *enter(key).acknowledged.lock().await = true;
        }
        assert!(*enter(b"3").acknowledged.lock().await);
        assert!(!*enter(b"1").acknowledged.lock().await);
    }
}
