//! The keys of a table's upkeep: compaction, retention, how long old versions stay readable.

use std::time::Duration;

use eddy_engine::maintain::{Compaction, Policy, Retention};

use super::Reader;
use crate::error::Result;

/// The most that a time in milliseconds may be: a hundred years.
const MOST_MS: usize = 100 * 365 * 86_400_000;

/// The upkeep of a connector's tables.
#[derive(Debug, Clone)]
pub struct Upkeep {
    /// What is kept up.
    pub policy: Policy,
    /// `upkeep.interval.ms`: the time between two looks at a table.
    pub interval: Duration,
}

/// Reads and checks the keys; `compacts` says whether tables are compacted when nobody says.
pub(super) fn read(reader: &Reader<'_>, compacts: bool) -> Result<Upkeep> {
    let defaults = Compaction::default();
    let compaction = Compaction {
        target_bytes: number(
            reader,
            "compact.target.bytes",
            defaults.target_bytes,
            1 << 10,
        )?,
        least_files: reader.number("compact.min.files", defaults.least_files, 2, 1_000_000)?,
        settle: time(reader, "compact.after.ms", defaults.settle, 0)?,
        ..defaults
    };
    let compact = reader.choice("compact", &[("true", true), ("false", false)], compacts)?;
    let policy = Policy::default();
    Ok(Upkeep {
        policy: Policy {
            compaction: compact.then_some(compaction),
            retention: Retention {
                age: limit(reader, "retention.ms", MOST_MS)?.map(Duration::from_millis),
                bytes: limit(reader, "retention.bytes", usize::MAX)?,
            },
            // Commits younger than a day are never cleaned (P10).
            history: time(reader, "history.ms", policy.history, 86_400_000)?,
        },
        interval: time(reader, "upkeep.interval.ms", Duration::from_secs(60), 10)?,
    })
}

fn number(reader: &Reader<'_>, key: &str, default: u64, least: usize) -> Result<u64> {
    let default = usize::try_from(default).unwrap_or(usize::MAX);
    let number = reader.number(key, default, least, usize::MAX)?;
    Ok(u64::try_from(number).unwrap_or(u64::MAX))
}

fn time(reader: &Reader<'_>, key: &str, default: Duration, least_ms: usize) -> Result<Duration> {
    let default = usize::try_from(default.as_millis()).unwrap_or(MOST_MS);
    let ms = reader.number(key, default, least_ms, MOST_MS)?;
    Ok(Duration::from_millis(u64::try_from(ms).unwrap_or(u64::MAX)))
}

/// A limit of Kafka's own kind: `-1`, as no value, is none.
fn limit(reader: &Reader<'_>, key: &str, most: usize) -> Result<Option<u64>> {
    match reader.text(key) {
        None | Some("-1") => Ok(None),
        Some(_) => {
            let number = reader.number(key, 0, 0, most)?;
            Ok(Some(u64::try_from(number).unwrap_or(u64::MAX)))
        }
    }
}
