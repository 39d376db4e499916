//! The keys of clients, under `consumer.override.`, `producer.override.` and `admin.override.`.

use serde_json::Value;

use super::infos::Infos;
use super::{Defaults, Posted};
use crate::connect::config::def::{self, Checked, Given, Key};
use crate::kafka::{is_reserved, refusal};

const CONSUMER: &str = "consumer.override.";
const PRODUCER: &str = "producer.override.";
const GROUP: &str = "consumer.override.group.id";

/// Lists each override that counts. The producer's and the admin client's only do with a
/// dead-letter topic: a sink has no other use for them.
pub(super) fn check(infos: &mut Infos, posted: &Posted, defaults: &Defaults) {
    if let Some(Some(group)) = posted.get(GROUP)
        && *group == defaults.group
    {
        let why = format!("Consumer group {group} conflicts with Connect worker group {group}");
        let checked = Checked {
            value: Some(group.clone()),
            errors: vec![why],
        };
        infos.unknown(GROUP, checked);
    }
    let dead = posted.get("errors.deadletterqueue.topic.name");
    let has_dead = dead.is_some_and(|topic| topic.as_ref().is_some_and(|topic| !topic.is_empty()));
    clients(infos, posted, CONSUMER, def::consumer());
    if has_dead {
        clients(infos, posted, PRODUCER, def::producer());
        clients(infos, posted, "admin.override.", def::admin());
    }
    for full in posted.keys() {
        let name = [CONSUMER, PRODUCER]
            .iter()
            .find_map(|of| full.strip_prefix(of));
        if name.is_some_and(is_reserved) {
            infos.blame(full, refusal(full));
        }
    }
}

/// What is wrong with a consumer's key that is no value of its type: Connect can't say what a
/// configuration means then, and answers with an error in place of a list. What stands for a value
/// elsewhere isn't looked at.
pub(in crate::connect) fn unreadable(posted: &Posted) -> Option<String> {
    let mut consumer = posted
        .iter()
        .filter_map(|(full, value)| Some((full.strip_prefix(CONSUMER)?, value.as_deref()?)));
    consumer.find_map(|(name, value)| {
        let key = def::consumer().iter().find(|key| key.name == name)?;
        if value.contains("${") {
            return None;
        }
        let checked = def::check(key, name, name, Given::Text(value));
        checked.errors.into_iter().next()
    })
}

fn clients(infos: &mut Infos, posted: &Posted, prefix: &str, keys: &[Key]) {
    for (full, value) in posted {
        let (Some(name), Some(value)) = (full.strip_prefix(prefix), value) else {
            continue;
        };
        match keys.iter().find(|key| key.name == name) {
            Some(key) => {
                let checked = def::check(key, name, name, Given::Text(value));
                infos.add(key, full, checked, Vec::new());
            }
            None => infos.push(full, Value::Null, super::plain(value), Vec::new()),
        }
    }
}
