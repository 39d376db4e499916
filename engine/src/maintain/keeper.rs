//! Who does the upkeep: one table at a time, whatever is due.
//!
//! Two keepers of one table are safe, since every rewrite is checked when it commits (P15) and
//! everything that is deleted was named by the log or a journal; they only do some work twice.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::budget::Budget;
use crate::commit::DataFile;
use crate::error::{Error, ErrorKind, Result};
use crate::lake::Lake;
use crate::maintain::clean::{Cleaned, clean};
use crate::maintain::compact::{Compacted, Limits, compact};
use crate::maintain::fold::fold;
use crate::maintain::output::FileLimits;
use crate::maintain::packs::{HELD_BYTES, Packs};
use crate::maintain::pins;
use crate::maintain::plan::{Bin, bins};
use crate::maintain::policy::{Compaction, Policy, Retention};
use crate::maintain::receipt;
use crate::maintain::retain::{Retired, expired, retire};
use crate::maintain::unfiltered;
use crate::maintain::uploads::Journals;
use crate::path::TablePath;
use crate::read::{Snapshot, SnapshotCache};

/// What one rewrite may decode at once, if the worker's memory allows.
const MEMORY_LEAST_BYTES: usize = 16 << 20;
const MEMORY_MOST_BYTES: usize = 256 << 20;

/// A table with more files is loaded anew at each pass: that costs less than to hold what the log
/// says about each of them.
const HELD_FILES: usize = 2_000;

/// Rewrites after which a table's filters are looked at: each makes a pack.
const MANY_REWRITES: u64 = 16;

/// Between two looks at a table's old versions: a listing of its log.
const CLEANING: Duration = Duration::from_hours(1);

/// The upkeep of the tables of one process. Synchronous: give it a thread of its own.
pub struct Keeper {
    lake: Lake,
    budget: Arc<Budget>,
    snapshots: SnapshotCache,
    /// When each table's old versions and filters are looked at next, on the monotonic clock.
    cleaning: BTreeMap<TablePath, Duration>,
    /// Rewrites since a table's filters were looked at.
    rewrites: BTreeMap<TablePath, u64>,
}

/// What one pass over a table did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Kept {
    /// What left the table by its retention.
    pub retired: Retired,
    /// What compaction did.
    pub compacted: Compacted,
    /// What became of filters.
    pub filtered: Filtered,
    /// What only old versions needed.
    pub cleaned: Cleaned,
}

/// What became of filters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Filtered {
    /// Files that had none and got them.
    pub files: usize,
    /// Files that are still to get them.
    pub left: usize,
    /// Packs that were put together.
    pub packs: usize,
}

impl Keeper {
    /// Uses what is left of `budget`, the worker's memory.
    pub fn new(lake: &Lake, budget: &Arc<Budget>) -> Self {
        Self {
            lake: lake.clone(),
            budget: Arc::clone(budget),
            snapshots: SnapshotCache::new(),
            cleaning: BTreeMap::new(),
            rewrites: BTreeMap::new(),
        }
    }

    /// Does what is due for `table`; ends early, in an orderly way, when `halt` is set.
    ///
    /// # Errors
    /// `Unavailable` when the store does not answer, `Data` when the table or a file of it is
    /// broken: what was committed before stays, the rest is for the next pass.
    pub fn pass(&mut self, table: &TablePath, policy: &Policy, halt: &AtomicBool) -> Result<Kept> {
        let mut kept = Kept::default();
        let mut failed = None;
        let Some(snapshot) = self.snapshots.newest(&self.lake, table)? else {
            return Ok(kept);
        };
        if policy.retention != Retention::default() {
            kept.retired = self.retire(table, &snapshot, &policy.retention)?;
        }
        let Some(snapshot) = self.snapshots.newest(&self.lake, table)? else {
            return Ok(kept);
        };
        if let Some(compaction) = &policy.compaction {
            (kept.compacted, failed) = self.compact(table, &snapshot, compaction, halt)?;
        }
        let now = self.lake.clock().monotonic();
        let due = self.cleaning.get(table).is_none_or(|due| now >= *due);
        if let Some(compaction) = &policy.compaction {
            let rewrites = match due {
                true => MANY_REWRITES,
                false => kept.compacted.rewrites,
            };
            kept.filtered = self.filter_after(rewrites, table, compaction, halt);
        }
        if due && !halt.load(Ordering::Relaxed) {
            // Before any commit is cleaned away: by these it is known what has landed.
            let folded = fold(&self.lake, table);
            // Next: pins don't hold what was erased, not even one that can't be read (P16).
            receipt::complete(&self.lake, table)?;
            folded?;
            let pinned = pins::oldest(&self.lake, table)?;
            kept.cleaned = clean(&self.lake, table, policy.history(), pinned)?;
            self.cleaning.insert(table.clone(), now + CLEANING);
        }
        if snapshot.files.len() > HELD_FILES {
            self.snapshots.forget(table);
        }
        // What could be done is done: one broken file holds up no cleaning and no erasure.
        failed.map_or(Ok(kept), Err)
    }

    /// Looks through the upload journals of the whole lake: those whose files landed go, and those
    /// that will never land, with what they left. Answers how many data objects went.
    ///
    /// # Errors
    /// `Unavailable`, `Data` for a table that can't be read.
    pub fn sweep(&mut self) -> Result<u64> {
        let mut journals = Journals::read(&self.lake)?;
        let tables: Vec<TablePath> = journals.tables().cloned().collect();
        let mut removed = 0;
        let mut failed = None;
        for table in tables {
            // Loaded after the journals were read: a commit that landed before is in it.
            let snapshot = self.snapshots.newest(&self.lake, &table);
            let swept = snapshot
                .and_then(|snapshot| journals.sweep(&self.lake, &table, snapshot.as_deref()));
            match swept {
                Ok(swept) => removed += swept,
                // The other tables' turn comes all the same.
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        metrics::counter!("eddy_orphans_removed_total").increment(removed);
        failed.map_or(Ok(removed), Err)
    }

    fn retire(
        &self,
        table: &TablePath,
        snapshot: &Snapshot,
        policy: &Retention,
    ) -> Result<Retired> {
        let now_ms = self.lake.clock().now_us() / 1_000;
        if expired(&snapshot.files, policy, now_ms).is_empty() {
            return Ok(Retired::default());
        }
        let journaled = self.journaled(table, snapshot)?;
        let mut files = expired(&snapshot.files, policy, now_ms);
        files.retain(|file| !journaled.contains(&file.path));
        if files.is_empty() {
            return Ok(Retired::default());
        }
        match retire(&self.lake, table, snapshot, files) {
            Err(error) if error.kind() == ErrorKind::Fenced => {
                tracing::info!(topic = table.topic(), %error, "retention comes later");
                Ok(Retired::default())
            }
            done => done,
        }
    }

    /// Compacts what is due; the first error of a bin, if one had one.
    fn compact(
        &self,
        table: &TablePath,
        snapshot: &Snapshot,
        policy: &Compaction,
        halt: &AtomicBool,
    ) -> Result<(Compacted, Option<Error>)> {
        let (mut done, mut failed) = (Compacted::default(), None);
        let now_ms = self.lake.clock().now_us() / 1_000;
        if bins(&snapshot.files, policy, now_ms).is_empty() {
            return Ok((done, failed));
        }
        let journaled = self.journaled(table, snapshot)?;
        let files = snapshot.files.iter();
        let files: Vec<Arc<DataFile>> = files
            .filter(|file| !journaled.contains(&file.path))
            .cloned()
            .collect();
        for bin in bins(&files, policy, now_ms) {
            if self.budget.is_pressed() {
                tracing::debug!(topic = table.topic(), "compaction waits for memory");
                break;
            }
            match self.compact_bin(table, snapshot, &bin, policy, halt) {
                Ok(compacted) => done.add(compacted),
                Err(error) if error.kind() == ErrorKind::Fenced => {
                    tracing::info!(topic = table.topic(), %error, "a compaction was abandoned");
                    break;
                }
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        Ok((done, failed))
    }

    fn compact_bin(
        &self,
        table: &TablePath,
        snapshot: &Snapshot,
        bin: &Bin,
        policy: &Compaction,
        halt: &AtomicBool,
    ) -> Result<Compacted> {
        let memory_bytes =
            (self.budget.limit_bytes() / 8).clamp(MEMORY_LEAST_BYTES, MEMORY_MOST_BYTES);
        let held = self.budget.hold(memory_bytes);
        let limits = Limits {
            files: FileLimits::of(policy.target_bytes),
            memory_bytes,
        };
        let begun = self.lake.clock().monotonic();
        let done = compact(&self.lake, table, snapshot, bin, limits, halt)?;
        drop(held);
        let took = self.lake.clock().monotonic().saturating_sub(begun);
        note(table, &done, took);
        Ok(done)
    }

    /// Looks after the filters of a table once there were [`MANY_REWRITES`], `rewrites` more now.
    /// What goes wrong with filters is no reason to leave other things undone.
    fn filter_after(
        &mut self,
        rewrites: u64,
        table: &TablePath,
        policy: &Compaction,
        halt: &AtomicBool,
    ) -> Filtered {
        let before = self.rewrites.get(table).copied().unwrap_or_default();
        let mut rewrites = before.saturating_add(rewrites);
        let mut done = Filtered::default();
        if rewrites >= MANY_REWRITES && !self.budget.is_pressed() {
            done = self.filter(table, policy, halt).unwrap_or_else(|error| {
                tracing::warn!(topic = table.topic(), %error, "filters are looked after later");
                Filtered::default()
            });
            // Some at a time, so that other tables get their turn.
            let again = done.files > 0 && done.left > 0;
            rewrites = if again { MANY_REWRITES } else { 0 };
        }
        self.rewrites.insert(table.clone(), rewrites);
        done
    }

    /// Looks after the filters of a table: few packs, and none of its files without for long.
    fn filter(
        &self,
        table: &TablePath,
        policy: &Compaction,
        halt: &AtomicBool,
    ) -> Result<Filtered> {
        // What compaction committed is in it, so that its filters are not taken for dead ones.
        let Some(snapshot) = self.snapshots.newest(&self.lake, table)? else {
            return Ok(Filtered::default());
        };
        let _held = self.budget.hold(HELD_BYTES);
        let replaced = Journals::read(&self.lake)?.replaced(table);
        let packs = Packs::read(&self.lake, table)?;
        let live: BTreeSet<&str> = snapshot.files.iter().map(|f| f.path.as_str()).collect();
        let now_ms = self.lake.clock().now_us() / 1_000;
        let filtered = packs.files(&replaced);
        let due = match snapshot.key_id() {
            // Another sink's names come again when records do, and what a pack says of one would be
            // taken for what lies there then (P5, P13). Names of rewrites don't.
            None if snapshot.is_foreign() => Vec::new(),
            None => unfiltered::due(&snapshot.files, &filtered, policy, now_ms),
            // They would tell of words that the files keep to themselves.
            Some(_) => Vec::new(),
        };
        let files = unfiltered::add(&self.lake, table, &due, halt)?;
        Ok(Filtered {
            files,
            left: due.len() - files,
            packs: packs.merge(&self.lake, table, &live, &replaced)?,
        })
    }

    /// The files that may not leave the table yet, because an upload journal names them: once they
    /// are out of it, the journal's sweep would take them for abandoned.
    fn journaled(&self, table: &TablePath, snapshot: &Snapshot) -> Result<BTreeSet<String>> {
        let mut journals = Journals::read(&self.lake)?;
        journals.sweep(&self.lake, table, Some(snapshot))?;
        Ok(journals
            .names(table)
            .into_iter()
            .map(str::to_owned)
            .collect())
    }
}

fn note(table: &TablePath, done: &Compacted, took: Duration) {
    let topic = || table.topic().to_owned();
    metrics::counter!("eddy_compaction_rewrites_total", "topic" => topic())
        .increment(done.rewrites);
    metrics::counter!("eddy_compaction_files_removed_total", "topic" => topic())
        .increment(done.files_removed);
    metrics::counter!("eddy_compaction_files_added_total", "topic" => topic())
        .increment(done.files_added);
    metrics::counter!("eddy_compaction_bytes_read_total", "topic" => topic())
        .increment(done.bytes_read);
    metrics::counter!("eddy_compaction_bytes_written_total", "topic" => topic())
        .increment(done.bytes_written);
    metrics::histogram!("eddy_compaction_duration_seconds", "topic" => topic())
        .record(took.as_secs_f64());
    tracing::info!(
        topic = table.topic(),
        rewrites = done.rewrites,
        files_removed = done.files_removed,
        files_added = done.files_added,
        bytes_read = done.bytes_read,
        bytes_written = done.bytes_written,
        rows = done.rows,
        took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        "compacted"
    );
}
