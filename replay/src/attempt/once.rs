//! An attempt whose records go out in transactions of the destination, each with the marks in it.
//!
//! ```text
//! open (whoever had them is fenced) -> read the marks -> begin -> records -> commit with the marks
//!                                                          ^                        |
//!                                                          +---- marks into the lake
//! ```
//!
//! A transaction ends once it has many records, once it is open for a while, and as soon as nothing
//! more is to go out in its time: none stays open while the replay waits for its rate or is paused,
//! since it would hold up all who read the topic. Before it ends everything in it is acknowledged.
//!
//! The marks in the destination are what counts (P23); those in the lake come after them and are
//! for people, and for the time when the destination has forgotten its own. While the lake may be
//! behind, the stored replay says so (`open`): if the destination then has no marks, nobody knows
//! what it has got, and the replay ends.

use std::sync::Arc;
use std::time::Duration;

use super::Attempt;
use crate::destination::{Checked, Destination, Marked, Transactions};
use crate::error::{Error, ErrorKind, Result};
use crate::job::Job;
use crate::run::Worker;

/// The transactions of an attempt.
pub(super) struct Once {
    transactions: Arc<dyn Transactions>,
    /// The one that is open.
    open: Option<Open>,
    /// What the last one that was committed says.
    committed: Marked,
    /// Whether one may have been committed that wasn't answered.
    is_unsure: bool,
    /// Whether the lake is told that it knows everything.
    closing: bool,
}

/// An open transaction.
struct Open {
    since: Duration,
    records: u64,
}

impl Once {
    /// Opens the transactions of `job`, and answers it with the marks that count.
    ///
    /// # Errors
    /// As [`Destination::in_transactions`]; `GaveUp` when the marks are gone; `Fenced` when another
    /// worker has the replay.
    pub(super) async fn open(
        worker: &Worker,
        job: &Job,
        destination: &Arc<dyn Destination>,
        target: &Checked,
    ) -> Result<(Self, Job)> {
        let Some(own) = &job.transactions else {
            return Err(Error::internal("a replay's transactions have no name"));
        };
        let (transactions, kept) = destination.in_transactions(&own.name, target).await?;
        if kept.is_none() && own.open {
            return Err(forgotten(job, &own.name));
        }
        let stored = Marked {
            marks: job.progress.clone(),
            counts: job.counts,
        };
        let later = stored.later(kept.clone().unwrap_or_default());
        if kept.is_none() {
            // So that from now on marks that aren't there are marks that are gone.
            transactions.begin().await?;
            transactions.commit_with(&later).await?;
        }
        let opened = worker.cell.update(|job| {
            job.progress.clone_from(&later.marks);
            job.counts = later.counts;
            if let Some(own) = &mut job.transactions {
                own.open = true;
            }
            Ok(())
        });
        let job = opened.await?;
        let once = Self {
            transactions,
            open: None,
            committed: later,
            is_unsure: false,
            closing: false,
        };
        Ok((once, job))
    }

    /// What takes the records.
    pub(super) fn destination(&self) -> Arc<dyn Destination> {
        Arc::clone(&self.transactions) as Arc<dyn Destination>
    }
}

impl Attempt<'_> {
    /// Whether a transaction is open: the marks are ahead of what is committed.
    pub(super) fn in_transaction(&self) -> bool {
        self.open_transaction().is_some()
    }

    /// Whether the lake may be told that it knows everything.
    pub(super) fn is_closing(&self) -> bool {
        self.once.as_ref().is_some_and(|once| once.closing)
    }

    /// Puts the next record into a transaction, where records go out in some.
    pub(super) async fn transact(&mut self) -> Result<()> {
        let now = self.worker.clock.monotonic();
        let Some(once) = &mut self.once else {
            return Ok(());
        };
        if let Some(open) = &mut once.open {
            open.records += 1;
            return Ok(());
        }
        once.transactions.begin().await?;
        once.open = Some(Open {
            since: now,
            records: 1,
        });
        Ok(())
    }

    /// Whether nothing more may go out in the open transaction.
    pub(super) fn transaction_is_over(&self) -> bool {
        let Some(open) = self.open_transaction() else {
            return false;
        };
        let tuning = &self.worker.tuning;
        let left = self.time_left(open);
        let next = self.rows.as_ref().and_then(|(rows, at)| rows.get(*at));
        let waits = next.is_some() && self.paced() > left;
        left.is_zero() || waits || open.records >= tuning.transaction_records
    }

    /// When the open transaction is to end, if nothing else happens.
    pub(super) fn commit_in(&self) -> Option<Duration> {
        let open = self.open_transaction()?;
        (!self.transaction_is_over()).then(|| self.time_left(open))
    }

    /// Commits the open transaction if it is over and everything in it is acknowledged.
    pub(super) async fn commit_if_due(&mut self) -> Result<()> {
        match self.under_way.is_empty() && self.transaction_is_over() {
            true => self.commit().await,
            false => Ok(()),
        }
    }

    /// Commits the open transaction, if there is one; everything in it is acknowledged.
    pub(super) async fn commit(&mut self) -> Result<()> {
        if !self.in_transaction() {
            return Ok(());
        }
        // The marks in the transaction pass these records.
        self.save_entries().await?;
        let marked = Marked {
            marks: self.progress.marks(),
            counts: self.progress.counts(),
        };
        let Some(once) = self.once.as_mut().filter(|once| once.open.is_some()) else {
            return Ok(());
        };
        once.is_unsure = true;
        once.transactions.commit_with(&marked).await?;
        once.is_unsure = false;
        once.open = None;
        once.committed = marked;
        Ok(())
    }

    /// Ends the transactions: in order with the last records, else without what isn't committed.
    /// Then the lake gets all that is known.
    pub(super) async fn leave_transactions(&mut self, in_order: bool) {
        if self.in_transaction() {
            let acknowledged = self.under_way.is_empty() && self.progress.beyond_marks() == 0;
            let committed = match in_order && acknowledged {
                true => self.commit().await,
                false => Err(Error::unavailable("not everything is acknowledged")),
            };
            if let Err(error) = committed {
                tracing::warn!(replay = self.id, %error, "a transaction is taken back");
                self.take_back().await;
                return;
            }
        }
        if let Some(once) = &mut self.once {
            once.closing = true;
        }
        let saved = self.save().await;
        self.tell_unsaved(saved);
    }

    /// Aborts the open transaction, and stores the marks of the one before it.
    async fn take_back(&mut self) {
        let Some(once) = &self.once else { return };
        once.transactions.abort().await;
        if once.is_unsure {
            return;
        }
        let committed = once.committed.clone();
        let saved = self.save_marks(committed, true).await;
        self.tell_unsaved(saved);
    }

    fn open_transaction(&self) -> Option<&Open> {
        self.once.as_ref()?.open.as_ref()
    }

    fn time_left(&self, open: &Open) -> Duration {
        let until = open
            .since
            .saturating_add(self.worker.tuning.transaction_time);
        until.saturating_sub(self.worker.clock.monotonic())
    }
}

fn forgotten(job: &Job, name: &str) -> Error {
    Error::new(
        ErrorKind::GaveUp,
        format!(
            "{} has forgotten how far replay `{}` was (group `{name}`), and the lake may be behind",
            job.target, job.id
        ),
    )
    .with_hint(
        "Kafka keeps that for `offsets.retention.minutes` and as long as its topic; look what \
         is there, and start a new replay of the rest",
    )
}
