//! Columns of integers, times, doubles and booleans.
//!
//! Integers are packed as deltas, but for pages that span more than half of their type's range:
//! readers (the Parquet crate among them) multiply deltas to skip rows, and can't where that
//! overflows.

use std::ops::Range;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{
    DataType, Date32Type, Float64Type, Int32Type, Int64Type, TimeUnit, TimestampMicrosecondType,
};
use parquet::basic::Encoding;
use parquet::file::statistics::{Statistics, ValueStatistics};

use super::chunk::{Bounds, Chunk, Rows};
use super::delta::delta;
use super::leaf::Leaf;
use super::levels::Run;
use crate::error::{Error, Result};

/// Values of a page.
const PAGE_VALUES: usize = 20_000;

/// The values of a page, and what is known of all pages before it.
trait Values: Default {
    /// How [`Values::write`] will write the values.
    fn encoding(&self) -> Encoding;
    /// Adds the values of the rows, none of which is null.
    fn take(&mut self, array: &ArrayRef, rows: Range<usize>) -> Option<()>;
    fn len(&self) -> usize;
    /// Writes the values out and forgets them.
    fn write(&mut self, out: &mut Vec<u8>);
    /// The bounds of the values; `None` without values, or if they have no order.
    fn bounds(&self) -> Bounds;
    /// The bounds of all values that were written.
    fn statistics(self, nulls: u64) -> Statistics;
}

/// Whether [`write`] has a way for values of this type.
pub(super) fn is_fixed(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Int32
            | DataType::Int64
            | DataType::Float64
            | DataType::Boolean
            | DataType::Date32
            | DataType::Timestamp(TimeUnit::Microsecond, _)
    )
}

/// Writes the leaf's pages.
pub(super) fn write(leaf: Leaf<'_>, chunk: &mut Chunk<'_>) -> Result<Statistics> {
    match leaf.data_type() {
        DataType::Int32 | DataType::Date32 => pages::<Narrow>(leaf, chunk),
        DataType::Float64 => pages::<Doubles>(leaf, chunk),
        DataType::Boolean => pages::<Booleans>(leaf, chunk),
        _ => pages::<Integers>(leaf, chunk),
    }
}

fn pages<V: Values>(leaf: Leaf<'_>, chunk: &mut Chunk<'_>) -> Result<Statistics> {
    let (mut rows, mut page) = (Rows::default(), V::default());
    leaf.each_run(|run, values| -> Result<()> {
        let Some((array, mut left)) = values else {
            rows.nulls(run);
            return Ok(());
        };
        while !left.is_empty() {
            let mut fit = left.clone();
            // A page ends with a row: what continues one stays with it.
            if run.repetition == 0 {
                if page.len() >= PAGE_VALUES {
                    flush(chunk, &mut rows, &mut page)?;
                }
                fit.end = left.end.min(left.start + PAGE_VALUES - page.len());
            }
            rows.values(Run {
                rows: fit.len(),
                ..run
            });
            left.start = fit.end;
            page.take(array, fit).ok_or_else(|| mismatch(array))?;
        }
        Ok(())
    })?;
    if !rows.is_empty() {
        flush(chunk, &mut rows, &mut page)?;
    }
    Ok(page.statistics(chunk.nulls()))
}

fn flush<V: Values>(chunk: &mut Chunk<'_>, rows: &mut Rows, page: &mut V) -> Result<()> {
    let (bounds, encoding) = (page.bounds(), page.encoding());
    chunk.page(rows, encoding, bounds, |out| page.write(out))
}

fn mismatch(array: &ArrayRef) -> Error {
    Error::internal(format!(
        "a batch has `{}` where its file has another type",
        array.data_type()
    ))
}

/// The least and the greatest of values with an order.
fn span<T: Copy + PartialOrd>(values: impl Iterator<Item = T>) -> Option<[T; 2]> {
    values.fold(None, |span, value| merge(span, Some([value, value])))
}

fn merge<T: Copy + PartialOrd>(left: Option<[T; 2]>, right: Option<[T; 2]>) -> Option<[T; 2]> {
    let (Some([low, high]), Some([least, greatest])) = (left, right) else {
        return left.or(right);
    };
    Some([
        if least < low { least } else { low },
        if greatest > high { greatest } else { high },
    ])
}

/// 64-bit integers and times.
#[derive(Default)]
struct Integers {
    page: Vec<i64>,
    all: Option<[i64; 2]>,
}

impl Values for Integers {
    fn encoding(&self) -> Encoding {
        match span(self.page.iter().copied()) {
            Some([least, greatest]) if greatest.checked_sub(least).is_none() => Encoding::PLAIN,
            _ => Encoding::DELTA_BINARY_PACKED,
        }
    }

    fn take(&mut self, array: &ArrayRef, rows: Range<usize>) -> Option<()> {
        let values = match array.as_primitive_opt::<Int64Type>() {
            Some(array) => array.values(),
            None => array
                .as_primitive_opt::<TimestampMicrosecondType>()?
                .values(),
        };
        self.page.extend_from_slice(values.get(rows)?);
        Some(())
    }

    fn len(&self) -> usize {
        self.page.len()
    }

    fn write(&mut self, out: &mut Vec<u8>) {
        self.all = merge(self.all, span(self.page.iter().copied()));
        if self.encoding() == Encoding::PLAIN {
            out.extend(self.page.iter().flat_map(|value| value.to_le_bytes()));
        } else {
            delta(&self.page, false, out);
        }
        self.page.clear();
    }

    fn bounds(&self) -> Bounds {
        let [least, greatest] = span(self.page.iter().copied())?;
        Some((
            least.to_le_bytes().to_vec(),
            greatest.to_le_bytes().to_vec(),
        ))
    }

    fn statistics(self, nulls: u64) -> Statistics {
        let [least, greatest] = self.all.map_or([None; 2], |all| all.map(Some));
        Statistics::Int64(ValueStatistics::new(
            least,
            greatest,
            None,
            Some(nulls),
            false,
        ))
    }
}

/// 32-bit integers and days.
#[derive(Default)]
struct Narrow {
    page: Vec<i64>,
    all: Option<[i32; 2]>,
}

impl Narrow {
    fn span(&self) -> Option<[i32; 2]> {
        span(self.page.iter().map(|&value| value as i32))
    }
}

impl Values for Narrow {
    fn encoding(&self) -> Encoding {
        match self.span() {
            Some([least, greatest]) if greatest.checked_sub(least).is_none() => Encoding::PLAIN,
            _ => Encoding::DELTA_BINARY_PACKED,
        }
    }

    fn take(&mut self, array: &ArrayRef, rows: Range<usize>) -> Option<()> {
        let values = match array.as_primitive_opt::<Int32Type>() {
            Some(array) => array.values(),
            None => array.as_primitive_opt::<Date32Type>()?.values(),
        };
        self.page
            .extend(values.get(rows)?.iter().map(|&value| i64::from(value)));
        Some(())
    }

    fn len(&self) -> usize {
        self.page.len()
    }

    fn write(&mut self, out: &mut Vec<u8>) {
        self.all = merge(self.all, self.span());
        if self.encoding() == Encoding::PLAIN {
            let narrow = self.page.iter().map(|&value| value as i32);
            out.extend(narrow.flat_map(i32::to_le_bytes));
        } else {
            delta(&self.page, true, out);
        }
        self.page.clear();
    }

    fn bounds(&self) -> Bounds {
        let [least, greatest] = self.span()?;
        Some((
            least.to_le_bytes().to_vec(),
            greatest.to_le_bytes().to_vec(),
        ))
    }

    fn statistics(self, nulls: u64) -> Statistics {
        let [least, greatest] = self.all.map_or([None; 2], |all| all.map(Some));
        Statistics::Int32(ValueStatistics::new(
            least,
            greatest,
            None,
            Some(nulls),
            false,
        ))
    }
}

/// Doubles. NaN has no place in an order, but readers compare it as the greatest of all: where it
/// is, there are no bounds.
#[derive(Default)]
struct Doubles {
    page: Vec<f64>,
    all: Option<[f64; 2]>,
    unordered: bool,
}

impl Doubles {
    fn span(&self) -> Option<[f64; 2]> {
        if self.page.iter().any(|value| value.is_nan()) {
            return None;
        }
        let numbers = self.page.iter().copied();
        // Both zeros are equal: the specification wants the bounds that hold either.
        span(numbers).map(|[least, greatest]| {
            [
                if least == 0.0 { -0.0 } else { least },
                if greatest == 0.0 { 0.0 } else { greatest },
            ]
        })
    }
}

impl Values for Doubles {
    fn encoding(&self) -> Encoding {
        Encoding::PLAIN
    }

    fn take(&mut self, array: &ArrayRef, rows: Range<usize>) -> Option<()> {
        let values = array.as_primitive_opt::<Float64Type>()?.values();
        self.page.extend_from_slice(values.get(rows)?);
        Some(())
    }

    fn len(&self) -> usize {
        self.page.len()
    }

    fn write(&mut self, out: &mut Vec<u8>) {
        self.unordered |= self.page.iter().any(|value| value.is_nan());
        self.all = merge(self.all, self.span());
        for value in self.page.drain(..) {
            out.extend_from_slice(&value.to_le_bytes());
        }
    }

    fn bounds(&self) -> Bounds {
        let [least, greatest] = self.span()?;
        Some((
            least.to_le_bytes().to_vec(),
            greatest.to_le_bytes().to_vec(),
        ))
    }

    fn statistics(self, nulls: u64) -> Statistics {
        let all = self.all.filter(|_| !self.unordered);
        let [least, greatest] = all.map_or([None; 2], |all| all.map(Some));
        Statistics::Double(ValueStatistics::new(
            least,
            greatest,
            None,
            Some(nulls),
            false,
        ))
    }
}

/// Booleans.
#[derive(Default)]
struct Booleans {
    page: Vec<bool>,
    all: Option<[bool; 2]>,
}

impl Values for Booleans {
    fn encoding(&self) -> Encoding {
        Encoding::PLAIN
    }

    fn take(&mut self, array: &ArrayRef, rows: Range<usize>) -> Option<()> {
        let values = array
            .as_boolean_opt()?
            .values()
            .slice(rows.start, rows.len());
        self.page.extend(values.iter());
        Some(())
    }

    fn len(&self) -> usize {
        self.page.len()
    }

    fn write(&mut self, out: &mut Vec<u8>) {
        self.all = merge(self.all, span(self.page.iter().copied()));
        for values in self.page.chunks(8) {
            let bits = values.iter().enumerate();
            out.push(bits.fold(0, |byte, (at, value)| byte | (u8::from(*value) << at)));
        }
        self.page.clear();
    }

    fn bounds(&self) -> Bounds {
        let [least, greatest] = span(self.page.iter().copied())?;
        Some((vec![u8::from(least)], vec![u8::from(greatest)]))
    }

    fn statistics(self, nulls: u64) -> Statistics {
        let [least, greatest] = self.all.map_or([None; 2], |all| all.map(Some));
        Statistics::Boolean(ValueStatistics::new(
            least,
            greatest,
            None,
            Some(nulls),
            false,
        ))
    }
}
