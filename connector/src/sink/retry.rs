//! When a record is tried again that can't be converted yet: Connect's schedule of
//! `errors.retry.timeout` and `errors.retry.delay.max.ms`, as a pure function of failures and time.
//!
//! What can fail for a while is asking the schema registry. Transforms are functions of the record,
//! puts to the store have a patience of their own (`write` in the engine), and so has the client
//! that writes dead letters. A task that waits goes on polling: it stops at once when asked to.

use std::time::Duration;

use crate::connect::ErrorPolicy;

/// The first pause, doubled at each failure; Connect's.
const FIRST: Duration = Duration::from_millis(300);
/// The pause where nothing failed: an answer is on its way.
const SOON: Duration = Duration::from_millis(300);

/// How patient a task is with a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Patience {
    /// From the first attempt on; `None` is for ever.
    timeout: Option<Duration>,
    delay_max: Duration,
}

/// A record that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Held {
    /// What it waits for.
    pub(super) why: String,
    /// When its next attempt is due, on the monotonic clock.
    pub(super) again_at: Duration,
    /// When it was tried first.
    since: Duration,
    failures: u32,
}

impl Patience {
    pub(super) fn of(policy: &ErrorPolicy) -> Self {
        Self {
            timeout: policy.retry_timeout,
            delay_max: policy.retry_delay_max,
        }
    }

    /// A record after one more failed attempt; `None` when its time is up. The last attempt is at
    /// the deadline, however long the pause would be.
    pub(super) fn failed(&self, before: Option<&Held>, why: &str, now: Duration) -> Option<Held> {
        let since = before.map_or(now, |held| held.since);
        let failures = before.map_or(0, |held| held.failures).saturating_add(1);
        let left = match self.timeout {
            None => Duration::MAX,
            Some(timeout) => since.saturating_add(timeout).saturating_sub(now),
        };
        (!left.is_zero()).then(|| Held {
            why: why.to_owned(),
            again_at: now.saturating_add(self.pause(failures).min(left)),
            since,
            failures,
        })
    }

    /// A record whose answer is on its way: that is no failure.
    pub(super) fn pending(&self, before: Option<&Held>, why: &str, now: Duration) -> Held {
        Held {
            why: why.to_owned(),
            again_at: now.saturating_add(SOON.min(self.delay_max)),
            since: before.map_or(now, |held| held.since),
            failures: before.map_or(0, |held| held.failures),
        }
    }

    fn pause(&self, failures: u32) -> Duration {
        let doubled = 1_u32.checked_shl(failures.saturating_sub(1));
        let pause = doubled.and_then(|times| FIRST.checked_mul(times));
        pause.map_or(self.delay_max, |pause| pause.min(self.delay_max))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// The times of all attempts after the first, at 1 s, of a record that fails each time.
    fn attempts(timeout: Option<u64>, delay_max: u64, most: usize) -> Vec<u64> {
        let patience = Patience {
            timeout: timeout.map(ms),
            delay_max: ms(delay_max),
        };
        let (mut held, mut now, mut at) = (None, ms(1_000), Vec::new());
        while at.len() < most {
            held = patience.failed(held.as_ref(), "away", now);
            let Some(held) = &held else { break };
            assert!(held.again_at > now, "time goes on");
            now = held.again_at;
            at.push(u64::try_from(now.as_millis()).unwrap() - 1_000);
        }
        at
    }

    #[test]
    fn pauses_double_up_to_the_longest_and_the_last_attempt_is_at_the_deadline() {
        assert_eq!(attempts(Some(3_000), 60_000, 9), [300, 900, 2_100, 3_000]);
        assert_eq!(
            attempts(Some(2_500), 500, 9),
            [300, 800, 1_300, 1_800, 2_300, 2_500]
        );
        assert_eq!(attempts(Some(100), 60_000, 9), [100]);
    }

    #[test]
    fn without_time_there_is_no_second_attempt_and_without_an_end_there_is_always_another() {
        assert!(attempts(Some(0), 60_000, 9).is_empty());
        let endless = attempts(None, 1_000, 200);
        assert_eq!(endless[..4], [300, 900, 1_900, 2_900]);
        assert_eq!(endless.len(), 200);
    }

    #[test]
    fn an_answer_that_is_on_its_way_is_no_failure_but_its_time_counts() {
        let patience = Patience {
            timeout: Some(ms(1_000)),
            delay_max: ms(60_000),
        };
        let pending = patience.pending(None, "asked", ms(0));
        let pending = patience.pending(Some(&pending), "asked", ms(5_000));
        assert_eq!(pending.again_at, ms(5_300));
        assert_eq!(patience.failed(Some(&pending), "away", ms(5_300)), None);
        let failed = patience.failed(None, "away", ms(5_300)).unwrap();
        assert_eq!(failed.again_at, ms(5_600));
    }
}
