//! The `txn` actions that hold the table's positions and its owner: how they are named (P2).
//!
//! Delta keeps the newest version of each application id through checkpoints, which commit
//! information doesn't survive, and which needs no newer protocol, as domain metadata would.

use std::collections::BTreeMap;
use std::sync::Arc;

use uuid::Uuid;

use crate::record::{Position, TopicId};

const OWNER: &str = "eddy/owner";

/// The application id of a partition's next offset.
pub(crate) fn offset(topic_id: &TopicId, partition: i32) -> String {
    format!("eddy/{topic_id}/{partition}")
}

/// The application id of a partition's epoch.
pub(crate) fn epoch(topic_id: &TopicId, partition: i32) -> String {
    format!("eddy/{topic_id}/{partition}/epoch")
}

/// The application id of a partition's leader epoch.
pub(crate) fn leader(topic_id: &TopicId, partition: i32) -> String {
    format!("eddy/{topic_id}/{partition}/leader")
}

/// Stands for no leader epoch, since what was named once stays: larger than any, and positive, as
/// some readers expect versions to be.
pub(crate) const NO_LEADER: i64 = 1 << 31;

/// The application id of the record of what last altered a partition's position by hand (P5).
pub(crate) fn altered(topic_id: &TopicId, partition: i32) -> String {
    format!("eddy/{topic_id}/{partition}/altered")
}

/// The number by which the table points at a record: as much of the commit's id as is a positive
/// number.
pub(crate) fn record_number(id: Uuid) -> i64 {
    let (high, low) = id.as_u64_pair();
    i64::try_from((high ^ low) >> 1).unwrap_or(i64::MAX)
}

/// The application id of the table's owner.
pub(crate) fn owner() -> &'static str {
    OWNER
}

/// The number that stands for a connector's name (FNV-1a, which is the same everywhere and
/// forever; without the sign bit, since some readers expect versions to be positive).
pub(crate) fn owner_number(connector: &str) -> i64 {
    let hash = connector
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
    i64::try_from(hash >> 1).unwrap_or(i64::MAX)
}

/// What a table's `txn` actions say, newest first or oldest first. Cheap to clone until it changes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Ledger {
    pub(crate) owner: Option<i64>,
    marks: Arc<BTreeMap<(TopicId, i32), Marks>>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Marks {
    offset: Option<i64>,
    epoch: Option<i64>,
    leader: Option<i64>,
    altered: Option<i64>,
}

impl Ledger {
    /// Takes one action and answers whose position it belongs to; ids that aren't a position's are
    /// nobody's, and those that aren't Eddy's are left alone.
    pub(crate) fn set(&mut self, app_id: &str, version: i64) -> Option<(TopicId, i32)> {
        if app_id == OWNER {
            self.owner = Some(version);
            return None;
        }
        let (key, mark) = parse(app_id)?;
        let marks = Arc::make_mut(&mut self.marks);
        let marks = marks.entry(key.clone()).or_default();
        match mark {
            Mark::Offset => marks.offset = Some(version),
            Mark::Epoch => marks.epoch = Some(version),
            Mark::Leader => marks.leader = Some(version),
            Mark::Altered => marks.altered = Some(version),
        }
        Some(key)
    }

    /// The position of one partition.
    pub(crate) fn position(&self, key: &(TopicId, i32)) -> Option<Position> {
        self.marks.get(key)?.position()
    }

    /// The number of the record of what last altered a partition's position by hand.
    pub(crate) fn altered(&self, key: &(TopicId, i32)) -> Option<i64> {
        self.marks.get(key)?.altered
    }

    /// The positions of all partitions.
    pub(crate) fn positions(&self) -> BTreeMap<(TopicId, i32), Position> {
        self.marks
            .iter()
            .filter_map(|(key, marks)| Some((key.clone(), marks.position()?)))
            .collect()
    }
}

impl Marks {
    fn position(self) -> Option<Position> {
        Some(Position {
            offset: self.offset?,
            epoch: self.epoch.unwrap_or(0),
            leader_epoch: self.leader.and_then(|leader| i32::try_from(leader).ok()),
        })
    }
}

enum Mark {
    Offset,
    Epoch,
    Leader,
    Altered,
}

fn parse(app_id: &str) -> Option<((TopicId, i32), Mark)> {
    let rest = app_id.strip_prefix("eddy/")?;
    let (rest, mark) = if let Some(rest) = rest.strip_suffix("/epoch") {
        (rest, Mark::Epoch)
    } else if let Some(rest) = rest.strip_suffix("/leader") {
        (rest, Mark::Leader)
    } else if let Some(rest) = rest.strip_suffix("/altered") {
        (rest, Mark::Altered)
    } else {
        (rest, Mark::Offset)
    };
    // From the right: a topic id that isn't Kafka's own may hold a slash.
    let (topic_id, partition) = rest.rsplit_once('/')?;
    Some(((TopicId::new(topic_id), partition.parse().ok()?), mark))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn positions_come_back_from_their_application_ids() {
        let id = TopicId::new("a/b+c==");
        let mut ledger = Ledger::default();
        ledger.set(&offset(&id, 3), 17);
        ledger.set(&epoch(&id, 3), 2);
        ledger.set(&leader(&id, 3), 5);
        ledger.set(&altered(&id, 3), 77);
        ledger.set(owner(), owner_number("orders"));
        ledger.set("someone-elses-stream", 9);
        let position = Position {
            offset: 17,
            epoch: 2,
            leader_epoch: Some(5),
        };
        assert_eq!(ledger.position(&(id.clone(), 3)), Some(position));
        assert_eq!(
            ledger.positions(),
            BTreeMap::from([((id.clone(), 3), position)])
        );
        ledger.set(&leader(&id, 3), NO_LEADER);
        assert_eq!(ledger.position(&(id, 3)).unwrap().leader_epoch, None);
        assert_eq!(ledger.owner.unwrap(), owner_number("orders"));
        assert!(owner_number("orders") > 0 && owner_number("orders") != owner_number("order"));
    }
}
