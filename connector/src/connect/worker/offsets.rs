//! The positions that count: those of the connector's tables.

use std::collections::BTreeSet;

use eddy_engine::TopicId;
use eddy_engine::read::Snapshot;

use super::Worker;
use crate::connect::config::{ConnectorConfig, Topics, Unknown};
use crate::error::{Error, ErrorKind, Result};
use crate::kafka::Admin;

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

impl Worker {
    /// Every position of the connector's tables. One that still stands at its untouched beginning
    /// isn't listed, as Connect lists none that was never committed. Blocks.
    ///
    /// # Errors
    /// `Unavailable` when lake or broker don't answer.
    pub(in crate::connect) fn offsets(&self, name: &str) -> Result<Vec<Place>> {
        let config = self.config(name).unwrap_or_default();
        let resolved = self
            .0
            .connectors
            .providers()
            .resolve(&config, Unknown::Keep);
        // What can't be read has no tables: such a connector FAILED.
        let Ok(config) = resolved.and_then(|config| ConnectorConfig::check(name, &config)) else {
            return Ok(Vec::new());
        };
        let topics: BTreeSet<String> = match &config.topics {
            Topics::Named(names) => names.clone(),
            Topics::Matching(_) => {
                let admin = self.admin()?;
                let all = admin.topics()?.into_keys();
                all.filter(|topic| config.topics.includes(topic)).collect()
            }
        };
        let lake = &self.0.connectors.lake_of(&config)?;
        let mut places = Vec::new();
        for topic in topics {
            let table = lake.table(&config.topics_dir, &topic);
            let Some(snapshot) = Snapshot::load(lake, &table, None)? else {
                continue;
            };
            let ids: BTreeSet<&TopicId> = snapshot.positions.keys().map(|(id, _)| id).collect();
            let current = match ids.len() {
                0 | 1 => ids.first().copied().cloned(),
                // The topic was made again: the broker knows which of them it is.
                _ => self
                    .admin()?
                    .describe(&[&topic])?
                    .pop()
                    .map(|topic| topic.id),
            };
            for ((id, partition), position) in snapshot.positions.iter() {
                let untouched = position.offset == 0 && position.epoch == 0;
                if Some(id) == current.as_ref() && !untouched {
                    places.push(Place {
                        topic: topic.clone(),
                        partition: *partition,
                        offset: position.offset,
                    });
                }
            }
        }
        Ok(places)
    }

    /// Changes positions of a stopped connector's tables; resets all without any named ones. What
    /// changes nothing is done. Blocks.
    ///
    /// # Errors
    /// `NotFound` for a topic or partition that doesn't exist; `Invalid` for what would move a
    /// table: the engine can't rewind one yet (P5).
    pub(in crate::connect) fn alter(&self, name: &str, to: &[Alteration]) -> Result<()> {
        self.exist(to)?;
        let places = self.offsets(name)?;
        let moves = match to {
            [] => !places.is_empty(),
            to => to.iter().any(|to| {
                let now = places
                    .iter()
                    .find(|place| place.topic == to.topic && place.partition == to.partition);
                now.map(|place| place.offset) != to.offset
            }),
        };
        if !moves {
            return Ok(());
        }
        Err(Error::invalid(format!(
            "the offsets of connector `{name}` are positions of its tables, and this version of \
             Eddy can't move those; record the topic into another `topics.dir` instead"
        )))
    }

    /// Whether the broker has these partitions.
    fn exist(&self, to: &[Alteration]) -> Result<()> {
        let topics: BTreeSet<&str> = to.iter().map(|to| to.topic.as_str()).collect();
        if topics.is_empty() {
            return Ok(());
        }
        let known = self.admin()?.topics()?;
        let missing = to.iter().find(|to| {
            let partitions = known.get(&to.topic).copied().unwrap_or(0);
            !(0..partitions).contains(&to.partition)
        });
        match missing {
            Some(to) => Err(Error::new(
                ErrorKind::NotFound,
                format!(
                    "there is no partition `{}` of topic `{}`",
                    to.partition, to.topic
                ),
            )),
            None => Ok(()),
        }
    }

    pub(super) fn admin(&self) -> Result<Admin> {
        let connectors = &self.0.connectors;
        Admin::new(connectors.kafka(), connectors.lake().clock().clone())
    }
}
