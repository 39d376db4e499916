//! The end of old versions: their commit files and checkpoints, and the objects that only they
//! named (P10, P14, P16).
//!
//! ```text
//!  ... 97 98 99 [100 = checkpoint] 101 102 ...        100 is as old as the history is long
//!  ----------- goes                                   what 98 removed was live up to 97: it goes
//! ```
//!
//! Everything below a checkpoint whose commit is older than the history goes, so each version that
//! stays can still be read. A data object goes with the commit that removed it from the table: then
//! no version names it any more. First the checkpoints, then per stretch of commits, from the
//! oldest on, the objects and then the commits; so whatever is left by a crash is found again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{Error as StoreError, ObjectMeta, ObjectStoreExt};

use crate::commit::{Actions, GRACE, read_commit};
use crate::error::Result;
use crate::lake::Lake;
use crate::maintain::packs::Packs;
use crate::maintain::remove::remove;
use crate::path::{LogFile, TablePath};
use crate::read::Snapshot;

/// Commits that go together.
const STRETCH: usize = 256;

/// What cleaning removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cleaned {
    /// Commit files and checkpoints.
    pub log_files: u64,
    /// Data objects, and packs of filters that told of nothing else.
    pub objects: u64,
}

/// What lies in a table's log.
#[derive(Debug, Default)]
struct Listed {
    commits: BTreeMap<u64, ObjectMeta>,
    checkpoints: BTreeMap<u64, ObjectMeta>,
}

/// Removes what only versions older than `history` need, and nothing at or above `pinned`.
///
/// # Errors
/// `Unavailable`: what is left is found again. `Data` for a log that can't be read.
pub(super) fn clean(
    lake: &Lake,
    table: &TablePath,
    history: Duration,
    pinned: Option<u64>,
) -> Result<Cleaned> {
    let listed = list(lake, table)?;
    let Some(oldest) = horizon(lake, table, &listed, history, pinned)? else {
        return Ok(Cleaned::default());
    };
    if listed.commits.range(..oldest).next().is_none()
        && listed.checkpoints.range(..oldest).next().is_none()
    {
        return Ok(Cleaned::default());
    }
    // The proof that what stays can be read without what goes.
    let (Some(first), Some(newest)) = (
        Snapshot::load(lake, table, Some(oldest))?,
        Snapshot::load(lake, table, None)?,
    ) else {
        return Ok(Cleaned::default());
    };
    let files = first.files.iter().chain(newest.files.iter());
    let live: BTreeSet<&str> = files.map(|file| file.path.as_str()).collect();
    // Another sink's names come again when records do: what lies there may be younger (P5, P13).
    let again = newest.is_foreign();
    let mut done = Cleaned::default();
    let paths = |found: &BTreeMap<u64, ObjectMeta>| -> Vec<Path> {
        let below = found.range(..oldest);
        below.map(|(_, object)| object.location.clone()).collect()
    };
    done.log_files += remove(lake, paths(&listed.checkpoints))?;
    let versions: Vec<u64> = listed.commits.range(..oldest).map(|(at, _)| *at).collect();
    let commits = paths(&listed.commits);
    for (versions, commits) in versions.chunks(STRETCH).zip(commits.chunks(STRETCH)) {
        done.objects += remove_objects(lake, table, versions, &live, again)?;
        done.log_files += remove(lake, commits.to_vec())?;
    }
    // The checkpoint's own commit stays, but what it removed is in no version from it on.
    done.objects += remove_objects(lake, table, &[oldest], &live, again)?;
    done.objects += Packs::read(lake, table)?.remove_dead(lake, &live)?;
    note(table, oldest, &done);
    Ok(done)
}

/// Removes the data objects that `versions` removed from the table, unless they are `live`. Names
/// may come `again`: then an object goes only if it is old enough to be the one that was removed.
fn remove_objects(
    lake: &Lake,
    table: &TablePath,
    versions: &[u64],
    live: &BTreeSet<&str>,
    again: bool,
) -> Result<u64> {
    let mut objects = Vec::new();
    for version in versions {
        if let Some(bytes) = read_commit(lake, table, *version)? {
            let actions = Actions::parse(&bytes)?;
            let gone = actions.removes.iter();
            let gone = gone.filter(|gone| !live.contains(gone.path.as_str()));
            let gone = gone.map(|gone| table.object(&gone.path)).collect();
            objects.extend(match again {
                true => old_ones(lake, gone, actions.timestamp_ms)?,
                false => gone,
            });
        }
    }
    remove(lake, objects)
}

/// Those of `objects` that were there when a commit removed them.
fn old_ones(lake: &Lake, objects: Vec<Path>, removed_ms: Option<i64>) -> Result<Vec<Path>> {
    let store = Arc::clone(lake.store());
    lake.wait(async move {
        let mut old = Vec::new();
        for object in objects {
            match store.head(&object).await {
                Ok(meta) if is_younger(meta.last_modified.timestamp_millis(), removed_ms) => {}
                Ok(_) => old.push(object),
                Err(StoreError::NotFound { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(old)
    })?
}

/// Whether an object was made after a commit had removed one of its name. A name is free again
/// once the grace time is over, so clocks may differ by half of it.
fn is_younger(modified_ms: i64, removed_ms: Option<i64>) -> bool {
    let half_ms = i64::try_from(GRACE.as_millis() / 2).unwrap_or(i64::MAX);
    removed_ms.is_none_or(|removed_ms| modified_ms.saturating_sub(removed_ms) > half_ms)
}

/// The newest checkpoint below which everything may go.
fn horizon(
    lake: &Lake,
    table: &TablePath,
    listed: &Listed,
    history: Duration,
    pinned: Option<u64>,
) -> Result<Option<u64>> {
    let now_ms = lake.clock().now_us() / 1_000;
    let old = |then_ms: i64| is_old(then_ms, now_ms, history);
    for version in listed.checkpoints.keys().rev() {
        let unpinned = pinned.is_none_or(|pinned| *version <= pinned);
        let Some(commit) = listed.commits.get(version) else {
            continue;
        };
        // By the store's clock and by the committer's: both must say that it is old.
        if !unpinned || !old(commit.last_modified.timestamp_millis()) {
            continue;
        }
        if let Some(bytes) = read_commit(lake, table, *version)?
            && Actions::parse(&bytes)?.timestamp_ms.is_some_and(old)
        {
            return Ok(Some(*version));
        }
    }
    Ok(None)
}

/// Whether a moment is at least as long ago as the history. Another committer's may be any number.
fn is_old(then_ms: i64, now_ms: i64, history: Duration) -> bool {
    u128::try_from(now_ms.saturating_sub(then_ms)).unwrap_or(0) >= history.as_millis()
}

fn list(lake: &Lake, table: &TablePath) -> Result<Listed> {
    let (store, folder) = (Arc::clone(lake.store()), table.log());
    let objects: Vec<ObjectMeta> =
        lake.wait(async move { store.list(Some(&folder)).try_collect().await })??;
    let mut listed = Listed::default();
    for object in objects {
        match LogFile::parse(&object.location) {
            Some(LogFile::Commit(version)) => {
                listed.commits.insert(version, object);
            }
            Some(LogFile::Checkpoint(version)) => {
                listed.checkpoints.insert(version, object);
            }
            // Not ours to judge.
            None => {}
        }
    }
    Ok(listed)
}

fn note(table: &TablePath, oldest: u64, done: &Cleaned) {
    let topic = || table.topic().to_owned();
    metrics::counter!("eddy_objects_removed_total", "topic" => topic()).increment(done.objects);
    metrics::counter!("eddy_log_files_removed_total", "topic" => topic()).increment(done.log_files);
    tracing::info!(
        topic = table.topic(),
        oldest_version = oldest,
        log_files = done.log_files,
        objects = done.objects,
        "removed what only older versions needed"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p13_an_object_made_after_one_of_its_name_was_removed_is_another() {
        const HOUR_MS: i64 = 3_600_000;
        let removed_ms = 1_795_521_600_000;
        for (hours, younger) in [
            (-300, false),
            (-1, false),
            (11, false),
            (13, true),
            (24, true),
        ] {
            let modified_ms = removed_ms + hours * HOUR_MS;
            assert_eq!(
                is_younger(modified_ms, Some(removed_ms)),
                younger,
                "{hours}"
            );
        }
        assert!(is_younger(removed_ms, None), "when in doubt it stays");
    }

    #[test]
    fn a_commit_of_any_time_has_an_age() {
        let (now_ms, history) = (1_795_521_600_000, Duration::from_hours(24));
        assert!(is_old(i64::MIN, now_ms, history));
        assert!(!is_old(i64::MAX, now_ms, history));
        assert!(!is_old(now_ms - 1, now_ms, history));
        assert!(is_younger(now_ms, Some(i64::MIN)));
        assert!(!is_younger(now_ms, Some(i64::MAX)));
    }
}
