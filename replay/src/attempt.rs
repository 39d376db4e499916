//! One attempt of a worker: a source stream, an opened destination, and what is under way between.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use futures::future::{BoxFuture, FutureExt};
use futures::stream::{BoxStream, FuturesUnordered, StreamExt};

use crate::destination::{Checked, Destination, Landed};
use crate::error::Result;
use crate::job::Job;
use crate::jobs::rate_of;
use crate::ledger::{Failure, Ledger};
use crate::pacing::Pacing;
use crate::plan::edits;
use crate::progress::{Counts, Progress, Ticket};
use crate::request::{Options, Ordering};
use crate::rows::Rows;
use crate::run::Worker;
use crate::source::Sequence;

mod names;
mod once;
mod save;
mod send;

/// How an attempt ended without an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// Every row is settled.
    Exhausted,
    /// The first records are settled, and what they came to has to be looked at.
    Canary,
    /// It was told to stop.
    Stopped,
}

/// A record that was handed over.
struct Answer {
    ticket: Ticket,
    /// Bytes of key and value.
    bytes: u64,
    /// Bytes that it holds in memory.
    held: u64,
    /// What a refusal is told with, where it isn't the end.
    refused: Option<Box<send::Kept>>,
    /// Why the destination refused it, once another one has been given it.
    dead: Option<Failure>,
    result: Result<Landed>,
}

pub(crate) struct Attempt<'w> {
    worker: &'w Worker,
    id: String,
    options: Options,
    /// Whether what goes out differs from what was recorded, or never ends.
    differs: bool,
    destination: Arc<dyn Destination>,
    dead_letter: Option<Arc<dyn Destination>>,
    /// Where records go out in transactions.
    once: Option<once::Once>,
    target: Checked,
    source: BoxStream<'static, Result<RecordBatch>>,
    rows: Option<(Rows, usize)>,
    exhausted: bool,
    /// Records that may still be begun before a canary's query is asked.
    canary: Option<u64>,
    pacing: Pacing,
    /// Whether a record has come to anything yet. Until then a destination may still be connecting,
    /// and what goes out meanwhile would arrive at once: what is paced waits for its first record.
    arrived: bool,
    progress: Progress,
    under_way: FuturesUnordered<BoxFuture<'static, Answer>>,
    bytes_under_way: u64,
    /// Records that still go one by one.
    careful: usize,
    refused_in_row: u32,
    failures: Vec<Failure>,
    names: names::Names,
    ledger: Ledger,
    unsaved: u64,
    saved_at: Duration,
    counted: Counts,
}

impl<'w> Attempt<'w> {
    /// Opens the destination and the source, from the marks on.
    pub(crate) async fn begin(worker: &'w Worker, careful: usize) -> Result<Self> {
        let mut job = worker.cell.job().await;
        let options = Options::parse(&job.options)?;
        let mut destination = worker
            .destinations
            .connect(&job.destination, &options)
            .await?;
        job.check_target(&destination.target())?;
        let asked = worker.destinations.ask(&job.destination, &*destination);
        let (target, ()) = tokio::join!(asked, destination.warm());
        let target = target?;
        job.check_cluster(&target)?;
        let dead_letter = match &options.dead_letter {
            Some(name) => {
                let options = options.for_letters();
                Some(worker.destinations.connect(name, &options).await?)
            }
            None => None,
        };
        let counted = job.counts;
        let mut once = None;
        if job.transactions.is_some() {
            let (opened, marked) = once::Once::open(worker, &job, &destination, &target).await?;
            destination = opened.destination();
            once = Some(opened);
            job = marked;
        }
        let sequence = sequence(&job, &options, destination.as_ref());
        let source = worker.source.rows(&job.source, job.after(), sequence);
        let now = worker.clock.monotonic();
        Ok(Self {
            worker,
            pacing: Pacing::new(rate_of(&job, &options)?, options.speed, now),
            arrived: false,
            progress: Progress::resume(&job.progress, job.counts),
            differs: options.continuous || edits(&job.plan.sets),
            canary: to_canary(&job, &options),
            ledger: Ledger::new(worker.store.clone(), &job.id, Arc::clone(&worker.looks)),
            id: job.asked().to_owned(),
            options,
            destination,
            dead_letter,
            once,
            target,
            source,
            rows: None,
            exhausted: false,
            under_way: FuturesUnordered::new(),
            bytes_under_way: 0,
            careful,
            refused_in_row: 0,
            failures: Vec::new(),
            names: names::Names::default(),
            unsaved: 0,
            saved_at: now,
            counted,
        })
    }

    /// Sends until the rows are exhausted, the worker is stopped or something fails.
    pub(crate) async fn run(&mut self) -> Result<End> {
        loop {
            if self.worker.stop.is_cancelled() {
                return Ok(End::Stopped);
            }
            self.commit_if_due().await?;
            self.save_if_due().await?;
            let exhausted = !self.has_row() && self.exhausted;
            let looks = match self.canary {
                Some(left) => left == 0 || exhausted && !self.options.continuous,
                None => false,
            };
            if (exhausted || looks) && self.under_way.is_empty() {
                self.commit().await?;
                if self.unsaved == 0 {
                    return Ok(if looks { End::Canary } else { End::Exhausted });
                }
                self.save_last().await?;
                continue;
            }
            if self.may_send().is_some_and(|wait| wait.is_zero()) {
                self.send_row().await?;
                while let Some(Some(answer)) = self.under_way.next().now_or_never() {
                    self.settle(answer)?;
                }
                // A destination that always takes at once must not keep the thread for itself.
                tokio::task::consume_budget().await;
            } else {
                self.wait().await?;
            }
        }
    }

    /// Waits for what is under way, stores the progress, and tells how many records the next
    /// attempt sends again, one by one. In order: it has not failed.
    pub(crate) async fn leave(mut self, in_order: bool) -> usize {
        self.destination.halt();
        if let Some(dead_letter) = &self.dead_letter {
            dead_letter.halt();
        }
        if in_order || !self.in_transaction() {
            self.drain().await;
        }
        if self.once.is_some() {
            self.leave_transactions(in_order).await;
            return 0;
        }
        if self.unsaved > 0 {
            let saved = self.save().await;
            self.tell_unsaved(saved);
        }
        self.progress.beyond_marks()
    }

    pub(super) fn tell_unsaved(&self, saved: Result<()>) {
        if let Err(error) = saved {
            tracing::warn!(replay = self.id, %error, "the replay's progress is not stored");
        }
    }

    /// Waits for what is under way, as long as that may take.
    async fn drain(&mut self) {
        let deadline = self.worker.clock.sleep(self.worker.tuning.drain);
        tokio::pin!(deadline);
        while !self.under_way.is_empty() {
            tokio::select! {
                biased;
                Some(answer) = self.under_way.next() => {
                    // The attempt has ended, whatever the others say; only successes count.
                    if answer.result.is_ok() {
                        let _ = self.settle(answer);
                    }
                }
                () = &mut deadline => break,
            }
        }
    }

    /// Waits for whatever comes first of what can happen.
    async fn wait(&mut self) -> Result<()> {
        let worker = self.worker;
        let clock = &worker.clock;
        // Before anything is reckoned by the clock: what is due meanwhile isn't slept through.
        let now = clock.monotonic();
        let at = |wait: Option<Duration>| now.saturating_add(wait.unwrap_or_default());
        let send_in = self.may_send();
        let want_rows = !self.has_row() && !self.exhausted;
        let save_in = self.save_in(now);
        let commit_in = self.commit_in();
        tokio::select! {
            biased;
            () = worker.stop.cancelled() => {}
            Some(answer) = self.under_way.next() => self.settle(answer)?,
            batch = self.source.next(), if want_rows => match batch {
                Some(batch) => self.rows = Some((Rows::new(&batch?)?, 0)),
                None => self.exhausted = true,
            },
            () = clock.sleep_until(at(send_in)), if send_in.is_some() => {}
            () = clock.sleep_until(at(save_in)), if save_in.is_some() => {}
            () = clock.sleep_until(at(commit_in)), if commit_in.is_some() => {}
        }
        Ok(())
    }

    fn has_row(&mut self) -> bool {
        let more = matches!(&self.rows, Some((rows, at)) if rows.get(*at).is_some());
        if !more {
            self.rows = None;
        }
        more
    }

    /// When the next row may go out; `None`: there is none, or too much is under way.
    fn may_send(&mut self) -> Option<Duration> {
        if !self.has_row() || self.canary == Some(0) || self.transaction_is_over() {
            return None;
        }
        let tuning = &self.worker.tuning;
        let window = match self.destination.window() {
            Some(window) => window.min(tuning.window),
            None if self.careful > 0 => 1,
            None => tuning.window,
        };
        let first = !self.arrived && self.pacing.is_bound();
        let room = self.under_way.is_empty()
            || (!first
                && self.under_way.len() < window
                && self.bytes_under_way < tuning.window_bytes);
        room.then(|| self.paced())
    }

    /// How long the next row has to wait for its turn.
    fn paced(&self) -> Duration {
        if !self.pacing.is_bound() {
            return Duration::ZERO;
        }
        let recorded = self.rows.as_ref();
        let recorded = recorded.and_then(|(rows, at)| rows.get(*at)?.timestamp_ms);
        let now = self.worker.clock.monotonic();
        self.pacing.wait(now, recorded)
    }
}

/// In which order the rows of several partitions come.
fn sequence(job: &Job, options: &Options, destination: &dyn Destination) -> Sequence {
    let several = options.continuous || job.plan.partitions.len() > 1;
    match options.ordering {
        Ordering::Time => Sequence::Time,
        Ordering::Partition if several && destination.takes_turns() => Sequence::Turns,
        _ => Sequence::Partitions,
    }
}

/// How many records go out before a canary's query is asked; `None`: it has been, or there is none.
fn to_canary(job: &Job, options: &Options) -> Option<u64> {
    let canary = options.canary.as_ref()?;
    let left = canary.records.saturating_sub(job.counts.settled());
    (!job.canary_passed).then_some(left)
}
