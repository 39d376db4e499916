//! Tables of what each transform does, after the behaviour of Kafka's, Confluent's and Debezium's.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod any;
mod configuration;
mod routers;
mod schemaless;
mod schemas;
mod third_party;

use std::collections::BTreeMap;
use std::sync::Arc;

use eddy_engine::Value;

use super::chain::{Chain, Failed};
use crate::data::{ConnectRecord, Datum, Field, Kind, Schema};
use crate::error::Result;

const KAFKA: &str = "org.apache.kafka.connect.transforms.";

/// The chain of a connector with these keys.
fn read(entries: &[(&str, &str)]) -> Result<Option<Chain>> {
    let map: BTreeMap<String, String> = entries
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect();
    Chain::read("orders", &map)
}

/// A chain of one transform, `t`, with these options.
fn one(class: &str, options: &[(&str, &str)]) -> Result<Chain> {
    let options: Vec<(String, &str)> = options
        .iter()
        .map(|(key, value)| (format!("transforms.t.{key}"), *value))
        .collect();
    let mut entries = vec![("transforms", "t"), ("transforms.t.type", class)];
    entries.extend(options.iter().map(|(key, value)| (key.as_str(), *value)));
    read(&entries).map(|chain| chain.expect("a chain"))
}

/// The rows of a table: a line each, four cells with bars between.
fn rows(table: &str) -> Vec<[&str; 4]> {
    let lines = table.lines().filter(|line| !line.trim().is_empty());
    lines
        .map(|line| {
            let cells: Vec<&str> = line.split(" | ").map(str::trim).collect();
            cells.try_into().expect("four cells")
        })
        .collect()
}

/// Keys and values of a cell: `key=value ; key=value`.
fn pairs(cell: &str) -> Vec<(&str, &str)> {
    let pairs = cell.split(" ; ").filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| pair.split_once('=').expect("a pair"))
        .collect()
}

fn parsed(json: &str) -> Value {
    Value::parse(json.as_bytes()).unwrap_or_else(|| panic!("no JSON: {json}"))
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

/// A record with this value and no schema.
fn record(json: &str) -> ConnectRecord {
    ConnectRecord {
        topic: "orders".to_owned(),
        partition: Some(3),
        offset: 42,
        timestamp_ms: Some(1_714_979_289_045),
        key: Datum::null(),
        value: Datum::schemaless(parsed(json)),
        headers: Vec::new(),
    }
}

/// A record with this value and schema.
fn typed(schema: Schema, json: &str) -> ConnectRecord {
    let mut record = record(json);
    record.value.schema = Some(Arc::new(schema));
    record
}

fn of_struct(fields: &[(&str, Schema)]) -> Schema {
    let fields = fields.iter().map(|(name, schema)| Field {
        name: (*name).to_owned(),
        schema: Arc::new(schema.clone()),
    });
    Schema::of(Kind::Struct(fields.collect()))
}

fn with_default(kind: Kind, default: Value) -> Schema {
    Schema {
        default: Some(default),
        ..Schema::of(kind).optional()
    }
}

/// What one transform makes of a record that it doesn't drop.
fn apply(class: &str, options: &[(&str, &str)], record: ConnectRecord) -> ConnectRecord {
    let chain = one(class, options).unwrap();
    chain.apply(record).unwrap().expect("a record")
}

/// Why one transform fails on a record.
fn failure(class: &str, options: &[(&str, &str)], record: ConnectRecord) -> Failed {
    one(class, options).unwrap().apply(record).unwrap_err()
}

/// The fields' names and kinds of a record's value.
fn shape(schema: Option<&Arc<Schema>>) -> Vec<(String, Kind, bool)> {
    let fields = super::members::fields_of(schema.expect("a schema"));
    fields
        .iter()
        .map(|field| {
            (
                field.name.clone(),
                field.schema.kind.clone(),
                field.schema.optional,
            )
        })
        .collect()
}
