//! Which format a configuration asks for.

#![allow(clippy::unwrap_used, clippy::panic)]
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
const AVRO: &str = "io.confluent.connect.s3.format.avro.AvroFormat";
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
    assert_eq!(
        (usual.form, usual.frame),
        (Form::Bytes(Part::Value), Frame::ended("\n"))
    );
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
fn avro_has_the_codec_and_the_parts_that_are_asked_for() {
    let of = |config| match flat(config).form {
        Form::Avro(avro) => (avro.codec, avro.shape),
        other => panic!("{other:?}"),
    };
    let alone = Shape::Alone(Part::Value);
    assert_eq!(of(confluent(AVRO, &[])), (BlockCodec::Null, alone.clone()));
    let snappy = confluent(AVRO, &[("avro.codec", "snappy")]);
    assert_eq!(of(snappy), (BlockCodec::Snappy, alone));
    let avro = ("format.output.type", "avro");
    let fields = ("format.output.fields", "key,value");
    let envelope = Shape::Envelope(vec![Part::Key, Part::Value]);
    assert_eq!(of(aiven(&[avro, fields])), (BlockCodec::Null, envelope));
    let plain = ("format.output.envelope", "false");
    let unwrapped = Shape::Unwrapped(Part::Value);
    assert_eq!(of(aiven(&[avro, plain])), (BlockCodec::Null, unwrapped));
    assert_eq!(flat(aiven(&[avro])).compression, Compression::Gzip(None));
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
            confluent(AVRO, &[("avro.codec", "bzip2")]),
            ["`avro.codec` is `bzip2`", "deflate"],
        ),
        (
            confluent(AVRO, &[("s3.compression.type", "gzip")]),
            ["`s3.compression.type` is `gzip`", "avro.codec"],
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
