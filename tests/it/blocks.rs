//! Blocks of files on S3 in memory and on a local disk: the same answers as without, and the second
//! time nothing is read from S3.

use serde_json::{Value, json};

use crate::harness::kafka::Topic;
use crate::harness::lake::TestLake;
use crate::harness::process::{Eddy, Start};
use crate::proof::{every_record_is_there_once, orders, wait_committed};

const RECORDS: usize = 2_000;

#[test]
fn blocks_of_files_on_s3_are_read_once_and_change_no_answer() {
    let lake = TestLake::s3();
    let topic = Topic::create("blocks", 2);
    let writing = Start::on(&lake)
        .connector(
            &topic.name,
            &[
                ("topics", topic.name.as_str()),
                ("flush.interval.ms", "200"),
            ],
        )
        .ready();
    topic.produce_values(&orders(0..RECORDS));
    wait_committed(&lake, &topic);
    every_record_is_there_once(&writing, &lake, &topic, RECORDS);
    drop(writing);

    let on_disk = "[query.cache]\nmemory = \"4MiB\"\ndisk = \"64MiB\"\ndirectory = \"blocks\"\n";
    let with = Start::on(&lake).toml(on_disk).ready();
    let without = Start::on(&lake)
        .toml("[query.cache]\nmemory = \"0\"\n")
        .ready();
    for sql in [
        "SELECT * FROM {} ORDER BY _partition, _offset",
        "SELECT count(*) AS n, max(_value_text) AS m FROM {}",
    ] {
        let sql = sql.replace("{}", &format!("\"{}\"", topic.name));
        let answer = without.http().sql(&sql);
        assert_eq!(with.http().sql(&sql), answer, "{sql}");
        assert_eq!(with.http().sql(&sql), answer, "{sql}");
        let read = reads(&with, &sql);
        assert_eq!(read["bytes"], json!(0), "{read}");
        assert!(read["cache_bytes"].as_u64() > Some(0), "{read}");
        let read = reads(&without, &sql);
        assert!(read["bytes"].as_u64() > Some(0), "{read}");
        assert_eq!(read["cache_bytes"], json!(0), "{read}");
    }
    let metrics = with.http().get("/metrics").expect("a scrape");
    let metrics = metrics.as_str().expect("text");
    for from in ["memory", "store"] {
        let counter = format!("eddy_query_cache_bytes_total{{from=\"{from}\"}}");
        assert!(metrics.contains(&counter), "{counter}");
    }
    let folder = with.directory().join("blocks");
    let files = std::fs::read_dir(folder).expect("the folder").count();
    assert_eq!(files, 0, "what is on disk has no name");
}

/// What the last query of this text read.
fn reads(eddy: &Eddy, sql: &str) -> Value {
    let listed = eddy.http().get("/api/v1/queries").expect("the queries");
    let listed = listed["queries"].as_array().expect("a list");
    let query = listed.iter().find(|query| query["sql"] == json!(sql));
    query.expect("the query is listed")["reads"].clone()
}
