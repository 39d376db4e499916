//! Other sinks' formats besides Parquet: real configurations of theirs, posted as they are, and the
//! objects that come of it, read by Python alone.

use std::collections::{BTreeMap, BTreeSet};

use eddy_engine::commit::invariants;
use eddy_engine::read::Snapshot;
use serde_json::{Value, json};

use crate::connect_rest::ask;
use crate::foreign::Bucket;
use crate::harness::kafka::{Produce, Topic};
use crate::harness::lake::TestLake;
use crate::harness::process::{Eddy, Start};
use crate::harness::python;
use crate::harness::wait::{PATIENCE, wait_equal, wait_for};

/// 2026-11-23T15:30:00Z, which is the 24th in Seoul.
pub(crate) const TIME_MS: i64 = 1_795_447_800_000;
const FLUSH: usize = 10;

/// Real ones of the two sinks, but for bucket, endpoint, keys, topics and `flush.size`.
const GENERATED: &str = r#"{
    "connector.class": "io.confluent.connect.s3.S3SinkConnector",
    "tasks.max": "1",
    "topics": "public.orders",
    "s3.bucket.name": "orders",
    "s3.region": "us-east-1",
    "storage.class": "io.confluent.connect.s3.storage.S3Storage",
    "format.class": "io.confluent.connect.s3.format.json.JsonFormat",
    "flush.size": "1000",
    "rotate.interval.ms": "3600000"
}"#;
const DAILY_GZIP: &str = r#"{
    "connector.class": "io.confluent.connect.s3.S3SinkConnector",
    "storage.class": "io.confluent.connect.s3.storage.S3Storage",
    "format.class": "io.confluent.connect.s3.format.json.JsonFormat",
    "tasks.max": 4,
    "topics": "logtable0, logtable1, logtable2",
    "partitioner.class": "io.confluent.connect.storage.partitioner.TimeBasedPartitioner",
    "path.format": "'year'=YYYY/'month'=MM/'day'=dd",
    "partition.duration.ms": "86400000",
    "locale": "ko_KR",
    "timezone": "Asia/Seoul",
    "timestamp.extractor": "RecordField",
    "timestamp.field": "RegDate",
    "rotate.schedule.interval.ms": "1800000",
    "flush.size": 100000,
    "s3.region": "ap-northeast-2",
    "s3.bucket.name": "lake",
    "topics.dir": "logs",
    "s3.compression.type": "gzip",
    "value.converter": "org.apache.kafka.connect.json.JsonConverter",
    "value.converter.schemas.enable": "false"
}"#;
const AIVEN_JSON: &str = r#"{
    "connector.class": "io.aiven.kafka.connect.s3.AivenKafkaConnectS3SinkConnector",
    "topics": "Topic-1",
    "aws.access.key.id": "AK",
    "aws.secret.access.key": "SK",
    "aws.s3.bucket.name": "b",
    "aws.s3.endpoint": "http://127.0.0.1:9000",
    "format.output.type": "json",
    "file.compression.type": "none"
}"#;
const AIVEN_BYTES: &str = r#"{
    "connector.class": "io.aiven.kafka.connect.s3.AivenKafkaConnectS3SinkConnector",
    "key.converter": "org.apache.kafka.connect.converters.ByteArrayConverter",
    "value.converter": "org.apache.kafka.connect.converters.ByteArrayConverter",
    "topics": "orders",
    "aws.access.key.id": "AK",
    "aws.secret.access.key": "SK",
    "aws.s3.bucket.name": "orders",
    "aws.s3.region": "eu-west-1"
}"#;

/// Posts a configuration, adapted to the test's bucket and topic, and answers it.
#[track_caller]
pub(crate) fn post(
    eddy: &Eddy,
    bucket: &Bucket,
    topic: &Topic,
    text: &str,
    more: &[(&str, &str)],
) -> Value {
    let mut config: Value = serde_json::from_str(text).expect("JSON");
    let option = |name: &str| json!(bucket.lake.options[name]);
    let aiven = text.contains("aiven");
    let own = match aiven {
        false => [
            ("s3.bucket.name", json!(bucket.name)),
            ("store.url", option("aws_endpoint")),
            ("s3.region", option("aws_region")),
        ],
        true => [
            ("aws.s3.bucket.name", json!(bucket.name)),
            ("aws.s3.endpoint", option("aws_endpoint")),
            ("aws.s3.region", option("aws_region")),
        ],
    };
    // A pattern is made to match this topic alone.
    let topics = match config["topics.regex"].as_str() {
        None => ("topics", json!(topic.name)),
        Some(pattern) => {
            let any = pattern.strip_suffix(".*").expect("any topic");
            ("topics.regex", json!(format!("{any}{}", topic.name)))
        }
    };
    let keys = [
        topics,
        ("aws.access.key.id", option("aws_access_key_id")),
        ("aws.secret.access.key", option("aws_secret_access_key")),
    ];
    let more = more.iter().map(|(key, value)| (*key, json!(value)));
    for (key, value) in own.into_iter().chain(keys).chain(more) {
        config[key] = value;
    }
    let request = json!({"name": topic.name, "config": &config});
    let (status, answer) = ask(eddy, "POST", "/connectors", Some(&request));
    assert_eq!(status, 201, "{answer}");
    config
}

pub(crate) fn objects(bucket: &Bucket) -> BTreeMap<String, String> {
    let input = json!({"bucket": bucket.name, "options": bucket.lake.options});
    let found = python::run("flat.py", &input);
    let found = found.as_object().expect("an object").iter();
    found
        .map(|(key, text)| (key.clone(), text.as_str().expect("text").to_owned()))
        .collect()
}

pub(crate) fn value(n: usize) -> Value {
    json!({"order": n, "RegDate": "2026-11-23T15:30:00Z"})
}

/// So many records to each of two partitions, from `n` on; the value's text has blanks.
fn produce(topic: &Topic, from: usize, count: usize) {
    let record = |n: usize| Produce {
        partition: i32::try_from(n % 2).expect("a partition"),
        key: Some(format!("k{n}").into_bytes()),
        value: Some(serde_json::to_vec_pretty(&value(n)).expect("JSON")),
        headers: Vec::new(),
        timestamp_ms: Some(TIME_MS),
    };
    let records: Vec<_> = (2 * from..2 * (from + count)).map(record).collect();
    topic.produce(&records);
}

/// The positions of the table in the folder `tables`, and nothing in it that DuckDB would read.
#[track_caller]
pub(crate) fn wait_positions(bucket: &Bucket, topic: &Topic, tables: &str, offset: i64) {
    let lake = bucket.lake.open();
    let table = lake.table(tables, &topic.name);
    let partitions = usize::try_from(topic.partitions).expect("a count");
    let all = Some(vec![offset; partitions]);
    wait_equal(PATIENCE, "the positions", all, || {
        let snapshot = Snapshot::load(&lake, &table, None).ok()??;
        assert_eq!(snapshot.files.len(), 0);
        let positions = snapshot.positions.values();
        Some(positions.map(|position| position.offset).collect())
    });
    invariants::check(&lake, &table).expect("the protocol's invariants");
}

/// `eddy verify` knows connectors by its file, so it gets one with the posted configuration.
#[track_caller]
pub(crate) fn verified(eddy: &Eddy, topic: &Topic, config: &Value, rows: u64) {
    let mut file = std::fs::read_to_string(eddy.config()).expect("a file");
    file.push_str(&format!("\n[connectors.\"{}\"]\n", topic.name));
    for (key, value) in config.as_object().expect("an object") {
        let text = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        file.push_str(&format!("\"{key}\" = {}\n", json!(text)));
    }
    let path = eddy.directory().join("verify.toml");
    std::fs::write(&path, file).expect("a file");
    let path = path.display().to_string();
    let arguments = ["--connector", &topic.name, "--json", "--config", &path];
    let verified = eddy.run(&[&["verify", &topic.name][..], &arguments].concat());
    let report = String::from_utf8_lossy(&verified.stdout);
    let errors = String::from_utf8_lossy(&verified.stderr);
    assert!(verified.status.success(), "{report}\n{errors}");
    let report: Value = serde_json::from_str(&report).expect("JSON");
    let partitions = report["partitions"].as_array().expect("partitions").iter();
    let found: u64 = partitions.filter_map(|one| one["rows"].as_u64()).sum();
    assert_eq!(found, rows, "{report}");
}

/// Every record is a line of exactly one object, in the order of its offset.
#[track_caller]
fn each_once(objects: &BTreeMap<String, String>, topic: &Topic, count: usize) {
    let mut seen = BTreeSet::new();
    for (key, text) in objects {
        assert!(text.ends_with('\n'), "`{key}`");
        let mut last = None;
        for line in text.lines() {
            let record: Value = serde_json::from_str(line).expect("JSON");
            let n = record["order"].as_u64().expect("a number") as usize;
            assert_eq!(line, value(n).to_string(), "as compact as can be");
            assert!(last.replace(n) < Some(n), "`{key}` is in order");
            assert!(seen.insert(n), "{n} is in `{key}` and elsewhere");
        }
    }
    let all: BTreeSet<usize> = (0..count).collect();
    assert_eq!(seen, all, "of {}", topic.name);
}

#[test]
fn confluents_json_survives_kills_with_each_record_in_one_object_of_its_name() {
    for point in ["after_upload:1:kill", "after_stored:1:kill"] {
        killed_at(point);
    }
}

/// It dies at the point; a stranger has a name that will be wanted.
#[track_caller]
fn killed_at(point: &str) {
    let (main, bucket) = (TestLake::local(), Bucket::new());
    let topic = Topic::create("public.orders", 2);
    let name = |partition: usize, start: usize| {
        let topic = &topic.name;
        format!("topics/{topic}/partition={partition}/{topic}+{partition}+{start:010}.json")
    };
    let taken = name(1, 2 * FLUSH);
    let stranger = json!({
        "bucket": bucket.name,
        "options": bucket.lake.options,
        "put": {(&taken): "a stranger's\n"},
    });
    python::run("flat.py", &stranger);
    let start = Start::on(&main).connect();
    let start = start.kafka("session.timeout.ms", "6000");
    let mut eddy = start.variable("EDDY_FAULT", point).ready();
    let flush = FLUSH.to_string();
    let config = post(&eddy, &bucket, &topic, GENERATED, &[("flush.size", &flush)]);
    produce(&topic, 0, 3 * FLUSH);
    wait_for(PATIENCE, "`eddy` dies", || eddy.exited());
    produce(&topic, 3 * FLUSH, 2 * FLUSH);
    eddy.restart();
    let end = 5 * FLUSH;
    wait_positions(&bucket, &topic, "topics", end as i64);
    let mut found = objects(&bucket);
    assert_eq!(
        found.remove(&taken).as_deref(),
        Some("a stranger's\n"),
        "P14"
    );
    each_once(&found, &topic, 2 * end);
    let suffixed = taken.replace(".json", "-");
    let wanted = (0..2).flat_map(|partition| (0..5).map(move |n| (partition, n * FLUSH)));
    for (partition, start) in wanted {
        let key = name(partition, start);
        let is_there = match key == taken {
            true => found.keys().any(|key| key.starts_with(&suffixed)),
            false => found.contains_key(&key),
        };
        assert!(is_there, "{point}: `{key}` of {:?}", found.keys());
    }
    assert_eq!(found.len(), 10, "{point}");
    verified(&eddy, &topic, &config, 2 * end as u64);
    let delete = format!("DELETE FROM \"{}\" WHERE _offset = 7", topic.name);
    let refused = eddy.http().try_sql(&delete).map(|_| ());
    let why = format!(
        "{:?}",
        refused.expect_err("nothing can be erased from objects")
    );
    assert!(why.contains("another format"), "{why}");
}

#[test]
fn confluents_gzip_lies_in_folders_of_a_fields_time() {
    let (main, bucket) = (TestLake::local(), Bucket::new());
    let topic = Topic::create("logtable0", 2);
    let eddy = Start::on(&main).connect().ready();
    let config = post(&eddy, &bucket, &topic, DAILY_GZIP, &[("flush.size", "10")]);
    produce(&topic, 0, 2 * FLUSH);
    wait_positions(&bucket, &topic, "logs", 2 * FLUSH as i64);
    let found = objects(&bucket);
    each_once(&found, &topic, 4 * FLUSH);
    let name = &topic.name;
    let folder = format!("logs/{name}/year=2026/month=11/day=24/{name}");
    let wanted = (0..2).flat_map(|partition| {
        [0, FLUSH].map(|start| format!("{folder}+{partition}+{start:010}.json.gz"))
    });
    let keys: BTreeSet<String> = found.into_keys().collect();
    assert_eq!(keys, wanted.collect());
    verified(&eddy, &topic, &config, 4 * FLUSH as u64);
}

#[test]
fn aivens_json_and_csv_are_as_its_sink_writes_them() {
    let (main, bucket) = (TestLake::local(), Bucket::new());
    let topic = Topic::create("aiven-json", 2);
    let eddy = Start::on(&main).connect().ready();
    let soon = ("offset.flush.interval.ms", "1000");
    let fields = ("format.output.fields", "key,value,offset,timestamp");
    let config = post(&eddy, &bucket, &topic, AIVEN_JSON, &[soon, fields]);
    produce(&topic, 0, FLUSH);
    wait_positions(&bucket, &topic, "_eddy/delta", FLUSH as i64);
    let found = objects(&bucket);
    let mut seen = BTreeSet::new();
    for (key, text) in &found {
        let start = key.rsplit('-').next().expect("an offset");
        let list: Vec<Value> = serde_json::from_str(text).expect("a list");
        assert_eq!(list[0]["offset"].to_string(), start, "`{key}`");
        for record in list {
            let n = record["value"]["order"].as_u64().expect("a number") as usize;
            let whole = json!({
                "offset": n / 2,
                "value": value(n),
                "key": format!("k{n}"),
                "timestamp": "2026-11-23T15:30:00Z",
            });
            assert_eq!(record, whole);
            assert!(seen.insert(n));
        }
    }
    assert_eq!(seen.len(), 2 * FLUSH);
    verified(&eddy, &topic, &config, 2 * FLUSH as u64);

    let topic = Topic::create("aiven-bytes", 2);
    let own = Bucket::new();
    let config = post(&eddy, &own, &topic, AIVEN_BYTES, &[soon]);
    produce(&topic, 0, FLUSH);
    wait_positions(&own, &topic, "_eddy/delta", FLUSH as i64);
    let lines: Vec<String> = objects(&own)
        .into_iter()
        .flat_map(|(key, text)| {
            assert!(key.ends_with(".gz"), "`{key}`");
            text.lines().map(str::to_owned).collect::<Vec<_>>()
        })
        .collect();
    let wanted: BTreeSet<String> = (0..2 * FLUSH)
        .map(|n| base64(&serde_json::to_vec_pretty(&value(n)).expect("JSON")))
        .collect();
    assert_eq!(lines.len(), 2 * FLUSH);
    assert_eq!(lines.into_iter().collect::<BTreeSet<_>>(), wanted);
    verified(&eddy, &topic, &config, 2 * FLUSH as u64);
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}
