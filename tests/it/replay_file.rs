//! What was recorded goes into files of the lake: `SELECT * INTO` a destination of type `file`.

use serde_json::{Value, json};

use crate::harness::kafka::Topic;
use crate::harness::lake::TestLake;
use crate::harness::process::Start;
use crate::harness::python;
use crate::replay::{wait_committed, wait_done};

fn duckdb_reads_every_record_once(lake: &TestLake) {
    let source = Topic::create("exported", 3);
    let values: Vec<String> = (0..700).map(|n| format!("{{\"n\": {n}}}")).collect();
    source.produce_values(&values);
    let options = [("path", "orders/all"), ("batch.records", "100")];
    let columns = [options[0], options[1], ("format", "parquet")];
    let eddy = Start::on(lake)
        .connector(&source.name, &[("topics", &source.name)])
        .destination("target", "file", &options)
        .destination("columns", "file", &columns)
        .ready();
    let http = eddy.http();
    wait_committed(&http, &source, values.len());
    let folder = format!("{}/exports/orders/all", lake.url);
    for (into, name, format) in [
        ("target", "out", "ndjson"),
        ("columns", "out-as-columns", "parquet"),
    ] {
        let from = &source.name;
        http.sql(&format!(
            "SELECT * INTO {into} FROM {from} WITH (name = '{name}')"
        ));
        let replay = wait_done(&http, name);
        assert_eq!(replay["acknowledged"], json!(values.len()));
        assert_eq!(replay["target"], "files in `exports/orders/all`");
        let files = format!("{folder}/{name}/{from}/*.{format}");
        read_by_duckdb(lake, &source, name, &files);
    }
}

/// DuckDB reads in the files of replay `name` what Kafka has.
fn read_by_duckdb(lake: &TestLake, source: &Topic, name: &str, files: &str) {
    let asked = json!({"files": files, "options": lake.options});
    let rows = python::run("exported.py", &asked);
    let rows = rows.as_array().expect("rows");
    let consumed = source.consume();
    let wanted: Vec<Value> = consumed
        .iter()
        .map(|record| {
            let value = record.value.as_deref().expect("a value");
            let value: Value = serde_json::from_slice(value).expect("JSON");
            json!([record.partition, record.offset, value])
        })
        .collect();
    // DuckDB leaves out blanks of JSON.
    let read = |value: &Value| serde_json::from_str(value.as_str()?).ok();
    let seen = rows.iter().map(|row| {
        let value: Value = read(&row[3]).expect("JSON");
        json!([row[0], row[1], value])
    });
    let seen: Vec<Value> = seen.collect();
    assert_eq!(seen.len(), wanted.len());
    assert!(seen == wanted, "{:?} ... are not the records", seen.first());
    for row in rows {
        let id = row[2].as_str().expect("an id");
        let place = format!(":{}:{}", row[0], row[1]);
        let begins = id.starts_with(&format!("{name}:"));
        assert!(begins && id.ends_with(&place), "{id}");
    }
}

#[test]
fn duckdb_reads_every_record_once_from_the_files_of_an_export_on_local_disk() {
    duckdb_reads_every_record_once(&TestLake::local());
}

#[test]
fn duckdb_reads_every_record_once_from_the_files_of_an_export_on_s3() {
    duckdb_reads_every_record_once(&TestLake::s3());
}
