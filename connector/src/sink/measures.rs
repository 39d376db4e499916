//! What a task counts of itself: plain data that its thread alone writes, copied out with its
//! status a few times a second, so that nothing of it costs a record more than an addition.

use std::time::Duration;

/// What a task has done since it was started, whatever it failed and started over meanwhile.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct TaskMeasures {
    /// Records that it got from Kafka.
    pub read: u64,
    /// Records that it handed to its tables.
    pub sent: u64,
    /// Batches, each with its number of records.
    pub batches: Windowed,
    /// The same of the records that went to tables.
    pub sends: Windowed,
    /// The time that batches took to be taken in, in seconds each.
    pub batch_seconds: Windowed,
    /// How long commits to tables took, in seconds each.
    pub commit_seconds: Windowed,
    /// Commits that ended well.
    pub commits: u64,
    /// Commits that were lost to another writer: what they had is read again.
    pub commits_lost: u64,
    /// What went wrong with records.
    pub errors: ErrorCounts,
}

impl TaskMeasures {
    /// Takes in a batch: its records, how many of them went to tables, and when that was.
    pub(crate) fn batch(&mut self, records: usize, sent: u64, from: Duration, to: Duration) {
        let records = u64::try_from(records).unwrap_or(u64::MAX);
        self.read += records;
        self.sent += sent;
        let (records, sent) = (records as f64, sent as f64);
        self.batches.add(records, to);
        self.sends.add(sent, to);
        let seconds = to.saturating_sub(from).as_secs_f64();
        self.batch_seconds.add(seconds, to);
    }

    /// Takes in a commit that ended well.
    pub(crate) fn commit(&mut self, from: Option<Duration>, to: Duration) {
        self.commits += 1;
        let seconds = to.saturating_sub(from.unwrap_or(to)).as_secs_f64();
        self.commit_seconds.add(seconds, to);
    }

    /// The same with what is too old let go.
    pub(super) fn turned(mut self, now: Duration) -> Self {
        for window in [
            &mut self.batches,
            &mut self.sends,
            &mut self.batch_seconds,
            &mut self.commit_seconds,
        ] {
            window.turn(now);
        }
        self
    }
}

/// What went wrong with a task's records.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ErrorCounts {
    /// Attempts that failed, also those that were tried again.
    pub failures: u64,
    /// Records that failed for good.
    pub errors: u64,
    /// Those of them that were set aside.
    pub skipped: u64,
    /// Attempts after a first one.
    pub retries: u64,
    /// Failures that were told in the log.
    pub logged: u64,
    /// Copies that were sent to the dead-letter topic.
    pub dead_letters: u64,
    /// Copies that the broker refused.
    pub dead_letters_failed: u64,
    /// When a record failed last, in milliseconds since the Unix epoch.
    pub last_error_ms: Option<i64>,
}

/// How long a window lasts. Kafka's clients keep two as well, of the same length.
const WINDOW: Duration = Duration::from_secs(30);

/// Values of the last 30 to 60 seconds, as Kafka's own metrics have them.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Windowed {
    current: Window,
    last: Window,
    /// When the current window began.
    since: Duration,
}

#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Window {
    count: u64,
    sum: f64,
    most: f64,
}

impl Windowed {
    /// Takes a value in, at `now` of a monotonic clock.
    pub(crate) fn add(&mut self, value: f64, now: Duration) {
        self.turn(now);
        self.current.count += 1;
        self.current.sum += value;
        self.current.most = self.current.most.max(value);
    }

    /// The mean of the values, 0 without any.
    pub fn average(&self) -> f64 {
        let count = self.current.count + self.last.count;
        match count {
            0 => 0.0,
            count => (self.current.sum + self.last.sum) / count as f64,
        }
    }

    /// The largest of the values, 0 without any.
    pub fn most(&self) -> f64 {
        self.current.most.max(self.last.most)
    }

    /// The sum of the values per second.
    pub fn per_second(&self, now: Duration) -> f64 {
        let passed = now.saturating_sub(self.since);
        let whole = match self.last {
            Window { count: 0, .. } => Duration::ZERO,
            _ => WINDOW,
        };
        (self.current.sum + self.last.sum) / (passed + whole).as_secs_f64().max(1.0)
    }

    /// Lets go of what is too old.
    pub(crate) fn turn(&mut self, now: Duration) {
        let passed = now.saturating_sub(self.since);
        if passed < WINDOW {
            return;
        }
        self.last = match passed < WINDOW * 2 {
            true => self.current,
            false => Window::default(),
        };
        self.current = Window::default();
        self.since = match passed < WINDOW * 2 {
            true => self.since + WINDOW,
            false => now,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn values_count_for_two_windows_and_then_no_more() {
        let mut values = Windowed::default();
        values.add(2.0, seconds(1));
        values.add(4.0, seconds(2));
        assert_eq!((values.average(), values.most()), (3.0, 4.0));
        values.add(12.0, seconds(31));
        assert_eq!((values.average(), values.most()), (6.0, 12.0));
        values.turn(seconds(61));
        assert_eq!((values.average(), values.most()), (12.0, 12.0));
        values.turn(seconds(200));
        assert_eq!((values.average(), values.most()), (0.0, 0.0));
    }

    #[test]
    fn a_rate_is_of_the_time_that_its_values_are_of() {
        let mut values = Windowed::default();
        values.add(100.0, seconds(5));
        assert_eq!(values.per_second(seconds(10)), 10.0);
        values.add(260.0, seconds(31));
        assert_eq!(values.per_second(seconds(36)), 10.0);
    }
}
