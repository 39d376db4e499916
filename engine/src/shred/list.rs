//! Lists: all elements of a value are looked at before its column is chosen.
//!
//! Elements of one kind make a list of that kind, with nulls among them; objects merge their
//! fields, lists nest. Anything else, and what doesn't fit the list that the place has, goes to the
//! place's `mixed` list, whose elements are structs with a member per kind.
#![expect(
    clippy::indexing_slicing,
    reason = "ids come from the tree and tape indexes from the tape, whose values lie within it"
)]

use super::column::Values;
use super::number;
use super::tape::{Entry, Token};
use super::tree::NONE;
use super::walk::{Walk, scaled};
use crate::schema::{Kind, Shape};

const MIXED: Shape = Shape::scalar(Kind::Mixed);
/// Lists within lists, whatever the depth budget says: a shape counts them in a byte.
const LISTS_MAX: usize = 200;
/// Kinds of the elements that a list may have, but for decimals of several scales.
const KINDS: usize = 12;

/// What the elements of a list have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Elements {
    /// Nothing that decides.
    Undecided,
    /// One shape.
    Same(Shape),
    /// Several shapes.
    Several,
}

impl Elements {
    /// The shape of a list with these elements, as an element of another.
    fn list(self) -> Self {
        match self {
            Self::Undecided => Self::Undecided,
            Self::Same(shape) => Self::Same(Shape {
                lists: shape.lists.saturating_add(1),
                leaf: shape.leaf,
            }),
            Self::Several => Self::Same(MIXED),
        }
    }

    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Undecided, one) | (one, Self::Undecided) => one,
            (Self::Several, _) | (_, Self::Several) => Self::Several,
            (Self::Same(a), Self::Same(b)) if a == b => self,
            (Self::Same(a), Self::Same(b)) => Self::union(a, b),
        }
    }

    fn union(a: Shape, b: Shape) -> Self {
        let number = |leaf| matches!(leaf, Kind::Long | Kind::Double);
        if a.lists == b.lists && number(a.leaf) && number(b.leaf) {
            return Self::Same(Shape {
                lists: a.lists,
                leaf: Kind::Double,
            });
        }
        if !(a.is_list() && b.is_list()) {
            return Self::Several;
        }
        match (a.element(), b.element()) {
            (Some(a), Some(b)) => Self::Same(a).and(Self::Same(b)).list(),
            _ => Self::Same(MIXED),
        }
    }
}

/// The integers among a list's elements.
#[derive(Debug, Default)]
struct Integers {
    any: bool,
    inexact: bool,
}

impl Walk<'_> {
    /// Appends the list at `at`; `false` when no column may hold it.
    pub(super) fn put_list(&mut self, place: u32, at: usize, row: usize) -> bool {
        if !self.tape[at].has(Entry::DECIDES) {
            let column = self.some_list(place);
            if column != NONE {
                self.append(column, at, row);
            }
            return true;
        }
        let Some((shape, exact)) = self.shape(place, at) else {
            return false;
        };
        let mut column = self.fitting(place, shape, exact);
        if column == NONE {
            column = self.discover_list(place, shape, at);
        }
        if column == NONE || !(self.is_inner(place) || self.has_room(column, at)) {
            return false;
        }
        self.append(column, at, row);
        true
    }

    pub(super) fn append_list(&mut self, column: u32, at: usize, row: usize) {
        let found = &mut self.tree.columns[column as usize];
        let &Values::List {
            domain, element, ..
        } = &found.values
        else {
            return;
        };
        found.begin(row);
        let end = self.tape[at].next as usize;
        let mut child = at + 1;
        while child < end {
            let position = self.tree.domains[domain as usize];
            self.append(element, child, position);
            self.tree.domains[domain as usize] = position + 1;
            child = self.tape[child].next as usize;
        }
        let elements = self.tree.domains[domain as usize];
        if let Values::List { offsets, .. } = &mut self.tree.columns[column as usize].values {
            offsets.push(elements as i32);
        }
    }

    /// Appends an element of a mixed list: a struct with the member of the element's kind.
    pub(super) fn append_member(&mut self, column: u32, place: u32, at: usize, row: usize) {
        let entry = self.tape[at];
        if !entry.has(Entry::DECIDES) {
            let held = match entry.token {
                Token::Null => return,
                Token::Object => self.tree.alternate(place, Shape::scalar(Kind::Object)),
                _ => self.some_list(place),
            };
            if held == NONE {
                return;
            }
        }
        self.tree.columns[column as usize].begin(row);
        let held = self.put(place, at, row);
        debug_assert!(held, "an element was looked at and found to fit");
    }

    /// The shape of the list at `at`, and whether its integers are exact doubles. `None` when it
    /// holds what no column may hold, or nests too deep.
    fn shape(&self, place: u32, at: usize) -> Option<(Shape, bool)> {
        let steps = self.tree.places[place as usize].depth;
        let levels = self.tree.limits.depth.saturating_sub(steps).min(LISTS_MAX);
        let mut integers = Integers::default();
        let Elements::Same(mut shape) = self.elements(at, levels, &mut integers)?.list() else {
            return None;
        };
        if shape.leaf == Kind::Double && integers.any && integers.inexact {
            shape = Shape {
                lists: shape.lists.saturating_sub(1),
                leaf: Kind::Mixed,
            };
        }
        Some((shape, !integers.inexact))
    }

    fn elements(&self, at: usize, levels: usize, integers: &mut Integers) -> Option<Elements> {
        let levels = levels.checked_sub(1)?;
        let mut elements = Elements::Undecided;
        let end = self.tape[at].next as usize;
        let mut child = at + 1;
        while child < end {
            let entry = self.tape[child];
            let kind = match entry.token {
                Token::Huge => return None,
                Token::Text if entry.has(Entry::LONE_SURROGATE) => return None,
                Token::Decimal if !self.is_double(entry) => return None,
                Token::Null => None,
                Token::Object | Token::List if !entry.has(Entry::DECIDES) => None,
                Token::True | Token::False => Some(Kind::Boolean),
                Token::Integer => {
                    let exact = number::integer(entry.of(self.text)).is_some_and(number::is_exact);
                    integers.any = true;
                    integers.inexact |= !exact;
                    Some(Kind::Long)
                }
                Token::Wide => Some(Kind::Decimal(0)),
                Token::Decimal | Token::NotFinite => Some(Kind::Double),
                Token::Scaled => Some(scaled(entry.of(self.text))),
                Token::Timestamp => Some(Kind::Timestamp),
                Token::Date => Some(Kind::Date),
                Token::Binary => Some(Kind::Binary),
                Token::Text => Some(Kind::String),
                Token::Object => Some(Kind::Object),
                Token::List => Some(Kind::List),
            };
            elements = elements.and(match kind {
                None => Elements::Undecided,
                Some(Kind::List) => self.elements(child, levels, integers)?.list(),
                Some(kind) => Elements::Same(Shape::scalar(kind)),
            });
            child = entry.next as usize;
        }
        Some(elements)
    }

    /// The column that is there for a list of `shape`.
    fn fitting(&self, place: u32, shape: Shape, exact: bool) -> u32 {
        let column = match shape.leaf {
            Kind::Long => self.tree.integers(place, shape.lists, || exact),
            _ => self.tree.alternate(place, shape),
        };
        if column != NONE {
            return column;
        }
        // A mixed list takes anything, inside of as many lists as the value has around its own.
        let levels = |shape: Shape| shape.lists + u8::from(shape.leaf == Kind::Mixed);
        let fits = |found: Shape| found.leaf == Kind::Mixed && levels(found) <= levels(shape);
        self.tree.places[place as usize]
            .alternates
            .iter()
            .find(|(found, _)| fits(*found))
            .map_or(NONE, |&(_, column)| column)
    }

    /// A new column for a list that fits none of those that are there.
    fn discover_list(&mut self, place: u32, shape: Shape, at: usize) -> u32 {
        // Lists of integers and of other numbers stay apart until all of the first cut is known.
        let open = |&(found, column): &(Shape, u32)| {
            !found.is_list()
                || (found.lists == shape.lists
                    && matches!(found.leaf, Kind::Long | Kind::Double)
                    && matches!(shape.leaf, Kind::Long | Kind::Double)
                    && !self.tree.columns[column as usize].reserved)
        };
        let alternates = &self.tree.places[place as usize].alternates;
        let shape = if alternates.iter().all(open) {
            shape
        } else {
            MIXED
        };
        if shape.leaf == Kind::Mixed
            && !self.is_inner(place)
            && self.tree.leaves_left() < self.members(at)
        {
            return NONE;
        }
        self.tree.discover(place, shape)
    }

    /// The column can take the list without members that the budget refuses: in the middle of a
    /// list it is too late to rescue an element.
    fn has_room(&self, column: u32, at: usize) -> bool {
        let mixed = self.tree.columns[column as usize].shape.leaf == Kind::Mixed;
        !mixed || self.tree.leaves_left() >= self.members(at) || self.fits(column, at)
    }

    fn fits(&self, column: u32, at: usize) -> bool {
        let entry = self.tape[at];
        if !entry.has(Entry::DECIDES) {
            return true;
        }
        match self.tree.columns[column as usize].values {
            Values::List { element, .. } => {
                let end = entry.next as usize;
                let mut child = at + 1;
                while child < end {
                    if !self.fits(element, child) {
                        return false;
                    }
                    child = self.tape[child].next as usize;
                }
                true
            }
            Values::Members(place) => self.member_fits(place, at),
            _ => true,
        }
    }

    fn member_fits(&self, place: u32, at: usize) -> bool {
        let entry = self.tape[at];
        let scalar = |kind| self.tree.alternate(place, Shape::scalar(kind));
        let column = match entry.token {
            Token::True | Token::False => scalar(Kind::Boolean),
            Token::Integer => self.tree.integers(place, 0, || {
                number::integer(entry.of(self.text)).is_some_and(number::is_exact)
            }),
            Token::Wide => scalar(Kind::Decimal(0)),
            Token::Decimal | Token::NotFinite => scalar(Kind::Double),
            Token::Scaled => scalar(scaled(entry.of(self.text))),
            Token::Timestamp => scalar(Kind::Timestamp),
            Token::Date => scalar(Kind::Date),
            Token::Binary => scalar(Kind::Binary),
            Token::Text => scalar(Kind::String),
            Token::Object => scalar(Kind::Object),
            Token::List => match self.shape(place, at) {
                Some((shape, exact)) => match self.fitting(place, shape, exact) {
                    NONE => NONE,
                    column if self.fits(column, at) => column,
                    _ => NONE,
                },
                None => NONE,
            },
            Token::Null | Token::Huge => return true,
        };
        column != NONE
    }

    /// The place is inside of a mixed list: room was made for the whole list before it was begun,
    /// and nothing may be refused any more.
    fn is_inner(&self, place: u32) -> bool {
        self.tree.places[place as usize].is_member()
    }

    /// Any column of the place that holds lists.
    fn some_list(&self, place: u32) -> u32 {
        self.tree.places[place as usize]
            .alternates
            .iter()
            .find(|(shape, _)| shape.is_list())
            .map_or(NONE, |&(_, column)| column)
    }

    /// Leaves that a mixed list with the value at `at` may need for new members: one per entry,
    /// but not more than there are kinds. Lists of lists may go over the budget by a few.
    fn members(&self, at: usize) -> usize {
        (self.tape[at].next as usize - at).min(KINDS)
    }
}
