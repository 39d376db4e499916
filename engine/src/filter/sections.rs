//! The sections of packs that were read, within a bound; those used longest ago go first.

use std::collections::BTreeMap;

use bytes::Bytes;
use uuid::Uuid;

/// One section of a pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    /// The pack.
    pub(super) pack: Uuid,
    /// The member, by its place in the footer.
    pub(super) member: usize,
    /// The section.
    pub(super) section: usize,
}

/// Sections in memory.
#[derive(Default)]
pub(super) struct Sections {
    held: BTreeMap<Key, (u64, Bytes)>,
    /// The same by their last use.
    by_use: BTreeMap<u64, Key>,
    uses: u64,
    bytes: usize,
}

impl Sections {
    /// A section, if it is there.
    pub(super) fn get(&mut self, key: &Key) -> Option<Bytes> {
        self.uses += 1;
        let (used, bytes) = self.held.get_mut(key)?;
        self.by_use.remove(used);
        self.by_use.insert(self.uses, *key);
        *used = self.uses;
        Some(bytes.clone())
    }

    /// Takes a section in; of all together at most `most` bytes stay.
    pub(super) fn put(&mut self, key: Key, bytes: Bytes, most: usize) {
        self.forget(&key);
        self.uses += 1;
        self.bytes += bytes.len();
        self.by_use.insert(self.uses, key);
        self.held.insert(key, (self.uses, bytes));
        while self.bytes > most {
            let Some((_, oldest)) = self.by_use.pop_first() else {
                break;
            };
            if let Some((_, bytes)) = self.held.remove(&oldest) {
                self.bytes -= bytes.len();
            }
        }
    }

    /// Gives a section up.
    pub(super) fn forget(&mut self, key: &Key) {
        if let Some((used, bytes)) = self.held.remove(key) {
            self.by_use.remove(&used);
            self.bytes -= bytes.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn within_its_bound_it_keeps_what_was_used_last() {
        let key = |section| Key {
            pack: Uuid::nil(),
            member: 0,
            section,
        };
        let mut sections = Sections::default();
        for section in 0..10 {
            sections.put(key(section), Bytes::from(vec![0; 10]), 100);
        }
        assert!(sections.get(&key(0)).is_some());
        sections.put(key(10), Bytes::from(vec![0; 15]), 100);
        let held = |sections: &mut Sections, at| sections.get(&key(at)).is_some();
        assert!(held(&mut sections, 0) && held(&mut sections, 10));
        assert!(!held(&mut sections, 1) && !held(&mut sections, 2) && held(&mut sections, 3));
        assert_eq!(sections.bytes, 95);
        sections.put(key(11), Bytes::from(vec![0; 101]), 100);
        assert_eq!(
            (sections.bytes, sections.held.len()),
            (0, 0),
            "too large to hold"
        );
        sections.put(key(1), Bytes::from(vec![0; 10]), 100);
        sections.put(key(1), Bytes::from(vec![0; 20]), 100);
        sections.forget(&key(7));
        assert_eq!((sections.bytes, sections.by_use.len()), (20, 1));
    }
}
