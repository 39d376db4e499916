//! Consumer groups of the source, carried over to where a replay sent the records.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Jobs;
use crate::error::{Error, Result};
use crate::mapping::translate;
use crate::request::Options;

/// What is asked of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupRequest {
    /// The group.
    pub group: String,
    /// The source topic, if the table has another name.
    pub topic: Option<String>,
    /// The next offsets that it read the source up to, by partition; `None`: those that it has
    /// committed at the destination's Kafka.
    pub committed: Option<BTreeMap<i32, i64>>,
    /// Whether the translated offsets are committed.
    pub apply: bool,
}

/// A group's offsets, translated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GroupOffsets {
    /// The group.
    pub group: String,
    /// The source topic.
    pub topic: String,
    /// How far it read the source: next offsets by partition.
    pub committed: BTreeMap<i32, i64>,
    /// What the destination stands for.
    pub target: String,
    /// Where it goes on in the target: next offsets by partition.
    pub offsets: BTreeMap<i32, i64>,
    /// Whether these are committed now.
    pub applied: bool,
}

impl Jobs {
    /// Where a consumer group of the source goes on in a replay's target, and commits that on
    /// request. No record that the group hasn't read is passed over; it may read some again.
    ///
    /// # Errors
    /// `NotFound` when there is no such replay, or nothing that the group committed; `Invalid` for
    /// destinations that tell no offsets; `Conflict` when the group has members, or the destination
    /// is another one now.
    pub async fn group_offsets(&self, id: &str, request: GroupRequest) -> Result<GroupOffsets> {
        let job = self.show(id).await?;
        let options = Options::parse(&job.options)?;
        let destinations = &self.0.destinations;
        let destination = destinations.connect(&job.destination, &options).await?;
        let GroupRequest {
            group,
            topic,
            committed,
            apply,
        } = request;
        // Its name may mean another one since.
        job.check_target(&destination.target())?;
        if apply {
            let asked = destinations.ask(&job.destination, &*destination);
            job.check_cluster(&asked.await?)?;
        }
        let topic = topic.unwrap_or_else(|| job.source.table.clone());
        let committed = match committed {
            Some(committed) => committed,
            None => {
                let partitions = job.plan.partitions.iter().map(|part| part.partition);
                let partitions: Vec<i32> = partitions.collect();
                destination.committed(&group, &topic, &partitions).await?
            }
        };
        if committed.is_empty() {
            return Err(Error::not_found(format!(
                "group `{group}` has committed nothing of topic `{topic}` there"
            ))
            .with_hint("give its offsets by hand: `committed`"));
        }
        let runs = self.landed(id).await?;
        if runs.iter().all(|run| run.target_first.is_none()) {
            return Err(Error::invalid(format!(
                "of replay `{id}` no offsets of the target are known"
            ))
            .with_hint("Kafka tells them, once the replay has stored its progress"));
        }
        let offsets = translate(&runs, &committed);
        if apply {
            destination.commit(&group, &offsets).await?;
        }
        Ok(GroupOffsets {
            group,
            topic,
            committed,
            target: job.target,
            offsets,
            applied: apply,
        })
    }
}
