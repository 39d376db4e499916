//! Which rows lie at or beyond the targets of a rewind, and which files may hold such. Pure.

use std::collections::BTreeMap;

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch};
use arrow::datatypes::{Int32Type, Int64Type};
use serde::Deserialize;

use crate::commit::DataFile;
use crate::error::{Error, Result};
use crate::record::TopicId;

/// The columns that say where a row stands.
pub(super) const COLUMNS: [&str; 3] = ["_topic_id", "_partition", "_offset"];

/// Where partitions of one topic go back to.
#[derive(Debug, Clone)]
pub(super) struct Targets {
    pub(super) topic_id: TopicId,
    /// Per partition the first offset that goes.
    pub(super) offsets: BTreeMap<i32, i64>,
}

/// What a file's statistics say of its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// None goes.
    Stays,
    /// All go.
    Goes,
    /// That is to be seen.
    Look,
}

impl Targets {
    /// By its statistics; without any it has to be looked at.
    pub(super) fn judge(&self, file: &DataFile) -> Verdict {
        let stats: Stats = serde_json::from_str(&file.stats_json).unwrap_or_default();
        let (least, most) = (stats.min_values, stats.max_values);
        let (Some(partition), Some(last), Some(offset), Some(end)) =
            (least.partition, most.partition, least.offset, most.offset)
        else {
            return Verdict::Look;
        };
        let mut concerned = self.offsets.range(partition..=last.max(partition));
        if concerned.clone().all(|(_, target)| end < *target) {
            return Verdict::Stays;
        }
        let id = Some(self.topic_id.as_str());
        let same_topic = least.topic_id.as_deref() == id && most.topic_id.as_deref() == id;
        let whole = concerned
            .next()
            .is_some_and(|(_, target)| offset >= *target);
        match same_topic && partition == last && whole {
            true => Verdict::Goes,
            false => Verdict::Look,
        }
    }

    /// A value per row, true for those that go.
    ///
    /// # Errors
    /// `Data` when the envelope is not what Eddy writes.
    pub(super) fn beyond(&self, batch: &RecordBatch) -> Result<BooleanArray> {
        let [ids, partitions, offsets] = COLUMNS.map(|name| batch.column_by_name(name));
        let wrong = || Error::data("a file's envelope is not what Eddy writes");
        let ids = ids.and_then(|column| column.as_string_opt::<i32>());
        let partitions = partitions.and_then(|column| column.as_primitive_opt::<Int32Type>());
        let offsets = offsets.and_then(|column| column.as_primitive_opt::<Int64Type>());
        let (Some(ids), Some(partitions), Some(offsets)) = (ids, partitions, offsets) else {
            return Err(wrong());
        };
        if ids.null_count() + partitions.null_count() + offsets.null_count() > 0 {
            return Err(wrong());
        }
        let goes = |row: usize| {
            let target = self.offsets.get(&partitions.value(row));
            target.is_some_and(|target| offsets.value(row) >= *target)
                && ids.value(row) == self.topic_id.as_str()
        };
        let rows = (0..batch.num_rows()).map(goes).collect::<Vec<bool>>();
        Ok(rows.into())
    }
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Stats {
    min_values: Bounds,
    max_values: Bounds,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Bounds {
    #[serde(rename = "_topic_id")]
    topic_id: Option<String>,
    #[serde(rename = "_partition")]
    partition: Option<i32>,
    #[serde(rename = "_offset")]
    offset: Option<i64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_goes_or_stays_by_its_statistics_only_where_these_leave_no_doubt() {
        let targets = Targets {
            topic_id: TopicId::new("t"),
            offsets: BTreeMap::from([(1, 10), (3, 100)]),
        };
        let file = |topic: &str, partitions: (i32, i32), offsets: (i64, i64)| DataFile {
            stats_json: serde_json::json!({
                "minValues": {"_topic_id": topic, "_partition": partitions.0, "_offset": offsets.0},
                "maxValues": {"_topic_id": topic, "_partition": partitions.1, "_offset": offsets.1},
            })
            .to_string(),
            ..DataFile::default()
        };
        for (topic, partitions, offsets, verdict) in [
            ("t", (1, 1), (0, 9), Verdict::Stays),
            ("t", (1, 1), (0, 10), Verdict::Look),
            ("t", (1, 1), (10, 90), Verdict::Goes),
            ("u", (1, 1), (10, 90), Verdict::Look),
            ("t", (2, 2), (10, 900), Verdict::Stays),
            ("t", (0, 3), (0, 9), Verdict::Stays),
            ("t", (0, 3), (10, 99), Verdict::Look),
            ("t", (2, 4), (0, 99), Verdict::Stays),
            ("t", (1, 3), (100, 200), Verdict::Look),
        ] {
            let judged = targets.judge(&file(topic, partitions, offsets));
            assert_eq!(judged, verdict, "{topic} {partitions:?} {offsets:?}");
        }
        assert_eq!(targets.judge(&DataFile::default()), Verdict::Look);
    }
}
