//! Which topics of a connector had records, since it was created or that was reset.

use std::collections::{BTreeMap, BTreeSet};

use super::{Inner, Worker, lock};
use crate::error::Result;
use crate::sink::PartitionStatus;

/// The topics that had records.
#[derive(Debug, Clone, Default)]
pub(super) struct Active {
    pub(super) topics: BTreeSet<String>,
    /// Positions up to which records don't count; what isn't named counts from its beginning.
    since: BTreeMap<(String, i32), i64>,
}

impl Active {
    /// Takes in where the tasks are now.
    fn look(&mut self, partitions: &[PartitionStatus]) {
        for partition in partitions {
            let place = (partition.topic.clone(), partition.partition);
            let since = self.since.get(&place).copied().unwrap_or(0);
            if partition.position.is_some_and(|position| position > since) {
                self.topics.insert(partition.topic.clone());
            }
        }
    }

    /// Forgets these: only records from now on count.
    fn reset(&mut self, topics: &BTreeSet<String>, partitions: &[PartitionStatus]) {
        self.topics.retain(|topic| !topics.contains(topic));
        for partition in partitions
            .iter()
            .filter(|partition| topics.contains(&partition.topic))
        {
            if let Some(position) = partition.position {
                let place = (partition.topic.clone(), partition.partition);
                self.since.insert(place, position);
            }
        }
    }
}

impl Worker {
    /// The topics of the connector that had records, on any worker; none for an unknown one.
    pub(in crate::connect) fn active_topics(&self, name: &str) -> Vec<String> {
        self.0.look_at_topics(name);
        let mut topics = self.0.topics_here(name);
        if let Some(of) = lock(&self.0.board).get(name) {
            topics.extend(of.topics.iter().cloned());
        }
        topics.into_iter().collect()
    }

    /// Forgets which topics had records, on all workers.
    ///
    /// # Errors
    /// `Unavailable` when the others can't be told.
    pub(in crate::connect) fn reset_topics(&self, name: &str) -> Result<()> {
        let mut topics = self.0.topics_here(name);
        if let Some(of) = lock(&self.0.board).get(name) {
            topics.extend(of.topics.iter().cloned());
        }
        self.0.forget_topics(name, &topics);
        self.0.take_back_topics(name, &topics)
    }
}

impl Inner {
    /// Notes which topics of the connector have had records by now.
    pub(super) fn look_at_topics(&self, name: &str) {
        let partitions = self.partitions(name);
        if self.file.contains_key(name) {
            lock(&self.here).entry(name.to_owned()).or_default();
        }
        if let Some(here) = lock(&self.here).get_mut(name) {
            here.active.look(&partitions);
        }
    }

    /// The topics whose records this worker has seen.
    pub(super) fn topics_here(&self, name: &str) -> BTreeSet<String> {
        let here = lock(&self.here);
        let topics = here.get(name).map(|here| here.active.topics.clone());
        topics.unwrap_or_default()
    }

    /// Forgets that these topics had records: only those from now on count.
    pub(super) fn forget_topics(&self, name: &str, topics: &BTreeSet<String>) {
        let partitions = self.partitions(name);
        if let Some(here) = lock(&self.here).get_mut(name) {
            here.active.reset(topics, &partitions);
        }
    }

    fn partitions(&self, name: &str) -> Vec<PartitionStatus> {
        let running = self.connectors.get(name);
        let tasks = running.map(|running| running.tasks()).unwrap_or_default();
        let all = tasks.iter().flat_map(|task| task.status().partitions);
        all.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::PartitionState;

    fn at(topic: &str, partition: i32, position: i64) -> PartitionStatus {
        PartitionStatus {
            topic: topic.to_owned(),
            topic_id: None,
            partition,
            state: PartitionState::Running,
            position: Some(position),
            committed: None,
            end: None,
            error: None,
            others: Vec::new(),
        }
    }

    #[test]
    fn a_topic_counts_once_it_had_a_record_and_after_a_reset_with_the_next_one() {
        let mut active = Active::default();
        active.look(&[at("a", 0, 0), at("b", 0, 0), at("b", 1, 3)]);
        assert_eq!(active.topics, BTreeSet::from(["b".to_owned()]));
        let forgotten = BTreeSet::from(["b".to_owned()]);
        active.reset(&forgotten, &[at("b", 0, 0), at("b", 1, 3)]);
        active.look(&[at("b", 0, 0), at("b", 1, 3)]);
        assert_eq!(active.topics, BTreeSet::new());
        active.look(&[at("a", 0, 1)]);
        active.reset(&forgotten, &[]);
        assert_eq!(active.topics, BTreeSet::from(["a".to_owned()]));
        active.topics.clear();
        active.look(&[at("b", 1, 4)]);
        assert_eq!(active.topics, BTreeSet::from(["b".to_owned()]));
    }
}
