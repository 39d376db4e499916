//! Cuts by the clock on the wall: at midnight of a zone, and every so often from there. Pure.

use std::time::Duration;

use crate::error::{Error, Result};
use crate::partition::Zone;

const DAY_MS: i64 = 86_400_000;

/// When the clock asks for a cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schedule {
    every_ms: i64,
    zone: Zone,
}

impl Schedule {
    /// At each midnight of `zone`, and every `every` from there until the next.
    ///
    /// # Errors
    /// `Invalid` for less than a second or more than a day.
    pub fn new(every: Duration, zone: Zone) -> Result<Self> {
        let every_ms = i64::try_from(every.as_millis()).unwrap_or(i64::MAX);
        if !(1_000..=DAY_MS).contains(&every_ms) {
            return Err(Error::invalid("a schedule is every second to every day"));
        }
        Ok(Self { every_ms, zone })
    }

    /// The first moment of the schedule after `after_us`, both in microseconds since the Unix
    /// epoch. A moment that the clocks leave out is the one at which they are put forward; one that
    /// comes twice is two.
    pub fn next_us(&self, after_us: i64) -> i64 {
        self.next_ms(after_us.div_euclid(1_000))
            .saturating_mul(1_000)
    }

    fn next_ms(&self, after_ms: i64) -> i64 {
        let before = self.zone.offset_ms(after_ms);
        let wanted = self.on_the_wall(after_ms.saturating_add(before));
        let next = wanted - before;
        if self.zone.offset_ms(next) == before {
            return next;
        }
        // The clocks change on the way.
        let change = self.change_ms(after_ms, next, before);
        let since = self.zone.offset_ms(change);
        if since > before && wanted <= change + since {
            return change;
        }
        self.on_the_wall(change + since - 1) - since
    }

    /// The first local time of the schedule after another.
    fn on_the_wall(&self, local_ms: i64) -> i64 {
        let (day, time) = (local_ms.div_euclid(DAY_MS), local_ms.rem_euclid(DAY_MS));
        let next = (time / self.every_ms + 1) * self.every_ms;
        day * DAY_MS + next.min(DAY_MS)
    }

    /// The first moment in (`low`, `high`] at which the offset is another than `before`.
    fn change_ms(&self, mut low: i64, mut high: i64, before: i64) -> i64 {
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            match self.zone.offset_ms(middle) == before {
                true => low = middle,
                false => high = middle,
            }
        }
        high
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use chrono::{DateTime, SecondsFormat};

    fn next(zone: &str, minutes: u64, after: &str) -> String {
        let every = Duration::from_mins(minutes);
        let schedule = Schedule::new(every, Zone::parse(zone).unwrap()).unwrap();
        let after = DateTime::parse_from_rfc3339(after).unwrap();
        let next = schedule.next_us(after.timestamp_micros());
        let next = DateTime::from_timestamp_micros(next).unwrap();
        next.to_rfc3339_opts(SecondsFormat::Secs, true)
    }

    #[test]
    fn the_next_moment_is_counted_from_midnight_of_the_zone() {
        let (utc, berlin, kathmandu) = ("UTC", "Europe/Berlin", "Asia/Kathmandu");
        for (zone, minutes, after, expected) in [
            (utc, 60, "2026-11-23T10:00:00Z", "2026-11-23T11:00:00Z"),
            (utc, 60, "2026-11-23T10:59:59.999Z", "2026-11-23T11:00:00Z"),
            (utc, 1_440, "2026-11-23T00:00:00Z", "2026-11-24T00:00:00Z"),
            (
                berlin,
                1_440,
                "2026-11-23T22:59:00Z",
                "2026-11-23T23:00:00Z",
            ),
            (berlin, 360, "2026-11-23T23:00:00Z", "2026-11-24T05:00:00Z"),
            (
                kathmandu,
                60,
                "2026-11-23T10:00:00Z",
                "2026-11-23T10:15:00Z",
            ),
            // What doesn't divide the day begins anew at midnight.
            (utc, 420, "2026-11-23T21:30:00Z", "2026-11-24T00:00:00Z"),
            (utc, 420, "2026-11-24T00:00:00Z", "2026-11-24T07:00:00Z"),
        ] {
            assert_eq!(
                next(zone, minutes, after),
                expected,
                "{zone} {minutes} {after}"
            );
        }
    }

    #[test]
    fn clocks_that_change_neither_skip_a_moment_nor_wait_an_hour_too_long() {
        let (berlin, sao_paulo) = ("Europe/Berlin", "America/Sao_Paulo");
        for (zone, minutes, after, expected) in [
            // At 03:00 in summer time it is 02:00 again.
            (berlin, 60, "2026-10-25T00:00:00Z", "2026-10-25T01:00:00Z"),
            (berlin, 60, "2026-10-25T01:00:00Z", "2026-10-25T02:00:00Z"),
            (berlin, 15, "2026-10-25T00:50:00Z", "2026-10-25T01:00:00Z"),
            (berlin, 360, "2026-10-24T22:00:00Z", "2026-10-25T05:00:00Z"),
            (
                berlin,
                1_440,
                "2026-10-24T22:00:00Z",
                "2026-10-25T23:00:00Z",
            ),
            // At 02:00 it is 03:00.
            (berlin, 60, "2026-03-29T00:30:00Z", "2026-03-29T01:00:00Z"),
            (berlin, 60, "2026-03-29T01:00:00Z", "2026-03-29T02:00:00Z"),
            (berlin, 360, "2026-03-28T23:00:00Z", "2026-03-29T04:00:00Z"),
            (berlin, 150, "2026-03-29T00:59:00Z", "2026-03-29T01:00:00Z"),
            // Midnight itself is left out.
            (
                sao_paulo,
                1_440,
                "2017-10-15T02:30:00Z",
                "2017-10-15T03:00:00Z",
            ),
            (
                sao_paulo,
                1_440,
                "2017-10-15T03:00:00Z",
                "2017-10-16T02:00:00Z",
            ),
        ] {
            assert_eq!(
                next(zone, minutes, after),
                expected,
                "{zone} {minutes} {after}"
            );
        }
        assert!(Schedule::new(Duration::from_millis(999), Zone::UTC).is_err());
        assert!(Schedule::new(Duration::from_hours(25), Zone::UTC).is_err());
    }
}
