//! A table that is partitioned by a field and the hour of a zone that isn't UTC's: SQL, everybody's
//! readers, compaction, erasure and `eddy verify` see the same rows, whatever the values are.

use std::collections::BTreeMap;

use eddy_engine::read::Snapshot;
use serde_json::{Value, json};

use crate::harness::kafka::{Produce, Topic};
use crate::harness::lake::TestLake;
use crate::harness::process::{Eddy, Start};
use crate::harness::python;
use crate::harness::wait::{PATIENCE, wait_until};
use crate::proof::{every_record_is_there_once, verified, wait_committed};
use crate::readers::{READERS, agree};

const COLUMNS: [&str; 4] = ["region", "dt", "hour", "region_2"];
/// How often each region comes in each hour.
const ROUNDS: usize = 4;
/// 2026-11-23T22:30:00Z, half an hour before midnight in Berlin.
const LATE_MS: i64 = 1_795_473_000_000;

#[test]
fn every_reader_sees_a_table_by_field_and_hour_on_local_disk() {
    by_field_and_hour(&TestLake::local());
}

#[test]
fn every_reader_sees_a_table_by_field_and_hour_on_s3() {
    by_field_and_hour(&TestLake::s3());
}

/// Plain ones, and those that a path can't hold as they are.
fn regions() -> Vec<Value> {
    let long = "long/".repeat(60);
    let texts = [
        "eu",
        "us",
        "a/b",
        "50% off",
        "%2F",
        "ü東",
        "..",
        "x=y&z",
        "~ \\ \"q\" 'r'",
        &long,
    ];
    let mut regions: Vec<Value> = texts.iter().map(|text| json!(text)).collect();
    regions.extend([
        json!(7),
        json!(true),
        Value::Null,
        json!({"x": 1}),
        json!(""),
    ]);
    regions
}

fn records(from: usize, count: usize) -> Vec<Produce> {
    let regions = regions();
    let record = |n: usize| {
        let value = json!({"n": n, "region": regions[n % regions.len()]});
        let hours = i64::try_from(n / regions.len() % 2).expect("an hour");
        Produce {
            partition: i32::try_from(n % 2).expect("a partition"),
            key: None,
            value: Some(value.to_string().into_bytes()),
            headers: Vec::new(),
            timestamp_ms: Some(LATE_MS + hours * 3_600_000),
        }
    };
    (from..from + count).map(record).collect()
}

fn by_field_and_hour(lake: &TestLake) {
    let topic = Topic::create("partitioned", 2);
    let keys = [
        ("flush.interval.ms", "200"),
        ("partition.by", "region, hour"),
        ("partition.timezone", "Europe/Berlin"),
    ];
    let off = [&keys[..], &[("compact", "false")]].concat();
    let eddy = worker(lake, &topic, &off);
    let round = regions().len() * 2;
    for begun in 0..ROUNDS {
        topic.produce(&records(begun * round, round));
        every_record_is_there_once(&eddy, lake, &topic, (begun + 1) * round);
    }
    same_for_everybody(&eddy, lake, &topic);
    let before = folders(lake, &topic);
    assert_eq!(
        before.len(),
        regions().len() * 2 - 4,
        "null, an object and nothing are one"
    );
    let null = "region=__HIVE_DEFAULT_PARTITION__/dt=2026-11-23/hour=23";
    let escaped = "region=a%2Fb/dt=2026-11-24/hour=00";
    assert!(
        before.contains_key(null) && before.contains_key(escaped),
        "{before:?}"
    );
    only_the_partition_is_read(&eddy, &topic, &before);
    drop(eddy);

    let compacting = [("compact.min.files", "2"), ("compact.after.ms", "0")];
    let every = [("upkeep.interval.ms", "100")];
    let eddy = worker(lake, &topic, &[&keys[..], &compacting, &every].concat());
    // A file that outweighs the others together stays as it is.
    wait_until(PATIENCE, "two files in each partition at most", || {
        folders(lake, &topic).values().all(|files| *files <= 2)
    });
    let after = folders(lake, &topic);
    assert!(after.keys().eq(before.keys()), "{after:?}");
    every_record_is_there_once(&eddy, lake, &topic, ROUNDS * round);
    same_for_everybody(&eddy, lake, &topic);

    let table = format!("\"{}\"", topic.name);
    let meant = "region = 'a/b' AND hour = '00'";
    let receipt = eddy
        .http()
        .sql(&format!("DELETE FROM {table} WHERE {meant}"));
    assert_eq!(receipt[0]["rows"], json!(ROUNDS), "{receipt:?}");
    assert_eq!(
        eddy.http()
            .number(&format!("SELECT count(*) AS n FROM {table} WHERE {meant}")),
        0
    );
    wait_committed(lake, &topic);
    same_for_everybody(&eddy, lake, &topic);
    verified(&eddy, &topic);
}

fn worker(lake: &TestLake, topic: &Topic, keys: &[(&str, &str)]) -> Eddy {
    let keys = [&[("topics", topic.name.as_str())], keys].concat();
    let start = Start::on(lake).kafka("session.timeout.ms", "6000");
    start.connector(&topic.name, &keys).ready()
}

/// The files in each of the table's folders.
fn folders(lake: &TestLake, topic: &Topic) -> BTreeMap<String, usize> {
    let lake = lake.open();
    let table = lake.table("topics", &topic.name);
    let snapshot = Snapshot::load(&lake, &table, None).expect("a snapshot");
    let mut folders = BTreeMap::new();
    for file in snapshot.expect("a table").files.iter() {
        let (folder, _) = file.path.rsplit_once('/').expect("a folder");
        *folders.entry(folder.to_owned()).or_default() += 1;
    }
    folders
}

/// `folders` says how many files are in each.
fn only_the_partition_is_read(eddy: &Eddy, topic: &Topic, folders: &BTreeMap<String, usize>) {
    for (condition, rows, within) in [
        ("region = '50% off'", 2, &["region=50%25%20off/"][..]),
        (
            "region = '50% off' AND hour = '00'",
            1,
            &["region=50%25%20off/", "hour=00"],
        ),
        ("region = '7'", 2, &["region=7/"]),
        (
            "region IS NULL AND dt > '2026-11-23'",
            3,
            &["region=__HIVE", "dt=2026-11-24"],
        ),
        ("dt = '2026-11-22'", 0, &["dt=2026-11-22"]),
        // The payload's own column keeps its types.
        ("region_2__long = 7", 2, &["region=7/"]),
    ] {
        let from = format!("FROM \"{}\" WHERE {condition}", topic.name);
        let count = eddy.http().number(&format!("SELECT count(*) AS n {from}"));
        assert_eq!(usize::try_from(count), Ok(rows * ROUNDS), "{condition}");
        let plan = eddy.http().sql(&format!("EXPLAIN SELECT n {from}"));
        let plan: String = plan.iter().map(Value::to_string).collect();
        let meant = folders
            .iter()
            .filter(|(folder, _)| within.iter().all(|part| folder.contains(part)));
        let files: usize = meant.map(|(_, files)| files).sum();
        assert_eq!(
            plan.matches(".parquet").count(),
            files,
            "{condition}: {plan}"
        );
    }
}

/// Every reader finds as many values in each column as Eddy's SQL does.
fn same_for_everybody(eddy: &Eddy, lake: &TestLake, topic: &Topic) {
    agree(eddy, lake, &topic.name, &["n", "_offset"]);
    let stored = format!(
        "SELECT \"column\" AS name, coalesce(stored, \"column\") AS stored FROM system.columns \
         WHERE \"table\" = '{}' AND (stored IS NOT NULL OR kind IS NULL)",
        topic.name
    );
    let names = eddy.http().sql(&stored);
    let seen = python::run("readers.py", &lake.python(&topic.name));
    for column in COLUMNS {
        let name = names.iter().find(|row| row["stored"] == column);
        let name =
            name.unwrap_or_else(|| panic!("no column `{column}`: {names:?}"))["name"].clone();
        let name = name.as_str().expect("a name");
        let count = format!("SELECT count(\"{name}\") AS n FROM \"{}\"", topic.name);
        let own = eddy.http().number(&count);
        for reader in READERS {
            assert_eq!(
                seen[reader]["values"][column],
                json!(own),
                "{reader}: `{column}`"
            );
        }
    }
}
