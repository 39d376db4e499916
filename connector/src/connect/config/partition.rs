//! The keys of partitioning: what the files of a connector's tables are partitioned by.
//!
//! `partition.by` is a list, the outermost folder first: fields of the payload (`region`,
//! `customer.tier`; a key with dots between backticks) and at most one of `year`, `month`, `day`,
//! `hour` and `time`, whose span `partition.duration.ms` says. A field that is called as one of
//! these stands between backticks.

use std::sync::Arc;
use std::time::Duration;

use eddy_engine::partition::{FieldPath, Part, Partitioning, Pattern, TimePart, Unit, Zone};

use super::Reader;
use crate::error::{Error, Result};

/// The keys of partitioning.
const KNOWN: [&str; 5] = [
    BY,
    "partition.timezone",
    "partition.path.format",
    "partition.duration.ms",
    "partition.time.field",
];

const BY: &str = "partition.by";
const ALLOWED: &str = "`none`, or a list of fields and at most one of `year`, `month`, `day`, \
                       `hour` and `time`, such as `region, customer.tier, hour`";

/// Ten years: the longest span of time whose folders still tell something.
const MOST_MS: usize = 10 * 365 * 86_400_000;

/// Reads and checks the keys.
pub(super) fn read(reader: &Reader<'_>) -> Result<Arc<Partitioning>> {
    let usual = if KNOWN
        .iter()
        .skip(2)
        .take(2)
        .any(|key| reader.text(key).is_some())
    {
        "time"
    } else {
        "day"
    };
    let by = reader.text(BY).unwrap_or(usual);
    let words = if by == "none" { Vec::new() } else { list(by) };
    let mut parts = Vec::with_capacity(words.len());
    let mut timed = false;
    for word in words {
        let unit = match word {
            "year" => Some(Unit::Year),
            "month" => Some(Unit::Month),
            "day" => Some(Unit::Day),
            "hour" => Some(Unit::Hour),
            "time" => None,
            "none" => return Err(reader.wrong(BY, by, ALLOWED)),
            field => {
                let wrong = |error| reader.wrong(BY, by, ALLOWED).with_source(error);
                parts.push(Part::Field(FieldPath::parse(field).map_err(wrong)?));
                continue;
            }
        };
        timed = true;
        parts.push(Part::Time(time(reader, unit)?));
    }
    let of_time = KNOWN.iter().skip(1);
    if let Some((key, value)) = of_time
        .filter_map(|key| Some((key, reader.text(key)?)))
        .next()
        && !timed
    {
        let allowed = format!("nothing, since `{BY}` is `{by}` and has no time");
        return Err(reader.wrong(key, value, &allowed));
    }
    let partitioning = Partitioning::new(parts);
    partitioning
        .map(Arc::new)
        .map_err(|error| reader.wrong(BY, by, ALLOWED).with_source(error))
}

/// A zone by its name.
pub(super) fn zone(reader: &Reader<'_>, key: &str) -> Result<Option<Zone>> {
    let Some(name) = reader.text(key) else {
        return Ok(None);
    };
    let allowed = "a time zone of the IANA database, such as `UTC` or `Europe/Berlin`";
    Zone::parse(name)
        .map(Some)
        .map_err(|_| reader.wrong(key, name, allowed))
}

/// `unit`, or as long as is configured.
fn time(reader: &Reader<'_>, unit: Option<Unit>) -> Result<TimePart> {
    let zone = zone(reader, "partition.timezone")?.unwrap_or(Zone::UTC);
    let span = span(reader)?;
    let (format, field) = ("partition.path.format", "partition.time.field");
    let pattern = match reader.text(format) {
        None => None,
        Some(text) => {
            let wrong = |error| wrong_format(reader, format, text, error);
            Some(Pattern::parse(text).map_err(wrong)?)
        }
    };
    let said = match reader.text(field) {
        None => None,
        Some(text) => {
            let allowed = "a field of the payload, such as `created.at`";
            let wrong = |error| reader.wrong(field, text, allowed).with_source(error);
            Some(FieldPath::parse(text).map_err(wrong)?)
        }
    };
    let unit = match (unit, span) {
        (Some(unit), Some(span)) => {
            let allowed = format!("nothing, since `{BY}` says {unit}; let it say `time`");
            let value = span.as_millis().to_string();
            return Err(reader.wrong("partition.duration.ms", &value, &allowed));
        }
        (Some(unit), None) => Some(unit),
        (None, Some(span)) => Some(Unit::Span(span)),
        (None, None) if pattern.is_some() => None,
        (None, None) => {
            let allowed = "`time` only with `partition.duration.ms` or `partition.path.format`";
            return Err(reader.wrong(BY, reader.text(BY).unwrap_or_default(), allowed));
        }
    };
    let text = reader.text(format).unwrap_or_default();
    TimePart::new(unit, zone, pattern, said)
        .map_err(|error| wrong_format(reader, format, text, error))
}

fn span(reader: &Reader<'_>) -> Result<Option<Duration>> {
    let key = "partition.duration.ms";
    if reader.text(key).is_none() {
        return Ok(None);
    }
    let ms = reader.number(key, 0, 1_000, MOST_MS)?;
    Ok(u64::try_from(ms).ok().map(Duration::from_millis))
}

fn wrong_format(reader: &Reader<'_>, key: &str, text: &str, error: eddy_engine::Error) -> Error {
    let allowed = "a pattern of named folders, such as `'year'=YYYY/'month'=MM/'day'=dd`";
    reader.wrong(key, text, allowed).with_source(error)
}

/// The parts between commas, but for those between backticks.
fn list(text: &str) -> Vec<&str> {
    let mut quoted = false;
    let parts = text.split(|c| {
        quoted ^= c == '`';
        c == ',' && !quoted
    });
    parts.map(str::trim).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::tests::parse;
    use super::*;

    fn partitioning(entries: &[(&str, &str)]) -> Result<String> {
        let mut all = vec![("topics", "a")];
        all.extend_from_slice(entries);
        Ok(parse(&all)?.partitioning.to_string())
    }

    #[test]
    fn by_default_a_table_is_partitioned_by_day_as_before_there_was_a_choice() {
        let config = parse(&[("topics", "a")]).unwrap();
        assert_eq!(*config.partitioning, Partitioning::by_day());
        let config = parse(&[("topics", "a"), ("partition.by", "day")]).unwrap();
        assert_eq!(*config.partitioning, Partitioning::by_day());
        let config = parse(&[("topics", "a"), ("partition.by", " none ")]).unwrap();
        assert_eq!(*config.partitioning, Partitioning::none());
    }

    #[test]
    fn what_files_are_partitioned_by_is_said_in_a_few_words() {
        let joda = "'year'=YYYY/'month'=MM/'day'=dd/'hour'=HH";
        for (entries, said) in [
            (
                &[("partition.by", "month")][..],
                "month in UTC as `'month'=yyyy-MM` (in columns `month`)",
            ),
            (
                &[
                    ("partition.by", "region, customer.tier, hour"),
                    ("partition.timezone", "Europe/Berlin"),
                ],
                "`region`, `customer.tier`, hour in Europe/Berlin as `'dt'=yyyy-MM-dd/'hour'=HH` \
                 (in columns `region`, `customer_tier`, `dt`, `hour`)",
            ),
            (
                &[
                    ("partition.by", "year,`hour`,`a,b`.c"),
                    ("partition.time.field", "sent.at"),
                ],
                "year in UTC as `'year'=yyyy` of the time in `sent.at`, `hour`, ``a,b`.c` (in \
                 columns `year`, `hour`, `a_b_c`)",
            ),
            (
                &[("partition.duration.ms", "900000")],
                "900000 ms in UTC as `'dt'=yyyy-MM-dd/'hour'=HH/'minute'=mm` (in columns `dt`, \
                 `hour`, `minute`)",
            ),
            (
                &[
                    ("partition.path.format", joda),
                    ("partition.timezone", "UTC"),
                ],
                "hour in UTC as `'year'=YYYY/'month'=MM/'day'=dd/'hour'=HH` (in columns `year`, \
                 `month`, `day`, `hour`)",
            ),
            (
                &[
                    ("partition.path.format", "'w'=xxxx-'W'ww"),
                    ("partition.by", "day, r"),
                ],
                "day in UTC as `'w'=xxxx-'W'ww`, `r` (in columns `w`, `r`)",
            ),
        ] {
            assert_eq!(partitioning(entries).unwrap(), said);
        }
    }

    #[test]
    fn wrong_partitions_are_refused_with_key_value_and_what_is_allowed() {
        for (entries, needles) in [
            (
                &[("partition.by", "day, hour")][..],
                ["`partition.by`", "`day, hour`", "one time"],
            ),
            (
                &[("partition.by", "none, day")],
                ["`partition.by`", "`none, day`", "`none`, or"],
            ),
            (
                &[("partition.by", "a..b")],
                ["`partition.by`", "`a..b`", "customer.tier"],
            ),
            (
                &[("partition.by", "a,,b")],
                ["`partition.by`", "`a,,b`", "empty"],
            ),
            (
                &[("partition.by", "a, a")],
                ["`partition.by`", "`a, a`", "twice"],
            ),
            (
                &[("partition.by", "time")],
                ["`partition.by`", "`time`", "partition.duration.ms"],
            ),
            (
                &[("partition.timezone", "Berlin")],
                ["`partition.timezone`", "`Berlin`", "Europe/Berlin"],
            ),
            (
                &[("partition.by", "region"), ("partition.timezone", "UTC")],
                ["`partition.timezone`", "`region`", "has no time"],
            ),
            (
                &[("partition.by", "hour"), ("partition.duration.ms", "60000")],
                ["`partition.duration.ms`", "`60000`", "`time`"],
            ),
            (
                &[("partition.duration.ms", "999")],
                ["`partition.duration.ms`", "`999`", "from 1000"],
            ),
            (
                &[("partition.path.format", "'year'=YYYY/'zone'=Z")],
                ["`partition.path.format`", "letter `Z`", "'month'=MM"],
            ),
            (
                &[("partition.path.format", "YYYY/MM")],
                ["`partition.path.format`", "`YYYY/MM`", "needs a name"],
            ),
            (
                &[("partition.time.field", "a.")],
                ["`partition.time.field`", "`a.`", "created.at"],
            ),
        ] {
            let message = partitioning(entries).unwrap_err().to_string();
            let all = needles.iter().all(|needle| message.contains(needle));
            assert!(all, "{message}");
        }
    }
}
