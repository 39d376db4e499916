//! What the cache tells of itself in `/metrics`.

use foyer::{Event, EventListener};

use bytes::Bytes;

use super::flights::Key;

/// Where a block came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tier {
    /// It was in memory, or on its way there.
    Memory,
    /// It was on disk.
    Disk,
    /// It was read from the store.
    Store,
}

impl Tier {
    fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Disk => "disk",
            Self::Store => "store",
        }
    }
}

/// Counts blocks that were wanted, by where they were found: `store` is a miss.
pub(super) fn found(from: Tier, blocks: usize, bytes: usize) {
    let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    let from = from.name();
    metrics::counter!("eddy_query_cache_blocks_total", "from" => from).increment(number(blocks));
    metrics::counter!("eddy_query_cache_bytes_total", "from" => from).increment(number(bytes));
}

/// Tells how many bytes are in memory.
pub(super) fn held(bytes: usize) {
    let bytes = u32::try_from(bytes >> 10).unwrap_or(u32::MAX);
    metrics::gauge!("eddy_query_cache_memory_bytes").set(f64::from(bytes) * 1024.0);
}

/// Counts a block that the disk could not give back.
pub(super) fn broken() {
    metrics::counter!("eddy_query_cache_disk_errors_total").increment(1);
}

/// Counts what others pushed out of memory.
#[derive(Debug)]
pub(super) struct Evictions;

impl EventListener for Evictions {
    type Key = Key;
    type Value = Bytes;

    fn on_leave(&self, reason: Event, _key: &Key, value: &Bytes) {
        if reason == Event::Evict {
            let bytes = u64::try_from(value.len()).unwrap_or(u64::MAX);
            metrics::counter!("eddy_query_cache_evicted_blocks_total").increment(1);
            metrics::counter!("eddy_query_cache_evicted_bytes_total").increment(bytes);
        }
    }
}
