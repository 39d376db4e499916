//! One object's walk from the tape into the columns.
//!
//! An object is walked twice: first its keys find their places (predicted by the order seen last),
//! so that of a key that comes twice only the last value goes to a column; then its values go to
//! the columns. What no column may hold goes to the object's rescued text, so nothing is dropped.
//! Lists are left to `list.rs`.
#![expect(
    clippy::indexing_slicing,
    reason = "ids come from the tree and tape indexes from the tape, whose values lie within it"
)]

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::column::Values;
use super::number;
use super::tape::{Entry, Token};
use super::text::{same, unescape};
use super::tree::{NONE, ROOT, Tree};
use crate::moment::{parse_date, parse_timestamp};
use crate::schema::{Kind, Shape, detected};

/// How far ahead in the predicted order a key is looked for before it is looked up: optional keys
/// are skipped without losing the prediction.
const LOOK_AHEAD: usize = 4;

/// What a walk uses again for the next record.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    /// The places of the keys of the objects that are being walked, outermost first.
    resolved: Vec<u32>,
    key: Vec<u8>,
    /// Counts the objects walked.
    stamp: u64,
}

/// A walk over one record's tape.
pub(super) struct Walk<'a> {
    pub(super) tree: &'a mut Tree,
    pub(super) scratch: &'a mut Scratch,
    pub(super) tape: &'a [Entry],
    pub(super) text: &'a [u8],
}

impl Walk<'_> {
    /// Appends the record's root object as `row`.
    pub(super) fn record(&mut self, row: usize) {
        self.scratch.resolved.clear();
        self.object(ROOT, 0, row);
    }

    /// Appends the keys of the object at `at` to the columns of `object`.
    pub(super) fn object(&mut self, object: u32, at: usize, row: usize) {
        let end = self.tape[at].next as usize;
        let base = self.scratch.resolved.len();
        self.resolve_keys(object, at + 1, end);
        let mut rescued = false;
        let mut key = at + 1;
        let mut index = base;
        while key < end {
            let place = self.scratch.resolved[index];
            let value = self.tape[key + 1];
            if !self.member(place, key, row) {
                self.rescue(object, key, row, rescued);
                rescued = true;
            }
            index += 1;
            key = value.next as usize;
        }
        self.scratch.resolved.truncate(base);
        if rescued {
            self.end_rescue(object);
        }
    }

    /// Appends the value of the key at `key`; `false` when it must be rescued.
    #[inline]
    fn member(&mut self, place: u32, key: usize, row: usize) -> bool {
        let value = self.tape[key + 1];
        if place == NONE {
            // Nulls too: one may stand behind a value of the same key.
            return false;
        }
        let found = &self.tree.places[place as usize];
        if found.twice {
            // The last one wins. Where it decides nothing, it stands in the rescued text behind
            // the others, or these would be taken for the key's value.
            if found.last as usize != key || !value.has(Entry::DECIDES) {
                return false;
            }
        }
        if let Some((token, column)) = found.usual
            && token == value.token
            && !value.has(Entry::LONE_SURROGATE | Entry::EXTREME)
        {
            self.append(column, key + 1, row);
            return true;
        }
        self.put(place, key + 1, row)
    }

    fn resolve_keys(&mut self, object: u32, first: usize, end: usize) {
        self.scratch.stamp += 1;
        let stamp = self.scratch.stamp;
        let mut previous = NONE;
        let mut key = first;
        while key < end {
            let place = self.resolve(object, previous, key);
            self.scratch.resolved.push(place);
            if place != NONE {
                let found = &mut self.tree.places[place as usize];
                found.twice = found.stamp == stamp;
                found.stamp = stamp;
                found.last = key as u32;
                previous = place;
            }
            key = self.tape[key + 1].next as usize;
        }
    }

    #[inline]
    fn resolve(&mut self, object: u32, previous: u32, key: usize) -> u32 {
        let entry = self.tape[key];
        let tree = &*self.tree;
        let mut guess = if previous == NONE {
            tree.objects[object as usize].first
        } else {
            tree.places[previous as usize].next
        };
        if !entry.has(Entry::ESCAPED) {
            let key = entry.of(self.text);
            for _ in 0..LOOK_AHEAD {
                if guess == NONE {
                    break;
                }
                let place = &tree.places[guess as usize];
                if same(place.key.as_bytes(), key) {
                    return guess;
                }
                guess = place.next;
            }
        }
        self.look_up(object, previous, entry)
    }

    #[cold]
    fn look_up(&mut self, object: u32, previous: u32, entry: Entry) -> u32 {
        if entry.has(Entry::LONE_SURROGATE) {
            return NONE;
        }
        let mut key = std::mem::take(&mut self.scratch.key);
        key.clear();
        unescape(entry.of(self.text), &mut key);
        let mut place = self.tree.find(object, &key);
        if place == NONE
            && let Ok(key) = std::str::from_utf8(&key)
        {
            place = self.tree.note_key(object, key);
        }
        self.scratch.key = key;
        if place != NONE {
            if previous == NONE {
                self.tree.objects[object as usize].first = place;
            } else if previous != place {
                self.tree.places[previous as usize].next = place;
            }
        }
        place
    }

    /// Appends the value at `at` to the place's column for it; `false` when no column may hold it.
    #[inline]
    pub(super) fn put(&mut self, place: u32, at: usize, row: usize) -> bool {
        let entry = self.tape[at];
        let column = match entry.token {
            Token::Null => return true,
            Token::List => return self.put_list(place, at, row),
            Token::Huge => return false,
            Token::Text if entry.has(Entry::LONE_SURROGATE) => return false,
            Token::Decimal if !self.is_double(entry) => return false,
            Token::Object if !entry.has(Entry::DECIDES) => {
                let column = self.tree.alternate(place, Shape::scalar(Kind::Object));
                if column != NONE {
                    self.append(column, at, row);
                }
                return true;
            }
            Token::Text if self.detected(place, entry, row) => return true,
            Token::Integer => self.integer_column(place, entry),
            Token::True | Token::False => self.column(place, Kind::Boolean),
            Token::Wide => self.column(place, Kind::Decimal(0)),
            Token::Decimal | Token::NotFinite => self.column(place, Kind::Double),
            Token::Text => self.column(place, Kind::String),
            Token::Object => self.column(place, Kind::Object),
            Token::Scaled => self.column(place, scaled(entry.of(self.text))),
            Token::Timestamp => self.column(place, Kind::Timestamp),
            Token::Date => self.column(place, Kind::Date),
            Token::Binary => self.column(place, Kind::Binary),
        };
        if column == NONE {
            return false;
        }
        let place = &mut self.tree.places[place as usize];
        // Which column takes an integer depends on the integer where there are doubles.
        let decided = match entry.token {
            Token::Text => place.detects.is_none(),
            Token::True | Token::False | Token::Decimal => true,
            Token::Timestamp | Token::Date | Token::Binary => true,
            Token::Integer => matches!(
                place.alternates.as_slice(),
                [(shape, _)] if shape.leaf == Kind::Long
            ),
            _ => false,
        };
        place.usual = decided.then_some((entry.token, column));
        self.append(column, at, row);
        true
    }

    /// Appends a text that is of the kind that the place's texts are looked through for.
    #[inline]
    fn detected(&mut self, place: u32, entry: Entry, row: usize) -> bool {
        let Some((kind, column)) = self.tree.places[place as usize].detects else {
            return false;
        };
        if entry.has(Entry::ESCAPED) {
            return false;
        }
        let Some(found) = detected(kind, entry.of(self.text)) else {
            return false;
        };
        self.tree.bytes += self.tree.columns[column as usize].push_detected(row, found);
        true
    }

    #[inline]
    fn column(&mut self, place: u32, kind: Kind) -> u32 {
        let shape = Shape::scalar(kind);
        match self.tree.alternate(place, shape) {
            NONE => self.tree.discover(place, shape),
            column => column,
        }
    }

    #[inline]
    fn integer_column(&mut self, place: u32, entry: Entry) -> u32 {
        let exact = || number::integer(entry.of(self.text)).is_some_and(number::is_exact);
        match self.tree.integers(place, 0, exact) {
            NONE => self.tree.discover(place, Shape::scalar(Kind::Long)),
            column => column,
        }
    }

    /// Appends the value at `at` to a column that can hold it. What decides nothing is null in a
    /// column of another kind.
    #[inline]
    pub(super) fn append(&mut self, column: u32, at: usize, row: usize) {
        let entry = self.tape[at];
        let text = entry.of(self.text);
        let found = &mut self.tree.columns[column as usize];
        self.tree.bytes += match (&found.values, entry.token) {
            (Values::Text { .. }, Token::Text) => {
                found.push_text(row, |bytes| {
                    if entry.has(Entry::ESCAPED) {
                        unescape(text, bytes);
                    } else {
                        bytes.extend_from_slice(text);
                    }
                });
                text.len() + 4
            }
            (Values::Long(_), Token::Integer) => {
                found.push_long(row, number::integer(text).unwrap_or_default());
                8
            }
            (Values::Double(_), Token::Integer) => {
                found.push_double(row, number::integer(text).unwrap_or_default() as f64);
                8
            }
            (Values::Double(_), Token::Decimal) => {
                found.push_double(row, number::double(text).unwrap_or_default());
                8
            }
            (Values::Decimal { .. }, Token::Wide | Token::Scaled) => {
                found.push_decimal(row, number::unscaled(text).unwrap_or_default());
                16
            }
            (Values::Double(_), Token::NotFinite) => {
                found.push_double(row, number::not_finite(text));
                8
            }
            (Values::Timestamp(_), Token::Timestamp) => {
                found.push_timestamp(row, parse_timestamp(text).unwrap_or_default());
                8
            }
            (Values::Date(_), Token::Date) => {
                found.push_date(row, parse_date(text).unwrap_or_default());
                4
            }
            (Values::Binary { .. }, Token::Binary) => {
                // Our own encoding always decodes.
                found.push_text(row, |bytes| {
                    let _ = STANDARD.decode_vec(text, bytes);
                });
                text.len() + 4
            }
            (Values::Boolean(_), Token::True | Token::False) => {
                found.push_boolean(row, entry.token == Token::True);
                1
            }
            (&Values::Object(object), Token::Object) => {
                found.begin(row);
                self.object(object, at, row);
                0
            }
            (Values::List { .. }, Token::List) => {
                self.append_list(column, at, row);
                4
            }
            (&Values::Members(place), _) => {
                self.append_member(column, place, at, row);
                0
            }
            _ => 0,
        };
    }

    /// The number is neither too large nor too small for a double.
    #[inline]
    pub(super) fn is_double(&self, entry: Entry) -> bool {
        !entry.has(Entry::EXTREME) || number::double(entry.of(self.text)).is_some()
    }

    /// Adds the key at `key` and its value, as they stand, to the object's rescued text.
    fn rescue(&mut self, object: u32, key: usize, row: usize, more: bool) {
        let name = self.tape[key].raw(self.text);
        let value = self.tape[key + 1].raw(self.text);
        let column = self.tree.rescued(object);
        let column = &mut self.tree.columns[column as usize];
        if !more {
            column.begin(row);
        }
        if let Values::Text { bytes, .. } = &mut column.values {
            bytes.push(if more { b',' } else { b'{' });
            bytes.extend_from_slice(name);
            bytes.push(b':');
            bytes.extend_from_slice(value);
            self.tree.bytes += name.len() + value.len() + 8;
        }
    }

    fn end_rescue(&mut self, object: u32) {
        let column = self.tree.rescued(object);
        let column = &mut self.tree.columns[column as usize];
        if let Values::Text { offsets, bytes } = &mut column.values {
            bytes.push(b'}');
            offsets.push(bytes.len() as i32);
        }
    }
}

/// The kind of an exact number.
pub(super) fn scaled(text: &[u8]) -> Kind {
    // At most 38: whoever writes such a number sees to it.
    Kind::Decimal(u8::try_from(number::scale(text)).unwrap_or(u8::MAX))
}
