//! Rows as JSON: bytes are base64, decimals and NaN are strings, times are RFC 3339.

use std::sync::Arc;

use arrow::array::{Array, ArrayAccessor, ArrayRef, AsArray, RecordBatch, RecordBatchOptions};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Field, FieldRef, Float32Type, Float64Type, Int64Type,
    Schema, TimeUnit, TimestampMicrosecondType, UInt64Type,
};
use arrow::error::ArrowError;
use arrow::json::writer::{
    Encoder, EncoderFactory, EncoderOptions, LineDelimited, NullableEncoder, WriterBuilder,
    make_encoder,
};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use eddy_engine::moment;

use super::format::Int64;
use crate::error::Result;

/// The column with its moments in UTC, as they are written; others as they are.
pub(super) fn in_utc(column: &ArrayRef) -> Result<ArrayRef> {
    match column.data_type() {
        DataType::Timestamp(unit, Some(zone)) if !matches!(zone.as_ref(), "UTC" | "+00:00") => {
            let utc = DataType::Timestamp(*unit, Some("UTC".into()));
            Ok(cast(column, &utc)?)
        }
        _ => Ok(Arc::clone(column)),
    }
}

fn moments_in_utc(batch: &RecordBatch) -> Result<RecordBatch> {
    let columns: Vec<ArrayRef> = batch.columns().iter().map(in_utc).collect::<Result<_>>()?;
    let fields = batch.schema_ref().fields().iter().zip(&columns);
    let fields = fields.map(|(field, column)| {
        let field = field.as_ref().clone();
        field.with_data_type(column.data_type().clone())
    });
    let schema = Arc::new(Schema::new(fields.collect::<Vec<Field>>()));
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(
        schema, columns, &options,
    )?)
}

/// One object a line; nulls are left out.
pub(super) fn lines(batch: &RecordBatch, int64: Int64) -> Result<Vec<u8>> {
    let batch = &moments_in_utc(batch)?;
    let mut bytes = Vec::new();
    let mut writer = options(int64, false).build::<_, LineDelimited>(&mut bytes);
    writer.write(batch)?;
    writer.finish()?;
    drop(writer);
    if batch.num_columns() == 0 {
        bytes = b"{}\n".repeat(batch.num_rows());
    }
    Ok(bytes)
}

/// Elements of one JSON array, nulls written; `first` opens it.
pub(super) fn elements(
    batch: &RecordBatch,
    int64: Int64,
    first: bool,
    bytes: &mut Vec<u8>,
) -> Result<()> {
    let batch = &moments_in_utc(batch)?;
    let mut text = Vec::new();
    let mut writer = options(int64, true).build::<_, LineDelimited>(&mut text);
    writer.write(batch)?;
    writer.finish()?;
    drop(writer);
    let mut first = first;
    for line in text
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
    {
        bytes.extend_from_slice(if first { b"[\n" } else { b",\n" });
        bytes.extend_from_slice(line);
        first = false;
    }
    Ok(())
}

/// Each value of a column as JSON text; null for null.
pub(crate) fn values(field: &Field, column: &ArrayRef) -> Result<Vec<Option<String>>> {
    let options = EncoderOptions::default().with_encoder_factory(Arc::new(Ours(Int64::Number)));
    let field: FieldRef = Arc::new(field.clone());
    let mut encoder = make_encoder(&field, column, &options)?;
    let mut texts = Vec::with_capacity(column.len());
    for row in 0..column.len() {
        if encoder.is_null(row) {
            texts.push(None);
            continue;
        }
        let mut bytes = Vec::new();
        encoder.encode(row, &mut bytes);
        texts.push(Some(String::from_utf8_lossy(&bytes).into_owned()));
    }
    Ok(texts)
}

/// Each value of a column of bytes as base64.
pub(super) fn base64_values(column: &ArrayRef) -> Result<Vec<Option<String>>> {
    let binary = cast(column, &DataType::Binary)?;
    let values = binary.as_binary::<i32>().iter();
    Ok(values
        .map(|value| value.map(|value| STANDARD.encode(value)))
        .collect())
}

fn options(int64: Int64, explicit_nulls: bool) -> WriterBuilder {
    WriterBuilder::new()
        .with_explicit_nulls(explicit_nulls)
        .with_encoder_factory(Arc::new(Ours(int64)))
        .with_timestamp_format("%Y-%m-%dT%H:%M:%S%.f".to_owned())
        .with_timestamp_tz_format("%Y-%m-%dT%H:%M:%S%.fZ".to_owned())
}

/// The types that arrow writes in another way than we promise.
#[derive(Debug)]
struct Ours(Int64);

impl EncoderFactory for Ours {
    fn make_default_encoder<'a>(
        &self,
        _field: &'a FieldRef,
        array: &'a dyn Array,
        _options: &'a EncoderOptions,
    ) -> Result<Option<NullableEncoder<'a>>, ArrowError> {
        let nulls = array.nulls().cloned();
        let encoder: Box<dyn Encoder + 'a> = match array.data_type() {
            DataType::Binary => Box::new(Bytes(array.as_binary::<i32>())),
            DataType::LargeBinary => Box::new(Bytes(array.as_binary::<i64>())),
            DataType::BinaryView => Box::new(Bytes(array.as_binary_view())),
            DataType::FixedSizeBinary(_) => Box::new(Bytes(array.as_fixed_size_binary())),
            DataType::Float32 => Box::new(Single(array.as_primitive())),
            DataType::Float64 => Box::new(Double(array.as_primitive())),
            DataType::Decimal128(_, scale) => Box::new(Decimal(array.as_primitive(), *scale)),
            // Not chrono's: columns hold moments and days that it has no years for.
            DataType::Timestamp(TimeUnit::Microsecond, Some(_)) => {
                Box::new(Moment(array.as_primitive()))
            }
            DataType::Date32 => Box::new(Day(array.as_primitive())),
            DataType::Int64 if self.0 == Int64::String => Box::new(Long(array.as_primitive())),
            DataType::UInt64 if self.0 == Int64::String => {
                Box::new(UnsignedLong(array.as_primitive()))
            }
            _ => return Ok(None),
        };
        Ok(Some(NullableEncoder::new(encoder, nulls)))
    }
}

/// An array of bytes, however it keeps them.
struct Bytes<A>(A);

impl<'a, A: ArrayAccessor<Item = &'a [u8]>> Encoder for Bytes<A> {
    fn encode(&mut self, row: usize, out: &mut Vec<u8>) {
        quoted(out, &STANDARD.encode(self.0.value(row)));
    }
}

struct Moment<'a>(&'a arrow::array::PrimitiveArray<TimestampMicrosecondType>);

impl Encoder for Moment<'_> {
    fn encode(&mut self, row: usize, out: &mut Vec<u8>) {
        quoted(out, &moment::timestamp(self.0.value(row)));
    }
}

struct Day<'a>(&'a arrow::array::PrimitiveArray<Date32Type>);

impl Encoder for Day<'_> {
    fn encode(&mut self, row: usize, out: &mut Vec<u8>) {
        quoted(out, &moment::date(self.0.value(row)));
    }
}

struct Single<'a>(&'a arrow::array::PrimitiveArray<Float32Type>);

impl Encoder for Single<'_> {
    fn encode(&mut self, row: usize, out: &mut Vec<u8>) {
        let value = self.0.value(row);
        fraction(out, f64::from(value), &value);
    }
}

struct Double<'a>(&'a arrow::array::PrimitiveArray<Float64Type>);

impl Encoder for Double<'_> {
    fn encode(&mut self, row: usize, out: &mut Vec<u8>) {
        let value = self.0.value(row);
        fraction(out, value, &value);
    }
}

/// A number and its text. `Debug` keeps the fraction of `1.0` and finds the shortest text that
/// reads back.
fn fraction(out: &mut Vec<u8>, value: f64, text: &dyn std::fmt::Debug) {
    if value.is_nan() {
        quoted(out, "NaN");
    } else if value.is_infinite() {
        quoted(out, if value > 0.0 { "Infinity" } else { "-Infinity" });
    } else {
        out.extend_from_slice(format!("{text:?}").as_bytes());
    }
}

struct Decimal<'a>(&'a arrow::array::PrimitiveArray<Decimal128Type>, i8);

impl Encoder for Decimal<'_> {
    fn encode(&mut self, row: usize, out: &mut Vec<u8>) {
        let _ = self.1;
        quoted(out, &self.0.value_as_string(row));
    }
}

struct Long<'a>(&'a arrow::array::PrimitiveArray<Int64Type>);

impl Encoder for Long<'_> {
    fn encode(&mut self, row: usize, out: &mut Vec<u8>) {
        quoted(out, &self.0.value(row).to_string());
    }
}

struct UnsignedLong<'a>(&'a arrow::array::PrimitiveArray<UInt64Type>);

impl Encoder for UnsignedLong<'_> {
    fn encode(&mut self, row: usize, out: &mut Vec<u8>) {
        quoted(out, &self.0.value(row).to_string());
    }
}

/// Text that needs no escapes.
fn quoted(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    out.extend_from_slice(text.as_bytes());
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use arrow::array::{BinaryArray, Float32Array};

    fn texts(column: &ArrayRef, data_type: DataType) -> Vec<String> {
        let column = cast(column, &data_type).unwrap();
        let texts = values(&Field::new("a", data_type, true), &column).unwrap();
        let texts = texts.into_iter().map(|text| text.unwrap_or("-".to_owned()));
        texts.collect()
    }

    #[test]
    fn bytes_are_base64_however_arrow_keeps_them() {
        let bytes: Vec<Option<&[u8]>> =
            vec![Some(b"ab".as_slice()), None, Some(b"\x00\xff".as_slice())];
        let column: ArrayRef = Arc::new(BinaryArray::from(bytes));
        for data_type in [
            DataType::Binary,
            DataType::LargeBinary,
            DataType::BinaryView,
            DataType::FixedSizeBinary(2),
        ] {
            let found = texts(&column, data_type.clone());
            assert_eq!(found, ["\"YWI=\"", "-", "\"AP8=\""], "{data_type}");
        }
    }

    #[test]
    fn a_single_that_is_no_number_is_told_as_a_double_is() {
        let values = vec![f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1.0, -0.5];
        let column: ArrayRef = Arc::new(Float32Array::from(values));
        for data_type in [DataType::Float32, DataType::Float64] {
            let found = texts(&column, data_type.clone());
            let expected = ["\"NaN\"", "\"Infinity\"", "\"-Infinity\"", "1.0", "-0.5"];
            assert_eq!(found, expected, "{data_type}");
        }
    }
}
