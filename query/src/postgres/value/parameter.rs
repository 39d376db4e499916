//! Values of a client's parameters as literals.

use bytes::Buf;
use eddy_engine::moment;
use pgwire::api::Type;
use uuid::Uuid;

use super::moment::{EPOCH_DAYS, EPOCH_US};
use super::numeric;
use crate::error::{Error, Result};
use crate::statement::Literal;

/// A parameter as it came.
#[derive(Debug, Clone, Copy)]
pub(in crate::postgres) struct Given<'a> {
    /// Which one it is, from 1.
    pub(in crate::postgres) number: usize,
    pub(in crate::postgres) sql_type: &'a Type,
    pub(in crate::postgres) binary: bool,
    pub(in crate::postgres) bytes: Option<&'a [u8]>,
}

/// The literal of a parameter.
pub(in crate::postgres) fn literal(given: Given<'_>) -> Result<Literal> {
    let Some(bytes) = given.bytes else {
        return Ok(Literal::Null);
    };
    let found = match given.binary {
        true => of_binary(given.sql_type, bytes),
        false => std::str::from_utf8(bytes)
            .ok()
            .and_then(|text| of_text(given.sql_type, text)),
    };
    found.ok_or_else(|| {
        let form = if given.binary { "binary" } else { "text" };
        Error::invalid(format!(
            "the {form} value of the parameter `${}` is not understood as `{}`",
            given.number,
            given.sql_type.name()
        ))
        .with_hint("parameters are truths, numbers, texts, bytes, moments, days and times")
    })
}

fn of_text(sql_type: &Type, text: &str) -> Option<Literal> {
    match *sql_type {
        Type::BOOL => match text.trim().to_ascii_lowercase().as_str() {
            "t" | "true" | "y" | "yes" | "on" | "1" => Some(Literal::Boolean(true)),
            "f" | "false" | "n" | "no" | "off" | "0" => Some(Literal::Boolean(false)),
            _ => None,
        },
        Type::INT2 | Type::INT4 | Type::INT8 => {
            let number = text.trim().parse::<i64>().ok()?;
            Some(Literal::Number(number.to_string()))
        }
        Type::FLOAT4 | Type::FLOAT8 | Type::NUMERIC => number(text.trim()),
        Type::BYTEA => Some(Literal::Bytes(from_hex(text.strip_prefix("\\x")?)?)),
        _ => Some(Literal::Text(text.to_owned())),
    }
}

fn of_binary(sql_type: &Type, mut bytes: &[u8]) -> Option<Literal> {
    let literal = match *sql_type {
        Type::BOOL => Literal::Boolean(bytes.try_get_u8().ok()? != 0),
        Type::INT2 => Literal::Number(bytes.try_get_i16().ok()?.to_string()),
        Type::INT4 => Literal::Number(bytes.try_get_i32().ok()?.to_string()),
        Type::INT8 | Type::OID => Literal::Number(whole(&mut bytes)?.to_string()),
        Type::FLOAT4 => number(&bytes.try_get_f32().ok()?.to_string())?,
        Type::FLOAT8 => number(&format!("{:e}", bytes.try_get_f64().ok()?))?,
        Type::DATE => {
            let days = bytes.try_get_i32().ok()?.checked_add(EPOCH_DAYS)?;
            Literal::Text(moment::date(days))
        }
        Type::TIMESTAMP | Type::TIMESTAMPTZ => {
            let us = bytes.try_get_i64().ok()?.checked_add(EPOCH_US)?;
            Literal::Text(moment::timestamp(us))
        }
        Type::TIME => {
            let us = bytes.try_get_i64().ok()?;
            (0..86_400_000_000).contains(&us).then_some(())?;
            Literal::Text(super::moment::time(us))
        }
        Type::NUMERIC => return numeric::read(bytes).map(Literal::Number),
        Type::BYTEA => return Some(Literal::Bytes(bytes.to_vec())),
        Type::UUID => return Some(Literal::Text(Uuid::from_slice(bytes).ok()?.to_string())),
        // The first byte is a version, the rest is text.
        Type::JSONB => return text(bytes.get(1..)?),
        Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::NAME | Type::JSON | Type::UNKNOWN => {
            return text(bytes);
        }
        _ => return None,
    };
    bytes.is_empty().then_some(literal)
}

/// An integer of four or eight bytes: an oid has four.
fn whole(bytes: &mut &[u8]) -> Option<i64> {
    match bytes.len() {
        4 => bytes.try_get_u32().ok().map(i64::from),
        _ => bytes.try_get_i64().ok(),
    }
}

fn text(bytes: &[u8]) -> Option<Literal> {
    let text = std::str::from_utf8(bytes).ok()?;
    Some(Literal::Text(text.to_owned()))
}

/// A number in digits; what is none (`NaN`, `Infinity`) stays a text, which SQL makes one of.
fn number(text: &str) -> Option<Literal> {
    let value = text.parse::<f64>().ok()?;
    Some(
        match text.as_bytes().iter().any(u8::is_ascii_digit) && value.is_finite() {
            true => Literal::Number(text.trim_start_matches('+').to_owned()),
            false => Literal::Text(text.to_owned()),
        },
    )
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = text
        .chars()
        .map(|digit| {
            digit
                .to_digit(16)
                .and_then(|digit| u8::try_from(digit).ok())
        })
        .collect::<Option<_>>()?;
    let pairs = digits.chunks(2).map(|pair| match pair {
        [high, low] => Some(high * 16 + low),
        _ => None,
    });
    pairs.collect()
}
