//! The batches that a worker told of one table, by their numbers, and the bytes that they take.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use eddy_engine::read::LiveBatch;

/// What is held of one table of one worker.
#[derive(Debug, Default)]
pub(super) struct Held {
    batches: BTreeMap<u64, (Arc<LiveBatch>, usize)>,
    /// The bytes of everything that is held, of other tables and workers too.
    all_bytes: Arc<AtomicUsize>,
}

impl Held {
    /// Nothing yet; what will be counts into `all_bytes`.
    pub(super) fn new(all_bytes: &Arc<AtomicUsize>) -> Self {
        Self {
            batches: BTreeMap::new(),
            all_bytes: Arc::clone(all_bytes),
        }
    }

    /// The batches, oldest first.
    pub(super) fn batches(&self) -> Vec<Arc<LiveBatch>> {
        let batches = self.batches.values();
        batches.map(|(live, _)| Arc::clone(live)).collect()
    }

    /// Their numbers.
    pub(super) fn numbers(&self) -> Vec<u64> {
        self.batches.keys().copied().collect()
    }

    /// Only these are uncommitted still.
    pub(super) fn keep(&mut self, numbers: &[u64]) {
        let numbers: HashSet<u64> = numbers.iter().copied().collect();
        let mut freed = 0;
        self.batches.retain(|number, (_, bytes)| {
            let stays = numbers.contains(number);
            freed += if stays { 0 } else { *bytes };
            stays
        });
        self.all_bytes.fetch_sub(freed, Ordering::Relaxed);
    }

    /// Holds another one.
    pub(super) fn add(&mut self, number: u64, live: LiveBatch, bytes: usize) {
        self.all_bytes.fetch_add(bytes, Ordering::Relaxed);
        if let Some((_, before)) = self.batches.insert(number, (Arc::new(live), bytes)) {
            self.all_bytes.fetch_sub(before, Ordering::Relaxed);
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.keep(&[]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_is_counted_until_it_goes() {
        let all = Arc::<AtomicUsize>::default();
        let live = || LiveBatch {
            batches: Vec::new(),
            ranges: Vec::new(),
        };
        let mut one = Held::new(&all);
        let mut other = Held::new(&all);
        one.add(1, live(), 10);
        one.add(2, live(), 20);
        other.add(1, live(), 5);
        one.add(2, live(), 30);
        assert_eq!(all.load(Ordering::Relaxed), 45);
        one.keep(&[2, 3]);
        assert_eq!(one.numbers(), [2]);
        assert_eq!(all.load(Ordering::Relaxed), 35);
        drop(one);
        drop(other);
        assert_eq!(all.load(Ordering::Relaxed), 0);
    }
}
