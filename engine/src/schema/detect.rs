//! Moments and decimals in strings, for tables that ask for them.
//!
//! While the table has no column for a key, its strings stay strings. Once a cut is complete, a key
//! all of whose strings are moments (or decimals) gets a column of these instead; later a string
//! that is one goes there, and any other to the string beside it. Nothing else is changed by that:
//! `_value` has the text as it came, and what a detected value can't say of its spelling (another
//! zone, zeros at the end) stands there alone.
//!
//! What is detected is unambiguous and exact: RFC 3339 with a zone and at most six digits of
//! fraction; decimals as JSON writes numbers, with digits on both sides of a point, 38 at most. A
//! date, a time without a zone, an integer in quotes, an exponent or a negative zero is text.
//! Elements of lists are left alone.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Decimal128Array, Int64Array, ListArray, RecordBatch, StringArray,
    StructArray, TimestampMicrosecondArray,
};
use arrow::compute::is_not_null;
use arrow::compute::kernels::zip::zip;
use arrow::datatypes::{DataType, FieldRef, Fields, Schema};
use arrow::record_batch::RecordBatchOptions;
use hashbrown::HashMap;

use super::decide::{Hop, innermost, struct_of};
use super::kind::{DECIMAL_DIGITS, Kind, Shape, payload_field};
use crate::Result;
use crate::moment::parse_rfc3339;

/// What is looked for in strings. Nothing by default: a string that looks like a moment is first of
/// all what its producer wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Detect {
    /// Moments: RFC 3339 with a zone.
    pub timestamps: bool,
    /// Decimals: digits, a point, digits.
    pub decimals: bool,
}

impl Detect {
    /// The column among the alternates of a key that takes strings too.
    pub(crate) fn column<T: Copy>(self, alternates: &[(Shape, T)]) -> Option<(Kind, T)> {
        let scalar = alternates.iter().filter(|(shape, _)| shape.lists == 0);
        let kinds = scalar.map(|(shape, column)| (shape.leaf, *column));
        let moments = kinds.clone().find(|(kind, _)| *kind == Kind::Timestamp);
        let mut decimals = kinds.filter(|(kind, _)| matches!(kind, Kind::Decimal(1..)));
        moments
            .filter(|_| self.timestamps)
            .or_else(|| decimals.next().filter(|_| self.decimals))
    }
}

/// A string in the column of another kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Detected {
    Timestamp(i64),
    Decimal(i128),
}

/// What a string is in a column of `kind`; `None` when it is nothing but text.
pub(crate) fn detected(kind: Kind, text: &[u8]) -> Option<Detected> {
    match kind {
        Kind::Timestamp => parse_rfc3339(text).map(Detected::Timestamp),
        Kind::Decimal(scale) => {
            let (unscaled, own) = decimal(text)?;
            let power = 10_i128.checked_pow(u32::from(scale.checked_sub(own)?))?;
            let unscaled = unscaled.checked_mul(power)?;
            (digits(unscaled) <= DECIMAL_DIGITS).then_some(Detected::Decimal(unscaled))
        }
        _ => None,
    }
}

/// All digits of a decimal, and how many of them stand behind the point.
fn decimal(text: &[u8]) -> Option<(i128, u8)> {
    // Most strings are found out by their first letter or their length.
    let unsigned = text.strip_prefix(b"-").unwrap_or(text);
    if !(3..=39).contains(&unsigned.len()) || !unsigned.first()?.is_ascii_digit() {
        return None;
    }
    let point = unsigned.iter().position(|byte| *byte == b'.')?;
    let (whole, fraction) = (unsigned.get(..point)?, unsigned.get(point + 1..)?);
    let plain = |digits: &[u8]| !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    if !plain(whole) || !plain(fraction) || (whole.len() > 1 && whole.first() == Some(&b'0')) {
        return None;
    }
    let value = whole
        .iter()
        .chain(fraction)
        .fold(0_i128, |value, digit| value * 10 + i128::from(digit & 15));
    let negative = unsigned.len() < text.len();
    if negative && value == 0 {
        return None;
    }
    let value = if negative { -value } else { value };
    Some((value, u8::try_from(fraction.len()).ok()?))
}

fn digits(value: i128) -> u8 {
    value
        .unsigned_abs()
        .checked_ilog10()
        .map_or(1, |log| u8::try_from(log + 1).unwrap_or(u8::MAX))
}

/// What a cut's batches become before their columns are reserved, behind
/// [`decide`](super::decide()).
///
/// # Errors
/// `Internal` when a batch is not what the shredder makes.
pub fn detect(
    reserved: &Schema,
    batches: Vec<RecordBatch>,
    detect: Detect,
) -> Result<Vec<RecordBatch>> {
    if detect == Detect::default() {
        return Ok(batches);
    }
    let mut strings = HashMap::new();
    for batch in &batches {
        let fields = batch.schema_ref().fields();
        look(fields, batch.columns(), &mut Vec::new(), &mut strings);
    }
    let targets: HashMap<Vec<Hop>, Kind> = strings
        .into_iter()
        .filter_map(|(path, strings)| {
            let kind = strings.target(siblings(reserved.fields(), &path), detect)?;
            Some((path, kind))
        })
        .collect();
    if targets.is_empty() {
        return Ok(batches);
    }
    let batches = batches.into_iter();
    batches
        .map(|batch| convert_batch(&batch, &targets))
        .collect()
}

/// What all strings of one key are.
struct Strings {
    moments: bool,
    /// The most digits before and behind the point, if all are decimals.
    decimals: Option<(u8, u8)>,
}

impl Strings {
    fn note(&mut self, texts: &StringArray) {
        for text in texts.iter().flatten() {
            self.moments = self.moments && parse_rfc3339(text.as_bytes()).is_some();
            let decimal = decimal(text.as_bytes());
            self.decimals = self
                .decimals
                .zip(decimal)
                .map(|((before, behind), (value, scale))| {
                    let whole = digits(value).saturating_sub(scale).max(1);
                    (before.max(whole), behind.max(scale))
                });
            if !self.moments && self.decimals.is_none() {
                return;
            }
        }
    }

    /// The kind of column that takes those of them that are such.
    fn target(&self, reserved: Vec<(Shape, ())>, detect: Detect) -> Option<Kind> {
        if let Some((kind, ())) = detect.column(&reserved) {
            return Some(kind);
        }
        if reserved
            .iter()
            .any(|(shape, ())| *shape == Shape::scalar(Kind::String))
        {
            return None;
        }
        if detect.timestamps && self.moments {
            return Some(Kind::Timestamp);
        }
        let (before, behind) = self.decimals.filter(|_| detect.decimals)?;
        (before + behind <= DECIMAL_DIGITS).then_some(Kind::Decimal(behind))
    }
}

fn look(
    fields: &Fields,
    columns: &[ArrayRef],
    path: &mut Vec<Hop>,
    found: &mut HashMap<Vec<Hop>, Strings>,
) {
    for (field, column) in fields.iter().zip(columns) {
        let Some(hop) = Hop::of_field(field) else {
            continue;
        };
        path.push(hop);
        if is_text(path)
            && let Some(texts) = column.as_string_opt::<i32>()
        {
            let strings = found.entry_ref(path.as_slice()).or_insert(Strings {
                moments: true,
                decimals: Some((1, 1)),
            });
            strings.note(texts);
        }
        let inner = innermost(column);
        if let DataType::Struct(fields) = inner.data_type() {
            look(fields, inner.as_struct().columns(), path, found);
        }
        path.pop();
    }
}

fn is_text(path: &[Hop]) -> bool {
    let text = Shape::scalar(Kind::String);
    matches!(path.last(), Some(Hop::Field(_, shape)) if *shape == text)
}

/// The shapes of the columns that the table has for the key of a path.
fn siblings(reserved: &Fields, path: &[Hop]) -> Vec<(Shape, ())> {
    let Some((Hop::Field(key, _), above)) = path.split_last() else {
        return Vec::new();
    };
    let mut fields = Some(reserved);
    for hop in above {
        fields = fields
            .and_then(|fields| fields.iter().find(|field| hop.is(field)))
            .and_then(|field| struct_of(field.data_type()));
    }
    let shapes = fields
        .into_iter()
        .flatten()
        .filter_map(|field| match Hop::of_field(field) {
            Some(Hop::Field(found, shape)) if found == *key => Some((shape, ())),
            _ => None,
        });
    shapes.collect()
}

type Targets = HashMap<Vec<Hop>, Kind>;

fn convert_batch(batch: &RecordBatch, targets: &Targets) -> Result<RecordBatch> {
    let fields = batch.schema_ref().fields();
    let (fields, columns) = convert(fields, batch.columns(), &mut Vec::new(), targets)?;
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    let schema = Arc::new(Schema::new(fields));
    Ok(RecordBatch::try_new_with_options(
        schema, columns, &options,
    )?)
}

fn convert(
    fields: &Fields,
    columns: &[ArrayRef],
    path: &mut Vec<Hop>,
    targets: &Targets,
) -> Result<(Vec<FieldRef>, Vec<ArrayRef>)> {
    let mut new: Vec<(FieldRef, ArrayRef)> = Vec::with_capacity(fields.len());
    let mut moved = Vec::new();
    for (field, column) in fields.iter().zip(columns) {
        let Some(hop) = Hop::of_field(field) else {
            new.push((FieldRef::clone(field), ArrayRef::clone(column)));
            continue;
        };
        path.push(hop);
        let kind = targets.get(path.as_slice()).copied();
        match (kind, column.as_string_opt::<i32>(), path.last()) {
            (Some(kind), Some(texts), Some(Hop::Field(key, _))) => {
                let (typed, rest) = split(texts, kind)?;
                let name = format!("{}__{kind}", field.name());
                let data_type = typed.data_type().clone();
                let typed_field = payload_field(&name, key, Shape::scalar(kind), data_type);
                // One of them may have nothing left, and then there is no such column.
                if rest.null_count() < rest.len() {
                    new.push((FieldRef::clone(field), Arc::new(rest)));
                }
                if typed.null_count() < typed.len() {
                    moved.push((typed_field, typed));
                }
            }
            _ => {
                let column = convert_nested(column, path, targets)?;
                let field = field.as_ref().clone();
                let field = field.with_data_type(column.data_type().clone());
                new.push((Arc::new(field), column));
            }
        }
        path.pop();
    }
    for (field, typed) in moved {
        let hop = Hop::of_field(&field);
        match new
            .iter_mut()
            .find(|(known, _)| Hop::of_field(known) == hop)
        {
            // Some values were of that kind all along; a row has one or the other.
            Some((_, column)) => *column = zip(&is_not_null(&typed)?, &typed, column)?,
            None => new.push((field, typed)),
        }
    }
    Ok(new.into_iter().unzip())
}

fn convert_nested(column: &ArrayRef, path: &mut Vec<Hop>, targets: &Targets) -> Result<ArrayRef> {
    match column.data_type() {
        DataType::Struct(fields) => {
            let array = column.as_struct();
            let (fields, columns) = convert(fields, array.columns(), path, targets)?;
            let nulls = array.nulls().cloned();
            let rows = array.len();
            Ok(Arc::new(StructArray::try_new_with_length(
                fields.into(),
                columns,
                nulls,
                rows,
            )?))
        }
        DataType::List(element) => {
            let array = column.as_list::<i32>();
            let values = convert_nested(array.values(), path, targets)?;
            let element = element.as_ref().clone();
            let element = element.with_data_type(values.data_type().clone());
            Ok(Arc::new(ListArray::try_new(
                Arc::new(element),
                array.offsets().clone(),
                values,
                array.nulls().cloned(),
            )?))
        }
        _ => Ok(ArrayRef::clone(column)),
    }
}

/// Those that are of the kind, and the other texts.
fn split(texts: &StringArray, kind: Kind) -> Result<(ArrayRef, StringArray)> {
    let found: Vec<Option<Detected>> = texts
        .iter()
        .map(|text| detected(kind, text?.as_bytes()))
        .collect();
    let rest = texts.iter().zip(&found);
    let rest = rest.map(|(text, found)| text.filter(|_| found.is_none()));
    let rest: StringArray = rest.collect();
    let typed: ArrayRef = match kind {
        Kind::Decimal(scale) => {
            let unscaled = found.iter().map(|one| match one {
                Some(Detected::Decimal(unscaled)) => Some(*unscaled),
                _ => None,
            });
            let array: Decimal128Array = unscaled.collect();
            Arc::new(array.with_precision_and_scale(DECIMAL_DIGITS, scale.cast_signed())?)
        }
        _ => {
            let moments = found.iter().map(|one| match one {
                Some(Detected::Timestamp(us)) => Some(*us),
                _ => None,
            });
            let us: Int64Array = moments.collect();
            let moments: TimestampMicrosecondArray = us.reinterpret_cast();
            Arc::new(moments.with_timezone("UTC"))
        }
    };
    Ok((typed, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decimal_is_what_json_would_take_for_a_number_with_a_point() {
        const LONGEST: i128 = 12_345_678_901_234_567_890_123_456_789_012_345_678;
        let known: [(&str, Option<(i128, u8)>); 15] = [
            ("12.50", Some((1_250, 2))),
            ("-0.01", Some((-1, 2))),
            ("0.0", Some((0, 1))),
            ("1234567890123456.78", Some((123_456_789_012_345_678, 2))),
            (
                "1.2345678901234567890123456789012345678",
                Some((LONGEST, 37)),
            ),
            ("123456789012345678901234567890123456.789", None),
            ("-0.0", None),
            ("007.5", None),
            ("7", None),
            ("7.", None),
            (".5", None),
            ("1.2.3", None),
            ("1e5", None),
            ("+1.5", None),
            ("1.5 ", None),
        ];
        for (text, value) in known {
            assert_eq!(decimal(text.as_bytes()), value, "{text}");
        }
        let fits = |scale, text: &str| detected(Kind::Decimal(scale), text.as_bytes());
        assert_eq!(fits(2, "1.5"), Some(Detected::Decimal(150)));
        assert_eq!(fits(1, "1.50"), None, "its last digit would be lost");
        assert_eq!(fits(38, "10.5"), None, "it would have 40 digits");
    }
}
