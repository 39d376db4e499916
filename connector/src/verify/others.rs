//! The tables beside a topic's own that transforms have sent its records to (P19).

use std::collections::BTreeMap;

use eddy_engine::commit::{TableLog, Version};
use eddy_engine::read::{Account, Snapshot};
use eddy_engine::{Lake, TablePath, TopicId};

use crate::error::Result;
use crate::sink::Noted;

/// A table with its newest version.
pub(super) struct Other {
    pub(super) table: TablePath,
    pub(super) snapshot: Snapshot,
    /// Its versions, newest first, as far as the log hasn't been cleaned.
    pub(super) history: Vec<Version>,
}

/// Tables that may lack something of the topic.
pub(super) type Others = Vec<Other>;

/// The newest version of each table, and per partition the smallest offset that one of those which
/// may lack something has reached.
pub(super) fn load(
    lake: &Lake,
    own: &TablePath,
    noted: &Noted,
    topic_id: &TopicId,
) -> Result<(Others, BTreeMap<i32, i64>)> {
    let mut others = Vec::new();
    let mut reached: BTreeMap<i32, i64> = BTreeMap::new();
    for name in &noted.tables {
        let table = lake.table(own.topics_dir(), name);
        let snapshot = Snapshot::load(lake, &table, None)?;
        for (partition, floor) in noted.minded.get(name).into_iter().flatten() {
            let position = snapshot
                .as_ref()
                .and_then(|one| one.position(topic_id, *partition));
            let offset = position.map_or(*floor, |position| position.offset.max(*floor));
            let least = reached.entry(*partition).or_insert(offset);
            *least = offset.min(*least);
        }
        if let Some(snapshot) = snapshot {
            let log = TableLog::open(lake, &table)?;
            let history = log.map(|log| log.history(usize::MAX)).transpose()?;
            others.push(Other {
                table,
                snapshot,
                history: history.unwrap_or_default(),
            });
        }
    }
    Ok((others, reached))
}

/// Two lists of half-open ranges as one, in order.
pub(super) fn joined(one: Vec<(i64, i64)>, other: Vec<(i64, i64)>) -> Vec<(i64, i64)> {
    let mut all = [one, other].concat();
    all.sort_unstable();
    let mut joined: Vec<(i64, i64)> = Vec::with_capacity(all.len());
    for (from, to) in all {
        match joined.last_mut() {
            Some((_, end)) if from <= *end => *end = to.max(*end),
            _ => joined.push((from, to)),
        }
    }
    joined
}

/// Adds what another table holds of the topic. An offset that two tables have is doubled.
pub(super) fn add(
    held: &mut BTreeMap<(TopicId, i32), Account>,
    more: BTreeMap<(TopicId, i32), Account>,
    topic_id: &TopicId,
) {
    for (key, account) in more.into_iter().filter(|(key, _)| key.0 == *topic_id) {
        held.entry(key).or_default().add(&account);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_two_tables_hold_is_one_account_and_an_offset_in_both_is_doubled() {
        let (topic, other) = (TopicId::new("t"), TopicId::new("other"));
        let account = |ranges: &[(i64, i64)]| Account {
            rows: 3,
            ranges: ranges.to_vec(),
            ..Account::default()
        };
        let mut held = BTreeMap::from([((topic.clone(), 0), account(&[(0, 2), (5, 6)]))]);
        let more = BTreeMap::from([
            ((topic.clone(), 0), account(&[(2, 4), (5, 7)])),
            ((topic.clone(), 1), account(&[(9, 12)])),
            ((other, 0), account(&[(0, 3)])),
        ]);
        add(&mut held, more, &topic);
        let first = held.get(&(topic.clone(), 0)).unwrap();
        assert_eq!((first.rows, &first.ranges[..]), (6, &[(0, 4), (5, 7)][..]));
        assert_eq!(first.doubled, [(5, 6)]);
        assert_eq!(held.get(&(topic, 1)).unwrap().ranges, [(9, 12)]);
        assert_eq!(held.len(), 2);
    }
}
