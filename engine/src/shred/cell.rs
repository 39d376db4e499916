//! One value of an Arrow array, whatever its type, written as a value of a record.
//!
//! What Delta's lowest protocol has no type for becomes the text that ISO 8601 and RFC 4122 write:
//! times of day, times without a zone, lengths of time, UUIDs. A moment that isn't whole in
//! microseconds is text too, since nothing is rounded.

use arrow::array::{Array, ArrayRef, AsArray, RunArray};
use arrow::datatypes::{
    ArrowNativeType, ArrowPrimitiveType, DataType, Date32Type, Date64Type, Decimal32Type,
    Decimal64Type, Decimal128Type, Decimal256Type, Field, Float16Type, Float32Type, Float64Type,
    Int8Type, Int16Type, Int32Type, Int64Type, RunEndIndexType, TimeUnit, UInt8Type, UInt16Type,
    UInt32Type, UInt64Type,
};

use super::iso::{decimals, interval, local, nanoseconds, period, time_of_day};
use super::tape::Token;
use super::typed::{Fault, Typed};

impl Typed {
    /// Writes the value of `row`, a value of `field`.
    ///
    /// # Errors
    /// Why it can't be held.
    pub(super) fn cell(
        &mut self,
        field: &Field,
        array: &dyn Array,
        row: usize,
    ) -> Result<(), Fault> {
        if array.is_null(row) {
            self.null();
            return Ok(());
        }
        if self.number(array, row) || self.bytes(field, array, row) {
            return Ok(());
        }
        match array.data_type() {
            DataType::Null => self.null(),
            DataType::Boolean => self.boolean(array.as_boolean().value(row)),
            DataType::Date32 => self.date(array.as_primitive::<Date32Type>().value(row)),
            DataType::Date64 => self.milliseconds(array.as_primitive::<Date64Type>().value(row)),
            DataType::Timestamp(unit, zone) => {
                let zoned = zone.is_some();
                self.moment(ticks(array, row)?, *unit, zoned)?;
            }
            DataType::Time32(unit) | DataType::Time64(unit) => {
                let text = time_of_day(ticks(array, row)?, *unit);
                self.text(&text);
            }
            DataType::Duration(unit) => {
                let ns = i128::from(ticks(array, row)?) * nanoseconds(*unit);
                self.text(&period(0, 0, ns));
            }
            DataType::Interval(unit) => self.text(&interval(array, *unit, row)),
            _ => self.nested(array, row)?,
        }
        Ok(())
    }

    /// `false` when the array holds no numbers.
    fn number(&mut self, array: &dyn Array, row: usize) -> bool {
        match array.data_type() {
            DataType::Int8 => self.integer(array.as_primitive::<Int8Type>().value(row).into()),
            DataType::Int16 => self.integer(array.as_primitive::<Int16Type>().value(row).into()),
            DataType::Int32 => self.integer(array.as_primitive::<Int32Type>().value(row).into()),
            DataType::Int64 => self.integer(array.as_primitive::<Int64Type>().value(row).into()),
            DataType::UInt8 => self.integer(array.as_primitive::<UInt8Type>().value(row).into()),
            DataType::UInt16 => self.integer(array.as_primitive::<UInt16Type>().value(row).into()),
            DataType::UInt32 => self.integer(array.as_primitive::<UInt32Type>().value(row).into()),
            DataType::UInt64 => self.integer(array.as_primitive::<UInt64Type>().value(row).into()),
            DataType::Float16 => {
                self.double(array.as_primitive::<Float16Type>().value(row).to_f64());
            }
            DataType::Float32 => {
                self.double(array.as_primitive::<Float32Type>().value(row).into());
            }
            DataType::Float64 => self.double(array.as_primitive::<Float64Type>().value(row)),
            DataType::Decimal32(_, scale) => {
                self.scaled(array.as_primitive::<Decimal32Type>().value(row), *scale);
            }
            DataType::Decimal64(_, scale) => {
                self.scaled(array.as_primitive::<Decimal64Type>().value(row), *scale);
            }
            DataType::Decimal128(_, scale) => {
                self.scaled(array.as_primitive::<Decimal128Type>().value(row), *scale);
            }
            DataType::Decimal256(_, scale) => {
                self.scaled(array.as_primitive::<Decimal256Type>().value(row), *scale);
            }
            _ => return false,
        }
        true
    }

    /// A decimal of any width and scale, a negative one too.
    fn scaled(&mut self, unscaled: impl std::fmt::Display, scale: i8) {
        let mut digits = unscaled.to_string();
        if scale < 0 && digits != "0" {
            digits.extend(std::iter::repeat_n('0', usize::from(scale.unsigned_abs())));
        }
        self.digits(&digits, u8::try_from(scale).unwrap_or(0));
    }

    /// `false` when the array holds neither texts nor bytes.
    fn bytes(&mut self, field: &Field, array: &dyn Array, row: usize) -> bool {
        match array.data_type() {
            DataType::Utf8 => self.text(array.as_string::<i32>().value(row)),
            DataType::LargeUtf8 => self.text(array.as_string::<i64>().value(row)),
            DataType::Utf8View => self.text(array.as_string_view().value(row)),
            DataType::Binary => self.binary(array.as_binary::<i32>().value(row)),
            DataType::LargeBinary => self.binary(array.as_binary::<i64>().value(row)),
            DataType::BinaryView => self.binary(array.as_binary_view().value(row)),
            DataType::FixedSizeBinary(_) => {
                let bytes = array.as_fixed_size_binary().value(row);
                match uuid::Uuid::from_slice(bytes) {
                    Ok(id) if is_uuid(field) => self.text(&id.to_string()),
                    _ => self.binary(bytes),
                }
            }
            _ => return false,
        }
        true
    }

    /// A day in milliseconds; what isn't whole in days is a time without a zone.
    fn milliseconds(&mut self, ms: i64) {
        let days = i32::try_from(ms.div_euclid(86_400_000));
        match days {
            Ok(days) if ms.rem_euclid(86_400_000) == 0 => self.date(days),
            _ => self.text(&local(i128::from(ms) * 1_000_000, 3)),
        }
    }

    fn moment(&mut self, ticks: i64, unit: TimeUnit, zoned: bool) -> Result<(), Fault> {
        let ns = i128::from(ticks) * nanoseconds(unit);
        if !zoned {
            self.text(&local(ns, decimals(unit)));
            return Ok(());
        }
        if ns % 1_000 != 0 {
            self.text(&(local(ns, 9) + "Z"));
            return Ok(());
        }
        let us = i64::try_from(ns / 1_000).map_err(|_| {
            format!("a moment {ticks} {unit:?}s from 1970 is beyond 64 bits of microseconds")
        })?;
        self.timestamp(us);
        Ok(())
    }

    fn nested(&mut self, array: &dyn Array, row: usize) -> Result<(), Fault> {
        match array.data_type() {
            DataType::Struct(fields) => {
                self.begin(Token::Object)?;
                for (field, column) in fields.iter().zip(array.as_struct().columns()) {
                    self.key(field.name());
                    self.cell(field, column, row)?;
                }
                self.end();
                Ok(())
            }
            DataType::List(field) => self.elements(field, &array.as_list::<i32>().value(row)),
            DataType::LargeList(field) => self.elements(field, &array.as_list::<i64>().value(row)),
            DataType::ListView(field) => {
                self.elements(field, &array.as_list_view::<i32>().value(row))
            }
            DataType::LargeListView(field) => {
                self.elements(field, &array.as_list_view::<i64>().value(row))
            }
            DataType::FixedSizeList(field, _) => {
                self.elements(field, &array.as_fixed_size_list().value(row))
            }
            DataType::Map(_, _) => self.map(array, row),
            DataType::Dictionary(_, _) => {
                let array = array.as_any_dictionary();
                let values = array.values();
                self.cell(
                    &plain(values.data_type()),
                    values,
                    key_of(array.keys(), row),
                )
            }
            DataType::Union(fields, _) => {
                let array = array.as_union();
                let id = array.type_id(row);
                let field = fields.iter().find(|(known, _)| *known == id);
                let (_, field) = field.ok_or("a union without the type of its value")?;
                self.cell(field, array.child(id), array.value_offset(row))
            }
            DataType::RunEndEncoded(ends, _) => match ends.data_type() {
                DataType::Int16 => self.run::<Int16Type>(array, row),
                DataType::Int32 => self.run::<Int32Type>(array, row),
                _ => self.run::<Int64Type>(array, row),
            },
            other => Err(format!("no column holds values of type `{other}`")),
        }
    }

    fn run<T: RunEndIndexType>(&mut self, array: &dyn Array, row: usize) -> Result<(), Fault> {
        let runs = array.as_any().downcast_ref::<RunArray<T>>();
        let runs = runs.ok_or("a run with unknown ends")?;
        let values = runs.values();
        let at = runs.get_physical_index(row);
        self.cell(&plain(values.data_type()), values, at)
    }

    fn elements(&mut self, field: &Field, elements: &ArrayRef) -> Result<(), Fault> {
        self.begin(Token::List)?;
        for at in 0..elements.len() {
            self.cell(field, elements, at)?;
        }
        self.end();
        Ok(())
    }

    /// With keys of text an object, else a list of objects with `key` and `value`.
    fn map(&mut self, array: &dyn Array, row: usize) -> Result<(), Fault> {
        let entries = array.as_map().value(row);
        let [keys, values] = entries.columns() else {
            return Err("a map without keys or values".to_owned());
        };
        let (Some(key_field), Some(value_field)) =
            (entries.fields().first(), entries.fields().get(1))
        else {
            return Err("a map without keys or values".to_owned());
        };
        let texts = arrow::compute::cast(keys, &DataType::Utf8);
        let texts = texts.ok().filter(|_| is_text(keys.data_type()));
        if let Some(texts) = texts {
            self.begin(Token::Object)?;
            for (at, key) in texts.as_string::<i32>().iter().enumerate() {
                self.key(key.unwrap_or_default());
                self.cell(value_field, values, at)?;
            }
        } else {
            self.begin(Token::List)?;
            for at in 0..entries.len() {
                self.begin(Token::Object)?;
                self.key("key");
                self.cell(key_field, keys, at)?;
                self.key("value");
                self.cell(value_field, values, at)?;
                self.end();
            }
        }
        self.end();
        Ok(())
    }
}

fn is_text(data_type: &DataType) -> bool {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => true,
        DataType::Dictionary(_, values) => is_text(values),
        _ => false,
    }
}

/// The schema says so: Arrow's own extension, or Avro's logical type.
pub(super) fn is_uuid(field: &Field) -> bool {
    let says = |key: &str, value: &str| field.metadata().get(key).is_some_and(|one| one == value);
    says("ARROW:extension:name", "arrow.uuid") || says("logicalType", "uuid")
}

/// Which value of a dictionary a row has.
fn key_of(keys: &dyn Array, row: usize) -> usize {
    match keys.data_type() {
        DataType::Int8 => keys.as_primitive::<Int8Type>().value(row).as_usize(),
        DataType::Int16 => keys.as_primitive::<Int16Type>().value(row).as_usize(),
        DataType::Int32 => keys.as_primitive::<Int32Type>().value(row).as_usize(),
        DataType::UInt8 => keys.as_primitive::<UInt8Type>().value(row).as_usize(),
        DataType::UInt16 => keys.as_primitive::<UInt16Type>().value(row).as_usize(),
        DataType::UInt32 => keys.as_primitive::<UInt32Type>().value(row).as_usize(),
        DataType::UInt64 => keys.as_primitive::<UInt64Type>().value(row).as_usize(),
        _ => keys.as_primitive::<Int64Type>().value(row).as_usize(),
    }
}

fn plain(data_type: &DataType) -> Field {
    Field::new("", data_type.clone(), true)
}

/// The number behind a time of any unit.
fn ticks(array: &dyn Array, row: usize) -> Result<i64, Fault> {
    use arrow::datatypes::{
        DurationMicrosecondType, DurationMillisecondType, DurationNanosecondType,
        DurationSecondType, Time32MillisecondType, Time32SecondType, Time64MicrosecondType,
        Time64NanosecondType, TimestampMicrosecondType, TimestampMillisecondType,
        TimestampNanosecondType, TimestampSecondType,
    };
    fn of<T: ArrowPrimitiveType>(array: &dyn Array, row: usize) -> Option<i64>
    where
        i64: From<T::Native>,
    {
        let array = array.as_primitive_opt::<T>()?;
        Some(array.value(row).into())
    }
    let found = of::<TimestampMicrosecondType>(array, row)
        .or_else(|| of::<TimestampMillisecondType>(array, row))
        .or_else(|| of::<TimestampNanosecondType>(array, row))
        .or_else(|| of::<TimestampSecondType>(array, row))
        .or_else(|| of::<Time64MicrosecondType>(array, row))
        .or_else(|| of::<Time64NanosecondType>(array, row))
        .or_else(|| of::<Time32MillisecondType>(array, row))
        .or_else(|| of::<Time32SecondType>(array, row))
        .or_else(|| of::<DurationMicrosecondType>(array, row))
        .or_else(|| of::<DurationMillisecondType>(array, row))
        .or_else(|| of::<DurationNanosecondType>(array, row))
        .or_else(|| of::<DurationSecondType>(array, row));
    found.ok_or_else(|| format!("a time of an unknown unit, `{}`", array.data_type()))
}
