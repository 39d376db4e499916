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

fn joined(runs: impl IntoIterator<Item = Run>) -> Vec<Run> {
    let mut joined = Joined::default();
    runs.into_iter().for_each(|run| joined.add(run));
    joined.into_runs()
}

#[test]
fn runs_that_follow_each_other_without_gaps_are_one() {
    let records: Vec<_> = (0..300).flat_map(|n| [(0, n), (1, n)]).collect();
    let parts = records.chunks(10);
    let mut ends = BTreeMap::new();
    let mut runs = Runs::default();
    let mut found = Vec::new();
    for part in parts {
        for (partition, offset) in part {
            let end = ends.entry(*partition).or_insert(0);
            runs.add("id", *partition, *offset, landed(*partition, *end));
            *end += 1;
        }
        found.extend(runs.take());
    }
    assert_eq!(found.len(), 120);
    let records = |run: &Run| (run.partition, run.first, run.records, run.target_first);
    let joined: Vec<_> = joined(found).iter().map(records).collect();
    assert_eq!(joined, [(0, 0, 300, Some(0)), (1, 0, 300, Some(0))]);
}

proptest! {
    #[test]
    fn runs_joined_by_parts_are_those_joined_at_once_and_say_the_same(
        gaps in prop::collection::vec((0..2_i32, 1..3_i64, 1..3_i64), 1..60),
        cuts in prop::collection::vec(0..60_usize, 2),
        committed in prop::collection::btree_map(0..2_i32, 0..150_i64, 0..2),
    ) {
        // Each record as a run of its own, as often stored as possible.
        let mut next = BTreeMap::new();
        let runs: Vec<Run> = gaps.iter().map(|(partition, gap, target_gap)| {
            let (offset, target) = next.entry(*partition).or_insert((0, 0));
            *offset += gap;
            *target += target_gap;
            Run {
                topic_id: "id".to_owned(),
                topic: String::new(),
                target_topic: None,
                partition: *partition,
                first: *offset,
                last: *offset,
                records: 1,
                target_partition: *partition,
                target_first: Some(*target),
            }
        }).collect();
        let at_once = joined(runs.clone());
        let from = cuts.iter().min().copied().unwrap_or(0).min(runs.len());
        let to = cuts.iter().max().copied().unwrap_or(0).min(runs.len());
        let part = joined(runs[from..to].to_vec());
        let by_parts = runs[..from].iter().cloned().chain(part).chain(runs[to..].iter().cloned());
        prop_assert_eq!(&joined(by_parts), &at_once);
        prop_assert_eq!(translate(&at_once, &committed), translate(&runs, &committed));
    }

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
