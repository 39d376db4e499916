//! Consumer groups of the source, carried over to where a replay sent the records.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::Jobs;
use crate::error::{Error, Result};
use crate::job::Job;
use crate::mapping::{Run, translate};
use crate::request::Options;

/// What is asked of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupRequest {
    /// The group.
    pub group: String,
    /// The source topic, if the replay's records are of several.
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
    /// The topic there that the source topic's records went to, if not the destination's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_topic: Option<String>,
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
    /// destinations that tell no offsets, and where records of other topics lie between; `Conflict`
    /// when the group has members, or the destination is another one now.
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
        let runs = self.landed(id).await?;
        let topic = match topic {
            Some(topic) => topic,
            None => only_topic(&runs, &job)?,
        };
        let committed = match committed {
            Some(committed) => committed,
            None => {
                let partitions = partitions(&job, &topic);
                destination.committed(&group, &topic, &partitions).await?
            }
        };
        if committed.is_empty() {
            return Err(Error::not_found(format!(
                "group `{group}` has committed nothing of topic `{topic}` there"
            ))
            .with_hint("give its offsets by hand: `committed`"));
        }
        let (target_topic, runs) = together(runs, &topic)?;
        if runs.iter().all(|run| run.target_first.is_none()) {
            return Err(Error::invalid(format!(
                "of replay `{id}` no offsets of the target are known for topic `{topic}`"
            ))
            .with_hint("Kafka tells them, once the replay has stored its progress"));
        }
        let offsets = translate(&runs, &committed);
        if apply {
            let target = target_topic.as_deref();
            destination.commit(&group, target, &offsets).await?;
        }
        Ok(GroupOffsets {
            group,
            topic,
            committed,
            target: job.target,
            target_topic,
            offsets,
            applied: apply,
        })
    }
}

/// The topic that all records are of. Where none is known it is called as the table is.
///
/// # Errors
/// `Invalid` when there are several.
fn only_topic(runs: &[Run], job: &Job) -> Result<String> {
    let named = runs.iter().map(|run| run.topic.as_str());
    let named: BTreeSet<&str> = named.filter(|topic| !topic.is_empty()).collect();
    let mut first = named.iter().map(|topic| (*topic).to_owned());
    match (first.next(), first.next()) {
        (Some(_), Some(_)) => {
            let all: Vec<String> = named.iter().map(|topic| format!("`{topic}`")).collect();
            Err(Error::invalid(format!(
                "the records of replay `{}` are of several topics: {}",
                job.id,
                all.join(", ")
            ))
            .with_hint("say which one of them the group has read: `topic`"))
        }
        (Some(topic), None) => Ok(topic),
        _ => Ok(job.source.table.clone()),
    }
}

/// The source partitions of the topic.
fn partitions(job: &Job, topic: &str) -> Vec<i32> {
    let planned = job.plan.partitions.iter();
    let planned = planned.filter(|part| part.topic.is_empty() || part.topic == topic);
    let planned: BTreeSet<i32> = planned.map(|part| part.partition).collect();
    planned.into_iter().collect()
}

/// The topic of the target that `topic` went to, if not the destination's own, and the runs there.
///
/// # Errors
/// `Invalid` when records of other topics are among them: how far a group is in one says nothing
/// of those.
fn together(runs: Vec<Run>, topic: &str) -> Result<(Option<String>, Vec<Run>)> {
    let is_of = |run: &Run| run.topic.is_empty() || run.topic == topic;
    let Some(target) = runs.iter().find(|run| is_of(run)) else {
        return Ok((None, Vec::new()));
    };
    let target = target.target_topic.clone();
    let there = runs.into_iter().filter(|run| run.target_topic == target);
    let there: Vec<Run> = there.collect();
    let stranger = there.iter().find(|run| !is_of(run));
    let stranger = stranger.map(|run| run.topic.clone());
    match stranger {
        None => Ok((target, there)),
        Some(stranger) => Err(Error::invalid(format!(
            "records of `{topic}` and `{stranger}` went to the same topic: how far a group is in \
             one says nothing of the other"
        ))
        .with_hint("replay them apart, or into topics of their own: `topics`")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn run(topic: &str, target: Option<&str>) -> Run {
        Run {
            topic_id: format!("id of {topic}"),
            topic: topic.to_owned(),
            target_topic: target.map(str::to_owned),
            partition: 0,
            first: 0,
            last: 9,
            records: 10,
            target_partition: 0,
            target_first: Some(0),
        }
    }

    #[test]
    fn a_group_is_translated_by_the_runs_of_its_own_topic_alone() {
        let runs = vec![run("orders", Some("copy")), run("payments", None)];
        let (target, there) = together(runs.clone(), "orders").unwrap();
        assert_eq!((target.as_deref(), there.len()), (Some("copy"), 1));
        let (target, there) = together(runs.clone(), "payments").unwrap();
        assert_eq!((target, there.len()), (None, 1));
        assert_eq!(together(runs, "refunds").unwrap(), (None, Vec::new()));
        // What an earlier version stored had one target, and said nothing of topics.
        let (_, there) = together(vec![run("", None)], "orders").unwrap();
        assert_eq!(there.len(), 1);
    }

    #[test]
    fn topics_that_lie_in_one_are_not_told_apart_by_a_groups_place_in_one_of_them() {
        for target in [None, Some("copy")] {
            let runs = vec![run("orders", target), run("payments", target)];
            let error = together(runs, "orders").unwrap_err().to_string();
            assert!(error.contains("`orders` and `payments`"), "{error}");
        }
    }
}
