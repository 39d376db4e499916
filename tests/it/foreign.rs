//! Another sink's configuration as it is: its bucket, its names, its rotations, and beside them a
//! Delta log that everybody reads.

mod codecs;

use std::collections::{BTreeMap, BTreeSet};

use eddy_engine::commit::invariants;
use eddy_engine::read::Snapshot;
use serde_json::{Value, json};

use crate::connect_rest::ask;
use crate::harness::kafka::{Produce, Topic};
use crate::harness::lake::TestLake;
use crate::harness::process::{Eddy, Start};
use crate::harness::python;
use crate::harness::wait::{PATIENCE, wait_equal, wait_for};
use crate::proof::wait_committed;
use crate::readers::agree;

/// A real one of Confluent's S3 sink, but for bucket, endpoint, keys, topic and `flush.size`.
const CLAIMS: &str = r#"{
  "name": "parquet-with-dead-letters-boolean",
  "config": {
    "connector.class": "io.confluent.connect.s3.S3SinkConnector",
    "topics": "claims",
    "s3.bucket.name": "claims-lake",
    "s3.region": "us-east-1",
    "flush.size": "1000",
    "storage.class": "io.confluent.connect.s3.storage.S3Storage",
    "format.class": "io.confluent.connect.s3.format.parquet.ParquetFormat",
    "errors.tolerance": "all",
    "errors.deadletterqueue.topic.name": "claims-s3-dlq",
    "errors.deadletterqueue.topic.replication.factor": "1",
    "errors.deadletterqueue.context.headers.enable": true
  }
}"#;

const FLUSH: usize = 10;
/// 2026-11-23T22:30:00Z.
const LATE_MS: i64 = 1_795_473_000_000;

/// A bucket that belongs to the connector alone.
pub(crate) struct Bucket {
    pub(crate) lake: TestLake,
    pub(crate) name: String,
}

impl Bucket {
    pub(crate) fn new() -> Self {
        let mut lake = TestLake::s3();
        let name = lake.url.trim_start_matches("s3://").replace("/lake", "");
        lake.url = format!("s3://{name}");
        Self { lake, name }
    }

    fn objects(&self, more: &Value) -> Value {
        let mut input = json!({"bucket": self.name, "options": self.lake.options});
        for (key, value) in more.as_object().expect("an object") {
            input[key] = value.clone();
        }
        python::run("objects.py", &input)
    }

    /// The rows of each data file, by its key.
    pub(crate) fn files(&self, strangers: &[&str]) -> BTreeMap<String, u64> {
        let seen = self.objects(&json!({"get": strangers}));
        let rows = seen["rows"].as_object().expect("an object");
        let rows = rows
            .iter()
            .map(|(key, rows)| (key.clone(), rows.as_u64().expect("a count")));
        rows.collect()
    }

    /// The configuration of [`CLAIMS`], adapted.
    pub(crate) fn keys(&self, topic: &Topic, more: &[(&str, &str)]) -> BTreeMap<String, String> {
        let document: Value = serde_json::from_str(CLAIMS).expect("JSON");
        let config = document["config"].as_object().expect("an object");
        let text = |value: &Value| {
            value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned)
        };
        let mut keys: BTreeMap<String, String> = config
            .iter()
            .map(|(key, value)| (key.clone(), text(value)))
            .collect();
        let option = |name: &str| self.lake.options[name].clone();
        let adapted = [
            ("topics", topic.name.clone()),
            ("s3.bucket.name", self.name.clone()),
            ("store.url", option("aws_endpoint")),
            ("aws.access.key.id", option("aws_access_key_id")),
            ("aws.secret.access.key", option("aws_secret_access_key")),
            ("flush.size", FLUSH.to_string()),
        ];
        keys.extend(adapted.map(|(key, value)| (key.to_owned(), value)));
        let more = more.iter();
        keys.extend(more.map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
        keys
    }

    /// A worker whose own lake is elsewhere, with these keys in its file.
    fn worker(&self, main: &TestLake, topic: &Topic, more: &[(&str, &str)]) -> Start {
        let keys = self.keys(topic, more);
        let keys: Vec<(&str, &str)> = keys
            .iter()
            .map(|(key, text)| (key.as_str(), text.as_str()))
            .collect();
        let start = Start::on(main).kafka("session.timeout.ms", "6000");
        start.connector(&topic.name, &keys)
    }
}

fn name(topic: &Topic, folder: &str, partition: usize, start: usize) -> String {
    let name = &topic.name;
    format!("topics/{name}/{folder}/{name}+{partition}+{start:010}.snappy.parquet")
}

/// So many records to each of two partitions.
fn records(count: usize, time_ms: impl Fn(usize) -> i64) -> Vec<Produce> {
    let record = |n: usize| {
        let region = ["eu", "us"][n / 2 % 2];
        Produce {
            partition: i32::try_from(n % 2).expect("a partition"),
            key: Some(n.to_string().into_bytes()),
            value: Some(
                json!({"order": n, "region": region})
                    .to_string()
                    .into_bytes(),
            ),
            headers: Vec::new(),
            timestamp_ms: Some(time_ms(n)),
        }
    };
    (0..2 * count).map(record).collect()
}

/// Broker, table and SQL agree on every offset, and the lake keeps the protocol's invariants.
#[track_caller]
fn there_once(eddy: &Eddy, bucket: &Bucket, topic: &Topic, produced: usize) {
    let count = |what: &str| format!("SELECT count({what}) AS n FROM \"{}\"", topic.name);
    wait_equal(
        PATIENCE,
        "the records in SQL",
        Some(produced as i64),
        || eddy.http().try_sql(&count("*")).ok()?.first()?["n"].as_i64(),
    );
    let distinct = format!(
        "SELECT count(*) AS n FROM (SELECT DISTINCT _partition, _offset FROM \"{}\")",
        topic.name
    );
    assert_eq!(eddy.http().number(&distinct), produced as i64);
    wait_committed(&bucket.lake, topic);
    verified(eddy, topic);
    let lake = bucket.lake.open();
    let table = lake.table("topics", &topic.name);
    invariants::check(&lake, &table).expect("the protocol's invariants");
}

#[track_caller]
fn verified(eddy: &Eddy, topic: &Topic) {
    let config = eddy.config().display().to_string();
    let arguments = ["--connector", &topic.name, "--config", &config];
    let verified = eddy.run(&[&["verify", &topic.name][..], &arguments].concat());
    let report = String::from_utf8_lossy(&verified.stdout);
    assert!(
        verified.status.success(),
        "`eddy verify` isn't clean: {report}"
    );
}

/// Whoever goes by folders alone sees what the log has, and nothing else.
#[track_caller]
fn as_in_the_log(bucket: &Bucket, topic: &Topic, strangers: &[&str]) {
    let lake = bucket.lake.open();
    let table = lake.table("topics", &topic.name);
    let snapshot = Snapshot::load(&lake, &table, None)
        .expect("a snapshot")
        .expect("a table");
    let logged = snapshot
        .files
        .iter()
        .map(|file| (format!("topics/{}/{}", topic.name, file.path), file.rows));
    assert_eq!(bucket.files(strangers), logged.collect());
}

#[test]
fn a_confluent_configuration_sinks_under_its_names_and_survives_a_kill_in_mid_commit() {
    let (main, bucket) = (TestLake::local(), Bucket::new());
    let topic = Topic::create("claims", 2);
    let default =
        |partition: usize, start| name(&topic, &format!("partition={partition}"), partition, start);
    // Years of files that no log knows; one has a name that will be wanted.
    let (taken, old) = (default(1, 20), format!("topics/{}/old.parquet", topic.name));
    let strangers = [taken.as_str(), old.as_str()];
    bucket.objects(&json!({"put": {(&taken): "a stranger's", (&old): "another's"}}));
    let worker = bucket.worker(&main, &topic, &[]);
    let mut eddy = worker.variable("EDDY_FAULT", "after_upload:1:kill").spawn();
    topic.produce(&records(3 * FLUSH, |_| LATE_MS));
    wait_for(PATIENCE, "`eddy` dies after its upload", || eddy.exited());
    topic.produce(&records(FLUSH, |_| LATE_MS));
    eddy.restart();
    there_once(&eddy, &bucket, &topic, 8 * FLUSH);

    let files = bucket.files(&strangers);
    let starts = (0..2).flat_map(|partition| (0..4).map(move |n| (partition, n * FLUSH)));
    let wanted: BTreeSet<String> = starts
        .map(|(partition, start)| default(partition, start))
        .collect();
    let suffixed = format!("{}-", taken.trim_end_matches(".snappy.parquet"));
    for key in &wanted {
        if *key == taken {
            assert!(
                files.keys().any(|file| file.starts_with(&suffixed)),
                "{files:?}"
            );
        } else {
            assert_eq!(
                files.get(key),
                Some(&(FLUSH as u64)),
                "`{key}` of {files:?}"
            );
        }
    }
    assert_eq!(files.len(), wanted.len());
    as_in_the_log(&bucket, &topic, &strangers);
    let seen = bucket.objects(&json!({"get": strangers}));
    let untouched = json!({(&taken): "a stranger's", (&old): "another's"});
    assert_eq!(seen["got"], untouched, "P14");
    agree(
        &eddy,
        &bucket.lake,
        &topic.name,
        &["order", "_offset", "_partition"],
    );

    let table = format!("\"{}\"", topic.name);
    let receipt = eddy
        .http()
        .sql(&format!("DELETE FROM {table} WHERE \"order\" = 7"));
    assert_eq!(receipt[0]["rows"], json!(2), "{receipt:?}");
    agree(&eddy, &bucket.lake, &topic.name, &["order", "_offset"]);
    verified(&eddy, &topic);
}

#[test]
fn files_lie_in_the_folders_of_time_and_field_that_the_sink_would_give_them() {
    let (main, bucket) = (TestLake::local(), Bucket::new());
    let topic = Topic::create("hours", 2);
    let hour = |n: usize| LATE_MS + i64::try_from(n / 2 % 2).expect("small") * 3_600_000;
    let by_time = [
        (
            "partitioner.class",
            "io.confluent.connect.storage.partitioner.TimeBasedPartitioner",
        ),
        ("path.format", "'year'=YYYY/'month'=MM/'day'=dd/'hour'=HH"),
        ("partition.duration.ms", "3600000"),
        ("locale", "ko_KR"),
        ("timezone", "Asia/Seoul"),
        ("timestamp.extractor", "Record"),
    ];
    let eddy = bucket.worker(&main, &topic, &by_time).ready();
    topic.produce(&records(2 * FLUSH, hour));
    there_once(&eddy, &bucket, &topic, 4 * FLUSH);
    // Of each rotation half the records are an hour later, the first of which is its second.
    let folders = ["07", "08"].map(|hour| format!("year=2026/month=11/day=24/hour={hour}"));
    let mut wanted = BTreeMap::new();
    for partition in 0..2 {
        for start in [0, FLUSH] {
            for (later, folder) in folders.iter().enumerate() {
                let key = name(&topic, folder, partition, start + later);
                wanted.insert(key, FLUSH as u64 / 2);
            }
        }
    }
    assert_eq!(bucket.files(&[]), wanted);
    agree(&eddy, &bucket.lake, &topic.name, &["order", "_offset"]);
    drop(eddy);

    let topic = Topic::create("regions", 2);
    let by_field = [
        (
            "partitioner.class",
            "io.confluent.connect.storage.partitioner.FieldPartitioner",
        ),
        ("partition.field.name", "region"),
    ];
    let eddy = bucket.worker(&main, &topic, &by_field).ready();
    topic.produce(&records(FLUSH, |_| LATE_MS));
    there_once(&eddy, &bucket, &topic, 2 * FLUSH);
    let files = bucket.files(&[]);
    for (first, region) in ["eu", "us"].iter().enumerate() {
        for partition in 0..2 {
            let key = name(&topic, &format!("region={region}"), partition, first);
            assert_eq!(
                files.get(&key),
                Some(&(FLUSH as u64 / 2)),
                "`{key}` of {files:?}"
            );
        }
    }
}

#[test]
fn the_json_that_another_worker_had_is_posted_and_runs_and_goes_on_after_a_kill() {
    let (main, bucket) = (TestLake::local(), Bucket::new());
    let topic = Topic::create("posted", 2);
    let secret = bucket.lake.options["aws_secret_access_key"].clone();
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("secret");
    std::fs::write(&file, secret).expect("a file");
    let reference = format!("${{file:{}}}", file.display());
    let by_reference = ("aws.secret.access.key", reference.as_str());
    let mut eddy = Start::on(&main).connect().ready();
    let config = bucket.keys(&topic, &[by_reference, ("topics", &topic.name)]);
    let request = json!({"name": topic.name, "config": config});
    assert_eq!(ask(&eddy, "POST", "/connectors", Some(&request)).0, 201);
    topic.produce(&records(2 * FLUSH, |_| LATE_MS));
    let in_sql = |eddy: &Eddy, rows: usize| {
        let count = format!("SELECT count(*) AS n FROM \"{}\"", topic.name);
        let seen = || eddy.http().try_sql(&count).ok()?.first()?["n"].as_i64();
        wait_equal(PATIENCE, "the records in SQL", Some(rows as i64), seen);
    };
    in_sql(&eddy, 4 * FLUSH);
    eddy.kill();
    topic.produce(&records(FLUSH, |_| LATE_MS));
    eddy.restart();
    in_sql(&eddy, 6 * FLUSH);
    wait_committed(&bucket.lake, &topic);
    let starts = (0..2).flat_map(|partition| (0..3).map(move |n| (partition, n * FLUSH)));
    let wanted = starts.map(|(partition, start)| {
        let folder = format!("partition={partition}");
        (name(&topic, &folder, partition, start), FLUSH as u64)
    });
    assert_eq!(bucket.files(&[]), wanted.collect());
    let shown = ask(
        &eddy,
        "GET",
        &format!("/connectors/{}/config", topic.name),
        None,
    )
    .1;
    assert_eq!(shown["aws.secret.access.key"], json!(by_reference.1));
    let place = format!("/connectors/{}/offsets", topic.name);
    let offsets = ask(&eddy, "GET", &place, None).1;
    let all = offsets["offsets"].as_array().expect("offsets");
    let at = |one: &Value| one["offset"]["kafka_offset"].as_i64();
    assert_eq!(
        all.iter().filter_map(at).sum::<i64>(),
        6 * FLUSH as i64,
        "{offsets}"
    );
}

#[test]
fn what_another_sink_can_do_and_eddy_cannot_yet_is_refused_by_name() {
    let (main, bucket) = (TestLake::local(), Bucket::new());
    let topic = Topic::create("lzo", 1);
    let lzo = ("parquet.codec", "lzo");
    let mut eddy = bucket.worker(&main, &topic, &[lzo]).spawn();
    assert!(!eddy.wait_exit(PATIENCE).success());
    eddy.wait_log(PATIENCE, "Eddy doesn't do");
    assert!(eddy.log().contains("parquet.codec"), "{}", eddy.log());
}
