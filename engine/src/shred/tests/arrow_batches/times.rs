//! Random columns of moments, days and times, and what their rows mean.

use arrow::array::*;
use arrow::datatypes::IntervalMonthDayNano;

use super::random::{Column, Random, cells, made, of};
use crate::value::Value;

pub(super) fn times(random: &mut Random, rows: usize) -> Column {
    match random.below(7) {
        0 => {
            let found = cells(random, rows, |random| random.pick(&[0, -1, i32::MAX]));
            made(Date32Array::from(found.clone()), of(&found, Value::Date))
        }
        1 => {
            let found = cells(random, rows, |random| {
                random.pick(&[0, -1, 1_795_428_000_000])
            });
            let array = TimestampMillisecondArray::from(found.clone()).with_timezone("UTC");
            made(array, of(&found, |ms| Value::Timestamp(ms * 1_000)))
        }
        2 => {
            let found = cells(random, rows, |random| random.pick(&[0, i64::MIN, i64::MAX]));
            let array = TimestampMicrosecondArray::from(found.clone()).with_timezone("+01:00");
            made(array, of(&found, Value::Timestamp))
        }
        3 => {
            let found = cells(random, rows, |random| random.pick(&[1_000, 1_000_000_001]));
            let array = TimestampNanosecondArray::from(found.clone()).with_timezone("UTC");
            let value = |ns| match ns {
                1_000 => Value::Timestamp(1),
                _ => Value::Text("1970-01-01T00:00:01.000000001Z".to_owned()),
            };
            made(array, of(&found, value))
        }
        4 => {
            let found = cells(random, rows, |_| -1);
            let array = TimestampMicrosecondArray::from(found.clone());
            let text = |_| Value::Text("1969-12-31T23:59:59.999999".to_owned());
            made(array, of(&found, text))
        }
        5 => {
            let found = cells(random, rows, |_| 45_296_789);
            let text = |_| Value::Text("12:34:56.789".to_owned());
            made(
                Time32MillisecondArray::from(found.clone()),
                of(&found, text),
            )
        }
        _ => {
            let found = cells(random, rows, |_| {
                IntervalMonthDayNano::new(1, 2, 3_500_000_000)
            });
            let text = |_| Value::Text("P1M2DT3.5S".to_owned());
            made(
                IntervalMonthDayNanoArray::from(found.clone()),
                of(&found, text),
            )
        }
    }
}
