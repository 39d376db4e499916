//! A batch's columns twice: by identity, which is looked up once per shape, and as typed arrays,
//! which are read row by row.

use std::cell::Cell;
use std::io::Write as _;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Decimal128Array, Float64Array, Int64Array, ListArray,
    StringArray, TimestampMicrosecondArray,
};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Fields, TimeUnit};
use hashbrown::HashMap;

use super::form::{Double, Form, write_decimal, write_moment};
use crate::schema::{Kind, Shape, Step, is_members, step};

/// Columns of one key, or the members of a mixed list: where each is in its struct, and what it is.
pub(super) type Alternates = Vec<(usize, Node)>;

/// What a column is.
#[derive(Debug)]
pub(super) enum Node {
    Leaf {
        kind: Kind,
        /// How a double of this column was written last: most columns have one writer.
        usual: Cell<Double>,
    },
    Object(Object),
    /// The struct of a mixed list's elements.
    Members(Alternates),
    List(Box<Node>),
    /// No JSON value.
    Other,
}

/// The struct of an object.
#[derive(Debug, Default)]
pub(super) struct Object {
    /// Its columns by key.
    pub(super) keys: HashMap<String, Alternates>,
    /// Where the text of what found no column is.
    pub(super) rescued: Option<usize>,
}

impl Node {
    /// The payload of a batch, a file or a table, whose fields have their identities.
    pub(super) fn of_fields(fields: &Fields) -> Self {
        let mut keys: HashMap<String, Vec<(Shape, usize, Self)>> = HashMap::new();
        let mut rescued = None;
        for (index, field) in fields.iter().enumerate() {
            match step(field) {
                Step::Field { key, shape } => {
                    let node = Self::of(field.data_type());
                    keys.entry_ref(key).or_default().push((shape, index, node));
                }
                Step::Rescued => rescued = Some(index),
                Step::Member(_) | Step::Named(_) => {}
            }
        }
        let keys = keys.into_iter();
        let keys = keys.map(|(key, all)| (key, in_order(all))).collect();
        Self::Object(Object { keys, rescued })
    }

    fn of(data_type: &DataType) -> Self {
        let leaf = |kind| Self::Leaf {
            kind,
            usual: Cell::new(Double::Script),
        };
        match data_type {
            DataType::Boolean => leaf(Kind::Boolean),
            DataType::Int64 => leaf(Kind::Long),
            DataType::Float64 => leaf(Kind::Double),
            DataType::Decimal128(_, scale @ 0..) => leaf(Kind::Decimal(scale.unsigned_abs())),
            DataType::Timestamp(TimeUnit::Microsecond, Some(_)) => leaf(Kind::Timestamp),
            DataType::Utf8 => leaf(Kind::String),
            DataType::Struct(fields) if is_members(fields) => Self::of_members(fields),
            DataType::Struct(fields) => Self::of_fields(fields),
            DataType::List(element) => Self::List(Box::new(Self::of(element.data_type()))),
            _ => Self::Other,
        }
    }

    fn of_members(fields: &Fields) -> Self {
        let mut members = Vec::new();
        for (index, field) in fields.iter().enumerate() {
            if let Step::Member(shape) = step(field) {
                members.push((shape, index, Self::of(field.data_type())));
            }
        }
        Self::Members(in_order(members))
    }
}

/// By identity: the order of a batch's columns isn't that of a file's.
fn in_order(mut columns: Vec<(Shape, usize, Node)>) -> Alternates {
    columns.sort_by_key(|(shape, _, _)| *shape);
    let columns = columns.into_iter();
    columns.map(|(_, index, node)| (index, node)).collect()
}

/// An array, and those inside of it.
pub(super) enum Column<'a> {
    Boolean(&'a BooleanArray),
    Long(&'a Int64Array),
    Double(&'a Float64Array),
    Decimal(&'a Decimal128Array),
    Scaled(&'a Decimal128Array, u8),
    Timestamp(&'a TimestampMicrosecondArray),
    Text(&'a StringArray),
    Struct(Option<&'a NullBuffer>, Vec<Self>),
    List(&'a ListArray, Box<Self>),
    Other,
}

impl<'a> Column<'a> {
    /// Typed views of a struct's arrays.
    pub(super) fn of_arrays(arrays: &'a [ArrayRef]) -> Vec<Self> {
        arrays.iter().map(Self::of).collect()
    }

    fn of(array: &'a ArrayRef) -> Self {
        let found = match array.data_type() {
            DataType::Boolean => array.as_boolean_opt().map(Self::Boolean),
            DataType::Int64 => array.as_primitive_opt().map(Self::Long),
            DataType::Float64 => array.as_primitive_opt().map(Self::Double),
            DataType::Decimal128(_, 0) => array.as_primitive_opt().map(Self::Decimal),
            DataType::Decimal128(_, scale @ 1..) => {
                let decimals = array.as_primitive_opt();
                decimals.map(|array| Self::Scaled(array, scale.unsigned_abs()))
            }
            DataType::Timestamp(TimeUnit::Microsecond, Some(_)) => {
                array.as_primitive_opt().map(Self::Timestamp)
            }
            DataType::Utf8 => array.as_string_opt::<i32>().map(Self::Text),
            DataType::Struct(_) => array
                .as_struct_opt()
                .map(|inner| Self::Struct(inner.nulls(), Self::of_arrays(inner.columns()))),
            DataType::List(_) => array
                .as_list_opt::<i32>()
                .map(|list| Self::List(list, Box::new(Self::of(list.values())))),
            _ => None,
        };
        found.unwrap_or(Self::Other)
    }

    /// There is a value.
    pub(super) fn has(&self, row: usize) -> bool {
        match self {
            Self::Boolean(array) => array.is_valid(row),
            Self::Long(array) => array.is_valid(row),
            Self::Double(array) => array.is_valid(row),
            Self::Decimal(array) => array.is_valid(row),
            Self::Scaled(array, _) => array.is_valid(row),
            Self::Timestamp(array) => array.is_valid(row),
            Self::Text(array) => array.is_valid(row),
            Self::Struct(nulls, _) => nulls.is_none_or(|nulls| nulls.is_valid(row)),
            Self::List(list, _) => list.is_valid(row),
            Self::Other => false,
        }
    }

    /// The arrays of a struct.
    pub(super) fn inner(&self) -> Option<&[Self]> {
        match self {
            Self::Struct(_, columns) => Some(columns),
            _ => None,
        }
    }

    /// The text of `row`, if there is one.
    pub(super) fn text(&self, row: usize) -> Option<&'a str> {
        match self {
            Self::Text(array) if array.is_valid(row) => Some(array.value(row)),
            _ => None,
        }
    }

    /// The elements of a list's value: their array, the first and the one behind the last.
    pub(super) fn elements(&self, row: usize) -> Option<(&Self, usize, usize)> {
        let Self::List(list, elements) = self else {
            return None;
        };
        let offsets = list.value_offsets();
        let begin = usize::try_from(*offsets.get(row)?).ok()?;
        let end = usize::try_from(*offsets.get(row + 1)?).ok()?;
        Some((elements, begin, end))
    }

    /// Writes the value of `row`, which is there; `None` when the form is of another kind.
    pub(super) fn write(&self, form: Form, row: usize, out: &mut Vec<u8>) -> Option<()> {
        match (form, self) {
            (Form::Boolean, Self::Boolean(array)) => {
                let word: &[u8] = if array.value(row) { b"true" } else { b"false" };
                out.extend_from_slice(word);
            }
            (Form::Long, Self::Long(array)) => write!(out, "{}", array.value(row)).ok()?,
            (Form::Decimal, Self::Decimal(array)) => write!(out, "{}", array.value(row)).ok()?,
            (Form::Double(form), Self::Double(array)) => form.write(array.value(row), out),
            (Form::Text(form), Self::Text(array)) => form.write(array.value(row), out),
            (Form::Moment(decimals), Self::Timestamp(array)) => {
                write_moment(array.value(row), decimals, out);
            }
            (Form::Quoted(decimals), Self::Scaled(array, scale)) => {
                write_decimal(array.value(row), *scale, decimals, out)?;
            }
            _ => return None,
        }
        Some(())
    }
}
