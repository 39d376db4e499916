//! The worker of one replay: rows from the source, through the pacing, to the destination, and the
//! progress into the register. A thin loop around pure parts.
//!
//! What a crash leaves: the marks as last stored. The next worker sends again what lies beyond
//! them, so the destination sees each record at least once, in the order of its source partition,
//! and twice only those that were not behind a stored mark.
//!
//! In transactions of the destination the marks are in there, too: what a crash or an error leaves
//! is each record once (`attempt/once`).
//!
//! What an error leaves: a destination that can't be reached ends the attempt; the next one opens
//! it anew and goes on from the marks, at first with one record at a time, so that a batch which
//! failed as a whole shows which of its records was refused.

use std::sync::Arc;
use std::time::Duration;

use eddy_engine::Clock;
use tokio_util::sync::CancellationToken;

use crate::attempt::{Attempt, End};
use crate::cell::Cell;
use crate::destination::Destinations;
use crate::error::{Error, ErrorKind, Result};
use crate::job::Event;
use crate::jobs::Pins;
use crate::ledger::Looks;
use crate::request::Options;
use crate::source::RowSource;
use crate::store::Store;

mod after;

use after::Next;

/// How a worker spends memory and time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tuning {
    /// Records that may be unacknowledged. Bounds what a crash sends twice.
    pub(crate) window: usize,
    /// Bytes of them. Bounds memory.
    pub(crate) window_bytes: u64,
    /// Settled records that make storing the progress worth it.
    pub(crate) save_records: u64,
    /// The least time between two stores of the progress.
    pub(crate) save_min: Duration,
    /// The time after which any progress is stored.
    pub(crate) save_max: Duration,
    /// The first pause after a failed attempt; it doubles.
    pub(crate) pause_min: Duration,
    /// The longest pause after a failed attempt.
    pub(crate) pause_max: Duration,
    /// How long a stopping worker waits for what is under way.
    pub(crate) drain: Duration,
    /// How long a transaction of the destination stays open, and holds up who reads there.
    pub(crate) transaction_time: Duration,
    /// Records that a transaction may have.
    pub(crate) transaction_records: u64,
    /// Between two looks at what a replay waits for: new records, or what its canary expects.
    pub(crate) look: Duration,
    /// Between two looks at all divided replays.
    pub(crate) tend: Duration,
    /// The time after which whoever has a shard and stored nothing counts as dead.
    pub(crate) silence: Duration,
    /// Shards that this process sends at once.
    pub(crate) shards: usize,
}

/// How many shards a process sends at once unless it is told otherwise: each has a window of its
/// own.
pub const SHARDS_AT_ONCE: usize = 8;

impl Default for Tuning {
    fn default() -> Self {
        Self {
            window: 10_000,
            window_bytes: 32 << 20,
            save_records: 10_000,
            save_min: Duration::from_secs(1),
            save_max: Duration::from_secs(10),
            pause_min: Duration::from_millis(250),
            pause_max: Duration::from_secs(30),
            drain: Duration::from_secs(10),
            transaction_time: Duration::from_secs(1),
            transaction_records: 100_000,
            look: Duration::from_secs(1),
            tend: Duration::from_secs(2),
            silence: Duration::from_secs(20),
            shards: SHARDS_AT_ONCE,
        }
    }
}

/// The worker of one replay.
pub(crate) struct Worker {
    pub(crate) cell: Arc<Cell>,
    pub(crate) source: Arc<dyn RowSource>,
    pub(crate) destinations: Destinations,
    pub(crate) pins: Pins,
    pub(crate) store: Store,
    pub(crate) clock: Clock,
    pub(crate) stop: CancellationToken,
    pub(crate) tuning: Tuning,
    /// When it looks whether its entries are to be folded.
    pub(crate) looks: Arc<Looks>,
}

impl Worker {
    /// Runs the replay until it is done, has failed, is stopped, or another worker has it.
    pub(crate) async fn run(self) {
        let id = self.cell.job().await.id;
        let mut failures = 0;
        let mut careful = 0;
        let mut established = false;
        while !self.stop.is_cancelled() {
            let before = self.cell.job().await.counts.settled();
            let (left, ended) = self.attempt(careful, &mut established).await;
            careful = left;
            let error = match ended {
                Ok(End::Stopped) => return,
                Ok(end) => match self.after(end).await {
                    Ok(Next::Finished) => return self.conclude(&id, Event::Finish, None).await,
                    Ok(Next::GoesOn) => {
                        failures = 0;
                        continue;
                    }
                    Ok(Next::Stopped) => return,
                    Err(error) => error,
                },
                Err(error) => error,
            };
            match error.kind() {
                ErrorKind::Fenced => {
                    tracing::info!(replay = id, "another worker runs this replay now");
                    return;
                }
                ErrorKind::Unavailable => {}
                _ => return self.conclude(&id, Event::Fail, Some(&error)).await,
            }
            let job = self.cell.job().await;
            failures = if job.counts.settled() > before {
                1
            } else {
                failures + 1
            };
            let attempts = Options::parse(&job.options).map_or(1, |options| options.attempts);
            if failures >= attempts {
                return self.conclude(&id, Event::Fail, Some(&error)).await;
            }
            tracing::warn!(
                replay = id, %error, failures, attempts,
                "the replay was interrupted and goes on from its progress"
            );
            self.pause(failures).await;
        }
    }

    /// One attempt: how many records were under way when it ended, and how it ended.
    async fn attempt(&self, careful: usize, established: &mut bool) -> (usize, Result<End>) {
        // The fence first, then the marks: whoever had the replay can't move them any more (P23).
        let fenced = if *established {
            self.cell.apply(Event::Start, None).await
        } else {
            self.cell.take_up().await
        };
        match fenced {
            Ok(_) => *established = true,
            Err(error) if error.kind() == ErrorKind::Conflict => {
                return (careful, Ok(End::Stopped));
            }
            Err(error) => return (careful, Err(error)),
        }
        match Attempt::begin(self, careful).await {
            Ok(mut attempt) => {
                let ended = attempt.run().await;
                (attempt.leave(ended.is_ok()).await, ended)
            }
            Err(error) => (careful, Err(error)),
        }
    }

    /// Stores a final state, for as long as it takes.
    async fn conclude(&self, id: &str, event: Event, error: Option<&Error>) {
        let mut tries = 0;
        if let Some(error) = error {
            tracing::error!(replay = id, %error, "the replay failed");
        }
        loop {
            let reason = error.map(|error| match error.hint() {
                Some(hint) => format!("{error} ({hint})"),
                None => error.to_string(),
            });
            match self.cell.apply(event, reason).await {
                Err(error) if error.kind() == ErrorKind::Unavailable => {
                    tracing::warn!(replay = id, %error, "the replay's end can't be stored yet");
                }
                // A command or another worker came first: what it stored holds.
                Ok(_) | Err(_) => return,
            }
            tries += 1;
            self.pause(tries).await;
            if self.stop.is_cancelled() {
                return;
            }
        }
    }

    async fn pause(&self, failures: u32) {
        let doubled = 1u32
            .checked_shl(failures.saturating_sub(1))
            .unwrap_or(u32::MAX);
        let pause = self.tuning.pause_min.saturating_mul(doubled);
        tokio::select! {
            () = self.stop.cancelled() => {}
            () = self.clock.sleep(pause.min(self.tuning.pause_max)) => {}
        }
    }
}
