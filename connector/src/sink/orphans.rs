//! Partitions that the group has given to nobody, and how the group is woken.
//!
//! A cooperative rebalance has two rounds: a member gives partitions up, then joins again so that
//! another gets them. A member that dies between the two and comes back under its lasting name gets
//! its shrunken assignment without a new round (KIP-345), and nobody ever asks for the second one:
//! its former partitions belong to no one, in a group that calls itself stable. So the discovery
//! watches what the group has assigned, and where a partition stays without a reader, one member
//! leaves and joins again, which makes a new round.

use std::collections::{BTreeMap, BTreeSet};

use crate::kafka::Assignments;

/// Looks in a row that must find the same orphans: a group that has just become stable, or a topic
/// that was just found, sorts itself out.
const LOOKS: u32 = 3;

/// What the looks so far have found.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    orphans: BTreeSet<(String, i32)>,
    looks: u32,
}

impl Watch {
    /// Takes one look in; answers the member that is to join again, if it is time for that.
    pub(crate) fn look(
        &mut self,
        topics: &BTreeMap<String, i32>,
        assignments: Option<&Assignments>,
    ) -> Option<String> {
        let found = assignments.map_or_else(BTreeSet::new, |given| orphans(topics, given));
        if found.is_empty() || found != self.orphans {
            self.looks = 0;
            self.orphans = found;
        }
        if self.orphans.is_empty() {
            return None;
        }
        self.looks += 1;
        if self.looks < LOOKS {
            return None;
        }
        self.looks = 0;
        // Every worker sees the same group, so all of them agree on whom.
        let member = assignments?.keys().next()?.clone();
        tracing::warn!(member, partitions = ?self.orphans,
            "partitions that the group has given to nobody; the member joins again");
        Some(member)
    }
}

fn orphans(topics: &BTreeMap<String, i32>, given: &Assignments) -> BTreeSet<(String, i32)> {
    if given.is_empty() {
        return BTreeSet::new();
    }
    let given: BTreeSet<(&str, i32)> = given
        .values()
        .flatten()
        .map(|(topic, partition)| (topic.as_str(), *partition))
        .collect();
    topics
        .iter()
        .flat_map(|(topic, count)| (0..*count).map(move |partition| (topic, partition)))
        .filter(|(topic, partition)| !given.contains(&(topic.as_str(), *partition)))
        .map(|(topic, partition)| (topic.clone(), partition))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(members: &[(&str, &[i32])]) -> Assignments {
        members
            .iter()
            .map(|(member, partitions)| {
                let partitions = partitions.iter().map(|at| ("t".to_owned(), *at));
                ((*member).to_owned(), partitions.collect())
            })
            .collect()
    }

    #[test]
    fn the_first_member_joins_again_once_the_same_partitions_stay_without_a_reader() {
        let topics = [("t".to_owned(), 4)].into();
        let mut watch = Watch::default();
        let stuck = given(&[("a", &[2, 3]), ("b", &[])]);
        let other = given(&[("a", &[2]), ("b", &[])]);
        let whole = given(&[("a", &[2, 3]), ("b", &[0, 1])]);
        assert_eq!(watch.look(&topics, Some(&stuck)), None);
        assert_eq!(watch.look(&topics, Some(&stuck)), None);
        assert_eq!(watch.look(&topics, Some(&other)), None, "it still moves");
        assert_eq!(watch.look(&topics, Some(&stuck)), None);
        assert_eq!(watch.look(&topics, None), None, "it rebalances");
        assert_eq!(watch.look(&topics, Some(&stuck)), None);
        assert_eq!(watch.look(&topics, Some(&stuck)), None);
        assert_eq!(watch.look(&topics, Some(&stuck)).as_deref(), Some("a"));
        for _ in 0..2 * LOOKS {
            assert_eq!(watch.look(&topics, Some(&whole)), None);
            assert_eq!(
                watch.look(&topics, Some(&given(&[]))),
                None,
                "nobody is there"
            );
        }
    }
}
