//! Lists on the quick way: of one kind of element, into the only list that their place has.

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
        let (shape, column) = self.only_list(place)?;
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

    /// The place's column for lists, where there is one and it isn't for lists of lists or of
    /// mixed elements.
    fn only_list(&self, place: u32) -> Option<(Shape, u32)> {
        let place = self.tree.places.get(place as usize)?;
        let mut lists = place.alternates.iter().filter(|(shape, _)| shape.is_list());
        let &(shape, column) = lists.next()?;
        let usual = shape.lists == 1 && shape.leaf != Kind::Mixed && lists.next().is_none();
        usual.then_some((shape, column))
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
