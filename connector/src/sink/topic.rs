//! A topic as one task holds it: its writer, and how far each of its partitions is.

use std::collections::BTreeMap;
use std::time::Duration;

use eddy_engine::TopicId;
use eddy_engine::write::CommittedRange;

use crate::kafka::Seat;
use crate::sink::retry::Held;
use crate::sink::status::{PartitionState, PartitionStatus};
use crate::sink::tables::Tables;

/// A topic and what this task owns of it.
pub(super) struct Slot {
    pub(super) name: String,
    /// The incarnation that the writer writes; `None` without a writer.
    pub(super) id: Option<TopicId>,
    /// The table holds no other incarnation of the topic.
    pub(super) first_incarnation: bool,
    pub(super) writer: Option<Tables>,
    pub(super) lanes: BTreeMap<i32, Lane>,
    /// Fences lost in a row, without a commit in between (P8).
    pub(super) fence_losses: u32,
    /// The writer lost a fence and must read its positions again.
    pub(super) reset_due: bool,
    /// Not before this time is tried again what the broker or the lake refused.
    pub(super) retry_at: Duration,
    /// When the commit on its way began.
    pub(super) cut_at: Option<Duration>,
}

/// One partition.
pub(super) struct Lane {
    pub(super) state: LaneState,
    /// The next offset to hand to the writer.
    pub(super) next: i64,
    pub(super) leader_epoch: Option<i32>,
    pub(super) committed: Option<i64>,
    /// The consumer must be brought to `next` again at this time; until then what it yields for the
    /// partition, and where it says it is, means nothing.
    pub(super) seek_at: Option<Duration>,
    /// The last batch had something of it.
    pub(super) touched: bool,
    /// Why its next record can't be converted yet.
    pub(super) held: Option<Held>,
    /// What librdkafka last said in place of a record, until there is one again.
    pub(super) trouble: Option<String>,
    /// Where the broker's log was cut below the position, as librdkafka found.
    pub(super) cut: Option<i64>,
}

/// What happens to a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum LaneState {
    Running,
    /// Its start can't be found yet; tried again.
    Waiting(String),
    /// It needs a person.
    Stopped(String),
}

impl Slot {
    pub(super) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            id: None,
            first_incarnation: false,
            writer: None,
            lanes: BTreeMap::new(),
            fence_losses: 0,
            reset_due: false,
            retry_at: Duration::ZERO,
            cut_at: None,
        }
    }

    /// Notes what was committed, and answers it for the group.
    pub(super) fn committed(&mut self, ranges: &[CommittedRange]) -> Vec<(String, i32, i64)> {
        if !ranges.is_empty() {
            self.fence_losses = 0;
        }
        for range in ranges {
            if let Some(lane) = self.lanes.get_mut(&range.partition) {
                lane.committed = Some(range.offset);
            }
        }
        let group = ranges
            .iter()
            .map(|range| (self.name.clone(), range.partition, range.offset));
        group.collect()
    }

    /// Puts running partitions back to where the writer goes on.
    pub(super) fn rewind(&mut self, offsets: impl IntoIterator<Item = (i32, i64)>, now: Duration) {
        for (partition, offset) in offsets {
            if let Some(lane) = self.lanes.get_mut(&partition) {
                lane.next = offset;
                lane.leader_epoch = None;
                lane.seek_at = Some(now);
            }
        }
    }

    /// Forgets the writer with everything that it had buffered; its partitions wait for a new one.
    pub(super) fn forget_writer(&mut self, why: &str) {
        self.writer = None;
        self.id = None;
        self.reset_due = false;
        for lane in self.lanes.values_mut().filter(|lane| lane.is_running()) {
            lane.state = LaneState::Waiting(why.to_owned());
        }
    }

    /// The partitions whose next record could not be converted just now.
    pub(super) fn held(&mut self) -> Vec<(String, i32)> {
        let mut partitions = Vec::new();
        for (partition, lane) in &mut self.lanes {
            if let Some(held) = &lane.held
                && lane.seek_at == Some(Duration::MAX)
            {
                lane.seek_at = Some(held.again_at);
                partitions.push((self.name.clone(), *partition));
            }
        }
        partitions
    }

    /// Has partitions sought whose position has a leader epoch: the broker is only asked at a seek
    /// whether its log is still the one that was read (P2, KIP-320), not where reading begins.
    pub(super) fn verify(&mut self, partitions: &[i32], now: Duration) {
        for partition in partitions {
            if let Some(lane) = self.lanes.get_mut(partition)
                && lane.flows()
                && lane.leader_epoch.is_some()
            {
                lane.seek_at = Some(now);
            }
        }
    }

    /// Where the broker's logs were cut below their positions.
    pub(super) fn cut(&self) -> BTreeMap<i32, i64> {
        let lanes = self.lanes.iter();
        lanes
            .filter_map(|(partition, lane)| Some((*partition, lane.cut?)))
            .collect()
    }

    /// The partitions in a state that `wanted` takes.
    pub(super) fn partitions(&self, wanted: impl Fn(&Lane) -> bool) -> Vec<i32> {
        let found = self.lanes.iter().filter(|(_, lane)| wanted(lane));
        found.map(|(partition, _)| *partition).collect()
    }

    /// Where the consumer is to read a partition from.
    pub(super) fn seat(&self, partition: i32) -> Seat {
        let lane = self.lanes.get(&partition).filter(|lane| lane.is_running());
        Seat {
            topic: self.name.clone(),
            partition,
            start: lane.map(|lane| (lane.next, lane.leader_epoch)),
        }
    }

    pub(super) fn status(&self) -> impl Iterator<Item = PartitionStatus> {
        let others = self
            .writer
            .iter()
            .flat_map(Tables::others)
            .map(str::to_owned);
        let others: Vec<String> = others.collect();
        self.lanes.iter().map(move |(partition, lane)| {
            let (state, error) = match &lane.state {
                LaneState::Running => match &lane.held {
                    Some(held) => (PartitionState::Waiting, Some(held.why.clone())),
                    None => (PartitionState::Running, lane.trouble.clone()),
                },
                LaneState::Waiting(why) => (PartitionState::Waiting, Some(why.clone())),
                LaneState::Stopped(why) => (PartitionState::Stopped, Some(why.clone())),
            };
            PartitionStatus {
                topic: self.name.clone(),
                topic_id: self.id.as_ref().map(ToString::to_string),
                partition: *partition,
                state,
                position: lane.is_running().then_some(lane.next),
                committed: lane.committed,
                end: None,
                others: others.clone(),
                error,
            }
        })
    }
}

impl Lane {
    pub(super) fn waiting(why: &str) -> Self {
        Self {
            state: LaneState::Waiting(why.to_owned()),
            next: 0,
            leader_epoch: None,
            committed: None,
            seek_at: None,
            touched: false,
            held: None,
            trouble: None,
            cut: None,
        }
    }

    pub(super) fn is_running(&self) -> bool {
        self.state == LaneState::Running
    }

    /// Its records and its position mean something.
    pub(super) fn flows(&self) -> bool {
        self.is_running() && self.seek_at.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_of_which_nothing_comes_says_why_and_still_runs() {
        let mut slot = Slot::new("orders");
        let lane = Lane {
            state: LaneState::Running,
            trouble: Some("topic authorization failed".to_owned()),
            ..Lane::waiting("")
        };
        slot.lanes.insert(0, lane);
        let said: Vec<_> = slot.status().map(|of| (of.state, of.error)).collect();
        let why = Some("topic authorization failed".to_owned());
        assert_eq!(said, [(PartitionState::Running, why)]);
    }

    #[test]
    fn a_position_with_a_leader_epoch_is_sought_before_anything_counts() {
        let mut slot = Slot::new("orders");
        for (partition, leader_epoch) in [(0, Some(3)), (1, None)] {
            let lane = Lane {
                state: LaneState::Running,
                leader_epoch,
                ..Lane::waiting("")
            };
            slot.lanes.insert(partition, lane);
        }
        slot.lanes
            .insert(2, Lane::waiting("its start is being found"));
        let now = Duration::from_secs(7);
        slot.verify(&[0, 1, 2], now);
        let sought = slot.partitions(|lane| lane.seek_at == Some(now));
        assert_eq!(sought, [0]);
        assert_eq!(slot.partitions(Lane::flows), [1]);
    }
}
