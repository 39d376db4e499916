//! The owner of time and of random ids: everything else gets them from a [`Clock`].
//!
//! A test turns a manual clock by hand, so nothing in a test has to wait for a real one.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::sync::Notify;
use uuid::Uuid;

/// Time and random ids. Cheap to clone; clones share one time.
#[derive(Debug, Clone)]
pub struct Clock(Source);

#[derive(Debug, Clone)]
enum Source {
    System { start: Instant },
    Manual(Arc<Manual>),
}

#[derive(Debug)]
struct Manual {
    now_us: AtomicI64,
    start_us: i64,
    turned: Notify,
}

impl Clock {
    /// The machine's clock.
    #[expect(
        clippy::disallowed_methods,
        reason = "the clock is the owner of ambient time"
    )]
    pub fn system() -> Self {
        Self(Source::System {
            start: Instant::now(),
        })
    }

    /// A clock that only moves by [`Clock::advance`], starting at `now_us` microseconds since the
    /// Unix epoch.
    pub fn manual(now_us: i64) -> Self {
        Self(Source::Manual(Arc::new(Manual {
            now_us: AtomicI64::new(now_us),
            start_us: now_us,
            turned: Notify::new(),
        })))
    }

    /// Wall time in microseconds since the Unix epoch.
    #[expect(
        clippy::disallowed_methods,
        reason = "the clock is the owner of ambient time"
    )]
    pub fn now_us(&self) -> i64 {
        match &self.0 {
            Source::System { .. } => SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |since| {
                    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
                }),
            Source::Manual(manual) => manual.now_us.load(Ordering::SeqCst),
        }
    }

    /// Time since the clock was made; never goes back.
    pub fn monotonic(&self) -> Duration {
        match &self.0 {
            Source::System { start } => start.elapsed(),
            Source::Manual(manual) => {
                let passed = manual.now_us.load(Ordering::SeqCst) - manual.start_us;
                Duration::from_micros(u64::try_from(passed).unwrap_or(0))
            }
        }
    }

    /// Completes when `duration` has passed on this clock since it was first asked.
    pub async fn sleep(&self, duration: Duration) {
        self.sleep_until(self.monotonic().saturating_add(duration))
            .await;
    }

    /// Completes when [`Clock::monotonic`] has come to `until`: for who has looked at the clock
    /// already, which may be turned before it is asked to wait.
    #[expect(
        clippy::disallowed_methods,
        reason = "the clock is the owner of sleeping"
    )]
    pub async fn sleep_until(&self, until: Duration) {
        match &self.0 {
            Source::System { .. } => {
                tokio::time::sleep(until.saturating_sub(self.monotonic())).await;
            }
            Source::Manual(manual) => loop {
                let turned = manual.turned.notified();
                if self.monotonic() >= until {
                    return;
                }
                turned.await;
            },
        }
    }

    /// Blocks the calling thread until `duration` has passed; only for threads of their own. On a
    /// manual clock it moves the clock instead of waiting.
    #[expect(
        clippy::disallowed_methods,
        reason = "the clock is the owner of sleeping"
    )]
    pub fn block(&self, duration: Duration) {
        match &self.0 {
            Source::System { .. } => std::thread::sleep(duration),
            Source::Manual(_) => self.advance(duration),
        }
    }

    /// Moves a manual clock forward; a system clock ignores it.
    pub fn advance(&self, duration: Duration) {
        if let Source::Manual(manual) = &self.0 {
            let by = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
            manual.now_us.fetch_add(by, Ordering::SeqCst);
            manual.turned.notify_waiters();
        }
    }

    /// A new random id that sorts by time of making.
    #[expect(
        clippy::disallowed_methods,
        reason = "the clock is the owner of random ids"
    )]
    pub fn new_id(&self) -> Uuid {
        Uuid::now_v7()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_manual_clock_wakes_its_sleepers_when_turned() {
        let clock = Clock::manual(1_000);
        let sleeper = tokio::spawn({
            let clock = clock.clone();
            async move { clock.sleep(Duration::from_micros(500)).await }
        });
        tokio::task::yield_now().await;
        assert!(!sleeper.is_finished());
        clock.advance(Duration::from_micros(500));
        assert!(sleeper.await.is_ok());
        assert_eq!(clock.now_us(), 1_500);
    }
}
