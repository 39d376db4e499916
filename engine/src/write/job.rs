//! The background half of a writer: one cut from batches to a committed version.
//!
//! ```text
//! decide types -> reserve columns -> partitions -> journal -> (encode -> upload)* -> commit
//!                      (P11)                       (P14)                 (P13)     (P8, P9)
//! ```
//!
//! The files are in `files`, objects that are no files of the table in `objects`; this file has the
//! rest: the thread, its patience, the commit.
//!
//! A store that does not answer is asked again for as long as it takes, always for the same cut:
//! while its outcome is open, nothing else may be planned in its place (P9). The task sees that by
//! [`Job::stalled`], its memory stays bounded because it stops appending, and it can give the job
//! up at any time: the fence makes a commit that lands later harmless.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use uuid::Uuid;

use crate::budget::Held;
use crate::commit::{Cut, Move, TableLog};
use crate::elide::Raw;
use crate::error::{Error, ErrorKind, Result};
use crate::fault;
use crate::flat::Book;
use crate::lake::Lake;
use crate::layout::Layout;
use crate::partition::Placement;
use crate::path::TablePath;
use crate::read::filtered::{self, Passed};
use crate::read::live::LiveBatch;
use crate::record::TopicId;
use crate::schema::Detect;
use crate::seal::Key;
use crate::write::journal::forget_journals;
use crate::write::options::{Retry, Stall};

/// What a commit is to contain.
pub(super) struct Plan {
    pub(super) id: Uuid,
    /// When the cut was made, in microseconds since the Unix epoch.
    pub(super) begun_us: i64,
    pub(super) table: TablePath,
    pub(super) topic: String,
    pub(super) layout: Layout,
    pub(super) live: Vec<Arc<LiveBatch>>,
    /// The partitions of the rows, for each batch of `live` in order.
    pub(super) placements: Vec<Placement>,
    pub(super) moves: Vec<Move>,
    pub(super) topic_id: TopicId,
    /// What filters passed over, by partition.
    pub(super) filtered: Vec<(i32, Vec<(i64, i64)>)>,
    /// The schemas that the rows came with.
    pub(super) book: Arc<Book>,
    pub(super) raw: Raw,
    pub(super) key: Option<Key>,
    pub(super) detect: Detect,
    pub(super) retry: Retry,
    /// What the cut holds of the worker's memory, given back when the job ends, even when nobody
    /// waits for it any more.
    pub(super) held: Held,
}

impl Plan {
    /// What filters passed over, with the epochs that the partitions are in.
    fn passed(&self) -> Vec<Passed> {
        let epoch = |partition: i32| {
            let moved = self.moves.iter().find(|moved| moved.partition == partition);
            moved.map_or(0, |moved| moved.target().epoch)
        };
        let filtered = self.filtered.iter();
        filtered
            .map(|(partition, ranges)| Passed {
                partition: *partition,
                epoch: epoch(*partition),
                ranges: ranges.clone(),
            })
            .collect()
    }
}

/// A commit in flight, seen from the writer.
#[derive(Debug)]
pub(super) struct Job {
    finished: Receiver<Finished>,
    /// Dropping it tells the background thread that nobody waits any more.
    _wanted: Sender<()>,
    stall: Arc<Mutex<Option<Stall>>>,
    pub(super) live: Vec<Arc<LiveBatch>>,
    pub(super) bytes: usize,
}

/// How a job ended; the log comes back to the writer.
pub(super) struct Finished {
    pub(super) log: TableLog,
    pub(super) outcome: Result<u64>,
}

impl Job {
    /// Starts the commit on a background thread, as soon as one of the lake's is free.
    pub(super) fn start(lake: &Lake, log: TableLog, plan: Plan) -> Self {
        let (sender, finished) = channel();
        let (wanted, unwanted) = channel();
        let stall = Arc::new(Mutex::new(None));
        let live = plan.live.clone();
        let bytes = plan.held.bytes();
        let run = Run {
            lake: lake.clone(),
            log,
            plan,
            stall: Arc::clone(&stall),
            journals: Vec::new(),
            unwanted,
        };
        if let Err(error) = lake.commit(move || run.finish(&sender)) {
            // `wait` finds the sender gone.
            tracing::error!(%error, "a commit could not begin");
        }
        Self {
            finished,
            _wanted: wanted,
            stall,
            live,
            bytes,
        }
    }

    /// How the job ended, if it does within `deadline`.
    pub(super) fn wait(&self, deadline: Duration) -> Option<Result<Finished>> {
        match self.finished.recv_timeout(deadline) {
            Ok(finished) => Some(Ok(finished)),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => Some(Err(Error::internal(
                "a background commit ended without an answer",
            ))),
        }
    }

    /// What the store last failed with, while it goes on failing.
    pub(super) fn stalled(&self) -> Option<Stall> {
        self.stall
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// A commit in flight, seen from its thread.
pub(super) struct Run {
    pub(super) lake: Lake,
    pub(super) log: TableLog,
    pub(super) plan: Plan,
    stall: Arc<Mutex<Option<Stall>>>,
    /// The upload journals that name files of this commit.
    pub(super) journals: Vec<Uuid>,
    /// Disconnected when nobody waits for the commit any more.
    unwanted: Receiver<()>,
}

impl Run {
    fn finish(mut self, sender: &Sender<Finished>) {
        let begun = self.lake.clock().monotonic();
        let outcome = self.commit();
        let took = self.lake.clock().monotonic().saturating_sub(begun);
        metrics::histogram!("eddy_commit_duration_seconds", "topic" => self.topic())
            .record(took.as_secs_f64());
        let landed = outcome.is_ok();
        // The memory is free before the writer hears of it, so that it does not pause for nothing.
        drop(self.plan);
        // Whoever gave the job up does not listen any more.
        let _ = sender.send(Finished {
            log: self.log,
            outcome,
        });
        if landed {
            forget_journals(&self.lake, &self.journals);
        }
    }

    fn topic(&self) -> String {
        self.plan.table.topic().to_owned()
    }

    fn commit(&mut self) -> Result<u64> {
        let (files, beside) = match self.plan.layout.flat() {
            None => self.write_files()?,
            Some(flat) => {
                let flat = flat.clone();
                (Vec::new(), self.write_objects(&flat)?)
            }
        };
        if !self.plan.filtered.is_empty() {
            self.until_settled("record what was filtered", |run| {
                let plan = &run.plan;
                let passed = plan.passed();
                filtered::record(&run.lake, &plan.table, plan.id, &plan.topic_id, &passed)
            })?;
            fault::point("after_filtered");
        }
        if let Some(beside) = &beside {
            self.until_settled("record what is stored", |run| {
                let Plan {
                    id,
                    table,
                    topic_id,
                    ..
                } = &run.plan;
                filtered::record_stored(&run.lake, table, *id, topic_id, beside)
            })?;
            fault::point("after_stored");
        }
        let beside = beside.unwrap_or_default();
        let rows = files.iter().chain(&beside.objects);
        let rows: u64 = rows.map(|file| file.rows).sum();
        let cut = Cut {
            id: self.plan.id,
            begun_us: self.plan.begun_us,
            files,
            apart: [beside.objects, beside.sides].concat(),
            moves: std::mem::take(&mut self.plan.moves),
            rewrite: None,
            operation: "WRITE",
        };
        fault::point("before_commit");
        let committed = self
            .until_settled("commit", |run| run.log.commit(&cut))
            .map_err(|error| self.too_old(&cut, error))?;
        self.note_committed(&cut, committed.version, rows);
        if let Err(error) = self.log.checkpoint_if_due() {
            // Without one, loading is slower; a later commit tries again.
            tracing::warn!(topic = self.plan.table.topic(), %error, "no checkpoint was written");
        }
        Ok(committed.version)
    }

    fn note_committed(&self, cut: &Cut, version: u64, rows: u64) {
        let files = || cut.files.iter().chain(&cut.apart);
        let bytes: u64 = files().map(|file| file.size).sum();
        metrics::counter!("eddy_records_written_total", "topic" => self.topic()).increment(rows);
        metrics::counter!("eddy_bytes_written_total", "topic" => self.topic()).increment(bytes);
        tracing::debug!(
            topic = self.plan.table.topic(),
            version,
            files = files().count(),
            rows,
            bytes,
            "committed"
        );
    }

    /// After half a day without a store the commit is refused, since its files may count as orphans
    /// by now (P14): then the rows are read again, which is no reason for the task to fail.
    fn too_old(&self, cut: &Cut, error: Error) -> Error {
        match error.kind() {
            ErrorKind::Invalid if cut.is_too_old(self.lake.clock().now_us() / 1_000) => {
                Error::fenced("the store was away for too long").with_source(error)
            }
            _ => error,
        }
    }

    /// Repeats `attempt` while the store is unavailable, with doubled and jittered waits.
    pub(super) fn until_settled<T>(
        &mut self,
        what: &'static str,
        mut attempt: impl FnMut(&mut Self) -> Result<T>,
    ) -> Result<T> {
        let mut wait = self.plan.retry.first;
        loop {
            if self.unwanted.try_recv() == Err(TryRecvError::Disconnected) {
                return Err(Error::fenced("the writer gave this commit up"));
            }
            match attempt(self) {
                Err(error) if error.is_unavailable() => {
                    self.note_stall(what, &error);
                    self.pause(wait);
                    wait = wait.saturating_mul(2).min(self.plan.retry.most);
                }
                settled => {
                    self.clear_stall(what);
                    return settled;
                }
            }
        }
    }

    fn note_stall(&self, what: &'static str, error: &Error) {
        metrics::counter!("eddy_store_retries_total", "topic" => self.topic()).increment(1);
        let mut stall = self.stall.lock().unwrap_or_else(PoisonError::into_inner);
        let message = format!("could not {what}: {error}");
        if let Some(stall) = stall.as_mut() {
            stall.attempts = stall.attempts.saturating_add(1);
            stall.message = message;
            return;
        }
        tracing::warn!(
            topic = self.plan.table.topic(),
            step = what,
            %error,
            "the store does not answer, trying again"
        );
        *stall = Some(Stall {
            since_us: self.lake.clock().now_us(),
            attempts: 1,
            message,
        });
    }

    fn clear_stall(&self, what: &'static str) {
        let mut stall = self.stall.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(stall) = stall.take() {
            tracing::info!(
                topic = self.plan.table.topic(),
                step = what,
                attempts = stall.attempts,
                "the store answers again"
            );
        }
    }

    /// Waits between half of `wait` and all of it, or until nobody wants the job any more.
    fn pause(&self, wait: Duration) {
        let half = wait / 2;
        let random = self.lake.clock().new_id().as_u128() % 1_024;
        let jitter = half.saturating_mul(u32::try_from(random).unwrap_or(0)) / 1_024;
        // Nothing is ever sent: this ends with the time or with the writer's interest.
        let _ = self.unwanted.recv_timeout(half.saturating_add(jitter));
    }
}
