//! What the configurations of the other S3 sinks have in common, once they are read.

use std::collections::BTreeMap;
use std::time::Duration;

use eddy_engine::LakeOptions;
use eddy_engine::layout::{Foreign, TimeSource};
use eddy_engine::partition::{FieldPath, Zone};
use eddy_engine::write::CutPolicy;

use super::Reader;
use crate::error::Result;

/// A foreign configuration, settled.
#[derive(Debug)]
pub(super) struct ForeignConfig {
    /// How files are called and cut.
    pub(super) layout: Foreign,
    /// The connector's own lake.
    pub(super) lake: LakeOptions,
    /// The folder of the lake that holds its tables.
    pub(super) topics_dir: String,
    /// When a commit comes.
    pub(super) cut: CutPolicy,
}

/// The longest that an open rotation waits, where its configuration says nothing of time.
pub(super) const OPEN_MOST: Duration = Duration::from_hours(24);

/// What is buffered of a table before open rotations are cut short. Whole ones are why it is more
/// than usual; the worker's memory bounds it all the same.
pub(super) const BYTES: usize = 256 << 20;

/// The options of a lake on S3, made up of what the other sinks call them.
#[derive(Debug, Default)]
pub(super) struct S3(BTreeMap<String, String>);

impl S3 {
    /// Sets an option of object_store, if there is a value.
    pub(super) fn set(&mut self, option: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.0.insert(option.to_owned(), value.to_owned());
        }
    }

    /// The endpoint; a URL without scheme is one with TLS.
    pub(super) fn endpoint(&mut self, url: Option<&str>) {
        let url = url.map(|url| match url.contains("://") {
            true => url.trim_end_matches('/').to_owned(),
            false => format!("https://{}", url.trim_end_matches('/')),
        });
        self.set("aws_endpoint", url.as_deref());
    }

    /// The role that is taken on before the bucket is asked.
    pub(super) fn role(&mut self, role: &Role<'_>) {
        self.set("aws_assume_role_arn", Some(role.arn));
        self.set("aws_assume_role_external_id", role.external_id);
        self.set("aws_assume_role_session_name", role.session_name);
        self.set("aws_assume_role_duration_seconds", role.seconds);
        self.set("aws_assume_role_endpoint", role.endpoint);
        self.set("aws_assume_role_region", role.region);
    }

    /// The options of the lake in `bucket`.
    pub(super) fn lake(self, bucket: &str) -> LakeOptions {
        LakeOptions {
            url: format!("s3://{bucket}"),
            options: self.0,
        }
    }
}

/// A role of AWS, as the other sinks' keys say it.
#[derive(Debug, Default)]
pub(super) struct Role<'a> {
    pub(super) arn: &'a str,
    pub(super) external_id: Option<&'a str>,
    pub(super) session_name: Option<&'a str>,
    pub(super) seconds: Option<&'a str>,
    pub(super) endpoint: Option<&'a str>,
    pub(super) region: Option<&'a str>,
}

/// `key`, a time in milliseconds; `None` for one that isn't positive, as these sinks switch it off.
pub(super) fn positive_ms(reader: &Reader<'_>, key: &str) -> Result<Option<Duration>> {
    let Some(text) = reader.text(key) else {
        return Ok(None);
    };
    let wrong = || reader.wrong(key, text, "a number of milliseconds, or -1 for none");
    let ms: i64 = text.parse().map_err(|_| wrong())?;
    Ok(u64::try_from(ms)
        .ok()
        .filter(|ms| *ms > 0)
        .map(Duration::from_millis))
}

/// A zone by its name; Java's short ones for UTC too.
pub(super) fn zone(reader: &Reader<'_>, key: &str) -> Result<Option<Zone>> {
    match reader.text(key) {
        Some("Z" | "Etc/UTC") => Ok(Some(Zone::UTC)),
        _ => super::partition::zone(reader, key),
    }
}

/// The field that says a record's time, or by which records are divided.
pub(super) fn field(reader: &Reader<'_>, key: &str, text: &str) -> Result<FieldPath> {
    let allowed = "a field of the payload, such as `created.at`";
    FieldPath::parse(text).map_err(|error| reader.wrong(key, text, allowed).with_source(error))
}

/// Aiven's word for what says the time.
pub(super) fn time_source(reader: &Reader<'_>, key: &str) -> Result<Option<TimeSource>> {
    match reader.text(key) {
        None => Ok(None),
        Some(word) if word.eq_ignore_ascii_case("wallclock") => Ok(Some(TimeSource::Arrival)),
        Some(word) if word.eq_ignore_ascii_case("event") => Ok(Some(TimeSource::Record)),
        Some(other) => Err(reader.wrong(key, other, "`wallclock` or `event`")),
    }
}
