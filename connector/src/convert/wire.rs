//! How a record says by which registered schema it was written.
//!
//! In front of the bytes: a zero, the schema's id in four bytes, and with Protobuf the way to the
//! message within its file. Or, by newer clients, in a header: a zero and the id or a one and a
//! GUID of 16 bytes, and then the payload is nothing but that.

use std::fmt;

/// The header that names the key's schema.
pub(super) const KEY_HEADER: &str = "__key_schema_id";
/// The header that names the value's schema.
pub(super) const VALUE_HEADER: &str = "__value_schema_id";

/// What a registry knows a schema by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum SchemaKey {
    /// An id.
    Id(i32),
    /// A GUID.
    Guid([u8; 16]),
}

impl fmt::Display for SchemaKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => write!(f, "{id}"),
            Self::Guid(bytes) => {
                for (at, byte) in bytes.iter().enumerate() {
                    if matches!(at, 4 | 6 | 8 | 10) {
                        f.write_str("-")?;
                    }
                    write!(f, "{byte:02x}")?;
                }
                Ok(())
            }
        }
    }
}

/// A record's bytes, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Framed<'a> {
    pub(super) schema: SchemaKey,
    /// What follows the key of the schema where that stands: with Protobuf the message's indexes,
    /// then its bytes.
    pub(super) rest: &'a [u8],
    /// The payload, where `rest` is a header's.
    pub(super) payload: Option<&'a [u8]>,
}

/// Takes the bytes of a key or a value apart; `header` is the last one that names its schema.
///
/// # Errors
/// Why the bytes aren't those of a registered schema.
pub(super) fn frame<'a>(header: Option<&'a [u8]>, bytes: &'a [u8]) -> Result<Framed<'a>, String> {
    match header {
        Some(header) => {
            let (schema, rest) = key(header)
                .ok_or_else(|| format!("a header of {} bytes names no schema", header.len()))?;
            Ok(Framed {
                schema,
                rest,
                payload: Some(bytes),
            })
        }
        None => {
            let (schema, rest) = key(bytes)
                .filter(|(schema, _)| matches!(schema, SchemaKey::Id(_)))
                .ok_or_else(|| unframed(bytes))?;
            Ok(Framed {
                schema,
                rest,
                payload: None,
            })
        }
    }
}

fn unframed(bytes: &[u8]) -> String {
    match bytes.first() {
        Some(0) | None => format!(
            "{} bytes are too few for a schema id and a value; was the record written with a \
             registry's serializer?",
            bytes.len()
        ),
        Some(byte) => format!(
            "the first byte is {byte} and not 0: the record was not written with a registry's \
             serializer"
        ),
    }
}

fn key(bytes: &[u8]) -> Option<(SchemaKey, &[u8])> {
    match bytes.split_first()? {
        (0, rest) => {
            let (id, rest) = rest.split_first_chunk::<4>()?;
            Some((SchemaKey::Id(i32::from_be_bytes(*id)), rest))
        }
        (1, rest) => {
            let (guid, rest) = rest.split_first_chunk::<16>()?;
            Some((SchemaKey::Guid(*guid), rest))
        }
        _ => None,
    }
}

/// The most steps from a file to a message.
const INDEXES_MOST: i64 = 64;

/// The way from a Protobuf file to a message, and what follows it.
///
/// # Errors
/// Why there is none.
pub(super) fn message_indexes(bytes: &[u8]) -> Result<(Vec<usize>, &[u8]), String> {
    let broken = || "the list of message indexes is broken".to_owned();
    let (count, mut rest) = zigzag(bytes).ok_or_else(broken)?;
    if count == 0 {
        // The first message, which is nearly always meant.
        return Ok((vec![0], rest));
    }
    if !(1..=INDEXES_MOST).contains(&count) {
        return Err(broken());
    }
    let mut indexes = Vec::new();
    for _ in 0..count {
        let (index, left) = zigzag(rest).ok_or_else(broken)?;
        indexes.push(usize::try_from(index).map_err(|_| broken())?);
        rest = left;
    }
    Ok((indexes, rest))
}

/// An integer of variable length with its sign in the last bit, and what follows it: Avro's `long`
/// too.
pub(super) fn zigzag(bytes: &[u8]) -> Option<(i64, &[u8])> {
    let mut value = 0_u64;
    for (at, byte) in bytes.iter().take(10).enumerate() {
        let part = u64::from(byte & 0x7f);
        if at == 9 && part > 1 {
            return None;
        }
        value |= part << (7 * at);
        if byte & 0x80 == 0 {
            let signed = (value >> 1) as i64 ^ -((value & 1) as i64);
            return Some((signed, bytes.get(at + 1..)?));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_schema_is_named_in_front_of_the_bytes_or_in_a_header() {
        let framed = frame(None, b"\x00\x00\x00\x01\x02rest").unwrap();
        assert_eq!(framed.schema, SchemaKey::Id(258));
        assert_eq!((framed.rest, framed.payload), (&b"rest"[..], None));
        let framed = frame(Some(b"\x00\x00\x00\x00\x07\x00"), b"\x00body").unwrap();
        assert_eq!(framed.schema, SchemaKey::Id(7));
        assert_eq!(framed.payload, Some(&b"\x00body"[..]));
        let guid = [1, 0x89, 0x79, 0x1a, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11];
        let framed = frame(Some(&guid), b"").unwrap();
        let shown = framed.schema.to_string();
        assert_eq!(shown, "89791a00-0001-0203-0405-060708090a0b");
    }

    #[test]
    fn bytes_without_a_schema_say_what_they_are() {
        assert!(
            frame(None, b"{}")
                .unwrap_err()
                .contains("first byte is 123")
        );
        assert!(
            frame(None, b"\x00\x00\x00")
                .unwrap_err()
                .contains("3 bytes")
        );
        assert!(frame(None, b"").unwrap_err().contains("0 bytes"));
        // A GUID is never in front: a one there is somebody's payload.
        assert!(frame(None, &[1; 40]).is_err());
        assert!(
            frame(Some(b"\x00\x01"), b"x")
                .unwrap_err()
                .contains("header")
        );
    }

    #[test]
    fn message_indexes_lead_through_nested_messages() {
        assert_eq!(
            message_indexes(b"\x00rest").unwrap(),
            (vec![0], &b"rest"[..])
        );
        let (indexes, rest) = message_indexes(b"\x04\x02\x06rest").unwrap();
        assert_eq!((indexes, rest), (vec![1, 3], &b"rest"[..]));
        for broken in [&b""[..], b"\x01", b"\x04\x02", b"\x02\x01", b"\xff"] {
            assert!(message_indexes(broken).is_err(), "{broken:?}");
        }
    }

    #[test]
    fn integers_of_variable_length_have_ten_bytes_at_most() {
        for value in [0, -1, 1, 63, 64, i64::MIN, i64::MAX] {
            let mut bytes = Vec::new();
            let mut left = ((value << 1) ^ (value >> 63)) as u64;
            while left >= 0x80 {
                bytes.push(left as u8 | 0x80);
                left >>= 7;
            }
            bytes.push(left as u8);
            assert_eq!(zigzag(&bytes), Some((value, &b""[..])));
        }
        assert_eq!(zigzag(&[0xff; 11]), None);
        assert_eq!(zigzag(b"\x80"), None);
    }
}
