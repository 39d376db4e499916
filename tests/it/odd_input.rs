//! Odd input and wrong settings: each lands, or gives a clear error that names what, where and what
//! to do; the process lives, and no good record suffers for a bad one.

use serde_json::json;

use crate::harness::kafka::{Produce, Topic};
use crate::harness::lake::TestLake;
use crate::harness::process::{Eddy, Start};
use crate::harness::services::services;
use crate::harness::unique;
use crate::harness::wait::{PATIENCE, wait_equal};
use crate::proof::{every_record_is_there_once, orders};

const MIB: usize = 1 << 20;

fn worker(lake: &TestLake, topics: &str) -> Start {
    Start::on(lake).connector(topics, &[("topics", topics), ("flush.interval.ms", "500")])
}

#[test]
fn large_and_deep_records_land_byte_for_byte() {
    let lake = TestLake::local();
    let topic = Topic::named(&unique("large"), 1, &[("max.message.bytes", "33554432")]);
    let wide = json!({"kind": "wide", "text": "x".repeat(5 * MIB)}).to_string();
    let deep = format!(
        "{{\"kind\":\"deep\",\"nested\":{}\"{}\"{}}}",
        "{\"a\":".repeat(200),
        "y".repeat(20 * MIB),
        "}".repeat(200)
    );
    topic.produce_values(&[wide.clone(), deep.clone()]);
    topic.produce_values(&orders(0..10));
    let eddy = worker(&lake, &topic.name).ready();
    every_record_is_there_once(&eddy, &lake, &topic, 12);
    let sql = format!(
        "SELECT kind, octet_length(_value_text) AS bytes FROM \"{}\" \
         WHERE kind IS NOT NULL ORDER BY _offset",
        topic.name
    );
    let rows = eddy.http().sql(&sql);
    assert_eq!(rows.len(), 2, "{rows:?}");
    assert_eq!(rows[0]["bytes"], json!(wide.len()));
    assert_eq!(rows[1]["bytes"], json!(deep.len()));
    let stored = topic.consume();
    assert_eq!(stored[1].value.as_deref(), Some(deep.as_bytes()));
}

#[test]
fn ten_thousand_invalid_records_harm_no_good_one() {
    let lake = TestLake::local();
    let topic = Topic::create("invalid", 2);
    let broken = [
        "{\"a\":",
        "{\"a\":1}}",
        "{'a':1}",
        "{\"a\":01}",
        "{\"a\":\"\u{1}\"}",
    ];
    let mut values: Vec<Vec<u8>> = Vec::new();
    for number in 0..10_000 {
        let mut bytes = broken[number % broken.len()].as_bytes().to_vec();
        if number % 7 == 0 {
            bytes = vec![b'{', b'"', 0xff, b'"', b':', b'1', b'}'];
        }
        values.push(bytes);
        if number % 10 == 0 {
            values.push(orders(number..number + 1).remove(0).into_bytes());
        }
    }
    topic.produce_values(&values);
    let eddy = worker(&lake, &topic.name).ready();
    let good = format!(
        "SELECT count(*) AS n FROM \"{}\" WHERE \"order\" IS NOT NULL",
        topic.name
    );
    let dead = format!(
        "SELECT count(*) AS n FROM system.dead_letters \
         WHERE _topic = '{}' AND _error LIKE 'json:%'",
        topic.name
    );
    wait_equal(PATIENCE, "the dead letters", Some(10_000), || {
        number(&eddy, &dead)
    });
    wait_equal(PATIENCE, "the good records", Some(1_000), || {
        number(&eddy, &good)
    });
    crate::proof::wait_committed(&lake, &topic);
    let report = crate::proof::verified(&eddy, &topic);
    assert!(
        report.to_string().contains("10000") || report.to_string().contains("dead"),
        "{report}"
    );
}

fn number(eddy: &Eddy, sql: &str) -> Option<i64> {
    let rows = eddy.http().try_sql(sql).ok()?;
    rows.first()?.as_object()?.values().next()?.as_i64()
}

#[test]
fn every_kind_of_record_lands_as_it_was_received() {
    let lake = TestLake::local();
    let topic = Topic::create("kinds", 1);
    let values: [Option<&[u8]>; 10] = [
        None,
        Some(b""),
        Some(b"text"),
        Some(b"42"),
        Some(b"[1,2]"),
        Some(b"null"),
        Some(b"\"s\""),
        Some(&[0xff, 0xfe, 0x00]),
        Some(b"  {\"order\": 1}  "),
        Some(b"{}"),
    ];
    let records: Vec<Produce> = values
        .iter()
        .map(|value| Produce {
            value: value.map(<[u8]>::to_vec),
            ..Produce::default()
        })
        .collect();
    topic.produce(&records);
    let eddy = worker(&lake, &topic.name).ready();
    every_record_is_there_once(&eddy, &lake, &topic, values.len());
    let sql = format!(
        "SELECT _value, \"order\" FROM \"{}\" ORDER BY _offset",
        topic.name
    );
    let rows = eddy.http().sql(&sql);
    for (row, value) in rows.iter().zip(values) {
        use base64::Engine as _;
        let expected = value.map(|bytes| base64::engine::general_purpose::STANDARD.encode(bytes));
        assert_eq!(
            row.get("_value").and_then(|text| text.as_str()),
            expected.as_deref()
        );
    }
    assert_eq!(rows[8]["order"], json!(1));
}

#[test]
fn a_topic_that_comes_later_and_an_empty_one_are_waited_for() {
    let lake = TestLake::local();
    let later = unique("later");
    let empty = Topic::create("empty", 2);
    let eddy = worker(&lake, &format!("{later},{}", empty.name)).ready();
    let topic = Topic::named(&later, 2, &[]);
    topic.produce_values(&orders(0..20));
    every_record_is_there_once(&eddy, &lake, &topic, 20);
    empty.produce_values(&orders(0..5));
    every_record_is_there_once(&eddy, &lake, &empty, 5);
}

#[test]
fn topics_that_match_the_pattern_are_picked_up_as_they_come() {
    let lake = TestLake::local();
    let prefix = unique("pattern");
    let pattern = format!("{prefix}\\.(?!internal).*");
    let eddy = Start::on(&lake)
        .connector(
            "odd",
            &[("topics.regex", &pattern), ("flush.interval.ms", "500")],
        )
        .ready();
    let wanted = Topic::named(&format!("{prefix}.orders"), 1, &[]);
    let unwanted = Topic::named(&format!("{prefix}.internal"), 1, &[]);
    wanted.produce_values(&orders(0..7));
    unwanted.produce_values(&orders(0..7));
    every_record_is_there_once(&eddy, &lake, &wanted, 7);
    assert!(
        eddy.http()
            .try_sql(&format!("SELECT 1 FROM \"{}\"", unwanted.name))
            .is_err()
    );
}

#[test]
fn a_bucket_that_does_not_exist_is_named() {
    let lake = TestLake::in_bucket(&services().s3, "no-such-bucket");
    let message = refused(&lake);
    assert!(
        message.contains("no-such-bucket") && message.contains("bucket"),
        "{message}"
    );
}

#[test]
fn wrong_credentials_are_told_without_showing_them() {
    let mut lake = TestLake::s3();
    lake.options
        .insert("aws_secret_access_key".into(), "wrong-s3cret".into());
    let message = refused(&lake);
    assert!(message.contains("credentials"), "{message}");
    assert!(!message.contains("wrong-s3cret"), "{message}");
}

/// What `eddy serve` says when it can't start on the lake.
fn refused(lake: &TestLake) -> String {
    let mut eddy = Start::on(lake).spawn();
    let status = eddy.wait_exit(PATIENCE);
    assert!(!status.success());
    eddy.log()
}

#[test]
fn a_broker_that_is_away_keeps_the_process_alive_and_sql_answering() {
    let lake = TestLake::local();
    let eddy = worker(&lake, "orders")
        .kafka("bootstrap.servers", "127.0.0.1:1")
        .ready();
    assert!(eddy.http().try_sql("SELECT 1 AS one").is_ok());
    let rows = eddy.http().sql("SELECT * FROM system.connectors");
    assert!(
        !rows.is_empty(),
        "the connector is listed although its broker is away"
    );
}
