//! The options of a replay that checks its own effect.

use std::time::Duration;

use crate::error::{Error, Result};

/// A replay that checks its own effect after the first records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Canary {
    /// So many records are sent before.
    pub records: u64,
    /// The query that has to answer true.
    pub expect: String,
    /// In so much time.
    pub within: Duration,
}

/// How long a canary waits where nothing else is said.
const WITHIN: Duration = Duration::from_secs(60);

/// What was asked of a canary so far.
#[derive(Default)]
pub(super) struct Asked {
    pub(super) records: Option<u32>,
    pub(super) expect: Option<String>,
    pub(super) within: Option<Duration>,
}

impl Asked {
    /// What they come to.
    ///
    /// # Errors
    /// `Invalid` when one of them is missing.
    pub(super) fn whole(self) -> Result<Option<Canary>> {
        match (self.records, self.expect) {
            (Some(records), Some(expect)) => Ok(Some(Canary {
                records: records.into(),
                expect,
                within: self.within.unwrap_or(WITHIN),
            })),
            (None, None) if self.within.is_none() => Ok(None),
            _ => Err(
                Error::invalid("`canary`, `expect` and `within` go together").with_hint(
                    "canary = 100, expect = 'SELECT count(*) >= 100 FROM results', within = '60s'",
                ),
            ),
        }
    }
}

/// The longest that a canary may wait.
const WITHIN_MAX: Duration = Duration::from_hours(24);

/// Reads how long a canary may wait.
///
/// # Errors
/// `Invalid` for what is no time, and for a time that is too long.
pub(super) fn within(value: &str) -> Result<Duration> {
    let digits = value.find(|c: char| !c.is_ascii_digit());
    let (number, unit) = value.split_at(digits.unwrap_or(value.len()));
    let ms = match unit.trim() {
        "ms" => Some(1),
        "s" => Some(1_000),
        "min" => Some(60_000),
        "h" => Some(3_600_000),
        _ => None,
    };
    let ms = ms.zip(number.parse::<u64>().ok());
    let within = ms.and_then(|(unit, number)| number.checked_mul(unit));
    let within = within.map(Duration::from_millis);
    within
        .filter(|within| !within.is_zero() && *within <= WITHIN_MAX)
        .ok_or_else(|| {
            Error::invalid(format!("within = `{value}` is not a time"))
                .with_hint("a time is `500ms`, `60s`, `5min`, `2h`; a day at most")
        })
}
