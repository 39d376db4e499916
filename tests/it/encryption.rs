//! A table whose files are encrypted, from Kafka to SQL: through kill -9 and a change of the key;
//! DuckDB and pyarrow read its files with the key, and nobody without.

use eddy_engine::Lake;
use eddy_engine::commit::invariants;
use eddy_engine::read::Snapshot;
use eddy_engine::seal::Key;
use eddy_engine::testing::plain_leaks;
use serde_json::{Value, json};

use crate::harness::kafka::Topic;
use crate::harness::lake::{TestLake, quoted};
use crate::harness::process::{Eddy, Start};
use crate::harness::python;
use crate::harness::wait::{PATIENCE, wait_equal};
use crate::proof::{verified, wait_committed};

const OLD: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
const NEW: &str = "ZmVkY2JhOTg3NjU0MzIxMA==";
const SECRET: &str = "s3cret";
/// A column's name.
const NAME: &str = "pati3nt";

fn records(numbers: std::ops::Range<i64>) -> Vec<String> {
    let record = |n: i64| match n % 10 {
        9 => format!("{{\"n\": {n}, \"{NAME}\": \"{SECRET}"),
        _ => json!({"n": n, NAME: format!("{SECRET}-{n}")}).to_string(),
    };
    numbers.map(record).collect()
}

/// Records of which nine in ten are numbered.
fn shown(eddy: &Eddy, topic: &Topic, records: i64) {
    let name = &topic.name;
    let sql = format!(
        "SELECT count(*) AS n FROM \"{name}\" WHERE n >= 0 AND {NAME} LIKE '{SECRET}-%' \
         AND _value_text LIKE '%{SECRET}%'"
    );
    wait_equal(PATIENCE, "the good records", Some(records / 10 * 9), || {
        eddy.http().try_sql(&sql).ok()?.first()?["n"].as_i64()
    });
    let all = eddy.http().sql(&format!("SELECT * FROM \"{name}\""));
    assert_eq!(all.len() as i64, records / 10 * 9);
    let dead = format!("SELECT count(*) AS n FROM system.dead_letters WHERE _topic = '{name}'");
    assert_eq!(eddy.http().number(&dead), records / 10);
}

fn start(lake: &TestLake, topic: &Topic, id: &str, key: &str, earlier: &str) -> Start {
    let settings = [
        ("topics", topic.name.as_str()),
        ("flush.interval.ms", "300"),
        ("encryption.key.id", id),
        ("encryption.key", key),
    ];
    let keys = Start::on(lake).kafka("session.timeout.ms", "6000");
    keys.connector(&topic.name, &settings).toml(earlier)
}

#[test]
fn an_encrypted_table_is_read_by_who_has_its_keys_through_kills_and_a_new_key() {
    let (lake, topic) = (TestLake::local(), Topic::create("sealed", 2));
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("table.key");
    std::fs::write(&file, format!("{OLD}\n")).expect("a file with the key");
    let by_reference = format!("${{file:{}}}", file.display());
    let mut eddy = start(&lake, &topic, "old", &by_reference, "").ready();
    topic.produce_values(&records(0..500));
    shown(&eddy, &topic, 500);
    topic.produce_values(&records(500..1_000));
    eddy.kill();
    eddy.start_again();
    shown(&eddy, &topic, 1_000);
    wait_committed(&lake, &topic);
    verified(&eddy, &topic);
    read_by_others(&lake, &topic, 1_000);
    assert!(eddy.terminate().success());
    assert!(!eddy.log().contains(OLD) && !eddy.log().contains(SECRET));

    // The key is changed; what it sealed is read on.
    let earlier = format!("[encryption.keys]\nold = {}", quoted(&by_reference));
    let mut eddy = start(&lake, &topic, "new", NEW, &earlier).ready();
    topic.produce_values(&records(1_000..1_500));
    shown(&eddy, &topic, 1_500);
    wait_committed(&lake, &topic);
    verified(&eddy, &topic);
    assert!(eddy.terminate().success());

    let opened = lake.open();
    let table = opened.table("topics", &topic.name);
    let told = |secrets: &[&str]| {
        let secrets: Vec<Vec<u8>> = secrets
            .iter()
            .map(|text| text.as_bytes().to_vec())
            .collect();
        plain_leaks(&opened, &table, &secrets).expect("the store answers")
    };
    assert_eq!(told(&[SECRET, OLD, NEW]), Vec::<String>::new());
    let named = told(&[NAME]);
    assert!(
        named.iter().all(|name| name.contains("_delta_log")),
        "{named:?}"
    );
    refused(&lake, &topic);
    add_keys(&opened);
    invariants::check(&opened, &table).expect("the protocol's invariants");
}

fn add_keys(lake: &Lake) {
    for (id, key) in [("old", OLD), ("new", NEW)] {
        let key = Key::from_base64(id, key).expect("a key");
        lake.keys().add(&key).expect("a new id");
    }
}

/// Who only reads gets a clear answer without the key, and the rows with it.
fn refused(lake: &TestLake, topic: &Topic) {
    let query = |keys: &str| {
        let start = Start::on(lake).toml(keys);
        start.argument("--roles").argument("query").ready()
    };
    let sql = format!("SELECT max(n) AS n FROM \"{}\"", topic.name);
    let eddy = query(&format!("[encryption.keys]\nold = {}", quoted(OLD)));
    let error = eddy.http().try_sql(&sql).expect_err("a key is missing");
    for needle in [
        "`new`",
        "[encryption.keys]",
        topic.name.as_str(),
        ".parquet",
    ] {
        assert!(error.message().contains(needle), "{}", error.message());
    }
    let keys = format!(
        "[encryption.keys]\nold = {0}\nnew = {1}",
        quoted(OLD),
        quoted(NEW)
    );
    assert_eq!(query(&keys).http().number(&sql), 1_498);
}

fn read_by_others(lake: &TestLake, topic: &Topic, records: i64) {
    let opened = lake.open();
    let table = opened.table("topics", &topic.name);
    let snapshot = Snapshot::load(&opened, &table, None).expect("the store answers");
    let snapshot = snapshot.expect("a table");
    let path = |file: &str| {
        let url = opened.object_url(&table.object(file)).expect("a URL");
        url.to_file_path()
            .expect("a local lake")
            .display()
            .to_string()
    };
    let files: Vec<String> = snapshot.files.iter().map(|file| path(&file.path)).collect();
    let input = json!({"files": files, "key": OLD, "id": "old", "column": "n"});
    let seen = python::run("encrypted.py", &input);
    let sum: i64 = (0..records).filter(|n| n % 10 != 9).sum();
    for reader in ["duckdb", "pyarrow"] {
        let seen = &seen[reader];
        assert_eq!(seen["rows"], json!(records), "{reader}: {seen}");
        assert_eq!(seen["sum"], json!(sum), "{reader}: {seen}");
        assert_eq!(seen["refused"], json!(files.len()), "{reader}: {seen}");
        let columns = seen["columns"].as_array().expect("its columns");
        assert!(columns.contains(&Value::from(NAME)), "{reader}: {seen}");
    }
}
