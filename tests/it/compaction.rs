//! Compaction beside a writer: many small files become few, every record stays there once, and
//! everybody's readers see the same table as before.

use std::sync::atomic::AtomicBool;

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use eddy_engine::maintain::{Erasure, erase};
use eddy_engine::read::Snapshot;
use serde_json::json;

use crate::harness::kafka::Topic;
use crate::harness::lake::TestLake;
use crate::harness::process::{Eddy, Start};
use crate::harness::services::scale;
use crate::harness::wait::{PATIENCE, wait_until};
use crate::proof::{every_record_is_there_once, verified, wait_committed};
use crate::readers::agree;

const BATCH: usize = 20;

#[test]
fn many_small_files_become_few_while_a_writer_commits_on_local_disk() {
    becomes_few(&TestLake::local());
}

#[test]
fn many_small_files_become_few_while_a_writer_commits_on_s3() {
    becomes_few(&TestLake::s3());
}

fn becomes_few(lake: &TestLake) {
    let topic = Topic::create("compacted", 3);
    let eddy = worker(
        lake,
        &topic,
        &[("flush.interval.ms", "20"), ("compact", "false")],
    );
    let mut produced = 0;
    // A hundred commits bring a checkpoint.
    let many = scale(104, 2_000);
    wait_until(PATIENCE * 10, "many small files", || {
        topic.produce_values(&values(produced..produced + BATCH));
        produced += BATCH;
        files(lake, &topic) >= many
    });
    every_record_is_there_once(&eddy, lake, &topic, produced);
    drop(eddy);
    let eddy = worker(
        lake,
        &topic,
        &[
            ("flush.interval.ms", "1000"),
            ("compact.min.files", "4"),
            ("compact.after.ms", "0"),
            ("upkeep.interval.ms", "100"),
        ],
    );
    wait_until(PATIENCE * 2, "few files, while records come", || {
        topic.produce_values(&values(produced..produced + BATCH));
        produced += BATCH;
        files(lake, &topic) <= 8
    });
    every_record_is_there_once(&eddy, lake, &topic, produced);
    agree(&eddy, lake, &topic.name, &["order", "price", "_offset"]);
    let rewrites = format!(
        "SELECT count(*) AS n FROM system.commits \
         WHERE \"table\" LIKE '%{}' AND operation = 'OPTIMIZE'",
        topic.name
    );
    assert!(eddy.http().number(&rewrites) > 0);
    let erased = erase_each_tenth_offset(lake, &topic);
    assert!(erased > 0);
    let count = format!("SELECT count(*) AS n FROM \"{}\"", topic.name);
    let left = i64::try_from(produced).expect("a count") - erased;
    wait_until(PATIENCE, "SQL shows no erased row", || {
        eddy.http().number(&count) == left
    });
    agree(&eddy, lake, &topic.name, &["order", "price", "_offset"]);
    verified(&eddy, &topic);
}

/// As `DELETE FROM` does it; answers how many rows went.
fn erase_each_tenth_offset(lake: &TestLake, topic: &Topic) -> i64 {
    let lake = lake.open();
    let erasure = Erasure {
        id: lake.clock().new_id(),
        reference: "each tenth".to_owned(),
        columns: vec!["_offset".to_owned()],
        may_match: &|_| true,
        matches: &|batch| {
            let offsets = batch["_offset"].as_primitive::<Int64Type>();
            Ok(offsets
                .values()
                .iter()
                .map(|offset| Some(offset % 10 == 3))
                .collect())
        },
    };
    let table = lake.table("topics", &topic.name);
    let receipt = erase(&lake, &table, &erasure, &AtomicBool::new(false)).expect("erased");
    i64::try_from(receipt.rows).expect("a count")
}

#[test]
fn rows_that_retention_removed_are_explained_to_verify() {
    let lake = TestLake::local();
    let topic = Topic::create("retained", 2);
    let keys = [
        ("flush.interval.ms", "100"),
        ("retention.ms", "500"),
        ("upkeep.interval.ms", "50"),
    ];
    let eddy = worker(&lake, &topic, &keys);
    topic.produce_values(&values(0..BATCH * 4));
    wait_committed(&lake, &topic);
    wait_until(PATIENCE, "every row is too old", || {
        files(&lake, &topic) == 0
    });
    let report = verified(&eddy, &topic);
    let retired = report["partitions"].as_array().expect("partitions").iter();
    let retired: i64 = retired.filter_map(|part| part["retired"].as_i64()).sum();
    assert_eq!(
        retired,
        i64::try_from(BATCH * 4).expect("a count"),
        "{report}"
    );
    let count = format!("SELECT count(*) AS n FROM \"{}\"", topic.name);
    wait_until(PATIENCE, "SQL shows no row", || {
        eddy.http().number(&count) == 0
    });
}

fn worker(lake: &TestLake, topic: &Topic, keys: &[(&str, &str)]) -> Eddy {
    let mut all = vec![("topics", topic.name.as_str())];
    all.extend(keys);
    Start::on(lake)
        .kafka("session.timeout.ms", "6000")
        .connector(&topic.name, &all)
        .ready()
}

/// Orders whose columns come, drift and nest, so that files differ in theirs.
fn values(range: std::ops::Range<usize>) -> Vec<String> {
    range
        .map(|order| {
            let value = match order / BATCH % 4 {
                0 => json!({"order": order}),
                1 => json!({"order": order, "price": order as f64 / 4.0}),
                2 => json!({"order": order, "customer": {"id": order, "tags": ["x"]}}),
                _ => json!({"order": order, "customer": "someone", "items": [{"sku": "a"}]}),
            };
            value.to_string()
        })
        .collect()
}

fn files(lake: &TestLake, topic: &Topic) -> usize {
    let lake = lake.open();
    let table = lake.table("topics", &topic.name);
    match Snapshot::load(&lake, &table, None) {
        Ok(Some(snapshot)) => snapshot.files.len(),
        _ => 0,
    }
}
