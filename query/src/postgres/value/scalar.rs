//! One value of a plain kind, in text and in binary.

use arrow::array::{ArrayRef, AsArray};
use arrow::datatypes::{
    Date32Type, Float32Type, Float64Type, Int16Type, Int32Type, Int64Type, Time64MicrosecondType,
    TimestampMicrosecondType,
};
use bytes::{BufMut, BytesMut};

use super::kind::Kind;
use super::{moment, numeric};

/// Writes a value, which isn't null, of an array that [`Kind::plain`] made.
pub(super) fn text(kind: Kind, array: &ArrayRef, row: usize, out: &mut BytesMut) {
    let mut put = |text: &str| out.put_slice(text.as_bytes());
    match kind {
        Kind::Bool => put(if array.as_boolean().value(row) {
            "t"
        } else {
            "f"
        }),
        Kind::Int2 => put(&array.as_primitive::<Int16Type>().value(row).to_string()),
        Kind::Int4 => put(&array.as_primitive::<Int32Type>().value(row).to_string()),
        Kind::Int8 => put(&array.as_primitive::<Int64Type>().value(row).to_string()),
        Kind::Float4 => {
            let value = array.as_primitive::<Float32Type>().value(row);
            put(&float(value.into(), &format!("{value:e}")));
        }
        Kind::Float8 => {
            let value = array.as_primitive::<Float64Type>().value(row);
            put(&float(value, &format!("{value:e}")));
        }
        Kind::Numeric => put(array.as_string::<i32>().value(row)),
        Kind::Text | Kind::Json => put_text(array.as_string::<i32>().value(row), out),
        Kind::Bytes => {
            put("\\x");
            for byte in array.as_binary::<i32>().value(row) {
                put(&format!("{byte:02x}"));
            }
        }
        Kind::Timestamp | Kind::TimestampTz => {
            let us = array.as_primitive::<TimestampMicrosecondType>().value(row);
            put(&moment::timestamp(us, kind == Kind::TimestampTz));
        }
        Kind::Date => put(&moment::date(array.as_primitive::<Date32Type>().value(row))),
        Kind::Time => {
            let us = array.as_primitive::<Time64MicrosecondType>().value(row);
            put(&moment::time(us));
        }
    }
}

/// The same in binary.
pub(super) fn binary(kind: Kind, array: &ArrayRef, row: usize, out: &mut BytesMut) {
    match kind {
        Kind::Bool => out.put_u8(array.as_boolean().value(row).into()),
        Kind::Int2 => out.put_i16(array.as_primitive::<Int16Type>().value(row)),
        Kind::Int4 => out.put_i32(array.as_primitive::<Int32Type>().value(row)),
        Kind::Int8 => out.put_i64(array.as_primitive::<Int64Type>().value(row)),
        Kind::Float4 => out.put_f32(array.as_primitive::<Float32Type>().value(row)),
        Kind::Float8 => out.put_f64(array.as_primitive::<Float64Type>().value(row)),
        Kind::Numeric => numeric::write(array.as_string::<i32>().value(row), out),
        Kind::Text | Kind::Json => put_text(array.as_string::<i32>().value(row), out),
        Kind::Bytes => out.put_slice(array.as_binary::<i32>().value(row)),
        Kind::Timestamp | Kind::TimestampTz => {
            let us = array.as_primitive::<TimestampMicrosecondType>().value(row);
            out.put_i64(us.saturating_sub(moment::EPOCH_US));
        }
        Kind::Date => {
            let days = array.as_primitive::<Date32Type>().value(row);
            out.put_i32(days.saturating_sub(moment::EPOCH_DAYS));
        }
        Kind::Time => out.put_i64(array.as_primitive::<Time64MicrosecondType>().value(row)),
    }
}

/// Postgres' texts have no zero bytes, and its clients take one for the end.
fn put_text(text: &str, out: &mut BytesMut) {
    if !text.contains('\0') {
        return out.put_slice(text.as_bytes());
    }
    out.put_slice(text.replace('\0', "\u{fffd}").as_bytes());
}

/// As Postgres writes it: the shortest digits, an exponent where there would be many zeros.
fn float(value: f64, scientific: &str) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        let text = if value > 0.0 { "Infinity" } else { "-Infinity" };
        return text.to_owned();
    }
    let (digits, exponent) = scientific.split_once('e').unwrap_or((scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..15).contains(&exponent) {
        return plain(digits, exponent);
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.abs())
}

/// `1.25` and `2` as `125`.
fn plain(digits: &str, exponent: i32) -> String {
    let (sign, digits) = match digits.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", digits),
    };
    let digits = digits.replace('.', "");
    match usize::try_from(exponent) {
        Err(_) => {
            let zeros = usize::try_from(-exponent - 1).unwrap_or(0);
            format!("{sign}0.{}{digits}", "0".repeat(zeros))
        }
        Ok(exponent) if exponent + 1 >= digits.len() => {
            format!("{sign}{digits}{}", "0".repeat(exponent + 1 - digits.len()))
        }
        Ok(exponent) => {
            let (whole, fraction) = digits.split_at(exponent + 1);
            format!("{sign}{whole}.{fraction}")
        }
    }
}
