//! What a plan says, and what it refuses.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use super::*;

fn source() -> SourcePlan {
    SourcePlan {
        select: "SELECT * FROM orders".to_owned(),
        table: "orders".to_owned(),
        version: 7,
        records: 1_000,
        bytes: Some(50_000),
        files: 2,
        first_timestamp_us: Some(0),
        last_timestamp_us: Some(1),
        partitions: vec![PartitionCount {
            topic: "orders".to_owned(),
            topic_id: "id".to_owned(),
            partition: 3,
            records: 1_000,
        }],
        payload: Payload::Original,
        sets: Vec::new(),
    }
}

fn target(topic: &str, partitions: i32) -> Result<Checked> {
    Ok(Checked {
        target: format!("kafka topic `{topic}`"),
        topic: Some(topic.to_owned()),
        partitions: Some(partitions),
        ..Checked::default()
    })
}

fn options(key: &str, value: &str) -> Options {
    Options::parse(&BTreeMap::from([(key.to_owned(), value.to_owned())])).unwrap()
}

#[test]
fn a_target_with_too_few_partitions_is_refused_before_the_first_record() {
    let plan = Plan::new(source(), target("retry", 3), &Options::default());
    let error = plan.accept().unwrap_err();
    assert!(error.to_string().contains("`retry` has 3 partitions"));
    assert!(error.hint().unwrap().contains("at least 4"));
    let by_key = Plan::new(source(), target("retry", 3), &options("partition", "key"));
    assert!(by_key.accept().is_ok());
    let enough = Plan::new(source(), target("retry", 4), &Options::default());
    assert!(enough.accept().is_ok());
}

#[test]
fn a_replay_into_its_own_topic_marks_unless_told_otherwise() {
    let headers = |topic, options: &Options| Plan::new(source(), target(topic, 4), options).headers;
    assert_eq!(headers("orders", &Options::default()), "mark");
    assert_eq!(headers("retry", &Options::default()), "keep");
    assert_eq!(headers("orders", &options("headers", "keep")), "keep");
    assert_eq!(headers("retry", &options("headers", "strip")), "strip");
    let by_reference = target("${env:TOPIC}", 4).map(|checked| Checked {
        topic_behind: Some("orders".to_owned()),
        ..checked
    });
    let plan = Plan::new(source(), by_reference, &Options::default());
    assert_eq!(plan.headers, "mark");
}

#[test]
fn a_continuous_replay_into_its_own_topic_has_to_mark() {
    let mut asked = options("continuous", "true");
    let refused = |topic, options: &Options| {
        Plan::new(source(), target(topic, 4), options)
            .accept()
            .is_err()
    };
    assert!(!refused("orders", &asked));
    for bare in [Headers::Keep, Headers::Strip] {
        asked.headers = Some(bare);
        assert!(refused("orders", &asked));
        assert!(!refused("another", &asked));
    }
    asked.topics = options("topics", "orders:copy").topics;
    assert!(refused("another", &asked), "`copy` may come to be recorded");
    asked.headers = None;
    assert!(!refused("another", &asked));
}

#[test]
fn the_rate_gives_the_least_time() {
    let plan = Plan::new(source(), target("retry", 4), &options("rate", "500/s"));
    assert_eq!(plan.seconds_min, Some(2.0));
    let plan = Plan::new(source(), target("retry", 4), &Options::default());
    assert_eq!(plan.seconds_min, None);
}

#[test]
fn the_speed_gives_the_least_time_too() {
    let mut hour = source();
    hour.last_timestamp_us = Some(3_600_000_000);
    let plan = Plan::new(hour, target("retry", 4), &options("speed", "10x"));
    assert_eq!(plan.seconds_min, Some(360.0));
}

#[test]
fn an_edited_value_is_marked_and_a_set_partition_needs_no_other() {
    let mut edited = source();
    edited.sets = vec!["_value".to_owned(), "_partition".to_owned()];
    let plan = Plan::new(edited, target("retry", 1), &Options::default());
    assert_eq!(plan.headers, "mark");
    assert!(plan.accept().is_ok());
}

#[test]
fn an_unreachable_destination_is_a_problem_of_the_plan() {
    let down = Err(Error::unavailable("no broker answers").with_hint("is it up?"));
    let plan = Plan::new(source(), down, &Options::default());
    assert_eq!(plan.records, 1_000);
    assert_eq!(plan.problems.len(), 1);
    assert_eq!(plan.accept().unwrap_err().kind(), ErrorKind::Unavailable);
}

#[test]
fn shards_keep_the_order_of_a_key_or_are_refused() {
    let given = [("shards", "4"), ("ordering", "key")];
    let given = given.map(|(key, value)| (key.to_owned(), value.to_owned()));
    let by_key = Options::parse(&BTreeMap::from(given)).unwrap();
    let any = options("shards", "4");
    let refused = |source: &SourcePlan, options: &Options| {
        Plan::new(source.clone(), target("retry", 16), options)
            .accept()
            .is_err()
    };
    let count = |topic_id: &str, partition| PartitionCount {
        topic: "orders".to_owned(),
        topic_id: topic_id.to_owned(),
        partition,
        records: 500,
    };
    let mut two = source();
    two.partitions = vec![count("id", 3), count("id", 4)];
    assert!(!refused(&two, &by_key));
    let plan = Plan::new(two.clone(), target("retry", 16), &by_key);
    assert_eq!(plan.shards, 2, "no more than partitions");
    let plan = Plan::new(source(), target("retry", 16), &by_key);
    assert_eq!(plan.shards, 1);
    let mut keyed = two.clone();
    keyed.sets = vec!["_key".to_owned()];
    let mut again = two;
    again.partitions = vec![count("id", 3), count("new", 3)];
    for source in [&keyed, &again] {
        assert!(refused(source, &by_key));
        assert!(!refused(source, &any));
    }
}
