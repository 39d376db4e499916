//! Times that no column type holds, as ISO 8601 writes them; and exact numbers of any length.

use eddy_engine::{Value, moment};

const DAY_S: i64 = 86_400;

/// A moment `ticks` after the Unix epoch, of which `per_second` make a second. One that lies
/// between two microseconds is text, since a column would round it.
pub(super) fn moment_of(ticks: i64, per_second: i64) -> Value {
    const MICROS: i64 = 1_000_000;
    if per_second <= MICROS {
        let micros = ticks.checked_mul(MICROS / per_second);
        return micros.map_or_else(|| local(ticks, per_second, "Z"), Value::Timestamp);
    }
    let each = per_second / MICROS;
    match ticks.rem_euclid(each) {
        0 => Value::Timestamp(ticks.div_euclid(each)),
        _ => local(ticks, per_second, "Z"),
    }
}

/// Date and time of day, without a zone unless `zone` is one.
pub(super) fn local(ticks: i64, per_second: i64, zone: &str) -> Value {
    let seconds = ticks.div_euclid(per_second);
    let fraction = ticks.rem_euclid(per_second);
    let day = seconds.div_euclid(DAY_S);
    let Ok(day) = i32::try_from(day) else {
        // Beyond every calendar; the number itself says more than nothing.
        return Value::Integer(ticks.into());
    };
    let time = clock(seconds.rem_euclid(DAY_S), fraction, per_second);
    Value::Text(format!("{}T{time}{zone}", moment::date(day)))
}

/// A time of day; `None` if the day has no such time.
pub(super) fn time_of_day(ticks: i64, per_second: i64) -> Option<Value> {
    let day = 0..DAY_S.checked_mul(per_second)?;
    if !day.contains(&ticks) {
        return None;
    }
    let time = clock(ticks / per_second, ticks % per_second, per_second);
    Some(Value::Text(time))
}

fn clock(seconds: i64, fraction: i64, per_second: i64) -> String {
    let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    let mut text = format!("{hour:02}:{minute:02}:{second:02}");
    if fraction != 0 {
        let width = per_second.ilog10() as usize;
        let digits = format!("{fraction:0width$}");
        text.push('.');
        text.push_str(digits.trim_end_matches('0'));
    }
    text
}

/// The most bytes of an exact number: its text grows with the square of them.
const DIGIT_BYTES_MOST: usize = 1_024;

/// The exact number whose digits are the two's complement in `bytes`, `scale` of them behind the
/// point; `None` if nobody could read so many.
pub(super) fn decimal(bytes: &[u8], scale: u32) -> Option<Value> {
    let negative = bytes.first().is_some_and(|first| first & 0x80 != 0);
    if let (Ok(scale), true) = (u8::try_from(scale), bytes.len() <= 16) {
        let mut wide = [if negative { 0xff } else { 0 }; 16];
        let begin = 16 - bytes.len();
        wide.get_mut(begin..)?.copy_from_slice(bytes);
        return Some(Value::Decimal {
            unscaled: i128::from_be_bytes(wide),
            scale,
        });
    }
    let scale = usize::try_from(scale).ok()?;
    if bytes.len() > DIGIT_BYTES_MOST || scale > DIGIT_BYTES_MOST * 3 {
        return None;
    }
    let digits = digits(bytes, negative);
    let digits = format!("{digits:0>width$}", width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    let (sign, point) = (
        if negative { "-" } else { "" },
        if scale > 0 { "." } else { "" },
    );
    Some(Value::Raw(format!("{sign}{whole}{point}{fraction}").into()))
}

/// The decimal digits of the magnitude.
fn digits(bytes: &[u8], negative: bool) -> String {
    const LIMB: u64 = 1_000_000_000;
    let mut limbs: Vec<u64> = vec![0];
    let mut carry_in = negative;
    // The magnitude of a negative number is its complement plus one, from the last byte up.
    let mut magnitude: Vec<u8> = Vec::with_capacity(bytes.len());
    for byte in bytes.iter().rev() {
        let byte = if negative { !byte } else { *byte };
        let (sum, carry) = byte.overflowing_add(u8::from(carry_in));
        carry_in = carry;
        magnitude.push(sum);
    }
    if carry_in {
        magnitude.push(1);
    }
    for byte in magnitude.iter().rev() {
        let mut carry = u64::from(*byte);
        for limb in &mut limbs {
            let next = *limb * 256 + carry;
            *limb = next % LIMB;
            carry = next / LIMB;
        }
        if carry > 0 {
            limbs.push(carry);
        }
    }
    let mut text = String::new();
    for (at, limb) in limbs.iter().rev().enumerate() {
        if at == 0 {
            text.push_str(&limb.to_string());
        } else {
            text.push_str(&format!("{limb:09}"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Value {
        Value::Text(text.to_owned())
    }

    #[test]
    fn a_moment_between_two_microseconds_is_text() {
        assert_eq!(moment_of(-1, 1_000), Value::Timestamp(-1_000));
        assert_eq!(moment_of(5, 1_000_000), Value::Timestamp(5));
        assert_eq!(moment_of(-5_000, 1_000_000_000), Value::Timestamp(-5));
        let between = moment_of(1_500_000_000_000_000_001, 1_000_000_000);
        assert_eq!(between, text("2017-07-14T02:40:00.000000001Z"));
        assert!(matches!(moment_of(i64::MAX, 1_000), Value::Integer(_)));
    }

    #[test]
    fn times_without_a_zone_are_written_as_iso_8601_has_them() {
        assert_eq!(local(-1, 1_000, ""), text("1969-12-31T23:59:59.999"));
        assert_eq!(local(0, 1_000_000, ""), text("1970-01-01T00:00:00"));
        assert_eq!(time_of_day(86_399_999, 1_000), Some(text("23:59:59.999")));
        assert_eq!(time_of_day(1_500_000, 1_000_000), Some(text("00:00:01.5")));
        assert_eq!(time_of_day(86_400_000, 1_000), None);
        assert_eq!(time_of_day(-1, 1_000), None);
    }

    #[test]
    fn exact_numbers_of_any_length_keep_every_digit() {
        let decimal = |bytes: &[u8], scale| decimal(bytes, scale);
        let of = |unscaled, scale| Some(Value::Decimal { unscaled, scale });
        assert_eq!(decimal(&[0xfe, 0x0c], 2), of(-500, 2));
        assert_eq!(decimal(&[], 2), of(0, 2));
        assert_eq!(decimal(&i128::MIN.to_be_bytes(), 0), of(i128::MIN, 0));
        let raw = |text: &str| Some(Value::Raw(text.into()));
        let mut two_to_128 = vec![1];
        two_to_128.extend([0; 16]);
        let wanted = "3402823669209384634633746074317682114.56";
        assert_eq!(decimal(&two_to_128, 2), raw(wanted));
        let mut negative = vec![0xff];
        negative.extend([0; 16]);
        assert_eq!(decimal(&negative, 2), raw(&format!("-{wanted}")));
        assert_eq!(decimal(&[5], 300), raw(&format!("0.{}5", "0".repeat(299))));
        assert_eq!(decimal(&[1; 2_000], 0), None);
    }
}
