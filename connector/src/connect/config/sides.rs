//! What Confluent's sink puts beside its objects: others of the keys and headers of their records,
//! and tags.

use eddy_engine::layout::{Holds, Part, Side, Tags};

use super::class::{not_built, simple_name};
use super::{Reader, confluent, convert, flat};
use crate::convert::{ConverterSettings, Primitive};
use crate::error::Result;

const BOOLEANS: [(&str, bool); 2] = [("true", true), ("false", false)];

/// The objects beside each one of values.
pub(super) fn read(reader: &Reader<'_>) -> Result<Vec<Side>> {
    let mut sides = Vec::new();
    if reader.choice("store.kafka.keys", &BOOLEANS, false)? {
        let class = ("keys.format.class", reader.text("keys.format.class"));
        sides.push(side(reader, class, key(reader, class.1)?, ".keys")?);
    }
    if reader.choice("store.kafka.headers", &BOOLEANS, false)? {
        let class = ("headers.format.class", reader.text("headers.format.class"));
        sides.push(side(reader, class, Part::Headers, ".headers")?);
    }
    Ok(sides)
}

fn side(
    reader: &Reader<'_>,
    (key, class): (&str, Option<&str>),
    part: Part,
    name: &str,
) -> Result<Side> {
    let class = class.unwrap_or("AvroFormat");
    let (holds, extension) = match flat::confluent(reader, (key, class), part)? {
        Some((flat, extension)) => (Holds::Flat(flat), extension),
        None => {
            let (codec, extension) = confluent::codec(reader)?;
            (Holds::Column(part, codec), extension.to_owned())
        }
    };
    Ok(Side {
        holds,
        extension: format!("{name}{extension}"),
    })
}

/// What the keys' converter makes of their bytes; objects of bytes have them as they are.
fn key(reader: &Reader<'_>, format: Option<&str>) -> Result<Part> {
    let format = format.map_or("AvroFormat", simple_name);
    let key = "key.converter";
    match (convert::read(reader)?.key, format) {
        (_, "ByteArrayFormat") | (ConverterSettings::Primitive(Primitive::Bytes), _) => {
            Ok(Part::KeyBytes)
        }
        (ConverterSettings::Primitive(Primitive::Text), _) => Ok(Part::KeyText),
        (ConverterSettings::Auto | ConverterSettings::Json, _)
        | (ConverterSettings::Avro(..), "AvroFormat") => Ok(Part::Key),
        _ => {
            let class = reader.text(key).unwrap_or_default();
            let instead = "with `store.kafka.keys` it is `StringConverter`, `ByteArrayConverter`, \
                           `JsonConverter` without schemas, or `AvroConverter` for `AvroFormat`; \
                           any is for `ByteArrayFormat`";
            Err(not_built(reader, key, class, instead))
        }
    }
}

/// What the store is told of each object.
pub(super) fn tags(reader: &Reader<'_>) -> Result<Option<Tags>> {
    if !reader.choice("s3.object.tagging", &BOOLEANS, false)? {
        return Ok(None);
    }
    let key = "s3.object.tagging.key.value.pairs";
    let text = reader.text(key).unwrap_or_default();
    let mut more = Vec::new();
    for pair in text
        .split(',')
        .map(str::trim)
        .filter(|pair| !pair.is_empty())
    {
        match pair.split_once(':') {
            Some((name, value)) if !name.trim().is_empty() => {
                more.push((name.trim().to_owned(), value.trim().to_owned()));
            }
            _ => return Err(reader.wrong(key, text, "pairs such as `team:orders,stage:raw`")),
        }
    }
    // Three are the sink's own.
    if more.len() > TAGS_MOST - 3 {
        let allowed = format!("at most {} pairs: S3 takes {TAGS_MOST} tags", TAGS_MOST - 3);
        return Err(reader.wrong(key, text, &allowed));
    }
    let fates = [("ignore", true), ("fail", false)];
    let may_miss = reader.choice("s3.object.behavior.on.tagging.error", &fates, true)?;
    Ok(Some(Tags { more, may_miss }))
}

/// Tags that an object of S3 can have.
const TAGS_MOST: usize = 10;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use eddy_engine::flat::{Compression, Form, Frame};
    use eddy_engine::layout::{Codec, Foreign, Layout};

    use super::super::tests::parse;
    use super::*;
    use crate::error::Error;

    fn foreign(more: &[(&str, &str)]) -> Result<Foreign, Error> {
        let mut all = vec![
            ("connector.class", "S3SinkConnector"),
            ("topics", "orders"),
            ("flush.size", "1000"),
            ("s3.bucket.name", "lake"),
            ("storage.class", "io.confluent.connect.s3.storage.S3Storage"),
            (
                "format.class",
                "io.confluent.connect.s3.format.json.JsonFormat",
            ),
        ];
        all.extend_from_slice(more);
        parse(&all).map(|config| match config.layout {
            Layout::Foreign(foreign) => (*foreign).clone(),
            Layout::Native => panic!("it is foreign"),
        })
    }

    #[test]
    fn keys_and_headers_lie_beside_values_in_their_formats() {
        assert_eq!(foreign(&[]).unwrap().sides, []);
        let keys = ("store.kafka.keys", "true");
        let headers = ("store.kafka.headers", "true");
        let usual = foreign(&[keys, headers]).unwrap().sides;
        let names: Vec<&str> = usual.iter().map(|side| side.extension.as_str()).collect();
        assert_eq!(names, [".keys.avro", ".headers.avro"]);
        let text = (
            "key.converter",
            "org.apache.kafka.connect.storage.StringConverter",
        );
        let gzip = ("s3.compression.type", "gzip");
        let json = ("keys.format.class", "JsonFormat");
        let sides = foreign(&[keys, text, gzip, json]).unwrap().sides;
        let [side] = sides.as_slice() else {
            panic!("{sides:?}")
        };
        assert_eq!(side.extension, ".keys.json.gz");
        let Holds::Flat(flat) = &side.holds else {
            panic!("{side:?}")
        };
        assert_eq!(flat.form, Form::Alone(Part::KeyText));
        assert_eq!(flat.frame, Frame::ended("\n"));
        assert_eq!(flat.compression, Compression::Gzip(None));
        let parquet = ("headers.format.class", "ParquetFormat");
        let sides = foreign(&[headers, parquet, ("parquet.codec", "zstd")])
            .unwrap()
            .sides;
        let wanted = Side {
            holds: Holds::Column(Part::Headers, Codec::Zstd),
            extension: ".headers.zstd.parquet".to_owned(),
        };
        assert_eq!(sides, [wanted]);
    }

    #[test]
    fn tags_are_the_sinks_and_those_that_are_asked_for() {
        assert_eq!(foreign(&[]).unwrap().tags, None);
        let on = ("s3.object.tagging", "true");
        let pairs = ("s3.object.tagging.key.value.pairs", "team:orders, at:10:30");
        let fail = ("s3.object.behavior.on.tagging.error", "FAIL");
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let wanted = Tags {
            more: vec![pair("team", "orders"), pair("at", "10:30")],
            may_miss: false,
        };
        assert_eq!(foreign(&[on, pairs, fail]).unwrap().tags, Some(wanted));
        let usual = foreign(&[on]).unwrap().tags.unwrap();
        assert!(usual.more.is_empty() && usual.may_miss);
    }

    #[test]
    fn what_is_wrong_or_not_built_is_refused_with_key_and_value() {
        let keys = ("store.kafka.keys", "true");
        let on = ("s3.object.tagging", "true");
        for (more, needles) in [
            (
                &[
                    keys,
                    (
                        "key.converter",
                        "org.apache.kafka.connect.json.JsonConverter",
                    ),
                ][..],
                ["`key.converter`", "without schemas"],
            ),
            (
                &[
                    ("store.kafka.headers", "true"),
                    ("headers.format.class", "ByteArrayFormat"),
                ],
                ["`headers.format.class`", "have names"],
            ),
            (
                &[on, ("s3.object.tagging.key.value.pairs", "team")],
                ["`s3.object.tagging.key.value.pairs` is `team`", "pairs"],
            ),
            (
                &[
                    on,
                    (
                        "s3.object.tagging.key.value.pairs",
                        "a:1,b:1,c:1,d:1,e:1,f:1,g:1,h:1",
                    ),
                ],
                ["`s3.object.tagging.key.value.pairs`", "at most 7"],
            ),
        ] {
            let message = foreign(more).unwrap_err().to_string();
            assert!(
                needles.iter().all(|needle| message.contains(needle)),
                "{message}"
            );
        }
    }
}
