//! The harness against the real services: what the other tests take for granted.

use serde_json::json;

use crate::harness::kafka::{Produce, Topic};
use crate::harness::lake::TestLake;
use crate::harness::proxy::Proxy;
use crate::harness::services::{PrivateS3, services};
use crate::harness::wait::{PATIENCE, wait_until};
use crate::harness::{http::Http, python};

#[test]
fn records_come_back_from_the_broker_as_produced() {
    let topic = Topic::create("harness", 3);
    let headers = vec![
        ("a".to_owned(), Some(vec![0xff, 0x00])),
        ("a".to_owned(), None),
        ("b".to_owned(), Some(Vec::new())),
    ];
    let records = [
        Produce {
            partition: 2,
            key: Some(Vec::new()),
            value: None,
            headers: headers.clone(),
            timestamp_ms: Some(1),
        },
        Produce {
            partition: 0,
            key: None,
            value: Some(b"{}".to_vec()),
            headers: Vec::new(),
            timestamp_ms: Some(1_700_000_000_000),
        },
    ];
    assert_eq!(topic.produce(&records), [(2, 0), (0, 0)]);
    let stored = topic.consume();
    assert_eq!(stored.len(), 2);
    assert_eq!(stored[1].key.as_deref(), Some(&[][..]));
    assert_eq!(stored[1].value, None);
    assert_eq!(stored[1].headers, headers);
    assert_eq!(stored[1].timestamp_ms, Some(1));
    assert_eq!(stored[0].key, None);
}

#[test]
fn aborted_transactions_are_only_seen_uncommitted() {
    let topic = Topic::create("harness", 1);
    let record = Produce {
        value: Some(b"x".to_vec()),
        ..Produce::default()
    };
    topic.produce_transaction(std::slice::from_ref(&record), true);
    topic.produce_transaction(&[record], false);
    assert_eq!(topic.consume().len(), 1);
    assert_eq!(topic.consume_uncommitted().len(), 2);
    // Each transaction ends with a control record, which has an offset too.
    assert_eq!(topic.watermarks()[&0], (0, 4));
}

#[test]
fn a_topic_of_the_same_name_starts_anew_after_its_deletion() {
    let topic = Topic::create("harness", 1);
    topic.produce_values(&["1", "2"]);
    topic.delete();
    let again = Topic::named(&topic.name, 2, &[]);
    assert_eq!(again.consume(), []);
    assert_eq!(again.watermarks().len(), 2);
}

#[test]
fn every_lake_reader_reads_both_stores() {
    for lake in [TestLake::local(), TestLake::s3()] {
        let mut input = lake.python("harness");
        input["sum"] = json!(["a", "missing"]);
        python::run("write_table.py", &input);
        let seen = python::run("readers.py", &input);
        for reader in ["duckdb_delta", "duckdb_parquet", "deltalake", "polars"] {
            let (rows, sum) = (&seen[reader]["rows"], &seen[reader]["sum"]);
            let expected = (&json!(3), &json!({"a": 6, "missing": null}));
            assert_eq!((rows, sum), expected, "{reader} on {}", lake.url);
        }
    }
}

#[test]
fn each_broken_invariant_is_found() {
    let cases = python::run("invariants_self_test.py", &json!(null));
    assert!(cases.as_u64() > Some(10));
}

#[test]
fn a_killed_s3_server_comes_back_with_its_data() {
    let private = PrivateS3::start();
    let lake = TestLake::on(&private.s3);
    let input = lake.python("harness");
    python::run("write_table.py", &input);
    private.kill();
    assert_eq!(Http::new(&private.s3.endpoint).status("/health"), None);
    private.restart();
    assert_eq!(python::run("readers.py", &input)["deltalake"]["rows"], 3);
}

#[test]
fn a_proxy_loses_answers_keeps_requests_and_refuses() {
    let proxy = Proxy::before(&services().s3.endpoint);
    let through = Http::new(&proxy.endpoint());
    assert_eq!(through.status("/health"), Some(200));
    proxy.lose_answers("GET /*health", 1);
    // The client may try once more by itself on a connection that it had kept open.
    wait_until(PATIENCE, "an answer is lost", || {
        through.status("/health");
        proxy.lost() == 1
    });
    assert_eq!(through.status("/health"), Some(200));
    proxy.hold_requests("GET /*health", 1);
    wait_until(PATIENCE, "a request is kept", || {
        through.status("/health");
        proxy.held() == 1
    });
    assert_eq!(proxy.deliver(), ["HTTP/1.1 200 OK"]);
    proxy.refuse(true);
    assert_eq!(through.status("/health"), None);
    proxy.refuse(false);
    assert_eq!(through.status("/health"), Some(200));
}
