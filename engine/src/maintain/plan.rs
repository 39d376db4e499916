//! Which files are put together: pure, from the list of a version's files.
//!
//! Within a partition the small files are taken in order of time, so that what is merged lies close
//! together, and packed up to the size of one output file. A file that outweighs all the others is
//! left out: rewriting it would cost more than it helps, so each row is rewritten about as often as
//! its file can still double.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::commit::DataFile;
use crate::maintain::policy::Compaction;
use crate::maintain::times::times;

/// Files of one partition that become one or a few.
pub(super) type Bin = Vec<Arc<DataFile>>;

/// The rewrites that are worth it at `now_ms`.
pub(super) fn bins(files: &[Arc<DataFile>], policy: &Compaction, now_ms: i64) -> Vec<Bin> {
    let mut partitions: BTreeMap<_, Vec<&Arc<DataFile>>> = BTreeMap::new();
    for file in files {
        partitions
            .entry(&file.partition_values)
            .or_default()
            .push(file);
    }
    partitions
        .into_values()
        .flat_map(|files| partition(&files, policy, now_ms))
        .collect()
}

fn partition(files: &[&Arc<DataFile>], policy: &Compaction, now_ms: i64) -> Vec<Bin> {
    let newest_ms = files.iter().map(|file| file.modified_ms).max().unwrap_or(0);
    let least = if age(now_ms, newest_ms) >= policy.quiet {
        2
    } else {
        policy.least_files.max(2)
    };
    let mut small: Vec<Arc<DataFile>> = files
        .iter()
        .filter(|file| file.size < policy.small_bytes())
        .filter(|file| age(now_ms, file.modified_ms) >= policy.settle)
        // Without statistics it isn't ours, and nobody knows its rows (P22).
        .filter(|file| file.rows > 0 && !file.stats_json.is_empty())
        .map(|file| Arc::clone(file))
        .collect();
    outweighed(&mut small);
    if small.len() < least {
        return Vec::new();
    }
    small.sort_by_cached_key(|file| (times(file).0, file.path.clone()));
    let mut bins = pack(&small, policy.target_bytes);
    bins.iter_mut().for_each(outweighed);
    bins.retain(|bin| bin.len() >= least);
    bins
}

/// Leaves out files that are larger than all the others together.
fn outweighed(files: &mut Bin) {
    let mut total: u64 = files.iter().map(|file| file.size).sum();
    while let Some((at, largest)) = files.iter().enumerate().max_by_key(|(_, file)| file.size) {
        let size = largest.size;
        if size <= total - size {
            return;
        }
        files.remove(at);
        total -= size;
    }
}

fn pack(files: &[Arc<DataFile>], target_bytes: u64) -> Vec<Bin> {
    let mut bins: Vec<Bin> = Vec::new();
    let mut bytes = 0;
    for file in files {
        match bins.last_mut() {
            Some(bin) if bytes + file.size <= target_bytes => bin.push(Arc::clone(file)),
            _ => {
                bins.push(vec![Arc::clone(file)]);
                bytes = 0;
            }
        }
        bytes += file.size;
    }
    bins
}

/// What another writer says of a moment may be any number.
fn age(now_ms: i64, then_ms: i64) -> Duration {
    Duration::from_millis(u64::try_from(now_ms.saturating_sub(then_ms)).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]

    use super::*;

    const MIB: u64 = 1 << 20;
    const HOUR_MS: i64 = 3_600_000;
    const NOW_MS: i64 = 1_800_000_000_000;

    /// `size` in MiB, `age` in hours, a record time that grows with the number.
    fn file(number: usize, day: &str, size: u64, age: i64) -> Arc<DataFile> {
        Arc::new(DataFile {
            path: format!("dt={day}/{number:04}.parquet"),
            size: size * MIB,
            modified_ms: NOW_MS - age * HOUR_MS,
            partition_values: [("dt".to_owned(), Some(day.to_owned()))].into(),
            rows: 10,
            stats_json: format!(
                r#"{{"numRecords":10,"minValues":{{"_timestamp":"2026-11-23T10:{:02}:{:02}Z"}}}}"#,
                number / 60,
                number % 60
            ),
        })
    }

    fn sizes(files: &[Arc<DataFile>]) -> Vec<Vec<u64>> {
        let bins = bins(files, &Compaction::default(), NOW_MS);
        bins.iter()
            .map(|bin| bin.iter().map(|file| file.size / MIB).collect())
            .collect()
    }

    fn many(count: usize, size: u64, age: i64) -> Vec<Arc<DataFile>> {
        (0..count)
            .map(|number| file(number, "2026-11-23", size, age))
            .collect()
    }

    #[test]
    fn a_young_table_with_few_files_is_left_alone() {
        assert_eq!(sizes(&many(15, 1, 1)), Vec::<Vec<u64>>::new());
        assert_eq!(sizes(&many(100, 1, 0)), Vec::<Vec<u64>>::new());
        assert_eq!(sizes(&[]), Vec::<Vec<u64>>::new());
    }

    #[test]
    fn small_files_are_packed_up_to_the_target() {
        assert_eq!(sizes(&many(16, 1, 1)), [vec![1; 16]]);
        let packed = sizes(&many(100, 4, 1));
        assert_eq!(packed, [vec![4; 32], vec![4; 32], vec![4; 32]]);
    }

    #[test]
    fn files_that_are_large_enough_are_never_rewritten() {
        assert_eq!(sizes(&many(50, 64, 48)), Vec::<Vec<u64>>::new());
    }

    #[test]
    fn a_file_that_outweighs_the_others_is_left_out() {
        let mut files = many(20, 1, 1);
        files.push(file(20, "2026-11-23", 60, 1));
        assert_eq!(sizes(&files), [vec![1; 20]]);
        files.push(file(21, "2026-11-23", 60, 1));
        assert_eq!(sizes(&files), [vec![1; 20]], "alone in its bin");
        files.truncate(20);
        files.push(file(20, "2026-11-23", 20, 1));
        assert_eq!(sizes(&files).concat().len(), 21);
    }

    #[test]
    fn a_quiet_partition_is_put_together_however_few_its_files_are() {
        let mut files = many(2, 1, 3);
        assert_eq!(sizes(&files), [[1, 1]]);
        files.push(file(2, "2026-11-23", 1, 1));
        assert_eq!(sizes(&files), Vec::<Vec<u64>>::new(), "it got a new file");
    }

    #[test]
    fn partitions_are_never_mixed_and_files_without_statistics_not_touched() {
        let mut files = many(16, 1, 3);
        files.extend((0..16).map(|number| file(number, "2026-11-24", 2, 3)));
        assert_eq!(sizes(&files), [vec![1; 16], vec![2; 16]]);
        let foreign = DataFile {
            stats_json: String::new(),
            rows: 0,
            ..DataFile::clone(&files[0])
        };
        files[0] = Arc::new(foreign);
        assert_eq!(sizes(&files), [vec![1; 15], vec![2; 16]]);
    }

    #[test]
    fn p22_files_of_any_time_of_upload_are_planned() {
        for modified_ms in [i64::MIN, 0, i64::MAX] {
            let mut files = many(17, 1, 1);
            let strange = DataFile {
                modified_ms,
                ..DataFile::clone(&files[0])
            };
            files[0] = Arc::new(strange);
            let taken = if modified_ms < NOW_MS { 17 } else { 16 };
            assert_eq!(sizes(&files), [vec![1; taken]], "{modified_ms}");
        }
    }

    #[test]
    fn a_bin_is_in_order_of_time() {
        let mut files = many(20, 1, 1);
        files.reverse();
        let bins = bins(&files, &Compaction::default(), NOW_MS);
        let paths: Vec<&String> = bins[0].iter().map(|file| &file.path).collect();
        assert!(paths.is_sorted());
    }
}
