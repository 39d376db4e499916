//! One column's growing buffers. Nulls are lazy: a column is only touched by the rows that have a
//! value for it, and what is missing before a value is filled in when the value comes.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray, BinaryArray, BooleanArray, BooleanBufferBuilder, Date32Array,
    Decimal128Array, Float64Array, Int64Array, NullBufferBuilder, StringArray,
    TimestampMicrosecondArray,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{
    Date32Type, Decimal128Type, FieldRef, Float64Type, Int64Type, TimestampMicrosecondType,
};

use super::blobs::{take_offsets, take_texts, taken, with_slack};
use crate::Result;
use crate::schema::{DECIMAL_DIGITS, Detected, Kind, Shape};
use crate::spare::{Spare, usual};

/// The values of a column.
#[derive(Debug)]
pub(super) enum Values {
    Boolean(BooleanBufferBuilder),
    Long(Vec<i64>),
    Double(Vec<f64>),
    Decimal {
        values: Vec<i128>,
        scale: u8,
    },
    Timestamp(Vec<i64>),
    Date(Vec<i32>),
    Text {
        offsets: Vec<i32>,
        bytes: Vec<u8>,
    },
    Binary {
        offsets: Vec<i32>,
        bytes: Vec<u8>,
    },
    /// A struct with the keys of an object.
    Object(u32),
    /// A list, whose elements are the rows of another domain and lie in another column.
    List {
        offsets: Vec<i32>,
        domain: u32,
        element: u32,
    },
    /// The struct of a mixed list's elements: the alternates of one place.
    Members(u32),
}

/// A column of the batch that is being made.
#[derive(Debug)]
pub(super) struct Column {
    pub(super) values: Values,
    nulls: NullBufferBuilder,
    /// Rows that are filled in, nulls included.
    len: usize,
    /// Rows with a value.
    pub(super) valid: usize,
    /// How many rows the next batch may have, to reserve as much at once.
    expected: usize,
    /// How many bytes of text.
    expected_bytes: usize,
    pub(super) shape: Shape,
    pub(super) name: String,
    /// The table has a name for it.
    pub(super) reserved: bool,
    /// The field as it was emitted last.
    pub(super) field: Option<FieldRef>,
}

impl Column {
    pub(super) fn new(shape: Shape, name: String, values: Values) -> Self {
        Self {
            values,
            nulls: NullBufferBuilder::new(0),
            len: 0,
            valid: 0,
            expected: 0,
            expected_bytes: 0,
            shape,
            name,
            reserved: false,
            field: None,
        }
    }

    /// Empty values for a leaf.
    pub(super) fn leaf(leaf: Kind) -> Values {
        match leaf {
            Kind::Boolean => Values::Boolean(BooleanBufferBuilder::new(0)),
            Kind::Long => Values::Long(Vec::new()),
            Kind::Double => Values::Double(Vec::new()),
            Kind::Decimal(scale) => Values::Decimal {
                values: Vec::new(),
                scale,
            },
            Kind::Timestamp => Values::Timestamp(Vec::new()),
            Kind::Date => Values::Date(Vec::new()),
            Kind::Binary => Values::Binary {
                offsets: vec![0],
                bytes: Vec::new(),
            },
            _ => Values::Text {
                offsets: vec![0],
                bytes: Vec::new(),
            },
        }
    }

    /// Makes `row` the row of the value that the caller appends right after: the rows before it
    /// are filled with nulls.
    #[inline(always)]
    pub(super) fn begin(&mut self, row: usize) {
        if row > self.len {
            self.pad(row);
        }
        if self.valid == 0 {
            self.reserve();
        }
        self.nulls.append_non_null();
        self.len += 1;
        self.valid += 1;
    }

    #[inline]
    pub(super) fn push_boolean(&mut self, row: usize, value: bool) {
        self.begin(row);
        if let Values::Boolean(values) = &mut self.values {
            values.append(value);
        }
    }

    #[inline]
    pub(super) fn push_long(&mut self, row: usize, value: i64) {
        self.begin(row);
        if let Values::Long(values) = &mut self.values {
            values.push(value);
        }
    }

    #[inline]
    pub(super) fn push_double(&mut self, row: usize, value: f64) {
        self.begin(row);
        if let Values::Double(values) = &mut self.values {
            values.push(value);
        }
    }

    pub(super) fn push_decimal(&mut self, row: usize, value: i128) {
        self.begin(row);
        if let Values::Decimal { values, .. } = &mut self.values {
            values.push(value);
        }
    }

    #[inline]
    pub(super) fn push_timestamp(&mut self, row: usize, us: i64) {
        self.begin(row);
        if let Values::Timestamp(values) = &mut self.values {
            values.push(us);
        }
    }

    /// Appends what a text was found to be; answers its bytes.
    pub(super) fn push_detected(&mut self, row: usize, value: Detected) -> usize {
        match value {
            Detected::Timestamp(us) => {
                self.push_timestamp(row, us);
                8
            }
            Detected::Decimal(unscaled) => {
                self.push_decimal(row, unscaled);
                16
            }
        }
    }

    pub(super) fn push_date(&mut self, row: usize, days: i32) {
        self.begin(row);
        if let Values::Date(values) = &mut self.values {
            values.push(days);
        }
    }

    /// Appends a text, or bytes.
    #[inline]
    pub(super) fn push_text(&mut self, row: usize, write: impl FnOnce(&mut Vec<u8>)) {
        self.begin(row);
        if let Values::Text { offsets, bytes } | Values::Binary { offsets, bytes } =
            &mut self.values
        {
            write(bytes);
            // A batch is sealed before its texts pass the offsets' range.
            offsets.push(bytes.len() as i32);
        }
    }

    /// Appends all rows of an array of the column's type, from `row` on.
    pub(super) fn extend(
        &mut self,
        row: usize,
        rows: usize,
        nulls: Option<&NullBuffer>,
        array: &ArrayRef,
    ) {
        self.extend_nulls(row, rows, nulls);
        match &mut self.values {
            Values::Boolean(values) => values.append_buffer(array.as_boolean().values()),
            Values::Long(values) => {
                values.extend_from_slice(array.as_primitive::<Int64Type>().values());
            }
            Values::Double(values) => {
                values.extend_from_slice(array.as_primitive::<Float64Type>().values());
            }
            Values::Decimal { values, .. } => {
                values.extend_from_slice(array.as_primitive::<Decimal128Type>().values());
            }
            Values::Timestamp(values) => {
                values.extend_from_slice(array.as_primitive::<TimestampMicrosecondType>().values());
            }
            Values::Date(values) => {
                values.extend_from_slice(array.as_primitive::<Date32Type>().values());
            }
            Values::Text { offsets, bytes } => {
                let array = array.as_string::<i32>();
                extend_texts(offsets, bytes, array.value_offsets(), array.value_data());
            }
            Values::Binary { offsets, bytes } => {
                let array = array.as_binary::<i32>();
                extend_texts(offsets, bytes, array.value_offsets(), array.value_data());
            }
            Values::Object(_) | Values::List { .. } | Values::Members(_) => {}
        }
    }

    /// The same for which of the rows there are only; the caller appends what they hold.
    pub(super) fn extend_nulls(&mut self, row: usize, rows: usize, nulls: Option<&NullBuffer>) {
        if row > self.len {
            self.pad(row);
        }
        match nulls {
            Some(nulls) => self.nulls.append_buffer(nulls),
            None => self.nulls.append_n_non_nulls(rows),
        }
        self.len += rows;
        self.valid += rows - nulls.map_or(0, NullBuffer::null_count);
    }

    /// The rows that are filled in.
    #[inline]
    pub(super) fn rows(&self) -> usize {
        self.len
    }

    /// Takes back the last value, if one came since the column had `rows` rows.
    pub(super) fn take_back(&mut self, rows: usize) {
        if self.len <= rows {
            return;
        }
        self.valid -= 1;
        // A column without values is left out of its batch, so nothing of it may stay.
        let rows = if self.valid == 0 { 0 } else { rows };
        self.len = rows;
        self.nulls.truncate(rows);
        match &mut self.values {
            Values::Boolean(values) => values.truncate(rows),
            Values::Long(values) => values.truncate(rows),
            Values::Double(values) => values.truncate(rows),
            Values::Decimal { values, .. } => values.truncate(rows),
            Values::Timestamp(values) => values.truncate(rows),
            Values::Date(values) => values.truncate(rows),
            Values::Text { offsets, bytes } | Values::Binary { offsets, bytes } => {
                offsets.truncate(rows + 1);
                bytes.truncate(offsets.last().map_or(0, |end| *end as usize));
            }
            Values::List { offsets, .. } => offsets.truncate(rows + 1),
            // Structs have nulls alone.
            Values::Object(_) | Values::Members(_) => {}
        }
    }

    #[cold]
    fn reserve(&mut self) {
        let more = self.expected.saturating_sub(self.len);
        match &mut self.values {
            Values::Long(values) => values.reserve(more),
            Values::Double(values) => values.reserve(more),
            Values::Decimal { values, .. } => values.reserve(more),
            Values::Timestamp(values) => values.reserve(more),
            Values::Date(values) => values.reserve(more),
            Values::Text { offsets, bytes } | Values::Binary { offsets, bytes } => {
                offsets.reserve(more);
                if bytes.capacity() == 0 {
                    bytes.reserve(with_slack(self.expected_bytes));
                }
            }
            Values::List { offsets, .. } => offsets.reserve(more),
            Values::Boolean(_) | Values::Object(_) | Values::Members(_) => {}
        }
    }

    /// Gives the buffers of an empty column back.
    pub(super) fn shrink(&mut self) {
        if let Values::Text { bytes, .. } | Values::Binary { bytes, .. } = &mut self.values
            && self.len == 0
        {
            *bytes = Vec::new();
        }
    }

    fn pad(&mut self, rows: usize) {
        let missing = rows - self.len;
        self.nulls.append_n_nulls(missing);
        match &mut self.values {
            Values::Boolean(values) => values.append_n(missing, false),
            Values::Long(values) => values.resize(rows, 0),
            Values::Double(values) => values.resize(rows, 0.0),
            Values::Decimal { values, .. } => values.resize(rows, 0),
            Values::Timestamp(values) => values.resize(rows, 0),
            Values::Date(values) => values.resize(rows, 0),
            Values::Text { offsets, .. }
            | Values::Binary { offsets, .. }
            | Values::List { offsets, .. } => {
                let last = offsets.last().copied().unwrap_or(0);
                offsets.resize(rows + 1, last);
            }
            Values::Object(_) | Values::Members(_) => {}
        }
        self.len = rows;
    }

    /// Ends the column at `rows` and empties it; what is left for structs and lists is their
    /// nulls, and a list's offsets. `alone`: the next batch is of other records, whose number
    /// says nothing of this one's.
    pub(super) fn finish(&mut self, rows: usize, alone: bool, spare: &Spare) -> Result<Finished> {
        if rows > self.len {
            self.pad(rows);
        }
        if alone {
            (self.expected, self.expected_bytes) = (0, 0);
        }
        self.expected = usual(self.expected, self.len);
        self.len = 0;
        self.valid = 0;
        let nulls = self.nulls.finish();
        Ok(match &mut self.values {
            Values::Boolean(values) => leaf(BooleanArray::new(values.finish(), nulls)),
            Values::Long(values) => leaf(Int64Array::new(taken(values, alone).into(), nulls)),
            Values::Double(values) => leaf(Float64Array::new(taken(values, alone).into(), nulls)),
            Values::Decimal { values, scale } => leaf(
                Decimal128Array::new(taken(values, alone).into(), nulls)
                    .with_precision_and_scale(DECIMAL_DIGITS, scale.cast_signed())?,
            ),
            Values::Timestamp(values) => leaf(
                TimestampMicrosecondArray::new(taken(values, alone).into(), nulls)
                    .with_timezone("UTC"),
            ),
            Values::Date(values) => leaf(Date32Array::new(taken(values, alone).into(), nulls)),
            Values::Text { offsets, bytes } => {
                let texts = take_texts(bytes, &mut self.expected_bytes, alone, spare);
                let offsets = take_offsets(offsets, alone);
                leaf(StringArray::try_new(offsets, texts, nulls)?)
            }
            Values::Binary { offsets, bytes } => {
                let bytes = take_texts(bytes, &mut self.expected_bytes, alone, spare);
                let offsets = take_offsets(offsets, alone);
                leaf(BinaryArray::try_new(offsets, bytes, nulls)?)
            }
            Values::List { offsets, .. } => Finished::List(take_offsets(offsets, alone), nulls),
            Values::Object(_) | Values::Members(_) => Finished::Struct(nulls),
        })
    }
}

/// What [`Column::finish`] leaves.
pub(super) enum Finished {
    Leaf(ArrayRef),
    Struct(Option<NullBuffer>),
    List(OffsetBuffer<i32>, Option<NullBuffer>),
}

fn leaf(array: impl arrow::array::Array + 'static) -> Finished {
    Finished::Leaf(Arc::new(array))
}

/// The texts of an array behind others.
fn extend_texts(offsets: &mut Vec<i32>, bytes: &mut Vec<u8>, ends: &[i32], data: &[u8]) {
    let (Some(&first), Some(&last)) = (ends.first(), ends.last()) else {
        return;
    };
    // A batch is sealed before its texts pass the offsets' range.
    let shift = bytes.len() as i32 - first;
    bytes.extend_from_slice(data.get(first as usize..last as usize).unwrap_or_default());
    offsets.extend(ends.iter().skip(1).map(|end| end + shift));
}
