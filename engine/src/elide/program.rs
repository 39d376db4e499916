//! A shape read once for many rows: its columns found by their identities, its text cut into what
//! is copied and what is written from them.

use std::borrow::Cow;
use std::ops::Range;

use super::form::Form;
use super::node::{Alternates, Column, Node, Object};
use super::shape::{REPEAT, RESCUED};
use crate::shred::{plain_end, unescape};

/// A shape over the columns of one schema.
#[derive(Debug)]
pub(super) struct Program {
    shape: Vec<u8>,
    pieces: Vec<Piece>,
}

/// Values of one key, by the column that has them.
type Choices = Vec<(usize, Value)>;

#[derive(Debug)]
enum Piece {
    /// Copied.
    Text(Range<usize>),
    /// The value of one of the struct's columns.
    Member(Choices),
    /// The next value of the struct's rescued text, which is in this column.
    Rescued(usize),
    /// The next element of the list.
    Element(Value),
    /// An element that stands in the text.
    Skip,
}

#[derive(Debug)]
enum Value {
    Leaf(Form),
    Object(Vec<Piece>),
    /// An element of a mixed list.
    Mixed(Choices),
    /// A list of as many elements as there are.
    Each {
        open: Range<usize>,
        element: Box<Value>,
        gap: Range<usize>,
        close: Range<usize>,
    },
    /// A list of so many elements.
    List(Vec<Piece>),
}

impl Program {
    /// `None` when the shape is none, or has values that the columns under `root` can't have.
    pub(super) fn compile(shape: &[u8], root: &Node) -> Option<Self> {
        let parser = Parser { shape };
        let Node::Object(root) = root else {
            return None;
        };
        let begin = parser.blanks(0);
        let (mut pieces, end) = parser.object(begin, root)?;
        if parser.blanks(end) != shape.len() {
            return None;
        }
        pieces.insert(0, Piece::Text(0..begin));
        pieces.push(Piece::Text(end..shape.len()));
        Some(Self {
            shape: shape.to_vec(),
            pieces,
        })
    }

    /// Appends the text of a row; `None` when its columns don't have the values.
    pub(super) fn write(
        &self,
        columns: &[Column<'_>],
        row: usize,
        out: &mut Vec<u8>,
    ) -> Option<()> {
        self.object(&self.pieces, columns, row, out)
    }

    fn object(
        &self,
        pieces: &[Piece],
        columns: &[Column<'_>],
        row: usize,
        out: &mut Vec<u8>,
    ) -> Option<()> {
        let mut rescued = 0;
        for piece in pieces {
            match piece {
                Piece::Text(range) => self.copy(range, out)?,
                Piece::Member(choices) => self.choose(choices, columns, row, out)?,
                Piece::Rescued(index) => {
                    let text = columns.get(*index)?.text(row)?.as_bytes();
                    let value = next_value(text, rescued)?;
                    rescued = value.end;
                    out.extend_from_slice(text.get(value)?);
                }
                Piece::Element(_) | Piece::Skip => return None,
            }
        }
        Some(())
    }

    fn choose(
        &self,
        choices: &Choices,
        columns: &[Column<'_>],
        row: usize,
        out: &mut Vec<u8>,
    ) -> Option<()> {
        for (index, value) in choices {
            let column = columns.get(*index)?;
            if column.has(row) {
                return self.value(value, column, row, out);
            }
        }
        None
    }

    fn value(
        &self,
        value: &Value,
        column: &Column<'_>,
        row: usize,
        out: &mut Vec<u8>,
    ) -> Option<()> {
        match value {
            Value::Leaf(form) => column.write(*form, row, out),
            Value::Object(pieces) => self.object(pieces, column.inner()?, row, out),
            Value::Mixed(choices) => self.choose(choices, column.inner()?, row, out),
            Value::Each {
                open,
                element,
                gap,
                close,
            } => {
                let (elements, begin, end) = column.elements(row)?;
                self.copy(open, out)?;
                for row in begin..end {
                    if row > begin {
                        self.copy(gap, out)?;
                    }
                    self.element(element, elements, row, out)?;
                }
                self.copy(close, out)
            }
            Value::List(pieces) => {
                let (elements, mut row, end) = column.elements(row)?;
                for piece in pieces {
                    match piece {
                        Piece::Text(range) => self.copy(range, out)?,
                        Piece::Element(value) if row < end => {
                            self.element(value, elements, row, out)?;
                            row += 1;
                        }
                        Piece::Skip if row < end => row += 1,
                        _ => return None,
                    }
                }
                (row == end).then_some(())
            }
        }
    }

    fn element(
        &self,
        value: &Value,
        elements: &Column<'_>,
        row: usize,
        out: &mut Vec<u8>,
    ) -> Option<()> {
        if !elements.has(row) {
            return None;
        }
        self.value(value, elements, row, out)
    }

    fn copy(&self, range: &Range<usize>, out: &mut Vec<u8>) -> Option<()> {
        out.extend_from_slice(self.shape.get(range.clone())?);
        Some(())
    }
}

/// The value of the member that begins at `at` in a rescued text.
fn next_value(text: &[u8], at: usize) -> Option<Range<usize>> {
    let parser = Parser { shape: text };
    let key_end = parser.string_end(at + 1)?;
    if parser.at(key_end) != b':' {
        return None;
    }
    Some(key_end + 1..parser.literal(key_end + 1)?)
}

struct Parser<'a> {
    shape: &'a [u8],
}

impl<'a> Parser<'a> {
    /// The object at `at` over the columns of its struct, and where it ends.
    fn object(&self, at: usize, object: &Object) -> Option<(Vec<Piece>, usize)> {
        if self.at(at) != b'{' {
            return None;
        }
        let (mut pieces, mut text, mut at) = (Vec::new(), at, at + 1);
        loop {
            at = self.blanks(at);
            match self.at(at) {
                b',' => at += 1,
                b'}' => break,
                _ => {
                    let end = self.string_end(at)?;
                    let key = self.key(at + 1..end - 1)?;
                    at = self.blanks(end);
                    if self.at(at) != b':' {
                        return None;
                    }
                    at = self.blanks(at + 1);
                    if let Some(end) = self.literal(at) {
                        at = end;
                        continue;
                    }
                    pieces.push(Piece::Text(text..at));
                    let end = if self.at(at) == RESCUED {
                        pieces.push(Piece::Rescued(object.rescued?));
                        at + 1
                    } else {
                        let (choices, end) = self.choices(at, object.keys.get(key.as_ref())?)?;
                        pieces.push(Piece::Member(choices));
                        end
                    };
                    (text, at) = (end, end);
                }
            }
        }
        pieces.push(Piece::Text(text..at + 1));
        Some((pieces, at + 1))
    }

    fn choices(&self, at: usize, alternates: &Alternates) -> Option<(Choices, usize)> {
        let mut choices = Vec::new();
        let mut end = None;
        for (index, node) in alternates {
            if let Some((value, behind)) = self.value(at, node) {
                choices.push((*index, value));
                end = Some(behind);
            }
        }
        Some((choices, end?))
    }

    fn value(&self, at: usize, node: &Node) -> Option<(Value, usize)> {
        match node {
            Node::Leaf { kind, .. } => {
                let (form, length) = Form::parse(self.shape.get(at..)?)?;
                form.is_of(*kind)
                    .then_some((Value::Leaf(form), at + length))
            }
            Node::Object(object) => {
                let (pieces, end) = self.object(at, object)?;
                Some((Value::Object(pieces), end))
            }
            Node::Members(alternates) => {
                let (choices, end) = self.choices(at, alternates)?;
                Some((Value::Mixed(choices), end))
            }
            Node::List(element) => self.list(at, element),
            Node::Other => None,
        }
    }

    fn list(&self, at: usize, element: &Node) -> Option<(Value, usize)> {
        if self.at(at) != b'[' {
            return None;
        }
        let first = self.blanks(at + 1);
        if self.at(first) == REPEAT {
            return self.repeated(at, first, element);
        }
        let (mut pieces, mut text, mut at) = (Vec::new(), at, first);
        loop {
            at = self.blanks(at);
            match self.at(at) {
                b',' => at += 1,
                b']' => break,
                _ => {
                    if let Some(end) = self.literal(at) {
                        pieces.push(Piece::Skip);
                        at = end;
                        continue;
                    }
                    pieces.push(Piece::Text(text..at));
                    let (value, end) = self.value(at, element)?;
                    pieces.push(Piece::Element(value));
                    (text, at) = (end, end);
                }
            }
        }
        pieces.push(Piece::Text(text..at + 1));
        Some((Value::List(pieces), at + 1))
    }

    fn repeated(&self, open: usize, star: usize, element: &Node) -> Option<(Value, usize)> {
        let (element, end) = self.value(star + 1, element)?;
        let rest = self.shape.get(end..)?;
        let gap = end..end + rest.iter().position(|byte| *byte == REPEAT)?;
        let last = self.blanks(gap.end + 1);
        if self.at(last) != b']' {
            return None;
        }
        let value = Value::Each {
            open: open..star,
            element: Box::new(element),
            close: gap.end + 1..last + 1,
            gap,
        };
        Some((value, last + 1))
    }

    /// Where the value at `at` ends, if nothing in it is marked.
    fn literal(&self, mut at: usize) -> Option<usize> {
        let mut depth = 0_usize;
        loop {
            at = self.blanks(at);
            match self.at(at) {
                b'{' | b'[' => {
                    depth += 1;
                    at += 1;
                }
                b'}' | b']' => {
                    depth = depth.checked_sub(1)?;
                    at += 1;
                }
                b',' | b':' if depth > 0 => {
                    at += 1;
                    continue;
                }
                b'"' => at = self.string_end(at)?,
                b't' | b'n' => at += 4,
                b'f' => at += 5,
                b'-' | b'0'..=b'9' => at = self.number_end(at),
                _ => return None,
            }
            if depth == 0 {
                return Some(at);
            }
        }
    }

    fn number_end(&self, mut at: usize) -> usize {
        while matches!(self.at(at), b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9') {
            at += 1;
        }
        at
    }

    /// Where the string at `at` ends, its quote included.
    fn string_end(&self, at: usize) -> Option<usize> {
        if self.at(at) != b'"' {
            return None;
        }
        let mut end = at + 1;
        loop {
            end = plain_end(self.shape, end);
            match self.shape.get(end)? {
                b'"' => return Some(end + 1),
                b'\\' => end += 2,
                _ => return None,
            }
        }
    }

    fn key(&self, range: Range<usize>) -> Option<Cow<'a, str>> {
        let span = self.shape.get(range)?;
        if !span.contains(&b'\\') {
            return std::str::from_utf8(span).ok().map(Cow::Borrowed);
        }
        let mut key = Vec::new();
        unescape(span, &mut key);
        String::from_utf8(key).ok().map(Cow::Owned)
    }

    /// The byte at `at`; 0, which no shape has, at the end.
    fn at(&self, at: usize) -> u8 {
        self.shape.get(at).copied().unwrap_or(0)
    }

    fn blanks(&self, mut at: usize) -> usize {
        while matches!(self.at(at), b' ' | b'\n' | b'\r' | b'\t') {
            at += 1;
        }
        at
    }
}
