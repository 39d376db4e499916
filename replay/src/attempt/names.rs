//! What the topics are called that the records of an attempt are from, and those that they go to:
//! runs of records know Kafka's id of the source topic only.

use std::collections::BTreeMap;

use crate::mapping::Run;

/// The names, by the source topic's id.
#[derive(Debug, Default)]
pub(super) struct Names(BTreeMap<String, Name>);

#[derive(Debug)]
struct Name {
    topic: String,
    target: Option<String>,
}

impl Names {
    /// A record of this topic goes to the topic `target`; `None`: the destination's own.
    pub(super) fn note(&mut self, topic_id: &str, topic: &str, target: Option<&str>) {
        if self.0.contains_key(topic_id) {
            return;
        }
        let name = Name {
            topic: topic.to_owned(),
            target: target.map(str::to_owned),
        };
        self.0.insert(topic_id.to_owned(), name);
    }

    /// The runs with the names.
    pub(super) fn on(&self, mut runs: Vec<Run>) -> Vec<Run> {
        for run in &mut runs {
            if let Some(name) = self.0.get(&run.topic_id) {
                run.topic.clone_from(&name.topic);
                run.target_topic.clone_from(&name.target);
            }
        }
        runs
    }
}
