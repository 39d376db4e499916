//! An Arrow column in the one form that goes into the columns of a table as a whole: cast by
//! kernels, without a look at single values.
//!
//! What has no such form (maps, unions, times that become text, integers and decimals beyond their
//! column) is `None` here and goes value by value (`cell.rs`). That decides how quickly a column
//! goes in, never where it ends.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Decimal128Array, ListArray, PrimitiveArray, StructArray,
};
use arrow::buffer::{NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{
    DataType, Decimal128Type, Field, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType, UInt64Type,
};

use super::cell::is_uuid;
use crate::schema::{DECIMAL_DIGITS, Kind, Shape};

/// A column in that form. Where its parent is null it is null too.
#[derive(Debug)]
pub(super) struct Whole {
    pub(super) nulls: Option<NullBuffer>,
    pub(super) rows: usize,
    pub(super) held: Held,
}

/// What it holds.
#[derive(Debug)]
pub(super) enum Held {
    /// Nothing but nulls, which decide nothing.
    Nothing,
    /// Of exactly the type that a column of this kind has.
    Leaf(Kind, ArrayRef),
    Object(Vec<(String, Whole)>),
    /// Offsets from zero, and the elements.
    List(OffsetBuffer<i32>, Box<Whole>),
}

impl Whole {
    /// `None` when the column has to go value by value.
    pub(super) fn of(field: &Field, array: &ArrayRef) -> Option<Self> {
        Self::within(field, array, None)
    }

    /// The same for the field of a struct with these nulls.
    fn within(field: &Field, array: &ArrayRef, parent: Option<&NullBuffer>) -> Option<Self> {
        let logical = array.logical_nulls();
        let nulls = NullBuffer::union(parent, logical.as_ref());
        let nulls = nulls.filter(|nulls| nulls.null_count() > 0);
        let rows = array.len();
        let valid = rows - nulls.as_ref().map_or(0, NullBuffer::null_count);
        if valid == 0 || array.data_type() == &DataType::Null {
            let held = Held::Nothing;
            return Some(Self {
                nulls: None,
                rows,
                held,
            });
        }
        let held = match array.data_type() {
            DataType::Struct(_) => object(array.as_struct(), nulls.as_ref())?,
            DataType::List(_) => list(array.as_list::<i32>(), nulls.as_ref())?,
            DataType::LargeList(element) | DataType::FixedSizeList(element, _) => {
                let cast = cast(array, &DataType::List(element.clone()))?;
                list(cast.as_list::<i32>(), nulls.as_ref())?
            }
            _ => leaf(field, array)?,
        };
        Some(Self { nulls, rows, held })
    }

    /// The shape of the column that it needs; `None` for what decides nothing.
    pub(super) fn shape(&self) -> Option<Shape> {
        match &self.held {
            Held::Nothing => None,
            Held::Leaf(kind, _) => Some(Shape::scalar(*kind)),
            Held::Object(_) => Some(Shape::scalar(Kind::Object)),
            Held::List(_, element) => {
                let element = element.shape()?;
                let lists = element.lists.checked_add(1)?;
                Some(Shape { lists, ..element })
            }
        }
    }

    /// The bytes of its values.
    pub(super) fn bytes(&self) -> usize {
        match &self.held {
            Held::Nothing => 0,
            Held::Leaf(_, array) => array.to_data().get_slice_memory_size().unwrap_or_default(),
            Held::Object(members) => members.iter().map(|(_, whole)| whole.bytes()).sum(),
            Held::List(offsets, element) => offsets.len() * 4 + element.bytes(),
        }
    }
}

fn object(array: &StructArray, nulls: Option<&NullBuffer>) -> Option<Held> {
    let mut names = HashSet::new();
    let mut members = Vec::with_capacity(array.num_columns());
    for (field, column) in array.fields().iter().zip(array.columns()) {
        if !names.insert(field.name()) {
            return None;
        }
        let whole = Whole::within(field, column, nulls)?;
        members.push((field.name().clone(), whole));
    }
    // An object with nothing in it decides nothing, so it must not make a column.
    let decides = |(_, whole): &(String, Whole)| !matches!(whole.held, Held::Nothing);
    members.iter().any(decides).then_some(Held::Object(members))
}

fn list(array: &ListArray, nulls: Option<&NullBuffer>) -> Option<Held> {
    let DataType::List(field) = array.data_type() else {
        return None;
    };
    let offsets = array.value_offsets();
    let (first, last) = (*offsets.first()?, *offsets.last()?);
    let begin = usize::try_from(first).ok()?;
    let length = usize::try_from(last.checked_sub(first)?).ok()?;
    // A null may have elements all the same, which nobody is to see.
    let hides = |(row, ends): (usize, &[i32; 2])| {
        ends[0] != ends[1] && nulls.is_some_and(|nulls| nulls.is_null(row))
    };
    if offsets.array_windows::<2>().enumerate().any(hides) {
        return None;
    }
    let elements = array.values().slice(begin, length);
    let elements = Whole::within(field, &elements, None)?;
    // Lists with nothing in them go wherever lists are.
    elements.shape()?;
    let from_zero = offsets.iter().map(|offset| offset - first);
    let offsets = OffsetBuffer::new(ScalarBuffer::from_iter(from_zero));
    Some(Held::List(offsets, Box::new(elements)))
}

fn leaf(field: &Field, array: &ArrayRef) -> Option<Held> {
    let as_type = |kind, data_type: DataType| Some(Held::Leaf(kind, cast(array, &data_type)?));
    match array.data_type() {
        DataType::Boolean => as_type(Kind::Boolean, DataType::Boolean),
        DataType::UInt64 => {
            let fits = |value: &u64| i64::try_from(*value).is_ok();
            let array = array.as_primitive::<UInt64Type>();
            let all = array.iter().flatten().all(|value| fits(&value));
            all.then(|| as_type(Kind::Long, DataType::Int64))?
        }
        integer if integer.is_integer() => as_type(Kind::Long, DataType::Int64),
        double if double.is_floating() => as_type(Kind::Double, DataType::Float64),
        DataType::Decimal32(_, scale)
        | DataType::Decimal64(_, scale)
        | DataType::Decimal128(_, scale) => decimal(array, *scale),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => {
            as_type(Kind::String, DataType::Utf8)
        }
        DataType::FixedSizeBinary(_) if is_uuid(field) => None,
        DataType::Binary
        | DataType::LargeBinary
        | DataType::BinaryView
        | DataType::FixedSizeBinary(_) => as_type(Kind::Binary, DataType::Binary),
        DataType::Date32 => as_type(Kind::Date, DataType::Date32),
        DataType::Timestamp(unit, Some(_)) => moments(array, *unit),
        DataType::Dictionary(_, values) => {
            let values = cast(array, values)?;
            let plain = Field::new(field.name(), values.data_type().clone(), true);
            (!values.data_type().is_nested()).then(|| leaf(&plain, &values))?
        }
        _ => None,
    }
}

fn decimal(array: &ArrayRef, scale: i8) -> Option<Held> {
    let kind = Kind::Decimal(u8::try_from(scale).ok()?);
    let widest = DataType::Decimal128(DECIMAL_DIGITS, scale);
    let values = match array.as_primitive_opt::<Decimal128Type>() {
        // The digits stay as they are; only how many there may be is another matter.
        Some(values) => values.clone(),
        None => cast(array, &widest)?
            .as_primitive::<Decimal128Type>()
            .clone(),
    };
    let most = 10_i128.pow(DECIMAL_DIGITS.into());
    let fits = |value: i128| value.unsigned_abs() < most.unsigned_abs();
    if !values.iter().flatten().all(fits) {
        return None;
    }
    let values: Decimal128Array = values.with_data_type(widest);
    Some(Held::Leaf(kind, Arc::new(values)))
}

/// Exactly in microseconds, or not at all.
fn moments(array: &ArrayRef, unit: TimeUnit) -> Option<Held> {
    let scaled: Option<PrimitiveArray<TimestampMicrosecondType>> = match unit {
        TimeUnit::Second => {
            let array = array.as_primitive::<TimestampSecondType>();
            array
                .try_unary(|value| value.checked_mul(1_000_000).ok_or(()))
                .ok()
        }
        TimeUnit::Millisecond => {
            let array = array.as_primitive::<TimestampMillisecondType>();
            array
                .try_unary(|value| value.checked_mul(1_000).ok_or(()))
                .ok()
        }
        TimeUnit::Microsecond => Some(array.as_primitive::<TimestampMicrosecondType>().clone()),
        TimeUnit::Nanosecond => {
            let array = array.as_primitive::<TimestampNanosecondType>();
            let whole = |value: i64| {
                if value % 1_000 == 0 {
                    Ok(value / 1_000)
                } else {
                    Err(())
                }
            };
            array.try_unary(whole).ok()
        }
    };
    let utc = scaled?.with_timezone("UTC");
    Some(Held::Leaf(Kind::Timestamp, Arc::new(utc)))
}

/// `None` when some value has no place in the other type.
fn cast(array: &ArrayRef, data_type: &DataType) -> Option<ArrayRef> {
    let strict = CastOptions {
        safe: false,
        ..CastOptions::default()
    };
    cast_with_options(array, data_type, &strict).ok()
}
