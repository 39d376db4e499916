//! Makes an event of a record, with a mark by which it is known when it comes again: pure.
//!
//! Records are read field by field as they lie on the wire: parts of the message become parts of
//! the event without a copy, and a record that comes to two bytes takes no more than it is.

use std::borrow::Cow;

use bytes::{Buf, Bytes};
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};

use super::fields::{Fields, Method, Role};
use crate::collect::produce::Event;
use crate::collect::seen::Mark;

/// Times below are in seconds, milliseconds or microseconds; those beyond in nanoseconds.
const NANOSECONDS_FROM: i64 = 100_000_000_000_000_000;
const NANOSECONDS_IN_A_MILLISECOND: i64 = 1_000_000;

/// The most headers of a record. On the wire one takes two bytes, here some fifty.
const HEADERS_MOST: usize = 4_096;

/// The records of a message, one after the other, none decoded.
pub(super) struct Records(pub(super) Bytes);

impl Iterator for Records {
    type Item = Result<Bytes, String>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match field(&mut self.0) {
                Ok(None) => return None,
                Ok(Some((1, Part::Bytes(record)))) => return Some(Ok(record)),
                Ok(Some((1, _))) => return Some(Err("the records are no messages".to_owned())),
                Ok(Some(_)) => {}
                Err(error) => {
                    self.0.clear();
                    return Some(Err(error));
                }
            }
        }
    }
}

/// The event of a record that is the `index`th of its call, with a mark if it can be known again.
///
/// # Errors
/// What is wrong with it.
pub(super) fn event(
    method: &Method,
    collection: &str,
    index: usize,
    record: Bytes,
) -> Result<Event, String> {
    let mut read = Read::default();
    read.fields(method.fields, record)?;
    if read.is_unordered {
        // A map comes in another order each time.
        read.headers.sort();
    }
    let mark = read.mark(method, collection, index);
    let Read {
        key,
        value,
        mut headers,
        place,
        ..
    } = read;
    if let Some((topic, partition, offset)) = place {
        headers.push(("kafka-topic".into(), topic));
        headers.push(("kafka-partition".into(), text(partition)));
        headers.push(("kafka-offset".into(), text(offset)));
    }
    Ok(Event {
        key: Some(key).filter(|key| !key.is_empty()),
        value,
        headers,
        mark,
    })
}

/// What was read of a record.
#[derive(Default)]
struct Read {
    key: Bytes,
    value: Bytes,
    headers: Vec<(Cow<'static, str>, Bytes)>,
    is_unordered: bool,
    /// Topic, partition and offset of what came from Kafka.
    place: Option<(Bytes, i64, i64)>,
    id: Bytes,
    timestamp: i64,
}

impl Read {
    fn fields(&mut self, fields: Fields, mut message: Bytes) -> Result<(), String> {
        if fields.iter().any(|(_, role)| *role == Role::Topic) {
            self.place = Some(Default::default());
        }
        while let Some((number, part)) = field(&mut message)? {
            // What a newer client says beside it isn't known here.
            let known = fields.iter().find(|(known, _)| *known == number);
            if let Some((_, role)) = known {
                let read = self.field(*role, part);
                read.map_err(|wrong| format!("field {number}: {wrong}"))?;
            }
            if self.headers.len() > HEADERS_MOST {
                return Err(format!("it has more than {HEADERS_MOST} headers"));
            }
        }
        Ok(())
    }

    fn field(&mut self, role: Role, part: Part) -> Result<(), String> {
        match (role, part) {
            (Role::Value, Part::Bytes(value)) => self.value = value,
            (Role::Key, Part::Bytes(key)) => self.key = key,
            (Role::Topic, Part::Bytes(topic)) => self.place.get_or_insert_default().0 = topic,
            (Role::Partition, Part::Number(number)) => {
                self.place.get_or_insert_default().1 = signed(number);
            }
            (Role::Offset, Part::Number(number)) => {
                self.place.get_or_insert_default().2 = signed(number);
            }
            (Role::Id(name), Part::Bytes(id)) => {
                self.id = id.clone();
                self.keep(name.into(), id);
            }
            (Role::Timestamp(name), Part::Number(number)) => {
                self.timestamp = signed(number);
                self.number(name, signed(number));
            }
            (Role::Text(name), Part::Bytes(text)) => self.keep(name.into(), text),
            (Role::Number(name), Part::Number(number)) => self.number(name, signed(number)),
            (Role::Natural(name), Part::Number(number)) if number > 0 => {
                self.keep(name.into(), text(number));
            }
            (Role::Yes(name), Part::Number(1..)) => self.keep(name.into(), "true".into()),
            (Role::DeadLetter, Part::Number(1..)) => {
                self.keep("force-dead-letter".into(), "true".into());
            }
            (Role::Natural(_) | Role::Yes(_) | Role::DeadLetter, Part::Number(_)) => {}
            (Role::Pairs, Part::Bytes(pair)) => self.pair("", pair)?,
            (Role::Map(prefix), Part::Bytes(pair)) => {
                self.is_unordered = true;
                self.pair(prefix, pair)?;
            }
            (Role::Attributes, Part::Bytes(attribute)) => {
                self.is_unordered = true;
                self.attribute(attribute)?;
            }
            (Role::Within(fields), Part::Bytes(message)) => self.fields(fields, message)?,
            _ => return Err("it is not of the kind that it should be".to_owned()),
        }
        Ok(())
    }

    fn keep(&mut self, name: Cow<'static, str>, value: Bytes) {
        if !value.is_empty() {
            self.headers.push((name, value));
        }
    }

    fn number(&mut self, name: &'static str, number: i64) {
        if number != 0 {
            self.headers.push((name.into(), text(number)));
        }
    }

    /// A name and a text, which may be empty.
    fn pair(&mut self, prefix: &str, pair: Bytes) -> Result<(), String> {
        let [name, value, _] = texts(pair)?;
        self.headers.push((named(prefix, &name)?, value));
        Ok(())
    }

    /// A name, and the type, the text and the bytes of its value.
    fn attribute(&mut self, attribute: Bytes) -> Result<(), String> {
        let [name, value, _] = texts(attribute)?;
        let [kind, as_text, as_bytes] = texts(value)?;
        let value = if as_bytes.is_empty() {
            as_text
        } else {
            as_bytes
        };
        self.headers.push((named("", &name)?, value));
        if !matches!(kind.as_ref(), b"" | b"String" | b"Binary") {
            self.headers.push((named("sqs-datatype-", &name)?, kind));
        }
        Ok(())
    }

    /// What the record has that no other one has: its place or its id, and what it says. Where the
    /// client's clock is finer than a millisecond, the time, its place within the call, and what it
    /// says do, too. What comes of a coarser clock may be another one.
    fn mark(&self, method: &Method, collection: &str, index: usize) -> Option<Mark> {
        let numbers = |one: i64, other: i64| (one.to_be_bytes(), other.to_be_bytes());
        let (kind, own, numbers) = match &self.place {
            // The first of all, or a client that doesn't say where it was.
            Some((topic, partition, offset)) if !topic.is_empty() && *offset > 0 => {
                ("place", topic, numbers(*partition, *offset))
            }
            _ if !self.id.is_empty() => ("id", &self.id, numbers(0, 0)),
            _ => {
                let fine = self.timestamp % NANOSECONDS_IN_A_MILLISECOND != 0;
                if self.timestamp < NANOSECONDS_FROM || !fine {
                    return None;
                }
                let index = i64::try_from(index).unwrap_or(i64::MAX);
                ("time", &self.value, numbers(self.timestamp, index))
            }
        };
        let said: [&[u8]; 8] = [
            collection.as_bytes(),
            method.name.as_bytes(),
            kind.as_bytes(),
            own,
            &numbers.0,
            &numbers.1,
            &self.key,
            &self.value,
        ];
        // Redelivered, a bus says other things about the same record.
        let headers = self.headers.iter().filter(|_| kind == "time");
        let headers = headers.flat_map(|(name, value)| [name.as_bytes(), value.as_ref()]);
        Some(Mark::of(said.into_iter().chain(headers)))
    }
}

/// What a field holds.
enum Part {
    Number(u64),
    Bytes(Bytes),
    Other,
}

/// The next field of a message.
fn field(message: &mut Bytes) -> Result<Option<(u32, Part)>, String> {
    if !message.has_remaining() {
        return Ok(None);
    }
    let wrong = |error: prost::DecodeError| error.to_string();
    let (number, kind) = decode_key(message).map_err(wrong)?;
    let part = match kind {
        WireType::Varint => Part::Number(decode_varint(message).map_err(wrong)?),
        WireType::LengthDelimited => {
            let length = decode_varint(message).map_err(wrong)?;
            match usize::try_from(length)
                .ok()
                .filter(|length| *length <= message.len())
            {
                Some(length) => Part::Bytes(message.split_to(length)),
                None => return Err("it ends too early".to_owned()),
            }
        }
        other => {
            let skipped = skip_field(other, number, message, DecodeContext::default());
            skipped.map_err(wrong)?;
            Part::Other
        }
    };
    Ok(Some((number, part)))
}

/// The fields 1 to 3 of a message, each text, bytes or a message.
fn texts(mut message: Bytes) -> Result<[Bytes; 3], String> {
    let mut texts = [Bytes::new(), Bytes::new(), Bytes::new()];
    while let Some((number, part)) = field(&mut message)? {
        let index = usize::try_from(number).unwrap_or_default().wrapping_sub(1);
        if let (Some(text), Part::Bytes(bytes)) = (texts.get_mut(index), part) {
            *text = bytes;
        }
    }
    Ok(texts)
}

fn named(prefix: &str, name: &[u8]) -> Result<Cow<'static, str>, String> {
    let name = std::str::from_utf8(name).map_err(|_| "a name is not UTF-8")?;
    Ok(format!("{prefix}{name}").into())
}

/// A number as it is written out, of 32 bits too.
fn signed(number: u64) -> i64 {
    number.cast_signed()
}

fn text(number: impl std::fmt::Display) -> Bytes {
    number.to_string().into()
}

#[cfg(test)]
mod tests;
