//! Whether each record of a plan has a place at the target, and which go back to where they came
//! from. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::Problem;
use crate::destination::Checked;
use crate::error::{Error, ErrorKind};
use crate::request::{Options, Partition};
use crate::source::SourcePlan;

/// Partitions and topics that a problem names, at most.
const NAMED: usize = 10;

/// What keeps records from a partition of the target.
pub(super) fn misplaced(source: &SourcePlan, checked: &Checked, options: &Options) -> Vec<Problem> {
    let mut problems: Vec<Problem> = nowhere_named(source, options).into_iter().collect();
    if source.sets.iter().any(|part| part == "_partition") {
        return problems;
    }
    let mut lacking = BTreeSet::new();
    // By target topic its highest partition that records go to, and a source partition of these.
    let mut highest: BTreeMap<Option<&str>, (i32, i32)> = BTreeMap::new();
    for part in &source.partitions {
        match options.partition.of(part.partition) {
            Ok(Some(target)) => {
                let topic = options.topics.of(&part.topic);
                let place = (target, part.partition);
                let known = highest.entry(topic).or_insert(place);
                *known = place.max(*known);
            }
            Ok(None) => {}
            Err(_) => {
                lacking.insert(part.partition);
            }
        }
    }
    problems.extend(unmapped(&lacking));
    problems.extend(highest.into_iter().filter_map(|(topic, (target, from))| {
        let there = checked.partitions_of(topic)?;
        let topic = topic.or(checked.topic.as_deref()).unwrap_or("?");
        let maps = matches!(options.partition, Partition::Map(_));
        (target >= there).then(|| too_few(topic, there, target, maps.then_some(from)))
    }));
    problems
}

/// Whether records go to the topic that they are from. A table without records stands for the topic
/// of its name.
pub(super) fn go_home(source: &SourcePlan, checked: &Checked, options: &Options) -> bool {
    let mut topics = topics(source);
    if topics.is_empty() {
        topics.insert(&source.table);
    }
    let home = |topic: &&str| {
        let target = options.topics.of(topic).or(checked.topic_itself());
        target == Some(*topic)
    };
    topics.iter().any(home)
}

/// The topics that the records are of, as far as they are known.
fn topics(source: &SourcePlan) -> BTreeSet<&str> {
    let topics = source.partitions.iter().map(|part| part.topic.as_str());
    topics.filter(|topic| !topic.is_empty()).collect()
}

/// A map of topics that says something of none of the records: its names are hardly what was meant.
/// What a continuous replay will read isn't known.
fn nowhere_named(source: &SourcePlan, options: &Options) -> Option<Problem> {
    let there = topics(source);
    let named = options.topics.sources().any(|topic| there.contains(topic));
    if named || there.is_empty() || options.topics.is_empty() || options.continuous {
        return None;
    }
    let there = list(there.iter().map(|topic| format!("`{topic}`")));
    let error = Error::invalid(format!(
        "`topics` names no topic that the records are of: {there}"
    ));
    Some(Problem::from(
        &error.with_hint("mend its names, or leave it out"),
    ))
}

fn unmapped(lacking: &BTreeSet<i32>) -> Option<Problem> {
    let first = lacking.first()?;
    let all = list(lacking.iter().map(ToString::to_string));
    let error = Error::invalid(format!(
        "the map of `partition` lacks partitions that rows are of: {all}"
    ));
    Some(Problem::from(&error.with_hint(format!(
        "add where they go, as `{first}:0`, or leave their rows out: `WHERE _partition IN (...)`"
    ))))
}

/// `from`: the source partition that is mapped there.
fn too_few(topic: &str, there: i32, target: i32, from: Option<i32>) -> Problem {
    let needed = i64::from(target) + 1;
    let (why, instead) = match from {
        None => (
            format!("rows of partition {target} are to keep theirs"),
            "use partition = 'key'".to_owned(),
        ),
        Some(from) => (
            format!("rows of partition {from} are to go to {target}"),
            format!("map partition {from} to another one"),
        ),
    };
    Problem {
        code: ErrorKind::Invalid.code().to_owned(),
        message: format!("topic `{topic}` has {there} partitions, but {why}"),
        hint: Some(format!(
            "give `{topic}` at least {needed} partitions, or {instead}"
        )),
    }
}

/// The first of them with commas between.
fn list(all: impl ExactSizeIterator<Item = String>) -> String {
    let more = all.len().saturating_sub(NAMED);
    let named: Vec<String> = all.take(NAMED).collect();
    let named = named.join(", ");
    match more {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}

#[cfg(test)]
mod tests;
