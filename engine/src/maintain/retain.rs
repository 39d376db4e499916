//! Retention: whole files leave the table, the oldest first, by age or by the table's size.
//!
//! What leaves is said before it does: the offsets of the files' rows are recorded under `_eddy/`,
//! so that whoever accounts for each offset (E1) finds them explained.

use std::sync::Arc;

use crate::commit::{Cut, DataFile, Rewrite};
use crate::error::{ErrorKind, Result};
use crate::lake::Lake;
use crate::maintain::compact::commit;
use crate::maintain::policy::Retention;
use crate::maintain::times::times;
use crate::path::TablePath;
use crate::read::Snapshot;
use crate::read::retired::{self, Gone};

/// Files that one commit removes, so that its record stays small; more leave with the next.
const AT_ONCE: usize = 500;

/// What retention did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Retired {
    /// The files that left the table.
    pub files: u64,
    /// Their rows.
    pub rows: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// The files whose time is up at `now_ms`, the oldest first. Pure.
pub(super) fn expired(
    files: &[Arc<DataFile>],
    retention: &Retention,
    now_ms: i64,
) -> Vec<Arc<DataFile>> {
    let mut dated: Vec<(i64, &Arc<DataFile>)> =
        files.iter().map(|file| (newest_ms(file), file)).collect();
    dated.sort_by(|a, b| (a.0, &a.1.path).cmp(&(b.0, &b.1.path)));
    let mut total: u64 = files.iter().map(|file| file.size).sum();
    let too_old = |newest_ms: i64| {
        let age_ms = u128::try_from(now_ms.saturating_sub(newest_ms)).unwrap_or(0);
        retention.age.is_some_and(|most| age_ms > most.as_millis())
    };
    dated
        .into_iter()
        .take_while(|(newest_ms, file)| {
            let goes = too_old(*newest_ms) || retention.bytes.is_some_and(|most| total > most);
            total -= file.size;
            goes
        })
        .map(|(_, file)| Arc::clone(file))
        .collect()
}

/// A file is as young as its newest record, as in Kafka; but a record from the future does not keep
/// it longer than its upload. A record without a time may be as young as that.
fn newest_ms(file: &DataFile) -> i64 {
    let (_, newest) = times(file);
    newest.map_or(file.modified_ms, |newest| newest.min(file.modified_ms))
}

/// Removes `files`, which are live in `snapshot`, from the table.
///
/// # Errors
/// `Fenced` when someone changed one of them meanwhile: nothing is removed. `Unavailable`.
pub(super) fn retire(
    lake: &Lake,
    table: &TablePath,
    snapshot: &Snapshot,
    mut files: Vec<Arc<DataFile>>,
) -> Result<Retired> {
    files.truncate(AT_ONCE);
    let done = Retired {
        files: u64::try_from(files.len()).unwrap_or(u64::MAX),
        rows: files.iter().map(|file| file.rows).sum(),
        bytes: files.iter().map(|file| file.size).sum(),
    };
    let id = lake.clock().new_id();
    let gone = retired::rows_of(lake, table, &files)?;
    let cut = Cut {
        id,
        begun_us: lake.clock().now_us(),
        files: Vec::new(),
        apart: Vec::new(),
        moves: Vec::new(),
        rewrite: Some(Rewrite {
            removes: files,
            planned_at: snapshot.version,
            data_change: true,
        }),
        operation: "RETENTION",
    };
    let version = commit_leaving(lake, table, &cut, "retention", gone, snapshot)?;
    metrics::counter!("eddy_retention_rows_total", "topic" => table.topic().to_owned())
        .increment(done.rows);
    tracing::info!(
        topic = table.topic(),
        version,
        files = done.files,
        rows = done.rows,
        bytes = done.bytes,
        "rows left the table by its retention"
    );
    Ok(done)
}

/// Records what `cut` makes leave the table of `snapshot`, and why; then commits it. Whether a
/// recorded commit landed is seen by its files, so a record is taken back when it is known that it
/// did not: the files stay, and a compaction may put their rows elsewhere.
///
/// # Errors
/// As [`commit`].
pub(super) fn commit_leaving(
    lake: &Lake,
    table: &TablePath,
    cut: &Cut,
    reason: &str,
    gone: Vec<Gone>,
    snapshot: &Snapshot,
) -> Result<u64> {
    retired::record(lake, table, cut.id, reason, gone, snapshot)?;
    let committed = commit(lake, table, cut);
    if let Err(error) = &committed
        && error.kind() == ErrorKind::Fenced
        && let Err(error) = retired::withdraw(lake, table, cut.id)
    {
        tracing::warn!(topic = table.topic(), commit = %cut.id, %error,
            "the record of a removal that did not happen could not be taken back");
    }
    committed
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]

    use std::time::Duration;

    use super::*;

    const NOW_MS: i64 = 1_795_521_600_000;
    const HOUR_MS: i64 = 3_600_000;

    /// 10 bytes; ages in hours of the newest record and of the upload.
    fn file(name: &str, record: Option<i64>, upload: i64) -> Arc<DataFile> {
        let stats = record.map(|hours| {
            let time = chrono::DateTime::from_timestamp_millis(NOW_MS - hours * HOUR_MS).unwrap();
            format!(
                r#"{{"maxValues":{{"_timestamp":"{}"}}}}"#,
                time.to_rfc3339()
            )
        });
        Arc::new(DataFile {
            path: name.to_owned(),
            size: 10,
            modified_ms: NOW_MS - upload * HOUR_MS,
            stats_json: stats.unwrap_or_default(),
            ..DataFile::default()
        })
    }

    #[test]
    fn the_oldest_files_go_by_age_or_by_size() {
        let files = [
            file("new", Some(1), 1),
            file("old", Some(50), 50),
            file("backfilled", Some(9_000), 1),
            file("future", Some(-9_000), 30),
            file("untimed", None, 26),
        ];
        let hours = |hours: u64| Some(Duration::from_hours(hours));
        for (age, bytes, gone) in [
            (None, None, &[][..]),
            (hours(10_000), None, &[]),
            (hours(100), None, &["backfilled"]),
            (hours(28), None, &["backfilled", "old", "future"]),
            (hours(24), None, &["backfilled", "old", "future", "untimed"]),
            (None, Some(50), &[]),
            (None, Some(49), &["backfilled"]),
            (None, Some(30), &["backfilled", "old"]),
            (
                None,
                Some(0),
                &["backfilled", "old", "future", "untimed", "new"],
            ),
            (hours(28), Some(45), &["backfilled", "old", "future"]),
        ] {
            let expired = expired(&files, &Retention { age, bytes }, NOW_MS);
            let names: Vec<&str> = expired.iter().map(|file| file.path.as_str()).collect();
            assert_eq!(names, gone, "{age:?} {bytes:?}");
        }
    }

    #[test]
    fn p22_files_of_any_time_of_upload_have_an_age() {
        let strange = |modified_ms| {
            let file = file("strange", None, 0);
            Arc::new(DataFile {
                modified_ms,
                ..DataFile::clone(&file)
            })
        };
        let retention = Retention {
            age: Some(Duration::from_hours(24)),
            bytes: None,
        };
        for (modified_ms, gone) in [(i64::MIN, 1), (0, 1), (i64::MAX, 0)] {
            let expired = expired(&[strange(modified_ms)], &retention, NOW_MS);
            assert_eq!(expired.len(), gone, "{modified_ms}");
        }
    }

    #[test]
    fn a_record_without_a_time_is_as_young_as_its_upload_beside_old_ones_too() {
        let timed = file("timed", Some(9_000), 1);
        let stats = timed.stats_json.strip_prefix('{').unwrap();
        let partly = Arc::new(DataFile {
            path: "partly".to_owned(),
            stats_json: format!(r#"{{"nullCount":{{"_timestamp":1}},{stats}"#),
            ..DataFile::clone(&timed)
        });
        for (hours, count) in [(100, 1), (0, 2)] {
            let retention = Retention {
                age: Some(Duration::from_hours(hours)),
                bytes: None,
            };
            let files = [Arc::clone(&timed), Arc::clone(&partly)];
            let expired = expired(&files, &retention, NOW_MS);
            assert_eq!((expired.len(), expired[0].path.as_str()), (count, "timed"));
        }
    }
}
