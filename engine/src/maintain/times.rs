//! The span of a file's record times, from its statistics in the log.

use chrono::DateTime;
use serde::Deserialize;

use crate::commit::DataFile;

/// The oldest and newest `_timestamp` in milliseconds since the Unix epoch, where the statistics
/// say them; both may be rounded outwards to the millisecond.
pub(super) fn times(file: &DataFile) -> (Option<i64>, Option<i64>) {
    let Ok(stats) = serde_json::from_str::<Stats>(&file.stats_json) else {
        return (None, None);
    };
    let read = |bound: Bounds| {
        let time = DateTime::parse_from_rfc3339(&bound.timestamp?).ok()?;
        Some(time.timestamp_millis())
    };
    (read(stats.min_values), read(stats.max_values))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct Stats {
    min_values: Bounds,
    max_values: Bounds,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Bounds {
    #[serde(rename = "_timestamp")]
    timestamp: Option<String>,
}
