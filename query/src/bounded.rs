//! Functions that make much of little, asked first how much they would make.
//!
//! `repeat('x', 1000000000000)` is one value: no operator that accounts for memory sees it before
//! it is there. So these functions are wrapped, and refuse what no answer needs. A call of
//! constants counts for every row, and is no constant to the planner: else it was made once, within
//! the bound, and whoever wanted it as a column made thousands of it (64 GB of `range(1000000)` in
//! one batch).

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::{cast, kernels::length::length};
use arrow::datatypes::{DataType, Int64Type, IntervalMonthDayNanoType, TimeUnit};
use datafusion::error::Result;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::sort_properties::{ExprProperties, SortProperties};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature, Volatility,
};

use crate::error::{Error, ErrorKind};

/// The most bytes that one call may make, for all rows of a batch.
const MADE_MAX: f64 = 67_108_864.0;

/// The most pairs of characters that one call may compare: some seconds.
const COMPARED_MAX: f64 = 1e9;

/// The bytes of an element of a list whose real size doesn't matter here.
const ELEMENT: f64 = 8.0;

/// How much a call makes is told by its arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Makes {
    /// The first, as often as the second says.
    Copies,
    /// As long as the second says.
    Length,
    /// The values from the first to the second, by steps of the third.
    Series,
    /// Nothing, but it compares each character of the one with each of the other.
    Comparisons,
}

const BOUNDED: [(&str, Makes); 8] = [
    ("repeat", Makes::Copies),
    ("array_repeat", Makes::Copies),
    ("lpad", Makes::Length),
    ("rpad", Makes::Length),
    ("array_resize", Makes::Length),
    ("range", Makes::Series),
    ("generate_series", Makes::Series),
    ("levenshtein", Makes::Comparisons),
];

/// The functions of `state` that are to be replaced, wrapped.
pub(crate) fn functions(state: &SessionState) -> Vec<ScalarUDF> {
    let known = state.scalar_functions();
    let wrap = |(name, makes): &(&str, Makes)| {
        let inner = Arc::clone(known.get(*name)?);
        let mut signature = inner.signature().clone();
        if *makes != Makes::Comparisons {
            signature.volatility = Volatility::Volatile;
        }
        Some(ScalarUDF::new_from_impl(Bounded {
            inner,
            makes: *makes,
            signature,
        }))
    };
    BOUNDED.iter().filter_map(wrap).collect()
}

/// A function with a bound.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Bounded {
    inner: Arc<ScalarUDF>,
    makes: Makes,
    /// That of `inner`, but never a constant.
    signature: Signature,
}

impl Bounded {
    fn check(&self, args: &[ColumnarValue], rows: usize) -> Result<()> {
        let amount = match (self.makes, args) {
            (Makes::Copies, [what, times, ..]) => sum(rows, &[bytes(what)?, counts(times)?]),
            (Makes::Length, [_, to, ..]) => {
                let element = match self.inner.name() {
                    "array_resize" => ELEMENT,
                    _ => 1.0,
                };
                element * sum(rows, &[counts(to)?])
            }
            (Makes::Series, args) => ELEMENT * series(args, rows)?,
            (Makes::Comparisons, [one, other, ..]) => sum(rows, &[bytes(one)?, bytes(other)?]),
            _ => 0.0,
        };
        let (most, what) = match self.makes {
            Makes::Comparisons => (COMPARED_MAX, "compare characters as often as"),
            _ => (MADE_MAX, "make as many bytes as"),
        };
        if amount <= most {
            return Ok(());
        }
        let name = self.inner.name();
        let text = format!("`{name}` would {what} {amount:.0}; a call may {most:.0}");
        let hint = match self.makes {
            Makes::Series => "read the numbers as rows: `SELECT value FROM generate_series(1, n)`",
            _ => "give it shorter texts, or smaller numbers",
        };
        Err(Error::new(ErrorKind::OutOfMemory, text)
            .with_hint(hint)
            .into())
    }
}

impl ScalarUDFImpl for Bounded {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.inner.inner().return_type(types)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<arrow::datatypes::FieldRef> {
        self.inner.inner().return_field_from_args(args)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        self.inner.inner().coerce_types(types)
    }

    fn simplify(&self, args: Vec<Expr>, info: &SimplifyContext) -> Result<ExprSimplifyResult> {
        self.inner.inner().simplify(args, info)
    }

    fn output_ordering(&self, inputs: &[ExprProperties]) -> Result<SortProperties> {
        self.inner.inner().output_ordering(inputs)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.inner.documentation()
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        self.check(&args.args, args.number_rows)?;
        self.inner.inner().invoke_with_args(args)
    }
}

/// A number for each row, or one for all.
type Numbers = Vec<f64>;

/// The sum over all rows of the product of `factors`.
fn sum(rows: usize, factors: &[Numbers]) -> f64 {
    let of = |factor: &Numbers, row: usize| {
        let number = factor.get(row).or_else(|| factor.first());
        number.copied().unwrap_or(0.0).max(0.0)
    };
    let product = |row: usize| {
        factors
            .iter()
            .map(|factor| of(factor, row))
            .product::<f64>()
    };
    (0..rows).map(product).sum()
}

fn array(value: &ColumnarValue) -> Result<ArrayRef> {
    match value {
        ColumnarValue::Array(array) => Ok(Arc::clone(array)),
        ColumnarValue::Scalar(scalar) => scalar.to_array(),
    }
}

/// Whole numbers; nulls are nothing.
fn numbers(array: &ArrayRef) -> Result<Numbers> {
    let numbers = cast(array, &DataType::Int64)?;
    let numbers = numbers.as_primitive::<Int64Type>().iter();
    Ok(numbers.map(|number| number.unwrap_or(0) as f64).collect())
}

fn counts(value: &ColumnarValue) -> Result<Numbers> {
    numbers(&array(value)?)
}

/// The sizes of texts, or about those of other values.
fn bytes(value: &ColumnarValue) -> Result<Numbers> {
    let array = array(value)?;
    match array.data_type() {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Binary => {
            numbers(&length(array.as_ref())?)
        }
        _ => {
            let data = array.to_data().get_slice_memory_size().unwrap_or(0);
            Ok(vec![data as f64 / array.len().max(1) as f64])
        }
    }
}

/// How many values `range` and `generate_series` make of their one, two or three arguments.
fn series(args: &[ColumnarValue], rows: usize) -> Result<f64> {
    let (start, stop, step) = match args {
        [stop] => (None, stop, None),
        [start, stop] => (Some(start), stop, None),
        [start, stop, step, ..] => (Some(start), stop, Some(step)),
        [] => return Ok(0.0),
    };
    let stop = points(stop)?;
    let start = start.map_or_else(|| Ok(vec![0.0]), points)?;
    let step = step.map_or_else(|| Ok(vec![1.0]), steps)?;
    let pick = |of: &Numbers, row: usize| of.get(row).or_else(|| of.first()).copied();
    let count = |row: usize| {
        let (from, to, by) = (pick(&start, row), pick(&stop, row), pick(&step, row));
        let by = by.unwrap_or(1.0).abs().max(1.0);
        (to.unwrap_or(0.0) - from.unwrap_or(0.0)).abs() / by
    };
    Ok((0..rows.max(1)).map(count).sum())
}

/// Numbers, or moments in nanoseconds.
fn points(value: &ColumnarValue) -> Result<Numbers> {
    let array = array(value)?;
    match array.data_type() {
        DataType::Date32 | DataType::Date64 | DataType::Timestamp(_, _) => {
            let seconds = cast(&array, &DataType::Timestamp(TimeUnit::Second, None))?;
            let seconds = numbers(&seconds)?;
            Ok(seconds.into_iter().map(|number| number * 1e9).collect())
        }
        _ => numbers(&array),
    }
}

/// Numbers, or intervals in nanoseconds; a month has at least 28 days.
fn steps(value: &ColumnarValue) -> Result<Numbers> {
    let array = array(value)?;
    let Some(intervals) = array.as_primitive_opt::<IntervalMonthDayNanoType>() else {
        return numbers(&array);
    };
    let nanoseconds = intervals.iter().map(|interval| {
        interval.map_or(0.0, |interval| {
            let days = f64::from(interval.months) * 28.0 + f64::from(interval.days);
            days * 86_400e9 + interval.nanoseconds as f64
        })
    });
    Ok(nanoseconds.collect())
}
