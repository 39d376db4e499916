//! The parameters of a prepared statement: what types clients are told, and the values that come
//! back as one row of Arrow.

use std::collections::BTreeMap;
use std::future::ready;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Date32Type, Field, Schema, TimeUnit, TimestampMicrosecondType};
use arrow_flight::decode::FlightRecordBatchStream;
use arrow_flight::error::FlightError;
use arrow_flight::sql::server::PeekableFlightDataStream;
use eddy_engine::moment;
use futures::TryStreamExt;

use super::plain;
use crate::error::{Error, Result};
use crate::statement::Literal;

/// The parameters by their placeholders, `$1` first. A type that can't be told is text, which a
/// comparison makes a value of.
pub(super) fn schema(placeholders: &BTreeMap<String, Option<DataType>>) -> Schema {
    let number = |name: &str| name.strip_prefix('$')?.parse::<u32>().ok();
    let mut all: Vec<_> = placeholders.iter().collect();
    all.sort_by_key(|(name, _)| (number(name).unwrap_or(u32::MAX), *name));
    let fields = all.into_iter().map(|(name, data_type)| {
        let data_type = data_type.clone().unwrap_or(DataType::Utf8);
        Field::new(name, data_type, true)
    });
    let fields: Vec<Field> = fields.collect();
    plain::told(&Schema::new(fields)).as_ref().clone()
}

/// The one row of values that a stream brings; `None` if it brings none.
///
/// # Errors
/// `NotSupported` for several rows, `Invalid` for what isn't understood.
pub(super) async fn given(stream: PeekableFlightDataStream) -> Result<Option<Vec<Literal>>> {
    let messages = stream.into_peekable().map_err(FlightError::from);
    // The descriptor of a client that has no values comes alone.
    let messages = messages.try_filter(|message| ready(!message.data_header.is_empty()));
    let mut batches = FlightRecordBatchStream::new_from_flight_data(messages);
    let mut found = None;
    let broken = |error| Error::invalid(format!("the parameters aren't understood: {error}"));
    while let Some(batch) = batches.try_next().await.map_err(broken)? {
        match (batch.num_rows(), &found) {
            (0, _) => {}
            (1, None) => found = Some(literals(&batch)?),
            _ => {
                let text = "not supported: several rows of parameters at once";
                return Err(Error::not_supported(text)
                    .with_hint("run the statement once for each row of values"));
            }
        }
    }
    Ok(found)
}

/// About how much memory values take, in bytes.
pub(super) fn bytes(values: &[Literal]) -> usize {
    let of = |value: &Literal| match value {
        Literal::Null | Literal::Boolean(_) => 0,
        Literal::Number(text) | Literal::Text(text) => text.len(),
        Literal::Bytes(bytes) => bytes.len(),
    };
    values
        .iter()
        .map(|value| size_of::<Literal>() + of(value))
        .sum()
}

/// The values of a batch's first row.
fn literals(batch: &RecordBatch) -> Result<Vec<Literal>> {
    let columns = batch.columns().iter().zip(1..);
    columns
        .map(|(column, number)| {
            let first = column.slice(0, 1);
            literal(&first)?.ok_or_else(|| {
                let given = column.data_type();
                Error::invalid(format!(
                    "the parameter `${number}` is of the type `{given}`, which none may have"
                ))
                .with_hint("parameters are truths, numbers, texts, bytes, moments, days and times")
            })
        })
        .collect()
}

/// The only value of an array; `None` for a type that no literal has.
fn literal(array: &ArrayRef) -> Result<Option<Literal>> {
    if array.is_null(0) || *array.data_type() == DataType::Null {
        return Ok(Some(Literal::Null));
    }
    let text = || -> Result<String> {
        let texts = cast(array, &DataType::Utf8)?;
        Ok(texts.as_string::<i32>().value(0).to_owned())
    };
    Ok(Some(match array.data_type() {
        DataType::Boolean => Literal::Boolean(array.as_boolean().value(0)),
        DataType::Float16 | DataType::Float32 | DataType::Float64 => number(text()?),
        whole if whole.is_integer() => Literal::Number(text()?),
        exact if exact.is_decimal() => Literal::Number(text()?),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Literal::Text(text()?),
        DataType::Time32(_) | DataType::Time64(_) => Literal::Text(text()?),
        DataType::Binary
        | DataType::LargeBinary
        | DataType::BinaryView
        | DataType::FixedSizeBinary(_) => {
            let bytes = cast(array, &DataType::Binary)?;
            Literal::Bytes(bytes.as_binary::<i32>().value(0).to_vec())
        }
        DataType::Date32 | DataType::Date64 => {
            let days = cast(array, &DataType::Date32)?;
            Literal::Text(moment::date(days.as_primitive::<Date32Type>().value(0)))
        }
        DataType::Timestamp(_, zone) => {
            let micros = DataType::Timestamp(TimeUnit::Microsecond, zone.clone());
            let micros = cast(array, &micros)?;
            let micros = micros.as_primitive::<TimestampMicrosecondType>();
            Literal::Text(moment::timestamp(micros.value(0)))
        }
        DataType::Dictionary(_, values) => return literal(&cast(array, values)?),
        _ => return Ok(None),
    }))
}

/// A number in digits; what is none (`NaN`, `inf`) stays a text, which SQL makes one of.
fn number(text: String) -> Literal {
    match text.parse::<f64>().is_ok_and(f64::is_finite) {
        true => Literal::Number(text),
        false => Literal::Text(text),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;

    use arrow::array::{
        BinaryArray, BooleanArray, Date32Array, Decimal128Array, DictionaryArray, Float64Array,
        Int8Array, Int64Array, ListArray, NullArray, StringArray, TimestampMillisecondArray,
        UInt64Array,
    };
    use arrow::datatypes::{Int32Type, Int64Type};

    use super::*;

    fn of(array: impl Array + 'static) -> Option<Literal> {
        literal(&(Arc::new(array) as ArrayRef)).unwrap()
    }

    #[test]
    fn a_value_of_each_type_is_the_literal_that_says_it() {
        let number = |digits: &str| Some(Literal::Number(digits.to_owned()));
        let text = |text: &str| Some(Literal::Text(text.to_owned()));
        assert_eq!(of(NullArray::new(1)), Some(Literal::Null));
        assert_eq!(of(Int64Array::from(vec![None])), Some(Literal::Null));
        assert_eq!(
            of(BooleanArray::from(vec![true])),
            Some(Literal::Boolean(true))
        );
        assert_eq!(of(Int8Array::from(vec![-8])), number("-8"));
        let large = UInt64Array::from(vec![u64::MAX]);
        assert_eq!(of(large), number("18446744073709551615"));
        assert_eq!(of(Float64Array::from(vec![2.5])), number("2.5"));
        assert_eq!(of(Float64Array::from(vec![f64::NAN])), text("NaN"));
        let exact = Decimal128Array::from(vec![-1250]).with_precision_and_scale(9, 2);
        assert_eq!(of(exact.unwrap()), number("-12.50"));
        assert_eq!(of(StringArray::from(vec!["it's"])), text("it's"));
        let bytes = BinaryArray::from(vec![b"\x00\xff".as_slice()]);
        assert_eq!(of(bytes), Some(Literal::Bytes(vec![0, 255])));
        assert_eq!(of(Date32Array::from(vec![20_780])), text("2026-11-23"));
        let at = TimestampMillisecondArray::from(vec![1_795_428_000_001]).with_timezone("UTC");
        assert_eq!(of(at), text("2026-11-23T10:00:00.001Z"));
        let words: DictionaryArray<Int32Type> = vec!["w"].into_iter().collect();
        assert_eq!(of(words), text("w"));
        let list = ListArray::from_iter_primitive::<Int64Type, _, _>([Some([Some(1)])]);
        assert_eq!(of(list), None);
    }

    #[test]
    fn parameters_are_told_in_their_order_with_the_types_that_are_known() {
        let all = [
            ("$10", None),
            ("$2", Some(DataType::Utf8View)),
            ("$1", Some(DataType::Int64)),
        ];
        let all = all.map(|(name, data_type)| (name.to_owned(), data_type));
        let told = schema(&all.into_iter().collect());
        let told: Vec<_> = told
            .fields()
            .iter()
            .map(|field| (field.name().as_str(), field.data_type().clone()))
            .collect();
        let (long, text) = (DataType::Int64, DataType::Utf8);
        assert_eq!(told, [("$1", long), ("$2", text.clone()), ("$10", text)]);
    }
}
