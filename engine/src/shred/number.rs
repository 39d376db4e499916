//! Numbers of a JSON text whose grammar is already checked.

/// The integer, if it fits 64 bits.
#[inline]
pub(crate) fn integer(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text.split_first() {
        Some((b'-', digits)) => (true, digits),
        _ => (false, text),
    };
    if digits.len() > 18 {
        return std::str::from_utf8(text).ok()?.parse().ok();
    }
    let value = digits
        .iter()
        .fold(0_i64, |value, digit| value * 10 + i64::from(digit & 15));
    Some(if negative { -value } else { value })
}

/// The integer, if it has at most 38 digits.
pub(crate) fn wide(text: &[u8]) -> Option<i128> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// The digits behind the point of a number without an exponent.
pub(crate) fn scale(text: &[u8]) -> usize {
    match text.iter().position(|byte| *byte == b'.') {
        Some(point) => text.len() - point - 1,
        None => 0,
    }
}

/// The digits of a number without an exponent as an integer: the number times ten to the power of
/// its [`scale`]. `None` if it has more than 38.
pub(crate) fn unscaled(text: &[u8]) -> Option<i128> {
    let mut value = 0_i128;
    for byte in text.iter().filter(|byte| byte.is_ascii_digit()) {
        value = value * 10 + i128::from(byte & 15);
        if value >= 10_i128.pow(38) {
            return None;
        }
    }
    let negative = text.first() == Some(&b'-');
    Some(if negative { -value } else { value })
}

/// The number that [`Token::NotFinite`](super::tape::Token::NotFinite) stands for.
pub(crate) fn not_finite(text: &[u8]) -> f64 {
    match text {
        b"Infinity" => f64::INFINITY,
        b"-Infinity" => f64::NEG_INFINITY,
        _ => f64::NAN,
    }
}

/// The nearest double; `None` for what would become infinite, or zero without being zero.
#[inline]
pub(crate) fn double(text: &[u8]) -> Option<f64> {
    if let Some(value) = short_double(text) {
        return Some(value);
    }
    let value: f64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    let vanished = value == 0.0
        && text
            .iter()
            .take_while(|byte| !matches!(byte, b'e' | b'E'))
            .any(|byte| matches!(byte, b'1'..=b'9'));
    (value.is_finite() && !vanished).then_some(value)
}

/// Up to 15 digits without an exponent: digits and power of ten are exact doubles, so one division
/// rounds correctly.
#[inline]
fn short_double(text: &[u8]) -> Option<f64> {
    const POWERS: [f64; 16] = [
        1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
    ];
    if text.len() > 17 {
        return None;
    }
    let mut mantissa = 0_u64;
    let mut digits = 0;
    let mut behind_point = None;
    let mut negative = false;
    for &byte in text {
        match byte {
            b'0'..=b'9' => {
                mantissa = mantissa * 10 + u64::from(byte & 15);
                digits += 1;
            }
            b'.' => behind_point = Some(digits),
            b'-' => negative = true,
            _ => return None,
        }
    }
    if digits > 15 {
        return None;
    }
    let power = POWERS.get(digits - behind_point.unwrap_or(digits))?;
    let value = mantissa as f64 / power;
    Some(if negative { -value } else { value })
}

/// The integer is exactly a double.
#[inline]
pub(crate) fn is_exact(integer: i64) -> bool {
    integer.unsigned_abs() <= 1 << 53 || (integer as f64) as i128 == i128::from(integer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_fit_or_do_not() {
        assert_eq!(integer(b"-0"), Some(0));
        assert_eq!(
            integer(b"123456789012345678"),
            Some(123_456_789_012_345_678)
        );
        assert_eq!(integer(b"-9223372036854775808"), Some(i64::MIN));
        assert_eq!(integer(b"9223372036854775808"), None);
        assert_eq!(
            wide(b"99999999999999999999999999999999999999"),
            Some(10_i128.pow(38) - 1)
        );
    }

    #[test]
    fn doubles_are_the_nearest_and_never_infinite() {
        for text in [
            "0.1",
            "-123.456",
            "1e3",
            "0.000001",
            "123456789012345.6",
            "1.7976931348623157e308",
        ] {
            assert_eq!(double(text.as_bytes()), text.parse().ok(), "{text}");
        }
        assert_eq!(double(b"1e999"), None);
        assert_eq!(double(b"1e-999"), None);
        assert_eq!(double(b"0e-999"), Some(0.0));
        assert!(double(b"-0.0").is_some_and(|zero| zero.is_sign_negative()));
    }

    #[test]
    fn exact_integers_are_those_that_come_back() {
        assert!(is_exact(1 << 53) && is_exact(1 << 62) && is_exact(i64::MIN));
        assert!(!is_exact((1 << 53) + 1) && !is_exact(i64::MAX));
    }
}
