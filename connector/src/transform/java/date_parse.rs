//! Moments read as `SimpleDateFormat` reads them: leniently, from the start of the text.

use chrono::{Datelike, NaiveDate};

use super::date::{DAYS, MONTHS};
use super::date_pattern::Part;

/// What was read so far; a calendar's fields roll over, as in Java.
#[derive(Debug, Default)]
struct Fields {
    year: Option<i64>,
    before_christ: bool,
    month: i64,
    day: Option<i64>,
    day_of_year: Option<i64>,
    hour: i64,
    half: Option<i64>,
    minute: i64,
    second: i64,
    millisecond: i64,
    offset_minutes: i64,
}

/// Reads the moment at the start of `text`; milliseconds since the Unix epoch.
pub(super) fn parse(parts: &[Part], text: &str) -> Option<i64> {
    let mut fields = Fields::default();
    let mut rest = text;
    for (index, part) in parts.iter().enumerate() {
        rest = match part {
            Part::Text(expected) => rest.strip_prefix(expected.as_str())?,
            Part::Field(letter, count) => {
                // Numbers that touch are parted by how often their letters stand there.
                let abutting = matches!(parts.get(index + 1), Some(Part::Field(next, next_count))
                    if is_number(*next, *next_count));
                let digits = abutting.then_some(*count);
                fields.read(
                    *letter,
                    *count,
                    digits,
                    rest.trim_start_matches([' ', '\t']),
                )?
            }
        };
    }
    fields.moment()
}

fn is_number(letter: char, count: usize) -> bool {
    match letter {
        'M' | 'L' => count < 3,
        'G' | 'E' | 'a' | 'z' | 'Z' | 'X' => false,
        _ => true,
    }
}

impl Fields {
    fn read<'t>(
        &mut self,
        letter: char,
        count: usize,
        digits: Option<usize>,
        text: &'t str,
    ) -> Option<&'t str> {
        if !is_number(letter, count) {
            return self.read_word(letter, text);
        }
        let (number, length) = number(text, digits)?;
        match letter {
            'y' | 'Y' => self.year = Some(year(number, count, length)),
            'M' | 'L' => self.month = number - 1,
            'd' => self.day = Some(number),
            'D' => self.day_of_year = Some(number),
            'H' => self.hour = number,
            'k' => self.hour = if number == 24 { 0 } else { number },
            'K' => {
                self.hour = number;
                self.half.get_or_insert(0);
            }
            'h' => {
                self.hour = if number == 12 { 0 } else { number };
                self.half.get_or_insert(0);
            }
            'm' => self.minute = number,
            's' => self.second = number,
            'S' => self.millisecond = number,
            // Weeks, and days within them, are said again by the date itself.
            _ => {}
        }
        text.get(length..)
    }

    fn read_word<'t>(&mut self, letter: char, text: &'t str) -> Option<&'t str> {
        match letter {
            'M' | 'L' => {
                let (month, rest) = word(&MONTHS, text)?;
                self.month = month;
                Some(rest)
            }
            'E' => word(&DAYS, text).map(|(_, rest)| rest),
            'G' => {
                let (era, rest) = word(&["AD", "BC"], text)?;
                self.before_christ = era == 1;
                Some(rest)
            }
            'a' => {
                let (half, rest) = word(&["AM", "PM"], text)?;
                self.half = Some(half);
                Some(rest)
            }
            _ => {
                let (minutes, rest) = offset(text)?;
                self.offset_minutes = minutes;
                Some(rest)
            }
        }
    }

    fn moment(&self) -> Option<i64> {
        let year = self.year.unwrap_or(1970);
        let year = if self.before_christ { 1 - year } else { year };
        let months = year.checked_mul(12)?.checked_add(self.month)?;
        let (year, month) = (months.div_euclid(12), months.rem_euclid(12) + 1);
        let year = i32::try_from(year).ok()?;
        let (first, days) = match self.day_of_year.filter(|_| self.day.is_none()) {
            Some(day) => (NaiveDate::from_ymd_opt(year, 1, 1)?, day - 1),
            None => {
                let month = u32::try_from(month).ok()?;
                (
                    NaiveDate::from_ymd_opt(year, month, 1)?,
                    self.day.unwrap_or(1) - 1,
                )
            }
        };
        let days = i64::from(first.num_days_from_ce()) - EPOCH_DAY + days;
        let hours = days
            .checked_mul(24)?
            .checked_add(self.hour + 12 * self.half.unwrap_or(0))?;
        let minutes = hours
            .checked_mul(60)?
            .checked_add(self.minute - self.offset_minutes)?;
        let seconds = minutes.checked_mul(60)?.checked_add(self.second)?;
        seconds.checked_mul(1_000)?.checked_add(self.millisecond)
    }
}

/// The first of January 1970 as chrono counts days.
const EPOCH_DAY: i64 = 719_163;

/// The digits at the start, at most `most` of them, and how many they are. More than nine are
/// no field of a moment.
fn number(text: &str, most: Option<usize>) -> Option<(i64, usize)> {
    let length = text.bytes().take_while(u8::is_ascii_digit).count();
    let length = length.min(most.unwrap_or(length)).min(9);
    let number = text.get(..length)?.parse().ok()?;
    Some((number, length))
}

/// Two digits where two letters ask for it are of the eighty years before now and the twenty after;
/// seen from a fixed year, so that what a pattern reads doesn't change.
fn year(number: i64, count: usize, length: usize) -> i64 {
    match (count, length) {
        (0..=2, 2) if number < 50 => 2_000 + number,
        (0..=2, 2) => 1_900 + number,
        _ => number,
    }
}

/// Which of `names` the text begins with, in full or with three letters, in any case.
fn word<'t>(names: &[&str], text: &'t str) -> Option<(i64, &'t str)> {
    let starts = |name: &str| {
        let start = text.get(..name.len())?;
        start
            .eq_ignore_ascii_case(name)
            .then(|| text.get(name.len()..))?
    };
    for (index, name) in names.iter().enumerate() {
        let rest = starts(name).or_else(|| starts(name.get(..3)?));
        if let Some(rest) = rest {
            return Some((i64::try_from(index).ok()?, rest));
        }
    }
    None
}

/// The offset from UTC at the start, in minutes: `Z`, `+02`, `+0200`, `+02:00`, `GMT+2:00`, `UTC`,
/// and the names of America's zones that mail has always had.
fn offset(text: &str) -> Option<(i64, &str)> {
    for (name, hours) in ZONES {
        if let Some(rest) = text.strip_prefix(name) {
            if hours == 0 && rest.starts_with(['+', '-']) {
                return signed(rest);
            }
            return Some((hours * 60, rest));
        }
    }
    signed(text)
}

const ZONES: [(&str, i64); 12] = [
    ("GMT", 0),
    ("UTC", 0),
    ("UT", 0),
    ("Z", 0),
    ("EST", -5),
    ("EDT", -4),
    ("CST", -6),
    ("CDT", -5),
    ("MST", -7),
    ("MDT", -6),
    ("PST", -8),
    ("PDT", -7),
];

fn signed(text: &str) -> Option<(i64, &str)> {
    let (sign, rest) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+')?),
    };
    let (digits, length) = number(rest, Some(4))?;
    let after = rest.get(length..)?;
    let (hours, minutes, after) = match (length, after.strip_prefix(':')) {
        (1 | 2, Some(more)) => {
            let (minutes, length) = number(more, Some(2))?;
            (digits, minutes, more.get(length..)?)
        }
        (1 | 2, None) => (digits, 0, after),
        (4, _) => (digits / 100, digits % 100, after),
        _ => return None,
    };
    (hours < 24 && minutes < 60).then_some((sign * (hours * 60 + minutes), after))
}
