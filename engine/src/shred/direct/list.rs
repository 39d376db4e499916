//! Lists on the quick way: of one kind of element, into the only list that their place has, or into
//! the one of that kind.

use super::Direct;
use crate::schema::{Kind, Shape};
use crate::shred::column::Values;
use crate::shred::number;
use crate::shred::tree::Tree;

impl Direct<'_> {
    /// The list at hand.
    pub(super) fn list(&mut self, place: u32) -> Option<()> {
        if self.has_no_list(place) {
            return self.empty(b']');
        }
        let (shape, column, several) = self.list_column(place)?;
        let begin = self.attempts.touched.len();
        self.at += 1;
        let row = self.row;
        let found = self.touch(column)?;
        let &Values::List {
            domain, element, ..
        } = &found.values
        else {
            return None;
        };
        found.begin(row);
        self.tree.bytes += 4;
        let mut rows = self.tree.domains.get(domain as usize).copied()?;
        self.blanks();
        if self.peek() == b']' {
            self.at += 1;
        } else {
            loop {
                self.row = rows;
                self.element(element, shape.leaf)?;
                rows += 1;
                // Lists within the element have domains of their own.
                *self.tree.domains.get_mut(domain as usize)? = rows;
                self.blanks();
                match self.peek() {
                    b',' => self.at += 1,
                    b']' => {
                        self.at += 1;
                        break;
                    }
                    _ => return None,
                }
                self.blanks();
            }
        }
        self.row = row;
        if several && !self.decides(begin) {
            return None;
        }
        match &mut self.tree.columns.get_mut(column as usize)?.values {
            Values::List { offsets, .. } => offsets.push(i32::try_from(rows).ok()?),
            _ => return None,
        }
        Some(())
    }

    fn has_no_list(&self, place: u32) -> bool {
        let place = self.tree.places.get(place as usize);
        place.is_some_and(|place| !place.alternates.iter().any(|(shape, _)| shape.is_list()))
    }

    /// The place's column for the list at hand, unless it is for lists of lists or of mixed
    /// elements; and whether there are several, of which its first element chooses.
    fn list_column(&self, place: u32) -> Option<(Shape, u32, bool)> {
        let place = self.tree.places.get(place as usize)?;
        let mut lists = place.alternates.iter().filter(|(shape, _)| shape.is_list());
        let &(only, column) = lists.next()?;
        let usual = |shape: Shape| shape.lists == 1 && shape.leaf != Kind::Mixed;
        if lists.next().is_none() {
            return usual(only).then_some((only, column, false));
        }
        let wanted = Shape {
            lists: 1,
            leaf: self.first_element()?,
        };
        let mut lists = place.alternates.iter();
        let &(shape, column) = lists.find(|(shape, _)| *shape == wanted)?;
        Some((shape, column, true))
    }

    /// What the list at hand begins with, where that says which kind it is.
    fn first_element(&self) -> Option<Kind> {
        let behind = self.text.get(self.at + 1..)?;
        let blank = |byte: &&u8| !matches!(byte, b' ' | b'\n' | b'\r' | b'\t');
        match behind.iter().find(blank)? {
            b'"' => Some(Kind::String),
            b'{' => Some(Kind::Object),
            b't' | b'f' => Some(Kind::Boolean),
            _ => None,
        }
    }

    /// Of what was touched from `begin` on, something decides a type: not only empty containers.
    fn decides(&self, begin: usize) -> bool {
        let touched = self.attempts.touched.iter().skip(begin);
        let mut columns = touched.filter_map(|(column, _)| self.tree.columns.get(*column as usize));
        columns.any(|column| !matches!(column.values, Values::Object(_) | Values::List { .. }))
    }

    /// The element at hand, which is to be of the list's kind.
    fn element(&mut self, column: u32, kind: Kind) -> Option<()> {
        match (kind, self.peek()) {
            (Kind::String, b'"') => self.text_into(column),
            (Kind::Object, b'{') => self.object_into(column),
            (Kind::Boolean, b't') => self.boolean_into(column, b"true"),
            (Kind::Boolean, b'f') => self.boolean_into(column, b"false"),
            (Kind::Long, b'-' | b'0'..=b'9') => match self.number_text()? {
                (text, true) => self.push_long(column, number::integer(text)?),
                _ => None,
            },
            (Kind::Double, b'-' | b'0'..=b'9') => match self.number_text()? {
                (text, true) => {
                    let value = number::integer(text).filter(|value| number::is_exact(*value))?;
                    self.push_double(column, value as f64)
                }
                (text, false) => self.push_double(column, number::double(text)?),
            },
            _ => None,
        }
    }
}

impl Tree {
    /// Takes back a column's last value, if one came since it had `rows` rows; the elements of a
    /// list were taken back before.
    pub(super) fn take_back(&mut self, column: u32, rows: usize) {
        let Some(column) = self.columns.get_mut(column as usize) else {
            return;
        };
        column.take_back(rows);
        if let Values::List {
            offsets, domain, ..
        } = &column.values
            && let Some(elements) = self.domains.get_mut(*domain as usize)
        {
            *elements = offsets.last().map_or(0, |end| *end as usize);
        }
    }
}
