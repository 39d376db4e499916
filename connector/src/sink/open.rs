//! How a topic's own table is opened, and whether it goes on with the topic as it is now (P1).

use std::collections::BTreeSet;
use std::sync::Arc;

use eddy_engine::budget::Budget;
use eddy_engine::read::Snapshot;
use eddy_engine::write::{CutPolicy, WriterOptions};
use eddy_engine::{Lake, TopicId};

use crate::connect::{ConnectorConfig, TopicRecreated};
use crate::error::{Error, ErrorKind, Result};
use crate::kafka::TopicDescription;

/// The incarnations of the topic that a table knows.
pub(super) fn incarnations(snapshot: Option<&Snapshot>) -> BTreeSet<TopicId> {
    let positions = snapshot
        .iter()
        .flat_map(|snapshot| snapshot.positions.keys());
    positions.map(|(id, _)| id.clone()).collect()
}

/// Whether a table that knows `ids` goes on with the topic as it is now (P1).
///
/// # Errors
/// `Data` when the topic was made again and `topic.recreated` says to stop then.
pub(super) fn check_incarnation(
    config: &ConnectorConfig,
    topic: &TopicDescription,
    ids: &BTreeSet<TopicId>,
) -> Result<()> {
    if ids.is_empty() || ids.contains(&topic.id) {
        return Ok(());
    }
    let known: Vec<&str> = ids.iter().map(TopicId::as_str).collect();
    if config.policies.topic_recreated == TopicRecreated::Fail {
        return Err(Error::new(
            ErrorKind::Data,
            format!(
                "topic `{}` was deleted and made again: its id is `{}`, the table holds `{}`; \
                 set `topic.recreated` to `new` to go on with the new one in the same table",
                topic.name,
                topic.id,
                known.join("`, `")
            ),
        ));
    }
    tracing::warn!(topic = %topic.name, id = %topic.id, before = %known.join(","),
        "the topic was made again: the table goes on with the new one");
    Ok(())
}

/// How a topic's own table is written.
pub(super) fn writer_options(
    lake: &Lake,
    config: &ConnectorConfig,
    budget: &Arc<Budget>,
    topic: &TopicDescription,
) -> Result<WriterOptions> {
    let table = lake.table(&config.topics_dir, &topic.name);
    let owner = config.name.as_str();
    let mut options = WriterOptions::new(table, &topic.name, topic.id.clone(), owner);
    options.converter = config.converter;
    options.raw = config.raw;
    options.redaction = config.redaction.clone();
    let encryption = config.encryption.as_ref();
    let key = encryption.map(|encryption| encryption.key(lake.keys()));
    options.key = key.transpose()?;
    options.detect = config.detect;
    options.limits = config.limits;
    options.partitioning = Arc::clone(&config.partitioning);
    options.layout = config.layout.clone();
    // One cut is on its way while the next fills, so neither may take the whole budget.
    let most = budget.limit_bytes() / 4;
    options.cut = CutPolicy {
        bytes: config.cut.bytes.min(most),
        bytes_wide: config.cut.bytes_wide.min(most),
        ..config.cut
    };
    options.budget = Arc::clone(budget);
    Ok(options)
}
