//! The keys of rolling: what makes a task commit what it has buffered, and so end its files.
//!
//! Whichever comes first counts. One commit takes everything buffered of a table, so each of these
//! is about a table's next commit in one task, not about a file.

use std::time::Duration;

use eddy_engine::partition::Zone;
use eddy_engine::write::{CutPolicy, Schedule};

use super::Reader;
use super::partition::zone;
use crate::error::Result;

const DAY_MS: usize = 86_400_000;
/// Beyond it the record time of a partition means nothing for its files.
const SPAN_MS: usize = 10 * 365 * DAY_MS;

/// Reads and checks the keys.
pub(super) fn read(reader: &Reader<'_>) -> Result<CutPolicy> {
    let usual = CutPolicy::default();
    let interval_ms = usize::try_from(usual.interval.as_millis()).unwrap_or(DAY_MS);
    Ok(CutPolicy {
        interval: milliseconds(reader.number("flush.interval.ms", interval_ms, 10, DAY_MS)?),
        rows: reader.number("flush.records", usual.rows, 1, usual.rows)?,
        bytes: reader.number("flush.bytes", usual.bytes, 1 << 16, 16 << 30)?,
        // What somebody asks for holds for any table.
        bytes_wide: match reader.text("flush.bytes") {
            Some(_) => 0,
            None => usual.bytes_wide,
        },
        partitions: reader.number("flush.partitions", usual.partitions, 1, 100_000)?,
        span: off_or(reader, "rotate.interval.ms", 1, SPAN_MS)?,
        schedule: schedule(reader)?,
    })
}

fn schedule(reader: &Reader<'_>) -> Result<Option<Schedule>> {
    let key = "rotate.schedule.interval.ms";
    let every = off_or(reader, key, 1_000, DAY_MS)?;
    let named = zone(reader, "rotate.timezone")?;
    let usual = zone(reader, "partition.timezone")?;
    match (every, reader.text("rotate.timezone")) {
        (Some(every), _) => {
            let zone = named.or(usual).unwrap_or(Zone::UTC);
            Ok(Some(Schedule::new(every, zone)?))
        }
        (None, Some(name)) => {
            let allowed = format!("nothing, since there is no `{key}`");
            Err(reader.wrong("rotate.timezone", name, &allowed))
        }
        (None, None) => Ok(None),
    }
}

/// A time that, as in Connect, `-1` switches off.
fn off_or(reader: &Reader<'_>, key: &str, least: usize, most: usize) -> Result<Option<Duration>> {
    match reader.text(key) {
        None | Some("-1") => Ok(None),
        Some(_) => Ok(Some(milliseconds(reader.number(key, 0, least, most)?))),
    }
}

fn milliseconds(ms: usize) -> Duration {
    Duration::from_millis(u64::try_from(ms).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::tests::parse;
    use super::*;

    fn cut(entries: &[(&str, &str)]) -> Result<CutPolicy> {
        let mut all = vec![("topics", "a")];
        all.extend_from_slice(entries);
        Ok(parse(&all)?.cut)
    }

    #[test]
    fn each_key_says_what_makes_a_commit_due() {
        assert_eq!(cut(&[]).unwrap(), CutPolicy::default());
        let policy = cut(&[
            ("flush.interval.ms", "60000"),
            ("flush.records", "1000"),
            ("flush.bytes", "1048576"),
            ("flush.partitions", "50"),
            ("rotate.interval.ms", "3600000"),
            ("rotate.schedule.interval.ms", "900000"),
            ("rotate.timezone", "Europe/Berlin"),
        ]);
        let berlin = Zone::parse("Europe/Berlin").unwrap();
        let quarter = Duration::from_mins(15);
        assert_eq!(
            policy.unwrap(),
            CutPolicy {
                interval: Duration::from_secs(60),
                rows: 1_000,
                bytes: 1 << 20,
                bytes_wide: 0,
                partitions: 50,
                span: Some(Duration::from_hours(1)),
                schedule: Some(Schedule::new(quarter, berlin).unwrap()),
            }
        );
        let off = [
            ("rotate.interval.ms", "-1"),
            ("rotate.schedule.interval.ms", "-1"),
        ];
        assert_eq!(cut(&off).unwrap(), CutPolicy::default());
    }

    #[test]
    fn the_schedule_goes_by_the_zone_of_the_partitions_unless_it_has_its_own() {
        let every = ("rotate.schedule.interval.ms", "86400000");
        let berlin = ("partition.timezone", "Europe/Berlin");
        let schedule = |entries: &[_]| cut(entries).unwrap().schedule.unwrap();
        let daily = |zone| Schedule::new(Duration::from_hours(24), Zone::parse(zone).unwrap());
        assert_eq!(schedule(&[every]), daily("UTC").unwrap());
        assert_eq!(schedule(&[every, berlin]), daily("Europe/Berlin").unwrap());
        let tokyo = ("rotate.timezone", "Asia/Tokyo");
        assert_eq!(
            schedule(&[every, berlin, tokyo]),
            daily("Asia/Tokyo").unwrap()
        );
    }

    #[test]
    fn wrong_limits_are_refused_with_key_value_and_what_is_allowed() {
        for (key, value, allowed) in [
            ("flush.interval.ms", "9", "from 10"),
            ("flush.records", "0", "from 1"),
            ("flush.bytes", "64MiB", "whole number from 65536"),
            ("flush.partitions", "-1", "from 1"),
            ("rotate.interval.ms", "0", "from 1"),
            ("rotate.schedule.interval.ms", "86400001", "to 86400000"),
            ("rotate.timezone", "UTC", "no `rotate.schedule.interval.ms`"),
            ("rotate.timezone", "Mars", "IANA"),
        ] {
            let message = cut(&[(key, value)]).unwrap_err().to_string();
            let needles = [format!("`{key}`"), format!("`{value}`"), allowed.to_owned()];
            assert!(
                needles.iter().all(|needle| message.contains(needle)),
                "{message}"
            );
        }
    }
}
