//! When the files of a Kafka partition end: after so many records of it, or so much of their time.
//! Pure.
//!
//! A rotation is of one Kafka partition and ends all of its files, whatever encoded partitions they
//! are of; only a record begins one.

use std::collections::HashMap;
use std::time::Duration;

use crate::write::{CutPolicy, Pending};

/// The longest that whole rotations wait for a commit after a takeover.
const TAKEOVER: Duration = Duration::from_secs(1);

/// When a rotation ends. Whichever limit is reached first counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotation {
    /// The records of it, or, `per_file`, of one of its files.
    pub records: Option<u64>,
    /// Whether `records` counts each encoded partition by itself.
    pub per_file: bool,
    /// The time from its first record to the next one.
    pub span: Option<Duration>,
    /// Whether, where there is a `span`, a record of another encoded partition ends it.
    pub on_change: bool,
    /// Whether a commit leaves open rotations for later. Else it takes them along, and they end.
    pub whole: bool,
    /// The age at which an open rotation is committed all the same: a topic that has become quiet
    /// must not lose what its broker forgets.
    pub open_most: Duration,
}

/// The rotations of one Kafka partition since the last cut.
#[derive(Debug, Clone, Default)]
pub(crate) struct Group {
    open: Option<Open>,
    /// The end of the last whole rotation.
    pub(crate) ended_at: Option<i64>,
}

#[derive(Debug, Clone)]
struct Open {
    start: i64,
    since: Duration,
    first_us: i64,
    rows: u64,
    last_folder: String,
    per_file: HashMap<String, u64>,
}

/// A record that goes into a rotation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row<'a> {
    pub(crate) offset: i64,
    pub(crate) time_us: i64,
    pub(crate) folder: &'a str,
}

/// What a commit takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Take {
    Nothing,
    /// Rotations that have ended.
    Whole,
    /// Everything.
    All,
}

impl Rotation {
    /// Puts a record, the next of its Kafka partition, into a rotation; answers where that began.
    pub(crate) fn add(&self, group: &mut Group, row: Row<'_>, now: Duration) -> i64 {
        if group
            .open
            .as_ref()
            .is_some_and(|open| self.ends_before(open, row))
        {
            group.open = None;
            group.ended_at = Some(row.offset);
        }
        let open = group.open.get_or_insert_with(|| Open {
            start: row.offset,
            since: now,
            first_us: row.time_us,
            rows: 0,
            last_folder: String::new(),
            per_file: HashMap::new(),
        });
        open.rows += 1;
        if self.span.is_some() && open.last_folder != row.folder {
            row.folder.clone_into(&mut open.last_folder);
        }
        let count = match self.per_file {
            true => {
                let count = open.per_file.entry(row.folder.to_owned()).or_default();
                *count += 1;
                *count
            }
            false => open.rows,
        };
        let start = open.start;
        if self.records.is_some_and(|most| count >= most) {
            group.open = None;
            group.ended_at = Some(row.offset.saturating_add(1));
        }
        start
    }

    fn ends_before(&self, open: &Open, row: Row<'_>) -> bool {
        let Some(span) = self.span else {
            return false;
        };
        let span_us = i64::try_from(span.as_micros()).unwrap_or(i64::MAX);
        row.time_us.saturating_sub(open.first_us) >= span_us
            || self.on_change && open.last_folder != row.folder
    }

    /// What is to be committed now, of what is `pending`; `whole` is the age of the oldest rotation
    /// that has ended.
    pub(crate) fn take(
        &self,
        policy: &CutPolicy,
        pending: &Pending,
        whole: Option<Duration>,
    ) -> Take {
        let Some(age) = pending.age else {
            return Take::Nothing;
        };
        let wait = match pending.taken_over {
            true => policy.interval.min(TAKEOVER),
            false => policy.interval,
        };
        // Progress past what is no record makes no file, so it ends none too early.
        let keeps = self.whole && pending.rows > 0;
        let full = policy.is_full(pending);
        let all = pending.scheduled
            || (pending.pressed && pending.rows > 0)
            || age >= self.open_most
            || (!keeps && age >= wait)
            || (full && whole.is_none());
        match whole {
            _ if all => Take::All,
            Some(whole) if full || whole >= wait => Take::Whole,
            _ => Take::Nothing,
        }
    }
}

impl Group {
    /// Where the open rotation began to wait.
    pub(crate) fn open_since(&self) -> Option<Duration> {
        self.open.as_ref().map(|open| open.since)
    }

    /// Everything of it is in a cut.
    pub(crate) fn cut(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const USUAL: Rotation = Rotation {
        records: None,
        per_file: false,
        span: None,
        on_change: true,
        whole: true,
        open_most: Duration::from_hours(24),
    };

    /// Where the rotation of each record begins; a record is its offset, seconds and folder.
    fn starts(rotation: &Rotation, rows: &[(i64, i64, &str)]) -> (Vec<i64>, Option<i64>) {
        let mut group = Group::default();
        let rows = rows.iter().map(|(offset, seconds, folder)| Row {
            offset: *offset,
            time_us: seconds * 1_000_000,
            folder,
        });
        let starts = rows.map(|row| rotation.add(&mut group, row, Duration::ZERO));
        (starts.collect(), group.ended_at)
    }

    #[test]
    fn flush_size_counts_the_records_of_a_kafka_partition_over_all_folders() {
        let rotation = Rotation {
            records: Some(3),
            ..USUAL
        };
        let rows = [
            (5, 0, "a"),
            (6, 0, "b"),
            (9, 0, "a"),
            (10, 0, "b"),
            (11, 0, "b"),
        ];
        assert_eq!(starts(&rotation, &rows), (vec![5, 5, 5, 10, 10], Some(10)));
        let per_file = Rotation {
            records: Some(2),
            per_file: true,
            ..USUAL
        };
        assert_eq!(starts(&per_file, &rows), (vec![5, 5, 5, 10, 10], Some(12)));
    }

    #[test]
    fn a_rotation_ends_by_the_time_since_its_first_record_and_by_a_change_of_folder() {
        let rotation = Rotation {
            span: Some(Duration::from_secs(10)),
            on_change: false,
            ..USUAL
        };
        let rows = [
            (0, 100, "a"),
            (1, 109, "b"),
            (2, 90, "a"),
            (3, 110, "a"),
            (4, 119, "a"),
        ];
        assert_eq!(starts(&rotation, &rows), (vec![0, 0, 0, 3, 3], Some(3)));
        let on_change = Rotation {
            on_change: true,
            ..rotation
        };
        assert_eq!(starts(&on_change, &rows), (vec![0, 1, 2, 3, 3], Some(3)));
        let spanless = Rotation {
            span: None,
            ..on_change
        };
        assert_eq!(starts(&spanless, &rows), (vec![0; 5], None));
    }

    #[test]
    fn whole_rotations_are_taken_soon_and_open_ones_only_when_they_must() {
        let policy = CutPolicy {
            interval: Duration::from_secs(5),
            bytes: 100,
            ..CutPolicy::default()
        };
        let second = Duration::from_secs;
        let pending = Pending {
            age: Some(second(60)),
            bytes: 99,
            rows: 1,
            ..Pending::default()
        };
        let full = Pending {
            bytes: 100,
            ..pending
        };
        let none = Pending {
            age: None,
            ..pending
        };
        let scheduled = Pending {
            scheduled: true,
            ..pending
        };
        let old = Pending {
            age: Some(Duration::from_hours(24)),
            ..pending
        };
        let progress = Pending { rows: 0, ..pending };
        let taken_over = Pending {
            taken_over: true,
            ..pending
        };
        for (pending, whole, take) in [
            (pending, None, Take::Nothing),
            (pending, Some(second(4)), Take::Nothing),
            (pending, Some(second(5)), Take::Whole),
            (taken_over, Some(second(1)), Take::Whole),
            (full, Some(second(0)), Take::Whole),
            (full, None, Take::All),
            (scheduled, None, Take::All),
            (old, None, Take::All),
            (progress, None, Take::All),
            (none, Some(second(9)), Take::Nothing),
        ] {
            assert_eq!(USUAL.take(&policy, &pending, whole), take, "{pending:?}");
        }
        let eager = Rotation {
            whole: false,
            ..USUAL
        };
        assert_eq!(eager.take(&policy, &pending, None), Take::All);
    }
}
