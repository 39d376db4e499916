//! Other people's readers see the same table: DuckDB (`delta_scan`, and `read_parquet` over the
//! files that the log names), deltalake and Polars, before and after the schema grew and drifted.

use serde_json::{Value, json};

use crate::harness::kafka::Topic;
use crate::harness::lake::TestLake;
use crate::harness::process::{Eddy, Start};
use crate::harness::python;
use crate::proof::{every_record_is_there_once, orders};

pub const READERS: [&str; 4] = ["duckdb_delta", "duckdb_parquet", "deltalake", "polars"];

#[test]
fn every_reader_agrees_before_and_after_growth_and_drift_on_local_disk() {
    grows_and_drifts(&TestLake::local());
}

#[test]
fn every_reader_agrees_before_and_after_growth_and_drift_on_s3() {
    grows_and_drifts(&TestLake::s3());
}

fn grows_and_drifts(lake: &TestLake) {
    let topic = Topic::create("readers", 3);
    let eddy = Start::on(lake)
        .connector(
            &topic.name,
            &[("topics", &topic.name), ("flush.interval.ms", "300")],
        )
        .ready();
    topic.produce_values(&orders(0..90));
    every_record_is_there_once(&eddy, lake, &topic, 90);
    agree(&eddy, lake, &topic.name, &["order", "_offset"]);

    // New columns, a column that changes its type, structs and lists that grow.
    let grown: Vec<String> = (90..180)
        .map(|order| match order % 3 {
            0 => json!({"order": order, "items": [{"sku": "a", "count": order}]}).to_string(),
            1 => {
                json!({"order": format!("o-{order}"), "price": f64::from(order) / 4.0}).to_string()
            }
            _ => json!({"order": order, "customer": {"id": order, "tags": ["x", "y"]}}).to_string(),
        })
        .collect();
    topic.produce_values(&grown);
    every_record_is_there_once(&eddy, lake, &topic, 180);
    let drifted: Vec<String> = (180..240)
        .map(|order| match order % 2 {
            0 => json!({"order": {"id": order}, "customer": "someone"}).to_string(),
            _ => json!({"order": order, "items": [1, "two", {"sku": "b", "price": 1.5}],
                        "customer": {"id": "c", "vip": true}})
            .to_string(),
        })
        .collect();
    topic.produce_values(&drifted);
    every_record_is_there_once(&eddy, lake, &topic, 240);
    agree(
        &eddy,
        lake,
        &topic.name,
        &["order", "price", "_offset", "_partition"],
    );
}

#[test]
fn every_reader_reads_names_and_shapes_of_any_kind() {
    let lake = TestLake::local();
    let topic = Topic::create("names", 1);
    let settings = [
        ("topics", topic.name.as_str()),
        ("flush.interval.ms", "200"),
    ];
    let eddy = Start::on(&lake).connector(&topic.name, &settings).ready();
    let mut values = Vec::new();
    for key in KEYS {
        for value in VALUES {
            let member = format!("{}: {value}", json!(key));
            values.push(format!("{{{member}, \"in\": {{{member}}}}}"));
            values.push(format!("{{\"list\": [{{{member}}}]}}"));
        }
    }
    // In two commits, so that files differ in their columns.
    let (first, second) = values.split_at(values.len() / 3);
    topic.produce_values(first);
    every_record_is_there_once(&eddy, &lake, &topic, first.len());
    topic.produce_values(second);
    every_record_is_there_once(&eddy, &lake, &topic, values.len());
    let columns = counts_agree(&eddy, &lake, &topic.name);
    assert!(columns > KEYS.len(), "{columns}");
}

#[test]
fn every_reader_reads_moments_and_decimals_that_were_strings() {
    let lake = TestLake::local();
    let topic = Topic::create("moments", 1);
    let settings = [
        ("topics", topic.name.as_str()),
        ("flush.interval.ms", "200"),
        ("value.detect", "timestamps, decimals"),
    ];
    let eddy = Start::on(&lake).connector(&topic.name, &settings).ready();
    let value = |at: &str, price: &str| {
        let member = json!({"at": at, "price": price});
        json!({"at": at, "price": price, "in": member, "list": [member]}).to_string()
    };
    let first = [
        value("2026-11-23T08:15:30Z", "12.50"),
        value("1969-12-31T23:59:59.999999Z", "-0.001"),
    ];
    topic.produce_values(&first);
    every_record_is_there_once(&eddy, &lake, &topic, 2);
    let second = [
        value("later", "free"),
        value("9999-12-31T00:00:00+12:00", "7.5"),
    ];
    topic.produce_values(&second);
    every_record_is_there_once(&eddy, &lake, &topic, 4);
    // Each of both at the root, in the struct and in the list, and what was no such string.
    assert!(counts_agree(&eddy, &lake, &topic.name) >= 8);
    agree(&eddy, &lake, &topic.name, &["_offset"]);
}

/// Every reader finds as many values in each stored column as Eddy's own SQL; answers how many
/// columns there are.
#[track_caller]
fn counts_agree(eddy: &Eddy, lake: &TestLake, table: &str) -> usize {
    let seen = python::run("readers.py", &lake.python(table));
    let described = "SELECT \"column\" AS name, coalesce(stored, \"column\") AS stored \
                     FROM system.columns \
                     WHERE (stored IS NOT NULL OR \"column\" = 'dt') AND \"table\" = ";
    let columns = eddy.http().sql(&format!("{described}'{table}'"));
    let text = |value: &Value| value.as_str().expect("a name").to_owned();
    let columns: Vec<(String, String)> = columns
        .iter()
        .map(|row| (text(&row["name"]), text(&row["stored"])))
        .collect();
    let counts: Vec<String> = (0..)
        .zip(&columns)
        .map(|(at, (name, _))| format!("count(\"{}\") AS c{at}", name.replace('"', "\"\"")))
        .collect();
    let sql = format!("SELECT {} FROM \"{}\"", counts.join(", "), table);
    let own = eddy.http().sql(&sql).remove(0);
    for (at, (_, stored)) in (0..).zip(&columns) {
        for reader in READERS {
            let (seen, own) = (&seen[reader]["values"][stored], &own[format!("c{at}")]);
            assert_eq!(seen, own, "{reader}: `{stored}`");
        }
    }
    columns.len()
}

const KEYS: &[&str] = &[
    "a",
    "A",
    "a.b",
    "a b",
    "a,b;{c}(d)=e",
    "`",
    "\"",
    "'",
    "\\",
    "\0",
    "\t",
    "é",
    "É",
    "ß",
    "ẞ",
    "😀",
    "",
    "dt",
    "DT",
    "_topic",
    "_VALUE",
    "_rescued",
    "a__string",
    "element",
    "10.0.0.1",
    "x/y",
    "%41",
    "list",
    "key_value",
    "_metadata",
    "filename",
    "row_index",
];
const VALUES: &[&str] = &[
    "1",
    "\"s\"",
    "0.5",
    "true",
    "null",
    "{}",
    "[]",
    "{\"x\":1}",
    "{\"x\":{\"y\":\"z\"}}",
    "[1,2]",
    "[[1],[\"a\"]]",
    "[1,\"a\",{\"b\":[true]}]",
    "99999999999999999999",
    "1e999",
    "\"\\ud800\"",
];

/// Every reader counts and sums as Eddy's own SQL does, whose answer is returned.
#[track_caller]
pub fn agree(eddy: &Eddy, lake: &TestLake, table: &str, columns: &[&str]) -> Value {
    let mut input = lake.python(table);
    input["sum"] = json!(columns);
    let seen = python::run("readers.py", &input);
    let sums: Vec<String> = columns
        .iter()
        .map(|column| format!("sum(\"{column}\") AS \"{column}\""))
        .collect();
    let sql = format!(
        "SELECT count(*) AS rows, {} FROM \"{table}\"",
        sums.join(", ")
    );
    let own = eddy.http().sql(&sql).remove(0);
    for reader in READERS {
        assert_eq!(seen[reader]["rows"], own["rows"], "{reader}: {seen}");
        for column in columns {
            assert_eq!(
                number(&seen[reader]["sum"][column]),
                number(&own[*column]),
                "{reader} sums `{column}` otherwise: {seen}"
            );
        }
    }
    own
}

fn number(value: &Value) -> Option<f64> {
    value.as_f64()
}
