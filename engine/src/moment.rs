//! Moments and days as text, exactly: RFC 3339 in UTC.
//!
//! What the columns hold reaches further than four digits of year (64 bits of microseconds, 32 bits
//! of days), so years beyond 0 to 9999 are written as ISO 8601 does, with a sign; who reads strings
//! of strangers (`parse_rfc3339`) takes four digits only.

use std::fmt::Write as _;

/// Microseconds of a day.
const DAY_US: i64 = 86_400_000_000;

/// A moment, in microseconds since the Unix epoch: `2026-11-23T08:15:30Z`, with three or six digits
/// of fraction where it has some.
pub fn timestamp(us: i64) -> String {
    let decimals = match us.rem_euclid(1_000_000) {
        0 => 0,
        fraction if fraction % 1_000 == 0 => 3,
        _ => 6,
    };
    let mut text = String::with_capacity(27);
    write_timestamp(us, decimals, &mut text);
    text
}

/// A moment with so many digits of fraction, at most six; what they can't say is cut off.
pub(crate) fn write_timestamp(us: i64, decimals: u8, text: &mut String) {
    text.push_str(&date_of(us.div_euclid(DAY_US)));
    let of_day = us.rem_euclid(DAY_US);
    let (seconds, fraction) = (of_day / 1_000_000, of_day % 1_000_000);
    let (hours, minutes) = (seconds / 3_600, seconds / 60 % 60);
    // Writing to a string can't fail.
    let _ = write!(text, "T{hours:02}:{minutes:02}:{:02}", seconds % 60);
    let digits = format!("{fraction:06}");
    if let Some(digits) = digits.get(..usize::from(decimals.min(6)))
        && !digits.is_empty()
    {
        text.push('.');
        text.push_str(digits);
    }
    text.push('Z');
}

/// A day, in days since the Unix epoch: `2026-11-23`.
pub fn date(days: i32) -> String {
    date_of(days.into())
}

/// The same further away.
pub(crate) fn date_of(days: i64) -> String {
    // Howard Hinnant's `civil_from_days`: years that begin in March have their odd day last.
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    if (0..=9999).contains(&year) {
        format!("{year:04}-{month:02}-{day:02}")
    } else {
        format!("{year:+}-{month:02}-{day:02}")
    }
}

/// The moment that a text says, if it is RFC 3339 with capital letters and a zone, and at most six
/// digits of fraction. A leap second has no microseconds of its own and is none.
pub(crate) fn parse_rfc3339(text: &[u8]) -> Option<i64> {
    // Most strings are found out here.
    if !(20..=32).contains(&text.len()) || text.get(4) != Some(&b'-') {
        return None;
    }
    parse_timestamp(text)
}

/// The same with years of any length.
pub fn parse_timestamp(text: &[u8]) -> Option<i64> {
    let mut text = Reader { text };
    let days = text.date()?;
    text.expect(b'T')?;
    let hours = text.two(23)?;
    text.expect(b':')?;
    let minutes = text.two(59)?;
    text.expect(b':')?;
    let seconds = text.two(59)?;
    let mut us = (hours * 3_600 + minutes * 60 + seconds) * 1_000_000;
    if text.next_is(b'.') {
        let (digits, count) = text.digits(6)?;
        us += digits * 10_i64.pow(6 - count);
    }
    let offset = match text.byte()? {
        b'Z' => 0,
        sign @ (b'+' | b'-') => {
            let hours = text.two(23)?;
            text.expect(b':')?;
            let minutes = hours * 60 + text.two(59)?;
            if sign == b'-' { -minutes } else { minutes }
        }
        _ => return None,
    };
    let us = i128::from(days) * i128::from(DAY_US) + i128::from(us - offset * 60_000_000);
    text.text.is_empty().then(|| i64::try_from(us).ok())?
}

/// The day that a text says.
pub fn parse_date(text: &[u8]) -> Option<i32> {
    let mut text = Reader { text };
    let days = text.date()?;
    text.text.is_empty().then(|| i32::try_from(days).ok())?
}

struct Reader<'a> {
    text: &'a [u8],
}

impl Reader<'_> {
    fn date(&mut self) -> Option<i64> {
        let sign = match self.text.first()? {
            sign @ (b'+' | b'-') => {
                let sign = *sign;
                self.byte()?;
                Some(sign)
            }
            _ => None,
        };
        let (year, digits) = self.digits(8)?;
        if sign.is_none() && digits != 4 {
            return None;
        }
        let year = if sign == Some(b'-') { -year } else { year };
        self.expect(b'-')?;
        let month = self.two(12)?;
        self.expect(b'-')?;
        let day = self.two(31)?;
        if month < 1 || day < 1 || day > days_of_month(year, month) {
            return None;
        }
        Some(days_from_civil(year, month, day))
    }

    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.text.split_first()?;
        self.text = rest;
        Some(*first)
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        (self.byte()? == byte).then_some(())
    }

    fn next_is(&mut self, byte: u8) -> bool {
        let is = self.text.first() == Some(&byte);
        if is {
            let _ = self.byte();
        }
        is
    }

    fn two(&mut self, most: i64) -> Option<i64> {
        let (tens, ones) = (self.byte()?, self.byte()?);
        if !(tens.is_ascii_digit() && ones.is_ascii_digit()) {
            return None;
        }
        let value = i64::from(tens & 15) * 10 + i64::from(ones & 15);
        (value <= most).then_some(value)
    }

    /// One digit at least and `most` at most, and how many there are.
    fn digits(&mut self, most: u32) -> Option<(i64, u32)> {
        let (mut value, mut count) = (0, 0);
        while let Some(digit) = self.text.first().filter(|byte| byte.is_ascii_digit()) {
            value = value * 10 + i64::from(digit & 15);
            count += 1;
            if count > most {
                return None;
            }
            self.byte()?;
        }
        (count > 0).then_some((value, count))
    }
}

fn days_of_month(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Howard Hinnant's `days_from_civil`.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let shifted_month = if month > 2 { month - 3 } else { month + 9 };
    let of_year = (153 * shifted_month + 2) / 5 + day - 1;
    let of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + of_year;
    era * 146_097 + of_era - 719_468
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_moment_and_every_day_comes_back_from_its_text() {
        let mut moments = vec![
            0,
            1,
            -1,
            i64::MIN,
            i64::MAX,
            DAY_US - 1,
            -DAY_US,
            1_000,
            1_500,
        ];
        moments.extend((-3_000..3_000).map(|day| day * DAY_US * 41 + day * 1_234_567));
        for us in moments {
            assert_eq!(parse_timestamp(timestamp(us).as_bytes()), Some(us));
        }
        for days in [0, -1, 59, 60, 11_016, 11_017, i32::MIN, i32::MAX] {
            assert_eq!(parse_date(date(days).as_bytes()), Some(days));
        }
        for days in -800_000_i32..800_000 {
            let known = chrono::DateTime::from_timestamp(i64::from(days) * 86_400, 0).unwrap();
            let text = date(days);
            if text.starts_with(|first: char| first.is_ascii_digit()) {
                assert_eq!(text, known.format("%Y-%m-%d").to_string());
            }
            assert_eq!(parse_date(text.as_bytes()), Some(days));
        }
    }

    #[test]
    fn moments_are_what_chrono_says_they_are() {
        for text in [
            "2026-11-23T08:15:30Z",
            "2026-11-23T08:15:30.5+02:00",
            "1969-12-31T23:59:59.999999-11:30",
            "0000-01-01T00:00:00Z",
            "9999-12-31T23:59:59.123Z",
            "2024-02-29T00:00:00-00:00",
        ] {
            let known = chrono::DateTime::parse_from_rfc3339(text).unwrap();
            let found = parse_rfc3339(text.as_bytes());
            assert_eq!(found, Some(known.timestamp_micros()), "{text}");
        }
        assert_eq!(timestamp(1_500_000), "1970-01-01T00:00:01.500Z");
        assert_eq!(timestamp(-1), "1969-12-31T23:59:59.999999Z");
        assert_eq!(timestamp(0), "1970-01-01T00:00:00Z");
    }

    #[test]
    fn what_is_not_one_moment_to_the_microsecond_is_none() {
        for text in [
            "",
            "2026-11-23",
            "2026-11-23T08:15:30",
            "2026-11-23 08:15:30Z",
            "2026-11-23t08:15:30z",
            "2026-11-23T08:15:30.1234567Z",
            "2026-11-23T08:15:30.Z",
            "2026-11-23T08:15:60Z",
            "2026-11-23T24:00:00Z",
            "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-00-01T00:00:00Z",
            "2026-11-00T00:00:00Z",
            "2026-11-23T08:15Z",
            "2026-11-23T08:15:30+0200",
            "2026-11-23T08:15:30Z ",
            "+2026-11-23T08:15:30Z",
            "20260-11-23T08:15:30Z",
        ] {
            assert_eq!(parse_rfc3339(text.as_bytes()), None, "{text}");
        }
    }
}
