//! What becomes of positions that the broker can't serve, and of partitions that come later (P3).

use std::collections::BTreeMap;

use eddy_engine::read::Snapshot;
use serde_json::json;

use crate::harness::kafka::Topic;
use crate::harness::lake::TestLake;
use crate::harness::process::Start;
use crate::harness::unique;
use crate::harness::wait::{PATIENCE, wait_equal, wait_until};
use crate::offsets::{Connector, count, sink, skipped};
use crate::proof::{every_record_is_there_once, orders, verified, wait_committed};

#[test]
fn p3_a_new_partition_is_recorded_from_its_beginning_whatever_the_start() {
    let lake = TestLake::local();
    let mut topic = Topic::create("grown", 1);
    topic.produce_values(&orders(0..10));
    let eddy = Start::on(&lake).connect().ready();
    let mut config = sink(&topic);
    config["consumer.override.auto.offset.reset"] = json!("latest");
    config["consumer.override.topic.metadata.refresh.interval.ms"] = json!("500");
    config["consumer.override.metadata.max.age.ms"] = json!("500");
    Connector::make(&eddy, &config);
    let begun = || lake_positions(&lake, &topic.name);
    wait_equal(
        PATIENCE,
        "its start",
        Some(BTreeMap::from([(0, 10)])),
        || Some(begun()),
    );
    topic.grow(3);
    topic.produce_values(&orders(10..40));
    wait_committed(&lake, &topic);
    wait_equal(PATIENCE, "the rows", Some(30), || {
        Some(count(&eddy, &topic))
    });
    verified(&eddy, &topic);
}

fn lake_positions(lake: &TestLake, topic: &str) -> BTreeMap<i32, i64> {
    let lake = lake.open();
    let snapshot = Snapshot::load(&lake, &lake.table("topics", topic), None);
    let positions = snapshot.ok().flatten();
    let positions = positions
        .iter()
        .flat_map(|snapshot| snapshot.positions.iter());
    positions
        .map(|((_, partition), position)| (*partition, position.offset))
        .collect()
}

#[test]
fn p3_a_position_that_the_broker_no_longer_has_stops_or_skips_by_name_as_configured() {
    let lake = TestLake::local();
    let topic = Topic::create("expired", 1);
    topic.produce_values(&orders(0..50));
    let eddy = Start::on(&lake).connect().ready();
    let mut config = sink(&topic);
    config["tasks.max"] = json!("1");
    let connector = Connector::make(&eddy, &config);
    every_record_is_there_once(&eddy, &lake, &topic, 50);
    connector.stop();
    topic.produce_values(&orders(50..150));
    topic.delete_below(&[(0, 80)]);
    connector.resume();
    let task = || {
        let status = connector.ask("GET", "status", None).1;
        status["tasks"][0].clone()
    };
    wait_until(PATIENCE, "the task says that it can't go on", || {
        task()["state"] == "FAILED"
    });
    let trace = task()["trace"].as_str().unwrap_or_default().to_owned();
    assert!(trace.contains("`50`") && trace.contains("`80`"), "{trace}");
    assert!(trace.contains("position.reset"), "{trace}");
    config["position.reset"] = json!("earliest");
    assert_eq!(connector.ask("PUT", "config", Some(&config)).0, 200);
    wait_committed(&lake, &topic);
    wait_equal(PATIENCE, "the rows", Some(120), || {
        Some(count(&eddy, &topic))
    });
    assert_eq!(skipped(&verified(&eddy, &topic)), [30]);
    assert_eq!(task()["state"], "RUNNING");
}

#[test]
fn p3_a_position_that_expires_while_the_task_runs_is_skipped_by_name_and_reading_goes_on() {
    let lake = TestLake::local();
    let topic = Topic::create("overtaken", 1);
    topic.produce_values(&orders(0..50));
    let eddy = Start::on(&lake).connect().ready();
    let mut config = sink(&topic);
    config["tasks.max"] = json!("1");
    config["position.reset"] = json!("earliest");
    // No question to the broker may still be open when there are new records.
    config["consumer.override.fetch.max.wait.ms"] = json!("10");
    Connector::make(&eddy, &config);
    every_record_is_there_once(&eddy, &lake, &topic, 50);
    eddy.pause();
    topic.produce_values(&orders(50..150));
    topic.delete_below(&[(0, 80)]);
    eddy.resume();
    wait_equal(PATIENCE, "the rows", Some(120), || {
        Some(count(&eddy, &topic))
    });
    topic.produce_values(&orders(150..160));
    wait_committed(&lake, &topic);
    wait_equal(PATIENCE, "what came after", Some(130), || {
        Some(count(&eddy, &topic))
    });
    assert_eq!(skipped(&verified(&eddy, &topic)), [30]);
}

#[test]
fn topics_whose_names_begin_as_kafkas_own_do_are_recorded_by_name_and_by_pattern() {
    let lake = TestLake::local();
    let name = unique("__heartbeat");
    let topics = ["a", "b"].map(|end| Topic::named(&format!("{name}_{end}"), 1, &[]));
    let eddy = Start::on(&lake).connect().ready();
    Connector::make(&eddy, &sink(&topics[0]));
    let mut config = sink(&topics[1]);
    config.as_object_mut().expect("a map").remove("topics");
    config["topics.regex"] = json!(format!("{name}_[b-z]"));
    Connector::make(&eddy, &config);
    for topic in &topics {
        topic.produce_values(&orders(0..10));
        every_record_is_there_once(&eddy, &lake, topic, 10);
    }
}

#[test]
fn a_topic_that_is_taken_out_of_a_connector_is_recorded_no_more() {
    let lake = TestLake::local();
    let (kept, left) = (Topic::create("kept", 1), Topic::create("left", 1));
    let eddy = Start::on(&lake).connect().ready();
    let mut config = sink(&kept);
    config["tasks.max"] = json!("1");
    config["topics"] = json!(format!("{},{}", kept.name, left.name));
    let connector = Connector::make(&eddy, &config);
    for topic in [&kept, &left] {
        topic.produce_values(&orders(0..10));
    }
    for topic in [&kept, &left] {
        every_record_is_there_once(&eddy, &lake, topic, 10);
    }
    // A paused task keeps its place in the group, and with it what it had been given.
    assert_eq!(connector.ask("PUT", "pause", None).0, 202);
    wait_until(PATIENCE, "it is paused", || {
        connector.ask("GET", "status", None).1["connector"]["state"] == "PAUSED"
    });
    config["topics"] = json!(kept.name);
    assert_eq!(connector.ask("PUT", "config", Some(&config)).0, 200);
    connector.resume();
    left.produce_values(&orders(10..20));
    for tens in 1..=5 {
        kept.produce_values(&orders(tens * 10..tens * 10 + 10));
        every_record_is_there_once(&eddy, &lake, &kept, tens * 10 + 10);
    }
    assert_eq!(count(&eddy, &left), 10);
}
