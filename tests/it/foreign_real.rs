//! Real configurations of the other sinks that no other test posts: unchanged but for bucket,
//! endpoint, keys and topic, and `flush.size` where a test can't wait for it. Their objects have
//! the names that those sinks' documentation gives to the same records.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::connect_rest::ask;
use crate::foreign::Bucket;
use crate::foreign_formats::{TIME_MS, objects, post, value, wait_positions};
use crate::harness::kafka::{Produce, Topic};
use crate::harness::lake::TestLake;
use crate::harness::process::Start;
use crate::harness::python;

/// A configuration, and what comes of it.
struct Case {
    /// The topic that it had.
    topic: &'static str,
    config: &'static str,
    /// The size that the test waits for.
    flush: usize,
    /// Its folders, below which lies one of the topic.
    dir: &'static str,
    /// The folder that the records' own time gives, or what a clock says: a zone, a pattern of
    /// Python's, and to how many seconds its time is rounded down.
    folder: Result<&'static str, (&'static str, &'static str, u32)>,
    extension: &'static str,
}

const CASES: [Case; 5] = [
    Case {
        topic: "test-jdbc-Customers",
        config: r#"{
            "tasks.max": 1,
            "connector.class": "io.confluent.connect.s3.S3SinkConnector",
            "storage.class": "io.confluent.connect.s3.storage.S3Storage",
            "format.class": "io.confluent.connect.s3.format.json.JsonFormat",
            "partitioner.class": "io.confluent.connect.storage.partitioner.TimeBasedPartitioner",
            "path.format": "'year'=YYYY/'month'=MM/'day'=dd/'hour'=HH",
            "partition.duration.ms": "3600000",
            "flush.size": 1,
            "rotate.interval.ms": "3600000",
            "s3.region": "ap-northeast-2",
            "s3.bucket.name": "seoul",
            "topics.dir": "landing",
            "locale": "ko_KR",
            "timezone": "Asia/Seoul",
            "timestamp.extractor": "RecordField",
            "timestamp.field": "RegDate"
        }"#,
        flush: 1,
        dir: "landing",
        folder: Ok("year=2026/month=11/day=24/hour=00"),
        extension: ".json",
    },
    Case {
        topic: "ad-events",
        config: r#"{
            "topics.dir": "ads",
            "tasks.max": "1",
            "connector.class": "io.confluent.connect.s3.S3SinkConnector",
            "flush.size": "200000",
            "partition.duration.ms": "300000",
            "rotate.interval.ms": "60000",
            "partitioner.class": "io.confluent.connect.storage.partitioner.TimeBasedPartitioner",
            "path.format": "'year'=YYYY/'month'=MM/'day'=dd/'hour'=HH/'minute'=mm",
            "locale": "en",
            "timezone": "UTC",
            "timestamp.extractor": "Wallclock",
            "storage.class": "io.confluent.connect.s3.storage.S3Storage",
            "format.class": "io.confluent.connect.s3.format.json.JsonFormat",
            "schema.compatibility": "NONE",
            "s3.region": "us-east-1",
            "s3.bucket.name": "ads"
        }"#,
        // A record an object: none waits for others when the folder changes after five minutes.
        flush: 1,
        dir: "ads",
        folder: Err(("UTC", "year=%Y/month=%m/day=%d/hour=%H/minute=%M", 300)),
        extension: ".json",
    },
    Case {
        topic: "msk",
        config: r#"{
            "connector.class": "io.confluent.connect.s3.S3SinkConnector",
            "s3.region": "eu-west-1",
            "flush.size": "5",
            "schema.compatibility": "NONE",
            "tasks.max": "4",
            "topics.regex": "^(?!.*amazon_msk).*",
            "format.class": "io.confluent.connect.s3.format.json.JsonFormat",
            "partitioner.class": "io.confluent.connect.storage.partitioner.HourlyPartitioner",
            "storage.class": "io.confluent.connect.s3.storage.S3Storage",
            "key.converter": "org.apache.kafka.connect.storage.StringConverter",
            "s3.bucket.name": "events",
            "topics.dir": "raw",
            "locale": "en",
            "timezone": "UTC",
            "behavior.on.null.values": "ignore"
        }"#,
        flush: 5,
        dir: "raw",
        folder: Err(("UTC", "year=%Y/month=%m/day=%d/hour=%H", 3600)),
        extension: ".json",
    },
    Case {
        topic: "pub.ecomm.customer.state.v1",
        config: r#"{
            "connector.class": "io.confluent.connect.s3.S3SinkConnector",
            "partitioner.class": "io.confluent.connect.storage.partitioner.HourlyPartitioner",
            "partition.duration.ms": "300000",
            "flush.size": "200",
            "rotate.schedule.interval.ms": "20000",
            "tasks.max": "1",
            "timezone": "Europe/Zurich",
            "locale": "en",
            "schema.generator.class":
                "io.confluent.connect.storage.hive.schema.DefaultSchemaGenerator",
            "storage.class": "io.confluent.connect.s3.storage.S3Storage",
            "format.class": "io.confluent.connect.s3.format.avro.AvroFormat",
            "s3.region": "us-east-1",
            "s3.bucket.name": "customer-bucket",
            "topics.dir": "refined/customer.state.v1",
            "s3.part.size": "5242880",
            "store.url": "http://127.0.0.1:9000",
            "key.converter": "org.apache.kafka.connect.storage.StringConverter"
        }"#,
        flush: 10,
        dir: "refined/customer.state.v1",
        folder: Err(("Europe/Zurich", "year=%Y/month=%m/day=%d/hour=%H", 3600)),
        extension: ".avro",
    },
    Case {
        topic: "flow",
        config: r#"{
            "connector.class": "io.confluent.connect.s3.S3SinkConnector",
            "s3.region": "ap-southeast-1",
            "s3.bucket.name": "flow",
            "storage.class": "io.confluent.connect.s3.storage.S3Storage",
            "format.class": "io.confluent.connect.s3.format.avro.AvroFormat",
            "partitioner.class": "io.confluent.connect.storage.partitioner.TimeBasedPartitioner",
            "path.format": "'year'=YYYY/'month'=MM/'day'=dd/'hour'=HH",
            "partition.duration.ms": "3000",
            "locale": "en-US",
            "timezone": "UTC",
            "timestamp.extractor": "Wallclock",
            "flush.size": "10"
        }"#,
        flush: 10,
        dir: "topics",
        folder: Err(("UTC", "year=%Y/month=%m/day=%d/hour=%H", 3)),
        extension: ".avro",
    },
];

/// A partitioner that is in no library of Connect's or its sinks'.
const THIRD_PARTY: &str = r#"{
    "topics": "events",
    "connector.class": "io.confluent.connect.s3.S3SinkConnector",
    "tasks.max": 4,
    "flush.size": 100,
    "rotate.schedule.interval.ms": "-1",
    "rotate.interval.ms": "-1",
    "s3.region": "eu-west-1",
    "s3.bucket.name": "raw",
    "s3.compression.type": "gzip",
    "topics.dir": "topics",
    "storage.class": "io.confluent.connect.s3.storage.S3Storage",
    "partitioner.class": "com.canelmas.kafka.connect.TimeAndFieldBasedPartitioner",
    "partition.duration.ms": "3600000",
    "path.format": "YYYY-MM-dd",
    "locale": "US",
    "timezone": "UTC",
    "schema.compatibility": "NONE",
    "format.class": "io.confluent.connect.s3.format.json.JsonFormat",
    "timestamp.extractor": "Record",
    "partition.field": "appId"
}"#;

/// What the clocks of the cases say now.
fn clocks() -> Vec<String> {
    let asked = CASES.iter().filter_map(|case| case.folder.err());
    let asked: Vec<Value> = asked.map(|clock| json!(clock)).collect();
    let texts = python::run("clock.py", &json!(asked));
    serde_json::from_value(texts).expect("texts")
}

/// Two objects in each of two partitions.
fn produce(topic: &Topic, flush: usize) {
    let record = |n: usize| Produce {
        partition: i32::try_from(n % 2).expect("a partition"),
        key: Some(format!("k{n}").into_bytes()),
        value: Some(value(n).to_string().into_bytes()),
        headers: Vec::new(),
        timestamp_ms: Some(TIME_MS),
    };
    topic.produce(&(0..4 * flush).map(record).collect::<Vec<_>>());
}

#[test]
fn real_configurations_as_they_are_give_the_names_that_their_sink_documents() {
    let main = TestLake::local();
    let eddy = Start::on(&main).connect().ready();
    let topics = CASES.map(|case| (case.topic, Bucket::new(), Topic::create(case.topic, 2)));
    let before = clocks();
    for (case, (_, bucket, topic)) in CASES.iter().zip(&topics) {
        let flush = case.flush.to_string();
        post(&eddy, bucket, topic, case.config, &[("flush.size", &flush)]);
        produce(topic, case.flush);
    }
    let mut found = Vec::new();
    for (case, (_, bucket, topic)) in CASES.iter().zip(&topics) {
        wait_positions(bucket, topic, case.dir, 2 * case.flush as i64);
        found.push(objects(bucket));
    }
    let mut clocks = before.into_iter().zip(clocks());
    for ((case, (_, _, topic)), found) in CASES.iter().zip(&topics).zip(found) {
        // Folders of the clock's time: those of the first moment, or of the last.
        let (first, last) = match case.folder {
            Ok(folder) => (folder.to_owned(), folder.to_owned()),
            Err(_) => clocks.next().expect("a clock"),
        };
        let mut records = BTreeSet::new();
        for (key, text) in &found {
            let name = &topic.name;
            let fits = [&first, &last].iter().any(|folder| {
                let stem = format!("{}/{name}/{folder}/{name}+", case.dir);
                key.starts_with(&stem) && key.ends_with(case.extension)
            });
            assert!(fits, "`{key}`, not {first} or {last}");
            let mut names = key.trim_end_matches(case.extension).rsplit('+');
            let start: usize = names.next().expect("an offset").parse().expect("a number");
            let partition: usize = names.next().expect("it").parse().expect("a number");
            assert!(key.contains(&format!("+{start:010}.")), "`{key}`");
            for (at, line) in text.lines().enumerate() {
                let record: Value = serde_json::from_str(line).expect("JSON");
                let n = 2 * (start + at) + partition;
                assert_eq!(record, value(n), "`{key}`");
                assert!(records.insert(n), "{n} is in `{key}` and elsewhere");
            }
        }
        assert_eq!(records, (0..4 * case.flush).collect(), "{}", case.topic);
        let starts = found.keys().filter(|key| key.contains("+0000000000."));
        assert_eq!(starts.count(), 2, "{:?}", found.keys());
    }
}

#[test]
fn a_partitioner_that_nobody_has_is_refused_by_its_key() {
    let main = TestLake::local();
    let eddy = Start::on(&main).connect().ready();
    let config: Value = serde_json::from_str(THIRD_PARTY).expect("JSON");
    let request = json!({"name": "third-party", "config": config});
    let (status, answer) = ask(&eddy, "POST", "/connectors", Some(&request));
    assert_eq!(status, 400, "{answer}");
    let message = answer["message"].as_str().expect("a message");
    assert!(
        message.contains("configuration partitioner.class"),
        "{message}"
    );
}
