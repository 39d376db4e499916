//! A needle in many files: filters lead to the few row groups that may hold it, on both stores, and
//! what becomes of the filters never changes an answer.

use eddy_engine::read::Snapshot;
use eddy_engine::testing::change_packs;
use serde_json::{Value, json};

use crate::harness::kafka::{Produce, Topic};
use crate::harness::lake::TestLake;
use crate::harness::process::{Eddy, Start};
use crate::harness::wait::{PATIENCE, wait_until};
use crate::proof::{every_record_is_there_once, wait_committed};

const DAYS: usize = 24;
const RECORDS: usize = DAYS * 60;
/// 2026-01-05T12:00:00Z; the days go back from it.
const NOON_MS: i64 = 1_767_614_400_000;
const DAY_MS: i64 = 86_400_000;

#[test]
fn a_needle_reads_at_most_three_row_groups_on_local_disk() {
    found_by_filters(&TestLake::local());
}

#[test]
fn a_needle_reads_at_most_three_row_groups_on_s3() {
    found_by_filters(&TestLake::s3());
}

fn found_by_filters(lake: &TestLake) {
    // Old records are the broker's to delete, but not here.
    let topic = Topic::named(
        &crate::harness::unique("needle"),
        3,
        &[("retention.ms", "-1")],
    );
    let writing = worker(lake, &topic, &[("compact", "false")]);
    for round in 0..3 {
        topic.produce(&records(round));
        wait_committed(lake, &topic);
    }
    drop(writing);
    let mut eddy = worker(
        lake,
        &topic,
        &[
            ("compact.min.files", "2"),
            ("compact.after.ms", "0"),
            ("upkeep.interval.ms", "100"),
        ],
    );
    wait_until(PATIENCE * 2, "each day is one file", || {
        files(lake, &topic) == DAYS
    });
    for n in (0..RECORDS).step_by(RECORDS / 7) {
        for (filter, most) in needles(n) {
            let reads = one_answer(&eddy, &topic, &filter, n);
            let number = |name: &str| reads[name].as_u64().expect("a count");
            assert_eq!(number("files_total"), DAYS as u64);
            assert!(number("row_groups") <= most, "{filter}: {reads}");
            // On S3 some of it is kept since the needle before.
            let bytes = number("bytes") + number("cache_bytes");
            assert!(number("files") <= most && bytes > 0, "{filter}: {reads}");
        }
    }
    let opened = lake.open();
    let table = opened.table("topics", &topic.name);
    for noise in [Some(b"not a pack of filters".as_slice()), None] {
        assert!(change_packs(&opened, &table, noise) > 0);
        eddy.restart();
        for (filter, _) in needles(77) {
            let reads = one_answer(&eddy, &topic, &filter, 77);
            assert!(reads["filter_bytes"].is_u64(), "{reads}");
        }
        let (word, _) = &needles(77)[2];
        let reads = one_answer(&eddy, &topic, word, 77);
        assert_eq!(reads["files"], json!(DAYS), "{reads}");
    }
    assert!(eddy.log().contains("a pack of filters can't be read"));
    every_record_is_there_once(&eddy, lake, &topic, RECORDS);
}

/// Conditions that record `n` alone meets, and how many row groups they may read.
fn needles(n: usize) -> [(String, u64); 3] {
    [
        (format!("id = '{}'", id(n)), 3),
        (format!("_key_text = 'key-{}'", id(n)), 3),
        (format!("search('{} common')", id(n)), 3),
    ]
}

/// The one record's number is right; what the query read.
fn one_answer(eddy: &Eddy, topic: &Topic, filter: &str, n: usize) -> Value {
    let sql = format!("SELECT n FROM \"{}\" WHERE {filter}", topic.name);
    assert_eq!(eddy.http().sql(&sql), [json!({"n": n})], "{sql}");
    let listed = eddy.http().get("/api/v1/queries").expect("the queries");
    let listed = listed["queries"].as_array().expect("a list").iter();
    let query = listed.clone().find(|query| query["sql"] == json!(sql));
    query.expect("the query is listed")["reads"].clone()
}

/// Nothing that statistics could find it by.
fn id(n: usize) -> String {
    let n = n * 7_919 % RECORDS;
    format!("{:08x}", (n as u32).wrapping_mul(0x9E37_79B1))
}

/// A third of each day's records, each day's alike in size.
fn records(round: usize) -> Vec<Produce> {
    let numbers = (0..RECORDS).filter(|n| n / DAYS % 3 == round);
    let records = numbers.map(|n| {
        let day = i64::try_from(n % DAYS).expect("a day");
        let value = json!({"n": n, "id": id(n), "text": "common words"});
        Produce {
            partition: i32::try_from(n % 3).expect("a partition"),
            key: Some(format!("key-{}", id(n)).into_bytes()),
            value: Some(value.to_string().into_bytes()),
            timestamp_ms: Some(NOON_MS - day * DAY_MS),
            ..Produce::default()
        }
    });
    records.collect()
}

fn files(lake: &TestLake, topic: &Topic) -> usize {
    let lake = lake.open();
    let table = lake.table("topics", &topic.name);
    match Snapshot::load(&lake, &table, None) {
        Ok(Some(snapshot)) => snapshot.files.len(),
        _ => 0,
    }
}

fn worker(lake: &TestLake, topic: &Topic, keys: &[(&str, &str)]) -> Eddy {
    let mut all = vec![
        ("topics", topic.name.as_str()),
        ("flush.interval.ms", "200"),
    ];
    all.extend(keys);
    Start::on(lake)
        .kafka("session.timeout.ms", "6000")
        .connector(&topic.name, &all)
        .ready()
}
