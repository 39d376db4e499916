//! How long a destination that doesn't take a record now is asked again: with growing pauses, as
//! late as it asks for, and not for ever.
//!
//! When the other side says how long to wait (`Retry-After`), that holds for all lanes. A request
//! is tried as often as the replay's `attempts` say; where the other side asks for patience and
//! takes other records meanwhile the count begins anew, ten times at most.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use eddy_engine::Clock;
use tokio_util::sync::CancellationToken;

use crate::error::{Error, ErrorKind, Result};

/// The first pause; it doubles.
const PAUSE_MIN: Duration = Duration::from_millis(250);
/// The longest pause of our own.
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// The longest pause that the other side may ask for; then it is asked once more.
const ASKED_MAX: Duration = Duration::from_hours(1);
/// How often a count of tries may begin anew.
const ROUNDS: u32 = 10;

/// What the lanes of one destination know of each other.
pub(super) struct Patience {
    clock: Clock,
    attempts: u32,
    halt: CancellationToken,
    /// Nanoseconds of the monotonic clock until which nothing goes out.
    closed_until: AtomicU64,
    /// Requests that were taken.
    taken: AtomicU64,
}

/// The tries of one request.
#[derive(Debug, Default)]
pub(super) struct Tries {
    in_row: u32,
    all: u32,
    taken: u64,
}

impl Patience {
    /// For a replay that tries `attempts` times; `halt` ends every wait.
    pub(super) fn new(clock: Clock, attempts: u32, halt: CancellationToken) -> Self {
        Self {
            clock,
            attempts: attempts.max(1),
            halt,
            closed_until: AtomicU64::new(0),
            taken: AtomicU64::new(0),
        }
    }

    /// Waits until a request may go out.
    ///
    /// # Errors
    /// `Unavailable` when the destination is given up.
    pub(super) async fn turn(&self) -> Result<()> {
        loop {
            let until = Duration::from_nanos(self.closed_until.load(Ordering::Acquire));
            let wait = until.saturating_sub(self.clock.monotonic());
            if self.halt.is_cancelled() {
                return Err(Error::unavailable("it was given up before its turn came"));
            }
            if wait.is_zero() {
                return Ok(());
            }
            self.sleep(wait).await;
        }
    }

    /// A request was taken.
    pub(super) fn taken(&self) {
        self.taken.fetch_add(1, Ordering::Relaxed);
    }

    /// Waits before the next try of a request that failed with `error`; `after` is what the other
    /// side asked for.
    ///
    /// # Errors
    /// `GaveUp` once it was tried often enough; `error` itself when the destination is given up.
    pub(super) async fn again(
        &self,
        tries: &mut Tries,
        after: Option<Duration>,
        error: Error,
    ) -> Result<()> {
        let taken = self.taken.load(Ordering::Relaxed);
        if after.is_some() && taken != tries.taken {
            tries.in_row = 0;
        }
        tries.taken = taken;
        tries.in_row += 1;
        tries.all += 1;
        let most = self.attempts.saturating_mul(ROUNDS);
        if tries.in_row >= self.attempts || tries.all >= most {
            let often = tries.all;
            return Err(Error::new(
                ErrorKind::GaveUp,
                format!("given up after {often} tries: {error}"),
            )
            .with_hint("once the destination is well, resume the replay"));
        }
        let now = self.clock.monotonic();
        if let Some(after) = after {
            let until = now.saturating_add(after.min(ASKED_MAX)).as_nanos();
            let until = u64::try_from(until).unwrap_or(u64::MAX);
            self.closed_until.fetch_max(until, Ordering::AcqRel);
        }
        self.sleep(pause(tries.in_row, self.random())).await;
        match self.turn().await {
            Ok(()) => Ok(()),
            Err(_) => Err(error),
        }
    }

    async fn sleep(&self, wait: Duration) {
        tokio::select! {
            () = self.halt.cancelled() => {}
            () = self.clock.sleep(wait) => {}
        }
    }

    fn random(&self) -> u32 {
        // The last bits of a new id are random.
        u32::try_from(self.clock.new_id().as_u128() & u128::from(u32::MAX)).unwrap_or_default()
    }
}

/// The pause after so many failures in a row: half of it always, the other half at random, so that
/// lanes that failed together don't come back together.
fn pause(failures: u32, random: u32) -> Duration {
    let doubled = 1u32
        .checked_shl(failures.saturating_sub(1))
        .unwrap_or(u32::MAX);
    let whole = PAUSE_MIN.saturating_mul(doubled).min(PAUSE_MAX);
    let half = whole / 2;
    half + half.mul_f64(f64::from(random) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests;
