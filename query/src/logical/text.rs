//! The text of a column's values: strings as they are, everything else as JSON.
//!
//! Objects have the keys that came, not the names of columns; alternates and rescued members stand
//! where they belong; null members are left out, since missing and null are stored alike.

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BooleanArray, Date32Array, Decimal128Array,
    Float64Array, Int64Array, StringArray, StringBuilder, TimestampMicrosecondArray,
};
use arrow::buffer::OffsetBuffer;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Decimal128Type, Float64Type, Int64Type, TimeUnit};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use eddy_engine::moment;

use super::number::{Number, decimal_text};
use super::shape::{Member, Shape};
use crate::error::{Error, Result};

/// For each row the text of the first of `columns` that has a value.
pub(crate) fn texts(columns: &[ArrayRef], shapes: &[Shape], rows: usize) -> Result<StringArray> {
    written(columns, shapes, rows, |values, row, text| {
        values.write_bare(row, text);
    })
}

/// The same as JSON: strings in quotes, numbers with all of their digits.
pub(crate) fn jsons(columns: &[ArrayRef], shapes: &[Shape], rows: usize) -> Result<StringArray> {
    written(columns, shapes, rows, |values, row, text| {
        values.write(row, text);
    })
}

fn written(
    columns: &[ArrayRef],
    shapes: &[Shape],
    rows: usize,
    write: impl Fn(&Values<'_>, usize, &mut String),
) -> Result<StringArray> {
    if columns.len() != shapes.len() {
        return Err(Error::internal("columns and shapes differ in number"));
    }
    let values: Vec<Values<'_>> = columns
        .iter()
        .zip(shapes)
        .map(|(column, shape)| Values::new(column, shape))
        .collect::<Result<_>>()?;
    let mut texts = StringBuilder::with_capacity(rows, rows * 8);
    let mut text = String::new();
    for row in 0..rows {
        match values.iter().find(|values| values.is_valid(row)) {
            Some(values) => {
                text.clear();
                write(values, row, &mut text);
                texts.append_value(&text);
            }
            None => texts.append_null(),
        }
    }
    Ok(texts.finish())
}

/// The values of one array, ready to be written.
struct Values<'a> {
    array: &'a dyn Array,
    typed: Typed<'a>,
}

enum Typed<'a> {
    Boolean(&'a BooleanArray),
    Long(&'a Int64Array),
    Double(&'a Float64Array),
    Decimal(&'a Decimal128Array, u8),
    Timestamp(&'a TimestampMicrosecondArray),
    Date(&'a Date32Array),
    Binary(&'a BinaryArray),
    Text(&'a StringArray),
    List(&'a OffsetBuffer<i32>, Box<Values<'a>>),
    Members(Vec<Values<'a>>),
    Object(Vec<Written<'a>>),
    /// Numbers of a type that JSON discovery doesn't make: what arrow's cast says.
    Number(StringArray),
    /// Of any other type that it doesn't make.
    Other(StringArray),
    /// Of the type that has no values.
    Null,
}

/// A member of an object.
enum Written<'a> {
    /// `"key":` and its values.
    Member(String, Values<'a>),
    Rescued(&'a StringArray),
}

impl<'a> Values<'a> {
    fn new(array: &'a ArrayRef, shape: &Shape) -> Result<Self> {
        let typed = match array.data_type() {
            DataType::Boolean => Typed::Boolean(array.as_boolean()),
            DataType::Int64 => Typed::Long(array.as_primitive::<Int64Type>()),
            DataType::Float64 => Typed::Double(array.as_primitive::<Float64Type>()),
            DataType::Decimal128(_, scale @ 0..) => {
                let decimals = array.as_primitive::<Decimal128Type>();
                Typed::Decimal(decimals, scale.unsigned_abs())
            }
            DataType::Timestamp(TimeUnit::Microsecond, Some(_)) => {
                Typed::Timestamp(array.as_primitive())
            }
            DataType::Date32 => Typed::Date(array.as_primitive()),
            DataType::Binary => Typed::Binary(array.as_binary()),
            DataType::Utf8 => Typed::Text(array.as_string::<i32>()),
            DataType::List(_) => {
                let list = array.as_list::<i32>();
                let element = match shape {
                    Shape::List(element) => element,
                    _ => &Shape::Plain,
                };
                let values = Values::new(list.values(), element)?;
                Typed::List(list.offsets(), Box::new(values))
            }
            DataType::Struct(_) => Self::of_struct(array, shape)?,
            DataType::Null => Typed::Null,
            other => {
                let texts = cast(array, &DataType::Utf8)?.as_string::<i32>().clone();
                match other.is_numeric() {
                    true => Typed::Number(texts),
                    false => Typed::Other(texts),
                }
            }
        };
        Ok(Self {
            array: array.as_ref(),
            typed,
        })
    }

    fn of_struct(array: &'a ArrayRef, shape: &Shape) -> Result<Typed<'a>> {
        let array = array.as_struct();
        let fields = array.fields().iter().zip(array.columns());
        let same = |count: usize| {
            if count == array.num_columns() {
                return Ok(());
            }
            Err(Error::internal("a struct has other fields than its shape"))
        };
        match shape {
            Shape::Members(shapes) => {
                same(shapes.len())?;
                let members = shapes.iter().zip(array.columns());
                let members = members.map(|(shape, column)| Values::new(column, shape));
                Ok(Typed::Members(members.collect::<Result<_>>()?))
            }
            Shape::Object(members) => {
                same(members.len())?;
                let written = members.iter().zip(fields).map(|(member, (field, column))| {
                    Ok(match member {
                        Member::Rescued => match column.as_string_opt::<i32>() {
                            Some(texts) => Written::Rescued(texts),
                            None => return Err(Error::internal("rescued values are no text")),
                        },
                        Member::Keyed(key, shape) => {
                            Written::Member(opening(key), Values::new(column, shape)?)
                        }
                        Member::Named(shape) => {
                            Written::Member(opening(field.name()), Values::new(column, shape)?)
                        }
                    })
                });
                Ok(Typed::Object(written.collect::<Result<_>>()?))
            }
            Shape::Plain | Shape::List(_) => {
                let written = fields.map(|(field, column)| {
                    let values = Values::new(column, &Shape::Plain)?;
                    Ok(Written::Member(opening(field.name()), values))
                });
                Ok(Typed::Object(written.collect::<Result<_>>()?))
            }
        }
    }

    fn is_valid(&self, row: usize) -> bool {
        self.array.is_valid(row) && !matches!(self.typed, Typed::Null)
    }

    /// A string as it is, a number in its canonical text, anything else as JSON.
    fn write_bare(&self, row: usize, text: &mut String) {
        match &self.typed {
            Typed::Text(texts) => text.push_str(texts.value(row)),
            Typed::Number(texts) | Typed::Other(texts) => text.push_str(texts.value(row)),
            Typed::Double(values) => {
                text.push_str(&Number::of_double(values.value(row)).to_string());
            }
            Typed::Decimal(values, scale) => {
                text.push_str(&Number::of_decimal(values.value(row), *scale).to_string());
            }
            Typed::Timestamp(values) => text.push_str(&moment::timestamp(values.value(row))),
            Typed::Date(values) => text.push_str(&moment::date(values.value(row))),
            Typed::Binary(values) => STANDARD.encode_string(values.value(row), text),
            Typed::Members(members) => match members.iter().find(|one| one.is_valid(row)) {
                Some(member) => member.write_bare(row, text),
                None => text.push_str("null"),
            },
            _ => self.write(row, text),
        }
    }

    /// JSON.
    fn write(&self, row: usize, text: &mut String) {
        if !self.is_valid(row) {
            text.push_str("null");
            return;
        }
        match &self.typed {
            Typed::Boolean(values) => {
                text.push_str(if values.value(row) { "true" } else { "false" })
            }
            Typed::Long(values) => text.push_str(&values.value(row).to_string()),
            Typed::Decimal(values, scale) => {
                text.push_str(&decimal_text(values.value(row), *scale));
            }
            Typed::Timestamp(_) | Typed::Date(_) | Typed::Binary(_) => {
                // They need no escapes.
                text.push('"');
                self.write_bare(row, text);
                text.push('"');
            }
            Typed::Double(values) => {
                let value = values.value(row);
                if value.is_finite() {
                    // `Debug` keeps the fraction of `1.0` and finds the shortest text that reads
                    // back.
                    text.push_str(&format!("{value:?}"));
                } else {
                    quoted(&Number::Double(value).to_string(), text);
                }
            }
            Typed::Text(texts) => quoted(texts.value(row), text),
            Typed::Other(texts) => quoted(texts.value(row), text),
            Typed::Number(texts) => match texts.value(row) {
                finite if finite.ends_with(|last: char| last.is_ascii_digit()) => {
                    text.push_str(finite);
                }
                other => quoted(other, text),
            },
            Typed::Null => text.push_str("null"),
            Typed::List(offsets, values) => write_list(offsets, values, row, text),
            Typed::Members(members) => match members.iter().find(|one| one.is_valid(row)) {
                Some(member) => member.write(row, text),
                None => text.push_str("null"),
            },
            Typed::Object(members) => write_object(members, row, text),
        }
    }
}

fn write_list(offsets: &OffsetBuffer<i32>, values: &Values<'_>, row: usize, text: &mut String) {
    let bounds = offsets.get(row).zip(offsets.get(row + 1));
    let position = |offset: &i32| usize::try_from(*offset).unwrap_or(0);
    let (from, to) = bounds.map_or((0, 0), |(from, to)| (position(from), position(to)));
    text.push('[');
    for (at, element) in (from..to).enumerate() {
        if at > 0 {
            text.push(',');
        }
        values.write(element, text);
    }
    text.push(']');
}

fn write_object(members: &[Written<'_>], row: usize, text: &mut String) {
    let mut empty = true;
    let mut separate = |text: &mut String| {
        if !std::mem::take(&mut empty) {
            text.push(',');
        }
    };
    text.push('{');
    for member in members {
        match member {
            Written::Member(opening, values) if values.is_valid(row) => {
                separate(text);
                text.push_str(opening);
                values.write(row, text);
            }
            Written::Rescued(texts) if texts.is_valid(row) => {
                let inside = texts.value(row).trim();
                let inside = inside
                    .strip_prefix('{')
                    .and_then(|one| one.strip_suffix('}'));
                if let Some(inside) = inside.map(str::trim).filter(|inside| !inside.is_empty()) {
                    separate(text);
                    text.push_str(inside);
                }
            }
            _ => {}
        }
    }
    text.push('}');
}

fn opening(key: &str) -> String {
    let mut text = String::new();
    quoted(key, &mut text);
    text.push(':');
    text
}

fn quoted(value: &str, text: &mut String) {
    // A string always has a JSON text.
    text.push_str(&serde_json::to_string(value).unwrap_or_default());
}
