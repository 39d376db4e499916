//! What a query has done so far: rows, reads, memory. Asked while it runs and at its end.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use datafusion::physical_plan::ExecutionPlan;

use super::memory::QueryMemory;
use crate::query::Stale;
use crate::table::{Reads, ScanCount};

/// The scans behind an answer.
#[derive(Clone)]
pub(crate) struct Scans {
    counts: Vec<Arc<ScanCount>>,
    plan: Arc<dyn ExecutionPlan>,
}

impl Scans {
    /// Those of `plan`.
    pub(crate) fn new(counts: Vec<Arc<ScanCount>>, plan: Arc<dyn ExecutionPlan>) -> Self {
        Self { counts, plan }
    }

    /// What they read so far.
    pub(super) fn reads(&self) -> Reads {
        Reads::of(&self.counts, self.plan.as_ref())
    }

    /// The counters of the scans.
    pub(super) fn counts(&self) -> &[Arc<ScanCount>] {
        &self.counts
    }
}

impl fmt::Debug for Scans {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.counts).finish()
    }
}

/// What one query has done.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    rows: AtomicU64,
    scans: OnceLock<Scans>,
    memory: OnceLock<Arc<QueryMemory>>,
    /// How old it may be, and how many workers were away.
    stale: OnceLock<(u64, u64)>,
}

/// The same at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Done {
    /// Rows that were answered.
    pub(crate) rows: u64,
    /// What was read; none before the query is planned.
    #[serde(flatten)]
    pub(crate) reads: Option<Reads>,
    /// Memory that the query holds, in bytes.
    pub(crate) memory_bytes: u64,
    /// The most that it held.
    pub(crate) memory_bytes_max: u64,
    /// The age of what it saw without all live rows, in milliseconds; none when it had them all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) stale_ms: Option<u64>,
    /// The workers whose live rows it lacks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) workers_away: Option<u64>,
}

impl Progress {
    /// Some more rows; how many there are now.
    pub(super) fn add_rows(&self, rows: usize) -> u64 {
        let rows = u64::try_from(rows).unwrap_or(0);
        self.rows.fetch_add(rows, Ordering::Relaxed) + rows
    }

    /// What is read, and where.
    pub(super) fn planned(&self, scans: Scans, memory: Arc<QueryMemory>) {
        let _ = self.scans.set(scans);
        let _ = self.memory.set(memory);
    }

    /// Live rows are missing.
    pub(super) fn stale(&self, stale: &Stale) {
        let away = u64::try_from(stale.workers_away.len()).unwrap_or(u64::MAX);
        let _ = self.stale.set((stale.stale_ms, away));
    }

    /// What has been done by now.
    pub(crate) fn now(&self) -> Done {
        let memory = self.memory.get().map(|memory| memory.held());
        let (memory_bytes, memory_bytes_max) = memory.unwrap_or_default();
        Done {
            rows: self.rows.load(Ordering::Relaxed),
            reads: self.scans.get().map(Scans::reads),
            memory_bytes,
            memory_bytes_max,
            stale_ms: self.stale.get().map(|(stale_ms, _)| *stale_ms),
            workers_away: self.stale.get().map(|(_, away)| *away),
        }
    }
}
