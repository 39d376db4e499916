//! Transforms on real Kafka: a chain with predicates, filters and failures accounts for every
//! record once, whatever dies when (E1); what fails is a row with `_error` and a dead letter with
//! Connect's headers.

use serde_json::json;

use crate::harness::kafka::{Produce, Stored, Topic};
use crate::harness::lake::TestLake;
use crate::harness::process::{Eddy, Start, eddy};
use crate::harness::unique;
use crate::harness::wait::{PATIENCE, wait_equal, wait_for};
use crate::proof::{verified, wait_committed};

const BATCH: i64 = 70;

/// Six transforms: a filter, casts that fail on some, masks, renames, inserts, flattens.
const CHAIN: &[(&str, &str)] = &[
    ("transforms", "drop, cast, mask, rename, insert, flat"),
    (
        "transforms.drop.type",
        "org.apache.kafka.connect.transforms.Filter",
    ),
    ("transforms.drop.predicate", "marked"),
    (
        "transforms.cast.type",
        "org.apache.kafka.connect.transforms.Cast$Value",
    ),
    ("transforms.cast.spec", "amount:int32"),
    (
        "transforms.mask.type",
        "org.apache.kafka.connect.transforms.MaskField$Value",
    ),
    ("transforms.mask.fields", "card"),
    ("transforms.mask.replacement", "****"),
    (
        "transforms.rename.type",
        "org.apache.kafka.connect.transforms.ReplaceField$Value",
    ),
    ("transforms.rename.renames", "cust:customer"),
    ("transforms.rename.exclude", "noise"),
    (
        "transforms.insert.type",
        "org.apache.kafka.connect.transforms.InsertField$Value",
    ),
    ("transforms.insert.offset.field", "at"),
    ("transforms.insert.predicate", "marked"),
    ("transforms.insert.negate", "true"),
    (
        "transforms.flat.type",
        "org.apache.kafka.connect.transforms.Flatten$Value",
    ),
    ("transforms.flat.delimiter", "_"),
    ("predicates", "marked"),
    (
        "predicates.marked.type",
        "org.apache.kafka.connect.transforms.predicates.HasHeaderKey",
    ),
    ("predicates.marked.name", "skip"),
];

/// Of each 35 records 7 are filtered and 4 of the others fail.
fn is_filtered(n: i64) -> bool {
    n % 5 == 0
}

fn fails(n: i64) -> bool {
    n % 7 == 0 && !is_filtered(n)
}

fn record(n: i64) -> Produce {
    let amount = if fails(n) {
        "\"x\"".to_owned()
    } else {
        format!("\"{n}\"")
    };
    let mut headers = vec![("trace".to_owned(), Some(n.to_string().into_bytes()))];
    if is_filtered(n) {
        headers.push(("skip".to_owned(), None));
    }
    Produce {
        partition: i32::try_from(n % 3).expect("a partition"),
        key: Some(format!("key-{n}").into_bytes()),
        value: Some(
            format!(
                r#"{{"n": {n}, "amount": {amount}, "card": "4111", "noise": 1,
                     "cust": {{"name": "ann"}}}}"#
            )
            .into_bytes(),
        ),
        headers,
        timestamp_ms: Some(1_795_428_000_000 + n),
    }
}

fn worker(lake: &TestLake, topic: &Topic, dead: &str, more: &[(&str, &str)]) -> Start {
    let mut keys = vec![
        ("topics", topic.name.as_str()),
        ("flush.interval.ms", "50"),
        ("errors.deadletterqueue.topic.name", dead),
        ("errors.deadletterqueue.topic.replication.factor", "1"),
        ("errors.deadletterqueue.context.headers.enable", "true"),
    ];
    keys.extend(CHAIN);
    keys.extend(more);
    Start::on(lake)
        .kafka("session.timeout.ms", "6000")
        .connector(&topic.name, &keys)
}

#[test]
fn a_chain_accounts_every_record_once_through_kills_on_local_disk() {
    transforms(&TestLake::local());
}

#[test]
fn a_chain_accounts_every_record_once_through_kills_on_s3() {
    transforms(&TestLake::s3());
}

fn transforms(lake: &TestLake) {
    let topic = Topic::create("transformed", 3);
    let dead = unique("dead");
    let fault = "after_filtered:2:kill";
    let mut eddy = worker(lake, &topic, &dead, &[])
        .variable("EDDY_FAULT", fault)
        .spawn();
    let mut produced = 0;
    let produce = |from: i64| {
        let records: Vec<Produce> = (from..from + BATCH).map(record).collect();
        topic.produce(&records);
        from + BATCH
    };
    wait_for(PATIENCE, "`eddy` dies between filter and commit", || {
        produced = produce(produced);
        eddy.exited()
    });
    eddy.restart();
    produced = produce(produced);
    eddy.kill();
    produced = produce(produced);
    eddy.restart();
    let all = || 0..produced;
    let count = |wanted: fn(i64) -> bool| {
        i64::try_from(all().filter(|n| wanted(*n)).count()).expect("a count")
    };
    let (filtered, failed) = (count(is_filtered), count(fails));
    accounted(&eddy, lake, &topic, produced, filtered, failed);
    shown(&eddy, &topic);
    told(&topic, &dead, failed);
}

/// SQL, the table and the broker agree.
fn accounted(
    eddy: &Eddy,
    lake: &TestLake,
    topic: &Topic,
    produced: i64,
    filtered: i64,
    failed: i64,
) {
    let good = format!("SELECT count(DISTINCT n) AS n FROM \"{}\"", topic.name);
    wait_equal(
        PATIENCE,
        "the good records",
        Some(produced - filtered - failed),
        || eddy.http().try_sql(&good).ok()?.first()?["n"].as_i64(),
    );
    wait_committed(lake, topic);
    let rows = format!("SELECT count(*) AS n FROM \"{}\"", topic.name);
    assert_eq!(eddy.http().number(&rows), produced - filtered - failed);
    let dead = format!(
        "SELECT count(*) AS n FROM system.dead_letters WHERE _topic = '{}' AND _error LIKE \
         'TRANSFORMATION: Cast$Value (`cast`): the field `amount`: Value (x) was out of range%'",
        topic.name
    );
    assert_eq!(eddy.http().number(&dead), failed);
    let report = verified(eddy, topic);
    let parts = report["partitions"].as_array().expect("partitions").iter();
    let passed: i64 = parts.filter_map(|part| part["filtered"].as_i64()).sum();
    assert_eq!(passed, filtered, "{report}");
}

/// A row has what the transforms made of the record, and the record itself in its envelope.
fn shown(eddy: &Eddy, topic: &Topic) {
    let sql = format!(
        "SELECT amount, card, customer_name, \"at\" = _offset AS placed, _key_text, _value_text \
         FROM \"{}\" WHERE n = 1",
        topic.name
    );
    let rows = eddy.http().sql(&sql);
    let row = rows.first().expect("a row");
    assert_eq!(row["amount"], json!(1));
    assert_eq!(row["card"], json!("****"));
    assert_eq!(row["customer_name"], json!("ann"));
    assert_eq!(row["placed"], json!(true));
    assert_eq!(row["_key_text"], json!("key-1"));
    let value = record(1).value.expect("a value");
    assert_eq!(
        row["_value_text"],
        json!(String::from_utf8(value).expect("text"))
    );
    let columns = format!(
        "SELECT column FROM system.columns WHERE \"table\" = '{}'",
        topic.name
    );
    let columns = eddy.http().try_sql(&columns).unwrap_or_default();
    assert!(
        columns
            .iter()
            .all(|column| column["column"] != json!("noise"))
    );
}

/// Each failed record is in the dead-letter topic at least once, as it came, with Connect's headers
/// behind its own.
fn told(topic: &Topic, dead: &str, failed: i64) {
    let copies = Topic {
        name: dead.to_owned(),
        partitions: 1,
    }
    .consume();
    let sources = topic.consume();
    let source = |n: &str| {
        let wanted = format!("key-{n}").into_bytes();
        sources
            .iter()
            .find(|stored| stored.key.as_deref() == Some(&wanted))
            .expect("a source")
    };
    let mut seen = std::collections::BTreeSet::new();
    for copy in &copies {
        let n = text(&copy.headers[0].1);
        let original = source(&n);
        assert_eq!((&copy.key, &copy.value), (&original.key, &original.value));
        assert_eq!(copy.timestamp_ms, original.timestamp_ms);
        let mut headers = original.headers.clone();
        headers.extend(context(topic, original));
        assert_eq!(copy.headers, headers);
        seen.insert(n);
    }
    assert_eq!(i64::try_from(seen.len()).expect("a count"), failed);
}

fn context(topic: &Topic, original: &Stored) -> Vec<(String, Option<Vec<u8>>)> {
    const CAST: &str = "org.apache.kafka.connect.transforms.Cast$Value";
    const EXCEPTION: &str = "org.apache.kafka.connect.errors.DataException";
    const MESSAGE: &str = "Value (x) was out of range for requested data type";
    let trace = format!("{EXCEPTION}: {MESSAGE}\n\tat {CAST} (transforms.cast)");
    let headers = [
        ("topic", topic.name.clone()),
        ("partition", original.partition.to_string()),
        ("offset", original.offset.to_string()),
        ("connector.name", topic.name.clone()),
        ("task.id", "0".to_owned()),
        ("stage", "TRANSFORMATION".to_owned()),
        ("class.name", CAST.to_owned()),
        ("exception.class.name", EXCEPTION.to_owned()),
        ("exception.message", MESSAGE.to_owned()),
        ("exception.stacktrace", trace),
    ];
    let named = headers
        .into_iter()
        .map(|(name, value)| (format!("__connect.errors.{name}"), Some(value.into_bytes())));
    named.collect()
}

fn text(bytes: &Option<Vec<u8>>) -> String {
    String::from_utf8(bytes.clone().expect("a value")).expect("text")
}

#[test]
fn a_task_without_tolerance_fails_behind_the_good_records_and_says_why() {
    let lake = TestLake::local();
    let topic = Topic::create("strict", 1);
    let dead = unique("dead");
    let values: Vec<String> = (1..=9)
        .map(|n| match n {
            6 => r#"{"n": 6, "amount": "x"}"#.to_owned(),
            n => format!(r#"{{"n": {n}, "amount": "{n}"}}"#),
        })
        .collect();
    topic.produce_values(&values);
    let more = [
        ("errors.tolerance", "none"),
        ("flush.interval.ms", "3600000"),
    ];
    let eddy = worker(&lake, &topic, &dead, &more).ready();
    let why = "SELECT error FROM system.connectors WHERE state = 'FAILED'";
    let error = wait_for(PATIENCE, "the task has failed", || {
        let rows = eddy.http().try_sql(why).ok()?;
        rows.first()?["error"].as_str().map(str::to_owned)
    });
    assert!(
        error.starts_with("Tolerance exceeded in error handler"),
        "{error}"
    );
    assert!(
        error.contains("`5`") && error.contains("Cast$Value"),
        "{error}"
    );
    let count = format!("SELECT count(*) AS n FROM \"{}\"", topic.name);
    wait_equal(PATIENCE, "what came before it", Some(5), || {
        eddy.http().try_sql(&count).ok()?.first()?["n"].as_i64()
    });
    let copies = Topic {
        name: dead,
        partitions: 1,
    }
    .consume();
    assert_eq!(
        copies.len(),
        1,
        "told of once, however often the task tries again"
    );
    verified(&eddy, &topic);
}

#[test]
fn the_readmes_example_is_right() {
    let readme = include_str!("../../README.md");
    let (_, section) = readme.split_once("\n## Transforms\n").expect("the section");
    let lines = section
        .lines()
        .skip_while(|line| !line.starts_with("    ["));
    let example: Vec<&str> = lines.take_while(|line| line.starts_with("    ")).collect();
    assert!(example.len() > 10, "{example:?}");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("eddy.toml");
    let lake = folder.path().join("lake");
    let text = format!(
        "[lake]\nurl = \"file://{}\"\n[kafka]\n\"bootstrap.servers\" = \"127.0.0.1:9092\"\n{}\n",
        lake.display(),
        example.join("\n")
    );
    std::fs::write(&file, text).expect("a file");
    let checked = eddy(&["config", "check", &file.display().to_string()]);
    let said = String::from_utf8_lossy(&checked.stderr);
    assert!(checked.status.success(), "{said}");
    assert!(!said.contains("unknown keys"), "{said}");
}
