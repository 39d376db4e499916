//! All paths of a table as one machine, made once: a value's place in the record is a state, a key
//! leads from one to the next, and some states say what becomes of the value.
//!
//! Keys that no rule names are all alike, so a walk looks a key up once, whatever the number of
//! rules, and leaves out what lies below a state that leads nowhere.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap, VecDeque};

use super::rule::{Action, Step};
use crate::error::{Error, Result};

/// A place in a record, as far as the rules tell places apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct State(u32);

impl State {
    /// Nothing below it is named by any rule.
    pub(super) const NOWHERE: Self = Self(0);
    /// The whole text.
    pub(super) const START: Self = Self(1);
}

/// The most states and transitions: far beyond what rules written by hand need.
const STATES_MOST: usize = 1 << 14;
const TRANSITIONS_MOST: usize = 1 << 20;

/// The machine.
#[derive(Debug)]
pub(super) struct Paths {
    names: Names,
    /// For each state, where each name leads, any other key, and an element of a list.
    next: Vec<State>,
    /// For each state, what becomes of a value there.
    actions: Vec<Option<Action>>,
    /// Transitions of a state.
    width: usize,
}

impl Paths {
    /// Puts the paths of `rules` together.
    ///
    /// # Errors
    /// `Invalid` when there would be too many states.
    pub(super) fn compile(rules: &[(Vec<Step>, Action)], ignore_case: bool) -> Result<Self> {
        let names = Names::of(rules, ignore_case);
        let width = names.count + 2;
        let mut paths = Self {
            names,
            next: vec![State::NOWHERE; width],
            actions: vec![None],
            width,
        };
        let nowhere = (None, Places::new());
        let start = settled(rules, reach(rules, (0..rules.len()).map(|rule| (rule, 0))));
        let mut known = HashMap::from([(nowhere, State::NOWHERE), (start.clone(), State::START)]);
        let mut waiting = VecDeque::from([start]);
        while let Some((action, places)) = waiting.pop_front() {
            paths.actions.push(action);
            for symbol in 0..width {
                let to = settled(rules, paths.step(rules, &places, symbol));
                let fresh = State(u32::try_from(known.len()).unwrap_or(u32::MAX));
                let next = *known.entry(to.clone()).or_insert_with(|| {
                    waiting.push_back(to);
                    fresh
                });
                paths.next.push(next);
            }
            let transitions = known.len().saturating_mul(width);
            if known.len() > STATES_MOST || transitions > TRANSITIONS_MOST {
                return Err(Error::invalid(
                    "the redaction rules are too many, or have too many `*` behind a `**`",
                ));
            }
        }
        Ok(paths)
    }

    /// Where the key, with its escapes undone, leads.
    #[inline]
    pub(super) fn member(&self, from: State, key: &[u8]) -> State {
        self.transition(from, self.names.find(key))
    }

    /// Where an element of a list leads.
    #[inline]
    pub(super) fn element(&self, from: State) -> State {
        self.transition(from, self.width - 1)
    }

    /// What becomes of a value there.
    #[inline]
    pub(super) fn action(&self, at: State) -> Option<Action> {
        self.actions.get(at.0 as usize).copied().flatten()
    }

    fn transition(&self, from: State, symbol: usize) -> State {
        let at = from.0 as usize * self.width + symbol;
        self.next.get(at).copied().unwrap_or(State::NOWHERE)
    }

    fn step(&self, rules: &[(Vec<Step>, Action)], places: &Places, symbol: usize) -> Places {
        let element = symbol == self.width - 1;
        let steps = places.iter().flat_map(|&(rule, at)| {
            let step = rules.get(rule).and_then(|(steps, _)| steps.get(at));
            let (stays, goes) = match step {
                // Lists are looked through.
                Some(Step::Any) => (element, true),
                Some(Step::Deep) => (true, false),
                Some(Step::Key(name)) => (element, self.names.is(symbol, name)),
                None => (false, false),
            };
            let stays = stays.then_some((rule, at));
            stays.into_iter().chain(goes.then_some((rule, at + 1)))
        });
        reach(rules, steps)
    }
}

/// For each rule how many of its steps are done; several at once where there are wildcards.
type Places = BTreeSet<(usize, usize)>;

/// These places, and those behind a `**`, which may stand for nothing.
fn reach(rules: &[(Vec<Step>, Action)], from: impl Iterator<Item = (usize, usize)>) -> Places {
    let mut places = Places::new();
    for (rule, mut at) in from {
        places.insert((rule, at));
        while rules.get(rule).and_then(|(steps, _)| steps.get(at)) == Some(&Step::Deep) {
            at += 1;
            places.insert((rule, at));
        }
    }
    places
}

/// What becomes of a value at these places. If anything does, it goes as a whole and nobody looks
/// below, so the places don't matter any more.
fn settled(rules: &[(Vec<Step>, Action)], places: Places) -> (Option<Action>, Places) {
    let done = places.iter().filter_map(|&(rule, at)| {
        let (steps, action) = rules.get(rule)?;
        (at == steps.len()).then_some(*action)
    });
    match done.fold(None, |found, action| action.or(found)) {
        None => (None, places),
        action => (action, Places::new()),
    }
}

/// The keys that rules name, each with a number.
#[derive(Debug)]
struct Names {
    /// By length, sorted.
    by_length: Vec<Vec<(String, usize)>>,
    count: usize,
    ignore_case: bool,
}

impl Names {
    fn of(rules: &[(Vec<Step>, Action)], ignore_case: bool) -> Self {
        let steps = rules.iter().flat_map(|(steps, _)| steps);
        let names: BTreeSet<String> = steps
            .filter_map(|step| match step {
                Step::Key(name) if ignore_case => Some(fold(name)),
                Step::Key(name) => Some(name.clone()),
                _ => None,
            })
            .collect();
        let count = names.len();
        let mut by_length: Vec<Vec<(String, usize)>> = Vec::new();
        for (number, name) in names.into_iter().enumerate() {
            if by_length.len() <= name.len() {
                by_length.resize(name.len() + 1, Vec::new());
            }
            if let Some(same_length) = by_length.get_mut(name.len()) {
                same_length.push((name, number));
            }
        }
        Self {
            by_length,
            count,
            ignore_case,
        }
    }

    /// The number of the key, or that of all others.
    #[inline]
    fn find(&self, key: &[u8]) -> usize {
        if self.ignore_case {
            let key = String::from_utf8_lossy(key);
            return self.find_exactly(fold(&key).as_bytes());
        }
        self.find_exactly(key)
    }

    #[inline]
    fn find_exactly(&self, key: &[u8]) -> usize {
        let Some(names) = self.by_length.get(key.len()) else {
            return self.count;
        };
        match names.binary_search_by(|(name, _)| name.as_bytes().cmp(key)) {
            Ok(at) => names.get(at).map_or(self.count, |(_, number)| *number),
            Err(_) => self.count,
        }
    }

    fn is(&self, symbol: usize, name: &str) -> bool {
        let name = match self.ignore_case {
            true => Cow::Owned(fold(name)),
            false => Cow::Borrowed(name),
        };
        symbol < self.count && self.find_exactly(name.as_bytes()) == symbol
    }
}

/// Equal for keys that differ in case only, whatever the alphabet.
pub(super) fn fold(key: &str) -> String {
    if key.is_ascii() {
        return key.to_ascii_lowercase();
    }
    // Small letters first: some have a capital that is not the capital of their capitals.
    key.to_lowercase().to_uppercase().to_lowercase()
}
