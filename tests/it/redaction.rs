//! What a table's rules name never lands: not live, not committed, not in dead letters, not for
//! DuckDB and the others, on local disk and on S3; the rest of each record does.

use eddy_engine::testing::leaks;
use serde_json::json;

use crate::harness::kafka::{Produce, Topic};
use crate::harness::lake::TestLake;
use crate::harness::process::{Eddy, Start};
use crate::harness::python;
use crate::harness::wait::{PATIENCE, wait_equal};
use crate::proof::{verified, wait_committed};
use crate::readers::READERS;

const KEY: &str = "0123456789abcdef-of-the-hashes";
/// Part of everything that must not land.
const SECRET: &str = "s3cret";
const RECORDS: i64 = 60;

#[test]
fn what_is_named_is_seen_by_nobody_on_local_disk() {
    redacts(&TestLake::local());
}

#[test]
fn what_is_named_is_seen_by_nobody_on_s3() {
    redacts(&TestLake::s3());
}

/// Most are orders of five people; of each ten one is broken and one is no JSON.
fn records() -> Vec<Produce> {
    let record = |n: i64| {
        let person = format!("{SECRET}-{}@example.com", n % 5);
        let value = match n % 10 {
            8 => format!(r#"{{"order": {n}, "password": "{SECRET}""#),
            9 => format!("password={SECRET}"),
            _ => format!(
                r#"{{"order": {n}, "p\u0061ssword": "{SECRET}", "user": {{"email": "{person}"}},
                     "items": [{{"card": "{SECRET}-{n:02}", "sku": "a"}}], "password": [{n}]}}"#
            ),
        };
        Produce {
            partition: i32::try_from(n % 2).expect("a partition"),
            key: Some(person.into_bytes()),
            value: Some(value.into_bytes()),
            headers: vec![
                ("token".to_owned(), Some(SECRET.into())),
                ("trace".to_owned(), Some(b"1".to_vec())),
            ],
            timestamp_ms: Some(1_795_428_000_000 + n),
        }
    };
    (0..RECORDS).map(record).collect()
}

fn redacts(lake: &TestLake) {
    let topic = Topic::create("redacted", 2);
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("hash.key");
    std::fs::write(&file, format!("{KEY}\n")).expect("a file with the key");
    let mut eddy = Start::on(lake)
        .kafka("session.timeout.ms", "6000")
        .connector(
            &topic.name,
            &[
                ("topics", &topic.name),
                // Nothing is committed by itself.
                ("flush.interval.ms", "3600000"),
                ("redact.drop", "password, header:token"),
                ("redact.hash", "user.email, key:"),
                ("redact.mask", "items.card:2"),
                ("redact.key", &format!("${{file:{}}}", file.display())),
            ],
        )
        .ready();
    topic.produce(&records());
    let dead = format!(
        "SELECT count(*) AS n FROM system.dead_letters WHERE _topic = '{}' AND _value IS NULL \
         AND _error LIKE '%withheld%'",
        topic.name
    );
    wait_equal(
        PATIENCE,
        "live rows that are withheld",
        Some(RECORDS / 5),
        || eddy.http().try_sql(&dead).ok()?.first()?["n"].as_i64(),
    );
    shown(&eddy, &topic);
    assert!(eddy.terminate().success(), "the end commits");
    wait_committed(lake, &topic);
    eddy.start_again();
    shown(&eddy, &topic);
    assert_eq!(eddy.http().number(&dead), RECORDS / 5);
    verified(&eddy, &topic);
    let config = eddy.config().display().to_string();
    assert!(eddy.run(&["config", "check", &config]).status.success());
    assert!(!eddy.log().contains(KEY) && !eddy.log().contains(SECRET));

    let opened = lake.open();
    let table = opened.table("topics", &topic.name);
    let secrets = [SECRET, KEY].map(|secret| secret.as_bytes().to_vec());
    let found = leaks(&opened, &table, &secrets).expect("the store answers");
    assert!(found.is_empty(), "{found:?}");
    let seen = python::run("readers.py", &lake.python(&topic.name));
    let good = json!(RECORDS - RECORDS / 5);
    for reader in READERS {
        let values = &seen[reader]["values"];
        assert_eq!(seen[reader]["rows"], json!(RECORDS), "{reader}: {seen}");
        assert_eq!(
            (&values["order"], &values["_value"]),
            (&good, &good),
            "{reader}: {seen}"
        );
        assert!(values["password"].is_null(), "{reader}: {seen}");
    }
}

/// Live or committed, SQL shows each good record without what is named, and hashes that join.
fn shown(eddy: &Eddy, topic: &Topic) {
    let good = RECORDS - RECORDS / 5;
    let table = format!("\"{}\"", topic.name);
    let count = format!("SELECT count(*) AS n FROM {table} WHERE");
    wait_equal(PATIENCE, "the good records", Some(good), || {
        let rows = eddy
            .http()
            .try_sql(&format!("{count} \"order\" >= 0"))
            .ok()?;
        rows.first()?["n"].as_i64()
    });
    let number = |condition: &str| eddy.http().number(&format!("{count} {condition}"));
    assert_eq!(
        number("_key_text = \"user\".email"),
        good,
        "equal values have equal hashes"
    );
    assert_eq!(number("length(_key_text) = 64"), good);
    assert_eq!(number(&format!("search('{SECRET}')")), 0);
    assert_eq!(number(&format!("_value_text LIKE '%{SECRET}%'")), 0);
    assert_eq!(
        number("_value_text LIKE '%\"sku\": \"a\"%'"),
        good,
        "the rest is as it was"
    );
    assert_eq!(number("_value_text LIKE '%\"card\": \"***%'"), good);
    let people = format!("SELECT count(DISTINCT \"user\".email) AS n FROM {table}");
    assert_eq!(eddy.http().number(&people), 5);
    let answer = eddy
        .http()
        .sql(&format!("SELECT *, _key_text, _headers FROM {table}"));
    let dead = format!(
        "SELECT * FROM system.dead_letters WHERE _topic = '{}'",
        topic.name
    );
    let answer = json!([answer, eddy.http().sql(&dead)]).to_string();
    assert!(
        !answer.contains(SECRET) && !answer.contains("password"),
        "{answer}"
    );
    // In base64, as bytes are shown: `token` and `s3cret`.
    assert!(
        answer.contains("trace") && !answer.contains("token"),
        "{answer}"
    );
    assert!(!answer.contains("czNjcmV0"), "{answer}");
}
