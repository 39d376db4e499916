//! One JSON text without what the rules name: the walk along the text's tape, and what it writes.
//!
//! The text is copied from one replaced span to the next, so whatever isn't named keeps its bytes.
//! A text that no rule touches isn't copied at all.

use super::hash_key::HashKey;
use super::paths::{Paths, State};
use super::rule::Action;
use crate::shred::{Entry, Token, unescape};

/// The largest text that redaction makes: hashes are longer than most of what they replace, and a
/// batch's offsets have 31 bits.
pub(super) const OUT_MOST: usize = 512 << 20;

/// What takes the place of a masked value, before what is kept of it.
pub(super) const MASK: &str = "***";

/// The text can't be redacted; it must not land.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Refused(pub(super) &'static str);

/// A walk along one text.
pub(super) struct Walk<'a> {
    pub(super) paths: &'a Paths,
    pub(super) hash_key: Option<&'a HashKey>,
    pub(super) tape: &'a [Entry],
    pub(super) text: &'a [u8],
    /// Empty before.
    pub(super) out: &'a mut Vec<u8>,
    /// A key or string with its escapes undone.
    pub(super) plain: &'a mut Vec<u8>,
    /// Up to where the text was copied or replaced.
    pub(super) copied: usize,
    /// More bytes aren't written.
    pub(super) most: usize,
}

impl Walk<'_> {
    /// Writes the redacted text to `out`; `false` if no rule touches it, and `out` is as it was.
    pub(super) fn run(mut self) -> Result<bool, Refused> {
        self.container(0, State::START)?;
        if self.copied == 0 {
            return Ok(false);
        }
        self.cut(self.text.len(), self.text.len())?;
        Ok(true)
    }

    /// The members or elements of the object or list at `at`.
    fn container(&mut self, at: usize, state: State) -> Result<(), Refused> {
        let container = self.entry(at)?;
        let is_object = container.token == Token::Object;
        let end = container.next as usize;
        // Where the item before this one ends, if one before was kept.
        let (mut behind, mut kept) = (0, false);
        let mut next = at + 1;
        while next < end {
            let first = self.entry(next)?;
            let (value_at, below) = match is_object {
                true => (next + 1, self.member(state, first)),
                false => (next, self.paths.element(state)),
            };
            let value = self.entry(value_at)?;
            next = value.next as usize;
            let item_end = value.raw_range().end;
            match self.paths.action(below) {
                Some(Action::Drop) if kept => self.cut(behind, item_end)?,
                Some(Action::Drop) if next < end => {
                    self.cut(first.raw_range().start, self.entry(next)?.raw_range().start)?;
                }
                Some(Action::Drop) => self.cut(first.raw_range().start, item_end)?,
                Some(action) => {
                    self.replace(value, action)?;
                    kept = true;
                }
                None => {
                    let holds = matches!(value.token, Token::Object | Token::List);
                    if holds && below != State::NOWHERE {
                        self.container(value_at, below)?;
                    }
                    kept = true;
                }
            }
            behind = item_end;
        }
        Ok(())
    }

    #[inline]
    fn member(&mut self, state: State, key: Entry) -> State {
        let span = key.of(self.text);
        if !key.has(Entry::ESCAPED) {
            return self.paths.member(state, span);
        }
        self.plain.clear();
        unescape(span, self.plain);
        self.paths.member(state, self.plain)
    }

    fn replace(&mut self, value: Entry, action: Action) -> Result<(), Refused> {
        if value.token == Token::Null {
            return Ok(());
        }
        let span = value.raw_range();
        self.cut(span.start, span.end)?;
        match action {
            Action::Hash => {
                let key = self.hash_key.ok_or(Refused("hashing needs a key"))?;
                let digits = hash(key, value, self.text, self.plain);
                self.out.push(b'"');
                self.out.extend_from_slice(&digits);
                self.out.push(b'"');
            }
            Action::Mask(keep) => self.mask(value, keep)?,
            Action::Drop => return Err(Refused("what is dropped has no place")),
        }
        Ok(())
    }

    fn mask(&mut self, value: Entry, keep: usize) -> Result<(), Refused> {
        let kept = match value.token {
            Token::Text if !value.has(Entry::LONE_SURROGATE) => {
                self.plain.clear();
                unescape(value.of(self.text), self.plain);
                tail(self.plain, keep)
            }
            Token::Integer | Token::Wide | Token::Huge | Token::Decimal => {
                tail(value.of(self.text), keep)
            }
            _ => "",
        };
        let masked = format!("{MASK}{kept}");
        let unwritten = |_| Refused("a masked text can't be written");
        serde_json::to_writer(&mut *self.out, &masked).map_err(unwritten)
    }

    /// Copies what was left up to `from`, and goes on at `to`.
    fn cut(&mut self, from: usize, to: usize) -> Result<(), Refused> {
        let rest = self.text.get(self.copied..from);
        let rest = rest.ok_or(Refused("the parts of the text are out of order"))?;
        if self.out.len() + rest.len() > self.most {
            return Err(Refused("redacted it would be too large"));
        }
        self.out.extend_from_slice(rest);
        self.copied = to;
        Ok(())
    }

    fn entry(&self, at: usize) -> Result<Entry, Refused> {
        let entry = self.tape.get(at).copied();
        entry.ok_or(Refused("the parts of the text are incomplete"))
    }
}

/// A string hashes as what it says, so that escapes make no difference; half a surrogate pair,
/// which no text can hold, as it is written. Anything else hashes as its text without blanks.
fn hash(
    key: &HashKey,
    value: Entry,
    text: &[u8],
    plain: &mut Vec<u8>,
) -> [u8; super::hash_key::HASH_DIGITS] {
    let span = value.of(text);
    match value.token {
        Token::Text if value.has(Entry::LONE_SURROGATE) => key.hash([span]),
        Token::Text => {
            plain.clear();
            unescape(span, plain);
            key.hash([plain.as_slice()])
        }
        _ => key.hash(Solid { text: span }),
    }
}

/// The last characters of a text that is at least twice as long.
pub(super) fn tail(text: &[u8], keep: usize) -> &str {
    let Ok(text) = std::str::from_utf8(text) else {
        return "";
    };
    if keep == 0 || text.chars().nth(2 * keep - 1).is_none() {
        return "";
    }
    let from = text.char_indices().rev().nth(keep - 1);
    from.and_then(|(at, _)| text.get(at..)).unwrap_or_default()
}

/// The parts of a JSON text between blanks outside of strings.
pub(super) struct Solid<'a> {
    pub(super) text: &'a [u8],
}

impl<'a> Iterator for Solid<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let blank = |byte: &u8| matches!(byte, b' ' | b'\n' | b'\r' | b'\t');
        let begin = self.text.iter().position(|byte| !blank(byte))?;
        let text = self.text.get(begin..)?;
        let (mut quoted, mut escaped) = (false, false);
        let end = text.iter().position(|byte| {
            let ends = !quoted && blank(byte);
            if escaped {
                escaped = false;
            } else if quoted && *byte == b'\\' {
                escaped = true;
            } else if *byte == b'"' {
                quoted = !quoted;
            }
            ends
        });
        let (part, rest) = text.split_at(end.unwrap_or(text.len()));
        self.text = rest;
        Some(part)
    }
}
