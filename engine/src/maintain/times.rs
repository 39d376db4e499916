//! The span of a file's record times, from its statistics in the log.

use chrono::DateTime;
use serde::Deserialize;

use crate::commit::DataFile;

/// The oldest and newest `_timestamp` in milliseconds since the Unix epoch, where the statistics
/// say them; both may be rounded outwards to the millisecond. With a record without a time nobody
/// knows which is the newest.
pub(super) fn times(file: &DataFile) -> (Option<i64>, Option<i64>) {
    let Ok(stats) = serde_json::from_str::<Stats>(&file.stats_json) else {
        return (None, None);
    };
    let read = |bound: Bounds| {
        let time = DateTime::parse_from_rfc3339(&bound.timestamp?).ok()?;
        Some(time.timestamp_millis())
    };
    let untimed = stats.null_count.timestamp.is_some_and(|count| count > 0);
    let newest = read(stats.max_values).filter(|_| !untimed);
    (read(stats.min_values), newest)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct Stats {
    min_values: Bounds,
    max_values: Bounds,
    null_count: Nulls,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Bounds {
    #[serde(rename = "_timestamp")]
    timestamp: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Nulls {
    #[serde(rename = "_timestamp")]
    timestamp: Option<u64>,
}
