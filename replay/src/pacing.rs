//! How fast a replay may go, by a rate or by the records' own times: pure arithmetic on the clock's
//! time, exact over any length of time.
//!
//! Every record has a due time, computed from a fixed anchor and not from the record before it, so
//! no rounding adds up. Who falls behind may catch up for [`BEHIND_MAX`] and no more: a destination
//! that was down for an hour is not hit by an hour's records at once.

use std::time::Duration;

use crate::error::{Error, Result};

/// The most that is sent, in records, in bytes, or both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rate {
    /// Records a period.
    pub records: Option<Limit>,
    /// Bytes (of key and value) a period.
    pub bytes: Option<Limit>,
}

/// An amount a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// How much; never 0.
    pub amount: u64,
    /// In what time; never 0.
    pub period: Duration,
}

impl Limit {
    /// The time that `amount` takes, rounded up to a nanosecond.
    pub fn time_for(self, amount: u64) -> Duration {
        let nanos = u128::from(amount) * self.period.as_nanos();
        let nanos = nanos.div_ceil(u128::from(self.amount.max(1)));
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// The part of it that `records` of `all` have. The parts of all of them together are no more
    /// than it.
    fn share(self, records: u64, all: u64) -> Self {
        let nanos = self.period.as_nanos() * u128::from(all.max(1));
        let nanos = nanos.div_ceil(u128::from(records.max(1)));
        Self {
            period: Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)),
            ..self
        }
    }
}

impl Rate {
    /// The rate of a shard that has `records` of `all`: all shards together go no faster than this.
    pub(crate) fn share(self, records: u64, all: u64) -> Self {
        Self {
            records: self.records.map(|limit| limit.share(records, all)),
            bytes: self.bytes.map(|limit| limit.share(records, all)),
        }
    }

    /// Parses `500/s`, `2MB/s`, `1.5MiB/min`, or two of them with a comma between.
    ///
    /// # Errors
    /// `Invalid` for anything else, and for a rate of nothing.
    pub fn parse(text: &str) -> Result<Self> {
        let mut rate = Self::default();
        for part in text.split(',') {
            let Some((is_bytes, limit)) = parse_limit(part.trim()) else {
                return Err(
                    Error::invalid(format!("rate = `{text}` is not a rate")).with_hint(
                        "records: `500/s`; bytes: `2MB/s`, `512KiB/s`; both: `500/s, 2MB/s`; \
                     the time may be s, min or h",
                    ),
                );
            };
            let slot = if is_bytes {
                &mut rate.bytes
            } else {
                &mut rate.records
            };
            *slot = Some(limit);
        }
        Ok(rate)
    }

    /// How long this many records and bytes take at this rate.
    pub fn time_for(&self, records: u64, bytes: u64) -> Duration {
        let records = self.records.map(|limit| limit.time_for(records));
        let bytes = self.bytes.map(|limit| limit.time_for(bytes));
        records.max(bytes).unwrap_or_default()
    }
}

/// How the gaps between records are to their gaps when they were recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Speed {
    /// So much recorded time; never 0.
    recorded: u64,
    /// In so much time; never 0.
    replayed: u64,
}

impl Speed {
    /// Parses `1`, `2.5`, `10x`; `None` is unbounded: `max`.
    ///
    /// # Errors
    /// `Invalid` for anything else, and for no speed at all.
    pub fn parse(text: &str) -> Result<Option<Self>> {
        let word = text.trim().to_ascii_lowercase();
        if word == "max" || word == "unbounded" {
            return Ok(None);
        }
        let number = word.strip_suffix('x').unwrap_or(&word).trim_end();
        parse_speed(number).map(Some).ok_or_else(|| {
            Error::invalid(format!("speed = `{text}` is not a speed")).with_hint(
                "`1` is as recorded, `10` ten times as fast, `0.5` half as fast, `max` unbounded; \
                 from 0.001 to 1000000",
            )
        })
    }

    /// How long what took `recorded` takes, rounded up to a nanosecond.
    pub fn time_for(self, recorded: Duration) -> Duration {
        let nanos = recorded.as_nanos() * u128::from(self.replayed);
        let nanos = nanos.div_ceil(u128::from(self.recorded.max(1)));
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

/// Digits and a point, exactly.
fn parse_speed(number: &str) -> Option<Speed> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || whole.len() > 7 || fraction.len() > 3 {
        return None;
    }
    if !digits(whole) || !digits(fraction) {
        return None;
    }
    let replayed = 10_u64.pow(u32::try_from(fraction.len()).ok()?);
    let recorded = format!("{whole}{fraction}").parse().ok()?;
    let most = replayed.saturating_mul(1_000_000);
    (recorded > 0 && recorded <= most).then_some(Speed { recorded, replayed })
}

/// How far a replay may lag behind its own rate and still catch up at full speed. Long enough for
/// timers and round trips, short enough that no destination notices the burst.
pub const BEHIND_MAX: Duration = Duration::from_millis(100);

/// When the next record may go out.
#[derive(Debug)]
pub struct Pacing {
    records: Option<Bucket>,
    bytes: Option<Bucket>,
    recorded: Option<Recorded>,
}

/// The times at which records go out that keep their gaps.
#[derive(Debug)]
struct Recorded {
    speed: Speed,
    /// When what time went out; `None` before the first record.
    anchor: Option<(Duration, i64)>,
    /// The latest time that went out: one that is earlier is due with it.
    latest_ms: i64,
}

#[derive(Debug)]
struct Bucket {
    limit: Limit,
    anchor: Duration,
    sent: u64,
}

impl Pacing {
    /// A pacing that begins at `now` (the clock's monotonic time).
    pub fn new(rate: Option<Rate>, speed: Option<Speed>, now: Duration) -> Self {
        let rate = rate.unwrap_or_default();
        let bucket = |limit| Bucket {
            limit,
            anchor: now,
            sent: 0,
        };
        Self {
            records: rate.records.map(bucket),
            bytes: rate.bytes.map(bucket),
            recorded: speed.map(|speed| Recorded {
                speed,
                anchor: None,
                latest_ms: i64::MIN,
            }),
        }
    }

    /// How long the next record, recorded at `timestamp_ms`, must wait; zero: it may go out.
    pub fn wait(&self, now: Duration, timestamp_ms: Option<i64>) -> Duration {
        let buckets = [&self.records, &self.bytes];
        let due = buckets.into_iter().flatten().map(Bucket::due).max();
        let recorded = self.recorded.as_ref();
        let due = due.max(recorded.and_then(|recorded| recorded.due(timestamp_ms?)));
        due.unwrap_or_default().saturating_sub(now)
    }

    /// A record of this many bytes, recorded at `timestamp_ms`, goes out now.
    pub fn sent(&mut self, now: Duration, timestamp_ms: Option<i64>, bytes: u64) {
        if let (Some(recorded), Some(timestamp_ms)) = (&mut self.recorded, timestamp_ms) {
            recorded.sent(now, timestamp_ms);
        }
        for (bucket, amount) in [(&mut self.records, 1), (&mut self.bytes, bytes)] {
            if let Some(bucket) = bucket {
                bucket.sent(now, amount);
            }
        }
    }
}

impl Recorded {
    /// When a record of this time is to go out; at once if none went out before.
    fn due(&self, timestamp_ms: i64) -> Option<Duration> {
        let (at, of_ms) = self.anchor?;
        let time_ms = timestamp_ms.max(self.latest_ms);
        let gap = u64::try_from(time_ms.saturating_sub(of_ms)).unwrap_or(0);
        let gap = self.speed.time_for(Duration::from_millis(gap));
        Some(at.saturating_add(gap))
    }

    fn sent(&mut self, now: Duration, timestamp_ms: i64) {
        let earliest = now.saturating_sub(BEHIND_MAX);
        match self.due(timestamp_ms) {
            None => self.anchor = Some((now, timestamp_ms)),
            // Who fell further behind goes on from here with the same gaps.
            Some(due) if due < earliest => {
                self.anchor = Some((earliest, timestamp_ms.max(self.latest_ms)));
            }
            Some(_) => {}
        }
        self.latest_ms = timestamp_ms.max(self.latest_ms);
    }
}

impl Bucket {
    /// The time at which everything sent so far is paid for.
    fn due(&self) -> Duration {
        self.anchor.saturating_add(self.limit.time_for(self.sent))
    }

    fn sent(&mut self, now: Duration, amount: u64) {
        let earliest = now.saturating_sub(BEHIND_MAX);
        if self.due() < earliest {
            self.anchor = earliest;
            self.sent = 0;
        }
        self.sent = self.sent.saturating_add(amount);
    }
}

fn parse_limit(text: &str) -> Option<(bool, Limit)> {
    let (amount, period) = text.split_once('/')?;
    let period = match period.trim() {
        "s" | "sec" | "second" => 1,
        "m" | "min" | "minute" => 60,
        "h" | "hour" => 3600,
        _ => return None,
    };
    let amount = amount.trim();
    let digits = amount.find(|c: char| !c.is_ascii_digit() && c != '.');
    let (number, unit) = amount.split_at(digits.unwrap_or(amount.len()));
    let scale = match unit.trim().to_ascii_lowercase().as_str() {
        "" => None,
        "b" => Some(1.0),
        "kb" => Some(1e3),
        "mb" => Some(1e6),
        "gb" => Some(1e9),
        "kib" => Some(1024.0),
        "mib" => Some(1024.0 * 1024.0),
        "gib" => Some(1024.0 * 1024.0 * 1024.0),
        _ => return None,
    };
    let number: f64 = number.parse().ok()?;
    let amount = (number * scale.unwrap_or(1.0)).round();
    // Beyond this a rate is a slip of the finger; and the arithmetic stays exact.
    if !(1.0..=1e15).contains(&amount) {
        return None;
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the range is checked above"
    )]
    let amount = amount as u64;
    Some((
        scale.is_some(),
        Limit {
            amount,
            period: Duration::from_secs(period),
        },
    ))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    /// Sends as fast as the pacing allows until `until`; the times of sending.
    fn send_until(pacing: &mut Pacing, from: Duration, until: Duration, bytes: u64) -> Vec<u128> {
        let mut now = from;
        let mut times = Vec::new();
        loop {
            now += pacing.wait(now, None);
            if now >= until {
                return times;
            }
            pacing.sent(now, None, bytes);
            times.push(now.as_nanos());
        }
    }

    #[test]
    fn the_rate_is_exact_on_a_turned_clock() {
        for (text, seconds, wanted) in [("500/s", 10, 5_000), ("7/s", 1_000, 7_000)] {
            let mut pacing = Pacing::new(Some(Rate::parse(text).unwrap()), None, Duration::ZERO);
            let until = Duration::from_secs(seconds);
            let times = send_until(&mut pacing, Duration::ZERO, until, 100);
            assert_eq!(times.len(), wanted, "{text}");
        }
        let mut pacing = Pacing::new(Some(Rate::parse("2MB/s").unwrap()), None, Duration::ZERO);
        let times = send_until(&mut pacing, Duration::ZERO, Duration::from_secs(5), 1_000);
        assert_eq!(times.len(), 10_000);
    }

    #[test]
    fn the_tighter_of_two_limits_holds() {
        let rate = Rate::parse("500/s, 100kB/s").unwrap();
        let mut pacing = Pacing::new(Some(rate), None, Duration::ZERO);
        let times = send_until(&mut pacing, Duration::ZERO, Duration::from_secs(10), 1_000);
        assert_eq!(times.len(), 1_000);
    }

    #[test]
    fn a_stall_is_not_followed_by_a_burst() {
        let mut pacing = Pacing::new(Some(Rate::parse("1000/s").unwrap()), None, Duration::ZERO);
        let hour = Duration::from_secs(3600);
        let at_once = send_until(&mut pacing, hour, hour + Duration::from_nanos(1), 1);
        assert_eq!(at_once.len(), 101);
    }

    #[test]
    fn slips_of_the_finger_are_not_rates() {
        for text in [
            "", "500", "0/s", "500/x", "-1/s", "5MX/s", "1e9/s", "0.4B/s", "/s",
        ] {
            assert!(Rate::parse(text).is_err(), "{text}");
        }
        let rate = Rate::parse("1.5 KiB/min").unwrap().bytes.unwrap();
        assert_eq!((rate.amount, rate.period.as_secs()), (1536, 60));
    }

    /// When records of these times go out, each as soon as it may.
    fn sent_at(speed: &str, times_ms: &[i64]) -> Vec<u64> {
        let mut pacing = Pacing::new(None, Speed::parse(speed).unwrap(), Duration::ZERO);
        let mut now = Duration::from_secs(5);
        let sent = times_ms.iter().map(|time_ms| {
            now += pacing.wait(now, Some(*time_ms));
            pacing.sent(now, Some(*time_ms), 1);
            u64::try_from(now.as_micros()).unwrap() - 5_000_000
        });
        sent.collect()
    }

    #[test]
    fn gaps_are_exact_at_any_speed() {
        let times = [1_000, 1_001, 1_001, 4_000, 3_000, 3_600_000 + 1_000];
        let as_recorded = [0, 1_000, 1_000, 3_000_000, 3_000_000, 3_600_000_000];
        assert_eq!(sent_at("1", &times), as_recorded);
        let slower = as_recorded.map(|micros| micros * 4);
        assert_eq!(sent_at("0.25x", &times), slower);
        let faster = as_recorded.map(|micros| micros / 100);
        assert_eq!(sent_at("100", &times), faster);
        assert_eq!(sent_at("max", &times), [0; 6]);
    }

    #[test]
    fn a_stall_moves_what_follows_and_keeps_its_gaps() {
        let mut pacing = Pacing::new(None, Speed::parse("1").unwrap(), Duration::ZERO);
        pacing.sent(Duration::ZERO, Some(0), 1);
        let late = Duration::from_secs(10);
        assert_eq!(pacing.wait(late, Some(500)), Duration::ZERO);
        pacing.sent(late, Some(500), 1);
        // What was missed isn't made up for, but for the little that timers need.
        let next = pacing.wait(late, Some(1_500));
        assert_eq!(next, Duration::from_secs(1) - BEHIND_MAX);
        assert_eq!(pacing.wait(late, None), Duration::ZERO);
    }

    #[test]
    fn what_is_no_speed_is_refused() {
        for text in [
            "", "0", "0.0", "-1", "fast", "1.0001", "1e3", "10000000", "x", ".",
        ] {
            assert!(Speed::parse(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_window_holds_more_than_its_share(
            amount in 1u64..100_000,
            stalls in prop::collection::vec((0u64..300, 1usize..50), 1..20),
        ) {
            let limit = Limit { amount, period: Duration::from_secs(1) };
            let rate = Rate { records: Some(limit), bytes: None };
            let mut pacing = Pacing::new(Some(rate), None, Duration::ZERO);
            let mut now = Duration::ZERO;
            let mut times = Vec::new();
            for (stall_ms, count) in stalls {
                now += Duration::from_millis(stall_ms);
                for _ in 0..count {
                    now += pacing.wait(now, None);
                    pacing.sent(now, None, 1);
                    times.push(now);
                }
            }
            for (first, from) in times.iter().enumerate() {
                for (last, to) in times.iter().enumerate().skip(first) {
                    let sent = (last - first + 1) as f64;
                    let window = (*to - *from + BEHIND_MAX).as_secs_f64();
                    prop_assert!(sent <= window * amount as f64 + 1.001);
                }
            }
        }
    }
}
