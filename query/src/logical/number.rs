//! Numbers by their exact value, whichever column they are stored in.
//!
//! A long, a decimal and a double have no common type that holds them all: as doubles,
//! 9007199254740993 and ...992 are one. So numbers are compared by a key of bytes whose order is
//! the order of the values, and written in one canonical way, so that equal numbers are equal text.
//!
//! A double with a fraction is the number that its shortest text says: 0.1 is a tenth, in whatever
//! column it is stored. Without a fraction it is exactly what it is.

use std::fmt::{self, Write as _};

use arrow::datatypes::i256;

/// Doubles up to this have at most 38 digits before the point; it is a little less than 10^38.
const INTEGER_LAST: f64 = 1e38;

/// Digits of a decimal.
const DIGITS: u8 = 38;

/// The first number of more digits.
const TOO_WIDE: i128 = 10_i128.pow(DIGITS as u32);

/// A number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Number {
    /// An integer.
    Integer(i128),
    /// An integer divided by a power of ten, with no zero at its end.
    Decimal(i128, u8),
    /// What has other digits than 38 before and 38 behind the point hold, and what is no number.
    Double(f64),
}

impl Number {
    /// The value of a double.
    pub(crate) fn of_double(value: f64) -> Self {
        if value.fract() == 0.0 && value.abs() <= INTEGER_LAST {
            return Self::Integer(value as i128);
        }
        match digits(value) {
            Some((unscaled, scale)) if (1..=i32::from(DIGITS)).contains(&scale) => {
                Self::of_decimal(unscaled, scale.unsigned_abs() as u8)
            }
            _ => Self::Double(value),
        }
    }

    /// The value of a decimal.
    pub(crate) fn of_decimal(mut unscaled: i128, mut scale: u8) -> Self {
        while scale > 0 && unscaled % 10 == 0 {
            unscaled /= 10;
            scale -= 1;
        }
        match scale {
            0 => Self::Integer(unscaled),
            scale => Self::Decimal(unscaled, scale),
        }
    }

    /// Reads a number as SQL writes it: what has up to 38 digits and no exponent is exactly what it
    /// says, anything else is the double nearest to it.
    pub(crate) fn read(text: &str) -> Option<Self> {
        match exact(text) {
            Some(number) => Some(number),
            None => text.parse().ok().map(Self::of_double),
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

    /// The double nearest to it.
    pub(crate) fn nearest(self) -> f64 {
        match self {
            Self::Integer(integer) => integer as f64,
            // Reading rounds correctly; such a text is always a number.
            Self::Decimal(unscaled, scale) => {
                format!("{unscaled}e-{scale}").parse().unwrap_or(f64::NAN)
            }
            Self::Double(value) => value,
        }
    }

    /// Its digits, and how many of them stand behind the point; `None` for what is no number.
    pub(crate) fn digits(self) -> Option<(i128, i32)> {
        match self {
            Self::Integer(integer) => Some((integer, 0)),
            Self::Decimal(unscaled, scale) => Some((unscaled, scale.into())),
            Self::Double(value) => digits(value),
        }
    }

    /// Bytes whose order is that of the values: the nearest double, then the number itself with 38
    /// digits behind the point. Of two numbers with one nearest double, both have that.
    pub(crate) fn key(self) -> [u8; KEY_BYTES] {
        let bits = self.nearest().to_bits();
        let sign = 1 << 63;
        let ordered = if bits & sign == 0 { bits | sign } else { !bits };
        let power = |exponent: u8| i256::from_i128(10_i128.pow(exponent.into()));
        let exact = match self {
            Self::Integer(integer) => i256::from_i128(integer).wrapping_mul(power(DIGITS)),
            Self::Decimal(unscaled, scale) => {
                i256::from_i128(unscaled).wrapping_mul(power(DIGITS.saturating_sub(scale)))
            }
            Self::Double(_) => i256::ZERO,
        };
        let mut key = [0; KEY_BYTES];
        let (high, low) = key.split_at_mut(8);
        high.copy_from_slice(&ordered.to_be_bytes());
        low.copy_from_slice(&exact.to_be_bytes());
        if let Some(first) = low.first_mut() {
            // Negative ones come first.
            *first ^= 0x80;
        }
        key
    }
}

/// The number that digits and a point say, without an exponent.
fn exact(text: &str) -> Option<Number> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let scale = u8::try_from(fraction.len()).ok()?;
    if scale > DIGITS || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let unscaled: i128 = format!("{whole}{fraction}").parse().ok()?;
    (unscaled.abs() < TOO_WIDE).then(|| Number::of_decimal(unscaled, scale))
}

/// The digits of a double's shortest text, and how many of them stand behind the point.
fn digits(value: f64) -> Option<(i128, i32)> {
    let text = format!("{value:e}");
    let (mantissa, exponent) = text.split_once('e')?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let unscaled = format!("{whole}{fraction}").parse().ok()?;
    let behind = i32::try_from(fraction.len()).ok()?;
    Some((unscaled, behind - exponent.parse::<i32>().ok()?))
}

/// A decimal with all of its digits.
pub(crate) fn decimal_text(unscaled: i128, scale: u8) -> String {
    let scale = usize::from(scale);
    let sign = if unscaled < 0 { "-" } else { "" };
    let digits = format!("{:0width$}", unscaled.unsigned_abs(), width = scale + 1);
    match digits.split_at_checked(digits.len() - scale) {
        Some((whole, fraction)) if scale > 0 => format!("{sign}{whole}.{fraction}"),
        _ => format!("{sign}{digits}"),
    }
}

/// The bytes of a key.
pub(crate) const KEY_BYTES: usize = 40;

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer(integer) => write!(f, "{integer}"),
            Self::Decimal(unscaled, scale) => {
                let nearest = self.nearest();
                if Self::of_double(nearest) == *self {
                    // As a double that is the same number.
                    return write!(f, "{nearest:?}");
                }
                f.write_str(&decimal_text(*unscaled, *scale))
            }
            Self::Double(value) if value.is_nan() => f.write_str("NaN"),
            Self::Double(value) if value.is_infinite() => f.write_str(if *value > 0.0 {
                "Infinity"
            } else {
                "-Infinity"
            }),
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
            Number::of_decimal(-1_500_000_000_000_000_000_001, 21),
            Number::of_double(-1.5),
            Number::Integer(-1),
            Number::Double(-5e-324),
            Number::of_double(-0.0),
            Number::Double(5e-324),
            Number::of_decimal(1, 38),
            Number::of_decimal(99_999_999_999_999_999_999, 21),
            Number::of_double(0.1),
            Number::of_decimal(100_000_000_000_000_000_001, 21),
            Number::Integer(1),
            Number::of_decimal(15 * 10_i128.pow(36) - 1, 37),
            Number::of_double(1.5),
            Number::of_decimal(15 * 10_i128.pow(36) + 1, 37),
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
    fn a_decimal_is_the_double_that_says_the_same() {
        for (text, double) in [("0.1", 0.1), ("-12.50", -12.5), ("0.0000001", 1e-7)] {
            let (one, other) = (Number::read(text).unwrap(), Number::of_double(double));
            assert_eq!((one, one.key()), (other, other.key()));
            assert_eq!(one.to_string(), format!("{double:?}"));
        }
        let exact = "0.1000000000000000055511151231257827";
        assert_eq!(Number::read(exact).unwrap().to_string(), exact);
        assert!(Number::read(exact).unwrap().key() > Number::of_double(0.1).key());
        assert_eq!(decimal_text(-5, 3), "-0.005");
        assert_eq!(decimal_text(120, 2), "1.20");
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
