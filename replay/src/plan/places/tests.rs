//! What has no place at the target is refused, whatever maps where it goes.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::request::Payload;
use crate::source::PartitionCount;

/// Records of these topics and partitions in one table.
fn source(parts: &[(&str, i32)]) -> SourcePlan {
    let parts = parts.iter().map(|(topic, partition)| PartitionCount {
        topic: (*topic).to_owned(),
        topic_id: format!("id of {topic}"),
        partition: *partition,
        records: 10,
    });
    SourcePlan {
        select: "SELECT * FROM shop".to_owned(),
        table: "shop".to_owned(),
        version: 7,
        records: 1_000,
        bytes: Some(50_000),
        files: 2,
        first_timestamp_us: None,
        last_timestamp_us: None,
        partitions: parts.collect(),
        payload: Payload::Original,
        sets: Vec::new(),
    }
}

/// A target of three partitions, with these topics beside it.
fn target(others: &[(&str, i32)]) -> Checked {
    let others = others.iter();
    Checked {
        target: "kafka topic `main`".to_owned(),
        topic: Some("main".to_owned()),
        partitions: Some(3),
        topics: others
            .map(|(topic, partitions)| ((*topic).to_owned(), *partitions))
            .collect(),
        ..Checked::default()
    }
}

fn options(given: &[(&str, &str)]) -> Options {
    let given = given.iter();
    let given = given.map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    Options::parse(&given.collect()).unwrap()
}

fn told(source: &SourcePlan, checked: &Checked, given: &[(&str, &str)]) -> Vec<String> {
    let problems = misplaced(source, checked, &options(given));
    problems.into_iter().map(|one| one.message).collect()
}

#[test]
fn a_partition_that_the_map_lacks_or_the_target_has_not_is_refused_by_name() {
    let source = source(&[("orders", 0), ("orders", 1), ("orders", 4)]);
    let checked = target(&[]);
    let told = |map| told(&source, &checked, &[("partition", map)]);
    let nothing: [&str; 0] = [];
    assert_eq!(told("0:2, 1:2, 4:0"), nothing);
    assert_eq!(
        told("1:2, 7:0"),
        ["the map of `partition` lacks partitions that rows are of: 0, 4"]
    );
    assert_eq!(
        told("0:2, 1:3, 4:0"),
        ["topic `main` has 3 partitions, but rows of partition 1 are to go to 3"]
    );
    // A place that no row goes to may be anywhere.
    assert_eq!(told("0:2, 1:2, 4:0, 5:100"), nothing);
}

#[test]
fn a_partition_that_the_select_list_sets_needs_no_map() {
    let mut source = source(&[("orders", 9)]);
    source.sets = vec!["_partition".to_owned()];
    let nothing: [&str; 0] = [];
    assert_eq!(
        told(&source, &target(&[]), &[("partition", "0:1")]),
        nothing
    );
}

#[test]
fn each_target_topic_needs_the_partitions_of_its_own_records() {
    let source = source(&[
        ("orders", 0),
        ("orders", 5),
        ("payments", 1),
        ("refunds", 2),
    ]);
    let map = ("topics", "orders:wide, payments:narrow");
    let checked = target(&[("wide", 6), ("narrow", 2)]);
    let nothing: [&str; 0] = [];
    assert_eq!(told(&source, &checked, &[map]), nothing);
    let checked = target(&[("wide", 5), ("narrow", 1)]);
    assert_eq!(
        told(&source, &checked, &[map]),
        [
            "topic `narrow` has 1 partitions, but rows of partition 1 are to keep theirs",
            "topic `wide` has 5 partitions, but rows of partition 5 are to keep theirs",
        ]
    );
    assert_eq!(
        told(&source, &checked, &[map, ("partition", "key")]),
        nothing
    );
}

#[test]
fn a_map_that_names_no_topic_of_the_records_is_refused_with_those() {
    let source = source(&[("orders", 0), ("payments", 1)]);
    let checked = target(&[("copy", 3)]);
    assert_eq!(
        told(&source, &checked, &[("topics", "ordres:copy")]),
        ["`topics` names no topic that the records are of: `orders`, `payments`"]
    );
    let nothing: [&str; 0] = [];
    let later = [("topics", "later:copy"), ("continuous", "true")];
    assert_eq!(told(&source, &checked, &later), nothing);
    let some = [("topics", "orders:copy, later:copy")];
    assert_eq!(told(&source, &checked, &some), nothing);
}

#[test]
fn records_go_home_where_their_own_topic_is_the_one_they_go_to() {
    let both = source(&[("orders", 0), ("main", 1)]);
    let home = |source: &SourcePlan, map: &str| {
        let given = [("topics", map)];
        let given = if map.is_empty() { &[][..] } else { &given[..] };
        go_home(source, &target(&[]), &options(given))
    };
    assert!(home(&both, ""), "`main` is the destination's own");
    assert!(!home(&both, "main:copy"));
    assert!(home(&both, "orders:orders, main:copy"));
    assert!(!home(&both, "orders:main, main:orders"));
    assert!(!home(&source(&[]), ""), "`shop` goes to `main`");
    let named = SourcePlan {
        table: "main".to_owned(),
        ..source(&[])
    };
    assert!(home(&named, ""));
}

#[test]
fn of_many_only_the_first_are_named() {
    let all = (0..12).map(|n: i32| n.to_string());
    assert_eq!(list(all), "0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 2 more");
}
