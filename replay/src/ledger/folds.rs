//! Which objects of a replay's entries stand for which, and what is folded next. Pure.

use std::collections::BTreeSet;

use eddy_engine::state::Listed;
use serde::{Deserialize, Serialize};

/// New objects that are folded; fewer are left alone.
pub(super) const MANY: usize = 64;

/// New objects that are folded at once. More than come meanwhile, so that what was left by a worker
/// that couldn't fold becomes less.
const FOLDED_AT_ONCE: usize = 256;

/// Bytes of objects that become one; one of so many stays as it is.
const BYTES_MAX: u64 = 1 << 20;

/// Objects that say nothing any more and can't be removed; with more of them nothing is folded.
const LEFT_MAX: usize = 512;

/// Objects that are remembered as gone: a put that was long under way may make one of them anew.
const GONE_MAX: usize = 1_024;

/// What the name of an object that was made of others begins with.
const FOLDED: &str = "folded-";

/// What stands for what: the newest object of a register, whose number is the fence (P23).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Folds {
    /// An id of this change, so that no other one has the same bytes.
    id: String,
    /// The objects that stand for others or are as large, in their order; new ones come behind.
    pub(super) kept: Vec<String>,
    /// The objects that those stand for, the newest change first. Wherever one is there it says
    /// nothing.
    gone: Vec<String>,
}

/// What is there, by what it is worth.
#[derive(Debug, Default)]
pub(super) struct Sorted<'a> {
    /// What no fold knows, in its order.
    pub(super) new: Vec<&'a Listed>,
    /// What others stand for.
    pub(super) left: Vec<String>,
    /// What was made of others by somebody who came no further, or is just doing so.
    pub(super) stray: Vec<String>,
}

impl Sorted<'_> {
    /// Whether there is something to fold.
    pub(super) fn is_much(&self) -> bool {
        self.new.len() >= MANY && self.left.len() <= LEFT_MAX
    }
}

/// Objects that become one, under its name; of one object it is its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) name: String,
    pub(super) of: Vec<String>,
}

impl Folds {
    /// Sorts what was listed *before* this was read: what a fold removed since is known to be gone
    /// when it is read, and nothing is taken for new that is in a kept object already.
    pub(super) fn sort<'a>(&self, listed: &'a [Listed]) -> Sorted<'a> {
        let kept: BTreeSet<&str> = self.kept.iter().map(String::as_str).collect();
        let gone: BTreeSet<&str> = self.gone.iter().map(String::as_str).collect();
        let mut sorted = Sorted::default();
        for one in listed {
            match one.name.as_str() {
                name if kept.contains(name) => {}
                name if gone.contains(name) => sorted.left.push(one.name.clone()),
                name if name.starts_with(FOLDED) => sorted.stray.push(one.name.clone()),
                _ => sorted.new.push(one),
            }
        }
        sorted
    }

    /// The names of all that count, in their order.
    pub(super) fn names(&self, sorted: &Sorted<'_>) -> Vec<String> {
        let new = sorted.new.iter().map(|one| one.name.clone());
        self.kept.iter().cloned().chain(new).collect()
    }

    /// What becomes one: the last kept object, if there is room in it, and the new ones behind it.
    /// `new_id` makes names.
    pub(super) fn groups(
        &self,
        listed: &[Listed],
        sorted: &Sorted<'_>,
        new_id: impl Fn() -> String,
    ) -> Vec<Group> {
        let last = self.kept.last();
        let last = last.and_then(|last| listed.iter().find(|one| one.name == *last));
        let last = last.filter(|last| last.bytes < BYTES_MAX);
        let new = sorted.new.iter().copied().take(FOLDED_AT_ONCE);
        grouped(last.into_iter().chain(new))
            .into_iter()
            .map(|of| match of.as_slice() {
                [name] => Group {
                    name: name.clone(),
                    of,
                },
                _ => Group {
                    name: format!("{FOLDED}{}", new_id()),
                    of,
                },
            })
            .collect()
    }

    /// What stands for what once the groups are made. What is left is not forgotten.
    pub(super) fn with(&self, groups: &[Group], left: &[String], id: String) -> Self {
        let grouped: BTreeSet<&String> = groups.iter().flat_map(|group| &group.of).collect();
        let kept = self.kept.iter().filter(|name| !grouped.contains(name));
        let kept = kept.chain(groups.iter().map(|group| &group.name));
        let mut gone = replaced(groups);
        gone.extend_from_slice(left);
        let known: BTreeSet<&String> = left.iter().collect();
        let room = GONE_MAX.saturating_sub(gone.len());
        let older = self.gone.iter().filter(|name| !known.contains(name));
        let older: Vec<String> = older.take(room).cloned().collect();
        gone.extend(older);
        Self {
            id,
            kept: kept.cloned().collect(),
            gone,
        }
    }
}

/// The objects that others stand for once the groups are made.
pub(super) fn replaced(groups: &[Group]) -> Vec<String> {
    let merged = groups.iter().filter(|group| group.of.len() > 1);
    merged.flat_map(|group| group.of.iter().cloned()).collect()
}

/// Objects one behind the other, in parts that are not too large together.
fn grouped<'a>(objects: impl Iterator<Item = &'a Listed>) -> Vec<Vec<String>> {
    let mut groups: Vec<Vec<String>> = Vec::new();
    let mut bytes = 0_u64;
    for object in objects {
        let with = bytes.saturating_add(object.bytes);
        match groups.last_mut() {
            Some(group) if with <= BYTES_MAX => {
                group.push(object.name.clone());
                bytes = with;
            }
            _ => {
                groups.push(vec![object.name.clone()]);
                bytes = object.bytes;
            }
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn listed(sizes: &[u64]) -> Vec<Listed> {
        let sized = (0..).zip(sizes);
        sized
            .map(|(n, bytes): (u32, _)| Listed {
                name: format!("{n:05}"),
                bytes: *bytes,
            })
            .collect()
    }

    #[test]
    fn many_small_ones_are_one_and_a_large_one_stays_as_it_is() {
        let objects = listed(&[10, 10, BYTES_MAX, 10, 10, 10]);
        let found = grouped(objects.iter());
        let sizes: Vec<usize> = found.iter().map(Vec::len).collect();
        assert_eq!(sizes, [2, 1, 3]);
    }

    #[test]
    fn what_could_not_be_removed_stays_gone_and_too_much_of_it_ends_the_folding() {
        let mut folds = Folds::default();
        let all = listed(&[1; 2_000]);
        for (round, new) in all.chunks(MANY).enumerate() {
            // Nothing was ever removed.
            let there: Vec<Listed> = all.iter().take(round * MANY + new.len()).cloned().collect();
            let sorted = folds.sort(&there);
            if !sorted.is_much() {
                assert!(sorted.left.len() > LEFT_MAX || new.len() < MANY);
                continue;
            }
            let groups = folds.groups(&there, &sorted, || round.to_string());
            folds = folds.with(&groups, &sorted.left, round.to_string());
            let sorted = folds.sort(&there);
            assert!(sorted.new.is_empty(), "{sorted:?}");
            assert_eq!(sorted.left.len(), there.len());
            assert!(folds.gone.len() <= GONE_MAX, "{}", folds.gone.len());
        }
    }

    proptest! {
        #[test]
        fn groups_keep_all_objects_in_order_and_are_neither_too_large_nor_too_many(
            sizes in prop::collection::vec(1..=2 * BYTES_MAX, 0..100),
            shift in 0..16_u32,
        ) {
            let sizes: Vec<u64> = sizes.iter().map(|size| (size >> shift).max(1)).collect();
            let objects = listed(&sizes);
            let groups = grouped(objects.iter());
            let names: Vec<String> = objects.iter().map(|one| one.name.clone()).collect();
            prop_assert_eq!(groups.concat(), names);
            let bytes = |group: &Vec<String>| {
                let of = objects.iter().filter(|one| group.contains(&one.name));
                of.map(|one| one.bytes).sum::<u64>()
            };
            for group in &groups {
                prop_assert!(group.len() == 1 || bytes(group) <= BYTES_MAX);
            }
            for (one, next) in groups.iter().zip(groups.iter().skip(1)) {
                prop_assert!(bytes(one) + bytes(next) > BYTES_MAX);
            }
        }
    }
}
