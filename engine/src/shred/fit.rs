//! Whole columns into the columns of the tree.
//!
//! A column goes in as a whole only where each of its values would go to the same place one by one:
//! first the tree is asked ([`Tree::admits`]), and only then touched, since what is refused in the
//! middle could not be taken back.
#![expect(
    clippy::indexing_slicing,
    reason = "ids are indexes into the tree's vectors, which only grow"
)]

use super::column::Values;
use super::tree::{NONE, ROOT, Tree};
use super::whole::{Held, Whole};
use crate::schema::{Kind, Shape};

/// Objects that a table of few leaves may have all the same, the root among them.
const OBJECTS_LEAST: usize = 64;

/// What new columns would take of the budgets.
#[derive(Debug, Default)]
pub(super) struct Needs {
    leaves: usize,
    objects: usize,
    /// New keys of the root. Those of other objects are counted where their columns are.
    keys: usize,
}

impl Tree {
    /// Columns with values of their own.
    pub(super) fn leaves(&self) -> usize {
        self.leaves
    }

    /// Leaves that the budget still allows.
    pub(super) fn leaves_left(&self) -> usize {
        self.limits.leaves.saturating_sub(self.leaves)
    }

    /// Objects that may still get columns. One takes no leaf where all of its members are rescued,
    /// so without a bound of their own there would be columns without end.
    pub(super) fn objects_left(&self) -> usize {
        let most = self.limits.leaves.saturating_mul(4).max(OBJECTS_LEAST);
        most.saturating_sub(self.objects.len())
    }

    /// Whether the column can go to `key` of `object` as a whole.
    pub(super) fn admits(&self, object: u32, key: &str, whole: &Whole, needs: &mut Needs) -> bool {
        let Some(shape) = whole.shape() else {
            return true;
        };
        let place = self.find(object, key.as_bytes());
        let (mut keys, depth) = self.room(object);
        let first = place == NONE || self.places[place as usize].alternates.is_empty();
        if first && object == ROOT {
            keys = keys.saturating_sub(needs.keys);
            needs.keys += 1;
        }
        if first && keys == 0 {
            return false;
        }
        if place == NONE {
            return self.admits_new(shape, whole, depth + 1, needs);
        }
        let column = self.alternate(place, shape);
        if self.goes_elsewhere(place, shape, column) {
            return false;
        }
        if column == NONE {
            return self.admits_new(shape, whole, depth + 1, needs);
        }
        self.admits_into(column, whole, needs)
    }

    /// Keys that an object may still get columns for, and its steps from the root.
    fn room(&self, object: u32) -> (usize, usize) {
        let object = &self.objects[object as usize];
        let keys = self.limits.keys.saturating_sub(object.keys);
        let places = self.limits.places().saturating_sub(object.places.len());
        (keys.min(places), object.depth)
    }

    /// Some values might belong to another column of the place than the one of their shape.
    fn goes_elsewhere(&self, place: u32, shape: Shape, column: u32) -> bool {
        let alternates = &self.places[place as usize].alternates;
        let double = Shape {
            leaf: Kind::Double,
            ..shape
        };
        // Its texts are looked through for another kind.
        let text = shape == Shape::scalar(Kind::String);
        let detects = text && self.places[place as usize].detects.is_some();
        // A double takes the integers that are exact in it.
        detects || (shape.leaf == Kind::Long && self.alternate(place, double) != NONE)
            // What becomes of a list beside lists of another kind, its elements decide.
            || (column == NONE
                && shape.is_list()
                && alternates.iter().any(|(other, _)| other.is_list()))
    }

    fn admits_into(&self, column: u32, whole: &Whole, needs: &mut Needs) -> bool {
        match (&self.columns[column as usize].values, &whole.held) {
            (&Values::Object(object), Held::Object(members)) => {
                self.admits_members(object, members, needs)
            }
            (&Values::List { element, .. }, Held::List(_, elements)) => {
                self.admits_into(element, elements, needs)
            }
            _ => true,
        }
    }

    fn admits_members(&self, object: u32, members: &[(String, Whole)], needs: &mut Needs) -> bool {
        let (keys, _) = self.room(object);
        let is_new = |(key, whole): &&(String, Whole)| {
            let place = self.find(object, key.as_bytes());
            let known = place != NONE && !self.places[place as usize].alternates.is_empty();
            whole.shape().is_some() && !known
        };
        members.iter().filter(is_new).count() <= keys
            && members
                .iter()
                .all(|(key, whole)| self.admits(object, key, whole, needs))
    }

    /// Whether the budgets allow columns for something new, `depth` steps from the root.
    fn admits_new(&self, shape: Shape, whole: &Whole, depth: usize, needs: &mut Needs) -> bool {
        if depth + usize::from(shape.lists) > self.limits.depth
            || self.leaves_left() <= needs.leaves
        {
            return false;
        }
        let mut inside = whole;
        let mut depth = depth;
        while let Held::List(_, element) = &inside.held {
            inside = element;
            depth += 1;
        }
        match &inside.held {
            Held::Object(members) => {
                needs.objects += 1;
                let deciding = || members.iter().filter(|(_, whole)| whole.shape().is_some());
                needs.objects <= self.objects_left()
                    && deciding().count() <= self.limits.keys
                    && deciding().all(|(_, whole)| match whole.shape() {
                        Some(shape) => self.admits_new(shape, whole, depth + 1, needs),
                        None => true,
                    })
            }
            _ => {
                needs.leaves += 1;
                true
            }
        }
    }

    /// Appends a column that [`Tree::admits`] to `key` of `object`, from row `base` on.
    pub(super) fn append_whole(&mut self, object: u32, key: &str, whole: &Whole, base: usize) {
        let Some(shape) = whole.shape() else {
            return;
        };
        let mut place = self.find(object, key.as_bytes());
        if place == NONE {
            place = self.note_key(object, key);
        }
        if place == NONE {
            debug_assert!(false, "a key that was admitted has no place");
            return;
        }
        let mut column = self.alternate(place, shape);
        if column == NONE {
            column = self.discover(place, shape);
        }
        if column == NONE {
            debug_assert!(false, "a column that was admitted was refused");
            return;
        }
        self.append_into(column, whole, base);
    }

    fn append_into(&mut self, column: u32, whole: &Whole, base: usize) {
        let found = &mut self.columns[column as usize];
        match &whole.held {
            Held::Nothing => {}
            Held::Leaf(_, array) => {
                found.extend(base, whole.rows, whole.nulls.as_ref(), array);
            }
            Held::Object(members) => {
                found.extend_nulls(base, whole.rows, whole.nulls.as_ref());
                if let Values::Object(object) = found.values {
                    for (key, member) in members {
                        self.append_whole(object, key, member, base);
                    }
                }
            }
            Held::List(offsets, elements) => {
                found.extend_nulls(base, whole.rows, whole.nulls.as_ref());
                let Values::List {
                    offsets: ends,
                    domain,
                    element,
                } = &mut found.values
                else {
                    return;
                };
                let (domain, element) = (*domain as usize, *element);
                let begin = self.domains[domain];
                let shifted = offsets.iter().skip(1).map(|offset| offset + begin as i32);
                ends.extend(shifted);
                self.domains[domain] += elements.rows;
                self.append_into(element, elements, begin);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use crate::record::{Record, TimestampType, TopicId};
    use crate::schema::rebuild::{Json, rebuild};
    use crate::schema::{Kind, Limits, columns, envelope_schema};
    use crate::shred::Shredder;

    #[test]
    fn objects_all_of_whose_members_are_rescued_make_no_columns_without_end() {
        let limits = Limits {
            leaves: 20,
            keys: 1_000,
            depth: 4,
        };
        let mut shredder = Shredder::new("t", TopicId::new("id"), &envelope_schema(), limits);
        // No column holds a number of so many digits.
        let huge = "9".repeat(50);
        let value = |key| format!(r#"{{"k{key}":{{"n":{huge}}},"a":{key}}}"#);
        let values: Vec<String> = (0..500).map(value).collect();
        for (offset, value) in (0..).zip(&values) {
            let record = Record {
                partition: 0,
                offset,
                timestamp_ms: None,
                timestamp_type: TimestampType::None,
                key: None,
                value: Some(value.as_bytes()),
                headers: &[],
                decoded: Default::default(),
            };
            shredder.append(&record, 7);
        }
        let batch = shredder.finish().unwrap().remove(0);
        for (row, value) in values.iter().enumerate() {
            let wanted = Json::parse(value.as_bytes()).unwrap().normal();
            assert_eq!(rebuild(&batch, row).normal(), wanted, "{value}");
        }
        let columns = columns(&batch.schema());
        let objects = columns.iter().filter(|one| one.kind == Kind::Object);
        assert_eq!(objects.count(), 79, "and the root");
    }
}
