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

    /// Whether anything is to be kept to.
    pub fn is_bound(&self) -> bool {
        self.records.is_some() || self.bytes.is_some() || self.recorded.is_some()
    }

    /// What went out so far has arrived only `now`: the rates and gaps begin here.
    pub fn begin(&mut self, now: Duration) {
        for bucket in [&mut self.records, &mut self.bytes].into_iter().flatten() {
            bucket.anchor = now;
        }
        let recorded = self.recorded.as_mut();
        if let Some((at, _)) = recorded.and_then(|recorded| recorded.anchor.as_mut()) {
            *at = now;
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
mod tests;
