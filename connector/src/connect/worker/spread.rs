//! Which worker of a group does what. Pure.
//!
//! The group shares a topic of empty partitions, which Kafka's group protocol spreads over the
//! workers. Task `i` of a connector runs where its partition is; the connector itself, its state
//! and what is noted of it, is with its first task.

use std::collections::BTreeSet;

/// The partitions of the topic that spreads the work: the most workers that have something to do.
pub(super) const PARTITIONS: i32 = 64;

/// What this worker was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Owned {
    /// It is alone.
    Everything,
    /// What falls on these partitions.
    Partitions {
        /// How many there are.
        count: i32,
        /// Those of this worker.
        mine: BTreeSet<i32>,
    },
}

impl Owned {
    /// Whether it runs this task.
    pub(super) fn has_task(&self, connector: &str, task: usize) -> bool {
        match self {
            Self::Everything => true,
            Self::Partitions { count, mine } => {
                mine.contains(&partition_of(connector, task, *count))
            }
        }
    }

    /// Whether it keeps the connector's state.
    pub(super) fn has_connector(&self, connector: &str) -> bool {
        self.has_task(connector, 0)
    }

    /// The tasks that it runs, of `count`.
    pub(super) fn tasks(&self, connector: &str, count: usize) -> BTreeSet<usize> {
        (0..count)
            .filter(|task| self.has_task(connector, *task))
            .collect()
    }
}

/// How far the partitions of a connector's neighbouring tasks are apart. Kafka's assignors deal
/// partitions out one by one or give each worker a range: with this step no worker gets more than
/// one task above its share of up to eight, with two to five workers of either kind.
const STEP: u64 = 23;

/// Where a task belongs.
fn partition_of(connector: &str, task: usize, count: i32) -> i32 {
    let count = u64::try_from(count).unwrap_or(1).max(1);
    let task = u64::try_from(task).unwrap_or(0);
    let at = (hash(connector) % count + task % count * STEP) % count;
    i32::try_from(at).unwrap_or(0)
}

/// FNV-1a with 64 bits: every worker of every version has to agree.
fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As Kafka's assignors give partitions to `count` workers: dealt out, or in ranges.
    fn workers(count: i32, ranges: bool) -> Vec<Owned> {
        let whose = |at: i32| match ranges {
            true => at * count / PARTITIONS,
            false => at % count,
        };
        let of = |worker| Owned::Partitions {
            count: PARTITIONS,
            mine: (0..PARTITIONS).filter(|at| whose(*at) == worker).collect(),
        };
        (0..count).map(of).collect()
    }

    #[test]
    fn each_task_runs_on_one_worker_and_those_of_a_connector_are_spread() {
        for (count, ranges) in [(2, false), (2, true), (3, false), (3, true), (5, true)] {
            for name in (0..200).map(|number| format!("c{number}")) {
                let mut seen = BTreeSet::new();
                for worker in workers(count, ranges) {
                    let tasks = worker.tasks(&name, 6);
                    let share = 6_usize.div_ceil(usize::try_from(count).unwrap_or(1));
                    assert!(tasks.len() <= share + 1, "{name}: {tasks:?}");
                    assert_eq!(worker.has_connector(&name), tasks.contains(&0));
                    seen.extend(tasks);
                }
                assert_eq!(seen, (0..6).collect());
                assert_eq!(Owned::Everything.tasks(&name, 6), seen);
            }
        }
    }

    #[test]
    fn where_a_task_belongs_never_changes() {
        assert_eq!(hash(""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(hash("a"), 0xaf63_dc4c_8601_ec8c);
        let at = |task| partition_of("a", task, PARTITIONS);
        assert_eq!([at(0), at(1), at(52), at(64)], [12, 35, 56, 12]);
        assert_eq!(
            partition_of("a", 5, 0),
            0,
            "a count that can't be harms nobody"
        );
    }
}
