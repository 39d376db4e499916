//! What was recorded comes back as it was: topic A -> lake -> `SELECT * INTO` -> topic B.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::harness::http::Http;
use crate::harness::kafka::{Produce, Stored, Topic};
use crate::harness::lake::TestLake;
use crate::harness::process::{Eddy, Start};
use crate::harness::services::services;
use crate::harness::wait::{PATIENCE, wait_equal, wait_for, wait_until};
use crate::proof::every_record_is_there_once;
use crate::readers::agree;

/// A process that records `source` and can send to `target` under the name `target`.
pub(crate) fn start(lake: &TestLake, source: &Topic, target: &Topic) -> Eddy {
    Start::on(lake)
        .connector(&source.name, &[("topics", &source.name)])
        .destination(
            "target",
            "kafka",
            &[
                ("bootstrap.servers", &services().kafka),
                ("topic", &target.name),
            ],
        )
        .ready()
}

/// Waits until everything is committed: a replay reads committed rows only.
pub(crate) fn wait_committed(http: &Http, source: &Topic, records: usize) {
    wait_committed_into(http, "target", source, records);
}

/// As [`wait_committed`], with another destination.
pub(crate) fn wait_committed_into(http: &Http, into: &str, source: &Topic, records: usize) {
    wait_planned(
        http,
        into,
        &format!("SELECT * FROM {}", source.name),
        records,
    );
}

/// Waits until a replay of `select` would send so many records.
pub(crate) fn wait_planned(http: &Http, into: &str, select: &str, records: usize) {
    let asked = json!({
        "sql": select,
        "destination": into,
        "plan": true,
    });
    wait_equal(
        PATIENCE,
        "all records are committed",
        json!(records),
        || match http.post("/api/v1/replays", &asked) {
            Ok(plan) => plan["records"].clone(),
            Err(refused) => json!(refused.message()),
        },
    );
}

/// Waits until the replay is done, and tells what it says of itself.
pub(crate) fn wait_done(http: &Http, id: &str) -> Value {
    let replay = wait_ended(http, id);
    assert_eq!(replay["state"], "done", "{replay}");
    replay
}

/// Waits until the replay has ended, and tells how.
pub(crate) fn wait_ended(http: &Http, id: &str) -> Value {
    wait_for(PATIENCE, "the replay has ended", || {
        let replay = http.get(&format!("/api/v1/replays/{id}")).ok()?;
        let ended = ["done", "failed", "cancelled"].contains(&replay["state"].as_str()?);
        ended.then_some(replay)
    })
}

/// Every combination of null, empty and odd, in each of the partitions.
pub(crate) fn odd_records(partitions: i32) -> Vec<Produce> {
    let parts: [Option<Vec<u8>>; 4] = [
        None,
        Some(Vec::new()),
        Some(vec![0xff, 0x00, 0xfe]),
        Some(br#"{"id": 1, "name": "x"}"#.to_vec()),
    ];
    let header = |name: &str, value: Option<&[u8]>| (name.to_owned(), value.map(<[u8]>::to_vec));
    let headers = [
        vec![],
        vec![header("h", None)],
        vec![
            header("h", Some(b"")),
            header("h", None),
            header("h", Some(b"1")),
        ],
        vec![
            header("", Some(&[0xc3, 0x28, 0x00])),
            header("ключ", Some(b"v")),
            header("h", Some(b"2")),
            header("", None),
        ],
    ];
    let timestamps = [1, 999, 86_400_000, 1_700_000_000_123, 1_750_000_000_000];
    let mut records = Vec::new();
    for partition in 0..partitions {
        for key in &parts {
            for value in &parts {
                for headers in &headers {
                    records.push(Produce {
                        partition,
                        key: key.clone(),
                        value: value.clone(),
                        headers: headers.clone(),
                        timestamp_ms: Some(timestamps[records.len() % timestamps.len()]),
                    });
                }
            }
        }
    }
    records
}

fn comes_back_record_by_record(lake: &TestLake) {
    let source = Topic::create("odd", 4);
    let target = Topic::create("odd_again", 4);
    let records = odd_records(4);
    source.produce(&records);
    let eddy = start(lake, &source, &target);
    let http = eddy.http();
    wait_committed(&http, &source, records.len());
    let answer = http.sql(&format!("SELECT * INTO target FROM {}", source.name));
    assert_eq!(answer[0]["records"], json!(records.len()));
    let replay = wait_done(&http, answer[0]["replay_id"].as_str().expect("an id"));
    assert_eq!(replay["acknowledged"], json!(records.len()));
    // The target is new, so even the offsets are the same.
    assert_eq!(target.consume(), source.consume());
}

#[test]
fn every_odd_record_comes_back_as_it_was_from_local_disk() {
    comes_back_record_by_record(&TestLake::local());
}

#[test]
fn every_odd_record_comes_back_as_it_was_from_s3() {
    comes_back_record_by_record(&TestLake::s3());
}

#[test]
fn a_killed_process_takes_its_replay_up_again_and_loses_nothing() {
    let lake = TestLake::local();
    let source = Topic::create("killed", 2);
    let target = Topic::create("killed_again", 2);
    let values: Vec<String> = (0..600).map(|n| format!("{{\"n\": {n}}}")).collect();
    source.produce_values(&values);
    let mut eddy = start(&lake, &source, &target);
    wait_committed(&eddy.http(), &source, values.len());
    let statement = format!(
        "SELECT * INTO target FROM {} WITH (name = 'slow', rate = '200/s')",
        source.name
    );
    eddy.http().sql(&statement);
    for part in 1..=2 {
        wait_for(PATIENCE, "a part has arrived", || {
            let ends = target.watermarks();
            let arrived: i64 = ends.values().map(|(_, end)| end).sum();
            (arrived > 100 * part).then_some(())
        });
        // It is killed, not stopped: nothing is stored on the way out.
        eddy.restart();
    }
    // The same statement again is the same replay, not a second one.
    let again = eddy.http().sql(&statement);
    assert_eq!(again[0]["replay_id"], "slow");
    wait_done(&eddy.http(), "slow");
    let arrived = target.consume();
    assert_eq!(
        values_by_partition(&arrived, true),
        values_by_partition(&source.consume(), true)
    );
    // Each run is in order: a value is only lower than the one before where a new run began.
    for values in values_by_partition(&arrived, false).values() {
        let backwards = values.windows(2).filter(|pair| pair[1] <= pair[0]).count();
        assert!(backwards <= 2, "{backwards} steps backwards");
    }
}

/// The numbers in the values per partition, in order of arrival or each once in order of number.
fn values_by_partition(records: &[Stored], once: bool) -> BTreeMap<i32, Vec<i64>> {
    let mut partitions: BTreeMap<i32, Vec<i64>> = BTreeMap::new();
    for record in records {
        let value = record.value.as_deref().expect("a value");
        let value: Value = serde_json::from_slice(value).expect("JSON");
        let number = value["n"].as_i64().expect("a number");
        partitions.entry(record.partition).or_default().push(number);
    }
    if once {
        for numbers in partitions.values_mut() {
            numbers.sort_unstable();
            numbers.dedup();
        }
    }
    partitions
}

#[test]
fn a_filter_picks_and_a_cancelled_replay_stops() {
    let lake = TestLake::local();
    let source = Topic::create("picked", 2);
    let target = Topic::create("picked_again", 2);
    let values: Vec<String> = (0..200).map(|n| format!("{{\"n\": {n}}}")).collect();
    source.produce_values(&values);
    let eddy = start(&lake, &source, &target);
    let http = eddy.http();
    wait_committed(&http, &source, values.len());
    let statement = format!("SELECT * INTO target FROM {} WHERE n < 50", source.name);
    let answer = http.sql(&statement);
    wait_done(&http, answer[0]["replay_id"].as_str().expect("an id"));
    let arrived = values_by_partition(&target.consume(), true);
    let mut numbers: Vec<i64> = arrived.into_values().flatten().collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..50).collect::<Vec<i64>>());

    let slow = json!({
        "sql": format!("SELECT * FROM {}", source.name),
        "destination": "target",
        "options": {"name": "stopped", "rate": "1/s"},
    });
    http.post("/api/v1/replays", &slow).expect("a replay");
    let cancelled = http.post("/api/v1/replays/stopped/cancel", &json!({}));
    assert_eq!(cancelled.expect("an answer")["state"], "cancelled");
    let shown = http.get("/api/v1/replays/stopped").expect("the replay");
    assert_eq!(shown["state"], "cancelled");
    let rows = http.sql("SELECT state FROM system.replays WHERE replay_id = 'stopped'");
    assert_eq!(rows, [json!({"state": "cancelled"})]);
}

#[test]
fn dead_letters_of_a_topic_go_where_a_replay_sends_them_as_they_came() {
    let lake = TestLake::local();
    let source = Topic::create("broken", 1);
    let target = Topic::create("mended", 1);
    let record = |value: &[u8]| Produce {
        partition: 0,
        key: Some(b"\xffkey".to_vec()),
        value: Some(value.to_vec()),
        headers: vec![("h".to_owned(), Some(b"1".to_vec()))],
        timestamp_ms: Some(1_700_000_000_123),
    };
    source.produce(&[record(b"{broken \xff"), record(br#"{"good": 1}"#)]);
    let eddy = start(&lake, &source, &target);
    let http = eddy.http();
    let dead = format!("FROM system.dead_letters WHERE _topic = '{}'", source.name);
    wait_planned(&http, "target", &format!("SELECT * {dead}"), 1);
    let answer = http.sql(&format!("SELECT * INTO target {dead}"));
    let replay = wait_done(&http, answer[0]["replay_id"].as_str().expect("an id"));
    assert_eq!(replay["acknowledged"], 1);
    assert_eq!(target.consume(), source.consume()[..1]);
}

#[test]
fn what_can_not_work_is_refused_before_the_first_record() {
    let lake = TestLake::local();
    let source = Topic::create("refused", 3);
    let target = Topic::create("refused_again", 1);
    source.produce(&odd_records(3));
    let eddy = start(&lake, &source, &target);
    let http = eddy.http();
    wait_committed(&http, &source, odd_records(3).len());
    let select = format!("SELECT * INTO target FROM {}", source.name);
    let refused = http.try_sql(&select).expect_err("too few partitions");
    assert!(
        refused.message().contains("has 1 partitions"),
        "{refused:?}"
    );
    let refused = http
        .try_sql(&format!("{select} WITH (rates = '1/s')"))
        .expect_err("an unknown option");
    assert!(refused.message().contains("rates"), "{refused:?}");
    let missing = json!({
        "name": "missing",
        "type": "kafka",
        "options": {
            "bootstrap.servers": services().kafka,
            "topic": crate::harness::unique("missing"),
        },
    });
    http.post("/api/v1/destinations", &missing)
        .expect("a destination");
    let into_missing = format!("SELECT * INTO missing FROM {}", source.name);
    let refused = http.try_sql(&into_missing).expect_err("no such topic");
    assert!(refused.message().contains("does not exist"), "{refused:?}");
    let unknown = json!({"name": "unknown", "type": "pigeon", "options": {}});
    let refused = http
        .post("/api/v1/destinations", &unknown)
        .expect_err("no such type");
    assert!(
        refused.message().contains("no type `pigeon`"),
        "{refused:?}"
    );
    assert_eq!(target.consume(), []);
}

#[test]
fn a_column_that_no_commit_holds_yet_is_said_to_be_so() {
    let lake = TestLake::local();
    let (source, target) = (Topic::create("live", 1), Topic::create("live_target", 1));
    let eddy = Start::on(&lake)
        .connector(
            &source.name,
            &[("topics", &source.name), ("flush.interval.ms", "3600000")],
        )
        .destination(
            "target",
            "kafka",
            &[
                ("bootstrap.servers", &services().kafka),
                ("topic", &target.name),
            ],
        )
        .ready();
    source.produce_values(&[r#"{"status": "failed"}"#]);
    let seen = format!("SELECT status FROM {}", source.name);
    wait_until(PATIENCE, "the live row is visible", || {
        eddy.http().try_sql(&seen).is_ok_and(|rows| rows.len() == 1)
    });
    let sql = format!(
        "SELECT * INTO target FROM {} WHERE status = 'failed'",
        source.name
    );
    let refused = eddy
        .http()
        .post("/api/v1/replays", &json!({"sql": sql}))
        .unwrap_err();
    let hint = refused.body["error"]["hint"].as_str().expect("a hint");
    assert!(hint.contains("not committed"), "{refused:?}");
}

/// Values as programs write them, in files that hold them as columns and shapes only.
fn comes_back_without_its_text(lake: &TestLake) {
    let source = Topic::create("elided", 2);
    let target = Topic::create("elided_again", 2);
    let mut records = odd_records(2);
    for n in 0..200 {
        let value = match n % 4 {
            0 => format!("{{\"id\": {n}, \"name\": \"caf\\u00e9 {n}\", \"none\": null}}"),
            1 => format!("{{\"id\":{n},\"price\":{n}.50,\"tags\":[\"a\",\"{n}\"]}}"),
            2 => format!("{{\"id\":\"no {n}\",\"deep\":[{{\"er\":{{\"x\":{n}}}}}]}}"),
            _ => format!("{{\"only {n}\": true}}"),
        };
        records.push(Produce {
            partition: n % 2,
            key: None,
            value: Some(value.into_bytes()),
            headers: Vec::new(),
            timestamp_ms: Some(1_750_000_000_000),
        });
    }
    source.produce(&records);
    let settings = [("topics", source.name.as_str()), ("value.raw", "elide")];
    let to = [
        ("bootstrap.servers", services().kafka.as_str()),
        ("topic", target.name.as_str()),
    ];
    let eddy = Start::on(lake)
        .connector(&source.name, &settings)
        .destination("target", "kafka", &to)
        .ready();
    let http = eddy.http();
    wait_committed(&http, &source, records.len());
    let shapes = format!("SELECT count(_value_shape) AS n FROM {}", source.name);
    let elided = http.sql(&shapes)[0]["n"].as_i64().expect("a count");
    assert!(elided >= 150, "{elided} rows gave up their bytes");
    // DuckDB reads the columns of all rows, and the bytes of those that have them.
    every_record_is_there_once(&eddy, lake, &source, records.len());
    agree(&eddy, lake, &source.name, &["id", "_offset"]);

    let answer = http.sql(&format!("SELECT * INTO target FROM {}", source.name));
    assert_eq!(answer[0]["records"], json!(records.len()));
    wait_done(&http, answer[0]["replay_id"].as_str().expect("an id"));
    assert_eq!(target.consume(), source.consume(), "E7");
}

#[test]
fn e7_records_whose_files_do_not_hold_their_text_come_back_from_local_disk() {
    comes_back_without_its_text(&TestLake::local());
}

#[test]
fn e7_records_whose_files_do_not_hold_their_text_come_back_from_s3() {
    comes_back_without_its_text(&TestLake::s3());
}
