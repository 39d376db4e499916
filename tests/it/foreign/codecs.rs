//! Keys of the other S3 sinks that change files or rows: each codec, and tombstones.

use super::{Bucket, FLUSH, LATE_MS, name, records, there_once, verified};
use crate::harness::kafka::{Produce, Topic};
use crate::harness::lake::TestLake;
use crate::harness::wait::{PATIENCE, wait_equal};
use crate::proof::wait_committed;
use crate::readers::agree;

/// What `parquet.codec` takes, and how names end then.
const CODECS: [(&str, &str); 6] = [
    ("gzip", ".gz.parquet"),
    ("brotli", ".br.parquet"),
    ("lz4", ".lz4.parquet"),
    ("lz4_raw", ".lz4raw.parquet"),
    ("zstd", ".zstd.parquet"),
    ("none", ".parquet"),
];

#[test]
fn every_codec_has_its_ending_and_is_read_by_everybody() {
    let (main, bucket) = (TestLake::local(), Bucket::new());
    let topics = CODECS.map(|(codec, _)| Topic::create(codec, 2));
    let mut start = bucket.worker(&main, &topics[0], &[("parquet.codec", CODECS[0].0)]);
    for (topic, (codec, _)) in topics.iter().zip(CODECS).skip(1) {
        let keys = bucket.keys(topic, &[("parquet.codec", codec)]);
        let keys: Vec<(&str, &str)> = keys
            .iter()
            .map(|(key, text)| (key.as_str(), text.as_str()))
            .collect();
        start = start.connector(&topic.name, &keys);
    }
    let eddy = start.ready();
    for topic in &topics {
        topic.produce(&records(FLUSH, |_| LATE_MS));
    }
    for (topic, (_, ending)) in topics.iter().zip(CODECS) {
        there_once(&eddy, &bucket, topic, 2 * FLUSH);
        let usual = name(topic, "partition=0", 0, 0);
        let wanted = usual.replace(".snappy.parquet", ending);
        let files = bucket.files(&[]);
        assert_eq!(files.get(&wanted), Some(&(FLUSH as u64)), "{files:?}");
        agree(&eddy, &bucket.lake, &topic.name, &["order", "_offset"]);
    }
}

#[test]
fn an_ignored_tombstone_is_no_row_and_accounted_for_all_the_same() {
    let (main, bucket) = (TestLake::local(), Bucket::new());
    let topic = Topic::create("nulls", 2);
    let eddy = bucket
        .worker(
            &main,
            &topic,
            &[
                ("behavior.on.null.values", "ignore"),
                ("report.null.values.to.dlq", "false"),
            ],
        )
        .ready();
    let mut all = records(FLUSH, |_| LATE_MS);
    let tombstone = Produce {
        key: Some(b"gone".to_vec()),
        value: None,
        ..Produce::default()
    };
    all.insert(4, tombstone);
    topic.produce(&all);
    let name = &topic.name;
    let rows = format!("SELECT count(*) AS n FROM \"{name}\" WHERE _value IS NOT NULL");
    wait_equal(PATIENCE, "the rows", Some(2 * FLUSH as i64), || {
        eddy.http().try_sql(&rows).ok()?.first()?["n"].as_i64()
    });
    let all = format!("SELECT count(*) AS n FROM \"{name}\"");
    assert_eq!(eddy.http().number(&all), 2 * FLUSH as i64);
    wait_committed(&bucket.lake, &topic);
    verified(&eddy, &topic);
}
