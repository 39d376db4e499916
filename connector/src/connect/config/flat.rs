//! The formats of the other sinks in which records stand one behind the other: JSON, lines of JSON,
//! CSV, bytes, Avro.

use eddy_engine::flat::{Avro, BlockCodec, Shape};
use eddy_engine::flat::{Compression, Decimals, Encoding, Flat, Form, Frame, Part};

use super::Reader;
use super::class::{not_built, simple_name};
use crate::error::Result;

const BOOLEANS: [(&str, bool); 2] = [("true", true), ("false", false)];

/// What Confluent's format `class` writes of `part` of a record, and its objects' extension; `None`
/// for Parquet. `key` has the class.
pub(super) fn confluent(
    reader: &Reader<'_>,
    (key, class): (&str, &str),
    part: Part,
) -> Result<Option<(Flat, String)>> {
    let (compression, packed) = gzip(reader)?;
    let format = simple_name(class);
    let (form, frame, extension) = match format {
        "JsonFormat" => (Form::Alone(part), Frame::ended("\n"), ".json"),
        "ByteArrayFormat" => {
            let separator = own(reader, "format.bytearray.separator").unwrap_or("\n");
            let extension = own(reader, "format.bytearray.extension").unwrap_or(".bin");
            (Form::Bytes(part), Frame::ended(separator), extension)
        }
        "AvroFormat" | "ParquetFormat" if compression != Compression::None => {
            let why = "it is of JSON and bytes; see `avro.codec` and `parquet.codec`";
            return Err(not_built(reader, "s3.compression.type", "gzip", why));
        }
        "AvroFormat" => {
            let avro = avro(reader, Shape::Alone(part))?;
            (avro, Frame::default(), ".avro")
        }
        "ParquetFormat" => return Ok(None),
        _ => {
            let instead = "`ParquetFormat`, `AvroFormat`, `JsonFormat` and `ByteArrayFormat` are";
            return Err(not_built(reader, key, class, instead));
        }
    };
    let decimals = [("base64", Decimals::Base64), ("numeric", Decimals::Number)];
    let flat = Flat {
        form,
        frame,
        compression,
        decimals: reader.choice("json.decimal.format", &decimals, Decimals::Base64)?,
    };
    Ok(Some((flat, format!("{extension}{packed}"))))
}

/// Files of Avro, under the names that Connect and Aiven's sink give to records.
fn avro(reader: &Reader<'_>, shape: Shape) -> Result<Form> {
    let codecs = [
        ("null", BlockCodec::Null),
        ("deflate", BlockCodec::Deflate),
        ("snappy", BlockCodec::Snappy),
        ("zstandard", BlockCodec::Zstandard),
    ];
    Ok(Form::Avro(Avro {
        codec: reader.choice("avro.codec", &codecs, BlockCodec::Null)?,
        shape,
        record: "io.confluent.connect.avro.ConnectDefault".to_owned(),
        envelope: "io.aiven.avro.output.schema.connector_records".to_owned(),
    }))
}

/// What Aiven's sink writes; `None` for Parquet.
pub(super) fn aiven(reader: &Reader<'_>, compression: Compression) -> Result<Option<Flat>> {
    let key = "format.output.type";
    let format = reader.text(key).unwrap_or("csv").to_ascii_lowercase();
    let parts = parts(reader)?;
    let (form, frame) = match format.as_str() {
        "parquet" => return Ok(None),
        "csv" => (
            Form::Commas {
                parts,
                value: encoding(reader)?,
            },
            Frame::lines(""),
        ),
        "json" => (members(reader, parts)?, Frame::list()),
        "jsonl" => (members(reader, parts)?, Frame::lines("")),
        "avro" => {
            let shape = match only(reader, &parts)? {
                Some(only) => Shape::Unwrapped(only),
                None => Shape::Envelope(parts),
            };
            (avro(reader, shape)?, Frame::default())
        }
        _ => {
            let instead = "`parquet`, `avro`, `json`, `jsonl` and `csv` are";
            return Err(not_built(reader, key, &format, instead));
        }
    };
    Ok(Some(Flat {
        form,
        frame,
        compression,
        decimals: Decimals::Base64,
    }))
}

/// A value with its spaces; an empty one is one too.
fn own<'a>(reader: &'a Reader<'_>, key: &str) -> Option<&'a str> {
    reader.map.get(key).map(String::as_str)
}

/// The compression of Confluent's objects, and what it adds to their names.
fn gzip(reader: &Reader<'_>) -> Result<(Compression, &'static str)> {
    let gzip = [("none", false), ("gzip", true)];
    let key = "s3.compression.level";
    let level = match reader.text(key) {
        None | Some("-1") => None,
        Some(_) => u32::try_from(reader.number(key, 0, 0, 9)?).ok(),
    };
    Ok(match reader.choice("s3.compression.type", &gzip, false)? {
        true => (Compression::Gzip(level), ".gz"),
        false => (Compression::None, ""),
    })
}

/// The parts of a record that Aiven's sink was asked for, in that order.
fn parts(reader: &Reader<'_>) -> Result<Vec<Part>> {
    let key = "format.output.fields";
    let text = reader.text(key).or_else(|| reader.text("output_fields"));
    let text = text.unwrap_or("value");
    let mut parts = Vec::new();
    for name in text.split(',').map(str::trim) {
        let part = match name.to_ascii_lowercase().as_str() {
            "key" => Part::Key,
            "value" => Part::Value,
            "offset" => Part::Offset,
            "timestamp" => Part::Timestamp,
            "headers" => Part::Headers,
            _ => {
                let allowed = "some of `key`, `value`, `offset`, `timestamp` and `headers`";
                return Err(reader.wrong(key, text, allowed));
            }
        };
        parts.push(part);
    }
    Ok(parts)
}

fn encoding(reader: &Reader<'_>) -> Result<Encoding> {
    let keys = [
        "format.output.fields.value.encoding",
        "output_field_value_encoding",
    ];
    let encodings = [("base64", Encoding::Base64), ("none", Encoding::None)];
    let mut encoding = Encoding::default();
    for key in keys.into_iter().rev() {
        encoding = reader.choice(key, &encodings, encoding)?;
    }
    Ok(encoding)
}

/// The members in the order in which Java's map has them: nobody asked for one, and it is always
/// this.
fn members(reader: &Reader<'_>, mut parts: Vec<Part>) -> Result<Form> {
    parts.sort_unstable();
    parts.dedup();
    Ok(match only(reader, &parts)? {
        Some(only) => Form::Alone(only),
        None => Form::Object(parts),
    })
}

/// The part that is written without an object around it, where that was asked for.
fn only(reader: &Reader<'_>, parts: &[Part]) -> Result<Option<Part>> {
    let key = "format.output.envelope";
    match (reader.choice(key, &BOOLEANS, true)?, parts) {
        (true, _) => Ok(None),
        (false, [only]) => Ok(Some(*only)),
        (false, _) => Err(reader.wrong(key, "false", "`true` where there are several fields")),
    }
}

#[cfg(test)]
mod tests;
