//! One record as it stands in an object, in each form.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::avro::Avro;
use super::json;
use super::rows::Row;

/// What of a record is written, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Form {
    /// One part as JSON, without an object around it.
    Alone(Part),
    /// Parts as the members of a JSON object.
    Object(Vec<Part>),
    /// The bytes of a value or a key. A null one has none.
    Bytes(Part),
    /// Parts between commas, in this order. Keys and headers are base64.
    Commas {
        /// The parts.
        parts: Vec<Part>,
        /// How the value is written.
        value: Encoding,
    },
    /// Avro's object container files.
    Avro(Avro),
}

/// A part of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Its headers.
    Headers,
    /// Its offset.
    Offset,
    /// Its value.
    Value,
    /// Its key: JSON if it looks like an object or a list, else text if it is, else bytes.
    Key,
    /// Its timestamp, as ISO 8601.
    Timestamp,
    /// Its key: text, whatever it looks like.
    KeyText,
    /// Its key: bytes, whatever they look like.
    KeyBytes,
}

/// How a value is written between commas.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Encoding {
    /// As base64, in which no comma and no line end can be.
    #[default]
    Base64,
    /// As it is.
    None,
}

impl Part {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Headers => "headers",
            Self::Offset => "offset",
            Self::Value => "value",
            Self::Key | Self::KeyText | Self::KeyBytes => "key",
            Self::Timestamp => "timestamp",
        }
    }
}

impl Form {
    /// Values stand in it as JSON.
    pub(super) fn is_json(&self) -> bool {
        matches!(self, Self::Alone(_) | Self::Object(_))
    }

    pub(super) fn write(&self, row: &Row<'_>, out: &mut Vec<u8>) {
        match self {
            Self::Alone(part) => as_json(*part, row, out),
            Self::Object(parts) => {
                out.push(b'{');
                for (at, part) in parts.iter().enumerate() {
                    if at > 0 {
                        out.push(b',');
                    }
                    json::quoted(part.name(), out);
                    out.push(b':');
                    as_json(*part, row, out);
                }
                out.push(b'}');
            }
            Self::Bytes(Part::Key | Part::KeyText | Part::KeyBytes) => {
                out.extend_from_slice(row.key.unwrap_or_default())
            }
            Self::Bytes(_) => out.extend_from_slice(row.value.unwrap_or_default()),
            // Its file is made as a whole.
            Self::Avro(_) => {}
            Self::Commas { parts, value } => {
                for (at, part) in parts.iter().enumerate() {
                    if at > 0 {
                        out.push(b',');
                    }
                    between_commas(*part, *value, row, out);
                }
            }
        }
    }
}

fn as_json(part: Part, row: &Row<'_>, out: &mut Vec<u8>) {
    match part {
        Part::Value => match row.value {
            Some(value) => json::payload(value, out),
            None => out.extend_from_slice(b"null"),
        },
        Part::Key => match row.key {
            // A number or a word is a text that a producer chose as key.
            Some(key) if key.starts_with(b"{") || key.starts_with(b"[") => json::payload(key, out),
            Some(key) => json::string(key, out),
            None => out.extend_from_slice(b"null"),
        },
        Part::KeyText => match row.key {
            Some(key) => json::string(key, out),
            None => out.extend_from_slice(b"null"),
        },
        Part::KeyBytes => match row.key {
            Some(key) => json::quoted(&STANDARD.encode(key), out),
            None => out.extend_from_slice(b"null"),
        },
        Part::Offset => out.extend_from_slice(row.offset.to_string().as_bytes()),
        Part::Timestamp => match row.time_us {
            Some(time_us) => json::quoted(&json::instant(time_us), out),
            None => out.extend_from_slice(b"null"),
        },
        Part::Headers => {
            out.push(b'[');
            for (at, (name, value)) in row.headers.iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                out.extend_from_slice(b"{\"key\":");
                json::quoted(name, out);
                out.extend_from_slice(b",\"value\":");
                match value {
                    Some(value) => json::string(value, out),
                    None => out.extend_from_slice(b"null"),
                }
                out.push(b'}');
            }
            out.push(b']');
        }
    }
}

fn between_commas(part: Part, encoding: Encoding, row: &Row<'_>, out: &mut Vec<u8>) {
    let base64 = |bytes: &[u8]| STANDARD.encode(bytes);
    match part {
        Part::Value => {
            let value = row.value.unwrap_or_default();
            match encoding {
                Encoding::Base64 => out.extend_from_slice(base64(value).as_bytes()),
                Encoding::None => out.extend_from_slice(value),
            }
        }
        Part::Key | Part::KeyText | Part::KeyBytes => {
            out.extend_from_slice(base64(row.key.unwrap_or_default()).as_bytes())
        }
        Part::Offset => out.extend_from_slice(row.offset.to_string().as_bytes()),
        Part::Timestamp => {
            let text = row.time_us.map(json::instant).unwrap_or_default();
            out.extend_from_slice(text.as_bytes());
        }
        Part::Headers => {
            for (name, value) in &row.headers {
                let value = base64(value.unwrap_or_default());
                out.extend_from_slice(format!("{}:{value};", base64(name.as_bytes())).as_bytes());
            }
        }
    }
}
