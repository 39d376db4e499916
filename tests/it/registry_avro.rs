//! Values of a registry in files of Avro, as Confluent's sink writes them, and a real configuration
//! of its own for JSON Schema: other connectors of the topics that `registry` reads.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::foreign::Bucket;
use crate::foreign_formats::wait_positions;
use crate::harness::kafka::Topic;
use crate::harness::process::Start;
use crate::harness::python;
use crate::harness::services::PrivateRegistry;
use crate::harness::wait::{PATIENCE, wait_equal};

const AVRO: &str = r#"{
    "connector.class": "io.confluent.connect.s3.S3SinkConnector",
    "flush.size": "100",
    "storage.class": "io.confluent.connect.s3.storage.S3Storage",
    "format.class": "io.confluent.connect.s3.format.avro.AvroFormat",
    "store.kafka.keys": "true",
    "key.converter": "io.confluent.connect.avro.AvroConverter",
    "value.converter": "io.confluent.connect.avro.AvroConverter",
    "errors.tolerance": "all"
}"#;
/// A real one, but for bucket, endpoint, keys and topic.
const JSON_SCHEMA: &str = r#"{
    "connector.class": "io.confluent.connect.s3.S3SinkConnector",
    "tasks.max": "1",
    "topics": "customer_json_schema",
    "s3.region": "us-east-1",
    "s3.bucket.name": "customers",
    "s3.part.size": 52428801,
    "flush.size": "3",
    "storage.class": "io.confluent.connect.s3.storage.S3Storage",
    "format.class": "io.confluent.connect.s3.format.parquet.ParquetFormat",
    "value.converter": "io.confluent.connect.json.JsonSchemaConverter",
    "value.converter.schema.registry.url": "http://127.0.0.1:8081",
    "schema.compatibility": "NONE"
}"#;

/// Adds the connector of `config` to a worker.
fn connector(
    start: Start,
    config: &str,
    registry: &PrivateRegistry,
    bucket: &Bucket,
    topic: &Topic,
) -> Start {
    let config: BTreeMap<String, Value> = serde_json::from_str(config).expect("JSON");
    let text = |value: &Value| {
        value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned)
    };
    let mut keys: BTreeMap<&str, String> = config
        .iter()
        .map(|(key, value)| (key.as_str(), text(value)))
        .collect();
    let option = |name: &str| bucket.lake.options[name].clone();
    keys.extend([
        ("topics", topic.name.clone()),
        ("s3.bucket.name", bucket.name.clone()),
        ("store.url", option("aws_endpoint")),
        ("s3.region", option("aws_region")),
        ("aws.access.key.id", option("aws_access_key_id")),
        ("aws.secret.access.key", option("aws_secret_access_key")),
        ("value.converter.schema.registry.url", registry.url.clone()),
    ]);
    if keys.contains_key("key.converter") {
        keys.insert("key.converter.schema.registry.url", registry.url.clone());
    }
    let keys: Vec<(&str, &str)> = keys
        .iter()
        .map(|(key, text)| (*key, text.as_str()))
        .collect();
    start.connector(&format!("{}-s3", topic.name), &keys)
}

pub(crate) fn avro(
    start: Start,
    registry: &PrivateRegistry,
    bucket: &Bucket,
    topic: &Topic,
) -> Start {
    connector(start, AVRO, registry, bucket, topic)
}

pub(crate) fn json_schema(
    start: Start,
    registry: &PrivateRegistry,
    bucket: &Bucket,
    topic: &Topic,
) -> Start {
    connector(start, JSON_SCHEMA, registry, bucket, topic)
}

/// A thousand records, of which ten can't be read, alternate between two schemas: each has files of
/// its own, and all that was written comes back.
#[track_caller]
pub(crate) fn avro_is_as_it_was_written(bucket: &Bucket, topic: &Topic) {
    wait_positions(bucket, topic, "topics", 1_000);
    let asked = json!({
        "bucket": bucket.name, "options": bucket.lake.options, "topic": topic.name,
    });
    let seen = python::run("registry_avro.py", &asked);
    assert_eq!(
        seen,
        json!({"values": [], "keys": [], "count": 990, "schemas": 2})
    );
}

/// Six records of JSON Schema are two files.
#[track_caller]
pub(crate) fn json_schema_has_its_names(bucket: &Bucket, topic: &Topic) {
    let name = &topic.name;
    let file = |start| {
        let key = format!("topics/{name}/partition=0/{name}+0+{start:010}.snappy.parquet");
        (key, 3)
    };
    let wanted = BTreeMap::from([file(0), file(3)]);
    wait_equal(PATIENCE, "the files", wanted, || bucket.files(&[]));
}
