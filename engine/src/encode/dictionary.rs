//! The distinct texts of a column, where they repeat enough to be worth it.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

use super::bounds::TextBounds;
use super::runs::Runs;

/// The bytes of all entries at most, so that they stay in a reader's cache. 20,000 ids still fit.
const BYTES_MOST: usize = 1 << 20;

/// Values between two looks at whether the texts repeat. The first comes sooner: texts that are all
/// different are known by then.
const LOOK_FIRST: usize = 1_024;
const LOOK_EVERY: usize = 8_192;

/// Entries up to which each is compared with a text: that is quicker than its hash.
const FEW: usize = 4;

/// Entries for which room is made before there are any.
const EXPECTED_MOST: usize = 4_096;
const EXPECTED_LEAST: usize = 64;

/// Distinct texts in the order of their first appearance, and the values as indexes into them.
pub(super) struct Dictionary<'a> {
    pub(super) entries: Vec<&'a [u8]>,
    pub(super) indexes: Vec<u32>,
}

/// What one dictionary after the other is made in.
#[derive(Default)]
pub(super) struct Workshop {
    pub(super) indexes: Vec<u32>,
    index: Index,
}

impl<'a> Dictionary<'a> {
    /// The dictionary of the runs' values; `None` when they have none, when hardly any comes twice,
    /// and when their texts are too many.
    pub(super) fn of(runs: &Runs<'a>, workshop: &mut Workshop) -> Option<Self> {
        let (index, most) = (&mut workshop.index, runs.values / 2);
        index.begin(most);
        let mut found = Self {
            entries: Vec::new(),
            indexes: std::mem::take(&mut workshop.indexes),
        };
        found.indexes.clear();
        if found.fill(runs, index, most).is_some() {
            return Some(found);
        }
        workshop.indexes = found.indexes;
        None
    }

    /// `None` as soon as it isn't worth it.
    fn fill(&mut self, runs: &Runs<'a>, index: &mut Index, most: usize) -> Option<()> {
        let mut look = LOOK_FIRST;
        let mut last: Option<(&[u8], u32)> = None;
        for (texts, rows) in runs.each().filter_map(|(_, values)| values) {
            for text in texts.each(rows) {
                let at = match last {
                    Some((same, at)) if same == text => at,
                    _ => index.of(text, &mut self.entries),
                };
                last = Some((text, at));
                self.indexes.push(at);
            }
            if index.bytes > BYTES_MOST || self.entries.len() > most {
                return None;
            }
            while self.indexes.len() >= look {
                if !self.repeats() {
                    return None;
                }
                look = self.indexes.len() / LOOK_EVERY * LOOK_EVERY + LOOK_EVERY;
            }
        }
        (!self.entries.is_empty() && self.repeats()).then_some(())
    }

    /// Each text comes twice on average.
    fn repeats(&self) -> bool {
        self.entries.len() * 2 <= self.indexes.len()
    }

    /// The bounds of the entries that `indexes` name. `seen` is as long as the entries are many,
    /// and false everywhere before and after.
    pub(super) fn bounds_of(&self, indexes: &[u32], seen: &mut [bool]) -> TextBounds<'a> {
        let mut bounds = TextBounds::default();
        for &index in indexes {
            let index = index as usize;
            if let (Some(seen), Some(entry)) = (seen.get_mut(index), self.entries.get(index))
                && !std::mem::replace(seen, true)
            {
                bounds.widen(std::iter::once(*entry));
            }
        }
        seen.fill(false);
        bounds
    }
}

/// Finds a text among the entries: few by looking at each, more by their hashes.
#[derive(Default)]
struct Index {
    hasher: DefaultHashBuilder,
    /// Empty while the entries are few.
    table: HashTable<u32>,
    /// What the table may have to hold.
    expected: usize,
    /// Of all entries, as a page has them.
    bytes: usize,
}

impl Index {
    /// Forgets the entries; the next ones are `most` at most.
    fn begin(&mut self, most: usize) {
        self.bytes = 0;
        self.expected = most.min(EXPECTED_MOST);
        // Clearing a table takes as long as it is large.
        if self.table.capacity() > 4 * self.expected.max(EXPECTED_LEAST) {
            self.table = HashTable::new();
        }
        self.table.clear();
    }

    /// Which entry the text is; it becomes one if it is new.
    #[inline]
    fn of<'a>(&mut self, text: &'a [u8], entries: &mut Vec<&'a [u8]>) -> u32 {
        if self.table.is_empty() {
            if let Some(at) = entries.iter().position(|entry| *entry == text) {
                return at as u32;
            }
            if entries.len() < FEW {
                return self.add(text, entries);
            }
            self.table.reserve(self.expected, |_| 0);
            for (at, entry) in (0..).zip(entries.iter()) {
                self.insert(self.hasher.hash_one(*entry), at, entries);
            }
        }
        let hash = self.hasher.hash_one(text);
        let is = |&at: &u32| entries.get(at as usize) == Some(&text);
        if let Some(&at) = self.table.find(hash, is) {
            return at;
        }
        let at = self.add(text, entries);
        self.insert(hash, at, entries);
        at
    }

    fn add<'a>(&mut self, text: &'a [u8], entries: &mut Vec<&'a [u8]>) -> u32 {
        self.bytes += text.len() + 4;
        entries.push(text);
        entries.len() as u32 - 1
    }

    fn insert(&mut self, hash: u64, at: u32, entries: &[&[u8]]) {
        let hasher = &self.hasher;
        let hash_of = |&at: &u32| hasher.hash_one(entries.get(at as usize).copied().unwrap_or(b""));
        self.table.insert_unique(hash, at, hash_of);
    }
}
