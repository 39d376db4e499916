//! Everything that Kafka holds of a topic by now, committed: what an erasure begins with (P16).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use eddy_engine::read::SnapshotCache;
use eddy_engine::{Lake, Position, TopicId};

use crate::connect::connectors::{Connectors, Running};
use crate::error::{Error, ErrorKind, Result};
use crate::kafka::{Admin, Watermarks};
use crate::sink::{PartitionState, TaskHandle};

/// Between two looks at the table.
const LOOK: Duration = Duration::from_millis(100);

impl Connectors {
    /// Waits until the table of `topic` in `lake` has everything that Kafka holds of it now, and
    /// has this process's tasks commit for that. Blocks.
    ///
    /// # Errors
    /// `NotFound` when this process doesn't keep the table (it doesn't read partition 0 of the
    /// topic); `Unavailable` when the broker doesn't answer, or not everything was committed
    /// `within`.
    pub fn settle(
        &self,
        lake: &Lake,
        topics_dir: &str,
        topic: &str,
        within: Duration,
    ) -> Result<()> {
        let kept = self.all().into_iter().find(|running| {
            running.lake.is(lake)
                && running.config.topics_dir == topics_dir
                && reads_first(&running.tasks(), topic)
        });
        let Some(running) = kept else {
            let why = "this process doesn't keep the table: another one reads partition 0 of";
            return Err(Error::new(
                ErrorKind::NotFound,
                format!("{why} topic `{topic}`, or none does"),
            ));
        };
        let clock = lake.clock();
        let table = lake.table(topics_dir, topic);
        let (id, ends) = running.ends(&Admin::new(&running.kafka, clock.clone())?, topic)?;
        let _waiting = running.asked.ask(topic);
        let until = clock.monotonic() + within;
        let snapshots = SnapshotCache::new();
        loop {
            let newest = snapshots.newest(lake, &table)?;
            let positions = newest.as_ref().map(|newest| newest.positions.as_ref());
            let Some((partition, end)) = missing(positions, &id, &ends) else {
                return Ok(());
            };
            if clock.monotonic() >= until {
                return Err(Error::unavailable(format!(
                    "partition {partition} of topic `{topic}` isn't committed up to offset {end} \
                     yet; call again, and look into `system.offsets` if that doesn't help"
                )));
            }
            clock.block(LOOK);
        }
    }
}

impl Running {
    /// The log's ends, but of partitions that this process doesn't read for a reason: they have
    /// nothing that isn't committed.
    fn ends(&self, admin: &Admin, topic: &str) -> Result<(TopicId, BTreeMap<i32, Watermarks>)> {
        let described = admin.describe(&[topic])?.pop();
        let described = described
            .ok_or_else(|| Error::unavailable(format!("topic `{topic}` isn't described")))?;
        let stopped = partitions(&self.tasks(), topic, PartitionState::Stopped);
        let partitions: Vec<i32> = (0..described.partitions)
            .filter(|partition| !stopped.contains(partition))
            .collect();
        Ok((described.id, admin.watermarks(topic, &partitions)?))
    }
}

/// The first partition that the table doesn't have up to its end, and this end. What Kafka has
/// removed already may have been read before and not be committed yet, so it counts, too; but not
/// for a partition that the table doesn't know.
fn missing(
    positions: Option<&BTreeMap<(TopicId, i32), Position>>,
    id: &TopicId,
    ends: &BTreeMap<i32, Watermarks>,
) -> Option<(i32, i64)> {
    let is_missing = |(partition, marks): &(i32, Watermarks)| match positions
        .and_then(|known| known.get(&(id.clone(), *partition)))
    {
        Some(position) => position.offset < marks.end,
        None => marks.start < marks.end,
    };
    let mut all = ends.iter().map(|(partition, marks)| (*partition, *marks));
    all.find(is_missing)
        .map(|(partition, marks)| (partition, marks.end))
}

fn reads_first(tasks: &[Arc<TaskHandle>], topic: &str) -> bool {
    partitions(tasks, topic, PartitionState::Running).contains(&0)
}

fn partitions(tasks: &[Arc<TaskHandle>], topic: &str, state: PartitionState) -> Vec<i32> {
    let all = tasks.iter().flat_map(|task| task.status().partitions);
    all.filter(|partition| partition.topic == topic && partition.state == state)
        .map(|partition| partition.partition)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p16_a_partition_is_missing_until_its_position_is_at_its_end() {
        let id = TopicId::new("a");
        let at = |offset| Position {
            offset,
            epoch: 0,
            leader_epoch: None,
        };
        let positions = |of: &TopicId| {
            let known = [(0, 10), (1, 4), (2, 7)];
            let known = known.map(|(partition, offset)| ((of.clone(), partition), at(offset)));
            BTreeMap::from(known)
        };
        let known = positions(&id);
        let missing = |partition, start, end| {
            let ends = BTreeMap::from([(partition, Watermarks { start, end })]);
            missing(Some(&known), &id, &ends)
        };
        assert_eq!(missing(0, 0, 10), None);
        assert_eq!(missing(0, 10, 10), None);
        assert_eq!(missing(0, 0, 11), Some((0, 11)));
        assert_eq!(
            missing(1, 9, 9),
            Some((1, 9)),
            "gone from Kafka, not yet here"
        );
        assert_eq!(
            missing(3, 0, 1),
            Some((3, 1)),
            "a partition nobody has read from"
        );
        assert_eq!(missing(3, 5, 5), None);
        let ends = BTreeMap::from([(0, Watermarks { start: 0, end: 1 })]);
        let others = positions(&TopicId::new("another incarnation"));
        assert_eq!(super::missing(Some(&others), &id, &ends), Some((0, 1)));
        assert_eq!(super::missing(None, &id, &ends), Some((0, 1)));
    }
}
