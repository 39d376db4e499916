//! JSON as it stands in an object: on one line, without blanks between its parts.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, SecondsFormat};

use super::Decimals;
use crate::shred::Tape;
use crate::value::Value;

/// A record's bytes as a JSON text: themselves, without the blanks between their parts, if they are
/// one; else as text; else as base64.
pub(super) fn payload(bytes: &[u8], out: &mut Vec<u8>) {
    match Tape::default().parse(bytes) {
        Ok(()) => compact(bytes, out),
        Err(_) => string(bytes, out),
    }
}

/// Bytes as a JSON string: their text if they are UTF-8, else base64.
pub(super) fn string(bytes: &[u8], out: &mut Vec<u8>) {
    quoted(&text(bytes), out);
}

/// Bytes as text: theirs if they are UTF-8, else base64.
pub(super) fn text(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.into(),
        Err(_) => STANDARD.encode(bytes).into(),
    }
}

/// Text as a JSON string.
pub(super) fn quoted(text: &str, out: &mut Vec<u8>) {
    // Writing to memory can't fail.
    let _ = serde_json::to_writer(out, text);
}

/// The time of a record, as ISO 8601 has it, in UTC.
pub(super) fn instant(time_us: i64) -> String {
    DateTime::from_timestamp_micros(time_us)
        .unwrap_or_default()
        .to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

/// A JSON text without the blanks between its parts: everything else is as it was, the order of
/// keys and how numbers and strings are written.
fn compact(text: &[u8], out: &mut Vec<u8>) {
    out.reserve(text.len());
    let (mut in_string, mut escaped) = (false, false);
    for byte in text {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b' ' | b'\t' | b'\n' | b'\r' if !in_string => continue,
            _ => {}
        }
        out.push(*byte);
    }
}

/// A decoded value as Connect's JSON converter writes it: moments in milliseconds, days in days
/// since the epoch. A moment that isn't whole in milliseconds is text, since nothing is rounded.
pub(super) fn value(value: &Value, decimals: Decimals, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Boolean(true) => out.extend_from_slice(b"true"),
        Value::Boolean(false) => out.extend_from_slice(b"false"),
        Value::Integer(number) => out.extend_from_slice(number.to_string().as_bytes()),
        Value::Double(number) => double(*number, out),
        Value::Decimal { unscaled, scale } => match decimals {
            Decimals::Base64 => quoted(&STANDARD.encode(twos_complement(*unscaled)), out),
            Decimals::Number => out.extend_from_slice(decimal(*unscaled, *scale).as_bytes()),
        },
        Value::Text(text) => quoted(text, out),
        Value::Binary(bytes) => quoted(&STANDARD.encode(bytes), out),
        Value::Timestamp(us) if us % 1_000 == 0 => {
            out.extend_from_slice((us / 1_000).to_string().as_bytes());
        }
        Value::Timestamp(us) => quoted(&instant(*us), out),
        Value::Date(days) => out.extend_from_slice(days.to_string().as_bytes()),
        Value::List(elements) => {
            out.push(b'[');
            for (at, element) in elements.iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                self::value(element, decimals, out);
            }
            out.push(b']');
        }
        Value::Object(members) => {
            out.push(b'{');
            for (at, (name, member)) in members.iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                quoted(name, out);
                out.push(b':');
                self::value(member, decimals, out);
            }
            out.push(b'}');
        }
        Value::Raw(json) => compact(json.as_bytes(), out),
    }
}

/// What is no number is text, as Jackson has it.
fn double(number: f64, out: &mut Vec<u8>) {
    if number.is_finite() {
        // Writing to memory can't fail.
        let _ = serde_json::to_writer(out, &number);
    } else if number.is_nan() {
        quoted("NaN", out);
    } else if number > 0.0 {
        quoted("Infinity", out);
    } else {
        quoted("-Infinity", out);
    }
}

/// The shortest big-endian two's complement, as Java's `BigInteger` has it.
pub(super) fn twos_complement(number: i128) -> Vec<u8> {
    let bytes = number.to_be_bytes();
    let sign = if number < 0 { 0xFF } else { 0 };
    // A byte of the sign alone says nothing if the next one has the same sign.
    let is_needless = |pair: &&[u8]| match pair {
        [first, next] => *first == sign && (*next >= 0x80) == (number < 0),
        _ => false,
    };
    let needless = bytes.windows(2).take_while(is_needless).count();
    bytes.get(needless..).unwrap_or_default().to_vec()
}

/// A decimal's digits with its point.
fn decimal(unscaled: i128, scale: u8) -> String {
    let digits = format!(
        "{:0width$}",
        unscaled.unsigned_abs(),
        width = usize::from(scale) + 1
    );
    let (whole, fraction) = digits.split_at(digits.len() - usize::from(scale));
    let sign = if unscaled < 0 { "-" } else { "" };
    match fraction {
        "" => format!("{sign}{whole}"),
        _ => format!("{sign}{whole}.{fraction}"),
    }
}
