//! Times as ISO 8601 writes them, for those that no column of a table has a type for.

use std::fmt::Write as _;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{
    IntervalDayTimeType, IntervalMonthDayNanoType, IntervalUnit, IntervalYearMonthType, TimeUnit,
};

use crate::moment;

/// Nanoseconds of a second.
const SECOND_NS: i128 = 1_000_000_000;

pub(super) fn nanoseconds(unit: TimeUnit) -> i128 {
    match unit {
        TimeUnit::Second => SECOND_NS,
        TimeUnit::Millisecond => 1_000_000,
        TimeUnit::Microsecond => 1_000,
        TimeUnit::Nanosecond => 1,
    }
}

/// Digits of fraction that a unit has.
pub(super) fn decimals(unit: TimeUnit) -> usize {
    match unit {
        TimeUnit::Second => 0,
        TimeUnit::Millisecond => 3,
        TimeUnit::Microsecond => 6,
        TimeUnit::Nanosecond => 9,
    }
}

/// A date and a time without a zone.
pub(super) fn local(ns: i128, decimals: usize) -> String {
    let seconds = ns.div_euclid(SECOND_NS);
    // 64 bits of seconds are more than 64 bits of any unit can say; what they exceed is days.
    let days = seconds.div_euclid(86_400);
    let mut text = moment::date_of(i64::try_from(days).unwrap_or(i64::MAX));
    text.push('T');
    text.push_str(&clock(ns.rem_euclid(86_400 * SECOND_NS), decimals));
    text
}

/// A time of day with all digits of its unit, so that texts order as times do.
pub(super) fn time_of_day(ticks: i64, unit: TimeUnit) -> String {
    clock(i128::from(ticks) * nanoseconds(unit), decimals(unit))
}

fn clock(ns: i128, decimals: usize) -> String {
    let (seconds, fraction) = (ns.div_euclid(SECOND_NS), ns.rem_euclid(SECOND_NS));
    let (hours, minutes) = (seconds / 3_600, seconds / 60 % 60);
    let mut text = format!("{hours:02}:{minutes:02}:{:02}", seconds % 60);
    let digits = format!("{fraction:09}");
    if let Some(digits) = digits.get(..decimals).filter(|digits| !digits.is_empty()) {
        text.push('.');
        text.push_str(digits);
    }
    text
}

pub(super) fn interval(array: &dyn Array, unit: IntervalUnit, row: usize) -> String {
    match unit {
        IntervalUnit::YearMonth => {
            let months = array.as_primitive::<IntervalYearMonthType>().value(row);
            period(months.into(), 0, 0)
        }
        IntervalUnit::DayTime => {
            let value = array.as_primitive::<IntervalDayTimeType>().value(row);
            period(
                0,
                value.days.into(),
                i128::from(value.milliseconds) * 1_000_000,
            )
        }
        IntervalUnit::MonthDayNano => {
            let value = array.as_primitive::<IntervalMonthDayNanoType>().value(row);
            period(
                value.months.into(),
                value.days.into(),
                value.nanoseconds.into(),
            )
        }
    }
}

/// A length of time as ISO 8601: `P1M2DT3.5S`.
pub(super) fn period(months: i64, days: i64, ns: i128) -> String {
    let mut text = "P".to_owned();
    // Writing to a string can't fail.
    if months != 0 {
        let _ = write!(text, "{months}M");
    }
    if days != 0 {
        let _ = write!(text, "{days}D");
    }
    if ns != 0 || text.len() == 1 {
        let sign = if ns < 0 { "-" } else { "" };
        let size = ns.unsigned_abs();
        let (seconds, fraction) = (
            size / SECOND_NS.unsigned_abs(),
            size % SECOND_NS.unsigned_abs(),
        );
        let _ = write!(text, "T{sign}{seconds}");
        if fraction != 0 {
            let digits = format!("{fraction:09}");
            let _ = write!(text, ".{}", digits.trim_end_matches('0'));
        }
        text.push('S');
    }
    text
}
