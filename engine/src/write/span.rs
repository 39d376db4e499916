//! How much record time a Kafka partition has gone through since the last cut. Pure.
//!
//! Only records that are no older than the newest so far count. Late data neither begins a span
//! nor ends one: a file that begins with last week's records is not full because today's follow.

use std::time::Duration;

/// The record time of one Kafka partition.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Span {
    newest_us: Option<i64>,
    begun_us: Option<i64>,
}

impl Span {
    /// Takes a record's time, in microseconds since the Unix epoch.
    pub(super) fn note(&mut self, time_us: i64) {
        if self.newest_us.is_none_or(|newest| time_us >= newest) {
            self.newest_us = Some(time_us);
            self.begun_us.get_or_insert(time_us);
        }
    }

    /// What was noted is in a cut.
    pub(super) fn cut(&mut self) {
        self.begun_us = None;
    }

    /// The time between the first and the newest record since the last cut.
    pub(super) fn length(&self) -> Duration {
        let length = self.newest_us.zip(self.begun_us);
        let length = length.map_or(0, |(newest, begun)| newest.saturating_sub(begun));
        Duration::from_micros(u64::try_from(length).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_goes_from_the_first_to_the_newest_and_late_data_has_no_part_in_it() {
        let mut span = Span::default();
        for (time, length) in [
            (1_000, 0),
            (1_400, 400),
            (200, 400),
            (1_399, 400),
            (1_900, 900),
        ] {
            span.note(time);
            assert_eq!(span.length(), Duration::from_micros(length), "{time}");
        }
        span.cut();
        // The next file begins with late data.
        for (time, length) in [(100, 0), (1_950, 0), (90, 0), (2_000, 50)] {
            span.note(time);
            assert_eq!(span.length(), Duration::from_micros(length), "{time}");
        }
        span.note(i64::MIN);
        span.note(i64::MAX);
        assert!(span.length() > Duration::from_hours(1));
    }
}
