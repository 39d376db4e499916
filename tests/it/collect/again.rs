//! What comes again counts once, also when the collector died in between: over HTTP with an
//! `Idempotency-Key`, over gRPC as it is.

use std::collections::BTreeSet;

use super::grpc::client::{Client, kafka};
use super::sender::Sender;
use super::{TOKEN, collector, header, start};
use crate::harness::kafka::{Stored, Topic};
use crate::harness::lake::TestLake;
use crate::harness::wait::PATIENCE;
use crate::proof::every_record_is_there_once;

const NDJSON: (&str, &str) = ("Content-Type", "application/x-ndjson");

/// The ids of the records, of which each has one of its own.
fn ids(stored: &[Stored]) -> BTreeSet<Vec<u8>> {
    let ids = stored.iter().filter_map(|record| header(record, "eddy-id"));
    let ids: BTreeSet<Vec<u8>> = ids.map(<[u8]>::to_vec).collect();
    assert_eq!(ids.len(), stored.len(), "each record has its own id");
    ids
}

#[test]
fn a_request_whose_collector_died_before_its_answer_counts_once_when_it_comes_again() {
    let lake = TestLake::s3();
    let topic = Topic::create("died", 3);
    let (start, sender) = collector(&lake, &topic.name, "");
    let settings = [
        ("topics", topic.name.as_str()),
        ("flush.interval.ms", "200"),
    ];
    let mut eddy = start
        .connector(&topic.name, &settings)
        .variable("EDDY_FAULT", "after_acknowledged:2:kill")
        .ready();
    let send = |key: &str, body: &str| {
        let headers = [("Idempotency-Key", key), NDJSON];
        sender.send(&headers, body.as_bytes()).status
    };
    let bodies = [
        ("a", "{\"n\":1}\n{\"n\":2}\n"),
        ("b", "{\"n\":3}\n{\"n\":4}\n{\"n\":5}\n"),
    ];
    assert_eq!(send(bodies[0].0, bodies[0].1), 200);
    assert_eq!(send(bodies[1].0, bodies[1].1), 0, "there is no answer");
    eddy.wait_exit(PATIENCE);
    eddy.restart_with("EDDY_COLLECTION_TOKEN", TOKEN);
    for (key, body) in bodies {
        assert_eq!(send(key, body), 200);
    }
    assert_eq!(send("c", "{\"n\":6}\n"), 200, "others are taken");
    let stored = topic.consume();
    assert_eq!(stored.len(), 6);
    assert_eq!(ids(&stored).len(), 6);
    every_record_is_there_once(&eddy, &lake, &topic, 6);
    let sql = format!("SELECT count(DISTINCT n) AS n FROM \"{}\"", topic.name);
    assert_eq!(eddy.http().number(&sql), 6);
}

#[test]
fn a_batch_whose_collector_died_before_its_answer_counts_once_when_it_comes_again() {
    let lake = TestLake::local();
    let topic = Topic::create("died_calls", 3);
    let (settings, client) = Client::configured("");
    let client = client.with_token(TOKEN);
    let mut eddy = start(&lake, &topic.name, &settings)
        .variable("EDDY_FAULT", "after_acknowledged:1:kill")
        .ready();
    let batch = || (1..=100).map(|offset| kafka("orders", offset, "k", b"v"));
    let died = client.add("AddKafkaRecord", batch().collect());
    assert!(died.is_err(), "there is no answer");
    eddy.wait_exit(PATIENCE);
    eddy.restart_with("EDDY_COLLECTION_TOKEN", TOKEN);
    // By another connection, half of them with others.
    let client = client.apart();
    let more = batch().skip(50).chain([kafka("orders", 101, "k", b"v")]);
    let added = client.add("AddKafkaRecord", more.collect());
    assert_eq!(added.expect("it is taken"), 51);
    let added = client.add("AddKafkaRecord", batch().collect());
    assert_eq!(added.expect("it is taken"), 100);
    let stored = topic.consume();
    assert_eq!(stored.len(), 101);
    assert_eq!(ids(&stored).len(), 101);
}

#[test]
fn collections_of_one_topic_are_told_apart_before_a_restart_and_after_it() {
    const OTHER: &str = "another-token-of-the-file-0123456789";
    let lake = TestLake::local();
    let topic = Topic::create("apart", 2);
    let (start, sender) = collector(&lake, &topic.name, "");
    let other = format!(
        "[collections.others]\ntopic = \"{}\"\ntoken = \"{OTHER}\"\n",
        topic.name
    );
    let mut eddy = start.toml(&other).ready();
    let both = |key: &str| {
        for token in [TOKEN, OTHER] {
            let sender: Sender = sender.with_token(token);
            let headers = [("Idempotency-Key", key), NDJSON];
            assert_eq!(sender.send(&headers, b"1\n2\n").status, 200);
        }
        topic.consume().len()
    };
    assert_eq!(both("a"), 4);
    assert_eq!(both("a"), 4);
    assert_eq!(both("b"), 8);
    eddy.restart_with("EDDY_COLLECTION_TOKEN", TOKEN);
    for key in ["a", "b"] {
        assert_eq!(both(key), 8, "{key}");
    }
    assert_eq!(both("c"), 12);
}

#[test]
fn what_a_bound_leaves_out_is_the_oldest() {
    let lake = TestLake::local();
    let topic = Topic::create("bounded", 1);
    let (start, sender) = collector(&lake, &topic.name, "records_max = 20");
    let mut eddy = start.ready();
    let send = |key: usize| {
        let key = key.to_string();
        let headers = [("Idempotency-Key", key.as_str())];
        assert_eq!(sender.send(&headers, b"1").status, 200);
    };
    for key in 0..40 {
        send(key);
    }
    eddy.restart_with("EDDY_COLLECTION_TOKEN", TOKEN);
    // Half as many come back, less the one that would push them out.
    for key in 31..40 {
        send(key);
    }
    assert_eq!(topic.consume().len(), 40);
    send(0);
    assert_eq!(topic.consume().len(), 41);
}

#[test]
fn events_that_are_there_stay_one_each_though_another_of_their_request_never_fits() {
    let lake = TestLake::local();
    let name = crate::harness::unique("unfit");
    let topic = Topic::named(&name, 1, &[("max.message.bytes", "1048588")]);
    let (start, sender) = collector(&lake, &topic.name, "");
    let _eddy = start.ready();
    // Nothing that compresses.
    let giant: String = (0..160_000_u64)
        .map(|n| format!("{:x}", n.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
        .collect();
    let body = format!("1\n{giant}\n2\n");
    for _ in 0..2 {
        let refused = sender.send(&[("Idempotency-Key", "k"), NDJSON], body.as_bytes());
        assert_eq!(refused.status, 413, "{refused:?}");
    }
    let values = topic
        .consume()
        .into_iter()
        .filter_map(|record| record.value);
    assert_eq!(values.collect::<Vec<_>>(), [b"1", b"2"]);
}

#[test]
fn what_two_collectors_took_at_once_has_one_id_by_which_sql_leaves_it_out() {
    let (lake, other_lake) = (TestLake::local(), TestLake::local());
    let topic = Topic::create("doubled", 1);
    let (start, sender) = collector(&lake, &topic.name, "");
    let settings = [
        ("topics", topic.name.as_str()),
        ("flush.interval.ms", "200"),
    ];
    let eddy = start.connector(&topic.name, &settings).ready();
    let (start, other) = collector(&other_lake, &topic.name, "");
    let mut second = start.ready();
    let send = |sender: &Sender, key: &str| {
        let headers = [("Idempotency-Key", key)];
        assert_eq!(sender.send(&headers, b"{}").status, 200);
    };
    // Each of them knows what there was before its first event.
    send(&sender, "a");
    send(&other, "a");
    assert_eq!(topic.consume().len(), 1);
    send(&sender, "b");
    send(&other, "b");
    // And what there was before it was started again.
    second.restart_with("EDDY_COLLECTION_TOKEN", TOKEN);
    send(&other, "b");
    assert_eq!(topic.consume().len(), 3);
    assert_eq!(sender.send(&[], b"{}").status, 200);
    assert_eq!(sender.send(&[], b"{}").status, 200);
    every_record_is_there_once(&eddy, &lake, &topic, 5);
    let sql = format!(
        "SELECT count(*) AS n FROM (SELECT DISTINCT ON (CASE _headers[-1]['key'] WHEN 'eddy-id' \
         THEN encode(_headers[-1]['value'], 'hex') ELSE concat(_partition, '/', _offset) END) * \
         FROM \"{}\")",
        topic.name
    );
    assert_eq!(eddy.http().number(&sql), 4);
}
