//! Numbers by their exact value, whichever column they are stored in.
//!
//! A long, a decimal and a double have no common type that holds them all: as doubles,
//! 9007199254740993 and ...992 are one. So numbers are compared by a key of bytes whose order is
//! the order of the values, and written in one canonical way, so that equal numbers are equal text.

use std::fmt::{self, Write as _};

/// Doubles up to this have at most 38 digits before the point; it is a little less than 10^38.
const INTEGER_LAST: f64 = 1e38;

/// A number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Number {
    /// An integer.
    Integer(i128),
    /// What has a fraction, or is too large for an integer of 38 digits.
    Double(f64),
}

impl Number {
    /// The value of a double.
    pub(crate) fn of_double(value: f64) -> Self {
        if value.fract() == 0.0 && value.abs() <= INTEGER_LAST {
            Self::Integer(value as i128)
        } else {
            Self::Double(value)
        }
    }

    /// Reads a number as SQL writes it: digits alone are an integer, anything else is the double
    /// nearest to it.
    pub(crate) fn read(text: &str) -> Option<Self> {
        match text.parse::<i128>() {
            Ok(integer) if integer.unsigned_abs() < 10_u128.pow(38) => Some(Self::Integer(integer)),
            _ => text.parse().ok().map(Self::of_double),
        }
    }

    /// The number whose canonical text this is.
    pub(crate) fn of_canonical(text: &str) -> Option<Self> {
        // Most text is no number, and its first letter says so.
        if !text.starts_with(|first: char| first == '-' || first.is_ascii_digit()) {
            return None;
        }
        let number = Self::read(text)?;
        (number.to_string() == text).then_some(number)
    }

    /// Bytes whose order is that of the values: the nearest double, then how far it is off.
    pub(crate) fn key(self) -> [u8; KEY_BYTES] {
        let (double, off) = match self {
            Self::Integer(integer) => {
                let double = integer as f64;
                (double, integer - double as i128)
            }
            Self::Double(value) => (value, 0),
        };
        let bits = double.to_bits();
        let sign = 1 << 63;
        let ordered = if bits & sign == 0 { bits | sign } else { !bits };
        let mut key = [0; KEY_BYTES];
        let (high, low) = key.split_at_mut(8);
        high.copy_from_slice(&ordered.to_be_bytes());
        low.copy_from_slice(&(off ^ i128::MIN).to_be_bytes());
        key
    }
}

/// The bytes of a key.
pub(crate) const KEY_BYTES: usize = 24;

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer(integer) => write!(f, "{integer}"),
            // `Debug` finds the shortest text that reads back.
            Self::Double(value) => write!(f, "{value:?}"),
        }
    }
}

/// What begins the sort key of a number.
const NUMBER: char = '1';
/// What begins the sort key of any other text; numbers come first.
const TEXT: char = '2';

/// A text whose order is: numbers by their value, then everything else letter by letter. What it is
/// the key of can be had back.
pub(crate) fn sort_key(text: &str) -> String {
    let mut key = String::with_capacity(text.len() + 1 + 2 * KEY_BYTES);
    match Number::of_canonical(text) {
        Some(number) => {
            key.push(NUMBER);
            for byte in number.key() {
                // Writing to a string can't fail.
                let _ = write!(key, "{byte:02x}");
            }
        }
        None => key.push(TEXT),
    }
    key.push_str(text);
    key
}

/// The text of a sort key.
pub(crate) fn text_of(key: &str) -> Option<&str> {
    match key.strip_prefix(NUMBER) {
        Some(number) => number.get(2 * KEY_BYTES..),
        None => key.strip_prefix(TEXT),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn p21_keys_order_numbers_by_their_exact_value() {
        let ordered = [
            Number::Double(-1e300),
            Number::Integer(-10_i128.pow(38) + 1),
            Number::Integer(-9_007_199_254_740_993),
            Number::of_double(-9_007_199_254_740_992.0),
            Number::Double(-1.5),
            Number::Integer(-1),
            Number::Double(-5e-324),
            Number::of_double(-0.0),
            Number::Double(5e-324),
            Number::Integer(1),
            Number::Double(1.5),
            Number::of_double(9_007_199_254_740_992.0),
            Number::Integer(9_007_199_254_740_993),
            Number::of_double(9_007_199_254_740_994.0),
            Number::Integer(i128::from(i64::MAX)),
            Number::of_double(9_223_372_036_854_775_808.0),
            Number::of_double(1e38),
            Number::Integer(10_i128.pow(38) - 1),
            Number::Double(1e39),
            Number::Double(f64::MAX),
        ];
        for pair in ordered.windows(2) {
            let [low, high] = pair else { unreachable!() };
            assert!(low.key() < high.key(), "{low} {high}");
            assert!(
                sort_key(&low.to_string()) < sort_key(&high.to_string()),
                "{low} {high}"
            );
        }
    }

    #[test]
    fn equal_numbers_are_equal_text_and_equal_keys() {
        for (one, other) in [
            (0.0, 0),
            (-0.0, 0),
            (1.0, 1),
            (9_007_199_254_740_992.0, 1 << 53),
        ] {
            let (one, other) = (Number::of_double(one), Number::Integer(other));
            assert_eq!(
                (one.to_string(), one.key()),
                (other.to_string(), other.key())
            );
        }
    }

    #[test]
    fn only_canonical_text_is_a_number() {
        for text in ["0", "-1", "1.5", "1e300", "9007199254740993", "1e39"] {
            assert!(Number::of_canonical(text).is_some(), "{text}");
        }
        for text in [
            "", "-", "007", "+1", "1.50", "1.0", "-0", "1e5", "1e38", "0x1", "NaN", "1 ", "10a",
        ] {
            assert!(Number::of_canonical(text).is_none(), "{text}");
        }
    }

    #[test]
    fn a_sort_key_gives_its_text_back() {
        for text in ["", "5", "-1.5", "abc", "007", "\u{1}"] {
            assert_eq!(text_of(&sort_key(text)), Some(text));
        }
        assert!(sort_key("9") < sort_key("10") && sort_key("10") < sort_key(""));
        assert!(sort_key("a") < sort_key("b"));
    }
}
