//! The functions that a drifted column's uses are written with. They are named in plans, not in
//! anybody's statements.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BinaryBuilder, BooleanArray, StringArray,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Decimal128Type, Float64Type, Int64Type};
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use super::number::{Number, sort_key, text_of};
use super::shape::Shape;
use super::text::{jsons, texts};
use crate::error::Error;

/// The text of whichever of several columns has a value: (shapes, column, ...).
pub(crate) const TEXT: &str = "eddy_text";
/// The same as JSON, strings too.
pub(crate) const JSON: &str = "eddy_json";
/// The first of several conditions that isn't null.
pub(crate) const EITHER: &str = "eddy_either";
/// The first of several numbers that isn't null, as bytes that order by exact value.
pub(crate) const NUMBER_KEY: &str = "eddy_number_key";
/// The same of a number in canonical text; null for other text.
pub(crate) const TEXT_NUMBER_KEY: &str = "eddy_text_number_key";
/// Text that orders numbers by value and then other text.
pub(crate) const SORT_KEY: &str = "eddy_sort_key";
/// The text of a sort key.
pub(crate) const SORT_TEXT: &str = "eddy_sort_text";

/// All of them.
pub(crate) fn functions() -> [ScalarUDF; 7] {
    [
        Which::Text,
        Which::Json,
        Which::Either,
        Which::NumberKey,
        Which::TextNumberKey,
        Which::SortKey,
        Which::SortText,
    ]
    .map(|which| ScalarUDF::new_from_impl(Function::new(which)))
}

/// [`TEXT`].
pub(crate) fn text_function() -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::new_from_impl(Function::new(Which::Text)))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Which {
    Text,
    Json,
    Either,
    NumberKey,
    TextNumberKey,
    SortKey,
    SortText,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Function {
    which: Which,
    signature: Signature,
}

impl Function {
    fn new(which: Which) -> Self {
        let signature = match which {
            Which::Text | Which::Json | Which::NumberKey => {
                Signature::variadic_any(Volatility::Immutable)
            }
            Which::Either => Signature::variadic(vec![DataType::Boolean], Volatility::Immutable),
            Which::TextNumberKey | Which::SortKey | Which::SortText => {
                Signature::exact(vec![DataType::Utf8], Volatility::Immutable)
            }
        };
        Self { which, signature }
    }
}

impl ScalarUDFImpl for Function {
    fn name(&self) -> &str {
        match self.which {
            Which::Text => TEXT,
            Which::Json => JSON,
            Which::Either => EITHER,
            Which::NumberKey => NUMBER_KEY,
            Which::TextNumberKey => TEXT_NUMBER_KEY,
            Which::SortKey => SORT_KEY,
            Which::SortText => SORT_TEXT,
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(match self.which {
            Which::Text | Which::Json | Which::SortKey | Which::SortText => DataType::Utf8,
            Which::Either => DataType::Boolean,
            Which::NumberKey | Which::TextNumberKey => DataType::Binary,
        })
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let scalar = args
            .args
            .iter()
            .all(|argument| matches!(argument, ColumnarValue::Scalar(_)));
        let rows = if scalar { 1 } else { args.number_rows };
        let array = self.compute(&args.args, rows)?;
        if scalar {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(
                &array, 0,
            )?));
        }
        Ok(ColumnarValue::Array(array))
    }
}

impl Function {
    fn compute(&self, arguments: &[ColumnarValue], rows: usize) -> Result<ArrayRef> {
        if matches!(self.which, Which::Text | Which::Json) {
            let Some((ColumnarValue::Scalar(ScalarValue::Utf8(Some(shapes))), columns)) =
                arguments.split_first()
            else {
                let taken = format!("`{}` takes shapes and columns", self.name());
                return Err(Error::invalid(taken).into());
            };
            let (columns, shapes) = (arrays(columns, rows)?, Shape::read(shapes)?);
            return Ok(Arc::new(match self.which {
                Which::Json => jsons(&columns, &shapes, rows)?,
                _ => texts(&columns, &shapes, rows)?,
            }));
        }
        let columns = arrays(arguments, rows)?;
        if self.which == Which::Either {
            return Ok(Arc::new(either(&columns, rows)));
        }
        if self.which == Which::NumberKey {
            return Ok(Arc::new(number_keys(&columns, rows)?));
        }
        let [only] = columns.as_slice() else {
            return Err(Error::invalid(format!("`{}` takes one argument", self.name())).into());
        };
        let texts = only.as_string::<i32>().iter();
        Ok(match self.which {
            Which::SortText => Arc::new(
                texts
                    .map(|key| key.and_then(text_of))
                    .collect::<StringArray>(),
            ),
            Which::SortKey => Arc::new(
                texts
                    .map(|text| text.map(sort_key))
                    .collect::<StringArray>(),
            ),
            _ => {
                let numbers = texts.map(|text| text.and_then(Number::of_canonical));
                Arc::new(
                    numbers
                        .map(|one| one.map(Number::key))
                        .collect::<BinaryArray>(),
                )
            }
        })
    }
}

fn arrays(values: &[ColumnarValue], rows: usize) -> Result<Vec<ArrayRef>> {
    values.iter().map(|value| value.to_array(rows)).collect()
}

fn either(columns: &[ArrayRef], rows: usize) -> BooleanArray {
    let columns: Vec<&BooleanArray> = columns.iter().map(|one| one.as_boolean()).collect();
    (0..rows)
        .map(|row| {
            let mut known = columns.iter().filter(|column| column.is_valid(row));
            known.next().map(|column| column.value(row))
        })
        .collect()
}

/// Numbers of one type.
enum Numbers {
    Decimals(arrow::array::Decimal128Array, u8),
    Doubles(arrow::array::Float64Array),
}

impl Numbers {
    fn of(array: &ArrayRef) -> Result<Self> {
        const INTEGER: DataType = DataType::Decimal128(38, 0);
        Ok(match array.data_type() {
            DataType::Decimal128(_, scale @ 0..) => {
                let decimals = array.as_primitive::<Decimal128Type>().clone();
                Self::Decimals(decimals, scale.unsigned_abs())
            }
            DataType::Int64 => {
                let integers = array.as_primitive::<Int64Type>();
                Self::Decimals(integers.unary(i128::from), 0)
            }
            integer if integer.is_integer() => {
                let integers = cast(array, &INTEGER)?;
                Self::Decimals(integers.as_primitive::<Decimal128Type>().clone(), 0)
            }
            _ => {
                let doubles = cast(array, &DataType::Float64)?;
                Self::Doubles(doubles.as_primitive::<Float64Type>().clone())
            }
        })
    }

    fn get(&self, row: usize) -> Option<Number> {
        match self {
            Self::Decimals(values, scale) => values
                .is_valid(row)
                .then(|| Number::of_decimal(values.value(row), *scale)),
            Self::Doubles(values) => values
                .is_valid(row)
                .then(|| Number::of_double(values.value(row))),
        }
    }
}

fn number_keys(columns: &[ArrayRef], rows: usize) -> Result<BinaryArray> {
    let columns: Vec<Numbers> = columns.iter().map(Numbers::of).collect::<Result<_>>()?;
    let mut keys = BinaryBuilder::with_capacity(rows, rows * super::number::KEY_BYTES);
    for row in 0..rows {
        let number = columns.iter().find_map(|column| column.get(row));
        keys.append_option(number.map(Number::key));
    }
    Ok(keys.finish())
}
