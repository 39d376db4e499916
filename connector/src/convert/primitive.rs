//! Text, bytes, and numbers as Kafka's own serializers write them.

use std::sync::Arc;

use eddy_engine::Value;

use crate::data::{Datum, Kind, Schema};

/// What Kafka's serializers of one value write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Primitive {
    /// Text in UTF-8.
    Text,
    /// Text in ISO 8859-1, a byte a character.
    Latin,
    /// Bytes as they are.
    Bytes,
    /// One byte, zero or one.
    Boolean,
    /// Two bytes, the highest first, as the others.
    Short,
    /// Four.
    Integer,
    /// Eight.
    Long,
    /// Four.
    Float,
    /// Eight.
    Double,
}

impl Primitive {
    /// Connect's class of the same.
    pub(super) fn class(self) -> &'static str {
        match self {
            Self::Text | Self::Latin => "org.apache.kafka.connect.storage.StringConverter",
            Self::Bytes => "org.apache.kafka.connect.converters.ByteArrayConverter",
            Self::Boolean => "org.apache.kafka.connect.converters.BooleanConverter",
            Self::Short => "org.apache.kafka.connect.converters.ShortConverter",
            Self::Integer => "org.apache.kafka.connect.converters.IntegerConverter",
            Self::Long => "org.apache.kafka.connect.converters.LongConverter",
            Self::Float => "org.apache.kafka.connect.converters.FloatConverter",
            Self::Double => "org.apache.kafka.connect.converters.DoubleConverter",
        }
    }

    /// The value of `bytes`.
    ///
    /// # Errors
    /// When they are too many or too few.
    pub(super) fn convert(self, bytes: &[u8]) -> Result<Datum, String> {
        let (kind, value) = match self {
            // As Java does: what is no UTF-8 is readable, and never an error.
            Self::Text => {
                let text = String::from_utf8_lossy(bytes).into_owned();
                (Kind::String, Value::Text(text))
            }
            Self::Latin => {
                let text = bytes.iter().map(|byte| char::from(*byte)).collect();
                (Kind::String, Value::Text(text))
            }
            Self::Bytes => (Kind::Bytes, Value::Binary(bytes.to_vec())),
            Self::Boolean => match bytes {
                [0] => (Kind::Boolean, Value::Boolean(false)),
                [1] => (Kind::Boolean, Value::Boolean(true)),
                _ => return Err("a boolean is one byte, 0 or 1".to_owned()),
            },
            Self::Short => {
                let value = i16::from_be_bytes(exactly(bytes)?);
                (Kind::Int16, Value::Integer(value.into()))
            }
            Self::Integer => {
                let value = i32::from_be_bytes(exactly(bytes)?);
                (Kind::Int32, Value::Integer(value.into()))
            }
            Self::Long => {
                let value = i64::from_be_bytes(exactly(bytes)?);
                (Kind::Int64, Value::Integer(value.into()))
            }
            Self::Float => {
                let value = f32::from_be_bytes(exactly(bytes)?);
                (Kind::Float32, Value::Double(value.into()))
            }
            Self::Double => {
                let value = f64::from_be_bytes(exactly(bytes)?);
                (Kind::Float64, Value::Double(value))
            }
        };
        Ok(Datum {
            schema: Some(Arc::new(Schema::of(kind).optional())),
            value,
        })
    }
}

fn exactly<const N: usize>(bytes: &[u8]) -> Result<[u8; N], String> {
    bytes
        .try_into()
        .map_err(|_| format!("{} bytes where there must be {N}", bytes.len()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn value(primitive: Primitive, bytes: &[u8]) -> Result<Value, String> {
        primitive.convert(bytes).map(|datum| datum.value)
    }

    #[test]
    fn numbers_have_their_length_exactly_the_highest_byte_first() {
        let of = |primitive, bytes: &[u8]| value(primitive, bytes).unwrap();
        assert_eq!(of(Primitive::Short, &[255, 254]), Value::Integer(-2));
        assert_eq!(of(Primitive::Integer, &[0, 0, 1, 0]), Value::Integer(256));
        assert_eq!(
            of(Primitive::Long, &[0, 0, 0, 0, 0, 0, 0, 9]),
            Value::Integer(9)
        );
        assert_eq!(
            of(Primitive::Float, &1.5_f32.to_be_bytes()),
            Value::Double(1.5)
        );
        assert_eq!(
            of(Primitive::Double, &(-0.1_f64).to_be_bytes()),
            Value::Double(-0.1)
        );
        assert_eq!(of(Primitive::Boolean, &[1]), Value::Boolean(true));
        for (primitive, bytes) in [
            (Primitive::Short, &[1][..]),
            (Primitive::Integer, &[0; 5]),
            (Primitive::Long, b""),
            (Primitive::Boolean, &[2]),
        ] {
            assert!(
                value(primitive, bytes).is_err(),
                "{primitive:?} of {bytes:?}"
            );
        }
    }

    #[test]
    fn text_is_never_refused_and_bytes_are_what_they_are() {
        let text = value(Primitive::Text, b"a\xff").unwrap();
        assert_eq!(text, Value::Text("a\u{fffd}".to_owned()));
        let text = value(Primitive::Latin, b"a\xe9").unwrap();
        assert_eq!(text, Value::Text("aé".to_owned()));
        let bytes = value(Primitive::Bytes, b"\x00\xff").unwrap();
        assert_eq!(bytes, Value::Binary(vec![0, 255]));
        let schema = Primitive::Long.convert(&[0; 8]).unwrap().schema.unwrap();
        assert_eq!((&schema.kind, schema.optional), (&Kind::Int64, true));
    }
}
