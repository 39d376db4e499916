//! Rows of like keys put together, for tables so wide that most columns are empty in most rows.
//!
//! The rows of a batch wait as they are and are shredded at its end, put together by kinds, that is
//! by sketches of their keys: neighbours then fill the same columns, and a batch of few rows has
//! few columns, each nearly full. What a row costs stays in proportion to its own keys, whatever
//! the table's width.
#![expect(
    clippy::indexing_slicing,
    reason = "ranges are of what was pushed, and kinds are numbered"
)]

use std::ops::Range;

use super::Shredder;
use super::envelope::Ordered;
use super::kinds::Kinds;
use super::sketch::{Sketch, Sketcher};
use super::tape::Entry;

/// Leaves from which on rows are grouped: below, empty columns cost less than an order of the rows.
pub(super) const WIDE: usize = 400;

/// Rows of a group at least, before a row of another kind begins a new one: each group makes arrays
/// of its own.
const ROWS_LEAST: usize = 192;

/// Rows that wait for their group, by the sketches of their keys.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    /// The texts and tapes of the other rows.
    texts: Vec<u8>,
    entries: Vec<Entry>,
    rows: Vec<Row>,
    sketcher: Sketcher,
    kinds: Kinds,
}

#[derive(Debug)]
struct Row {
    kind: u32,
    sketch: Sketch,
    /// The row in the order of arrival.
    row: u32,
    parsed: Parsed,
}

/// What is known of a row's payload.
#[derive(Debug, Clone)]
pub(super) enum Parsed {
    /// There are no columns.
    Nothing,
    /// The record's bytes are the text, if they are JSON.
    Record,
    /// Another text, and its tape.
    Own {
        text: Range<usize>,
        tape: Range<usize>,
    },
}

impl Shredder {
    /// Shreds the rows that wait, group by group.
    pub(super) fn take_groups(&mut self) {
        let whole = match self.envelope.finish_apart(&self.tree.spare) {
            Ok(whole) => whole,
            Err(error) => {
                // What waits belongs to these envelopes, and not to those of the next rows.
                self.waiting.clear();
                self.envelope.forget();
                return self.sealed.push(Err(error));
            }
        };
        let mut waiting = std::mem::take(&mut self.waiting);
        let groups = waiting.groups();
        let order = groups.iter().flat_map(|group| group.rows.iter().copied());
        match whole.in_order(order.collect(), &self.tree.spare) {
            Ok(ordered) => self.shred_groups(&waiting, &groups, &ordered),
            Err(error) => self.sealed.push(Err(error)),
        }
        waiting.clear();
        self.waiting = waiting;
        self.envelope.reuse(whole);
    }

    fn shred_groups(&mut self, waiting: &Waiting, groups: &[Group], ordered: &Ordered) {
        let mut begin = 0;
        for group in groups {
            let rows = begin..begin + group.rows.len();
            begin = rows.end;
            let mut errors = Vec::new();
            for (row, (at, parsed)) in rows.clone().zip(&group.parsed).enumerate() {
                match (parsed, ordered.value(at)) {
                    (Parsed::Record, Some(text)) => {
                        errors.extend(self.shred(text, row).map(|error| (row, error)));
                    }
                    (Parsed::Own { text, tape }, _) => {
                        let (text, tape) = waiting.own(text, tape);
                        self.walk(tape, text, row);
                    }
                    _ => {}
                }
            }
            let batch = self.take_rows(ordered.rows(&rows, &errors));
            self.sealed.push(batch);
        }
    }
}

/// Rows in their new order.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) rows: Vec<u32>,
    pub(super) parsed: Vec<Parsed>,
}

impl Waiting {
    /// Takes a row whose columns are in its record's bytes.
    pub(super) fn push_record(&mut self, text: &[u8]) {
        let sketch = self.sketcher.of_text(text);
        self.add(sketch, Parsed::Record);
    }

    /// Takes the tape of an object's text, and the text.
    pub(super) fn push_own(&mut self, tape: &[Entry], text: &[u8]) {
        let sketch = self.sketcher.of_tape(tape, text);
        let begins = (self.texts.len(), self.entries.len());
        self.texts.extend_from_slice(text);
        self.entries.extend_from_slice(tape);
        let own = Parsed::Own {
            text: begins.0..self.texts.len(),
            tape: begins.1..self.entries.len(),
        };
        self.add(sketch, own);
    }

    /// Takes a row that has its envelope alone.
    pub(super) fn push_empty(&mut self) {
        self.add(Sketch::default(), Parsed::Nothing);
    }

    pub(super) fn rows(&self) -> usize {
        self.rows.len()
    }

    /// Bytes held.
    pub(super) fn bytes(&self) -> usize {
        size_of_val(self.entries.as_slice()) + size_of_val(self.rows.as_slice()) + self.texts.len()
    }

    /// A text and its tape that are not a record's.
    pub(super) fn own(&self, text: &Range<usize>, tape: &Range<usize>) -> (&[u8], &[Entry]) {
        (&self.texts[text.clone()], &self.entries[tape.clone()])
    }

    /// The rows by groups, like beside like.
    pub(super) fn groups(&mut self) -> Vec<Group> {
        let ranks = self.kinds.ranks();
        // Rows alike keep the order of their arrival.
        self.rows
            .sort_by_key(|row| (ranks[row.kind as usize], row.sketch, row.row));
        let mut groups: Vec<Group> = Vec::new();
        let mut last = None;
        for Row {
            kind, row, parsed, ..
        } in self.rows.drain(..)
        {
            let other = last.replace(kind) != Some(kind);
            match groups.last_mut() {
                Some(group) if !other || group.rows.len() < ROWS_LEAST => {
                    group.rows.push(row);
                    group.parsed.push(parsed);
                }
                _ => groups.push(Group {
                    rows: vec![row],
                    parsed: vec![parsed],
                }),
            }
        }
        groups
    }

    /// Forgets the rows and their tapes, keeps the memory for the next.
    pub(super) fn clear(&mut self) {
        self.rows.clear();
        self.entries.clear();
        self.texts.clear();
        self.kinds.forget();
    }

    /// Gives the memory back.
    pub(super) fn shrink(&mut self) {
        *self = Self::default();
    }

    fn add(&mut self, sketch: Sketch, parsed: Parsed) {
        let row = self.rows.len() as u32;
        let kind = self.kinds.of(sketch);
        self.rows.push(Row {
            kind,
            sketch,
            row,
            parsed,
        });
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::shred::json::Tape;

    /// A kind has thirty keys of its own, ten that all have, and one that comes and goes.
    fn text(kind: usize, row: usize) -> String {
        let own =
            (0..30).map(|key| format!("\"kind {kind} key {key}\":{{\"n\":{row},\"not\":null}}"));
        let common = (0..10).map(|key| format!("\"common {key}\":[{row},{{\"deep\":true}}]"));
        let rare = row
            .is_multiple_of(3)
            .then(|| format!("\"rare {}\":1", row % 5));
        let keys: Vec<String> = own.chain(common).chain(rare).collect();
        format!("{{{}}}", keys.join(","))
    }

    #[test]
    fn rows_of_like_keys_come_together_and_every_row_once_with_its_tape() {
        let (kinds, rows) = (7, 3_000);
        let mut waiting = Waiting::default();
        let mut tape = Tape::default();
        let mut lengths = Vec::new();
        for row in 0..rows {
            if row % 100 == 99 {
                waiting.push_empty();
                lengths.push(0);
                continue;
            }
            let text = text(row % kinds, row);
            assert!(tape.parse(text.as_bytes()).is_ok());
            if row % 2 == 0 {
                waiting.push_record(text.as_bytes());
                lengths.push(1);
            } else {
                waiting.push_own(&tape.entries, text.as_bytes());
                lengths.push(tape.entries.len());
            }
        }
        let groups = waiting.groups();
        let mut seen = BTreeSet::new();
        let mut mixed = 0;
        for group in &groups {
            let kinds_here: BTreeSet<usize> =
                group.rows.iter().map(|&row| row as usize % kinds).collect();
            mixed += usize::from(kinds_here.len() > 2);
            for (&row, parsed) in group.rows.iter().zip(&group.parsed) {
                assert!(seen.insert(row));
                let length = match parsed {
                    Parsed::Nothing => 0,
                    Parsed::Record => 1,
                    Parsed::Own { text, tape } => waiting.own(text, tape).1.len(),
                };
                assert_eq!(length, lengths[row as usize]);
            }
        }
        assert_eq!(seen.len(), rows);
        assert!(groups.len() >= kinds && groups.len() <= rows / ROWS_LEAST + 1);
        assert!(
            mixed * 2 < groups.len(),
            "{mixed} of {} groups are mixed",
            groups.len()
        );
    }
}
