//! The positions that count: those of the connector's tables.

use std::collections::BTreeSet;

use eddy_engine::TopicId;
use eddy_engine::read::Snapshot;

use super::Worker;
use crate::connect::config::{ConnectorConfig, Topics};
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
        // What can't be read has no tables: such a connector FAILED, or its class isn't run yet.
        let Ok(config) = ConnectorConfig::check(name, &config) else {
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
        let lake = &self.0.connectors.lake;
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

    /// Changes positions of a stopped connector's tables; all without any named ones. Blocks.
    ///
    /// # Errors
    /// `Invalid` always: the engine can't rewind a table yet (P5).
    pub(in crate::connect) fn alter(&self, name: &str, _to: &[Alteration]) -> Result<()> {
        Err(Error::new(
            ErrorKind::Invalid,
            format!(
                "the offsets of connector `{name}` are positions of its tables, and this version \
                 of Eddy can't rewind a table yet; record the topic into another `topics.dir`"
            ),
        ))
    }

    pub(super) fn admin(&self) -> Result<Admin> {
        let connectors = &self.0.connectors;
        Admin::new(connectors.kafka(), connectors.lake.clock().clone())
    }
}
