//! The keys of `io.aiven.kafka.connect.s3.AivenKafkaConnectS3SinkConnector`; those of formats that
//! aren't Parquet are in `flat`.

use std::time::Duration;

use eddy_engine::flat::Compression;
use eddy_engine::layout::{
    Codec, Folders, Foreign, Format, Names, Rotation, Template, TemplateTime, TimeSource,
};
use eddy_engine::partition::Zone;
use eddy_engine::path::FLAT_TABLES;
use eddy_engine::write::CutPolicy;

use super::Reader;
use super::flat;
use super::foreign::{BYTES, ForeignConfig, Role, S3, time_source, zone};
use crate::error::{Error, Result};

/// The worker's key that says when that is, which a connector may have for itself.
pub(super) const FLUSH: &str = "offset.flush.interval.ms";

/// The sink writes its files whenever Connect commits offsets, by default.
const INTERVAL_MS: usize = 60_000;

/// Reads and checks the keys.
pub(super) fn read(reader: &Reader<'_>) -> Result<ForeignConfig> {
    let (codec, compression, extension) = codec(reader)?;
    let format = match flat::aiven(reader, compression)? {
        Some(flat) => Format::Flat(flat),
        None => Format::Parquet(codec),
    };
    let usual = format!("{{{{topic}}}}-{{{{partition}}}}-{{{{start_offset}}}}{extension}");
    let key = "file.name.template";
    let text = reader.text(key).unwrap_or(&usual);
    let template = Template::parse(text, time(reader)?).map_err(|error| {
        let allowed = "a template such as `{{topic}}-{{partition}}-{{start_offset}}`";
        reader.wrong(key, text, allowed).with_source(error)
    })?;
    let prefix = either(reader, "file.name.prefix", "file.name.prefix");
    let prefix = prefix.or(either(reader, "aws.s3.prefix", "aws_s3_prefix"));
    let records = reader.number("file.max.records", 0, 0, usize::MAX)?;
    let interval = reader.number(FLUSH, INTERVAL_MS, 1_000, 86_400_000)?;
    let interval = Duration::from_millis(u64::try_from(interval).unwrap_or(u64::MAX));
    Ok(ForeignConfig {
        lake: s3(reader)?,
        topics_dir: FLAT_TABLES.to_owned(),
        layout: Foreign {
            names: Names::Template {
                prefix: prefix.unwrap_or_default().to_owned(),
            },
            folders: Folders::Template(template),
            rotation: Rotation {
                records: u64::try_from(records).ok().filter(|most| *most > 0),
                per_file: true,
                span: None,
                on_change: false,
                whole: false,
                open_most: interval,
            },
            format,
            sides: Vec::new(),
            tags: None,
        },
        cut: CutPolicy {
            interval,
            bytes: BYTES,
            ..CutPolicy::default()
        },
    })
}

/// A value by its name or its old one.
fn either<'a>(reader: &'a Reader<'_>, key: &str, old: &str) -> Option<&'a str> {
    reader.text(key).or_else(|| reader.text(old))
}

/// The compression of pages of Parquet, or of other objects as a whole, and what it adds to names.
fn codec(reader: &Reader<'_>) -> Result<(Codec, Compression, &'static str)> {
    let key = "file.compression.type";
    let text = either(reader, key, "output_compression").unwrap_or("gzip");
    match text.to_ascii_lowercase().as_str() {
        "gzip" => Ok((Codec::Gzip, Compression::Gzip(None), ".gz")),
        "snappy" => Ok((Codec::Snappy, Compression::Snappy, ".snappy")),
        "zstd" => Ok((Codec::Zstd, Compression::Zstd, ".zst")),
        "none" => Ok((Codec::None, Compression::None, "")),
        _ => Err(reader.wrong(key, text, "`gzip`, `snappy`, `zstd` or `none`")),
    }
}

fn time(reader: &Reader<'_>) -> Result<TemplateTime> {
    let zones = ["file.name.timestamp.timezone", "timestamp.timezone"];
    let sources = ["file.name.timestamp.source", "timestamp.source"];
    let mut time = TemplateTime {
        zone: Zone::UTC,
        source: TimeSource::Arrival,
    };
    for key in zones.into_iter().rev() {
        time.zone = zone(reader, key)?.unwrap_or(time.zone);
    }
    for key in sources.into_iter().rev() {
        time.source = time_source(reader, key)?.unwrap_or(time.source);
    }
    Ok(time)
}

fn s3(reader: &Reader<'_>) -> Result<eddy_engine::LakeOptions> {
    let bucket = either(reader, "aws.s3.bucket.name", "aws_s3_bucket").ok_or_else(|| {
        let name = reader.name;
        Error::invalid(format!(
            "connector `{name}`: `aws.s3.bucket.name` is missing"
        ))
    })?;
    let mut s3 = S3::default();
    s3.endpoint(either(reader, "aws.s3.endpoint", "aws_s3_endpoint"));
    let region = either(reader, "aws.s3.region", "aws_s3_region").unwrap_or("us-east-1");
    // Amazon's own enumeration has underscores and capitals.
    let region = region.replace('_', "-").to_ascii_lowercase();
    s3.set("aws_region", Some(&region));
    let key = either(reader, "aws.access.key.id", "aws_access_key_id");
    s3.set("aws_access_key_id", key);
    let secret = either(reader, "aws.secret.access.key", "aws_secret_access_key");
    s3.set("aws_secret_access_key", secret);
    s3.set(
        "aws_server_side_encryption",
        reader.text("aws.s3.sse.algorithm"),
    );
    if let Some(arn) = reader.text("aws.sts.role.arn") {
        s3.role(&Role {
            arn,
            external_id: reader.text("aws.sts.role.external.id"),
            session_name: reader.text("aws.sts.role.session.name"),
            seconds: reader.text("aws.sts.role.session.duration"),
            endpoint: reader.text("aws.sts.config.endpoint"),
            region: None,
        });
    }
    Ok(s3.lake(bucket))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use eddy_engine::layout::Layout;

    use super::super::tests::parse;
    use super::*;

    fn config(entries: &[(&str, &str)]) -> Result<super::super::ConnectorConfig> {
        let mut all = vec![
            ("connector.class", "AivenKafkaConnectS3SinkConnector"),
            ("topics", "Topic-1"),
            ("aws.s3.bucket.name", "b"),
            ("format.output.type", "parquet"),
            ("file.compression.type", "none"),
        ];
        all.extend_from_slice(entries);
        parse(&all)
    }

    fn foreign(entries: &[(&str, &str)]) -> Foreign {
        match config(entries).unwrap().layout {
            Layout::Foreign(foreign) => (*foreign).clone(),
            Layout::Native => panic!("it is foreign"),
        }
    }

    fn template(text: &str) -> Folders {
        let time = TemplateTime {
            zone: Zone::UTC,
            source: TimeSource::Arrival,
        };
        Folders::Template(Template::parse(text, time).unwrap())
    }

    #[test]
    fn names_end_in_the_compression_unless_a_template_says_otherwise() {
        let usual = "{{topic}}-{{partition}}-{{start_offset}}";
        for (compression, end) in [
            ("none", ""),
            ("GZIP", ".gz"),
            ("zstd", ".zst"),
            ("snappy", ".snappy"),
        ] {
            let named = foreign(&[("file.compression.type", compression)]).folders;
            assert_eq!(named, template(&format!("{usual}{end}")));
        }
        let own = "{{topic}}/{{key}}";
        assert_eq!(
            foreign(&[("file.name.template", own)]).folders,
            template(own)
        );
        let prefix = |entries: &[(&str, &str)]| match foreign(entries).names {
            Names::Template { prefix } => prefix,
            Names::Confluent(_) => panic!("it has a template"),
        };
        assert_eq!(prefix(&[]), "");
        assert_eq!(prefix(&[("aws_s3_prefix", "old/")]), "old/");
        let both = [("aws.s3.prefix", "old/"), ("file.name.prefix", "new/")];
        assert_eq!(prefix(&both), "new/");
    }

    #[test]
    fn bucket_and_store_go_by_new_names_and_by_old_ones() {
        let config = config(&[
            ("aws_s3_region", "EU_WEST_1"),
            ("aws.s3.endpoint", "http://127.0.0.1:9000"),
            ("aws_access_key_id", "AK"),
            ("file.max.records", "10"),
        ])
        .unwrap();
        let lake = config.lake.unwrap();
        assert_eq!(lake.url, "s3://b");
        for (option, value) in [
            ("aws_region", "eu-west-1"),
            ("aws_endpoint", "http://127.0.0.1:9000"),
            ("aws_access_key_id", "AK"),
        ] {
            assert_eq!(lake.options.get(option).map(String::as_str), Some(value));
        }
        assert_eq!(config.topics_dir, FLAT_TABLES);
    }

    #[test]
    fn what_is_not_built_or_wrong_is_refused_by_key_and_value() {
        for (entries, needles) in [
            (
                &[("file.compression.type", "lz4")][..],
                ["`file.compression.type`", "`gzip`"],
            ),
            (
                &[("file.name.template", "{{topic}}")],
                ["`file.name.template`", "allowed is"],
            ),
            (
                &[("timestamp.source", "broker")],
                ["`timestamp.source`", "`event`"],
            ),
            (
                &[("aws.credentials.provider", "x.Provider")],
                ["`aws.credentials.provider`", "give keys"],
            ),
        ] {
            let message = config(entries).unwrap_err().to_string();
            let all = needles.iter().all(|needle| message.contains(needle));
            assert!(all, "{message}");
        }
    }

    #[test]
    fn a_role_is_taken_on_with_its_session_and_where_it_is_asked_for() {
        let options = config(&[
            ("aws.sts.role.arn", "arn:aws:iam::1:role/r"),
            ("aws.sts.role.session.name", "sink"),
            ("aws.sts.role.session.duration", "900"),
            ("aws.sts.config.endpoint", "https://sts.x"),
        ]);
        let options = options.unwrap().lake.unwrap().options;
        for (name, value) in [
            ("arn", "arn:aws:iam::1:role/r"),
            ("session_name", "sink"),
            ("duration_seconds", "900"),
            ("endpoint", "https://sts.x"),
        ] {
            let option = options.get(&format!("aws_assume_role_{name}"));
            assert_eq!(option.map(String::as_str), Some(value), "{name}");
        }
    }
}
