//! `eddy_found(where, column, ...)`: whether a value of these columns is what a search wants. It is
//! named in plans, not in anybody's statements.
//!
//! A column may be a list, or hold objects within lists: then one of the values must be.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BooleanArray, Date32Array, Decimal128Array,
    Float64Array, ListArray, StringArray, StructArray, TimestampMicrosecondArray,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::exec_err;
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use serde::{Deserialize, Serialize};

use super::tree::Test;
use super::wanted::{Value, Wanted};
use crate::error::Error;
use crate::logical::Number;

/// The function's name.
pub(crate) const FOUND: &str = "eddy_found";

/// What is wanted, and where in the columns; written into a plan as a literal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Where {
    /// What a value must be.
    pub(crate) test: Test,
    /// For each column the stored names of the fields that lead to its values; lists in between
    /// need no name.
    pub(crate) steps: Vec<Vec<String>>,
}

impl Where {
    /// Reads what [`Where::write`] wrote.
    pub(crate) fn read(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// As text.
    pub(crate) fn write(&self) -> String {
        // Plain enums, strings and lists always have a text.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// The function.
pub(crate) fn found_function() -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::new_from_impl(Found {
        signature: Signature::variadic_any(Volatility::Immutable),
    }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Found {
    signature: Signature,
}

impl ScalarUDFImpl for Found {
    fn name(&self) -> &str {
        FOUND
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let Some((ColumnarValue::Scalar(text), columns)) = args.args.split_first() else {
            return exec_err!("`{FOUND}` takes a constant text");
        };
        let read = text.try_as_str().flatten().and_then(Where::read);
        let Some(read) = read.filter(|read| read.steps.len() == columns.len()) else {
            return exec_err!("`{FOUND}` takes what is wanted and where");
        };
        let wanted = Wanted::new(&read.test);
        let mut values = Vec::with_capacity(columns.len());
        for (column, steps) in columns.iter().zip(&read.steps) {
            values.push(Values::of(&column.to_array(args.number_rows)?, steps)?);
        }
        let found: BooleanArray = (0..args.number_rows)
            .map(|row| Some(values.iter().any(|values| values.any(row, &wanted))))
            .collect();
        Ok(ColumnarValue::Array(Arc::new(found)))
    }
}

/// The values that steps lead to.
enum Values {
    None,
    Text(StringArray),
    Bytes(BinaryArray),
    Boolean(BooleanArray),
    Decimal(Decimal128Array, u8),
    Double(Float64Array),
    Moment(TimestampMicrosecondArray),
    Day(Date32Array),
    Object(StructArray),
    Field(StructArray, Box<Values>),
    List(ListArray, Box<Values>),
}

impl Values {
    fn of(array: &ArrayRef, steps: &[String]) -> Result<Self> {
        const INTEGER: DataType = DataType::Decimal128(38, 0);
        Ok(match array.data_type() {
            DataType::Null => Self::None,
            DataType::List(_) => {
                let list = array.as_list::<i32>();
                let inside = Self::of(list.values(), steps)?;
                Self::List(list.clone(), Box::new(inside))
            }
            DataType::Struct(_) => {
                let object = array.as_struct();
                let Some((name, steps)) = steps.split_first() else {
                    return Ok(Self::Object(object.clone()));
                };
                match object.column_by_name(name) {
                    Some(field) => Self::Field(object.clone(), Box::new(Self::of(field, steps)?)),
                    None => Self::None,
                }
            }
            _ if !steps.is_empty() => {
                return Err(Error::internal("a search looks into what has no fields").into());
            }
            DataType::Utf8 => Self::Text(array.as_string::<i32>().clone()),
            DataType::Binary => Self::Bytes(array.as_binary::<i32>().clone()),
            DataType::Boolean => Self::Boolean(array.as_boolean().clone()),
            DataType::Decimal128(_, scale @ 0..) => {
                Self::Decimal(array.as_primitive().clone(), scale.unsigned_abs())
            }
            integer if integer.is_integer() => {
                let integers = cast(array, &INTEGER)?;
                Self::Decimal(integers.as_primitive().clone(), 0)
            }
            float if float.is_floating() => {
                Self::Double(cast(array, &DataType::Float64)?.as_primitive().clone())
            }
            DataType::Timestamp(_, zone) => {
                let us = DataType::Timestamp(TimeUnit::Microsecond, zone.clone());
                Self::Moment(cast(array, &us)?.as_primitive().clone())
            }
            DataType::Date32 => Self::Day(array.as_primitive().clone()),
            _ => Self::Text(cast(array, &DataType::Utf8)?.as_string::<i32>().clone()),
        })
    }

    /// Whether a value of this row is wanted.
    fn any(&self, row: usize, wanted: &Wanted) -> bool {
        let is =
            |valid: bool, value: &dyn Fn() -> Value<'static>| valid && wanted.is_met_by(value());
        match self {
            Self::None => false,
            Self::Text(array) => {
                array.is_valid(row) && wanted.is_met_by(Value::Text(array.value(row)))
            }
            // Bytes that are no text are there, and are no value that could be written.
            Self::Bytes(array) => {
                array.is_valid(row)
                    && wanted.is_met_by(match std::str::from_utf8(array.value(row)) {
                        Ok(text) => Value::Text(text),
                        Err(_) => Value::Other,
                    })
            }
            Self::Boolean(array) => is(array.is_valid(row), &|| Value::Boolean(array.value(row))),
            Self::Decimal(array, scale) => is(array.is_valid(row), &|| {
                Value::Number(Number::of_decimal(array.value(row), *scale))
            }),
            Self::Double(array) => is(array.is_valid(row), &|| {
                Value::Number(Number::of_double(array.value(row)))
            }),
            Self::Moment(array) => is(array.is_valid(row), &|| Value::Moment(array.value(row))),
            Self::Day(array) => is(array.is_valid(row), &|| Value::Day(array.value(row))),
            Self::Object(array) => is(array.is_valid(row), &|| Value::Other),
            Self::Field(object, inside) => object.is_valid(row) && inside.any(row, wanted),
            Self::List(list, inside) => {
                let bounds = list
                    .value_offsets()
                    .get(row)
                    .zip(list.value_offsets().get(row + 1));
                let (Some((from, to)), true) = (bounds, list.is_valid(row)) else {
                    return false;
                };
                let position = |offset: &i32| usize::try_from(*offset).unwrap_or(0);
                (position(from)..position(to)).any(|at| inside.any(at, wanted))
            }
        }
    }
}
