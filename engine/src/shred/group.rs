//! Rows of like keys put together, for tables so wide that most columns are empty in most rows.
//!
//! The rows of a batch are parsed one by one but shredded at its end, ordered by a sketch of their
//! keys: neighbours then fill the same columns, and a batch of few rows has few columns, each
//! nearly full. What a row costs stays in proportion to its own keys, whatever the table's width.
//!
//! The sketch is a MinHash (Broder 1997): of each of four hash functions the least value over all
//! paths of the row. Two rows agree in one with the probability of their Jaccard similarity, so an
//! optional key more or less rarely moves a row away from its like.
#![expect(
    clippy::indexing_slicing,
    reason = "tape indexes come from the tape, whose values lie within it"
)]

use std::ops::Range;

use super::Shredder;
use super::tape::{Entry, Token};

/// Leaves from which on rows are grouped: below, empty columns cost less than an order of the rows.
pub(super) const WIDE: usize = 400;

/// Rows of a group at least, before a row of another kind begins a new one: each group makes arrays
/// of its own.
const ROWS_LEAST: usize = 128;

/// Odd multipliers that make four hashes of one.
const HASHES: [u64; 4] = [
    0x9e37_79b9_7f4a_7c15,
    0xc2b2_ae3d_27d4_eb4f,
    0x1656_67b1_9e37_79f9,
    0xd6e8_feb8_6659_fd93,
];

type Sketch = [u32; HASHES.len()];

/// Rows that were parsed and wait for their group. Those that are their record's bytes are parsed
/// again then: their tapes would be larger than they are.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    /// The texts and tapes of the other rows.
    texts: Vec<u8>,
    entries: Vec<Entry>,
    rows: Vec<Row>,
    open: Vec<Open>,
}

#[derive(Debug)]
struct Row {
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
    /// The record's bytes are the text of an object.
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
            Err(error) => return self.sealed.push(Err(error)),
        };
        let mut waiting = std::mem::take(&mut self.waiting);
        for group in waiting.groups() {
            for (row, (at, parsed)) in group.rows.iter().zip(&group.parsed).enumerate() {
                match (parsed, whole.value(*at)) {
                    (Parsed::Record, Some(text)) => self.shred_again(text, row),
                    (Parsed::Own { text, tape }, _) => {
                        let (text, tape) = waiting.own(text, tape);
                        self.walk(tape, text, row);
                    }
                    _ => {}
                }
            }
            let batch = whole.rows(group.rows, &self.tree.spare);
            let batch = batch.and_then(|envelope| self.take_rows(envelope));
            self.sealed.push(batch);
        }
        waiting.clear();
        self.waiting = waiting;
        self.envelope.reuse(whole);
    }

    /// Takes a text that was parsed before.
    fn shred_again(&mut self, text: &[u8], row: usize) {
        if self.attempts.checked(&mut self.tree, text, row) {
            return;
        }
        let mut tape = std::mem::take(&mut self.tape);
        if tape.parse(text).is_ok() {
            self.walk(&tape.entries, text, row);
        }
        self.tape = tape;
    }
}

/// A container that the sketch is in.
#[derive(Debug)]
struct Open {
    end: u32,
    is_object: bool,
    path: u64,
}

/// Rows in their new order.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) rows: Vec<u32>,
    pub(super) parsed: Vec<Parsed>,
}

impl Waiting {
    /// Takes a row by the tape of its record's bytes, which are an object.
    pub(super) fn push_record(&mut self, tape: &[Entry], text: &[u8]) {
        let sketch = self.sketch(tape, text);
        self.add(sketch, Parsed::Record);
    }

    /// Takes the tape of an object's text, and the text.
    pub(super) fn push_own(&mut self, tape: &[Entry], text: &[u8]) {
        let sketch = self.sketch(tape, text);
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
        // Rows alike keep the order of their arrival.
        self.rows.sort_by_key(|row| (row.sketch, row.row));
        let mut groups: Vec<Group> = Vec::new();
        let mut last = Sketch::default();
        for Row {
            sketch,
            row,
            parsed,
        } in self.rows.drain(..)
        {
            let other = sketch[..2] != last[..2];
            last = sketch;
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

    /// Forgets the tapes, keeps their memory for the next.
    pub(super) fn clear(&mut self) {
        self.entries.clear();
        self.texts.clear();
    }

    /// Gives the memory back.
    pub(super) fn shrink(&mut self) {
        *self = Self::default();
    }

    fn add(&mut self, sketch: Sketch, parsed: Parsed) {
        let row = self.rows.len() as u32;
        self.rows.push(Row {
            sketch,
            row,
            parsed,
        });
    }

    fn sketch(&mut self, tape: &[Entry], text: &[u8]) -> Sketch {
        let mut sketch = [u32::MAX; HASHES.len()];
        self.open.clear();
        let mut at = 1;
        self.open.extend(tape.first().map(|root| Open {
            end: root.next,
            is_object: true,
            path: 0,
        }));
        while let Some(open) = self.open.last() {
            if at >= open.end as usize {
                self.open.pop();
                continue;
            }
            let mut path = open.path;
            if open.is_object {
                path = step(path, tape[at].of(text));
                at += 1;
            }
            let value = tape[at];
            if value.token == Token::Null {
                at += 1;
                continue;
            }
            let of_type = path.wrapping_add(value.token as u64);
            for (least, multiplier) in sketch.iter_mut().zip(HASHES) {
                let hash = (of_type ^ (of_type >> 29)).wrapping_mul(multiplier);
                *least = (*least).min((hash >> 32) as u32);
            }
            if matches!(value.token, Token::Object | Token::List) {
                self.open.push(Open {
                    end: value.next,
                    is_object: value.token == Token::Object,
                    path: path.rotate_left(7) ^ 1,
                });
            }
            at += 1;
        }
        sketch
    }
}

/// The hash of a path continued by a key: of the key's ends and length, which tell keys apart well
/// enough for a sketch.
fn step(path: u64, key: &[u8]) -> u64 {
    let word = |bytes: &[u8]| {
        let mut word = [0; 8];
        for (to, from) in word.iter_mut().zip(bytes) {
            *to = *from;
        }
        u64::from_le_bytes(word)
    };
    let end = key.len().saturating_sub(8);
    let (first, last) = match (key.first_chunk::<8>(), key.last_chunk::<8>()) {
        (Some(first), Some(last)) => (u64::from_le_bytes(*first), u64::from_le_bytes(*last)),
        _ => (word(key), word(&key[end..])),
    };
    let mixed = (path ^ first)
        .wrapping_mul(HASHES[0])
        .rotate_left(31)
        .wrapping_add(last)
        .wrapping_mul(HASHES[1]);
    (mixed ^ (mixed >> 31)).wrapping_add(key.len() as u64)
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
                waiting.push_record(&tape.entries, text.as_bytes());
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
