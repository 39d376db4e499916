//! One attempt of a worker: a source stream, an opened destination, and what is under way between.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use eddy_engine::{Header, TopicId};
use futures::future::{BoxFuture, FutureExt};
use futures::stream::{BoxStream, FuturesUnordered, StreamExt};

use crate::destination::{Checked, Destination, Landed};
use crate::error::{Error, ErrorKind, Result};
use crate::mark::{self, Marks};
use crate::pacing::Pacing;
use crate::progress::{Counts, Progress, Settled, Ticket, after};
use crate::request::{Headers, OnError, Options, Tombstones};
use crate::rows::Rows;
use crate::run::Worker;
use crate::sending::{header_bytes, outgoing};

/// How an attempt ended without an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// Every row is settled.
    Exhausted,
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
    result: Result<Landed>,
}

/// What a record holds in memory besides its bytes, about.
const RECORD_BYTES: u64 = 64;

/// A destination that refuses this many records in a row, and takes none, refuses for a reason
/// that is not in the records (a missing right, say): passing over all of them helps nobody.
const REFUSED_MAX: u32 = 100;

pub(crate) struct Attempt<'w> {
    worker: &'w Worker,
    id: String,
    options: Options,
    destination: Arc<dyn Destination>,
    target: Checked,
    source: BoxStream<'static, Result<RecordBatch>>,
    rows: Option<(Rows, usize)>,
    exhausted: bool,
    pacing: Pacing,
    progress: Progress,
    under_way: FuturesUnordered<BoxFuture<'static, Answer>>,
    bytes_under_way: u64,
    /// Records that still go one by one.
    careful: usize,
    refused_in_row: u32,
    unsaved: u64,
    saved_at: Duration,
    counted: Counts,
}

impl<'w> Attempt<'w> {
    /// Opens the destination and the source, from the marks on.
    pub(crate) async fn begin(worker: &'w Worker, careful: usize) -> Result<Self> {
        let job = worker.cell.job().await;
        let options = Options::parse(&job.options)?;
        let destination = worker
            .destinations
            .connect(&job.destination, &options)
            .await?;
        if destination.target() != job.target {
            return Err(Error::conflict(format!(
                "destination `{}` was {} when the replay began, and is {} now",
                job.destination,
                job.target,
                destination.target()
            ))
            .with_hint("set it back, or start a new replay under another name"));
        }
        let target = destination.check().await?;
        let source = worker.source.rows(&job.source, after(&job.progress));
        let now = worker.clock.monotonic();
        Ok(Self {
            worker,
            pacing: Pacing::new(options.rate, now),
            progress: Progress::resume(&job.progress, job.counts),
            id: job.id,
            options,
            destination,
            target,
            source,
            rows: None,
            exhausted: false,
            under_way: FuturesUnordered::new(),
            bytes_under_way: 0,
            careful,
            refused_in_row: 0,
            unsaved: 0,
            saved_at: now,
            counted: job.counts,
        })
    }

    /// Sends until the rows are exhausted, the worker is stopped or something fails.
    pub(crate) async fn run(&mut self) -> Result<End> {
        loop {
            if self.worker.stop.is_cancelled() {
                return Ok(End::Stopped);
            }
            self.save_if_due().await?;
            if !self.has_row() && self.exhausted && self.under_way.is_empty() {
                if self.unsaved == 0 {
                    return Ok(End::Exhausted);
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
    /// attempt sends again.
    pub(crate) async fn leave(mut self) -> usize {
        self.destination.halt();
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
        if self.unsaved > 0
            && let Err(error) = self.save().await
        {
            tracing::warn!(replay = self.id, %error, "the replay's progress is not stored");
        }
        self.progress.beyond_marks()
    }

    /// Waits for whatever comes first of what can happen.
    async fn wait(&mut self) -> Result<()> {
        let worker = self.worker;
        let clock = &worker.clock;
        let send_in = self.may_send();
        let want_rows = !self.has_row() && !self.exhausted;
        let save_in = self.save_in(clock.monotonic());
        tokio::select! {
            biased;
            () = worker.stop.cancelled() => {}
            Some(answer) = self.under_way.next() => self.settle(answer)?,
            batch = self.source.next(), if want_rows => match batch {
                Some(batch) => self.rows = Some((Rows::new(&batch?)?, 0)),
                None => self.exhausted = true,
            },
            () = clock.sleep(send_in.unwrap_or_default()), if send_in.is_some() => {}
            () = clock.sleep(save_in.unwrap_or_default()), if save_in.is_some() => {}
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
        if !self.has_row() {
            return None;
        }
        let tuning = &self.worker.tuning;
        let window = match self.destination.window() {
            Some(window) => window.min(tuning.window),
            None if self.careful > 0 => 1,
            None => tuning.window,
        };
        let room = self.under_way.is_empty()
            || (self.under_way.len() < window && self.bytes_under_way < tuning.window_bytes);
        room.then(|| self.pacing.wait(self.worker.clock.monotonic()))
    }

    async fn send_row(&mut self) -> Result<()> {
        let Some((rows, at)) = &mut self.rows else {
            return Ok(());
        };
        let Some(row) = rows.get(*at) else {
            return Ok(());
        };
        let index = *at;
        *at += 1;
        let topic_id = TopicId::new(row.topic_id);
        let ticket = self.progress.begin(&topic_id, row.partition, row.offset)?;
        if row.value.is_none() && self.options.tombstones == Tombstones::Skip {
            self.unsaved += self.progress.settle(ticket, Settled::Skipped);
            return Ok(());
        }
        let bytes = row.bytes();
        self.pacing.sent(self.worker.clock.monotonic(), bytes);
        let held;
        let sent = {
            let mut headers: Vec<Header<'_>> = Vec::new();
            let choice = mark::choose(
                self.options.headers,
                row.topic,
                self.target.topic.as_deref(),
            );
            if choice != Headers::Strip {
                rows.headers(index, &mut headers);
            }
            let marks = (choice == Headers::Mark && !self.destination.tells_origin())
                .then(|| Marks::new(&row));
            if let Some(marks) = &marks {
                marks.add(&self.id, &mut headers);
            }
            held = RECORD_BYTES + bytes + header_bytes(&headers);
            let now_us = self.worker.clock.now_us();
            let record = outgoing(&row, &self.id, &self.options, &headers, now_us);
            self.destination.send(&record).await
        };
        match sent {
            Ok(delivery) => {
                self.bytes_under_way += held;
                self.under_way.push(
                    delivery
                        .map(move |result| Answer {
                            ticket,
                            bytes,
                            held,
                            result,
                        })
                        .boxed(),
                );
                Ok(())
            }
            Err(error) => self.refused(ticket, error),
        }
    }

    fn settle(&mut self, answer: Answer) -> Result<()> {
        self.bytes_under_way = self.bytes_under_way.saturating_sub(answer.held);
        match answer.result {
            Ok(_) => {
                let how = Settled::Acknowledged(answer.bytes);
                self.unsaved += self.progress.settle(answer.ticket, how);
                self.careful = self.careful.saturating_sub(1);
                self.refused_in_row = 0;
                Ok(())
            }
            Err(error) => self.refused(answer.ticket, error),
        }
    }

    fn refused(&mut self, ticket: Ticket, error: Error) -> Result<()> {
        if error.kind() != ErrorKind::Rejected || self.options.on_error == OnError::Stop {
            return Err(error);
        }
        self.refused_in_row += 1;
        if self.refused_in_row >= REFUSED_MAX {
            return Err(error.with_hint(format!(
                "the destination refused {REFUSED_MAX} records in a row and took none"
            )));
        }
        tracing::warn!(replay = self.id, %error, "the destination refused a record");
        self.unsaved += self.progress.settle(ticket, Settled::Failed);
        self.careful = self.careful.saturating_sub(1);
        Ok(())
    }

    /// When the progress is to be stored, if there is any.
    fn save_in(&self, now: Duration) -> Option<Duration> {
        if self.unsaved == 0 {
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

    async fn save_if_due(&mut self) -> Result<()> {
        let due = self.save_in(self.worker.clock.monotonic());
        if !due.is_some_and(|due| due.is_zero()) {
            return Ok(());
        }
        match self.save().await {
            Err(error) if error.kind() == ErrorKind::Unavailable => {
                // The records flow on; only a crash now would send more of them twice.
                tracing::warn!(replay = self.id, %error, "the replay's progress is not stored");
                Ok(())
            }
            result => result,
        }
    }

    /// Stores the last progress, so that a replay that is done has it whole.
    async fn save_last(&mut self) -> Result<()> {
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

    async fn save(&mut self) -> Result<()> {
        self.saved_at = self.worker.clock.monotonic();
        let (marks, counts) = (self.progress.marks(), self.progress.counts());
        self.worker
            .cell
            .update(|job| {
                job.progress = marks;
                job.counts = counts;
                Ok(())
            })
            .await?;
        self.unsaved = 0;
        count(self.counted, counts);
        self.counted = counts;
        Ok(())
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
