//! Patterns of Java's `SimpleDateFormat`, in UTC and English.

use super::date::format_field;
use super::date_parse::parse;

/// A pattern that prints and reads moments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct DatePattern {
    text: String,
    parts: Vec<Part>,
}

/// A part of a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    Text(String),
    /// A letter, and how often it stands there.
    Field(char, usize),
}

/// What the letters may be.
const LETTERS: &str = "GyYMLwWDdFEuaHkKhmsSzZX";

impl DatePattern {
    /// Parses a pattern.
    ///
    /// # Errors
    /// Says which letter means nothing, or that a quote isn't closed.
    pub(in super::super) fn parse(text: &str) -> Result<Self, String> {
        let mut parts: Vec<Part> = Vec::new();
        let mut characters = text.chars().peekable();
        while let Some(character) = characters.next() {
            if character == '\'' {
                let quoted = match characters.next_if_eq(&'\'') {
                    Some(quote) => quote.to_string(),
                    None => quoted(&mut characters)?,
                };
                push_text(&mut parts, &quoted);
            } else if character.is_ascii_alphabetic() {
                if !LETTERS.contains(character) {
                    let wanted = "a pattern of `SimpleDateFormat`; there the letter";
                    return Err(format!("{wanted} `{character}` means nothing, quote it"));
                }
                let mut count = 1;
                while characters.next_if_eq(&character).is_some() {
                    count += 1;
                }
                if character == 'X' && count > 3 {
                    return Err("at most three `X` in a row".to_owned());
                }
                parts.push(Part::Field(character, count));
            } else {
                push_text(&mut parts, character.encode_utf8(&mut [0; 4]));
            }
        }
        Ok(Self {
            text: text.to_owned(),
            parts,
        })
    }

    /// The pattern as it was written.
    pub(in super::super) fn text(&self) -> &str {
        &self.text
    }

    /// Prints a moment, in milliseconds since the Unix epoch; `None` beyond what a calendar has.
    pub(in super::super) fn format(&self, ms: i64) -> Option<String> {
        let time = chrono::DateTime::from_timestamp_millis(ms)?.naive_utc();
        let mut out = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Field(letter, count) => format_field(*letter, *count, time, &mut out),
            }
        }
        Some(out)
    }

    /// Reads a moment, in milliseconds since the Unix epoch. What comes after it doesn't matter, as
    /// in Java.
    pub(in super::super) fn read(&self, text: &str) -> Option<i64> {
        parse(&self.parts, text)
    }
}

fn quoted(characters: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Result<String, String> {
    let mut text = String::new();
    while let Some(character) = characters.next() {
        if character != '\'' {
            text.push(character);
        } else if characters.next_if_eq(&'\'').is_some() {
            text.push('\'');
        } else {
            return Ok(text);
        }
    }
    Err("a pattern whose quotes come in pairs".to_owned())
}

fn push_text(parts: &mut Vec<Part>, text: &str) {
    match parts.last_mut() {
        Some(Part::Text(before)) => before.push_str(text),
        _ => parts.push(Part::Text(text.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// 2024-05-06T07:08:09.045Z, a Monday.
    const MOMENT: i64 = 1_714_979_289_045;

    #[test]
    fn a_pattern_prints_what_java_prints() {
        for (pattern, text) in [
            ("yyyyMMdd", "20240506"),
            ("yy-M-d", "24-5-6"),
            ("yyyy-MM-dd'T'HH:mm:ss.SSS'Z'", "2024-05-06T07:08:09.045Z"),
            ("yyyy-MM-dd'T'HH:mm:ssXXX", "2024-05-06T07:08:09Z"),
            (
                "EEE, d MMM yyyy HH:mm:ss Z",
                "Mon, 6 May 2024 07:08:09 +0000",
            ),
            ("EEEE MMMM LLL", "Monday May May"),
            ("h:mm a K k H", "7:08 AM 7 7 7"),
            ("D DDD w W F u", "127 127 19 2 1 1"),
            ("YYYY G z", "2024 AD UTC"),
            ("S SSSSSS", "45 000045"),
            ("'it''s' ''yyyy''", "it's '2024'"),
            ("yyyyy", "02024"),
            ("y", "2024"),
            ("'year'=yyyy/'month'=MM", "year=2024/month=05"),
        ] {
            let parsed = DatePattern::parse(pattern).unwrap();
            assert_eq!(parsed.format(MOMENT).unwrap(), text, "{pattern}");
        }
        let week = DatePattern::parse("YYYY-ww").unwrap();
        assert_eq!(
            week.format(1_735_603_200_000).unwrap(),
            "2025-01",
            "a week of two years"
        );
        let midnight = DatePattern::parse("h K k H a").unwrap();
        assert_eq!(midnight.format(0).unwrap(), "12 0 24 0 AM");
    }

    #[test]
    fn a_pattern_reads_what_java_reads() {
        for (pattern, text, ms) in [
            (
                "yyyy-MM-dd'T'HH:mm:ss.SSS'Z'",
                "2024-05-06T07:08:09.045Z",
                Some(MOMENT),
            ),
            (
                "yyyy-MM-dd'T'HH:mm:ss.SSSXXX",
                "2024-05-06T09:08:09.045+02:00",
                Some(MOMENT),
            ),
            (
                "yyyy-MM-dd'T'HH:mm:ss.SSSXXX",
                "2024-05-06T07:08:09.045Z",
                Some(MOMENT),
            ),
            ("yyyyMMddHHmmssSSS", "20240506070809045", Some(MOMENT)),
            ("yyyy MM dd HH mm ss S", "2024 5 6 7 8 9 45", Some(MOMENT)),
            (
                "EEE, d MMM yyyy HH:mm:ss Z",
                "Mon, 6 May 2024 03:08:09 -0400",
                Some(1_714_979_289_000),
            ),
            ("dd/MM/yy", "06/05/24 and more", Some(1_714_953_600_000)),
            ("yyyy-MM-dd", "2024-13-01", Some(1_735_689_600_000)),
            (
                "yyyy-MM-dd hh:mm a",
                "2024-05-06 01:00 PM",
                Some(1_715_000_400_000),
            ),
            (
                "yyyy-MM-dd hh:mm a",
                "2024-05-06 12:00 am",
                Some(1_714_953_600_000),
            ),
            ("yyyy-DDD", "2024-127", Some(1_714_953_600_000)),
            ("yyyy", "2024", Some(1_704_067_200_000)),
            ("HH:mm", "01:30", Some(5_400_000)),
            ("yyyy-MM-dd z", "2024-05-06 UTC", Some(1_714_953_600_000)),
            (
                "yyyy-MM-dd z",
                "2024-05-06 GMT+01:00",
                Some(1_714_950_000_000),
            ),
            ("yyyy-MM-dd", "2024/05/06", None),
            ("yyyy-MM-dd", "", None),
            ("yyyy-MM-dd", "not a date", None),
            ("yyyy-MM-dd'T'HH", "2024-05-06 07", None),
        ] {
            assert_eq!(
                DatePattern::parse(pattern).unwrap().read(text),
                ms,
                "{pattern} {text}"
            );
        }
    }

    #[test]
    fn a_pattern_that_java_refuses_is_refused() {
        for pattern in ["yyyy-b", "'open", "T", "XXXX"] {
            assert!(DatePattern::parse(pattern).is_err(), "{pattern}");
        }
    }

    #[test]
    fn whatever_is_printed_to_the_millisecond_is_read_again() {
        let pattern = DatePattern::parse("yyyy-MM-dd HH:mm:ss.SSS Z").unwrap();
        for ms in [
            0,
            MOMENT,
            -1,
            951_782_400_000,
            4_102_444_799_999,
            -62_135_596_800_000,
        ] {
            assert_eq!(pattern.read(&pattern.format(ms).unwrap()), Some(ms));
        }
    }
}
