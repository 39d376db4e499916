//! The positions that count: those of the connector's tables, shown and altered.

use std::collections::BTreeMap;
use std::sync::mpsc::sync_channel;

use eddy_engine::maintain::is_untouched;
use eddy_engine::read::{Snapshot, alterations};
use eddy_engine::{Lake, TopicId};

use super::Worker;
use super::beside;
use crate::connect::config::{ConnectorConfig, Providers, Topics, read_resolved};
use crate::error::{Error, ErrorKind, Result};
use crate::kafka::Admin;
use crate::sink::{AlterPlan, Altering};

/// A partition and the next offset to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::connect) struct Place {
    pub(in crate::connect) topic: String,
    pub(in crate::connect) partition: i32,
    pub(in crate::connect) offset: i64,
}

/// A position to be changed; without an offset it is reset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::connect) struct Alteration {
    pub(in crate::connect) topic: String,
    pub(in crate::connect) partition: i32,
    pub(in crate::connect) offset: Option<i64>,
}

/// What is asked of each topic: per partition an offset, or none for its beginning.
type Asked = BTreeMap<String, BTreeMap<i32, Option<i64>>>;

impl Worker {
    /// Every position of the connector's tables. One that still stands at its untouched beginning
    /// isn't listed, as Connect lists none that was never committed. Blocks.
    ///
    /// # Errors
    /// `Unavailable` when lake or broker don't answer.
    pub(in crate::connect) fn offsets(&self, name: &str) -> Result<Vec<Place>> {
        // What can't be read has no tables: such a connector FAILED.
        let Ok(config) = self.parsed(name) else {
            return Ok(Vec::new());
        };
        let lake = &self.0.connectors.lake_of(&config)?;
        let mut places = Vec::new();
        for topic in self.topics_of(&config, lake)? {
            for (partition, offset, untouched) in self.positions(&config, lake, &topic)? {
                if !untouched {
                    places.push(Place {
                        topic: topic.clone(),
                        partition,
                        offset,
                    });
                }
            }
        }
        Ok(places)
    }

    /// Puts positions of a stopped connector's tables elsewhere, all of them to where a new
    /// connector would begin if none is named. Nothing is changed unless everything can be; made
    /// again after an error, the rest is done. Blocks, behind what is done for the connector
    /// already, and what comes later waits for it.
    ///
    /// # Errors
    /// `NotFound` for a topic or partition that doesn't exist; `Fenced` when the connector isn't
    /// stopped any more; `Invalid` for an offset that the broker no longer has.
    pub(in crate::connect) fn alter(&self, name: &str, to: &[Alteration]) -> Result<()> {
        let (answer, answered) = sync_channel(1);
        let (worker, lane, to) = (self.clone(), name.to_owned(), to.to_vec());
        let job = move || {
            // Whoever asked may be gone.
            let _ = answer.send(worker.alter_now(&lane, &to));
        };
        self.0.lanes.give(name, Box::new(job));
        answered
            .recv()
            .map_err(|_| Error::unavailable("the worker is ending"))?
    }

    fn alter_now(&self, name: &str, to: &[Alteration]) -> Result<()> {
        if !self.is_stopped(name) {
            return Err(Error::new(
                ErrorKind::Fenced,
                format!("connector `{name}` is not stopped any more"),
            ));
        }
        let config = self.parsed(name)?;
        let lake = self.0.connectors.lake_of(&config)?;
        let admin = self.admin()?;
        let altering = Altering {
            lake: &lake,
            config: &config,
            budget: self.0.connectors.budget(),
            admin: &admin,
        };
        let asked = match to {
            [] => self.everything(&config, &lake, &admin)?,
            to => by_topic(to),
        };
        let reason = match to {
            [] => "offsets reset by REST",
            _ => "offsets altered by REST",
        };
        let existing = admin.all_topics()?;
        if let Some(topic) = asked.keys().find(|topic| !existing.contains_key(*topic)) {
            let message = format!("there is no topic `{topic}`");
            return Err(Error::new(ErrorKind::NotFound, message));
        }
        let plans = asked
            .iter()
            .map(|(topic, asked)| Ok((topic.as_str(), altering.plan(topic, asked, reason)?)))
            .collect::<Result<Vec<_>>>()?;
        let others = asked.keys().filter(|topic| !config.topics.includes(topic));
        beside::note(&lake, name, others)?;
        // Before the positions: a group is never beyond what is recorded.
        commit_group(&admin, &config, &asked, &plans);
        plans
            .iter()
            .try_for_each(|(_, plan)| altering.carry_out(plan))
    }

    /// All partitions that the connector's tables know, to their beginnings.
    fn everything(&self, config: &ConnectorConfig, lake: &Lake, admin: &Admin) -> Result<Asked> {
        let existing = admin.all_topics()?;
        let mut asked = Asked::new();
        for topic in self.topics_of(config, lake)? {
            let known = self.positions(config, lake, &topic)?;
            match existing.contains_key(&topic) {
                true if !known.is_empty() => {
                    let partitions = known.iter().map(|(partition, ..)| (*partition, None));
                    asked.insert(topic, partitions.collect());
                }
                true => {}
                // Nothing of it can be read again: its rows stay.
                false => tracing::warn!(topic, "a topic that is gone keeps its positions"),
            }
        }
        Ok(asked)
    }

    /// The positions of a topic as it is now, and whether each is at its untouched beginning.
    fn positions(
        &self,
        config: &ConnectorConfig,
        lake: &Lake,
        topic: &str,
    ) -> Result<Vec<(i32, i64, bool)>> {
        let table = lake.table(&config.topics_dir, topic);
        let Some(snapshot) = Snapshot::load(lake, &table, None)? else {
            return Ok(Vec::new());
        };
        let mut ids: Vec<&TopicId> = snapshot.positions.keys().map(|(id, _)| id).collect();
        ids.dedup();
        let current = match ids.as_slice() {
            [] => return Ok(Vec::new()),
            [id] => (*id).clone(),
            // The topic was made again: the broker knows which of them it is.
            _ => match self.admin()?.describe(&[topic])?.pop() {
                Some(topic) => topic.id,
                None => return Ok(Vec::new()),
            },
        };
        let altered = alterations(lake, &table, &snapshot);
        let altered = lake.runtime().block_on(altered)?;
        let positions = snapshot.positions.iter();
        let positions = positions.filter(|((id, _), _)| *id == current);
        let positions = positions.map(|(key, position)| {
            let untouched = is_untouched(*position, altered.get(key));
            (key.1, position.offset, untouched)
        });
        Ok(positions.collect())
    }

    /// The topics whose tables may be the connector's.
    fn topics_of(&self, config: &ConnectorConfig, lake: &Lake) -> Result<Vec<String>> {
        let mut topics = match &config.topics {
            Topics::Named(names) => names.clone(),
            Topics::Matching(_) => {
                let all = self.admin()?.topics()?.into_keys();
                all.filter(|topic| config.topics.includes(topic)).collect()
            }
        };
        topics.extend(beside::noted(lake, &config.name)?);
        Ok(topics.into_iter().collect())
    }

    fn parsed(&self, name: &str) -> Result<ConnectorConfig> {
        let config = self.config(name).unwrap_or_default();
        let read = |map: &_| ConnectorConfig::check(name, map);
        read_resolved(&config, self.providers(), read)
    }

    /// What references of configurations are looked up in.
    pub(in crate::connect) fn providers(&self) -> &Providers {
        self.0.connectors.providers()
    }

    pub(super) fn admin(&self) -> Result<Admin> {
        let connectors = &self.0.connectors;
        Admin::new(connectors.kafka(), connectors.lake().clock().clone())
    }
}

/// Of a partition that is named twice the last counts.
fn by_topic(to: &[Alteration]) -> Asked {
    let mut asked = Asked::new();
    for to in to {
        let partitions = asked.entry(to.topic.clone()).or_default();
        partitions.insert(to.partition, to.offset);
    }
    asked
}

/// The group's offsets are advisory: the tasks commit them anew with their next commits.
fn commit_group(
    admin: &Admin,
    config: &ConnectorConfig,
    asked: &Asked,
    plans: &[(&str, AlterPlan)],
) {
    let group = config.group();
    let mut offsets = Vec::new();
    for (topic, plan) in plans {
        let asked = asked.get(*topic);
        let named = plan
            .targets
            .iter()
            .filter(|(partition, _)| asked.is_some_and(|asked| asked.contains_key(partition)));
        offsets.extend(named.map(|(partition, target)| (*topic, *partition, target.offset)));
    }
    match admin.commit(&group, &offsets) {
        Ok(true) => {}
        Ok(false) => tracing::info!(
            group,
            "the group still has members; its offsets follow later"
        ),
        Err(error) => tracing::warn!(group, %error, "the group's offsets follow later"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_partition_that_is_named_twice_the_last_counts() {
        let to = |partition, offset| Alteration {
            topic: "t".to_owned(),
            partition,
            offset,
        };
        let asked = by_topic(&[to(0, Some(1)), to(1, None), to(0, Some(2))]);
        let expected = BTreeMap::from([(0, Some(2)), (1, None)]);
        assert_eq!(asked, Asked::from([("t".to_owned(), expected)]));
    }
}
