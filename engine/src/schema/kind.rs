//! The identity of a column: what it holds ([`Kind`], [`Shape`]) and its step in a path, kept in
//! field metadata. Names are left to `names.rs`.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Fields, TimeUnit};

use super::envelope::RESCUED;

/// Field metadata: the JSON key exactly as it came, one step of the path.
pub const KEY: &str = "eddy.key";
/// Field metadata: the column's [`Kind`].
pub const KIND: &str = "eddy.kind";
/// The name of a list's child.
const ELEMENT: &str = "element";

/// What exceeds these goes to the `_rescued` column of its object as JSON text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Leaf columns a table; objects may be four times as many. More leaves make more of the data
    /// columnar and every file slower.
    pub leaves: usize,
    /// Keys an object: beyond it an object is taken for a map whose keys are data.
    pub keys: usize,
    /// Steps of a path, keys and list elements alike; at most [`Limits::DEPTH_MAX`].
    pub depth: usize,
}

impl Limits {
    /// Deeper columns make a schema whose JSON readers refuse: they stop at 128 levels, and a step
    /// of a path takes up to four of them.
    pub const DEPTH_MAX: usize = 24;

    /// The keys of an object that are remembered, with and without columns.
    pub(crate) fn places(&self) -> usize {
        self.keys.saturating_mul(4).max(64)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            leaves: 2_000,
            keys: 200,
            depth: 16,
        }
    }
}

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// `true` and `false`.
    Boolean,
    /// Integers of 64 bits, and narrower ones of declared types.
    Long,
    /// Other numbers, and narrower ones of declared types: each is exactly a double.
    Double,
    /// Exact numbers of up to 38 digits, so many of them behind the point. Each count of these is
    /// a kind of its own, so that no value is ever rounded; without any, these are the integers
    /// beyond 64 bits. The precision is 38 whatever was declared: what a schema promises today
    /// must not stand in the way of what it promises tomorrow.
    Decimal(u8),
    /// Text.
    String,
    /// Bytes.
    Binary,
    /// Moments in microseconds, UTC.
    Timestamp,
    /// Days.
    Date,
    /// An object: a struct with a column per key.
    Object,
    /// A list whose elements are of one kind.
    List,
    /// A list whose elements are of several kinds: a list of structs with a member per kind.
    Mixed,
    /// What had no column: JSON text.
    Rescued,
}

/// Digits of a decimal.
pub const DECIMAL_DIGITS: u8 = 38;

impl Kind {
    /// The kind that the metadata names.
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "boolean" => Self::Boolean,
            "long" => Self::Long,
            "double" => Self::Double,
            "decimal" => Self::Decimal(0),
            "string" => Self::String,
            "binary" => Self::Binary,
            "timestamp" => Self::Timestamp,
            "date" => Self::Date,
            "object" => Self::Object,
            "list" => Self::List,
            "mixed" => Self::Mixed,
            "rescued" => Self::Rescued,
            _ => {
                let scale: u8 = text.strip_prefix("decimal_")?.parse().ok()?;
                (1..=DECIMAL_DIGITS)
                    .contains(&scale)
                    .then_some(Self::Decimal(scale))?
            }
        })
    }

    /// The kind that a field's metadata names.
    pub fn of(field: &Field) -> Option<Self> {
        entry(field, KIND).and_then(Self::parse)
    }

    /// The kind of a column that holds a value of this type by itself: no struct, no list.
    pub(crate) fn of_leaf(data_type: &DataType) -> Option<Self> {
        Some(match data_type {
            DataType::Boolean => Self::Boolean,
            DataType::Int64 => Self::Long,
            DataType::Float64 => Self::Double,
            DataType::Decimal128(_, scale) => Self::Decimal(u8::try_from(*scale).ok()?),
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Self::String,
            DataType::Binary | DataType::LargeBinary | DataType::BinaryView => Self::Binary,
            DataType::Timestamp(TimeUnit::Microsecond, Some(_)) => Self::Timestamp,
            DataType::Date32 => Self::Date,
            _ => return None,
        })
    }
}

/// The text in the metadata, which is also what alternates are named by.
impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Boolean => "boolean",
            Self::Long => "long",
            Self::Double => "double",
            Self::Decimal(0) => "decimal",
            Self::Decimal(scale) => return write!(f, "decimal_{scale}"),
            Self::String => "string",
            Self::Binary => "binary",
            Self::Timestamp => "timestamp",
            Self::Date => "date",
            Self::Object => "object",
            Self::List => "list",
            Self::Mixed => "mixed",
            Self::Rescued => "rescued",
        })
    }
}

/// A column's kind with the kind of its elements: `lists` levels of list around a `leaf` that is
/// not [`Kind::List`]. A mixed list is a leaf.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Shape {
    /// Levels of list around the leaf.
    pub lists: u8,
    /// What the innermost list holds, or the kind itself.
    pub leaf: Kind,
}

impl Shape {
    pub(crate) const fn scalar(leaf: Kind) -> Self {
        Self { lists: 0, leaf }
    }

    /// The kind of the column itself.
    pub fn kind(self) -> Kind {
        if self.lists == 0 {
            self.leaf
        } else {
            Kind::List
        }
    }

    /// The values are JSON arrays.
    pub(crate) fn is_list(self) -> bool {
        self.lists > 0 || self.leaf == Kind::Mixed
    }

    /// The shape of a list's elements; `None` for what isn't a homogeneous list.
    pub(crate) fn element(self) -> Option<Self> {
        Some(Self {
            lists: self.lists.checked_sub(1)?,
            leaf: self.leaf,
        })
    }

    fn of_type(data_type: &DataType) -> Option<Self> {
        if let Some(leaf) = Kind::of_leaf(data_type) {
            return Some(Self::scalar(leaf));
        }
        Some(Self::scalar(match data_type {
            DataType::Struct(_) => Kind::Object,
            DataType::List(element) => {
                if matches!(element.data_type(), DataType::Struct(fields) if is_members(fields)) {
                    Kind::Mixed
                } else {
                    let inner = Self::of_type(element.data_type())?;
                    return Some(Self {
                        lists: inner.lists.saturating_add(1),
                        leaf: inner.leaf,
                    });
                }
            }
            _ => return None,
        }))
    }

    fn of(kind: Kind, data_type: &DataType) -> Option<Self> {
        match kind {
            Kind::List => Self::of_type(data_type),
            kind => Some(Self::scalar(kind)),
        }
    }
}

/// A field's identity within its struct.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Step<'a> {
    /// A key of an object.
    Field { key: &'a str, shape: Shape },
    /// A member of a mixed list's struct.
    Member(Shape),
    /// The struct's rescued text.
    Rescued,
    /// Known by its name: the envelope.
    Named(&'a str),
}

/// The identity of `field`.
pub(crate) fn step(field: &Field) -> Step<'_> {
    let Some(kind) = Kind::of(field) else {
        return Step::Named(field.name());
    };
    if kind == Kind::Rescued {
        return Step::Rescued;
    }
    match (Shape::of(kind, field.data_type()), entry(field, KEY)) {
        (Some(shape), Some(key)) => Step::Field { key, shape },
        (Some(shape), None) => Step::Member(shape),
        (None, _) => Step::Named(field.name()),
    }
}

/// An entry of a field's metadata, which has so few that looking at each is quicker than hashing.
fn entry<'a>(field: &'a Field, key: &str) -> Option<&'a str> {
    let mut entries = field.metadata().iter();
    entries.find_map(|(found, value)| (found == key).then_some(value.as_str()))
}

/// The fields are the members of a mixed list's struct, not an object's keys.
pub fn is_members(fields: &Fields) -> bool {
    fields
        .iter()
        .any(|field| matches!(step(field), Step::Member(_)))
}

/// The child of a list type.
pub(crate) fn list_element(data_type: &DataType) -> Option<&FieldRef> {
    match data_type {
        DataType::List(element) => Some(element),
        _ => None,
    }
}

/// A field for the key of an object.
pub(crate) fn payload_field(name: &str, key: &str, shape: Shape, data_type: DataType) -> FieldRef {
    let metadata = HashMap::from([
        (KEY.to_owned(), key.to_owned()),
        (KIND.to_owned(), shape.kind().to_string()),
    ]);
    Arc::new(Field::new(name, data_type, true).with_metadata(metadata))
}

/// A field for a member of a mixed list's struct.
pub(crate) fn member_field(name: &str, shape: Shape, data_type: DataType) -> FieldRef {
    let metadata = HashMap::from([(KIND.to_owned(), shape.kind().to_string())]);
    Arc::new(Field::new(name, data_type, true).with_metadata(metadata))
}

/// The field for an object's rescued text.
pub(crate) fn rescued_field() -> FieldRef {
    let metadata = HashMap::from([(KIND.to_owned(), Kind::Rescued.to_string())]);
    Arc::new(Field::new(RESCUED, DataType::Utf8, true).with_metadata(metadata))
}

/// The child of a list.
pub(crate) fn element_field(data_type: DataType) -> FieldRef {
    Arc::new(Field::new(ELEMENT, data_type, true))
}
