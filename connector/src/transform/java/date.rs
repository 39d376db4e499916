//! The fields of a moment as `SimpleDateFormat` prints them, in UTC, in English, with weeks as in
//! the United States: they begin on Sunday, and the one with the first of January is the first.

use std::fmt::Write as _;

use chrono::{Datelike, NaiveDateTime, Timelike};

pub(super) const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

pub(super) const DAYS: [&str; 7] = [
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
];

/// Prints the field of `letter`, which stands there `count` times.
pub(super) fn format_field(letter: char, count: usize, time: NaiveDateTime, out: &mut String) {
    let hour = time.hour();
    let number = match letter {
        'y' => return year(time.year(), count, out),
        'Y' => return year(week(time).0, count, out),
        'M' | 'L' if count >= 3 => return name(&MONTHS, time.month0(), count, out),
        'M' | 'L' => time.month(),
        'E' => return name(&DAYS, time.weekday().num_days_from_monday(), count, out),
        'G' => return out.push_str(if time.year() > 0 { "AD" } else { "BC" }),
        'a' => return out.push_str(if hour < 12 { "AM" } else { "PM" }),
        'z' => {
            return out.push_str(if count < 4 {
                "UTC"
            } else {
                "Coordinated Universal Time"
            });
        }
        'Z' => return out.push_str("+0000"),
        'X' => return out.push('Z'),
        'w' => week(time).1,
        'W' => {
            let first = time.date().with_day(1).unwrap_or(time.date());
            (time.day0() + first.weekday().num_days_from_sunday()) / 7 + 1
        }
        'D' => time.ordinal(),
        'd' => time.day(),
        'F' => time.day0() / 7 + 1,
        'u' => time.weekday().number_from_monday(),
        'H' => hour,
        'k' => (hour + 23) % 24 + 1,
        'K' => hour % 12,
        'h' => (hour + 11) % 12 + 1,
        'm' => time.minute(),
        's' => time.second(),
        _ => time.nanosecond() / 1_000_000,
    };
    // Text never fails to take more text.
    let _ = write!(out, "{number:0count$}");
}

/// Two digits where two letters ask for it, else as many as there are letters or digits.
fn year(year: i32, count: usize, out: &mut String) {
    let year = if year > 0 { year } else { 1 - year };
    let _ = match count {
        2 => write!(out, "{:02}", year % 100),
        _ => write!(out, "{year:0count$}"),
    };
}

fn name(names: &[&str], index: u32, count: usize, out: &mut String) {
    let name = names.get(index as usize).copied().unwrap_or_default();
    out.push_str(if count >= 4 {
        name
    } else {
        name.get(..3).unwrap_or(name)
    });
}

/// The year and the number of the week.
fn week(time: NaiveDateTime) -> (i32, u32) {
    let date = time.date();
    let sunday = i64::from(date.weekday().num_days_from_sunday());
    let saturday = date
        .checked_add_signed(chrono::Duration::days(6 - sunday))
        .unwrap_or(date);
    if saturday.year() != date.year() {
        return (saturday.year(), 1);
    }
    (date.year(), saturday.ordinal0() / 7 + 1)
}
