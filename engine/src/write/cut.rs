//! When a cut comes. Pure: the writer asks, this answers.

use std::time::Duration;

/// The longest that the first cut after a takeover waits: a worker that dies again and again gets
/// on between its deaths, and what its predecessor left is committed soon.
const TAKEOVER: Duration = Duration::from_secs(1);

/// What makes a cut due. Whichever limit is reached first counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CutPolicy {
    /// The age of the oldest buffered row or progress. Longer makes fewer, larger files; shorter
    /// leaves less to read again after a crash. Readers see the rows before the cut anyway. The
    /// first cut after a takeover comes after a second at most.
    pub interval: Duration,
    /// The buffered bytes in memory (several times the bytes of the file).
    pub bytes: usize,
    /// The buffered rows.
    pub rows: usize,
}

impl Default for CutPolicy {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(10),
            bytes: 64 << 20,
            rows: 4_000_000,
        }
    }
}

/// What is buffered for the next cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pending {
    /// How long the oldest row or progress has waited; `None` when there is nothing to cut.
    pub age: Option<Duration>,
    /// The bytes in memory.
    pub bytes: usize,
    /// The rows.
    pub rows: usize,
    /// The memory budget asks this writer to cut.
    pub pressed: bool,
    /// Nothing was committed yet since partitions were taken over that have a position.
    pub taken_over: bool,
}

impl CutPolicy {
    /// Whether a cut is due.
    pub fn is_due(&self, pending: &Pending) -> bool {
        let Some(age) = pending.age else {
            return false;
        };
        let interval = if pending.taken_over {
            self.interval.min(TAKEOVER)
        } else {
            self.interval
        };
        age >= interval || self.is_full(pending) || (pending.pressed && pending.rows > 0)
    }

    /// Whether as much is buffered as a cut takes at most.
    pub fn is_full(&self, pending: &Pending) -> bool {
        pending.bytes >= self.bytes || pending.rows >= self.rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_is_due_by_age_bytes_rows_or_pressure_but_never_without_progress() {
        let policy = CutPolicy {
            interval: Duration::from_secs(10),
            bytes: 100,
            rows: 10,
        };
        let young = Pending {
            age: Some(Duration::from_secs(1)),
            bytes: 99,
            rows: 9,
            pressed: false,
            taken_over: false,
        };
        let full = Pending {
            age: None,
            bytes: 100,
            rows: 10,
            pressed: true,
            taken_over: true,
        };
        assert!(!policy.is_due(&young));
        assert!(!policy.is_due(&full));
        assert!(policy.is_due(&Pending {
            bytes: 100,
            ..young
        }));
        assert!(policy.is_due(&Pending { rows: 10, ..young }));
        assert!(policy.is_due(&Pending {
            pressed: true,
            ..young
        }));
        let old = Some(Duration::from_secs(10));
        assert!(policy.is_due(&Pending {
            age: old,
            rows: 0,
            ..young
        }));
        let taken_over = Pending {
            taken_over: true,
            ..young
        };
        assert!(policy.is_due(&taken_over), "after a second, not after ten");
        assert!(!policy.is_due(&Pending {
            age: Some(Duration::from_millis(999)),
            ..taken_over
        }));
    }
}
