//! The formats of the other sinks in which records stand one behind the other: JSON, lines of JSON,
//! CSV, bytes.

use eddy_engine::flat::{Compression, Decimals, Encoding, Flat, Form, Frame, Part};

use super::Reader;
use super::class::{not_built, simple_name};
use crate::error::Result;

const BOOLEANS: [(&str, bool); 2] = [("true", true), ("false", false)];

/// What Confluent's format `class` writes and its objects' extension; `None` for Parquet.
pub(super) fn confluent(reader: &Reader<'_>, class: &str) -> Result<Option<(Flat, String)>> {
    let (compression, packed) = gzip(reader)?;
    let kind = match simple_name(class) {
        "JsonFormat" => (
            Form::Alone(Part::Value),
            Frame::ended("\n"),
            ".json".to_owned(),
        ),
        "ByteArrayFormat" => {
            let separator = own(reader, "format.bytearray.separator").unwrap_or("\n");
            let extension = own(reader, "format.bytearray.extension").unwrap_or(".bin");
            (Form::Bytes, Frame::ended(separator), extension.to_owned())
        }
        "ParquetFormat" if compression == Compression::None => return Ok(None),
        "ParquetFormat" => {
            let why = "it is of JSON and bytes; for Parquet see `parquet.codec`";
            return Err(not_built(reader, "s3.compression.type", "gzip", why));
        }
        _ => {
            let instead = "`ParquetFormat`, `JsonFormat` and `ByteArrayFormat` are";
            return Err(not_built(reader, "format.class", class, instead));
        }
    };
    let decimals = [("base64", Decimals::Base64), ("numeric", Decimals::Number)];
    let (form, frame, extension) = kind;
    let flat = Flat {
        form,
        frame,
        compression,
        decimals: reader.choice("json.decimal.format", &decimals, Decimals::Base64)?,
    };
    Ok(Some((flat, format!("{extension}{packed}"))))
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
        _ => {
            let instead = "`parquet`, `json`, `jsonl` and `csv` are";
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
    let key = "format.output.envelope";
    parts.sort_unstable();
    parts.dedup();
    match (reader.choice(key, &BOOLEANS, true)?, parts.as_slice()) {
        (true, _) => Ok(Form::Object(parts)),
        (false, [only]) => Ok(Form::Alone(*only)),
        (false, _) => Err(reader.wrong(key, "false", "`true` where there are several fields")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::BTreeMap;

    use super::super::ConnectorConfig;
    use super::*;

    fn parse(needed: &[(&str, &str)], more: &[(&str, &str)]) -> Result<ConnectorConfig> {
        let all = needed.iter().chain(more);
        let map: BTreeMap<String, String> = all
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        ConnectorConfig::parse("orders", &map)
    }

    fn confluent(format: &str, more: &[(&str, &str)]) -> Result<ConnectorConfig> {
        let needed = [
            ("connector.class", "S3SinkConnector"),
            ("topics", "orders"),
            ("flush.size", "1000"),
            ("s3.bucket.name", "lake"),
            ("storage.class", "io.confluent.connect.s3.storage.S3Storage"),
            ("format.class", format),
        ];
        parse(&needed, more)
    }

    fn aiven(more: &[(&str, &str)]) -> Result<ConnectorConfig> {
        let needed = [
            ("connector.class", "AivenKafkaConnectS3SinkConnector"),
            ("topics", "orders"),
            ("aws.s3.bucket.name", "b"),
        ];
        parse(&needed, more)
    }

    fn flat(config: Result<ConnectorConfig>) -> Flat {
        config.unwrap().layout.flat().unwrap().clone()
    }

    const JSON: &str = "io.confluent.connect.s3.format.json.JsonFormat";
    const BYTES: &str = "io.confluent.connect.s3.format.bytearray.ByteArrayFormat";

    #[test]
    fn confluents_json_is_a_line_per_value_and_gzip_if_it_is_asked_for() {
        let plain = flat(confluent(JSON, &[]));
        let expected = Flat {
            form: Form::Alone(Part::Value),
            frame: Frame::ended("\n"),
            compression: Compression::None,
            decimals: Decimals::Base64,
        };
        assert_eq!(plain, expected);
        let gzip = ("s3.compression.type", "gzip");
        let packed = flat(confluent(JSON, &[gzip, ("s3.compression.level", "9")]));
        assert_eq!(packed.compression, Compression::Gzip(Some(9)));
        assert_eq!(
            flat(confluent(JSON, &[gzip])).compression,
            Compression::Gzip(None)
        );
        let numeric = flat(confluent(JSON, &[("json.decimal.format", "NUMERIC")]));
        assert_eq!(numeric.decimals, Decimals::Number);
    }

    #[test]
    fn confluents_bytes_have_their_separator_and_extension() {
        let usual = flat(confluent(BYTES, &[]));
        assert_eq!((usual.form, usual.frame), (Form::Bytes, Frame::ended("\n")));
        let none = flat(confluent(BYTES, &[("format.bytearray.separator", "")]));
        assert_eq!(none.frame, Frame::default());
        let blank = flat(confluent(BYTES, &[("format.bytearray.separator", " ")]));
        assert_eq!(blank.frame, Frame::ended(" "));
    }

    #[test]
    fn aivens_formats_have_the_parts_that_are_asked_for() {
        let usual = flat(aiven(&[]));
        let value = Encoding::Base64;
        let parts = vec![Part::Value];
        assert_eq!(usual.form, Form::Commas { parts, value });
        assert_eq!(usual.frame, Frame::lines(""));
        assert_eq!(usual.compression, Compression::Gzip(None));
        let asked = [
            ("format.output.type", "CSV"),
            ("output_fields", "offset, key,value"),
            ("output_field_value_encoding", "none"),
            ("file.compression.type", "none"),
        ];
        let value = Encoding::None;
        let parts = vec![Part::Offset, Part::Key, Part::Value];
        assert_eq!(flat(aiven(&asked)).form, Form::Commas { parts, value });
        assert_eq!(flat(aiven(&asked)).compression, Compression::None);
        let json = [
            ("format.output.type", "json"),
            ("format.output.fields", "key,value,timestamp"),
        ];
        let parts = vec![Part::Value, Part::Key, Part::Timestamp];
        assert_eq!(flat(aiven(&json)).form, Form::Object(parts));
        assert_eq!(flat(aiven(&json)).frame, Frame::list());
        let alone = [
            ("format.output.type", "jsonl"),
            ("format.output.envelope", "false"),
        ];
        assert_eq!(flat(aiven(&alone)).form, Form::Alone(Part::Value));
        assert_eq!(flat(aiven(&alone)).frame, Frame::lines(""));
    }

    #[test]
    fn what_is_wrong_or_not_built_is_refused_with_key_and_value() {
        let several = [
            ("format.output.type", "json"),
            ("format.output.envelope", "false"),
            ("format.output.fields", "key,value"),
        ];
        for (config, needles) in [
            (
                aiven(&several),
                ["`format.output.envelope` is `false`", "several"],
            ),
            (
                aiven(&[("format.output.fields", "values")]),
                ["`format.output.fields` is `values`", "headers"],
            ),
            (
                aiven(&[("format.output.type", "avro")]),
                ["`format.output.type` is `avro`", "doesn't do"],
            ),
            (
                confluent("io.confluent.connect.s3.format.avro.AvroFormat", &[]),
                ["`format.class`", "doesn't do"],
            ),
            (
                confluent("ParquetFormat", &[("s3.compression.type", "gzip")]),
                ["`s3.compression.type` is `gzip`", "parquet.codec"],
            ),
            (
                confluent(JSON, &[("s3.compression.level", "10")]),
                ["`s3.compression.level` is `10`", "9"],
            ),
        ] {
            let message = config.unwrap_err().to_string();
            assert!(
                needles.iter().all(|needle| message.contains(needle)),
                "{message}"
            );
        }
    }
}
