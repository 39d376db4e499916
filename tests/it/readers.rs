//! Other people's readers see the same table: DuckDB (`delta_scan`, and `read_parquet` over the
//! files that the log names), deltalake and Polars, before and after the schema grew and drifted.

use serde_json::{Value, json};

use crate::harness::kafka::Topic;
use crate::harness::lake::TestLake;
use crate::harness::process::{Eddy, Start};
use crate::harness::python;
use crate::proof::{every_record_is_there_once, orders};

const READERS: [&str; 4] = ["duckdb_delta", "duckdb_parquet", "deltalake", "polars"];

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
    agree(&eddy, lake, &topic, &["order", "_offset"]);

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
        &topic,
        &["order", "price", "_offset", "_partition"],
    );
}

/// Every reader counts and sums as Eddy's own SQL does.
pub fn agree(eddy: &Eddy, lake: &TestLake, topic: &Topic, columns: &[&str]) {
    let mut input = lake.python(&topic.name);
    input["sum"] = json!(columns);
    let seen = python::run("readers.py", &input);
    let sums: Vec<String> = columns
        .iter()
        .map(|column| format!("sum(\"{column}\") AS \"{column}\""))
        .collect();
    let sql = format!(
        "SELECT count(*) AS rows, {} FROM \"{}\"",
        sums.join(", "),
        topic.name
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
}

fn number(value: &Value) -> Option<f64> {
    value.as_f64()
}
