//! Runs say where each record is, exactly or a little early, and never too late.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use proptest::prelude::*;

use super::*;

fn landed(partition: i32, offset: i64) -> Landed {
    Landed {
        partition: Some(partition),
        offset: Some(offset),
    }
}

/// What becomes of records that land one behind the other, with strangers' records after some.
fn runs(sources: &[(i32, i64)], target_partitions: i32, strangers: &[usize]) -> Vec<Run> {
    let mut runs = Runs::default();
    let mut ends = BTreeMap::new();
    for (at, (partition, offset)) in sources.iter().enumerate() {
        let target = partition % target_partitions;
        let end = ends.entry(target).or_insert(100);
        runs.add("id", *partition, *offset, landed(target, *end));
        *end += if strangers.contains(&at) { 3 } else { 1 };
    }
    runs.take()
}

#[test]
fn a_whole_partition_is_one_run_however_long() {
    let sources: Vec<_> = (0..5_000).map(|offset| (0, offset)).collect();
    let found = runs(&sources, 1, &[]);
    assert_eq!(found.len(), 1);
    assert_eq!(
        (found[0].records, found[0].target_last()),
        (5_000, Some(5_099))
    );
    assert!(found[0].is_exact());
    assert_eq!(
        translate(&found, &BTreeMap::from([(0, 4_321)])),
        BTreeMap::from([(0, 4_421)])
    );
}

#[test]
fn gaps_in_the_source_make_runs_of_a_bounded_length() {
    let sources: Vec<_> = (0..2_500).map(|n| (0, n * 7)).collect();
    let found = runs(&sources, 1, &[]);
    let records: Vec<u64> = found.iter().map(|run| run.records).collect();
    assert_eq!(records, [1_000, 1_000, 500]);
}

#[test]
fn who_has_read_all_goes_on_behind_the_last_and_who_read_nothing_at_the_first() {
    let found = runs(&[(0, 5), (0, 6), (1, 0)], 2, &[]);
    let all = BTreeMap::from([(0, 7), (1, 1)]);
    assert_eq!(
        translate(&found, &all),
        BTreeMap::from([(0, 102), (1, 101)])
    );
    let nothing = BTreeMap::new();
    assert_eq!(
        translate(&found, &nothing),
        BTreeMap::from([(0, 100), (1, 100)])
    );
}

#[test]
fn a_destination_that_tells_no_offsets_has_no_runs() {
    let mut runs = Runs::default();
    runs.add("id", 0, 0, Landed::default());
    assert_eq!((runs.len(), runs.take()), (0, Vec::new()));
}

#[test]
fn what_was_acknowledged_without_an_offset_is_told_and_never_passed_over() {
    let unknown = Landed {
        partition: Some(0),
        offset: None,
    };
    let mut runs = Runs::default();
    for (offset, landed) in [
        (0, landed(0, 100)),
        (1, unknown),
        (2, unknown),
        // Somebody else's are in between.
        (3, landed(0, 107)),
        (4, unknown),
    ] {
        runs.add("id", 0, offset, landed);
    }
    let runs = runs.take();
    let told: Vec<_> = runs
        .iter()
        .map(|run| (run.first, run.records, run.target_first, run.target_last()))
        .collect();
    assert_eq!(
        told,
        [
            (0, 1, Some(100), Some(100)),
            (1, 2, None, None),
            (3, 1, Some(107), Some(107)),
            (4, 1, None, None),
        ]
    );
    for (committed, expected) in [(0, 100), (1, 101), (2, 101), (3, 107), (4, 108), (5, 108)] {
        let translated = translate(&runs, &BTreeMap::from([(0, committed)]));
        assert_eq!(translated, BTreeMap::from([(0, expected)]), "{committed}");
    }
    // Of the first of all nothing is known but that it is there.
    assert_eq!(
        translate(&runs[1..2], &BTreeMap::from([(0, 1)])),
        BTreeMap::from([(0, 0)])
    );
}

proptest! {
    #[test]
    fn nothing_unread_is_passed_over_and_exact_runs_pass_over_nothing_read(
        gaps in prop::collection::vec((0..3_i32, 1..4_i64), 1..200),
        target_partitions in 1..4_i32,
        strangers in prop::collection::vec(0..200_usize, 0..10),
        committed in prop::collection::btree_map(0..3_i32, 0..400_i64, 0..3),
    ) {
        let mut next = BTreeMap::new();
        let sources: Vec<(i32, i64)> = gaps.iter().map(|(partition, gap)| {
            let offset = next.entry(*partition).or_insert(0);
            *offset += gap;
            (*partition, *offset)
        }).collect();
        let found = runs(&sources, target_partitions, &strangers);
        let translated = translate(&found, &committed);
        let mut ends = BTreeMap::new();
        for (at, (partition, offset)) in sources.iter().enumerate() {
            let target = partition % target_partitions;
            let end = ends.entry(target).or_insert(100_i64);
            let unread = *offset >= committed.get(partition).copied().unwrap_or(0);
            prop_assert!(!unread || translated[&target] <= *end);
            *end += if strangers.contains(&at) { 3 } else { 1 };
        }
        let sum: u64 = found.iter().map(|run| run.records).sum();
        prop_assert_eq!(sum, sources.len() as u64);
    }
}
