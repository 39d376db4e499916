//! Live rows: accepted by a writer, not necessarily committed yet (P20).
//!
//! A writer publishes its batches here with the ranges of offsets that they stand for, so that a
//! query sees a record long before its file closes. A batch stays readable until a version that
//! contains it has been the newest for a grace time: whoever reads an older snapshot meanwhile
//! still finds the rows. What a writer drops vanishes at once: live rows are read-uncommitted.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use arrow::array::RecordBatch;

use crate::clock::Clock;
use crate::path::TablePath;
use crate::read::bytes::bytes_of;
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
    rows: RwLock<Rows>,
}

#[derive(Default)]
struct Rows {
    tables: BTreeMap<TablePath, Vec<Entry>>,
    /// The commits whose rows are within their grace time, the oldest first: what is over is found
    /// without a look at the rest, however many tables there are.
    commits: VecDeque<CommittedRows>,
    committed_bytes: usize,
    /// The batches that were ever published.
    published: u64,
}

struct Entry {
    /// No other batch of this process has or had it.
    number: u64,
    live: Arc<LiveBatch>,
    /// When its commit became the newest version.
    committed_at: Option<Duration>,
}

/// The rows of one commit, which go together, so that no half of a cut is left.
struct CommittedRows {
    at: Duration,
    table: TablePath,
    batches: Vec<Arc<LiveBatch>>,
    bytes: usize,
}

impl LiveRows {
    /// No rows yet; grace times run on `clock`.
    pub fn new(clock: Clock) -> Self {
        Self(Arc::new(Shared {
            clock,
            committed_bytes_max: AtomicUsize::new(COMMITTED_BYTES),
            rows: RwLock::default(),
        }))
    }

    /// The table's live batches, oldest first. Fetch them *before* the snapshot that they are
    /// joined with, and clip each to the offsets beyond the snapshot's positions.
    pub fn batches(&self, table: &TablePath) -> Vec<Arc<LiveBatch>> {
        let now = self.0.clock.monotonic();
        let rows = self.0.rows.read().unwrap_or_else(PoisonError::into_inner);
        rows.tables.get(table).map_or_else(Vec::new, |entries| {
            let readable = entries.iter().filter(|entry| !entry.is_over(now));
            readable.map(|entry| Arc::clone(&entry.live)).collect()
        })
    }

    /// The table's live batches that no commit holds yet, oldest first, each with the number that
    /// no other batch of this process has: what another process needs that looks at the lake
    /// *afterwards*, and finds there what was committed before.
    pub fn uncommitted(&self, table: &TablePath) -> Vec<(u64, Arc<LiveBatch>)> {
        let rows = self.0.rows.read().unwrap_or_else(PoisonError::into_inner);
        let entries = rows.tables.get(table).into_iter().flatten();
        let uncommitted = entries.filter(|entry| entry.committed_at.is_none());
        uncommitted
            .map(|entry| (entry.number, Arc::clone(&entry.live)))
            .collect()
    }

    /// Keeps at most `bytes` of committed rows for the grace time.
    pub fn keep_at_most(&self, bytes: usize) {
        self.0.committed_bytes_max.store(bytes, Ordering::Relaxed);
    }

    /// The tables that have live rows.
    pub fn tables(&self) -> Vec<TablePath> {
        let rows = self.0.rows.read().unwrap_or_else(PoisonError::into_inner);
        rows.tables.keys().cloned().collect()
    }

    /// Makes a batch readable.
    pub(crate) fn publish(&self, table: &TablePath, live: LiveBatch) -> Arc<LiveBatch> {
        let live = Arc::new(live);
        let mut rows = self.0.rows.write().unwrap_or_else(PoisonError::into_inner);
        let entry = rows.entry(&live);
        rows.tables.entry(table.clone()).or_default().push(entry);
        live
    }

    /// Puts the two parts of a batch in its place.
    pub(crate) fn split(
        &self,
        table: &TablePath,
        whole: &Arc<LiveBatch>,
        parts: [LiveBatch; 2],
    ) -> [Arc<LiveBatch>; 2] {
        let parts = parts.map(Arc::new);
        let mut rows = self.0.rows.write().unwrap_or_else(PoisonError::into_inner);
        let new = parts.each_ref().map(|live| rows.entry(live));
        let entries = rows.tables.entry(table.clone()).or_default();
        if let Some(at) = entries
            .iter()
            .position(|entry| Arc::ptr_eq(&entry.live, whole))
        {
            entries.splice(at..=at, new);
        }
        parts
    }

    /// A version that contains these batches is the newest now: their grace time begins.
    pub(crate) fn committed(&self, table: &TablePath, batches: &[Arc<LiveBatch>]) {
        let now = self.0.clock.monotonic();
        let mut rows = self.0.rows.write().unwrap_or_else(PoisonError::into_inner);
        for entry in rows.tables.get_mut(table).into_iter().flatten() {
            if holds(batches, &entry.live) {
                entry.committed_at = Some(now);
            }
        }
        let bytes = batches.iter().map(|live| live.bytes()).sum();
        rows.committed_bytes += bytes;
        rows.commits.push_back(CommittedRows {
            at: now,
            table: table.clone(),
            batches: batches.to_vec(),
            bytes,
        });
        self.0.sweep(&mut rows);
    }

    /// These batches were dropped by their writer and vanish at once (E5).
    pub(crate) fn dropped(&self, table: &TablePath, batches: &[Arc<LiveBatch>]) {
        let mut rows = self.0.rows.write().unwrap_or_else(PoisonError::into_inner);
        rows.remove(table, batches);
    }

    /// Positions go back to `targets`: what is at or beyond them is not readable any more. The
    /// other rows of such a batch are in the lake, or their writer's to offer again.
    pub(crate) fn forget(
        &self,
        table: &TablePath,
        topic_id: &TopicId,
        targets: &BTreeMap<i32, i64>,
    ) {
        let beyond = |range: &LiveRange| {
            let target = targets.get(&range.partition);
            range.topic_id == *topic_id && target.is_some_and(|target| range.hi > *target)
        };
        let mut rows = self.0.rows.write().unwrap_or_else(PoisonError::into_inner);
        let entries = rows.tables.get(table).into_iter().flatten();
        let gone = entries.filter(|entry| entry.live.ranges.iter().any(beyond));
        let gone: Vec<Arc<LiveBatch>> = gone.map(|entry| Arc::clone(&entry.live)).collect();
        rows.remove(table, &gone);
    }

    /// Forgets what is past its grace time.
    pub(crate) fn sweep(&self) {
        let rows = self.0.rows.read().unwrap_or_else(PoisonError::into_inner);
        let nothing = !self.0.is_over(&rows);
        drop(rows);
        if nothing {
            return;
        }
        let mut rows = self.0.rows.write().unwrap_or_else(PoisonError::into_inner);
        self.0.sweep(&mut rows);
    }
}

impl Shared {
    /// Removes the commits that are past their grace time, and the oldest beyond the byte limit.
    fn sweep(&self, rows: &mut Rows) {
        while self.is_over(rows)
            && let Some(commit) = rows.commits.pop_front()
        {
            rows.committed_bytes = rows.committed_bytes.saturating_sub(commit.bytes);
            rows.remove(&commit.table, &commit.batches);
        }
    }

    /// Whether the oldest commit's rows are to go.
    fn is_over(&self, rows: &Rows) -> bool {
        let now = self.clock.monotonic();
        let most = self.committed_bytes_max.load(Ordering::Relaxed);
        rows.commits.front().is_some_and(|oldest| {
            now.saturating_sub(oldest.at) >= GRACE || rows.committed_bytes > most
        })
    }
}

impl Rows {
    fn entry(&mut self, live: &Arc<LiveBatch>) -> Entry {
        self.published += 1;
        Entry {
            number: self.published,
            live: Arc::clone(live),
            committed_at: None,
        }
    }

    fn remove(&mut self, table: &TablePath, batches: &[Arc<LiveBatch>]) {
        if let Some(entries) = self.tables.get_mut(table) {
            entries.retain(|entry| !holds(batches, &entry.live));
            if entries.is_empty() {
                self.tables.remove(table);
            }
        }
    }
}

fn holds(batches: &[Arc<LiveBatch>], live: &Arc<LiveBatch>) -> bool {
    batches.iter().any(|batch| Arc::ptr_eq(batch, live))
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
    #![allow(clippy::expect_used, clippy::indexing_slicing)]
    use super::*;
    use arrow::array::{ArrayRef, Int64Array};
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
        let numbers = || {
            live.uncommitted(&table)
                .into_iter()
                .map(|(number, _)| number)
        };
        let both: Vec<u64> = numbers().collect();
        assert_eq!(both.len(), 2);
        live.committed(&table, &[first]);
        assert_eq!(numbers().collect::<Vec<_>>(), both[1..]);
        clock.advance(GRACE - Duration::from_millis(1));
        assert_eq!(live.batches(&table).len(), 2);
        clock.advance(Duration::from_millis(1));
        assert_eq!(live.batches(&table).len(), 1);
        live.dropped(&table, &[second]);
        assert!(live.batches(&table).is_empty());
        live.sweep();
        assert!(live.tables().is_empty());
    }

    #[test]
    fn p20_beyond_its_bytes_the_oldest_commit_goes_whole_and_uncommitted_rows_never() {
        let live = LiveRows::new(Clock::manual(0));
        let [first, second] = ["a", "b"].map(|name| TablePath::new(&Path::default(), "t", name));
        let batches: Vec<_> = (0..5).map(|_| live.publish(&first, rows(100))).collect();
        let other = live.publish(&second, rows(100));
        let bytes = other.bytes();
        live.keep_at_most(bytes * 3);
        live.committed(&first, &batches[..2]);
        live.committed(&second, &[other]);
        assert_eq!(live.batches(&first).len() + live.batches(&second).len(), 6);
        live.committed(&first, &batches[2..3]);
        assert_eq!(
            live.batches(&first).len(),
            3,
            "the first commit's two are gone"
        );
        live.keep_at_most(0);
        live.sweep();
        assert_eq!(
            live.batches(&first).len(),
            2,
            "nothing holds them but their writer"
        );
        assert!(live.batches(&second).is_empty());
    }

    fn rows(count: i64) -> LiveBatch {
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..count));
        LiveBatch {
            batches: vec![RecordBatch::try_from_iter([("n", numbers)]).expect("one column")],
            ranges: Vec::new(),
        }
    }
}
