//! Where a partition begins to be read (P1, P2, P3): the decision, and what it needs to know.
//!
//! The table's position counts. Only where the table knows none do the old group's offsets or the
//! configured start; and a position that the broker no longer has is never passed over in silence.

use std::collections::BTreeMap;
use std::time::Duration;

use eddy_engine::Position;
use eddy_engine::read::Snapshot;
use eddy_engine::write::Start;

use crate::connect::{ConnectorConfig, Policies, PositionReset, StartAt};
use crate::error::{Error, ErrorKind, Result};
use crate::kafka::{Admin, TopicDescription, Watermarks};
use crate::sink::alter::Altering;
use crate::sink::open::{check_incarnation, incarnations, writer_options};
use crate::sink::tables::Tables;
use crate::sink::task::TaskSettings;
use crate::sink::topic::Slot;
use crate::transform::Chain;

/// What is known about one partition.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct View {
    /// The table's position.
    pub(super) known: Option<i64>,
    /// The broker's log.
    pub(super) marks: Option<Watermarks>,
    /// The broker's log as it was when the position was stored ends here now, below the position.
    pub(super) cut: Option<i64>,
    /// What the connector's group had committed before Eddy, asked only for a new table.
    pub(super) group: Option<i64>,
    /// The table knows no partition of any incarnation of the topic.
    pub(super) table_is_new: bool,
}

/// Where to go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Decision {
    /// On from the table's position.
    GoOn,
    /// The table's first position.
    Begin(i64),
    /// Past what the broker no longer has, which is recorded as lost.
    Skip { from: i64, to: i64 },
    /// Nowhere; says why and what to do.
    Stop(String),
}

/// Decides for one partition.
pub(super) fn decide(view: &View, start: StartAt, policies: &Policies) -> Decision {
    let Some(marks) = view.marks else {
        return Decision::Stop("the broker does not say where its log begins and ends".to_owned());
    };
    if let Some(position) = view.known {
        return match (within(position, marks, policies), view.cut) {
            (Decision::GoOn, Some(cut)) => Decision::Stop(format!(
                "the position is `{position}` but the broker's log was cut at `{}` and written \
                 anew from there: it lost records that are in the table; rewind the table or \
                 record the topic into another `topics.dir`",
                cut.max(marks.start)
            )),
            (decision, _) => decision,
        };
    }
    let configured = match start {
        // A new partition of a known topic must not lose what came before it was noticed.
        StartAt::Latest if view.table_is_new => marks.end,
        _ => marks.start,
    };
    match view.group {
        Some(offset) if view.table_is_new => match within(offset, marks, policies) {
            Decision::GoOn => Decision::Begin(offset),
            Decision::Skip { to, .. } => Decision::Begin(to),
            stop => stop,
        },
        _ => Decision::Begin(configured),
    }
}

fn within(position: i64, marks: Watermarks, policies: &Policies) -> Decision {
    let Watermarks { start, end } = marks;
    if position > end {
        return Decision::Stop(format!(
            "the position is `{position}` but the broker's log ends at `{end}`: it lost records \
             that are in the table; rewind the table or record the topic into another `topics.dir`"
        ));
    }
    if position >= start {
        return Decision::GoOn;
    }
    match policies.position_reset {
        PositionReset::Earliest => Decision::Skip {
            from: position,
            to: start,
        },
        PositionReset::Latest => Decision::Skip {
            from: position,
            to: end,
        },
        PositionReset::Fail => Decision::Stop(format!(
            "the position is `{position}` but the broker's log begins at `{start}`: what lies \
             between was deleted before it was recorded; set `position.reset` to `earliest` or \
             `latest` to go on without it"
        )),
    }
}

/// What became of a partition: where it goes on, or why it doesn't.
pub(super) type Outcome = Result<Position, String>;

/// Finds where `partitions` of a slot begin and takes them over in its writer.
///
/// # Errors
/// `Unavailable`: try again. Any other kind concerns the whole topic and needs a person.
pub(super) fn resolve(
    settings: &TaskSettings,
    admin: &Admin,
    slot: &mut Slot,
    partitions: &[i32],
) -> Result<BTreeMap<i32, Outcome>> {
    let topic = describe(admin, &slot.name)?;
    let (config, name) = (&settings.config, slot.name.clone());
    if let Some(why) = open(settings, slot, &topic)? {
        let stopped = partitions
            .iter()
            .map(|partition| (*partition, Err(why.clone())));
        return Ok(stopped.collect());
    }
    let cut = slot.cut();
    let Some(writer) = slot.writer.as_mut() else {
        return Err(Error::new(ErrorKind::Internal, "a topic has no writer"));
    };
    let all: Vec<i32> = (0..topic.partitions).collect();
    let marks = admin.watermarks(&name, &all)?;
    let known: BTreeMap<i32, Option<Position>> = writer.known(&all)?.into_iter().collect();
    let topic_is_new = known.values().all(Option::is_none);
    // An incarnation after the first begins at its log start; the group's offsets are of the one
    // before it.
    let table_is_new = topic_is_new && slot.first_incarnation;
    let group = match table_is_new {
        true => before_eddy(config, admin, &name, &all)?,
        false => BTreeMap::new(),
    };
    // The first task that meets a new topic stores the start of all its partitions, so that those
    // which another task takes over later begin at the same moment (P3).
    let mut plan = Plan::default();
    for partition in all
        .iter()
        .filter(|all| topic_is_new || partitions.contains(all))
    {
        let position = known.get(partition).copied().flatten();
        let view = View {
            known: position.map(|position| position.offset),
            marks: marks.get(partition).copied(),
            cut: cut.get(partition).copied(),
            group: group.get(partition).copied(),
            table_is_new,
        };
        plan.add(
            *partition,
            view.known,
            decide(&view, config.start, &config.policies),
        );
    }
    let extra: Vec<i32> = plan
        .starts
        .iter()
        .map(|(partition, _)| *partition)
        .filter(|partition| !partitions.contains(partition))
        .collect();
    plan.skip(settings, admin, &topic)?;
    let mut outcomes = plan.carry_out(writer)?;
    if !extra.is_empty() {
        writer.release(&extra, Duration::from_secs(1))?;
    }
    outcomes.retain(|partition, _| partitions.contains(partition));
    for partition in partitions {
        outcomes
            .entry(*partition)
            .or_insert_with(|| Err(format!("topic `{name}` has no partition `{partition}`")));
    }
    Ok(outcomes)
}

/// Where the connector's group was before the table.
fn before_eddy(
    config: &ConnectorConfig,
    admin: &Admin,
    topic: &str,
    partitions: &[i32],
) -> Result<BTreeMap<i32, i64>> {
    let group = config.group();
    let offsets = admin.committed(&group, topic, partitions)?;
    if !offsets.is_empty() {
        tracing::info!(
            topic,
            group,
            ?offsets,
            "the table is new: it goes on where the group was"
        );
    }
    Ok(offsets)
}

/// The decisions for the partitions of a topic, sorted by what has to be done.
#[derive(Default)]
struct Plan {
    starts: Vec<(i32, Start)>,
    /// A partition, and the offsets from and to which it is moved.
    skips: Vec<(i32, i64, i64)>,
    outcomes: BTreeMap<i32, Outcome>,
}

impl Plan {
    fn add(&mut self, partition: i32, known: Option<i64>, decision: Decision) {
        match decision {
            Decision::GoOn => self.starts.push((partition, Start::at(known.unwrap_or(0)))),
            Decision::Begin(offset) => self.starts.push((partition, Start::at(offset))),
            Decision::Skip { from, to } => {
                self.starts.push((partition, Start::at(to)));
                self.skips.push((partition, from, to));
            }
            Decision::Stop(why) => {
                self.outcomes.insert(partition, Err(why));
            }
        }
    }

    /// Moves the tables past what the broker no longer has, by name (E1).
    fn skip(&self, settings: &TaskSettings, admin: &Admin, topic: &TopicDescription) -> Result<()> {
        for (partition, from, to) in &self.skips {
            tracing::error!(topic = %topic.name, partition, from, to,
                "offsets were deleted by the broker before they were recorded; skipped by policy");
            let altering = Altering {
                lake: &settings.lake,
                config: &settings.config,
                budget: &settings.budget,
                admin,
            };
            let reason = "`position.reset`: the broker no longer had the position";
            altering.skip(topic, *partition, *to, reason)?;
        }
        Ok(())
    }

    /// Takes the partitions over in their writer.
    fn carry_out(self, writer: &mut Tables) -> Result<BTreeMap<i32, Outcome>> {
        let mut outcomes = self.outcomes;
        for (partition, mut position) in writer.assign(&self.starts)? {
            if self.skips.iter().any(|(skipped, ..)| *skipped == partition) {
                // The epoch is that of the position before.
                position.leader_epoch = None;
            }
            outcomes.insert(partition, Ok(position));
        }
        Ok(outcomes)
    }
}

/// Asks the broker about one topic.
pub(super) fn describe(admin: &Admin, topic: &str) -> Result<TopicDescription> {
    admin
        .describe_within(&[topic], Duration::from_secs(5))?
        .pop()
        .ok_or_else(|| Error::unavailable(format!("the broker says nothing of topic `{topic}`")))
}

/// Makes sure that the slot's writer writes this incarnation of the topic; or says why none may.
fn open(
    settings: &TaskSettings,
    slot: &mut Slot,
    topic: &TopicDescription,
) -> Result<Option<String>> {
    if slot.writer.is_some() && slot.id.as_ref() == Some(&topic.id) {
        return Ok(None);
    }
    slot.forget_writer("the topic was made again");
    let config = &settings.config;
    let table = settings.lake.table(&config.topics_dir, &slot.name);
    let snapshot = Snapshot::load(&settings.lake, &table, None)?;
    let ids = incarnations(snapshot.as_ref());
    if let Err(why) = check_incarnation(config, topic, &ids) {
        return Ok(Some(why.to_string()));
    }
    let options = writer_options(&settings.lake, config, &settings.budget, topic)?;
    let transforms = config.transforms.as_deref().map(Chain::fingerprint);
    let opened = Tables::open(&settings.lake, options, &config.topics_dir, transforms)?;
    slot.writer = Some(opened);
    slot.id = Some(topic.id.clone());
    slot.first_incarnation = ids.iter().all(|id| *id == topic.id);
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connect::TopicRecreated;

    const FAIL: Policies = Policies {
        position_reset: PositionReset::Fail,
        topic_recreated: TopicRecreated::Fail,
    };

    fn view(known: Option<i64>, group: Option<i64>, table_is_new: bool) -> View {
        View {
            known,
            marks: Some(Watermarks { start: 10, end: 20 }),
            cut: None,
            group,
            table_is_new,
        }
    }

    #[test]
    fn the_tables_position_counts_over_group_and_configuration() {
        for position in [10, 15, 20] {
            let decided = decide(
                &view(Some(position), Some(12), false),
                StartAt::Latest,
                &FAIL,
            );
            assert_eq!(decided, Decision::GoOn);
        }
    }

    #[test]
    fn a_new_table_goes_on_where_the_old_group_was_else_as_configured() {
        let decide = |group, new, start| decide(&view(None, group, new), start, &FAIL);
        assert_eq!(decide(Some(12), true, StartAt::Latest), Decision::Begin(12));
        assert_eq!(decide(None, true, StartAt::Latest), Decision::Begin(20));
        assert_eq!(decide(None, true, StartAt::Earliest), Decision::Begin(10));
        assert!(matches!(
            decide(Some(5), true, StartAt::Earliest),
            Decision::Stop(_)
        ));
    }

    #[test]
    fn a_new_partition_of_a_known_topic_starts_at_the_log_start() {
        let decided = decide(&view(None, Some(12), false), StartAt::Latest, &FAIL);
        assert_eq!(decided, Decision::Begin(10));
    }

    #[test]
    fn an_expired_position_stops_unless_a_policy_says_where_to_go() {
        let at = |position_reset| {
            let policies = Policies {
                position_reset,
                ..FAIL
            };
            decide(&view(Some(3), None, false), StartAt::Earliest, &policies)
        };
        assert!(matches!(at(PositionReset::Fail), Decision::Stop(why)
            if why.contains("`3`") && why.contains("`10`") && why.contains("position.reset")));
        assert_eq!(
            at(PositionReset::Earliest),
            Decision::Skip { from: 3, to: 10 }
        );
        assert_eq!(
            at(PositionReset::Latest),
            Decision::Skip { from: 3, to: 20 }
        );
    }

    #[test]
    fn a_log_that_was_cut_below_the_position_stops_though_it_has_grown_past_it() {
        for (cut, at) in [(12, "`12`"), (-1, "`10`")] {
            let cut = View {
                cut: Some(cut),
                ..view(Some(15), None, false)
            };
            let decided = decide(&cut, StartAt::Earliest, &FAIL);
            assert!(
                matches!(&decided, Decision::Stop(why) if why.contains("`15`") && why.contains(at)),
                "{decided:?}"
            );
        }
    }

    #[test]
    fn a_position_beyond_the_log_always_stops() {
        let policies = Policies {
            position_reset: PositionReset::Latest,
            ..FAIL
        };
        let decided = decide(&view(Some(21), None, false), StartAt::Latest, &policies);
        assert!(matches!(decided, Decision::Stop(why) if why.contains("`21`")));
    }
}
