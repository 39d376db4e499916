//! Joda's patterns for times, as Confluent's `path.format` takes them: `'year'=YYYY/'month'=MM`.
//!
//! | letter | is | |
//! |---|---|---|
//! | `y` `Y` | year; two of them its last two digits | 2026, 26 |
//! | `x` | year of the ISO week | 2026 |
//! | `M` | month; three of them its short name, more its name | 7, 07, Jul, July |
//! | `w` | ISO week of the year | 27 |
//! | `D` | day of the year | 189 |
//! | `d` | day of the month | 10 |
//! | `e` | day of the week, Monday is 1 | 2 |
//! | `E` | day of the week by its name; up to three short | Tue, Tuesday |
//! | `a` | half of the day | AM, PM |
//! | `H` `k` | hour of the day from 0, from 1 | 0, 24 |
//! | `K` `h` | hour of the half from 0, from 1 | 0, 12 |
//! | `m` `s` | minute, second | 30, 55 |
//! | `S` | fraction of the second, a digit each | 978 |
//!
//! More letters than a number has digits fill it with zeros from the left. Text between single
//! quotes stands for itself, two quotes are one; so does whatever is no letter. Names are English.
//! Zones have no letters: a value that named its offset would be another one in summer.

use std::fmt::{self, Write as _};

use chrono::{Datelike, NaiveDateTime, Timelike};

use crate::error::{Error, Result};

/// A pattern of more characters is no name of a folder.
const LENGTH_MAX: usize = 200;

/// A time's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    pieces: Vec<Piece>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Literal(String),
    /// A letter, and how often it stands there.
    Field(char, usize),
}

/// The smallest unit that a pattern shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Finest {
    Millisecond,
    Second,
    Minute,
    Hour,
    Day,
    Month,
    Year,
}

impl Pattern {
    /// Takes a pattern apart.
    ///
    /// # Errors
    /// `Invalid`, naming the letter that means nothing or the quote that isn't closed.
    pub fn parse(text: &str) -> Result<Self> {
        if text.chars().count() > LENGTH_MAX {
            let message = format!("a pattern has at most {LENGTH_MAX} characters");
            return Err(Error::invalid(message));
        }
        let mut pieces = Vec::new();
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            match c {
                '\'' => literal(&mut pieces, &quoted(&mut chars, text)?),
                c if c.is_ascii_alphabetic() => {
                    let mut count = 1;
                    while chars.next_if_eq(&c).is_some() {
                        count += 1;
                    }
                    check(c, text)?;
                    pieces.push(Piece::Field(c, count));
                }
                c => literal(&mut pieces, c.encode_utf8(&mut [0; 4])),
            }
        }
        Ok(Self {
            text: text.to_owned(),
            pieces,
        })
    }

    /// `'dt'=yyyy-MM-dd`, and the pattern of its one column.
    pub(super) fn day() -> (Self, Self) {
        let text = "'dt'=yyyy-MM-dd".to_owned();
        let dash = || Piece::Literal("-".to_owned());
        let (year, month, day) = (
            Piece::Field('y', 4),
            Piece::Field('M', 2),
            Piece::Field('d', 2),
        );
        let date = vec![year, dash(), month, dash(), day];
        let mut pieces = vec![Piece::Literal("dt=".to_owned())];
        pieces.extend(date.iter().cloned());
        let of = |pieces| Self {
            text: text.clone(),
            pieces,
        };
        (of(pieces), of(date))
    }

    /// The text of a local time.
    pub fn format(&self, time: NaiveDateTime) -> String {
        let mut out = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Literal(text) => out.push_str(text),
                Piece::Field(letter, count) => write(&mut out, *letter, *count, time),
            }
        }
        out
    }

    /// The smallest unit that it shows; `None` when it shows none.
    pub(super) fn finest(&self) -> Option<Finest> {
        let units = self.pieces.iter().filter_map(|piece| match piece {
            Piece::Field(letter, _) => Some(match letter {
                'S' => Finest::Millisecond,
                's' => Finest::Second,
                'm' => Finest::Minute,
                'H' | 'k' | 'K' | 'h' | 'a' => Finest::Hour,
                'M' => Finest::Month,
                'y' | 'Y' => Finest::Year,
                _ => Finest::Day,
            }),
            Piece::Literal(_) => None,
        });
        units.min()
    }

    /// The columns that a pattern of folders names: for each part between slashes what stands
    /// before its first `=`, and the pattern of the value behind it.
    ///
    /// # Errors
    /// `Invalid` for a part that has no name, or one that is not text.
    pub(super) fn columns(&self) -> Result<Vec<(String, Self)>> {
        let mut parts: Vec<Vec<Piece>> = vec![Vec::new()];
        for piece in &self.pieces {
            let Piece::Literal(text) = piece else {
                push(&mut parts, piece.clone());
                continue;
            };
            for (at, text) in text.split('/').enumerate() {
                if at > 0 {
                    parts.push(Vec::new());
                }
                if !text.is_empty() {
                    push(&mut parts, Piece::Literal(text.to_owned()));
                }
            }
        }
        parts.into_iter().map(|part| self.column(part)).collect()
    }

    fn column(&self, mut part: Vec<Piece>) -> Result<(String, Self)> {
        let named = match part.first_mut() {
            Some(Piece::Literal(text)) => text.split_once('=').map(|(name, rest)| {
                let name = name.to_owned();
                (name, rest.to_owned())
            }),
            _ => None,
        };
        let Some((name, rest)) = named else {
            return Err(Error::invalid(format!(
                "each part of `{}` needs a name before a `=`, as in `'year'=YYYY/'month'=MM`",
                self.text
            )));
        };
        part.remove(0);
        if !rest.is_empty() {
            part.insert(0, Piece::Literal(rest));
        }
        let pattern = Self {
            text: self.text.clone(),
            pieces: part,
        };
        Ok((name, pattern))
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn push(parts: &mut [Vec<Piece>], piece: Piece) {
    if let Some(part) = parts.last_mut() {
        part.push(piece);
    }
}

fn literal(pieces: &mut Vec<Piece>, text: &str) {
    match pieces.last_mut() {
        Some(Piece::Literal(before)) => before.push_str(text),
        _ => pieces.push(Piece::Literal(text.to_owned())),
    }
}

/// What stands between quotes, the first of which is read already.
fn quoted(chars: &mut std::iter::Peekable<std::str::Chars<'_>>, whole: &str) -> Result<String> {
    let mut text = String::new();
    if chars.next_if_eq(&'\'').is_some() {
        return Ok("'".to_owned());
    }
    loop {
        match chars.next() {
            Some('\'') => match chars.next_if_eq(&'\'') {
                Some(quote) => text.push(quote),
                None => return Ok(text),
            },
            Some(c) => text.push(c),
            None => {
                return Err(Error::invalid(format!("a quote in `{whole}` isn't closed")));
            }
        }
    }
}

fn check(letter: char, whole: &str) -> Result<()> {
    if "yYxMwDdeEaHkKhmsS".contains(letter) {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "the letter `{letter}` in `{whole}` means nothing here: there are y Y x M w D d e E a H k \
         K h m s S, and text stands between single quotes"
    )))
}

fn write(out: &mut String, letter: char, count: usize, time: NaiveDateTime) {
    let (hour, week) = (time.hour(), time.iso_week());
    match letter {
        'y' | 'Y' => year(out, time.year(), count),
        'x' => year(out, week.year(), count),
        'M' if count > 3 => out.push_str(&time.format("%B").to_string()),
        'M' if count == 3 => out.push_str(&time.format("%b").to_string()),
        'M' => number(out, time.month(), count),
        'w' => number(out, week.week(), count),
        'D' => number(out, time.ordinal(), count),
        'd' => number(out, time.day(), count),
        'e' => number(out, time.weekday().number_from_monday(), count),
        'E' if count > 3 => out.push_str(&time.format("%A").to_string()),
        'E' => out.push_str(&time.format("%a").to_string()),
        'a' => out.push_str(if hour < 12 { "AM" } else { "PM" }),
        'H' => number(out, hour, count),
        'k' => number(out, if hour == 0 { 24 } else { hour }, count),
        'K' => number(out, hour % 12, count),
        'h' => number(out, time.hour12().1, count),
        'm' => number(out, time.minute(), count),
        's' => number(out, time.second(), count),
        _ => fraction(out, time.nanosecond() / 1_000_000, count),
    }
}

fn number(out: &mut String, number: u32, count: usize) {
    // Writing to a string can't fail.
    let _ = write!(out, "{number:0count$}");
}

fn year(out: &mut String, year: i32, count: usize) {
    let _ = match count {
        2 => write!(out, "{:02}", year.rem_euclid(100)),
        _ => write!(out, "{year:0count$}"),
    };
}

/// The first digits of the milliseconds; there are no finer ones.
fn fraction(out: &mut String, milliseconds: u32, count: usize) {
    let digits = format!("{milliseconds:03}{:0<1$}", "", count.saturating_sub(3));
    out.push_str(digits.get(..count).unwrap_or(&digits));
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use chrono::NaiveDate;

    fn at(text: &str) -> NaiveDateTime {
        NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f").unwrap()
    }

    #[test]
    fn a_pattern_says_what_joda_says() {
        let morning = at("2026-01-05 00:07:09.045");
        let evening = at("2021-01-03 13:30:55.978");
        for (pattern, first, second) in [
            ("yyyy-MM-dd", "2026-01-05", "2021-01-03"),
            (
                "YYYY yyyyy yy YY y",
                "2026 02026 26 26 2026",
                "2021 02021 21 21 2021",
            ),
            ("xxxx-'W'ww-e", "2026-W02-1", "2020-W53-7"),
            ("D DDD", "5 005", "3 003"),
            ("M MM MMM MMMM", "1 01 Jan January", "1 01 Jan January"),
            ("E EEE EEEE", "Mon Mon Monday", "Sun Sun Sunday"),
            ("H HH k kk", "0 00 24 24", "13 13 13 13"),
            ("h hh K KK a", "12 12 0 00 AM", "1 01 1 01 PM"),
            ("m mm s ss", "7 07 9 09", "30 30 55 55"),
            ("S SS SSS SSSSS", "0 04 045 04500", "9 97 978 97800"),
            (
                "'year'=YYYY/'month'=MM/'day'=dd/'hour'=HH",
                "year=2026/month=01/day=05/hour=00",
                "year=2021/month=01/day=03/hour=13",
            ),
            ("'it''s' '' d", "it's ' 5", "it's ' 3"),
            ("h 'o''clock' ''a''", "12 o'clock 'AM'", "1 o'clock 'PM'"),
            ("", "", ""),
            ("'T'é-_.:", "Té-_.:", "Té-_.:"),
        ] {
            let parsed = Pattern::parse(pattern).unwrap();
            assert_eq!(parsed.format(morning), first, "{pattern}");
            assert_eq!(parsed.format(evening), second, "{pattern}");
            assert_eq!(parsed.to_string(), pattern);
        }
    }

    #[test]
    fn a_letter_that_means_nothing_is_named() {
        for (pattern, needle) in [
            ("yyyy-MM-dd'T'HH:mmZ", "`Z`"),
            ("year=YYYY", "`r`"),
            ("yyyyQ", "`Q`"),
            ("'open", "isn't closed"),
            (&"d".repeat(201), "200"),
        ] {
            let error = Pattern::parse(pattern).unwrap_err().to_string();
            assert!(error.contains(needle), "{error}");
        }
    }

    #[test]
    fn parts_between_slashes_are_columns_with_the_name_before_the_first_sign() {
        let columns = |pattern: &str| {
            let columns = Pattern::parse(pattern).unwrap().columns();
            let time = NaiveDate::from_ymd_opt(2026, 11, 23).unwrap();
            let time = time.and_hms_opt(7, 0, 0).unwrap();
            columns.map(|columns| {
                let format = |(name, pattern): (String, Pattern)| (name, pattern.format(time));
                columns.into_iter().map(format).collect::<Vec<_>>()
            })
        };
        let of = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
            let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
            pairs.iter().map(owned).collect()
        };
        assert_eq!(
            columns("'year'=YYYY/'month'=MM").unwrap(),
            of(&[("year", "2026"), ("month", "11")])
        );
        assert_eq!(
            columns("'d=x='dd'/h='HH").unwrap(),
            of(&[("d", "x=23"), ("h", "07")])
        );
        for pattern in ["YYYY/MM", "'year'=YYYY/MM", "'year'=YYYY/", "'year'"] {
            let error = columns(pattern).unwrap_err().to_string();
            assert!(error.contains("needs a name"), "{error}");
        }
    }

    #[test]
    fn the_finest_unit_is_that_of_the_smallest_letter() {
        for (pattern, finest) in [
            ("yyyy", Some(Finest::Year)),
            ("MM yyyy", Some(Finest::Month)),
            ("ww", Some(Finest::Day)),
            ("yyyy-MM-dd h a", Some(Finest::Hour)),
            ("HH:mm", Some(Finest::Minute)),
            ("ss 'S'", Some(Finest::Second)),
            ("SSS", Some(Finest::Millisecond)),
            ("'text'", None),
        ] {
            assert_eq!(
                Pattern::parse(pattern).unwrap().finest(),
                finest,
                "{pattern}"
            );
        }
    }
}
