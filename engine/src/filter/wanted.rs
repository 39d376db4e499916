//! What the rows that a query looks for must hold, as far as filters can tell.

use std::collections::BTreeMap;

use crate::filter::gather::Of;
use crate::filter::hash;
use crate::filter::words::each_word;

/// A condition that every wanted row meets. It may leave out what filters know nothing of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// Nothing is known of them.
    Anything,
    /// They hold this value or word.
    Held(Probe),
    /// They meet each.
    All(Vec<Wanted>),
    /// They meet one; none of no conditions.
    Any(Vec<Wanted>),
}

/// A value or word that is asked for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Probe {
    pub(crate) of: Of,
    pub(crate) hash: u64,
    /// Every edition of Unicode parts texts so that this is a word, or a part of one.
    pub(crate) plain: bool,
}

impl Wanted {
    /// Rows whose binary or text column `path`, by its names from the root, has this value.
    pub fn bytes(path: &[String], value: &[u8]) -> Self {
        Self::value(path, hash::of_bytes(value))
    }

    /// Rows whose column of whole numbers `path`, by its names from the root, has this value.
    pub fn long(path: &[String], value: i64) -> Self {
        Self::value(path, hash::of_long(value))
    }

    /// Rows whose text holds every word of `text`.
    pub fn words(text: &str) -> Self {
        let mut words = Vec::new();
        each_word(text.as_bytes(), |word| {
            words.push(Self::Held(Probe {
                of: Of::Words,
                hash: hash::of_bytes(word),
                plain: word.is_ascii(),
            }));
            true
        });
        Self::all(words)
    }

    /// Rows that meet each of these.
    pub fn all(conditions: Vec<Self>) -> Self {
        let mut known = conditions;
        known.retain(|condition| *condition != Self::Anything);
        match known.pop() {
            None => Self::Anything,
            Some(only) if known.is_empty() => only,
            Some(last) => {
                known.push(last);
                Self::All(known)
            }
        }
    }

    /// Rows that meet one of these.
    pub fn any(conditions: Vec<Self>) -> Self {
        if conditions.contains(&Self::Anything) {
            return Self::Anything;
        }
        Self::Any(conditions)
    }

    fn value(path: &[String], hash: u64) -> Self {
        Self::Held(Probe {
            of: Of::Column(path.to_vec()),
            hash,
            plain: true,
        })
    }

    /// What it asks for, each once.
    pub(crate) fn probes(&self) -> Vec<&Probe> {
        let mut probes = Vec::new();
        self.collect(&mut probes);
        probes.sort_unstable();
        probes.dedup();
        probes
    }

    fn collect<'a>(&'a self, probes: &mut Vec<&'a Probe>) {
        match self {
            Self::Anything => {}
            Self::Held(probe) => probes.push(probe),
            Self::All(inner) | Self::Any(inner) => {
                inner.iter().for_each(|one| one.collect(probes));
            }
        }
    }

    /// Whether slice `at` may hold a wanted row, by what filters say; one that says nothing
    /// does not deny.
    pub(crate) fn allows(&self, answers: &BTreeMap<&Probe, Vec<bool>>, at: usize) -> bool {
        match self {
            Self::Anything => true,
            Self::Held(probe) => {
                let answer = answers.get(probe).and_then(|answers| answers.get(at));
                answer.copied().unwrap_or(true)
            }
            Self::All(inner) => inner.iter().all(|one| one.allows(answers, at)),
            Self::Any(inner) => inner.iter().any(|one| one.allows(answers, at)),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn id(value: i64) -> Wanted {
        Wanted::long(&["id".to_owned()], value)
    }

    #[test]
    fn what_filters_know_nothing_of_is_left_out_where_that_is_right() {
        let anything = || Wanted::Anything;
        assert_eq!(Wanted::all(vec![anything(), anything()]), anything());
        assert_eq!(Wanted::all(vec![anything(), id(1)]), id(1));
        assert_eq!(Wanted::any(vec![anything(), id(1)]), anything());
        assert_eq!(Wanted::words("--"), anything());
        let both = Wanted::all(vec![id(1), Wanted::any(vec![id(2), id(1)])]);
        assert_eq!(both.probes().len(), 2);
    }

    #[test]
    fn a_row_group_is_denied_only_when_no_row_of_it_can_be_wanted() {
        let (one, two) = (id(1), id(2));
        let probes: Vec<&Probe> = [&one, &two].into_iter().flat_map(Wanted::probes).collect();
        let answers = BTreeMap::from([
            (*probes.first().unwrap(), vec![true, true, false, false]),
            (*probes.get(1).unwrap(), vec![true, false, true, false]),
        ]);
        for (wanted, expected) in [
            (Wanted::Anything, [true; 4]),
            (one.clone(), [true, true, false, false]),
            (
                Wanted::all(vec![one.clone(), two.clone()]),
                [true, false, false, false],
            ),
            (
                Wanted::any(vec![one.clone(), two.clone()]),
                [true, true, true, false],
            ),
            (Wanted::any(Vec::new()), [false; 4]),
            (
                Wanted::all(vec![one.clone(), id(3)]),
                [true, true, false, false],
            ),
        ] {
            let allowed: Vec<bool> = (0..4).map(|at| wanted.allows(&answers, at)).collect();
            assert_eq!(allowed, expected, "{wanted:?}");
        }
        assert!(
            one.allows(&answers, 4),
            "of a row group that nobody told of"
        );
    }
}
