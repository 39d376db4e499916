//! Files divided among nodes: each byte once, evenly, and at the same place again.

use std::collections::BTreeMap;

use datafusion::datasource::listing::PartitionedFile;
use uuid::Uuid;

use crate::nodes::share::shares;

const MIB: u64 = 1 << 20;

fn files(sizes: &[u64]) -> Vec<PartitionedFile> {
    let files = sizes.iter().enumerate();
    files
        .map(|(at, size)| PartitionedFile::new(format!("file-{at:04}"), *size))
        .collect()
}

fn nodes(count: u128) -> Vec<Uuid> {
    (1..=count).map(Uuid::from_u128).collect()
}

/// The ranges of each file by node.
fn ranges(sizes: &[u64], nodes: &[Uuid], threads: usize) -> Vec<BTreeMap<String, Vec<(u64, u64)>>> {
    let divided = shares(files(sizes), nodes, threads);
    assert_eq!(divided.len(), nodes.len());
    let of_node = |groups: Vec<datafusion::datasource::physical_plan::FileGroup>| {
        assert_eq!(
            groups.len(),
            threads,
            "each node has a group for each thread"
        );
        let mut ranges: BTreeMap<String, Vec<(u64, u64)>> = BTreeMap::new();
        for file in groups.iter().flat_map(|group| group.files()) {
            let name = file.object_meta.location.to_string();
            ranges.entry(name).or_default().push(file.range());
        }
        ranges
    };
    divided.into_iter().map(of_node).collect()
}

#[test]
fn each_byte_goes_to_exactly_one_node() {
    let mixed: Vec<u64> = (0..40)
        .map(|at| 1 + at * at * 70_001 % (50 * MIB))
        .collect();
    for sizes in [vec![], vec![1], vec![900 * MIB], vec![7 * MIB; 100], mixed] {
        for (count, threads) in [(1, 1), (2, 4), (3, 2), (7, 1)] {
            let mut all: BTreeMap<String, Vec<(u64, u64)>> = BTreeMap::new();
            for of_node in ranges(&sizes, &nodes(count), threads) {
                for (name, parts) in of_node {
                    all.entry(name).or_default().extend(parts);
                }
            }
            assert_eq!(all.len(), sizes.len());
            for (name, mut parts) in all {
                let size = sizes[name
                    .strip_prefix("file-")
                    .unwrap()
                    .parse::<usize>()
                    .unwrap()];
                parts.sort_unstable();
                let mut at = 0;
                for (start, end) in parts {
                    assert_eq!(start, at, "{name}");
                    at = end;
                }
                assert_eq!(at, size, "{name}");
            }
        }
    }
}

#[test]
fn files_that_are_cut_already_are_taken_for_what_they_are() {
    let [whole] = <[PartitionedFile; 1]>::try_from(files(&[30 * MIB])).unwrap();
    let half = i64::try_from(15 * MIB).unwrap();
    let cut = [
        whole.clone().with_range(0, half),
        whole.with_range(half, 2 * half),
    ];
    let divided = shares(cut, &nodes(3), 1);
    let bytes = divided.iter().flatten().flat_map(|group| group.files());
    assert_eq!(
        bytes.map(PartitionedFile::effective_size).sum::<u64>(),
        30 * MIB
    );
}

#[test]
fn shares_are_about_equal_and_a_file_stays_where_it_was() {
    let sizes = vec![3 * MIB; 200];
    let three = ranges(&sizes, &nodes(3), 2);
    for of_node in &three {
        assert!((50..=84).contains(&of_node.len()), "{}", of_node.len());
    }
    // Of a table that grows, most of what a node has read before is its own again.
    let more = ranges(&vec![3 * MIB; 210], &nodes(3), 2);
    let same: usize = three
        .iter()
        .zip(&more)
        .map(|(before, after)| {
            before
                .keys()
                .filter(|name| after.contains_key(*name))
                .count()
        })
        .sum();
    assert!(same >= 180, "{same} of 200");
}
