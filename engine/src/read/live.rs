//! Live rows: accepted by a writer, not necessarily committed yet (P20).
//!
//! A writer publishes its batches here with the ranges of offsets that they stand for, so that a
//! query sees a record long before its file closes. A batch stays readable until a version that
//! contains it has been the newest for a grace time: whoever reads an older snapshot meanwhile
//! still finds the rows. What a writer drops vanishes at once: live rows are read-uncommitted.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use arrow::array::{Array, RecordBatch};

use crate::clock::Clock;
use crate::path::TablePath;
use crate::record::TopicId;

/// How long committed rows stay readable. Readers fetch live rows before a fresh snapshot and need
/// none of it; it serves those whose snapshot is a little older.
const GRACE: Duration = Duration::from_secs(10);

/// The bytes of committed rows kept for the grace time, over all tables, unless a worker's budget
/// says less. Beyond it the oldest go early: at full speed ten seconds of rows would be most of a
/// worker's memory.
const COMMITTED_BYTES: usize = 64 << 20;

/// Live rows published together, and what they stand for.
#[derive(Debug, Clone)]
pub struct LiveBatch {
    /// The rows, in any order, columns named provisionally; bind them by identity (P12). Several
    /// batches where rows of like shape were put together.
    pub batches: Vec<RecordBatch>,
    /// The offsets that the rows account for, at most one range per partition. Offsets without a
    /// row in it hold no record.
    pub ranges: Vec<LiveRange>,
}

impl LiveBatch {
    /// The rows of all batches.
    pub fn rows(&self) -> usize {
        self.batches.iter().map(RecordBatch::num_rows).sum()
    }

    /// The bytes of all batches in memory.
    pub fn bytes(&self) -> usize {
        self.batches.iter().map(bytes_of).sum()
    }
}

/// The bytes of a batch in memory, without what its buffers hold for others.
pub(crate) fn bytes_of(batch: &RecordBatch) -> usize {
    let arrays = batch.columns().iter();
    arrays
        .map(|array| {
            // A size that Arrow can't tell is that of the whole buffers.
            let bytes = array.to_data().get_slice_memory_size();
            bytes.unwrap_or_else(|_| array.get_array_memory_size())
        })
        .sum()
}

/// The offsets `[lo, hi)` of one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveRange {
    /// The topic's id.
    pub topic_id: TopicId,
    /// The Kafka partition.
    pub partition: i32,
    /// The first offset.
    pub lo: i64,
    /// The offset after the last.
    pub hi: i64,
}

/// The live rows of a lake's tables within this process. Cheap to clone; clones share the rows.
#[derive(Clone)]
pub struct LiveRows(Arc<Shared>);

struct Shared {
    clock: Clock,
    committed_bytes_max: AtomicUsize,
    tables: RwLock<BTreeMap<TablePath, Vec<Entry>>>,
}

struct Entry {
    live: Arc<LiveBatch>,
    bytes: usize,
    /// When its commit became the newest version.
    committed_at: Option<Duration>,
}

impl LiveRows {
    /// No rows yet; grace times run on `clock`.
    pub fn new(clock: Clock) -> Self {
        Self(Arc::new(Shared {
            clock,
            committed_bytes_max: AtomicUsize::new(COMMITTED_BYTES),
            tables: RwLock::new(BTreeMap::new()),
        }))
    }

    /// The table's live batches, oldest first. Fetch them *before* the snapshot that they are
    /// joined with, and clip each to the offsets beyond the snapshot's positions.
    pub fn batches(&self, table: &TablePath) -> Vec<Arc<LiveBatch>> {
        let now = self.0.clock.monotonic();
        let tables = self.0.tables.read().unwrap_or_else(PoisonError::into_inner);
        tables.get(table).map_or_else(Vec::new, |entries| {
            entries
                .iter()
                .filter(|entry| !entry.is_over(now))
                .map(|entry| Arc::clone(&entry.live))
                .collect()
        })
    }

    /// Keeps at most `bytes` of committed rows for the grace time.
    pub fn keep_at_most(&self, bytes: usize) {
        self.0.committed_bytes_max.store(bytes, Ordering::Relaxed);
    }

    /// The tables that have live rows.
    pub fn tables(&self) -> Vec<TablePath> {
        let tables = self.0.tables.read().unwrap_or_else(PoisonError::into_inner);
        tables.keys().cloned().collect()
    }

    /// Makes a batch readable.
    pub(crate) fn publish(&self, table: &TablePath, live: LiveBatch) -> Arc<LiveBatch> {
        let bytes = live.bytes();
        let live = Arc::new(live);
        let mut tables = self
            .0
            .tables
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        self.0.sweep(&mut tables);
        tables.entry(table.clone()).or_default().push(Entry {
            live: Arc::clone(&live),
            bytes,
            committed_at: None,
        });
        live
    }

    /// A version that contains these batches is the newest now: their grace time begins.
    pub(crate) fn committed(&self, table: &TablePath, batches: &[Arc<LiveBatch>]) {
        let now = self.0.clock.monotonic();
        let mut tables = self
            .0
            .tables
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        for entry in tables.get_mut(table).into_iter().flatten() {
            if batches.iter().any(|live| Arc::ptr_eq(live, &entry.live)) {
                entry.committed_at = Some(now);
            }
        }
        self.0.sweep(&mut tables);
    }

    /// These batches were dropped by their writer and vanish at once (E5).
    pub(crate) fn dropped(&self, table: &TablePath, batches: &[Arc<LiveBatch>]) {
        let mut tables = self
            .0
            .tables
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(entries) = tables.get_mut(table) {
            entries.retain(|entry| !batches.iter().any(|live| Arc::ptr_eq(live, &entry.live)));
        }
        self.0.sweep(&mut tables);
    }

    /// Forgets what is past its grace time.
    pub(crate) fn sweep(&self) {
        let now = self.0.clock.monotonic();
        let tables = self.0.tables.read().unwrap_or_else(PoisonError::into_inner);
        let nothing = !tables.values().flatten().any(|entry| entry.is_over(now));
        drop(tables);
        if nothing {
            return;
        }
        let mut tables = self
            .0
            .tables
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        self.0.sweep(&mut tables);
    }
}

impl Shared {
    /// Removes what is past its grace time, then the oldest committed rows beyond the byte limit.
    fn sweep(&self, tables: &mut BTreeMap<TablePath, Vec<Entry>>) {
        let now = self.clock.monotonic();
        let most = self.committed_bytes_max.load(Ordering::Relaxed);
        let mut committed: Vec<(Duration, usize)> = Vec::new();
        for entries in tables.values_mut() {
            entries.retain(|entry| !entry.is_over(now));
            committed.extend(
                entries
                    .iter()
                    .filter_map(|entry| Some((entry.committed_at?, entry.bytes))),
            );
        }
        let mut bytes: usize = committed.iter().map(|(_, bytes)| bytes).sum();
        if bytes > most {
            committed.sort_unstable();
            let mut newest_evicted = None;
            for (at, size) in committed {
                if bytes <= most {
                    break;
                }
                bytes = bytes.saturating_sub(size);
                newest_evicted = Some(at);
            }
            // A commit's batches go together, so that no half of a cut is left.
            for entries in tables.values_mut() {
                entries.retain(|entry| match entry.committed_at {
                    Some(at) => newest_evicted.is_none_or(|evicted| at > evicted),
                    None => true,
                });
            }
        }
        tables.retain(|_, entries| !entries.is_empty());
    }
}

impl Entry {
    fn is_over(&self, now: Duration) -> bool {
        self.committed_at
            .is_some_and(|at| now.saturating_sub(at) >= GRACE)
    }
}

impl fmt::Debug for LiveRows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LiveRows")
            .field("tables", &self.tables().len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::datatypes::Schema;
    use object_store::path::Path;

    fn empty() -> LiveBatch {
        LiveBatch {
            batches: vec![RecordBatch::new_empty(Arc::new(Schema::empty()))],
            ranges: Vec::new(),
        }
    }

    #[test]
    fn p20_committed_rows_stay_for_the_grace_time_and_dropped_rows_vanish_at_once() {
        let clock = Clock::manual(0);
        let live = LiveRows::new(clock.clone());
        let table = TablePath::new(&Path::default(), "topics", "t");
        let first = live.publish(&table, empty());
        let second = live.publish(&table, empty());
        live.committed(&table, &[first]);
        clock.advance(GRACE - Duration::from_millis(1));
        assert_eq!(live.batches(&table).len(), 2);
        clock.advance(Duration::from_millis(1));
        assert_eq!(live.batches(&table).len(), 1);
        live.dropped(&table, &[second]);
        assert!(live.batches(&table).is_empty() && live.tables().is_empty());
    }
}
