//! What text needs to know of nested columns besides their types: which JSON key a field stands
//! for, where it isn't its name. Written into a plan as a literal.

use arrow::datatypes::{DataType, FieldRef, Fields};
use eddy_engine::schema::{KEY, Kind, is_members};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// How a column's values become JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Shape {
    /// As its type says, fields under their names.
    #[serde(rename = "p")]
    Plain,
    /// A list of such elements.
    #[serde(rename = "l")]
    List(Box<Shape>),
    /// The struct of a mixed list's elements: whichever member has a value, in their order.
    #[serde(rename = "m")]
    Members(Vec<Shape>),
    /// An object: its fields in their order.
    #[serde(rename = "o")]
    Object(Vec<Member>),
}

/// A field of an object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Member {
    /// Its name is the key.
    #[serde(rename = "n")]
    Named(Shape),
    /// Another name stands for this key.
    #[serde(rename = "k")]
    Keyed(String, Shape),
    /// The text of an object with what had no column.
    #[serde(rename = "r")]
    Rescued,
}

impl Shape {
    /// The shape of a type whose fields carry their identities.
    pub(crate) fn of(data_type: &DataType) -> Self {
        match data_type {
            DataType::List(element) => match Self::of(element.data_type()) {
                Self::Plain => Self::Plain,
                element => Self::List(Box::new(element)),
            },
            DataType::Struct(fields) if is_members(fields) => {
                let members = fields.iter().map(|field| Self::of(field.data_type()));
                Self::Members(members.collect())
            }
            DataType::Struct(fields) => Self::of_object(fields),
            _ => Self::Plain,
        }
    }

    fn of_object(fields: &Fields) -> Self {
        let members: Vec<Member> = fields.iter().map(Member::of).collect();
        let plain = |member: &Member| *member == Member::Named(Self::Plain);
        if members.iter().all(plain) {
            return Self::Plain;
        }
        Self::Object(members)
    }

    /// Reads what [`Shape::write`] wrote.
    pub(crate) fn read(text: &str) -> Result<Vec<Self>> {
        serde_json::from_str(text)
            .map_err(|error| Error::internal(format!("a column's shape can't be read: {error}")))
    }

    /// The shapes of several columns as text.
    pub(crate) fn write<'a>(types: impl Iterator<Item = &'a DataType>) -> String {
        let shapes: Vec<Self> = types.map(Self::of).collect();
        // Plain enums, strings and lists always have a text.
        serde_json::to_string(&shapes).unwrap_or_default()
    }
}

impl Member {
    fn of(field: &FieldRef) -> Self {
        if Kind::of(field) == Some(Kind::Rescued) {
            return Self::Rescued;
        }
        let shape = Shape::of(field.data_type());
        match field.metadata().get(KEY) {
            Some(key) if key != field.name() => Self::Keyed(key.clone(), shape),
            _ => Self::Named(shape),
        }
    }
}
