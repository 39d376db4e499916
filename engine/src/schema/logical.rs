//! Logical columns: the columns of one key in one struct, seen as one (P21).
//!
//! A key whose values came with several types has a column per type, its alternates; at most one
//! of them has a value in a row. Who reads a table for people (SQL, generated views) shows them as
//! one column under the key's name, so the first of them, which has that name in the files, needs
//! another by which it can be named: the one that it would have had if it had come later.

use std::collections::HashMap;

use arrow::datatypes::{FieldRef, Fields};

use super::kind::{Kind, Shape, Step, step};
use super::names::Names;

/// One column of a key that has several.
#[derive(Debug, Clone, PartialEq)]
pub struct Alternate {
    /// By which it can be named beside its logical column.
    pub name: String,
    /// What is stored, under its stored name.
    pub field: FieldRef,
}

impl Alternate {
    /// What it holds.
    pub fn kind(&self) -> Option<Kind> {
        Kind::of(&self.field)
    }
}

/// The columns of one key.
#[derive(Debug, Clone, PartialEq)]
pub struct Logical {
    /// The key, exactly as it came.
    pub key: String,
    /// The name under which they are one: the stored name of the first.
    pub name: String,
    /// The columns, at least two, in their order in the table.
    pub alternates: Vec<Alternate>,
}

/// The keys among `fields`, the columns of a table or the fields of a struct, that have several
/// columns.
pub fn logical(fields: &Fields) -> Vec<Logical> {
    let mut order = Vec::new();
    let mut by_key: HashMap<&str, Vec<(&FieldRef, Shape)>> = HashMap::new();
    for field in fields {
        if let Step::Field { key, shape } = step(field) {
            let of_key = by_key.entry(key).or_default();
            if of_key.is_empty() {
                order.push(key);
            }
            of_key.push((field, shape));
        }
    }
    let mut names = Names::object();
    for field in fields {
        names.take(field.name());
    }
    let mut found = Vec::new();
    for key in order {
        let of_key = by_key.remove(key).unwrap_or_default();
        let [(first, shape), _, ..] = of_key.as_slice() else {
            continue;
        };
        let beside = names.field(key, *shape, Some(first.name()));
        let alternates = of_key.iter().map(|(field, _)| Alternate {
            name: field.name().clone(),
            field: FieldRef::clone(field),
        });
        let mut alternates: Vec<Alternate> = alternates.collect();
        if let Some(first) = alternates.first_mut() {
            first.name = beside;
        }
        found.push(Logical {
            key: key.to_owned(),
            name: first.name().clone(),
            alternates,
        });
    }
    found
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]

    use arrow::datatypes::DataType;

    use super::super::kind::{element_field, payload_field};
    use super::*;

    fn field(name: &str, key: &str, shape: Shape, data_type: DataType) -> FieldRef {
        payload_field(name, key, shape, data_type)
    }

    #[test]
    fn columns_of_one_key_are_one_logical_column() {
        let list = DataType::List(element_field(DataType::Int64));
        let fields: Fields = vec![
            field("x", "x", Shape::scalar(Kind::Long), DataType::Int64),
            field("y", "y", Shape::scalar(Kind::Long), DataType::Int64),
            field(
                "x__string",
                "x",
                Shape::scalar(Kind::String),
                DataType::Utf8,
            ),
            field(
                "x__list",
                "x",
                Shape {
                    lists: 1,
                    leaf: Kind::Long,
                },
                list,
            ),
        ]
        .into();
        let found = logical(&fields);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].key.as_str(), found[0].name.as_str()), ("x", "x"));
        let names: Vec<_> = found[0]
            .alternates
            .iter()
            .map(|one| one.name.as_str())
            .collect();
        assert_eq!(names, ["x__long", "x__string", "x__list"]);
        let kinds: Vec<_> = found[0]
            .alternates
            .iter()
            .filter_map(Alternate::kind)
            .collect();
        assert_eq!(kinds, [Kind::Long, Kind::String, Kind::List]);
    }

    #[test]
    fn the_first_alternates_name_is_never_anothers() {
        let text = || Shape::scalar(Kind::String);
        let fields: Fields = vec![
            field("x", "x", Shape::scalar(Kind::Long), DataType::Int64),
            field("X__LONG", "X__LONG", text(), DataType::Utf8),
            field("x__string", "x", text(), DataType::Utf8),
        ]
        .into();
        assert_eq!(logical(&fields)[0].alternates[0].name, "x__long_2");
    }

    #[test]
    fn keys_are_told_apart_by_their_letters_not_their_names() {
        let text = || Shape::scalar(Kind::String);
        let fields: Fields = vec![
            field("a", "a", text(), DataType::Utf8),
            field("A_2", "A", Shape::scalar(Kind::Long), DataType::Int64),
        ]
        .into();
        assert_eq!(logical(&fields), []);
    }
}
