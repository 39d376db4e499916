//! When a cut comes. Pure: the writer asks, this answers.

use std::time::Duration;

use crate::write::schedule::Schedule;

/// The longest that the first cut after a takeover waits: a worker that dies again and again gets
/// on between its deaths, and what its predecessor left is committed soon.
const TAKEOVER: Duration = Duration::from_secs(1);

/// The bytes of rows that cost as much as one more column of a file does.
const LEAF_BYTES: usize = 16 << 10;

/// What makes a cut due. Whichever limit is reached first counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CutPolicy {
    /// The age of the oldest buffered row or progress. Longer makes fewer, larger files; shorter
    /// leaves less to read again after a crash. Readers see the rows before the cut anyway. The
    /// first cut after a takeover comes after a second at most.
    pub interval: Duration,
    /// The buffered bytes in memory (several times the bytes of the file).
    pub bytes: usize,
    /// The most that these become for a table of many columns: each column of a file takes a place
    /// in its footer and time to begin and to end, however few values it has.
    pub bytes_wide: usize,
    /// The buffered rows.
    pub rows: usize,
    /// The partitions that the buffered rows belong to, each a file of the cut. A batch of some
    /// thousand rows counts as a whole, so there may be as many more.
    pub partitions: usize,
    /// The record time between the first and the newest record of a Kafka partition. Late data
    /// counts neither way; nor do times that can't be meant. Idle partitions wait for the interval.
    pub span: Option<Duration>,
    /// The clock on the wall: a cut at each of its moments, if there is anything to cut.
    pub schedule: Option<Schedule>,
}

impl Default for CutPolicy {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(10),
            bytes: 64 << 20,
            bytes_wide: 128 << 20,
            rows: 4_000_000,
            partitions: 10_000,
            span: None,
            schedule: None,
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
    /// The table's columns with values of their own.
    pub leaves: usize,
    /// The rows.
    pub rows: usize,
    /// The partitions of the rows that are published.
    pub partitions: usize,
    /// The longest record time that a Kafka partition has gone through.
    pub span: Duration,
    /// A moment of the schedule has passed since there is something to cut.
    pub scheduled: bool,
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
        age >= interval
            || pending.scheduled
            || self.span.is_some_and(|most| pending.span >= most)
            || self.is_full(pending)
            || (pending.pressed && pending.rows > 0)
    }

    /// Whether as much is buffered as a cut takes at most.
    pub fn is_full(&self, pending: &Pending) -> bool {
        pending.bytes >= self.bytes_of(pending.leaves)
            || pending.rows >= self.rows
            || pending.partitions >= self.partitions
    }

    fn bytes_of(&self, leaves: usize) -> usize {
        let wide = self.bytes.saturating_add(leaves.saturating_mul(LEAF_BYTES));
        wide.min(self.bytes_wide).max(self.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: CutPolicy = CutPolicy {
        interval: Duration::from_secs(10),
        bytes: 100,
        bytes_wide: 0,
        rows: 10,
        partitions: 5,
        span: Some(Duration::from_hours(1)),
        schedule: None,
    };

    /// Just below every limit.
    const BELOW: Pending = Pending {
        age: Some(Duration::from_millis(9_999)),
        bytes: 99,
        leaves: 1_000,
        rows: 9,
        partitions: 4,
        span: Duration::from_millis(3_599_999),
        scheduled: false,
        pressed: false,
        taken_over: false,
    };

    #[test]
    fn a_cut_is_due_by_whichever_limit_is_reached_first() {
        assert!(!POLICY.is_due(&BELOW));
        for reached in [
            Pending {
                age: Some(Duration::from_secs(10)),
                ..BELOW
            },
            Pending {
                bytes: 100,
                ..BELOW
            },
            Pending { rows: 10, ..BELOW },
            Pending {
                partitions: 5,
                ..BELOW
            },
            Pending {
                span: Duration::from_hours(1),
                ..BELOW
            },
            Pending {
                scheduled: true,
                ..BELOW
            },
            Pending {
                pressed: true,
                ..BELOW
            },
        ] {
            assert!(POLICY.is_due(&reached), "{reached:?}");
            let nothing = Pending {
                age: None,
                ..reached
            };
            assert!(!POLICY.is_due(&nothing), "never without progress");
        }
        let pressed = Pending {
            pressed: true,
            rows: 0,
            ..BELOW
        };
        assert!(!POLICY.is_due(&pressed), "progress alone takes no memory");
        let spanless = CutPolicy {
            span: None,
            ..POLICY
        };
        let long = Pending {
            span: Duration::MAX,
            ..BELOW
        };
        assert!(!spanless.is_due(&long));
    }

    #[test]
    fn a_cut_of_a_wide_table_is_larger_up_to_a_limit() {
        let policy = CutPolicy {
            bytes_wide: 10 * LEAF_BYTES,
            ..POLICY
        };
        for (leaves, bytes) in [
            (0, 100),
            (1, 100 + LEAF_BYTES),
            (9, 100 + 9 * LEAF_BYTES),
            (10, 10 * LEAF_BYTES),
            (usize::MAX, 10 * LEAF_BYTES),
        ] {
            let holding = |bytes| Pending {
                bytes,
                leaves,
                ..BELOW
            };
            assert!(policy.is_full(&holding(bytes)), "{leaves} leaves");
            assert!(!policy.is_full(&holding(bytes - 1)), "{leaves} leaves");
        }
    }

    #[test]
    fn the_first_cut_after_a_takeover_waits_a_second_at_most() {
        let after = |milliseconds| Pending {
            age: Some(Duration::from_millis(milliseconds)),
            taken_over: true,
            ..BELOW
        };
        assert!(POLICY.is_due(&after(1_000)));
        assert!(!POLICY.is_due(&after(999)));
    }
}
