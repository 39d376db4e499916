//! Objects beside objects: keys and headers of the same records, and the tags of all of them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::foreign::Bucket;
use crate::foreign_formats::{TIME_MS, objects, post, value, verified, wait_positions};
use crate::harness::kafka::{Produce, Topic};
use crate::harness::lake::TestLake;
use crate::harness::process::Start;
use crate::harness::python;
use crate::harness::wait::{PATIENCE, wait_for};

const FLUSH: usize = 10;

const CONFIG: &str = r#"{
    "connector.class": "io.confluent.connect.s3.S3SinkConnector",
    "topics": "flow",
    "s3.region": "ap-southeast-1",
    "s3.bucket.name": "flow",
    "storage.class": "io.confluent.connect.s3.storage.S3Storage",
    "format.class": "io.confluent.connect.s3.format.avro.AvroFormat",
    "avro.codec": "deflate",
    "flush.size": "10",
    "key.converter": "org.apache.kafka.connect.storage.StringConverter",
    "store.kafka.keys": "true",
    "store.kafka.headers": "true",
    "headers.format.class": "io.confluent.connect.s3.format.json.JsonFormat",
    "s3.object.tagging": "true",
    "s3.object.tagging.key.value.pairs": "team:orders"
}"#;

fn produce(topic: &Topic, from: usize, count: usize) {
    let record = |n: usize| Produce {
        partition: i32::try_from(n % 2).expect("a partition"),
        key: Some(format!("k{n}").into_bytes()),
        value: Some(value(n).to_string().into_bytes()),
        headers: vec![("n".to_owned(), Some(n.to_string().into_bytes()))],
        timestamp_ms: Some(TIME_MS),
    };
    topic.produce(
        &(2 * from..2 * (from + count))
            .map(record)
            .collect::<Vec<_>>(),
    );
}

/// The records' numbers in an object, by what its lines say.
fn numbers(text: &str, number: impl Fn(&Value) -> Option<usize>) -> Vec<usize> {
    let lines = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"));
    lines.map(|line| number(&line).expect("a number")).collect()
}

#[test]
fn avro_keys_headers_and_tags_come_with_their_records_through_a_kill() {
    let (main, bucket) = (TestLake::local(), Bucket::new());
    let topic = Topic::create("flow", 2);
    let start = Start::on(&main).connect();
    let start = start.kafka("session.timeout.ms", "6000");
    let mut eddy = start.variable("EDDY_FAULT", "after_upload:1:kill").ready();
    let config = post(&eddy, &bucket, &topic, CONFIG, &[]);
    produce(&topic, 0, 2 * FLUSH);
    wait_for(PATIENCE, "`eddy` dies", || eddy.exited());
    produce(&topic, 2 * FLUSH, FLUSH);
    eddy.restart();
    let end = 3 * FLUSH;
    wait_positions(&bucket, &topic, "topics", end as i64);
    let found = objects(&bucket);
    let mut seen = BTreeSet::new();
    let mut wanted: BTreeMap<String, Value> = BTreeMap::new();
    for partition in 0..2 {
        for start in (0..end).step_by(FLUSH) {
            let name = &topic.name;
            let stem =
                format!("topics/{name}/partition={partition}/{name}+{partition}+{start:010}");
            let text = |extension: &str| &found[&format!("{stem}{extension}")];
            let rows = numbers(text(".avro"), |line| {
                let n = usize::try_from(line["order"].as_u64()?).ok()?;
                (*line == value(n)).then_some(n)
            });
            let all: Vec<usize> = (start..start + FLUSH)
                .map(|at| 2 * at + partition)
                .collect();
            assert_eq!(rows, all, "`{stem}`");
            let keys = numbers(text(".keys.avro"), |line| line.as_str()?[1..].parse().ok());
            assert_eq!(keys, all, "`{stem}`");
            let headers = numbers(text(".headers.json"), |line| {
                assert_eq!(line[0]["key"], "n", "{line}");
                line[0]["value"].as_str()?.parse().ok()
            });
            assert_eq!(headers, all, "`{stem}`");
            seen.extend(rows);
            for extension in [".avro", ".keys.avro", ".headers.json"] {
                let tags = json!({
                    "startOffset": start.to_string(),
                    "endOffset": (start + FLUSH - 1).to_string(),
                    "recordCount": FLUSH.to_string(),
                    "team": "orders",
                });
                wanted.insert(format!("{stem}{extension}"), tags);
            }
        }
    }
    assert_eq!(seen, (0..2 * end).collect());
    let keys: BTreeSet<&String> = found.keys().collect();
    assert_eq!(keys, wanted.keys().collect(), "nothing else is there");
    let asked = json!({
        "bucket": bucket.name, "options": bucket.lake.options, "keys": keys,
    });
    assert_eq!(python::run("tags.py", &asked), json!(wanted));
    verified(&eddy, &topic, &config, 2 * end as u64);
}
