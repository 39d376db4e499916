//! Slices of files: whatever lies where, each partition comes in its order.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use proptest::prelude::*;

use super::*;

fn span(partition: i32, first: i64, last: i64) -> Span {
    Span {
        topic_id: TopicId::new("t"),
        partition,
        first,
        last,
        rows: u64::try_from(last - first + 1).unwrap(),
        in_order: true,
    }
}

fn file(number: usize, spans: Vec<Span>) -> Covered {
    Covered {
        number,
        bytes: 10,
        spans,
    }
}

fn numbers(slices: &[Slice]) -> Vec<Vec<usize>> {
    slices.iter().map(|slice| slice.numbers.clone()).collect()
}

#[test]
fn files_that_follow_each_other_are_read_one_by_one() {
    let files = vec![
        file(0, vec![span(0, 100, 199), span(1, 9, 11)]),
        file(1, vec![span(0, 0, 99), span(1, 1, 8)]),
        file(2, vec![span(1, 12, 12)]),
    ];
    let found = slices(files.clone(), 1);
    assert_eq!(numbers(&found), [[1], [0], [2]]);
    assert!(found.iter().all(|slice| slice.in_order));
    // Until enough has come together.
    let found = slices(files, 20);
    assert_eq!(numbers(&found), [vec![1, 0], vec![2]]);
    assert!(!found[1].in_order, "it is small");
}

#[test]
fn files_that_overlap_are_read_together_and_sorted() {
    let files = vec![
        file(0, vec![span(0, 0, 50), span(1, 0, 5)]),
        file(1, vec![span(0, 40, 90)]),
        // In order for partition 0, and beside the first for 1.
        file(2, vec![span(0, 91, 99), span(1, 3, 3)]),
        file(3, vec![span(0, 100, 100)]),
    ];
    let found = slices(files, 1);
    assert_eq!(numbers(&found), [vec![0, 1, 2], vec![3]]);
    assert!(!found[0].in_order && found[1].in_order);
}

#[test]
fn a_file_that_does_not_lie_in_order_is_sorted() {
    let mut mixed = span(0, 0, 50);
    mixed.in_order = false;
    let files = vec![file(0, vec![mixed]), file(1, vec![span(0, 51, 60)])];
    let found = slices(files, 1);
    assert_eq!(numbers(&found), [[0], [1]]);
    assert!(!found[0].in_order && found[1].in_order);
}

#[test]
fn partitions_at_different_offsets_do_not_keep_files_together() {
    let files = (0..10).map(|at: i64| {
        let far = span(0, 1_000_000 + at * 10, 1_000_009 + at * 10);
        file(usize::try_from(at).unwrap(), vec![far, span(1, at, at)])
    });
    assert_eq!(slices(files.collect(), 1).len(), 10);
    assert!(slices(Vec::new(), 1).is_empty());
}

proptest! {
    #[test]
    fn every_partition_comes_in_order_and_every_file_once(
        files in prop::collection::vec(
            prop::collection::btree_map(0i32..4, (0i64..60, 0i64..6), 1..4),
            0..12,
        ),
        bytes in 0u64..40,
    ) {
        let files: Vec<Covered> = files
            .into_iter()
            .enumerate()
            .map(|(number, spans)| {
                let spans = spans.into_iter();
                let spans = spans.map(|(partition, (first, more))| {
                    span(partition, first, first + more)
                });
                file(number, spans.collect())
            })
            .collect();
        let found = slices(files.clone(), bytes);
        let mut all: Vec<usize> = numbers(&found).concat();
        all.sort_unstable();
        prop_assert_eq!(all, (0..files.len()).collect::<Vec<_>>());
        for partition in 0..4 {
            let mut greatest = i64::MIN;
            for slice in &found {
                let spans = slice.numbers.iter().flat_map(|number| &files[*number].spans);
                let spans: Vec<&Span> =
                    spans.filter(|span| span.partition == partition).collect();
                prop_assert!(spans.iter().all(|span| span.first > greatest));
                greatest = spans.iter().map(|span| span.last).max().unwrap_or(greatest);
            }
        }
    }
}
