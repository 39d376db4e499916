//! The parsed form of one JSON text: a flat list of entries with spans into the text.
//!
//! An object is followed by its keys and values in turn, a list by its elements; `next` leads past
//! a whole value. Nothing is copied out of the text, and a tape is used again for the next one.
//!
//! A value that is no JSON text (`value.rs`) is written as one for the walk, with a tape that says
//! of its types what JSON can't: so all payloads go the same way into the columns.

use std::ops::Range;

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Token {
    Null,
    True,
    False,
    /// An integer that fits 64 bits.
    Integer,
    /// A longer integer of at most 38 digits.
    Wide,
    /// An integer beyond 38 digits.
    Huge,
    /// A number with a fraction or an exponent.
    Decimal,
    Text,
    Object,
    List,
    /// Not of JSON: an exact number, whose text has all digits that its type has behind the point.
    Scaled,
    /// Not of JSON: a double that is no number. A text in quotes, as the next ones.
    NotFinite,
    /// Not of JSON: a moment, as `crate::moment` writes it.
    Timestamp,
    /// Not of JSON: a day, as `crate::moment` writes it.
    Date,
    /// Not of JSON: bytes, in base64.
    Binary,
}

impl Token {
    /// The entry's text stands in quotes.
    fn is_quoted(self) -> bool {
        matches!(
            self,
            Self::Text | Self::NotFinite | Self::Timestamp | Self::Date | Self::Binary
        )
    }
}

/// One value or key. 16 bytes, because the tape is walked twice for every record.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry {
    /// Where its text begins: behind the quote, if there is one, else at its first byte.
    pub(crate) start: u32,
    /// Where its text ends: at the closing quote, if there is one, else behind its last byte.
    pub(crate) end: u32,
    /// The entry behind the whole value.
    pub(crate) next: u32,
    pub(crate) token: Token,
    flags: u8,
}

impl Entry {
    /// The text has escapes.
    pub(crate) const ESCAPED: u8 = 1;
    /// The text has an escape that is half of a surrogate pair, which UTF-8 can't hold.
    pub(crate) const LONE_SURROGATE: u8 = 2;
    /// Something below it, or it itself, decides a type: not only nulls and empty containers.
    pub(crate) const DECIDES: u8 = 4;
    /// A number that may not fit a double: it has an exponent or hundreds of digits.
    pub(crate) const EXTREME: u8 = 8;

    pub(crate) fn new(token: Token, start: usize, end: usize, next: usize, flags: u8) -> Self {
        // Texts of 4 GiB and more are refused, and a tape has fewer entries than bytes.
        Self {
            start: start as u32,
            end: end as u32,
            next: next as u32,
            token,
            flags,
        }
    }

    /// The same entry, of a text that stands behind `text` bytes of another one, and on a tape
    /// behind `entries` others.
    pub(crate) fn shifted(self, text: usize, entries: usize) -> Self {
        let (text, entries) = (text as u32, entries as u32);
        Self {
            start: self.start + text,
            end: self.end + text,
            next: self.next + entries,
            ..self
        }
    }

    pub(crate) fn has(self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    pub(crate) fn set(&mut self, flag: u8) {
        self.flags |= flag;
    }

    /// The bytes between start and end.
    pub(crate) fn of(self, text: &[u8]) -> &[u8] {
        text.get(self.start as usize..self.end as usize)
            .unwrap_or_default()
    }

    /// Where the whole value stands in the JSON text, quotes included.
    pub(crate) fn raw_range(self) -> Range<usize> {
        let quote = usize::from(self.token.is_quoted());
        (self.start as usize).saturating_sub(quote)..self.end as usize + quote
    }

    /// The whole value as it stands in the JSON text, quotes included.
    pub(crate) fn raw(self, text: &[u8]) -> &[u8] {
        text.get(self.raw_range()).unwrap_or_default()
    }
}
