//! Values as Avro's binary, by the type of their place.

use super::schema::{Record, Type};
use crate::error::{Error, Result};
use crate::flat::{Decimals, json};
use crate::value::Value;

/// Writes `value` as `kind`, which was made of it and others.
///
/// # Errors
/// `Internal` for a value that is none of the kind.
pub(super) fn value(value: &Value, kind: &Type, out: &mut Vec<u8>) -> Result<()> {
    match (kind, value) {
        (Type::Union(branches), _) => {
            let at = branch(value, branches).ok_or_else(misfit)?;
            let kind = branches.get(at).ok_or_else(misfit)?;
            long(at.try_into().unwrap_or_default(), out);
            return self::value(value, kind, out);
        }
        (Type::Null, Value::Null) => {}
        (Type::Boolean, Value::Boolean(is)) => out.push(u8::from(*is)),
        (Type::Long, Value::Integer(number)) => {
            long(i64::try_from(*number).map_err(|_| misfit())?, out);
        }
        (Type::Double, Value::Integer(number)) => {
            out.extend_from_slice(&(*number as f64).to_le_bytes());
        }
        (Type::Double, Value::Double(number)) => out.extend_from_slice(&number.to_le_bytes()),
        (Type::Bytes, Value::Binary(bytes)) => sized(bytes, out),
        (Type::Date, Value::Date(days)) => long(i64::from(*days), out),
        (Type::Moment(ticks), Value::Timestamp(us)) => long(us.div_euclid(*ticks), out),
        (Type::Decimal(to), Value::Decimal { unscaled, scale }) => {
            let more = u32::from(to.checked_sub(*scale).ok_or_else(misfit)?);
            let scaled = 10_i128
                .checked_pow(more)
                .and_then(|by| unscaled.checked_mul(by));
            sized(&json::twos_complement(scaled.ok_or_else(misfit)?), out);
        }
        (Type::List(kind), Value::List(elements)) => {
            begin(elements.len(), out);
            for element in elements {
                self::value(element, kind, out)?;
            }
            out.push(END);
        }
        (Type::Map(kind), Value::Object(members)) => {
            begin(members.len(), out);
            for (name, member) in members {
                sized(name.as_bytes(), out);
                self::value(member, kind, out)?;
            }
            out.push(END);
        }
        (Type::Record(record), Value::Object(members)) => fields(record, members, out)?,
        (Type::Text, _) => text(value, out),
        _ => return Err(misfit()),
    }
    Ok(())
}

fn fields(record: &Record, members: &[(String, Value)], out: &mut Vec<u8>) -> Result<()> {
    let mut pairs = record.fields.iter().zip(members);
    let are_aligned = members.len() == record.fields.len()
        && pairs.all(|(field, (name, _))| *name == field.member);
    for (at, field) in record.fields.iter().enumerate() {
        let one = match are_aligned {
            true => members.get(at),
            // Of a key that comes twice the last value counts.
            false => members.iter().rev().find(|(name, _)| *name == field.member),
        };
        value(
            one.map_or(&Value::Null, |(_, value)| value),
            &field.kind,
            out,
        )?;
    }
    Ok(())
}

/// The branch of a union that takes the value.
fn branch(value: &Value, branches: &[Type]) -> Option<usize> {
    let find = |takes: &dyn Fn(&Type) -> bool| branches.iter().position(takes);
    let own = find(&|kind| match (kind, value) {
        (Type::Null, Value::Null)
        | (Type::Boolean, Value::Boolean(_))
        | (Type::Double, Value::Double(_))
        | (Type::Bytes, Value::Binary(_))
        | (Type::Date, Value::Date(_))
        | (Type::Moment(_), Value::Timestamp(_))
        | (Type::Decimal(_), Value::Decimal { .. })
        | (Type::List(_), Value::List(_))
        | (Type::Map(_) | Type::Record(_), Value::Object(_)) => true,
        (Type::Long, Value::Integer(number)) => i64::try_from(*number).is_ok(),
        _ => false,
    });
    let number = || match value {
        Value::Integer(number) if i64::try_from(*number).is_ok() => {
            find(&|kind| *kind == Type::Double)
        }
        _ => None,
    };
    own.or_else(number)
        .or_else(|| find(&|kind| *kind == Type::Text))
}

/// Text, and what no other type holds as its JSON says it.
fn text(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Text(text) => sized(text.as_bytes(), out),
        Value::Timestamp(us) => sized(json::instant(*us).as_bytes(), out),
        other => {
            let mut text = Vec::new();
            json::value(other, Decimals::Number, &mut text);
            sized(&text, out);
        }
    }
}

fn misfit() -> Error {
    Error::internal("a value isn't of the type that its Avro file has for it")
}

/// Begins a list or map of so many elements, all in one block.
fn begin(count: usize, out: &mut Vec<u8>) {
    if count > 0 {
        long(count.try_into().unwrap_or(i64::MAX), out);
    }
}

/// A block of no elements, behind the last of a list or map.
const END: u8 = 0;

/// Bytes or text with their length.
pub(super) fn sized(bytes: &[u8], out: &mut Vec<u8>) {
    long(bytes.len().try_into().unwrap_or(i64::MAX), out);
    out.extend_from_slice(bytes);
}

/// An integer, zigzag in groups of seven bits.
pub(super) fn long(number: i64, out: &mut Vec<u8>) {
    let mut left = ((number << 1) ^ (number >> 63)).cast_unsigned();
    while left >= 0x80 {
        out.push((left & 0x7F) as u8 | 0x80);
        left >>= 7;
    }
    out.push(left as u8);
}
