//! The invariants of the commit protocol, checked from outside on a table and its topic.
//!
//! Every test that kills, stops or breaks something ends with [`check`]. The work is done by
//! `tests/it/python/invariants.py`, which shares no code with what it judges.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use super::kafka::{Stored, Topic};
use super::lake::TestLake;
use super::python;

/// What the check saw of a sound table.
#[derive(Debug)]
pub struct Checked {
    pub version: i64,
    pub rows: i64,
}

/// Every record of the topic is in its table once, as the broker has it, and each version of the
/// table kept its promises (invariants 1, 2, 3, 4, 7 and 12). The topic must be at rest, and must
/// not have lost records to retention.
#[track_caller]
pub fn check(lake: &TestLake, topic: &Topic) -> Checked {
    judge(lake, topic, &topic.consume(), true)
}

/// The same while records are still on their way: what is below the positions must be there.
#[track_caller]
pub fn check_so_far(lake: &TestLake, topic: &Topic) -> Checked {
    judge(lake, topic, &topic.consume(), false)
}

/// The same against records that the caller knows of (the broker may have dropped some since).
#[track_caller]
pub fn judge(lake: &TestLake, topic: &Topic, records: &[Stored], complete: bool) -> Checked {
    let answer = findings(lake, &topic.name, records, complete);
    let wrong: Vec<&str> = answer["findings"]
        .as_array()
        .expect("findings")
        .iter()
        .filter_map(Value::as_str)
        .collect();
    assert!(
        wrong.is_empty(),
        "`{}` is not sound:\n{}",
        topic.name,
        wrong.join("\n")
    );
    Checked {
        version: answer["version"].as_i64().expect("a version"),
        rows: answer["rows"].as_i64().expect("a number of rows"),
    }
}

/// What is wrong with a table, as the script answers it.
#[track_caller]
pub fn findings(lake: &TestLake, table: &str, records: &[Stored], complete: bool) -> Value {
    let mut broker: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for record in records {
        let headers: Vec<Value> = record
            .headers
            .iter()
            .map(|(key, value)| json!([key, encoded(value.as_deref())]))
            .collect();
        let row = json!([
            record.offset,
            encoded(record.key.as_deref()),
            encoded(record.value.as_deref()),
            headers,
            record.timestamp_ms,
        ]);
        broker
            .entry(record.partition.to_string())
            .or_default()
            .push(row);
    }
    let mut input = lake.python(table);
    input["broker"] = json!(broker);
    input["complete"] = complete.into();
    python::run("invariants.py", &input)
}

fn encoded(bytes: Option<&[u8]>) -> Option<String> {
    bytes.map(|bytes| BASE64_STANDARD.encode(bytes))
}
