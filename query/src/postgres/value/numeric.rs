//! Exact numbers in Postgres' binary form: digits of ten thousand, from the point to both sides.

use bytes::{Buf, BufMut, BytesMut};

const NEGATIVE: u16 = 0x4000;

/// Writes a number that is given in digits, such as `-12.50`.
pub(super) fn write(text: &str, out: &mut BytesMut) {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (NEGATIVE, digits),
        None => (0, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let lead = (4 - whole.len() % 4) % 4;
    let tail = (4 - fraction.len() % 4) % 4;
    let all = format!("{}{whole}{fraction}{}", "0".repeat(lead), "0".repeat(tail));
    let mut groups: Vec<i16> = all
        .as_bytes()
        .chunks(4)
        .map(|group| {
            let digit = |number: i16, byte: &u8| number * 10 + i16::from(byte.saturating_sub(b'0'));
            group.iter().fold(0, digit)
        })
        .collect();
    let mut weight = i16::try_from((whole.len() + lead) / 4).unwrap_or(i16::MAX) - 1;
    let zeros = groups.iter().take_while(|group| **group == 0).count();
    groups.drain(..zeros);
    weight = weight.saturating_sub(i16::try_from(zeros).unwrap_or(i16::MAX));
    while groups.last() == Some(&0) {
        groups.pop();
    }
    if groups.is_empty() {
        weight = 0;
    }
    out.put_i16(i16::try_from(groups.len()).unwrap_or(i16::MAX));
    out.put_i16(weight);
    out.put_u16(if groups.is_empty() { 0 } else { sign });
    out.put_u16(u16::try_from(fraction.len()).unwrap_or(u16::MAX));
    for group in groups {
        out.put_i16(group);
    }
}

/// The digits of a number; `None` for what is none (`NaN`, the infinities) and for broken bytes.
pub(super) fn read(mut bytes: &[u8]) -> Option<String> {
    let count = usize::from(bytes.try_get_u16().ok()?);
    let weight = i32::from(bytes.try_get_i16().ok()?);
    let sign = bytes.try_get_u16().ok()?;
    let scale = usize::from(bytes.try_get_u16().ok()?);
    if sign != 0 && sign != NEGATIVE || bytes.len() != 2 * count {
        return None;
    }
    let mut groups = Vec::with_capacity(count);
    while let Ok(group) = bytes.try_get_u16() {
        groups.push(group);
    }
    let group = |power: i32| {
        let at = usize::try_from(weight - power).ok();
        at.and_then(|at| groups.get(at)).copied().unwrap_or(0)
    };
    let whole: String = (0..=weight.max(0))
        .rev()
        .map(|power| format!("{:04}", group(power)))
        .collect();
    let whole = whole.trim_start_matches('0');
    let powers = i32::try_from(scale.div_ceil(4)).ok()?;
    let mut fraction: String = (1..=powers)
        .map(|power| format!("{:04}", group(-power)))
        .collect();
    fraction.truncate(scale);
    let minus = if sign == NEGATIVE { "-" } else { "" };
    let whole = if whole.is_empty() { "0" } else { whole };
    let point = if fraction.is_empty() { "" } else { "." };
    Some(format!("{minus}{whole}{point}{fraction}"))
}
