//! The keys of `io.confluent.connect.s3.S3SinkConnector`; those of formats that aren't Parquet are
//! in `flat`, those of what lies beside objects in `sides`.

use std::time::Duration;

use eddy_engine::layout::{
    Codec, ConfluentNames, Folders, Foreign, Format, Names, Part, Rotation, TimeFolders, TimeSource,
};
use eddy_engine::partition::{Pattern, Unit, Zone};
use eddy_engine::path::FLAT_TABLES;
use eddy_engine::write::{CutPolicy, Schedule};

use super::Reader;
use super::class::{not_built, simple_name};
use super::flat;
use super::foreign::{BYTES, ForeignConfig, OPEN_MOST, Role, S3, field, positive_ms, zone};
use super::sides;
use crate::error::{Error, Result};

/// A commit bundles the rotations that ended within so long.
const INTERVAL: Duration = Duration::from_secs(1);

const BOOLEANS: [(&str, bool); 2] = [("true", true), ("false", false)];

/// Reads and checks the keys.
pub(super) fn read(reader: &Reader<'_>) -> Result<ForeignConfig> {
    let (format, extension) = format(reader)?;
    let directory_delim = raw(reader, "directory.delim").unwrap_or("/").to_owned();
    let names = ConfluentNames {
        topics_dir: topics_dir(reader)?,
        file_delim: raw(reader, "file.delim").unwrap_or("+").to_owned(),
        offset_digits: reader.number("filename.offset.zero.pad.width", 10, 0, 1_000)?,
        extension,
        directory_delim,
    };
    let folders = folders(reader, &names.directory_delim)?;
    let is_by_time = matches!(folders, Folders::Time(_));
    let rotation = Rotation {
        records: Some(flush_size(reader)?),
        per_file: false,
        // Other partitioners have no time of their own, and the sink passes the key over.
        span: positive_ms(reader, "rotate.interval.ms")?.filter(|_| is_by_time),
        on_change: reader.choice("rotate.file.on.partition.change", &BOOLEANS, true)?,
        whole: true,
        open_most: OPEN_MOST,
    };
    Ok(ForeignConfig {
        lake: s3(reader)?.lake(&required(reader, "s3.bucket.name")?),
        // Without folders the topic has none of its own.
        topics_dir: match names.directory_delim.as_str() {
            "/" => names.topics_dir.clone(),
            _ => FLAT_TABLES.to_owned(),
        },
        layout: Foreign {
            names: Names::Confluent(names),
            folders,
            rotation,
            format,
            sides: sides::read(reader)?,
            tags: sides::tags(reader)?,
        },
        cut: CutPolicy {
            interval: INTERVAL,
            bytes: BYTES,
            schedule: schedule(reader)?,
            ..CutPolicy::default()
        },
    })
}

fn required(reader: &Reader<'_>, key: &str) -> Result<String> {
    reader
        .text(key)
        .map(str::to_owned)
        .ok_or_else(|| Error::invalid(format!("connector `{}`: `{key}` is missing", reader.name)))
}

/// A value with its spaces, since a delimiter may be one.
fn raw<'a>(reader: &'a Reader<'_>, key: &str) -> Option<&'a str> {
    reader.map.get(key).map(String::as_str)
}

/// The role of the provider of credentials, if it is that provider; Connect takes any class here.
fn role<'a>(reader: &'a Reader<'_>) -> Result<Option<Role<'a>>> {
    let key = "s3.credentials.provider.class";
    let Some(class) = reader.text(key) else {
        return Ok(None);
    };
    match simple_name(class) {
        "AwsAssumeRoleCredentialsProvider" => {
            let arn = "s3.credentials.provider.sts.role.arn";
            let missing = || {
                let name = reader.name;
                Error::invalid(format!(
                    "connector `{name}`: `{arn}` is missing beside `{key}`"
                ))
            };
            Ok(Some(Role {
                arn: reader.text(arn).ok_or_else(missing)?,
                external_id: reader.text("s3.credentials.provider.sts.role.external.id"),
                session_name: reader.text("s3.credentials.provider.sts.role.session.name"),
                region: reader.text("s3.credentials.provider.sts.region"),
                ..Role::default()
            }))
        }
        name if name.starts_with("Default") => Ok(None),
        _ => {
            let instead = "leave it out for what the environment has, set `aws.access.key.id` and \
                           `aws.secret.access.key`, or take `AwsAssumeRoleCredentialsProvider`";
            Err(not_built(reader, key, class, instead))
        }
    }
}

/// What objects hold, and their extension.
fn format(reader: &Reader<'_>) -> Result<(Format, String)> {
    let key = "format.class";
    let class = required(reader, key)?;
    if let Some((flat, extension)) = flat::confluent(reader, (key, &class), Part::Value)? {
        return Ok((Format::Flat(flat), extension));
    }
    let (codec, extension) = codec(reader)?;
    Ok((Format::Parquet(codec), extension.to_owned()))
}

fn flush_size(reader: &Reader<'_>) -> Result<u64> {
    let key = "flush.size";
    let text = required(reader, key)?;
    let size: Option<u64> = text.parse().ok().filter(|size| *size > 0);
    size.ok_or_else(|| reader.wrong(key, &text, "a whole number from 1"))
}

pub(super) fn codec(reader: &Reader<'_>) -> Result<(Codec, &'static str)> {
    let codecs = [
        ("snappy", (Codec::Snappy, ".snappy.parquet")),
        ("zstd", (Codec::Zstd, ".zstd.parquet")),
        ("gzip", (Codec::Gzip, ".gz.parquet")),
        ("brotli", (Codec::Brotli, ".br.parquet")),
        ("lz4", (Codec::Lz4, ".lz4.parquet")),
        ("lz4_raw", (Codec::Lz4, ".lz4raw.parquet")),
        ("none", (Codec::None, ".parquet")),
    ];
    reader.choice("parquet.codec", &codecs, codecs[0].1)
}

/// Blank: the bucket itself.
fn topics_dir(reader: &Reader<'_>) -> Result<String> {
    match raw(reader, "topics.dir") {
        Some(blank) if blank.trim().is_empty() => Ok(String::new()),
        _ => reader.topics_dir(),
    }
}

fn folders(reader: &Reader<'_>, delim: &str) -> Result<Folders> {
    let key = "partitioner.class";
    let class = reader.text(key).unwrap_or("DefaultPartitioner");
    let hourly = ["'year'=YYYY", "'month'=MM", "'day'=dd", "'hour'=HH"];
    let joined = |parts: &[&str]| parts.join(delim);
    let hour = Duration::from_hours(1);
    match simple_name(class) {
        "DefaultPartitioner" => Ok(Folders::Partition),
        "FieldPartitioner" => by_fields(reader, delim),
        "HourlyPartitioner" => by_time(reader, &joined(&hourly), hour),
        "DailyPartitioner" => by_time(reader, &joined(&hourly[..3]), hour * 24),
        "TimeBasedPartitioner" => {
            let pattern = required(reader, "path.format")?;
            let key = "partition.duration.ms";
            let span = positive_ms(reader, key)?.ok_or_else(|| {
                let value = reader.text(key).unwrap_or("-1");
                reader.wrong(key, value, "a positive number of milliseconds")
            })?;
            by_time(reader, &pattern, span)
        }
        _ => {
            let instead = "Confluent's `DefaultPartitioner`, `FieldPartitioner`, \
                           `TimeBasedPartitioner`, `HourlyPartitioner` and `DailyPartitioner` are";
            Err(not_built(reader, key, class, instead))
        }
    }
}

fn by_fields(reader: &Reader<'_>, delim: &str) -> Result<Folders> {
    let key = "partition.field.name";
    let names = required(reader, key)?;
    let fields = names.split(',').map(str::trim).map(|name| {
        let path = field(reader, key, name)?;
        Ok((Some(name.to_owned()), path))
    });
    Ok(Folders::Fields {
        fields: fields.collect::<Result<_>>()?,
        delim: delim.to_owned(),
    })
}

fn by_time(reader: &Reader<'_>, pattern: &str, span: Duration) -> Result<Folders> {
    let key = "path.format";
    let allowed = "a pattern of Joda's, such as `'year'=YYYY/'month'=MM/'day'=dd`";
    let pattern = Pattern::parse(pattern)
        .map_err(|error| reader.wrong(key, pattern, allowed).with_source(error))?;
    Ok(Folders::Time(TimeFolders {
        unit: Unit::Span(span),
        zone: required_zone(reader)?,
        pattern,
        source: extractor(reader)?,
    }))
}

fn required_zone(reader: &Reader<'_>) -> Result<Zone> {
    required(reader, "timezone")?;
    Ok(zone(reader, "timezone")?.unwrap_or(Zone::UTC))
}

fn extractor(reader: &Reader<'_>) -> Result<TimeSource> {
    let key = "timestamp.extractor";
    match reader.text(key).unwrap_or("Wallclock") {
        "Wallclock" => Ok(TimeSource::Arrival),
        "Record" => Ok(TimeSource::Record),
        "RecordField" => {
            let key = "timestamp.field";
            let name = reader.text(key).unwrap_or("timestamp");
            field(reader, key, name).map(TimeSource::Field)
        }
        other => {
            let instead = "`Wallclock`, `Record` and `RecordField` are";
            Err(not_built(reader, key, other, instead))
        }
    }
}

fn schedule(reader: &Reader<'_>) -> Result<Option<Schedule>> {
    let key = "rotate.schedule.interval.ms";
    let Some(every) = positive_ms(reader, key)? else {
        return Ok(None);
    };
    let zone = required_zone(reader)?;
    Schedule::new(every, zone).map(Some).map_err(|error| {
        let value = every.as_millis().to_string();
        let allowed = "from 1000 to 86400000, or -1 for none";
        reader.wrong(key, &value, allowed).with_source(error)
    })
}

fn s3(reader: &Reader<'_>) -> Result<S3> {
    let mut s3 = S3::default();
    s3.endpoint(reader.text("store.url"));
    s3.set(
        "aws_region",
        Some(reader.text("s3.region").unwrap_or("us-west-2")),
    );
    s3.set("aws_access_key_id", reader.text("aws.access.key.id"));
    s3.set(
        "aws_secret_access_key",
        reader.text("aws.secret.access.key"),
    );
    let by_path = reader.choice("s3.path.style.access.enabled", &BOOLEANS, true)?;
    let by_host = if by_path { "false" } else { "true" };
    s3.set("aws_virtual_hosted_style_request", Some(by_host));
    match (
        reader.text("s3.ssea.name"),
        reader.text("s3.sse.customer.key"),
    ) {
        (_, Some(key)) => {
            s3.set("aws_server_side_encryption", Some("sse-c"));
            s3.set("aws_sse_customer_key_base64", Some(key));
        }
        (name, None) => s3.set("aws_server_side_encryption", name),
    }
    s3.set("aws_sse_kms_key_id", reader.text("s3.sse.kms.key.id"));
    s3.set("proxy_url", proxy(reader)?.as_deref());
    if let Some(role) = role(reader)? {
        s3.role(&role);
    }
    Ok(s3)
}

fn proxy(reader: &Reader<'_>) -> Result<Option<String>> {
    let key = "s3.proxy.url";
    let Some(url) = reader.text(key) else {
        return Ok(None);
    };
    let (user, password) = (
        reader.text("s3.proxy.user"),
        reader.text("s3.proxy.password"),
    );
    match (user, url.split_once("://")) {
        (None, _) => Ok(Some(url.to_owned())),
        (Some(user), Some((scheme, rest))) => {
            let password = password.unwrap_or_default();
            Ok(Some(format!("{scheme}://{user}:{password}@{rest}")))
        }
        (Some(_), None) => Err(reader.wrong(key, url, "a URL with its scheme")),
    }
}

#[cfg(test)]
mod tests;
