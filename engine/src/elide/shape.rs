//! A row's shape: its JSON text with a mark for each value that a column holds.
//!
//! ```text
//! {"id": 7, "tags": ["a", "b"], "price": 1.50, "none": null}
//! {"id": l, "tags": [*s, *], "price": x2, "none": null}
//! ```
//!
//! A list whose elements have one shape is that shape between stars, with what stands between
//! two elements: lists of any length then have the same. What found no column stands as it came
//! in the `_rescued` text of its object, member after member in order, and is marked too. Numbers
//! that no form gives stay as they are.

use std::borrow::Cow;

use super::form::{Double, Form, Text, decimals};
use super::node::{Alternates, Column, Node, Object};
use crate::schema::Kind;
use crate::shred::{Entry, Token, unescape};

/// What opens and closes the part of a list that is repeated.
pub(super) const REPEAT: u8 = b'*';
/// Stands for the value of the next member of the object's rescued text.
pub(super) const RESCUED: u8 = b'~';

/// Makes shapes; goes on from how the rows before were written, so that rows of one producer have
/// one shape even where their values leave open how they were written.
#[derive(Debug)]
pub(super) struct Shaper {
    text_form: Text,
    /// What stood between two elements or members last.
    gap: Vec<u8>,
    out: Vec<u8>,
    trial: Vec<u8>,
}

impl Shaper {
    pub(super) fn new() -> Self {
        Self {
            text_form: Text::Minimal,
            gap: b",".to_vec(),
            out: Vec::new(),
            trial: Vec::new(),
        }
    }

    /// The shape of `text`, whose tape is `tape` and whose values are in the columns of `row`;
    /// `None` when some value isn't in a column or is written in a way of its own.
    pub(super) fn shape(
        &mut self,
        (tape, text): (&[Entry], &[u8]),
        (root, columns): (&Node, &[Column<'_>]),
        row: usize,
    ) -> Option<&[u8]> {
        let Node::Object(root) = root else {
            return None;
        };
        self.out.clear();
        let mut walk = Walk {
            shaper: self,
            tape,
            text,
            copied: 0,
            marks: 0,
        };
        walk.object(0, root, columns, row)?;
        walk.copy_to(text.len());
        Some(&self.out)
    }
}

/// The way through one text.
struct Walk<'a> {
    shaper: &'a mut Shaper,
    tape: &'a [Entry],
    text: &'a [u8],
    /// The shape has the text up to here.
    copied: usize,
    marks: usize,
}

impl<'a> Walk<'a> {
    fn object(
        &mut self,
        at: usize,
        object: &Object,
        columns: &[Column<'_>],
        row: usize,
    ) -> Option<()> {
        let end = self.tape.get(at)?.next as usize;
        let rescued = object.rescued.and_then(|index| columns.get(index));
        let mut rescued = rescued.and_then(|column| column.text(row)).unwrap_or("");
        let mut key = at + 1;
        while key < end {
            let value = *self.tape.get(key + 1)?;
            if let Some(rest) = self.rescued(key, value, rescued) {
                rescued = rest;
                self.put(value, |out| out.push(RESCUED));
            } else if value.has(Entry::DECIDES) {
                let alternates = object.keys.get(self.key(key)?.as_ref())?;
                self.pick(key + 1, alternates, columns, row)?;
            }
            key = value.next as usize;
            if let Some(next) = self.tape.get(key).filter(|_| key < end) {
                self.note_gap(value.raw_range().end, next.raw_range().start);
            }
        }
        Some(())
    }

    /// What is left of the object's rescued text behind the member, if it comes first in it.
    fn rescued<'b>(&self, key: usize, value: Entry, rescued: &'b str) -> Option<&'b str> {
        let key = self.tape.get(key)?.raw(self.text);
        let rest = rescued.as_bytes().get(1..)?.strip_prefix(key)?;
        let rest = rest
            .strip_prefix(b":")?
            .strip_prefix(value.raw(self.text))?;
        rescued.get(rescued.len() - rest.len()..)
    }

    fn key(&self, at: usize) -> Option<Cow<'a, str>> {
        let entry = self.tape.get(at)?;
        let span = entry.of(self.text);
        if !entry.has(Entry::ESCAPED) {
            return std::str::from_utf8(span).ok().map(Cow::Borrowed);
        }
        let mut key = Vec::new();
        unescape(span, &mut key);
        String::from_utf8(key).ok().map(Cow::Owned)
    }

    /// The value at `at`, in the one of some columns that has it.
    fn pick(
        &mut self,
        at: usize,
        alternates: &Alternates,
        columns: &[Column<'_>],
        row: usize,
    ) -> Option<()> {
        for (index, node) in alternates {
            let column = columns.get(*index)?;
            if !column.has(row) {
                continue;
            }
            let before = (self.shaper.out.len(), self.copied, self.marks);
            if self.value(at, node, column, row).is_some() {
                return Some(());
            }
            self.shaper.out.truncate(before.0);
            (self.copied, self.marks) = (before.1, before.2);
        }
        None
    }

    fn value(&mut self, at: usize, node: &Node, column: &Column<'_>, row: usize) -> Option<()> {
        let entry = *self.tape.get(at)?;
        match (entry.token, node) {
            (_, Node::Members(alternates)) => self.pick(at, alternates, column.inner()?, row),
            (Token::Object, Node::Object(object)) => self.object(at, object, column.inner()?, row),
            (Token::List, Node::List(element)) => self.list(at, element, column, row),
            (token, Node::Leaf { kind, usual }) => match (token, kind) {
                (Token::True | Token::False, Kind::Boolean) => {
                    self.mark(entry, Form::Boolean);
                    Some(())
                }
                (Token::Integer, Kind::Long) => {
                    self.number(entry, &[Form::Long], column, row);
                    Some(())
                }
                (Token::Wide, Kind::Decimal(0)) => {
                    self.number(entry, &[Form::Decimal], column, row);
                    Some(())
                }
                (Token::Integer | Token::Decimal, Kind::Double) => {
                    let last = Double::fixed(entry.of(self.text)).unwrap_or(Double::Integer);
                    let forms = [
                        usual.get(),
                        Double::Script,
                        Double::Python,
                        Double::Rust,
                        last,
                    ];
                    let found = self.number(entry, &forms.map(Form::Double), column, row);
                    if let Some(Form::Double(form)) = found {
                        usual.set(form);
                    }
                    Some(())
                }
                (Token::Text, Kind::String) => self.string(entry, column, row),
                (Token::Text, Kind::Timestamp) => {
                    let decimals = decimals(entry.of(self.text));
                    self.quoted(entry, Form::Moment(decimals), column, row);
                    Some(())
                }
                (Token::Text, Kind::Decimal(1..)) => {
                    let decimals = decimals(entry.of(self.text));
                    self.quoted(entry, Form::Quoted(decimals), column, row);
                    Some(())
                }
                _ => None,
            },
            _ => None,
        }
    }

    /// Marks a number with the first of `forms` that gives its text, or leaves it as it stands.
    fn number(
        &mut self,
        entry: Entry,
        forms: &[Form],
        column: &Column<'_>,
        row: usize,
    ) -> Option<Form> {
        let is = |form: &&Form| self.shaper.gives(**form, column, row, entry.of(self.text));
        let form = *forms.iter().find(is)?;
        self.mark(entry, form);
        Some(form)
    }

    /// Marks a text that was detected to be something else, or leaves it as it stands.
    fn quoted(&mut self, entry: Entry, form: Form, column: &Column<'_>, row: usize) {
        if self.shaper.gives(form, column, row, entry.raw(self.text)) {
            self.mark(entry, form);
        }
    }

    fn string(&mut self, entry: Entry, column: &Column<'_>, row: usize) -> Option<()> {
        let usual = self.shaper.text_form;
        if usual == Text::Minimal && !entry.has(Entry::ESCAPED) {
            self.mark(entry, Form::Text(usual));
            return Some(());
        }
        let raw = entry.raw(self.text);
        let mut forms = std::iter::once(usual).chain(Text::ALL);
        let form = forms.find(|form| self.shaper.gives(Form::Text(*form), column, row, raw))?;
        self.shaper.text_form = form;
        self.mark(entry, Form::Text(form));
        Some(())
    }

    fn list(&mut self, at: usize, element: &Node, column: &Column<'_>, row: usize) -> Option<()> {
        let end = self.tape.get(at)?.next as usize;
        let (elements, mut row, rows_end) = column.elements(row)?;
        let mut repeated = Repeated::default();
        let mut child = at + 1;
        let mut before = None;
        while child < end {
            let entry = *self.tape.get(child)?;
            let range = entry.raw_range();
            if let Some(before) = before.replace(range.end) {
                self.note_gap(before, range.start);
                repeated.gap(self.text.get(before..range.start)?);
            }
            self.copy_to(range.start);
            let (begin, marks) = (self.shaper.out.len(), self.marks);
            if row >= rows_end {
                return None;
            }
            if entry.has(Entry::DECIDES) {
                if !elements.has(row) {
                    return None;
                }
                self.value(child, element, elements, row)?;
            }
            self.copy_to(range.end);
            repeated.element(&self.shaper.out, begin, self.marks > marks);
            row += 1;
            child = entry.next as usize;
        }
        if row != rows_end {
            return None;
        }
        repeated.apply(self.shaper);
        Some(())
    }

    /// Remembers a gap between neighbours, for lists of one element.
    fn note_gap(&mut self, begin: usize, end: usize) {
        match self.text.get(begin..end) {
            Some(gap) if gap != self.shaper.gap => {
                self.shaper.gap.clear();
                self.shaper.gap.extend_from_slice(gap);
            }
            _ => {}
        }
    }

    fn mark(&mut self, entry: Entry, form: Form) {
        self.put(entry, |out| form.mark(out));
    }

    /// Puts a mark in the place of a value.
    fn put(&mut self, entry: Entry, mark: impl FnOnce(&mut Vec<u8>)) {
        let range = entry.raw_range();
        self.copy_to(range.start);
        mark(&mut self.shaper.out);
        self.copied = range.end;
        self.marks += 1;
    }

    fn copy_to(&mut self, end: usize) {
        let text = self.text.get(self.copied..end).unwrap_or_default();
        self.shaper.out.extend_from_slice(text);
        self.copied = self.copied.max(end);
    }
}

impl Shaper {
    /// The form makes `raw` of the value.
    fn gives(&mut self, form: Form, column: &Column<'_>, row: usize, raw: &[u8]) -> bool {
        self.trial.clear();
        column.write(form, row, &mut self.trial).is_some() && self.trial == raw
    }
}

/// Whether the elements of a list are all of one shape.
#[derive(Default)]
struct Repeated<'a> {
    first: Option<(usize, Vec<u8>)>,
    gap: Option<&'a [u8]>,
    /// Some element or some gap is another than the first, or nothing in them is marked.
    unlike: bool,
}

impl<'a> Repeated<'a> {
    fn gap(&mut self, gap: &'a [u8]) {
        self.unlike |= *self.gap.get_or_insert(gap) != gap;
    }

    fn element(&mut self, out: &[u8], begin: usize, marked: bool) {
        let shape = out.get(begin..).unwrap_or_default();
        self.unlike |= !marked;
        match &self.first {
            Some((_, first)) => self.unlike |= first != shape,
            None => self.first = Some((begin, shape.to_vec())),
        }
    }

    fn apply(self, shaper: &mut Shaper) {
        let Some((begin, first)) = self.first.filter(|_| !self.unlike) else {
            return;
        };
        let usual = shaper.gap.clone();
        shaper.out.truncate(begin);
        shaper.out.push(REPEAT);
        shaper.out.extend_from_slice(&first);
        let gap = self.gap.unwrap_or(&usual);
        shaper.out.extend_from_slice(gap);
        shaper.out.push(REPEAT);
    }
}
