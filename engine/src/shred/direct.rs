//! The quick way of a record into the columns: parsed and appended in one pass, for records whose
//! keys all have columns already and whose values are of the usual kinds.
//!
//! Whatever is unusual (a new key, a key twice, a value for which there is no column, a list of
//! several kinds, half a surrogate pair, anything that isn't JSON) ends the attempt: what the
//! record has appended is taken back, and `json.rs` and `walk.rs` do it over. So this decides
//! nothing and refuses nothing; it may only do what they would have done.

mod list;
mod string;

use super::column::{Column, Values};
use super::number;
use super::text::{plain_end, same, surrogates, unescape};
use super::tree::{NONE, ROOT, Tree};
use crate::schema::{Kind, Shape};

/// How far ahead in the predicted order a key is looked for, as in `walk.rs`.
const LOOK_AHEAD: usize = 4;

/// Records that go the long way without an attempt once attempts fail too often.
const PAUSE: u32 = 512;

/// What an attempt costs when it fails, in successes.
const FAILURE: u32 = 3;

/// What attempts use again, and whether they are worth it.
#[derive(Debug)]
pub(super) struct Attempts {
    /// Columns that the record has appended to and the rows that they had before, in order.
    touched: Vec<(u32, usize)>,
    /// Counts the objects walked.
    stamp: u64,
    /// Successes that are not outweighed by failures.
    credit: u32,
    pause: u32,
}

impl Default for Attempts {
    fn default() -> Self {
        Self {
            touched: Vec::new(),
            // Apart from the stamps of `walk.rs`, whose count begins at one.
            stamp: 1 << 63,
            credit: 8 * FAILURE,
            pause: 0,
        }
    }
}

impl Attempts {
    /// Every record goes the long way.
    #[cfg(test)]
    pub(super) fn none() -> Self {
        Self {
            pause: u32::MAX,
            ..Self::default()
        }
    }

    /// Appends the object of `text` as `row`; `false` when nothing was appended.
    pub(super) fn record(&mut self, tree: &mut Tree, text: &[u8], row: usize) -> bool {
        if self.pause > 0 {
            self.pause -= 1;
            return false;
        }
        let bytes = tree.bytes;
        self.touched.clear();
        let done = simdutf8::basic::from_utf8(text).is_ok() && {
            let mut direct = Direct {
                tree,
                attempts: self,
                text,
                at: 0,
                row,
            };
            direct.text().is_some()
        };
        if done {
            self.credit = (self.credit + 1).min(64 * FAILURE);
            return true;
        }
        tree.bytes = bytes;
        for &(column, rows) in self.touched.iter().rev() {
            tree.take_back(column, rows);
        }
        self.credit = self.credit.saturating_sub(FAILURE);
        if self.credit == 0 {
            self.pause = PAUSE;
            self.credit = 8 * FAILURE;
        }
        false
    }
}

/// An attempt: every step answers `None` when it can't go on.
struct Direct<'a> {
    tree: &'a mut Tree,
    attempts: &'a mut Attempts,
    text: &'a [u8],
    at: usize,
    row: usize,
}

impl<'a> Direct<'a> {
    fn text(&mut self) -> Option<()> {
        self.blanks();
        self.expect(b'{')?;
        self.object(ROOT)?;
        self.blanks();
        (self.at == self.text.len()).then_some(())
    }

    /// The object whose brace was just read.
    fn object(&mut self, object: u32) -> Option<()> {
        self.attempts.stamp += 1;
        let stamp = self.attempts.stamp;
        let mut previous = NONE;
        self.blanks();
        if self.peek() == b'}' {
            self.at += 1;
            return Some(());
        }
        loop {
            self.expect(b'"')?;
            let place = self.key(object, previous)?;
            let found = self.tree.places.get_mut(place as usize)?;
            if found.stamp == stamp {
                return None;
            }
            found.stamp = stamp;
            previous = place;
            self.blanks();
            self.expect(b':')?;
            self.blanks();
            self.value(place)?;
            self.blanks();
            match self.peek() {
                b',' => self.at += 1,
                b'}' => {
                    self.at += 1;
                    return Some(());
                }
                _ => return None,
            }
            self.blanks();
        }
    }

    /// The place of the key whose quote was just read.
    #[inline]
    fn key(&mut self, object: u32, previous: u32) -> Option<u32> {
        let mut guess = match self.tree.places.get(previous as usize) {
            Some(place) => place.next,
            None => self.tree.objects.get(object as usize)?.first,
        };
        let rest = self.text.get(self.at..)?;
        for _ in 0..LOOK_AHEAD {
            let Some(place) = self.tree.places.get(guess as usize) else {
                break;
            };
            let key = place.key.as_bytes();
            if place.plain
                && rest.get(key.len()) == Some(&b'"')
                && rest.get(..key.len()).is_some_and(|text| same(text, key))
            {
                self.at += key.len() + 1;
                return Some(guess);
            }
            guess = place.next;
        }
        self.look_up(object, previous)
    }

    #[cold]
    fn look_up(&mut self, object: u32, previous: u32) -> Option<u32> {
        let end = plain_end(self.text, self.at);
        let key = self.text.get(self.at..end)?;
        if self.text.get(end) != Some(&b'"') {
            return None;
        }
        let place = self.tree.find(object, key);
        if place == NONE {
            return None;
        }
        match self.tree.places.get_mut(previous as usize) {
            Some(before) if previous != place => before.next = place,
            Some(_) => return None,
            None => self.tree.objects.get_mut(object as usize)?.first = place,
        }
        self.at = end + 1;
        Some(place)
    }

    #[inline]
    fn value(&mut self, place: u32) -> Option<()> {
        match self.peek() {
            b'"' => self.string(place),
            b'-' | b'0'..=b'9' => self.number(place),
            b'{' => match self.column(place, Kind::Object) {
                Some(column) => self.object_into(column),
                None => self.empty(b'}'),
            },
            b'[' => self.list(place),
            b't' => self.boolean_into(self.column(place, Kind::Boolean)?, b"true"),
            b'f' => self.boolean_into(self.column(place, Kind::Boolean)?, b"false"),
            b'n' => self.word(b"null"),
            _ => None,
        }
    }

    /// The object or list at hand, for which there is no column: nothing of it is kept if it is
    /// empty.
    fn empty(&mut self, end: u8) -> Option<()> {
        self.at += 1;
        self.blanks();
        self.expect(end)
    }

    #[inline]
    fn object_into(&mut self, column: u32) -> Option<()> {
        self.at += 1;
        let row = self.row;
        let found = self.touch(column)?;
        let Values::Object(object) = found.values else {
            return None;
        };
        found.begin(row);
        self.object(object)
    }

    #[inline]
    fn text_into(&mut self, column: u32) -> Option<()> {
        let start = self.at + 1;
        let mut end = plain_end(self.text, start);
        let plain = self.text.get(end) == Some(&b'"');
        if !plain {
            end = self.escaped_end(end)?;
        }
        let text = self.text.get(start..end)?;
        if !plain && surrogates(text) {
            return None;
        }
        self.at = end + 1;
        let row = self.row;
        let found = self.touch(column)?;
        if plain {
            found.push_text(row, |bytes| bytes.extend_from_slice(text));
        } else {
            found.push_text(row, |bytes| unescape(text, bytes));
        }
        self.tree.bytes += text.len() + 4;
        Some(())
    }

    /// Where a string ends that has an escape at `at`.
    #[cold]
    fn escaped_end(&self, mut at: usize) -> Option<usize> {
        loop {
            match self.text.get(at)? {
                b'"' => return Some(at),
                b'\\' => match self.text.get(at + 1)? {
                    b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => at += 2,
                    b'u' => {
                        let digits = self.text.get(at + 2..at + 6)?;
                        if !digits.iter().all(u8::is_ascii_hexdigit) {
                            return None;
                        }
                        at += 6;
                    }
                    _ => return None,
                },
                _ => return None,
            }
            at = plain_end(self.text, at);
        }
    }

    #[inline]
    fn number(&mut self, place: u32) -> Option<()> {
        let (text, whole) = self.number_text()?;
        if !whole {
            let (value, column) = (number::double(text)?, self.column(place, Kind::Double)?);
            return self.push_double(column, value);
        }
        let value = number::integer(text)?;
        let column = self.tree.integers(place, 0, || number::is_exact(value));
        match self.tree.columns.get(column as usize)?.values {
            Values::Long(_) => self.push_long(column, value),
            _ => self.push_double(column, value as f64),
        }
    }

    /// The text of an integer of up to 18 digits, or of a decimal without an exponent; and whether
    /// it is an integer.
    #[inline]
    fn number_text(&mut self) -> Option<(&'a [u8], bool)> {
        let start = self.at;
        self.at += usize::from(self.peek() == b'-');
        let first = self.at;
        self.digits();
        let digits = self.at - first;
        let zero_first = self.text.get(first) == Some(&b'0');
        if digits == 0 || digits > 18 || (zero_first && digits > 1) {
            return None;
        }
        let whole = self.peek() != b'.';
        if !whole {
            self.at += 1;
            let point = self.at;
            self.digits();
            if self.at == point || self.at - start > 300 {
                return None;
            }
        }
        if matches!(self.peek(), b'e' | b'E') {
            return None;
        }
        Some((self.text.get(start..self.at)?, whole))
    }

    #[inline]
    fn push_long(&mut self, column: u32, value: i64) -> Option<()> {
        let row = self.row;
        self.touch(column)?.push_long(row, value);
        self.tree.bytes += 8;
        Some(())
    }

    fn push_double(&mut self, column: u32, value: f64) -> Option<()> {
        let row = self.row;
        self.touch(column)?.push_double(row, value);
        self.tree.bytes += 8;
        Some(())
    }

    fn boolean_into(&mut self, column: u32, word: &[u8]) -> Option<()> {
        self.word(word)?;
        let row = self.row;
        self.touch(column)?.push_boolean(row, word == b"true");
        self.tree.bytes += 1;
        Some(())
    }

    /// The column, which is about to get a value that may have to be taken back.
    #[inline]
    fn touch(&mut self, column: u32) -> Option<&mut Column> {
        let found = self.tree.columns.get_mut(column as usize)?;
        self.attempts.touched.push((column, found.rows()));
        Some(found)
    }

    /// The place's column for plain values of a kind.
    #[inline]
    fn column(&self, place: u32, kind: Kind) -> Option<u32> {
        let column = self.tree.alternate(place, Shape::scalar(kind));
        (column != NONE).then_some(column)
    }

    fn word(&mut self, word: &[u8]) -> Option<()> {
        let end = self.at + word.len();
        if self.text.get(self.at..end)? != word {
            return None;
        }
        self.at = end;
        Some(())
    }

    #[inline]
    fn digits(&mut self) {
        while self.peek().is_ascii_digit() {
            self.at += 1;
        }
    }

    #[inline]
    fn expect(&mut self, byte: u8) -> Option<()> {
        if self.peek() != byte {
            return None;
        }
        self.at += 1;
        Some(())
    }

    /// The byte at hand; 0, which no JSON text has outside of strings, at the end.
    #[inline]
    fn peek(&self) -> u8 {
        self.text.get(self.at).copied().unwrap_or(0)
    }

    #[inline]
    fn blanks(&mut self) {
        while matches!(self.peek(), b' ' | b'\n' | b'\r' | b'\t') {
            self.at += 1;
        }
    }
}
