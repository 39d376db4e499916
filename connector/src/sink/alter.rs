//! The positions of one topic altered by hand, in all of its tables (P5, P19).
//!
//! ```text
//! plan: topic, log, ownership, every target checked         nothing has changed
//!   back:     where tables beside it begin -> those tables -> the topic's own
//!   forward:  the topic's own -> those tables -> where they begin
//! ```
//!
//! Each table is altered in one commit. After a crash in between some are where they were asked to
//! be and others aren't: a partition goes on at the smallest position of all, and what a table has
//! already is passed over, so each record is still there once; the same request finishes the rest.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use eddy_engine::budget::Budget;
use eddy_engine::maintain::{Alteration, Target, alter};
use eddy_engine::read::{Snapshot, alterations};
use eddy_engine::write::TableWriter;
use eddy_engine::{Lake, TablePath};

use crate::connect::ConnectorConfig;
use crate::error::{Error, ErrorKind, Result};
use crate::kafka::{Admin, TopicDescription, Watermarks};
use crate::sink::open::{check_incarnation, incarnations, writer_options};
use crate::sink::routes::{Noted, Routes};
use crate::sink::start::{self, Decision, View, decide};

/// What altering a connector's positions needs. Its calls block.
pub(crate) struct Altering<'a> {
    pub(crate) lake: &'a Lake,
    pub(crate) config: &'a ConnectorConfig,
    pub(crate) budget: &'a Arc<Budget>,
    pub(crate) admin: &'a Admin,
}

/// What is to become of one topic's positions; nothing of it is wrong.
pub(crate) struct Plan {
    topic: TopicDescription,
    /// Where each partition goes.
    pub(crate) targets: BTreeMap<i32, Target>,
    reason: String,
}

impl Altering<'_> {
    /// Checks what is asked of a topic: per partition an offset, or none where it is to begin anew.
    /// Where that begins its table, its other partitions begin as a new connector's would.
    ///
    /// # Errors
    /// `NotFound` for a topic or partition that doesn't exist; `Invalid` for an offset that the
    /// broker no longer has and for another connector's table; `Data` for a topic that was made
    /// again; `Unavailable`.
    pub(crate) fn plan(
        &self,
        topic: &str,
        asked: &BTreeMap<i32, Option<i64>>,
        reason: &str,
    ) -> Result<Plan> {
        let topic = start::describe(self.admin, topic)?;
        let all: Vec<i32> = (0..topic.partitions).collect();
        if let Some(partition) = asked.keys().find(|partition| !all.contains(partition)) {
            return Err(Error::new(
                ErrorKind::NotFound,
                format!(
                    "there is no partition `{partition}` of topic `{}`",
                    topic.name
                ),
            ));
        }
        let own = self.table(&topic.name);
        let snapshot = Snapshot::load(self.lake, &own, None)?;
        let ids = incarnations(snapshot.as_ref());
        check_incarnation(self.config, &topic, &ids)?;
        if snapshot.is_some() {
            self.open(&own, &topic)?;
        }
        let marks = self.admin.watermarks(&topic.name, &all)?;
        let mut targets = BTreeMap::new();
        for (partition, offset) in asked {
            let target = match offset {
                Some(offset) => named(&topic, *partition, *offset, marks.get(partition))?,
                None => self.begin(*partition, marks.get(partition), None)?,
            };
            targets.insert(*partition, target);
        }
        if !ids.contains(&topic.id) {
            let group = match ids.is_empty() {
                true => self
                    .admin
                    .committed(&self.config.group(), &topic.name, &all)?,
                false => BTreeMap::new(),
            };
            for partition in all.iter().filter(|all| !asked.contains_key(all)) {
                let group = group.get(partition).copied();
                let target = self.begin(*partition, marks.get(partition), group)?;
                targets.insert(*partition, target);
            }
        }
        Ok(Plan {
            topic,
            targets,
            reason: reason.to_owned(),
        })
    }

    /// Moves one partition forward in all of the topic's tables.
    ///
    /// # Errors
    /// As [`Altering::carry_out`].
    pub(super) fn skip(
        &self,
        topic: &TopicDescription,
        partition: i32,
        offset: i64,
        reason: &str,
    ) -> Result<()> {
        let target = Target {
            offset,
            reset: false,
        };
        self.carry_out(&Plan {
            topic: topic.clone(),
            targets: BTreeMap::from([(partition, target)]),
            reason: reason.to_owned(),
        })
    }

    /// Does what was planned, or what is left of it.
    ///
    /// # Errors
    /// `Unavailable`: some tables may be altered, make the same request again. Else as
    /// [`eddy_engine::maintain::alter()`].
    pub(crate) fn carry_out(&self, plan: &Plan) -> Result<()> {
        let topic = &plan.topic;
        let routes = Routes::new(self.lake, &self.config.topics_dir, &topic.name, &topic.id);
        let noted = routes.noted()?;
        let own = self.table(&topic.name);
        let forward = match noted.tables.is_empty() {
            true => BTreeSet::new(),
            false => self.forward(&own, plan)?,
        };
        if !noted.tables.is_empty() {
            routes.change(|noted| put_floors(noted, &plan.targets, &forward, Way::Back))?;
            for name in &noted.tables {
                self.alter_beside(name, plan, |partition, known, target| {
                    known > target && !forward.contains(&partition)
                })?;
            }
        }
        // Makes the table where there is none.
        self.open(&own, topic)?;
        self.alter(&own, plan, plan.targets.clone())?;
        if forward.is_empty() {
            return Ok(());
        }
        for (name, floors) in &noted.minded {
            self.alter_beside(name, plan, |partition, known, target| {
                known < target && forward.contains(&partition) && floors.contains_key(&partition)
            })?;
        }
        routes.change(|noted| put_floors(noted, &plan.targets, &forward, Way::Forward))?;
        Ok(())
    }

    /// The partitions that go forward, or have by this request and left other tables behind.
    fn forward(&self, own: &TablePath, plan: &Plan) -> Result<BTreeSet<i32>> {
        let Some(snapshot) = Snapshot::load(self.lake, own, None)? else {
            return Ok(BTreeSet::new());
        };
        let alterations = alterations(self.lake, own, &snapshot);
        let alterations = self.lake.runtime().block_on(alterations)?;
        let goes = |(partition, target): &(&i32, &Target)| {
            let key = (plan.topic.id.clone(), **partition);
            let known = snapshot.positions.get(&key).map(|known| known.offset);
            let done = alterations.get(&key).is_some_and(|altered| {
                altered.to == target.offset && altered.from.is_some_and(|from| from < altered.to)
            });
            known.is_some_and(|known| known < target.offset || known == target.offset && done)
        };
        let forward = plan.targets.iter().filter(goes);
        Ok(forward.map(|(partition, _)| *partition).collect())
    }

    /// Alters a table that transforms have sent records to, in those partitions of which `moves`
    /// says so by their positions and targets.
    fn alter_beside(
        &self,
        name: &str,
        plan: &Plan,
        moves: impl Fn(i32, i64, i64) -> bool,
    ) -> Result<()> {
        let table = self.table(name);
        let Some(snapshot) = Snapshot::load(self.lake, &table, None)? else {
            return Ok(());
        };
        let moved = plan.targets.iter().filter(|(partition, target)| {
            let known = snapshot.position(&plan.topic.id, **partition);
            known.is_some_and(|known| moves(**partition, known.offset, target.offset))
        });
        let moved = moved.map(|(partition, target)| (*partition, *target));
        self.alter(&table, plan, moved.collect())
    }

    fn alter(&self, table: &TablePath, plan: &Plan, targets: BTreeMap<i32, Target>) -> Result<()> {
        let alteration = Alteration {
            topic_id: plan.topic.id.clone(),
            targets,
            reason: plan.reason.clone(),
        };
        alter(self.lake, table, &alteration, &AtomicBool::new(false))?;
        Ok(())
    }

    /// Opens a table as its owner, which only the owner can (P2).
    fn open(&self, table: &TablePath, topic: &TopicDescription) -> Result<()> {
        let mut options = writer_options(self.lake, self.config, self.budget, topic)?;
        options.table = table.clone();
        TableWriter::open(self.lake, options)?;
        Ok(())
    }

    fn table(&self, topic: &str) -> TablePath {
        self.lake.table(&self.config.topics_dir, topic)
    }

    /// Where a new connector would begin a partition (P3).
    fn begin(
        &self,
        partition: i32,
        marks: Option<&Watermarks>,
        group: Option<i64>,
    ) -> Result<Target> {
        let view = View {
            known: None,
            marks: marks.copied(),
            cut: None,
            group,
            table_is_new: true,
        };
        match decide(&view, self.config.start, &self.config.policies) {
            Decision::Begin(offset) => Ok(Target {
                offset,
                reset: true,
            }),
            Decision::Stop(why) => Err(Error::invalid(format!("partition `{partition}`: {why}"))),
            Decision::GoOn | Decision::Skip { .. } => Err(Error::new(
                ErrorKind::Internal,
                "a partition without a position does not begin",
            )),
        }
    }
}

fn named(
    topic: &TopicDescription,
    partition: i32,
    offset: i64,
    marks: Option<&Watermarks>,
) -> Result<Target> {
    let start = marks.map_or(0, |marks| marks.start);
    if offset < start {
        return Err(Error::invalid(format!(
            "offset `{offset}` of partition `{partition}` of topic `{}` is below the beginning of \
             the broker's log, `{start}`: those records can't be read again, and their rows would \
             be lost",
            topic.name
        )));
    }
    Ok(Target {
        offset,
        reset: false,
    })
}

/// Which way partitions go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Back,
    Forward,
}

/// The offsets from which on tables beside the topic's own have records to come, once those of its
/// partitions that go this way are at their `targets`.
fn put_floors(
    noted: &mut Noted,
    targets: &BTreeMap<i32, Target>,
    forward: &BTreeSet<i32>,
    way: Way,
) {
    for floors in noted.minded.values_mut() {
        for (partition, floor) in floors {
            let Some(target) = targets.get(partition).map(|target| target.offset) else {
                continue;
            };
            match (way, forward.contains(partition)) {
                (Way::Back, false) => *floor = target.min(*floor),
                (Way::Forward, true) => *floor = target.max(*floor),
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p19_records_to_come_begin_at_the_target_at_the_latest_and_after_a_jump_at_the_earliest() {
        let target = |offset: i64| Target {
            offset,
            reset: false,
        };
        let floors = BTreeMap::from([(0, 10), (1, 90), (2, 5)]);
        let mut noted = Noted {
            minded: BTreeMap::from([("paid".to_owned(), floors)]),
            ..Noted::default()
        };
        let targets = BTreeMap::from([(0, target(50)), (1, target(50)), (2, target(200))]);
        let forward = BTreeSet::from([2]);
        put_floors(&mut noted, &targets, &forward, Way::Back);
        let back = BTreeMap::from([(0, 10), (1, 50), (2, 5)]);
        assert_eq!(noted.minded.get("paid"), Some(&back));
        put_floors(&mut noted, &targets, &forward, Way::Forward);
        let expected = BTreeMap::from([(0, 10), (1, 50), (2, 200)]);
        assert_eq!(noted.minded.get("paid"), Some(&expected));
    }

    #[test]
    fn what_the_broker_no_longer_has_is_no_target() {
        let topic = TopicDescription {
            name: "orders".to_owned(),
            id: eddy_engine::TopicId::new("t"),
            partitions: 1,
        };
        let marks = Watermarks { start: 10, end: 20 };
        let below = named(&topic, 0, 9, Some(&marks));
        assert!(below.is_err_and(|error| error.to_string().contains("`10`")));
        for offset in [10, 20, 1_000] {
            let target = named(&topic, 0, offset, Some(&marks));
            assert!(target.is_ok_and(|target| target.offset == offset && !target.reset));
        }
    }
}
