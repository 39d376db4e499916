//! Records of other buses come in over gRPC, as `plumber relay` sends them: each once, with what
//! its bus says of it, however often and by however many connections it comes.

pub mod client;
mod failing;
mod python;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use prost_reflect::{DynamicMessage, Value};
use serde_json::json;
use tonic::Code;

use super::{TOKEN, header, start};
use crate::harness::kafka::{Stored, Topic};
use crate::harness::lake::TestLake;
use crate::harness::process::Start;
use crate::proof::every_record_is_there_once;
use client::{Client, bytes, filled, kafka, text};

/// A process with a collection for this topic, and whoever sends to it.
fn collector(lake: &TestLake, topic: &str, settings: &str) -> (Start, Client) {
    let (settings, client) = Client::configured(settings);
    (start(lake, topic, &settings), client.with_token(TOKEN))
}

/// The value of each method's record, by the field that has it.
const VALUES: [(&str, &str); 14] = [
    ("AddRecord", "body"),
    ("AddAMQPRecord", "body"),
    ("AddKafkaRecord", "value"),
    ("AddSQSRecord", "body"),
    ("AddAzureRecord", "data"),
    ("AddGCPRecord", "data"),
    ("AddRedisRecord", "payload"),
    ("AddRedisStreamsRecord", "value"),
    ("AddMQTTRecord", "value"),
    ("AddNSQRecord", "value"),
    ("AddKubeMQRecord", "value"),
    ("AddNATSRecord", "value"),
    ("AddNATSStreamingRecord", "value"),
    ("AddNATSJetStreamRecord", "value"),
];

/// A record of each method: text for Redis, whose payloads are text, and every byte for others.
fn one_of_each() -> (Vec<(&'static str, DynamicMessage)>, Vec<Vec<u8>>) {
    let all: Vec<u8> = (0..=255).collect();
    let mut values = Vec::new();
    let records = VALUES.map(|(method, field)| {
        let value = if method.contains("Redis") {
            let value = format!("ä {method}");
            values.push(value.clone().into_bytes());
            text(&value)
        } else {
            let value = [method.as_bytes(), &all].concat();
            values.push(value.clone());
            bytes(&value)
        };
        (method, filled(method, &[(field, value)]))
    });
    (records.to_vec(), values)
}

fn values(stored: &[Stored]) -> Vec<Vec<u8>> {
    let values = stored.iter().filter_map(|record| record.value.clone());
    values.collect()
}

#[test]
fn a_record_of_every_bus_is_in_kafka_and_in_the_lake_byte_for_byte() {
    let lake = TestLake::s3();
    let topic = Topic::create("relayed", 1);
    let (start, client) = collector(&lake, &topic.name, "");
    let settings = [
        ("topics", topic.name.as_str()),
        ("flush.interval.ms", "200"),
    ];
    let eddy = start.connector(&topic.name, &settings).ready();
    let client = client.apart();
    client.test().expect("the token is known");
    let (records, expected) = one_of_each();
    for (method, record) in records {
        assert_eq!(client.add(method, vec![record]).expect(method), 1);
    }
    let stored = topic.consume();
    assert_eq!(values(&stored), expected);
    every_record_is_there_once(&eddy, &lake, &topic, expected.len());
    let sql = format!("SELECT _value FROM \"{}\" ORDER BY _offset", topic.name);
    let rows = eddy.http().sql(&sql);
    let in_lake = rows
        .iter()
        .map(|row| BASE64_STANDARD.decode(row["_value"].as_str().unwrap()));
    assert_eq!(in_lake.collect::<Result<Vec<_>, _>>().unwrap(), expected);
    let counted = eddy
        .http()
        .sql("SELECT events, rejected FROM system.collections");
    assert_eq!(counted, [json!({"events": expected.len(), "rejected": 0})]);
}

#[test]
fn a_record_of_kafka_comes_with_its_place_its_key_and_its_headers() {
    let lake = TestLake::local();
    let topic = Topic::create("placed", 1);
    let (start, client) = collector(&lake, &topic.name, "");
    let _eddy = start.ready();
    let mut record = kafka("orders", 41, "k-1", b"v");
    let mut pair = client::pair("AddKafkaRecord", "headers");
    pair.set_field_by_name("key", text("trace"));
    pair.set_field_by_name("value", text("a"));
    record.set_field_by_name("headers", Value::List(vec![Value::Message(pair); 2]));
    client
        .add("AddKafkaRecord", vec![record])
        .expect("it is taken");
    // Null and empty look the same there: a key is none, a value is empty.
    client
        .add("AddKafkaRecord", vec![kafka("orders", 42, "", b"")])
        .expect("it is taken");
    let stored = topic.consume();
    assert_eq!(stored[0].key.as_deref(), Some(b"k-1".as_slice()));
    let traces = stored[0].headers.iter().filter(|(name, _)| name == "trace");
    assert_eq!(traces.count(), 2, "duplicates are kept");
    for (name, value) in [
        ("kafka-topic", "orders"),
        ("kafka-partition", "3"),
        ("kafka-offset", "41"),
        ("kafka-timestamp", "1790000000000000042"),
    ] {
        assert_eq!(header(&stored[0], name), Some(value.as_bytes()), "{name}");
    }
    assert_eq!(
        (&stored[1].key, stored[1].value.as_deref()),
        (&None, Some(&[][..]))
    );
    assert!(!format!("{stored:?}").contains("token"), "no token is kept");
}

#[test]
fn every_spelling_of_a_token_opens_and_a_wrong_one_is_unauthorized() {
    let lake = TestLake::local();
    let topic = Topic::create("spelled", 1);
    let (start, client) = collector(&lake, &topic.name, "");
    let eddy = start.ready();
    for name in ["streamdal-token", "batch-token", "batch.token"] {
        client.spelled(name, TOKEN).test().expect(name);
    }
    for wrong in ["", "wrong", "eddy_0123456789abcdef_x"] {
        let client = client.with_token(wrong);
        let added = client.add("AddRecord", vec![client::record("AddRecord")]);
        for refused in [client.test().unwrap_err(), added.unwrap_err()] {
            assert_eq!(refused.code(), Code::Unauthenticated, "{refused:?}");
            // By this word clients know that another try is of no use.
            assert!(refused.message().contains("unauthorized"), "{refused:?}");
        }
    }
    let metrics = eddy.http().get("/metrics").expect("metrics");
    let line = "eddy_collector_unauthorized_requests_total 6";
    assert!(metrics.as_str().expect("text").contains(line), "{metrics}");
    assert_eq!(topic.watermarks()[&0], (0, 0), "nothing was sent");
}

#[test]
fn a_paused_collection_is_told_by_the_text_at_which_clients_drop_a_batch() {
    let lake = TestLake::local();
    let topic = Topic::create("paused", 1);
    let (settings, client) = Client::configured("");
    let eddy = Start::on(&lake).toml(&settings).ready();
    let http = eddy.http();
    let body = json!({"name": "clicks", "topic": topic.name});
    let made = http.post("/api/v1/collections", &body).expect("it is made");
    let client = client.with_token(made["token"].as_str().expect("a token"));
    let add = || client.add("AddRecord", vec![client::record("AddRecord")]);
    for (verb, text) in [
        ("pause", "collection is paused"),
        ("archive", "collection is archived"),
    ] {
        let path = format!("/api/v1/collections/clicks/{verb}");
        http.post(&path, &json!({})).expect(verb);
        let refused = add().unwrap_err();
        assert_eq!(
            (refused.code(), refused.message()),
            (Code::FailedPrecondition, text)
        );
        client.test().expect("the token is right all the same");
    }
    http.post("/api/v1/collections/clicks/resume", &json!({}))
        .expect("it is resumed");
    assert_eq!(add().expect("it is taken"), 1);
    let counted = http.sql("SELECT events, rejected FROM system.collections");
    assert_eq!(counted, [json!({"events": 1, "rejected": 2})]);
}

#[test]
fn ten_workers_interleaved_bring_every_record_once() {
    let lake = TestLake::s3();
    let topic = Topic::create("interleaved", 3);
    let (start, client) = collector(&lake, &topic.name, "");
    let settings = [
        ("topics", topic.name.as_str()),
        ("flush.interval.ms", "200"),
    ];
    let eddy = start.connector(&topic.name, &settings).ready();
    let workers = 10_i64;
    std::thread::scope(|scope| {
        for worker in 0..workers {
            let client = client.apart();
            scope.spawn(move || {
                // Each tenth offset is its own; batches are of all sizes.
                let offsets: Vec<i64> = (0..200).map(|n| 1 + n * workers + worker).collect();
                let mut rest = offsets.as_slice();
                let mut size = 1;
                while !rest.is_empty() {
                    let (batch, after) = rest.split_at(rest.len().min(size));
                    let records = batch.iter().map(|offset| {
                        let value = format!("{{\"n\":{offset}}}");
                        kafka(
                            "orders",
                            *offset,
                            &format!("k{}", offset % 7),
                            value.as_bytes(),
                        )
                    });
                    let added = client.add("AddKafkaRecord", records.collect());
                    assert_eq!(added.expect("they are taken"), batch.len() as i64);
                    (rest, size) = (after, size * 2);
                }
            });
        }
    });
    let sent = usize::try_from(workers * 200).unwrap();
    every_record_is_there_once(&eddy, &lake, &topic, sent);
    let sql = format!("SELECT count(DISTINCT n) AS n FROM \"{}\"", topic.name);
    assert_eq!(eddy.http().number(&sql), workers * 200);
}

#[test]
fn a_batch_of_91_megabytes_is_taken_whole() {
    let lake = TestLake::local();
    let topic = Topic::create("large", 1);
    let (start, client) = collector(&lake, &topic.name, "");
    let eddy = start.ready();
    let value = vec![b'x'; 91_000];
    let batch = |from: i64| -> Vec<_> {
        let offsets = from..from + 1_000;
        offsets
            .map(|offset| kafka("orders", offset, "", &value))
            .collect()
    };
    assert_eq!(
        client.add("AddKafkaRecord", batch(1)).expect("it is taken"),
        1_000
    );
    // Half of the same, half of others.
    assert_eq!(
        client
            .add("AddKafkaRecord", batch(501))
            .expect("it is taken"),
        1_000
    );
    assert_eq!(topic.watermarks()[&0], (0, 1_500));
    let sql = "SELECT events FROM system.collections";
    assert_eq!(eddy.http().number(sql), 1_500);
    let refused = client
        .add("AddKafkaRecord", [batch(1), batch(2_001)].concat())
        .unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted, "{refused:?}");
    assert_eq!(topic.watermarks()[&0], (0, 1_500), "nothing of it was sent");
}
