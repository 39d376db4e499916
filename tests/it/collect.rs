//! Events come in over HTTP, and over gRPC (`grpc`): byte for byte in Kafka and in the lake,
//! acknowledged only when Kafka has them, refused with a reason, and held while Kafka is away.

mod again;
mod away;
pub mod grpc;
mod hostile;
mod kills;
mod refused;
pub mod sender;
mod tls;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde_json::json;

use crate::harness::kafka::{Stored, Topic, topics};
use crate::harness::lake::TestLake;
use crate::harness::process::{Eddy, Start};
use crate::harness::unique;
use crate::harness::wait::{PATIENCE, wait_equal};
use crate::proof::every_record_is_there_once;
use sender::Sender;

/// The token of collections that the configuration file declares.
const TOKEN: &str = "a-token-of-the-file-0123456789";

/// A process with a collection for this topic, and whoever sends to it.
fn collector(lake: &TestLake, topic: &str, settings: &str) -> (Start, Sender) {
    let (settings, sender) = Sender::configured(settings);
    (start(lake, topic, &settings), sender.with_token(TOKEN))
}

/// A process with these settings and a collection for this topic.
fn start(lake: &TestLake, topic: &str, settings: &str) -> Start {
    let collection = format!(
        "[collections.events]\ntopic = \"{topic}\"\ntoken = \"${{env:EDDY_COLLECTION_TOKEN}}\"\n"
    );
    Start::on(lake)
        .toml(settings)
        .toml(&collection)
        .variable("EDDY_COLLECTION_TOKEN", TOKEN)
}

fn header<'a>(record: &'a Stored, name: &str) -> Option<&'a [u8]> {
    let found = record.headers.iter().find(|(header, _)| header == name)?;
    found.1.as_deref()
}

/// Who sends, which headers, and the body.
type Request<'a> = (&'a Sender, &'a [(&'a str, &'a str)], &'a [u8]);

/// Sends one request of each kind, of which [`expected`] must be in Kafka.
fn send_every_kind(sender: &Sender) {
    const GZIP: [u8; 36] = [
        31, 139, 8, 0, 0, 0, 0, 0, 2, 3, 171, 86, 170, 202, 44, 40, 72, 77, 81, 178, 82, 40, 41,
        42, 77, 173, 5, 0, 204, 165, 222, 13, 16, 0, 0, 0,
    ];
    let binary = binary();
    let kind = "Content-Type";
    let batch = sender.to("?batch=true&key=/user/id");
    let all: [Request<'_>; 11] = [
        (
            sender,
            &[(kind, "application/octet-stream"), ("Eddy-Key", "k-1")],
            &binary,
        ),
        (
            sender,
            &[(kind, "application/json"), ("X-Source", "shop")],
            b" {\"a\" : 1e2} ",
        ),
        (sender, &[], b""),
        (
            sender,
            &[(kind, "application/x-ndjson")],
            b"{\"a\":  1.0}\r\n\n not json\n",
        ),
        (
            &batch,
            &[(kind, "application/json")],
            b"[{\"user\":{\"id\":7}} , {\"b\":[1, 2]}]",
        ),
        (&batch, &[], b"{\"user\":{\"id\":\"x\"}}\n{\"user\":null}"),
        (sender, &[("Content-Encoding", "gzip")], &GZIP),
        (
            sender,
            &[("Content-Encoding", "zstd")],
            &sender::zstd(b"{\"zstd\": true}"),
        ),
        (
            sender,
            &[(kind, "text/plain"), ("ce-id", "1"), ("ce-type", "t")],
            b"binary",
        ),
        (
            sender,
            &[(kind, "application/cloudevents+json")],
            b"{\"specversion\": \"1.0\"}",
        ),
        (
            sender,
            &[(kind, "application/cloudevents-batch+json")],
            b"[{\"id\":\"a\"},{\"id\":\"b\"}]",
        ),
    ];
    for (sender, headers, body) in all {
        let answer = sender.send(headers, body);
        assert_eq!(answer.status, 200, "{headers:?}: {answer:?}");
        let text = "event has been successfully collected";
        assert_eq!(answer.body, json!({ "message": text }));
    }
}

fn binary() -> Vec<u8> {
    (0..=255).collect()
}

/// The values of every kind, in order.
fn expected() -> Vec<Vec<u8>> {
    let binary = binary();
    let expected: [&[u8]; 15] = [
        &binary,
        b" {\"a\" : 1e2} ",
        b"",
        b"{\"a\":  1.0}",
        b" not json",
        b"{\"user\":{\"id\":7}}",
        b"{\"b\":[1, 2]}",
        b"{\"user\":{\"id\":\"x\"}}",
        b"{\"user\":null}",
        b"{\"zipped\": true}",
        b"{\"zstd\": true}",
        b"binary",
        b"{\"specversion\": \"1.0\"}",
        b"{\"id\":\"a\"}",
        b"{\"id\":\"b\"}",
    ];
    expected.map(<[u8]>::to_vec).to_vec()
}

#[test]
fn events_of_every_kind_are_in_kafka_and_in_the_lake_byte_for_byte() {
    let lake = TestLake::s3();
    let topic = Topic::create("collected", 1);
    let (start, sender) = collector(&lake, &topic.name, "headers = \"X-Source\"");
    let settings = [
        ("topics", topic.name.as_str()),
        ("flush.interval.ms", "200"),
    ];
    let eddy = start.connector(&topic.name, &settings).ready();
    send_every_kind(&sender);
    let expected = expected();
    let stored = topic.consume();
    let values: Vec<Vec<u8>> = stored
        .iter()
        .filter_map(|record| record.value.clone())
        .collect();
    assert_eq!(values, expected);
    let keys: Vec<Option<&[u8]>> = stored.iter().map(|record| record.key.as_deref()).collect();
    assert_eq!(keys[0], Some(b"k-1".as_slice()));
    assert_eq!(
        keys[5..9],
        [Some(b"7".as_slice()), None, Some(b"x".as_slice()), None]
    );
    assert!(keys[1..5].iter().chain(&keys[9..]).all(Option::is_none));
    let shop = &stored[1];
    for (name, value) in [
        ("http-method", "POST"),
        ("http-path", "/v1/collection"),
        ("content-type", "application/json"),
        ("x-source", "shop"),
    ] {
        assert_eq!(header(shop, name), Some(value.as_bytes()), "{name}");
    }
    assert_eq!(header(&stored[11], "ce-id"), Some(b"1".as_slice()));
    let structured = Some(b"application/cloudevents+json".as_slice());
    assert!(
        stored[12..]
            .iter()
            .all(|record| header(record, "content-type") == structured)
    );
    for record in &stored {
        assert!(
            !format!("{:?}", record.headers).contains("token"),
            "no token is kept"
        );
    }
    every_record_is_there_once(&eddy, &lake, &topic, expected.len());
    let sql = format!("SELECT _value FROM \"{}\" ORDER BY _offset", topic.name);
    let rows = eddy.http().sql(&sql);
    let in_lake = rows
        .iter()
        .map(|row| BASE64_STANDARD.decode(row["_value"].as_str().unwrap()));
    let in_lake: Vec<Vec<u8>> = in_lake.collect::<Result<_, _>>().unwrap();
    assert_eq!(in_lake, expected);
}

#[test]
fn a_collection_made_by_command_takes_events_until_it_is_closed() {
    let lake = TestLake::local();
    let (settings, sender) = Sender::configured("");
    let mut eddy = Start::on(&lake).toml(&settings).ready();
    let topic = unique("made");
    let run = |eddy: &Eddy, arguments: &[&str]| {
        let output = eddy.run(&[&["collection"], arguments].concat());
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).expect("text")
    };
    let create = [
        "create",
        "clicks",
        "--topic",
        topic.as_str(),
        "--partitions",
        "3",
    ];
    let made: serde_json::Value = serde_json::from_str(&run(&eddy, &create)).expect("JSON");
    assert!(topics().contains(&topic), "the topic is made");
    let token = made["token"].as_str().expect("a token").to_owned();
    let first = sender.with_token(&token);
    assert_eq!(first.send(&[], b"1").status, 200);
    let again = eddy.run(&[&["collection"], create.as_slice()].concat());
    assert!(!again.status.success(), "the name is taken");
    let second = run(&eddy, &["token", "clicks", "--rate", "1000"]);
    let second: serde_json::Value = serde_json::from_str(&second).expect("JSON");
    let other = sender.with_token(second["token"].as_str().expect("a token"));
    assert_eq!(other.send(&[], b"2").status, 200);
    for listed in [
        run(&eddy, &["list"]),
        run(&eddy, &["show", "clicks"]),
        eddy.log(),
    ] {
        let secret = token.rsplit_once('_').expect("a secret").1;
        assert!(!listed.contains(secret), "no token is shown a second time");
    }
    run(&eddy, &["pause", "clicks"]);
    let paused = first.send(&[], b"no");
    assert_eq!(
        (paused.status, paused.message()),
        (403, "collection is paused")
    );
    run(&eddy, &["resume", "clicks"]);
    let id = token.split('_').nth(1).expect("an id").to_owned();
    run(&eddy, &["token", "clicks", "--revoke", &id]);
    assert_eq!(first.send(&[], b"no").status, 401);
    // It is in the lake, and what a process takes counts from its start.
    counted(&eddy, 2);
    eddy.restart();
    assert_eq!(first.send(&[], b"no").status, 401);
    assert_eq!(other.send(&[], b"3").status, 200);
    counted(&eddy, 1);
    run(&eddy, &["archive", "clicks"]);
    assert_eq!(other.send(&[], b"no").status, 403);
    let topic = Topic {
        name: topic,
        partitions: 3,
    };
    assert_eq!(topic.consume().len(), 3);
}

/// What SQL and `/metrics` say that this process took for `clicks`.
fn counted(eddy: &Eddy, events: usize) {
    let sql = "SELECT name, state, declared, events, bytes, last_seen IS NULL AS unseen \
               FROM system.collections";
    let row = json!({"name": "clicks", "state": "active", "declared": false, "events": events,
        "bytes": events, "unseen": false});
    assert_eq!(eddy.http().sql(sql), [row]);
    let metrics = eddy.http().get("/metrics").expect("metrics");
    let line = format!("eddy_collection_events_total{{collection=\"clicks\"}} {events}");
    assert!(metrics.as_str().expect("text").contains(&line), "{metrics}");
}

#[test]
fn what_the_file_declares_is_listed_and_changed_only_there() {
    let lake = TestLake::local();
    let topic = Topic::create("declared", 1);
    let (start, sender) = collector(&lake, &topic.name, "");
    let eddy = start.ready();
    assert_eq!(sender.bearer().send(&[], b"1").status, 200);
    let http = eddy.http();
    let shown = http.get("/api/v1/collections/events").expect("it is there");
    assert_eq!(
        (&shown["declared"], &shown["topic"]),
        (&json!(true), &json!(topic.name))
    );
    for verb in ["pause", "resume", "archive", "tokens"] {
        let path = format!("/api/v1/collections/events/{verb}");
        let refused = http.post(&path, &json!({})).expect_err("it is the file's");
        assert_eq!(
            (refused.status, refused.code()),
            (409, "conflict"),
            "{verb}"
        );
    }
    let none = http
        .get("/api/v1/collections/none")
        .expect_err("there is none");
    assert_eq!(none.status, 404);
    for (body, named) in [
        (json!({"name": "a/b", "topic": "t"}), "a/b"),
        (json!({"name": "a", "topic": "b c"}), "b c"),
    ] {
        let refused = http.post("/api/v1/collections", &body).expect_err("wrong");
        assert!(
            refused.status == 400 && refused.message().contains(named),
            "{refused:?}"
        );
    }
}

#[test]
fn a_resent_request_counts_once() {
    let lake = TestLake::local();
    let topic = Topic::create("resent", 2);
    let (start, sender) = collector(&lake, &topic.name, "");
    let _eddy = start.ready();
    let key = [
        ("Idempotency-Key", "order-42"),
        ("Content-Type", "application/x-ndjson"),
    ];
    // At once and one after the other.
    let together: Vec<u16> = std::thread::scope(|scope| {
        let sent: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| sender.send(&key, b"1\n2\n").status))
            .collect();
        sent.into_iter()
            .map(|sent| sent.join().expect("a status"))
            .collect()
    });
    assert_eq!(together, [200; 4]);
    assert_eq!(sender.send(&key, b"1\n2\n").status, 200);
    assert_eq!(
        sender.send(&key, b"1\n3\n").status,
        422,
        "it is another request"
    );
    for other in [("Eddy-Key", "7"), ("ce-id", "7")] {
        let other = [key[0], key[1], other];
        let refused = sender.send(&other, b"1\n2\n");
        assert_eq!(refused.status, 422, "{other:?}: {refused:?}");
    }
    // Another try has another span.
    let traced = [key[0], key[1], ("traceparent", "00-7-7-01")];
    assert_eq!(sender.send(&traced, b"1\n2\n").status, 200);
    assert_eq!(sender.send(&[], b"4").status, 200);
    wait_equal(PATIENCE, "the records", 3, || topic.consume().len());
    let stored = topic.consume();
    let keyed = stored
        .iter()
        .filter(|record| header(record, "idempotency-key").is_some());
    assert_eq!(keyed.count(), 2);
}
