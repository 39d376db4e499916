//! The distinct texts of a column, where they repeat enough to be worth it.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

use super::bounds::TextBounds;
use super::leaf::Leaf;
use super::levels::Run;
use super::text::texts;

/// The bytes of all entries at most, so that they stay in a reader's cache. 20,000 ids still fit.
const BYTES_MOST: usize = 1 << 20;

/// Values between two looks at whether the texts repeat. The first comes sooner: texts that are all
/// different are known by then.
const LOOK_FIRST: usize = 1_024;
const LOOK_EVERY: usize = 8_192;

/// Distinct texts in the order of their first appearance, and the values as indexes into them.
pub(super) struct Dictionary<'a> {
    pub(super) entries: Vec<&'a [u8]>,
    pub(super) indexes: Vec<u32>,
    /// The leaf's runs, and whether they have values: finding them is half of the work.
    pub(super) runs: Vec<(Run, bool)>,
}

impl<'a> Dictionary<'a> {
    /// The dictionary of the leaf's values; `None` when it has none, when hardly any comes twice,
    /// and when their texts are too many.
    pub(super) fn of(leaf: Leaf<'a>) -> Option<Self> {
        let hasher = DefaultHashBuilder::default();
        let mut table: HashTable<u32> = HashTable::new();
        let mut found = Self {
            entries: Vec::new(),
            indexes: Vec::new(),
            runs: Vec::new(),
        };
        let (mut bytes, mut look) = (0, LOOK_FIRST);
        let mut last: Option<(&[u8], u32)> = None;
        let all = leaf.each_run(|run, values| {
            found.runs.push((run, values.is_some()));
            let Some((array, rows)) = values else {
                return Ok(());
            };
            for text in texts(array)?.each(rows) {
                let index = match last {
                    Some((same, index)) if same == text => index,
                    _ => {
                        let hash = hasher.hash_one(text);
                        let entries = &mut found.entries;
                        let is = |&at: &u32| entries.get(at as usize) == Some(&text);
                        if let Some(&at) = table.find(hash, is) {
                            at
                        } else {
                            let at = entries.len() as u32;
                            entries.push(text);
                            bytes += text.len() + 4;
                            let hash_of = |&at: &u32| {
                                hasher.hash_one(entries.get(at as usize).copied().unwrap_or(b""))
                            };
                            table.insert_unique(hash, at, hash_of);
                            at
                        }
                    }
                };
                last = Some((text, index));
                found.indexes.push(index);
            }
            if bytes > BYTES_MOST {
                return Err(Unworthy);
            }
            while found.indexes.len() >= look {
                if !found.repeats() {
                    return Err(Unworthy);
                }
                look = found.indexes.len() / LOOK_EVERY * LOOK_EVERY + LOOK_EVERY;
            }
            Ok(())
        });
        (all.is_ok() && !found.entries.is_empty() && found.repeats()).then_some(found)
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

/// A dictionary costs more than it saves.
struct Unworthy;

impl From<crate::Error> for Unworthy {
    /// What is no text is refused when the values themselves are written.
    fn from(_: crate::Error) -> Self {
        Self
    }
}
