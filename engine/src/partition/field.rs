//! A field of the payload: its path, and its values in a batch's rows.
//!
//! Strings, integers and booleans are values; so is a number without a fraction, since a column of
//! doubles holds integers too. Null, a missing field, an empty string (Delta's log can't tell it
//! from null), other numbers, objects, lists, and what the budgets keep in `_rescued` are null.

use std::collections::HashMap;
use std::fmt;
use std::fmt::Write as _;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Decimal128Array, Float64Array, Int64Array, RecordBatch,
    StringArray, StructArray,
};
use arrow::datatypes::TimestampMicrosecondType;
use arrow::datatypes::{DataType, Decimal128Type, Fields, Float64Type, Int64Type, TimeUnit};
use chrono::DateTime;

use crate::error::{Error, Result};
use crate::path::partition_value;
use crate::schema::KEY;

/// Beyond it not every integer is a double.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// The keys that lead to a field of the payload, from the root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldPath(Vec<String>);

impl FieldPath {
    /// Reads `a.b`; a key with dots or other signs stands between backticks, and two backticks in
    /// it are one.
    ///
    /// # Errors
    /// `Invalid` for an empty key and for a backtick that isn't closed.
    pub fn parse(text: &str) -> Result<Self> {
        let wrong = |why: &str| Error::invalid(format!("`{text}` is no field: {why}"));
        let mut keys = Vec::new();
        let mut rest = text.trim();
        loop {
            let key = if let Some(quoted) = rest.strip_prefix('`') {
                let (key, behind) =
                    until_backtick(quoted).ok_or_else(|| wrong("a backtick isn't closed"))?;
                rest = behind;
                key
            } else {
                let end = rest.find('.').unwrap_or(rest.len());
                let (key, behind) = rest.split_at(end);
                if key.is_empty() {
                    return Err(wrong("a key is empty; write an empty key as ``` `` ```"));
                }
                rest = behind;
                key.to_owned()
            };
            keys.push(key);
            if rest.is_empty() {
                return Ok(Self(keys));
            }
            rest = rest
                .strip_prefix('.')
                .ok_or_else(|| wrong("a dot stands between two keys"))?;
        }
    }

    /// The field at these keys.
    pub fn new(keys: Vec<String>) -> Self {
        Self(keys)
    }

    /// The keys from the root.
    pub fn keys(&self) -> &[String] {
        &self.0
    }

    /// The times that a field says, in microseconds since the Unix epoch: integers are
    /// milliseconds, so are strings of digits; other strings are RFC 3339. Anything else says none.
    pub(crate) fn times(&self, batch: &RecordBatch) -> Vec<Option<i64>> {
        let leaves = self.leaves(batch);
        (0..batch.num_rows())
            .map(|row| leaves.iter().find_map(|leaf| leaf.time_us(row)))
            .collect()
    }

    /// The values of a batch's rows, each value once.
    pub(super) fn values(&self, batch: &RecordBatch) -> Coded {
        let leaves = self.leaves(batch);
        let mut coded = Coded::default();
        let mut known: HashMap<String, u32> = HashMap::new();
        let mut text = String::new();
        for row in 0..batch.num_rows() {
            text.clear();
            // No column has a value, or one that is none: the empty string stands for it.
            let _ = leaves.iter().any(|leaf| leaf.write(row, &mut text));
            let number = match known.get(&text) {
                Some(number) => *number,
                None => {
                    let number = u32::try_from(coded.values.len()).unwrap_or(u32::MAX);
                    known.insert(text.clone(), number);
                    let value = (!text.is_empty()).then(|| partition_value(&text).into_owned());
                    coded.values.push(vec![value]);
                    number
                }
            };
            coded.rows.push(number);
        }
        coded
    }

    /// The texts of a batch's rows as they are, each once, and each row's text by its number.
    /// `None` where there is none: null, a missing field, or a value that is no string, integer or
    /// boolean.
    pub(crate) fn texts(&self, batch: &RecordBatch) -> (Vec<u32>, Vec<Option<String>>) {
        let leaves = self.leaves(batch);
        let mut rows = Vec::with_capacity(batch.num_rows());
        let mut texts: Vec<Option<String>> = Vec::new();
        let mut known: HashMap<Option<String>, u32> = HashMap::new();
        for row in 0..batch.num_rows() {
            let mut text = String::new();
            let found = leaves.iter().find(|leaf| leaf.write(row, &mut text));
            let is_text = found.is_some_and(|leaf| matches!(leaf.values, Values::Text(_)));
            let text = (is_text || !text.is_empty()).then_some(text);
            let next = u32::try_from(texts.len()).unwrap_or(u32::MAX);
            let number = *known.entry(text.clone()).or_insert(next);
            if number == next {
                texts.push(text);
            }
            rows.push(number);
        }
        (rows, texts)
    }

    fn leaves<'a>(&self, batch: &'a RecordBatch) -> Vec<Leaf<'a>> {
        let mut leaves = Vec::new();
        let fields = batch.schema_ref().fields();
        find(
            fields,
            batch.columns(),
            &self.0,
            &mut Vec::new(),
            &mut leaves,
        );
        leaves
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, key) in self.0.iter().enumerate() {
            let dot = if at > 0 { "." } else { "" };
            let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
            match !key.is_empty() && key.chars().all(is_word) {
                true => write!(f, "{dot}{key}")?,
                false => write!(f, "{dot}`{}`", key.replace('`', "``"))?,
            }
        }
        Ok(())
    }
}

fn until_backtick(text: &str) -> Option<(String, &str)> {
    let mut key = String::new();
    let mut rest = text;
    loop {
        let (before, behind) = rest.split_once('`')?;
        key.push_str(before);
        match behind.strip_prefix('`') {
            Some(more) => {
                key.push('`');
                rest = more;
            }
            None => return Some((key, behind)),
        }
    }
}

/// A value's number for each row, and the values by their numbers, one per column.
#[derive(Debug, Default)]
pub(super) struct Coded {
    pub(super) rows: Vec<u32>,
    pub(super) values: Vec<Vec<Option<String>>>,
}

/// One of the columns of a key, and the structs around it.
struct Leaf<'a> {
    above: Vec<&'a StructArray>,
    values: Values<'a>,
}

enum Values<'a> {
    Text(&'a StringArray),
    Long(&'a Int64Array),
    Boolean(&'a BooleanArray),
    Double(&'a Float64Array),
    Decimal(&'a Decimal128Array),
    Time(&'a arrow::array::TimestampMicrosecondArray),
}

fn find<'a>(
    fields: &Fields,
    columns: &'a [ArrayRef],
    path: &[String],
    above: &mut Vec<&'a StructArray>,
    found: &mut Vec<Leaf<'a>>,
) {
    let Some((key, below)) = path.split_first() else {
        return;
    };
    for (field, column) in fields.iter().zip(columns) {
        if field.metadata().get(KEY) != Some(key) {
            continue;
        }
        if below.is_empty() {
            let above = above.clone();
            found.extend(Values::of(column).map(|values| Leaf { above, values }));
        } else if let Some(inner) = column.as_struct_opt() {
            above.push(inner);
            find(inner.fields(), inner.columns(), below, above, found);
            above.pop();
        }
    }
}

impl<'a> Values<'a> {
    fn of(column: &'a ArrayRef) -> Option<Self> {
        Some(match column.data_type() {
            DataType::Utf8 => Self::Text(column.as_string_opt()?),
            DataType::Int64 => Self::Long(column.as_primitive_opt::<Int64Type>()?),
            DataType::Boolean => Self::Boolean(column.as_boolean_opt()?),
            DataType::Float64 => Self::Double(column.as_primitive_opt::<Float64Type>()?),
            DataType::Decimal128(_, 0) => {
                Self::Decimal(column.as_primitive_opt::<Decimal128Type>()?)
            }
            DataType::Timestamp(TimeUnit::Microsecond, _) => {
                Self::Time(column.as_primitive_opt::<TimestampMicrosecondType>()?)
            }
            _ => return None,
        })
    }

    fn array(&self) -> &dyn Array {
        match self {
            Self::Text(array) => array,
            Self::Long(array) => array,
            Self::Boolean(array) => array,
            Self::Double(array) => array,
            Self::Decimal(array) => array,
            Self::Time(array) => array,
        }
    }
}

impl Leaf<'_> {
    fn has(&self, row: usize) -> bool {
        self.above.iter().all(|array| array.is_valid(row)) && self.values.array().is_valid(row)
    }

    /// Writes a row's value; whether this column has one at all.
    fn write(&self, row: usize, text: &mut String) -> bool {
        if !self.has(row) {
            return false;
        }
        // Writing to a string can't fail.
        let _ = match self.values {
            Values::Text(array) => text.write_str(array.value(row)),
            Values::Long(array) => write!(text, "{}", array.value(row)),
            Values::Boolean(array) => write!(text, "{}", array.value(row)),
            Values::Decimal(array) => write!(text, "{}", array.value(row)),
            Values::Double(array) => match array.value(row) {
                value if value.fract() == 0.0 && value.abs() < EXACT => {
                    // Not `-0`, which is no integer's text.
                    write!(text, "{}", value + 0.0)
                }
                _ => Ok(()),
            },
            Values::Time(_) => Ok(()),
        };
        true
    }

    fn time_us(&self, row: usize) -> Option<i64> {
        if !self.has(row) {
            return None;
        }
        match self.values {
            Values::Long(array) => array.value(row).checked_mul(1_000),
            Values::Text(array) => time_of(array.value(row)),
            Values::Time(array) => Some(array.value(row)),
            Values::Double(array) => {
                let value = array.value(row);
                (value.abs() < EXACT / 1_000.0).then_some((value * 1_000.0) as i64)
            }
            Values::Boolean(_) | Values::Decimal(_) => None,
        }
    }
}

fn time_of(text: &str) -> Option<i64> {
    match text.parse::<i64>() {
        Ok(milliseconds) => milliseconds.checked_mul(1_000),
        Err(_) => {
            let time = DateTime::parse_from_rfc3339(text).ok()?;
            Some(time.timestamp_micros())
        }
    }
}
