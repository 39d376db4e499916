//! What a token may send: so many events per second, counted down as they come.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Tokens whose count is kept. Beyond that all start anew, which lets each send a second's worth.
const MOST: usize = 20_000;

/// The counts of all tokens that have a rate.
#[derive(Debug, Default)]
pub(super) struct Rates(Mutex<HashMap<String, Bucket>>);

/// What is left of a second's worth; below zero after a batch that was larger.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    left: f64,
    at: Duration,
}

impl Rates {
    /// Counts `events` of a token, or says how long to wait. Whoever has anything left may send a
    /// whole batch, and waits for longer after it.
    ///
    /// # Errors
    /// How long until the token may send again.
    pub(super) fn take(
        &self,
        token: &str,
        rate: u32,
        events: usize,
        now: Duration,
    ) -> Result<(), Duration> {
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= MOST && !buckets.contains_key(token) {
            buckets.clear();
        }
        let rate = f64::from(rate);
        let bucket = buckets.entry(token.to_owned()).or_insert(Bucket {
            left: rate,
            at: now,
        });
        let passed = now.saturating_sub(bucket.at).as_secs_f64();
        bucket.left = (bucket.left + passed * rate).min(rate);
        bucket.at = now;
        if bucket.left < 1.0 {
            return Err(Duration::from_secs_f64((1.0 - bucket.left) / rate));
        }
        bucket.left -= count(events);
        Ok(())
    }
}

fn count(events: usize) -> f64 {
    u32::try_from(events).map_or(f64::from(u32::MAX), f64::from)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_second_has_a_seconds_worth_and_a_large_batch_is_paid_back() {
        let rates = Rates::default();
        let at = Duration::from_millis;
        for _ in 0..10 {
            rates.take("a", 10, 1, at(0)).unwrap();
        }
        assert_eq!(rates.take("a", 10, 1, at(0)), Err(at(100)));
        rates.take("b", 10, 1, at(0)).unwrap();
        rates.take("a", 10, 1, at(100)).unwrap();
        // A batch of three seconds' worth, sent with one second's left.
        rates.take("a", 10, 30, at(5_000)).unwrap();
        assert!(rates.take("a", 10, 1, at(7_000)).is_err());
        rates.take("a", 10, 1, at(7_100)).unwrap();
    }
}
