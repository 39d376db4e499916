//! Whether one value of a field is what a search wants, whichever type it came with.
//!
//! What is written in a search may be read as text, a number, a boolean and a stretch of time; the
//! value decides which of them counts. So a key whose values came with several types is searched
//! as one.

use chrono::{DateTime, Datelike, NaiveDate, SecondsFormat};

use super::tree::{Bound, Piece, Test, is_like, small, whole};
use crate::logical::{KEY_BYTES, Number};

/// One value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Value<'a> {
    Text(&'a str),
    Number(Number),
    Boolean(bool),
    /// Microseconds since the epoch.
    Moment(i64),
    /// Days since the epoch.
    Day(i32),
    /// An object.
    Other,
}

/// Microseconds of a day.
pub(super) const DAY_US: i64 = 86_400_000_000;

/// A stretch of time: its first microsecond, and the first behind it.
pub(super) type Span = (i64, i64);

/// A test, read in all ways that it can be.
#[derive(Debug)]
pub(super) enum Wanted {
    Exists,
    One {
        like: Vec<Piece>,
        /// The text exactly so.
        exactly: Option<String>,
        number: Option<[u8; KEY_BYTES]>,
        boolean: Option<bool>,
        span: Option<Span>,
    },
    Between(Range, Option<End<String>>, Option<End<String>>),
}

/// How the bounds of a range can be read.
#[derive(Debug)]
pub(super) struct Range {
    numbers: Option<Ends<[u8; KEY_BYTES]>>,
    spans: Option<Ends<Span>>,
}

type End<T> = (T, bool);
type Ends<T> = (Option<End<T>>, Option<End<T>>);

impl Wanted {
    pub(super) fn new(test: &Test) -> Self {
        let key = |text: &str| Number::read(text).filter(is_real).map(Number::key);
        match test {
            Test::Exists => Self::Exists,
            Test::Exactly(text) => Self::One {
                like: Vec::new(),
                exactly: Some(text.clone()),
                number: key(text),
                boolean: boolean(text),
                span: span(text),
            },
            Test::Like(like) => {
                let whole = whole(like);
                Self::One {
                    like: like.clone(),
                    exactly: None,
                    number: whole.and_then(key),
                    boolean: whole.and_then(boolean),
                    span: whole.and_then(span),
                }
            }
            Test::Between(low, high) => {
                let range = Range {
                    numbers: ends(low.as_ref(), high.as_ref(), key),
                    spans: ends(low.as_ref(), high.as_ref(), span),
                };
                let end = |bound: &Option<Bound>| {
                    let bound = bound.as_ref()?;
                    Some((small(&bound.text), bound.inclusive))
                };
                Self::Between(range, end(low), end(high))
            }
        }
    }

    /// Whether this is such a value.
    pub(super) fn is_met_by(&self, value: Value<'_>) -> bool {
        match self {
            Self::Exists => true,
            Self::One {
                like,
                exactly,
                number,
                boolean,
                span,
            } => {
                let by_text = |text: &str| match exactly {
                    Some(exactly) => exactly == text,
                    None => is_like(&small(text), like),
                };
                match value {
                    Value::Text(text) => by_text(text),
                    Value::Number(found) => {
                        number.is_some_and(|number| number == found.key())
                            || by_text(&found.to_string())
                    }
                    Value::Boolean(found) => {
                        *boolean == Some(found) || by_text(if found { "true" } else { "false" })
                    }
                    Value::Moment(us) => {
                        span.is_some_and(|(from, to)| (from..to).contains(&us))
                            || by_text(&moment(us))
                    }
                    Value::Day(day) => {
                        let us = i64::from(day).saturating_mul(DAY_US);
                        span.is_some_and(|(from, to)| (from..to).contains(&us))
                            || by_text(&of_day(day))
                    }
                    Value::Other => false,
                }
            }
            Self::Between(range, low, high) => match value {
                Value::Text(text) => range.holds_text(text, low.as_ref(), high.as_ref()),
                Value::Number(number) => range.holds_number(number),
                Value::Moment(us) => range.holds_moment(us),
                Value::Day(day) => range.holds_moment(i64::from(day).saturating_mul(DAY_US)),
                Value::Boolean(_) | Value::Other => false,
            },
        }
    }
}

impl Range {
    fn holds_number(&self, number: Number) -> bool {
        let Some((low, high)) = &self.numbers else {
            return false;
        };
        is_real(&number) && holds(&number.key(), low.as_ref(), high.as_ref())
    }

    fn holds_moment(&self, us: i64) -> bool {
        self.spans.as_ref().is_some_and(|(low, high)| {
            // A bound that is excluded is so with all of its stretch.
            let above = low.is_none_or(|((from, to), with)| us >= if with { from } else { to });
            let below = high.is_none_or(|((from, to), with)| us < if with { to } else { from });
            above && below
        })
    }

    /// Numbers and moments in text count as such where the bounds are.
    fn holds_text(
        &self,
        text: &str,
        low: Option<&End<String>>,
        high: Option<&End<String>>,
    ) -> bool {
        if self.numbers.is_some() {
            return Number::read(text).is_some_and(|number| self.holds_number(number));
        }
        if self.spans.is_some() {
            return span(text).is_some_and(|(from, _)| self.holds_moment(from));
        }
        holds(&small(text), low, high)
    }
}

fn holds<T: Ord>(value: &T, low: Option<&End<T>>, high: Option<&End<T>>) -> bool {
    low.is_none_or(|(low, with)| value > low || *with && value == low)
        && high.is_none_or(|(high, with)| value < high || *with && value == high)
}

fn ends<T>(
    low: Option<&Bound>,
    high: Option<&Bound>,
    read: impl Fn(&str) -> Option<T>,
) -> Option<Ends<T>> {
    let end = |bound: Option<&Bound>| match bound {
        None => Some(None),
        Some(bound) => read(&bound.text).map(|value| Some((value, bound.inclusive))),
    };
    Some((end(low)?, end(high)?))
}

/// A number in digits: `nan` and `infinity` are words.
pub(super) fn is_real(number: &Number) -> bool {
    !matches!(number, Number::Double(value) if !value.is_finite())
}

pub(super) fn boolean(text: &str) -> Option<bool> {
    text.to_ascii_lowercase().parse().ok()
}

/// A moment as answers have it.
fn moment(us: i64) -> String {
    let moment = DateTime::from_timestamp_micros(us);
    let text = moment.map(|moment| moment.to_rfc3339_opts(SecondsFormat::AutoSi, true));
    text.unwrap_or_default()
}

fn of_day(day: i32) -> String {
    let first = NaiveDate::default();
    let date = first.checked_add_signed(chrono::TimeDelta::days(day.into()));
    date.map(|date| date.to_string()).unwrap_or_default()
}

/// Whether a text can be read as a time.
pub(crate) fn is_time(text: &str) -> bool {
    span(text).is_some()
}

/// The stretch that a time stands for: `2026-11` is a month, `2026-11-23T10:00Z` a minute.
/// Without a zone it is UTC; more than four digits are milliseconds since the epoch.
pub(super) fn span(text: &str) -> Option<Span> {
    let text = text.trim().to_ascii_uppercase();
    if text.bytes().all(|byte| byte.is_ascii_digit()) && text.len() > 4 {
        let from = text.parse::<i64>().ok()?.checked_mul(1_000)?;
        return Some((from, from.checked_add(1_000)?));
    }
    let (date, time) = match text.split_once(['T', ' ']) {
        Some((date, time)) => (date, Some(time)),
        None => (text.as_str(), None),
    };
    let mut parts = date.split('-');
    let year: i32 = digits(parts.next()?, 4)?;
    let month: Option<u32> = parts
        .next()
        .map(|part| digits(part, 2))
        .map_or(Some(None), |one| one.map(Some))?;
    let day: Option<u32> = parts
        .next()
        .map(|part| digits(part, 2))
        .map_or(Some(None), |one| one.map(Some))?;
    if parts.next().is_some() {
        return None;
    }
    let first = NaiveDate::from_ymd_opt(year, month.unwrap_or(1), day.unwrap_or(1))?;
    let midnight = |date: NaiveDate| Some(date.and_hms_opt(0, 0, 0)?.and_utc().timestamp_micros());
    let from = midnight(first)?;
    match (time, month, day) {
        (Some(time), _, Some(_)) => {
            let (us, long) = of_time(time)?;
            let from = from.checked_add(us)?;
            Some((from, from.checked_add(long)?))
        }
        (Some(_), _, None) => None,
        (None, None, _) => Some((from, midnight(first.with_year(year + 1)?)?)),
        (None, Some(_), None) => {
            let next = first.checked_add_months(chrono::Months::new(1))?;
            Some((from, midnight(next)?))
        }
        (None, Some(_), Some(_)) => Some((from, from.checked_add(DAY_US)?)),
    }
}

/// Microseconds of `10:00`, `10:00:05.25Z` or `10+01:00` from midnight in UTC, and for how long.
fn of_time(text: &str) -> Option<(i64, i64)> {
    const SECOND: i64 = 1_000_000;
    let (clock, zone) = match text.find(['Z', '+', '-']) {
        Some(at) => text.split_at_checked(at)?,
        None => (text, "Z"),
    };
    let east_minutes: i64 = match zone.split_at_checked(1)? {
        ("Z", "") => 0,
        (sign, offset) => {
            let (hours, minutes) = match offset.split_once(':') {
                Some(parts) => parts,
                None if offset.len() == 4 => offset.split_at_checked(2)?,
                None => (offset, "00"),
            };
            let minutes = digits::<i64>(hours, 2)? * 60 + digits::<i64>(minutes, 2)?;
            if sign == "-" { -minutes } else { minutes }
        }
    };
    let mut parts = clock.split(':');
    let hour: i64 = digits(parts.next()?, 2)?;
    let mut us = hour * 3_600 * SECOND;
    let mut long = 3_600 * SECOND;
    let mut minute = 0;
    if let Some(part) = parts.next() {
        minute = digits(part, 2)?;
        us += minute * 60 * SECOND;
        long = 60 * SECOND;
    }
    let mut second = 0;
    if let Some(part) = parts.next() {
        let (whole, fraction) = part.split_once('.').unwrap_or((part, ""));
        second = digits(whole, 2)?;
        us += second * SECOND;
        long = SECOND;
        // Digits beyond microseconds say nothing that is stored.
        for digit in fraction.chars() {
            let digit = i64::from(digit.to_digit(10)?);
            long /= 10;
            us += digit * long;
        }
        long = long.max(1);
    }
    let real = hour < 24 && minute < 60 && second < 60 && parts.next().is_none();
    real.then_some((us - east_minutes * 60 * SECOND, long))
}

fn digits<T: std::str::FromStr>(text: &str, long: usize) -> Option<T> {
    let fits = text.len() == long && text.bytes().all(|byte| byte.is_ascii_digit());
    fits.then(|| text.parse().ok()).flatten()
}
