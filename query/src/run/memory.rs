//! The memory of queries: each has a share, and all together no more than the server allows.
//!
//! Within its share a query's sorts and groupings have parts (`share`) and spill what exceeds them;
//! what can't spill ends the query. A large query so neither takes what others need nor fails
//! because of them before it has spilled.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use datafusion::error::{DataFusionError, Result};
use datafusion::execution::memory_pool::{
    MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation,
};

use super::share::Share;

/// The memory of all queries together.
#[derive(Debug)]
pub(crate) struct AllMemory {
    most: usize,
    held: AtomicUsize,
}

impl AllMemory {
    /// At most this many bytes.
    pub(crate) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self {
            most,
            held: AtomicUsize::new(0),
        })
    }

    fn try_take(&self, bytes: usize) -> bool {
        let fits = |held: usize| held.checked_add(bytes).filter(|held| *held <= self.most);
        let taken = self
            .held
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits);
        taken.is_ok()
    }
}

/// The memory of one query.
#[derive(Debug)]
pub(crate) struct QueryMemory {
    share: Mutex<Share>,
    share_max: usize,
    all: Arc<AllMemory>,
    /// The most that was held.
    peak: AtomicUsize,
}

impl QueryMemory {
    /// A share of at most `share_max` bytes.
    pub(crate) fn new(share_max: usize, all: &Arc<AllMemory>) -> Self {
        Self {
            share: Mutex::new(Share::new(share_max)),
            share_max,
            all: Arc::clone(all),
            peak: AtomicUsize::new(0),
        }
    }

    /// Bytes that are held now, and the most that were.
    pub(super) fn held(&self) -> (u64, u64) {
        let bytes = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        let peak = self.peak.load(Ordering::Relaxed);
        (bytes(self.share().held()), bytes(peak))
    }

    fn share(&self) -> MutexGuard<'_, Share> {
        self.share.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note_peak(&self, held: usize) {
        self.peak.fetch_max(held, Ordering::Relaxed);
    }

    fn refused(&self, by: &str, most: usize, held: usize, asked: usize) -> DataFusionError {
        // Operators that can spill do so when they see this kind of error.
        DataFusionError::ResourcesExhausted(format!(
            "{by} is {most} bytes, of which {held} are held, and {asked} more were needed"
        ))
    }
}

impl MemoryPool for QueryMemory {
    fn name(&self) -> &str {
        "query"
    }

    fn register(&self, consumer: &MemoryConsumer) {
        if consumer.can_spill() {
            self.share().joins();
        }
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        if consumer.can_spill() {
            self.share().leaves();
        }
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        self.all.held.fetch_add(additional, Ordering::Relaxed);
        let mut share = self.share();
        share.give(reservation.consumer().can_spill(), additional);
        self.note_peak(share.held());
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        let can_spill = reservation.consumer().can_spill();
        self.share().take_back(can_spill, shrink);
        self.all.held.fetch_sub(shrink, Ordering::Relaxed);
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        let can_spill = reservation.consumer().can_spill();
        let mut share = self.share();
        if !share.allows(can_spill, reservation.size(), additional) {
            let by = "a query's share of memory, `query.memory_per_query`,";
            return Err(self.refused(by, self.share_max, share.held(), additional));
        }
        if !self.all.try_take(additional) {
            let by = "the memory of all queries, `query.memory`,";
            let held = self.all.held.load(Ordering::Relaxed);
            return Err(self.refused(by, self.all.most, held, additional));
        }
        share.give(can_spill, additional);
        self.note_peak(share.held());
        Ok(())
    }

    fn reserved(&self) -> usize {
        self.share().held()
    }

    fn memory_limit(&self) -> MemoryLimit {
        MemoryLimit::Finite(self.share_max)
    }
}

impl fmt::Display for QueryMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a query's memory of {} bytes", self.share_max)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_query_is_held_to_its_share_and_all_of_them_to_the_whole() {
        let all = AllMemory::new(150);
        let pool = || -> Arc<dyn MemoryPool> { Arc::new(QueryMemory::new(100, &all)) };
        let (one, other) = (pool(), pool());
        let first = MemoryConsumer::new("join").register(&one);
        let second = MemoryConsumer::new("join").register(&other);
        let error = first.try_grow(101).unwrap_err().to_string();
        assert!(error.contains("query.memory_per_query"), "{error}");
        first.try_grow(100).unwrap();
        let error = second.try_grow(51).unwrap_err().to_string();
        assert!(error.contains("`query.memory`"), "{error}");
        assert_eq!(other.reserved(), 0, "what was refused isn't held");
        second.try_grow(50).unwrap();
        drop(first);
        second.try_grow(50).unwrap();
        drop(second);
        assert_eq!(all.held.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn what_can_spill_has_its_part_and_more_while_others_hold_little() {
        let all = AllMemory::new(1_000);
        let memory = Arc::new(QueryMemory::new(100, &all));
        let pool: Arc<dyn MemoryPool> = Arc::clone(&memory) as _;
        let spills = |name: &str| {
            MemoryConsumer::new(name)
                .with_can_spill(true)
                .register(&pool)
        };
        let (sort, group) = (spills("sort"), spills("group"));
        assert!(sort.try_grow(51).is_err(), "half of it is for others");
        sort.try_grow(50).unwrap();
        assert!(group.try_grow(26).is_err(), "its part is a quarter");
        group.try_grow(25).unwrap();
        sort.shrink(50);
        group.try_grow(25).unwrap();
        assert_eq!(memory.held(), (50, 75));
    }
}
