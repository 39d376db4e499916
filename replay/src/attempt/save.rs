//! When a running replay's progress is stored, and what with it.

use std::time::Duration;

use super::Attempt;
use crate::destination::Marked;
use crate::error::{ErrorKind, Result};
use crate::ledger::Entries;
use crate::progress::Counts;

impl Attempt<'_> {
    /// When the progress is to be stored, if there is any.
    pub(super) fn save_in(&self, now: Duration) -> Option<Duration> {
        if self.unsaved == 0 || self.in_transaction() {
            return None;
        }
        let tuning = &self.worker.tuning;
        let after = if self.unsaved >= tuning.save_records {
            tuning.save_min
        } else {
            tuning.save_max
        };
        Some((self.saved_at + after).saturating_sub(now))
    }

    pub(super) async fn save_if_due(&mut self) -> Result<()> {
        if self.unsaved == 0 {
            return Ok(());
        }
        let due = self.save_in(self.worker.clock.monotonic());
        if !due.is_some_and(|due| due.is_zero()) {
            return Ok(());
        }
        match self.save().await {
            Err(error) if error.kind() == ErrorKind::Unavailable && !self.ledger_is_full() => {
                // The records flow on; only a crash now would send more of them twice.
                tracing::warn!(replay = self.id, %error, "the replay's progress is not stored");
                Ok(())
            }
            result => result,
        }
    }

    /// Stores the last progress, so that a replay that is done has it whole.
    pub(super) async fn save_last(&mut self) -> Result<()> {
        match self.save().await {
            Err(error) if error.kind() == ErrorKind::Unavailable => {
                tracing::warn!(replay = self.id, %error, "the replay's progress is not stored");
                let worker = self.worker;
                tokio::select! {
                    () = worker.stop.cancelled() => {}
                    () = worker.clock.sleep(worker.tuning.save_min) => {}
                }
                Ok(())
            }
            result => result,
        }
    }

    pub(super) async fn save(&mut self) -> Result<()> {
        self.saved_at = self.worker.clock.monotonic();
        self.save_entries().await?;
        let marked = Marked {
            marks: self.progress.marks(),
            counts: self.progress.counts(),
        };
        let knows_all = self.is_closing();
        self.save_marks(marked, knows_all).await?;
        self.unsaved = 0;
        // Whoever is to leave does so at once.
        if !self.worker.stop.is_cancelled() {
            self.ledger.fold_if_due(&self.worker.clock).await;
        }
        Ok(())
    }

    /// Stores what is told of single records. It comes before the marks that pass them: entries
    /// of records that go out once more are no harm, missing ones would be.
    pub(super) async fn save_entries(&mut self) -> Result<()> {
        let worker = self.worker;
        let (failures, progress) = (&mut self.failures, &mut self.progress);
        let names = &self.names;
        let entries = || Entries {
            failures: std::mem::take(failures),
            runs: names.on(progress.take_runs()),
        };
        let name = || worker.clock.new_id().to_string();
        self.ledger.store(entries, name).await
    }

    /// Stores marks, and whether the lake knows of everything that was committed.
    pub(super) async fn save_marks(&mut self, marked: Marked, knows_all: bool) -> Result<()> {
        let Marked { marks, counts } = marked;
        let stored = self.worker.cell.update(|job| {
            job.progress = marks;
            job.counts = counts;
            if let Some(transactions) = &mut job.transactions {
                transactions.open = !knows_all;
            }
            Ok(())
        });
        stored.await?;
        count(self.counted, counts);
        self.counted = counts;
        Ok(())
    }

    fn ledger_is_full(&self) -> bool {
        let waiting = self.failures.len() + self.progress.runs_waiting();
        self.ledger.is_full(waiting)
    }
}

/// Adds what was settled since to the metrics.
fn count(before: Counts, now: Counts) {
    let results = [
        ("acknowledged", before.acknowledged, now.acknowledged),
        ("skipped", before.skipped, now.skipped),
        ("failed", before.failed, now.failed),
    ];
    for (result, before, now) in results {
        metrics::counter!("eddy_replay_records_total", "result" => result)
            .increment(now.saturating_sub(before));
    }
    metrics::counter!("eddy_replay_bytes_total").increment(now.bytes.saturating_sub(before.bytes));
}
