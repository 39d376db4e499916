//! [`Halt`]: why a query must end, asked by whatever works for it, on any thread.
//!
//! A task that is aborted ends where it next waits, and a plan may compute for minutes without
//! waiting for anything. So what computes asks here from time to time (`yielding`), and ends with
//! the error that it is told.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use eddy_engine::Clock;

use crate::error::{Error, ErrorKind, Result};
use crate::query::QueryOptions;
use crate::table::ScanCount;

/// How often what only waits is asked whether it may go on.
const TICK: Duration = Duration::from_millis(100);

/// Whether one query may go on.
#[derive(Debug)]
pub(crate) struct Halt {
    clock: Clock,
    started: Duration,
    /// How long it may take; none for the rows of a replay.
    limit: Option<Duration>,
    /// What the server allows at most.
    limit_max: Duration,
    scan_bytes_max: Option<u64>,
    cancelled: AtomicBool,
    /// Whether it waits for the offsets of `wait_for`.
    waiting: Arc<AtomicBool>,
    /// What its scans read. Not the plan: that has this within it.
    counts: OnceLock<Vec<Arc<ScanCount>>>,
}

impl Halt {
    /// A query that starts now.
    pub(super) fn new(clock: &Clock, limit: Option<Duration>, options: &QueryOptions) -> Self {
        Self {
            started: clock.monotonic(),
            clock: clock.clone(),
            limit,
            limit_max: options.timeout,
            // The rows of a replay are bounded by its own options.
            scan_bytes_max: options.scan_bytes_max.filter(|_| limit.is_some()),
            cancelled: AtomicBool::new(false),
            waiting: Arc::default(),
            counts: OnceLock::new(),
        }
    }

    /// Whether the query may go on.
    pub(crate) fn check(&self) -> Result<()> {
        if self.cancelled.load(Ordering::Relaxed) {
            return Err(cancelled());
        }
        if let Some(limit) = self.limit
            && self.elapsed() >= limit
        {
            return Err(self.late(limit));
        }
        if let (Some(most), Some(counts)) = (self.scan_bytes_max, self.counts.get()) {
            let bytes: u64 = counts.iter().map(|count| count.bytes()).sum();
            if bytes > most {
                return Err(Error::new(
                    ErrorKind::TooManyBytes,
                    format!("the query read {bytes} bytes; `query.scan_max` is {most}"),
                )
                .with_hint(
                    "narrow it (a range of `dt` or `_timestamp` leaves out files, fewer columns \
                     leave out bytes), or raise `query.scan_max`",
                ));
            }
        }
        Ok(())
    }

    /// Ends with the error once the query may not go on.
    pub(super) async fn watch(&self) -> Error {
        loop {
            if let Err(error) = self.check() {
                return error;
            }
            let left = self.limit.map(|limit| limit.saturating_sub(self.elapsed()));
            let tick = left.map_or(TICK, |left| left.min(TICK));
            self.clock.sleep(tick).await;
        }
    }

    /// Nothing of it goes on.
    pub(super) fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }

    /// Whose bytes count.
    pub(super) fn counts(&self, counts: &[Arc<ScanCount>]) {
        let _ = self.counts.set(counts.to_vec());
    }

    /// Set while the query waits for the offsets of `wait_for`.
    pub(super) fn waiting(&self) -> &Arc<AtomicBool> {
        &self.waiting
    }

    /// The clock of [`Halt::check`].
    pub(super) fn clock(&self) -> &Clock {
        &self.clock
    }

    fn elapsed(&self) -> Duration {
        self.clock.monotonic().saturating_sub(self.started)
    }

    /// The error of a query that took longer than `limit`.
    pub(super) fn late(&self, limit: Duration) -> Error {
        let seconds = limit.as_secs_f64();
        if self.waiting.load(Ordering::Relaxed) {
            let text = format!("the offsets of `wait_for` were not visible within {seconds} s");
            return Error::new(ErrorKind::WaitForTimeout, text);
        }
        let text = format!("the query took longer than {seconds} s");
        let most = self.limit_max.as_secs_f64();
        Error::new(ErrorKind::Timeout, text).with_hint(format!(
            "narrow it (a range of `dt` or `_timestamp` leaves out files), or ask for a longer \
             `timeout`: `query.timeout_seconds` allows {most} s"
        ))
    }
}

/// The error of a query that someone cancelled, or whose reader went away.
pub(super) fn cancelled() -> Error {
    Error::new(ErrorKind::Cancelled, "the query was cancelled")
}
