//! What waits in `_value` for its Avro file: a value with its kinds, or bytes that a schema is
//! known of.
//!
//! The file's schema is known once all of its values are, so a value waits as it is, not as JSON,
//! which has neither bytes nor moments.

use crate::value::Value;

/// What a row's `_value` holds.
#[derive(Debug, PartialEq)]
pub(super) enum Held<'a> {
    /// A value without a schema.
    Value(Value),
    /// The Avro of a value, and the number of its schema.
    Declared(u32, &'a [u8]),
}

const DECLARED: u8 = 0xD0;

pub(super) fn declared(schema: u32, bytes: &[u8], out: &mut Vec<u8>) {
    out.push(DECLARED);
    out.extend_from_slice(&schema.to_le_bytes());
    out.extend_from_slice(bytes);
}

/// The number of the schema that a row's value has; `None` for one without.
pub(super) fn schema_of(bytes: &[u8]) -> Option<u32> {
    let (tag, rest) = bytes.split_first()?;
    let number = rest.first_chunk::<4>().filter(|_| *tag == DECLARED)?;
    Some(u32::from_le_bytes(*number))
}

pub(super) fn value(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.push(0),
        Value::Boolean(false) => out.push(1),
        Value::Boolean(true) => out.push(2),
        Value::Integer(number) => fixed(3, &number.to_le_bytes(), out),
        Value::Double(number) => fixed(4, &number.to_le_bytes(), out),
        Value::Decimal { unscaled, scale } => {
            fixed(5, &unscaled.to_le_bytes(), out);
            out.push(*scale);
        }
        Value::Text(text) => sized(6, text.as_bytes(), out),
        Value::Binary(bytes) => sized(7, bytes, out),
        Value::Raw(json) => sized(8, json.as_bytes(), out),
        Value::Timestamp(us) => fixed(9, &us.to_le_bytes(), out),
        Value::Date(days) => fixed(10, &days.to_le_bytes(), out),
        Value::List(elements) => {
            fixed(11, &count(elements.len()), out);
            elements
                .iter()
                .for_each(|element| self::value(element, out));
        }
        Value::Object(members) => {
            fixed(12, &count(members.len()), out);
            for (name, member) in members {
                out.extend_from_slice(&count(name.len()));
                out.extend_from_slice(name.as_bytes());
                self::value(member, out);
            }
        }
    }
}

fn fixed(tag: u8, bytes: &[u8], out: &mut Vec<u8>) {
    out.push(tag);
    out.extend_from_slice(bytes);
}

fn sized(tag: u8, bytes: &[u8], out: &mut Vec<u8>) {
    fixed(tag, &count(bytes.len()), out);
    out.extend_from_slice(bytes);
}

/// A record has less than 4 GiB.
fn count(count: usize) -> [u8; 4] {
    u32::try_from(count).unwrap_or(u32::MAX).to_le_bytes()
}

/// What `bytes` hold; `None` for bytes that nobody held.
pub(super) fn read(bytes: &[u8]) -> Option<Held<'_>> {
    if let Some(schema) = schema_of(bytes) {
        return Some(Held::Declared(schema, bytes.get(5..).unwrap_or_default()));
    }
    let mut reader = Reader(bytes);
    let value = reader.value()?;
    reader.0.is_empty().then_some(Held::Value(value))
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn value(&mut self) -> Option<Value> {
        Some(match self.array::<1>()? {
            [0] => Value::Null,
            [1] => Value::Boolean(false),
            [2] => Value::Boolean(true),
            [3] => Value::Integer(i128::from_le_bytes(self.array()?)),
            [4] => Value::Double(f64::from_le_bytes(self.array()?)),
            [5] => {
                let unscaled = i128::from_le_bytes(self.array()?);
                let [scale] = self.array()?;
                Value::Decimal { unscaled, scale }
            }
            [6] => Value::Text(self.text()?.to_owned()),
            [7] => Value::Binary(self.sized()?.to_vec()),
            [8] => Value::Raw(self.text()?.into()),
            [9] => Value::Timestamp(i64::from_le_bytes(self.array()?)),
            [10] => Value::Date(i32::from_le_bytes(self.array()?)),
            [11] => {
                let elements = (0..self.count()?).map(|_| self.value());
                Value::List(elements.collect::<Option<_>>()?)
            }
            [12] => {
                let members = (0..self.count()?).map(|_| {
                    let name = self.text()?.to_owned();
                    Some((name, self.value()?))
                });
                Value::Object(members.collect::<Option<_>>()?)
            }
            _ => return None,
        })
    }

    fn text(&mut self) -> Option<&'a str> {
        std::str::from_utf8(self.sized()?).ok()
    }

    fn sized(&mut self) -> Option<&'a [u8]> {
        let count = usize::try_from(self.count()?).ok()?;
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn count(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*taken)
    }
}
