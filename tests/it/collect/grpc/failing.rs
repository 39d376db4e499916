//! What goes wrong: answers that are lost, clients that hang up, records that Kafka doesn't take,
//! Kafka away, the collector killed.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use eddy_engine::Clock;
use serde_json::json;
use tonic::Code;

use super::client::{Client, filled, kafka, text};
use super::{collector, values};
use crate::collect::TOKEN;
use crate::harness::block_on;
use crate::harness::kafka::Topic;
use crate::harness::lake::TestLake;
use crate::harness::process::Start;
use crate::harness::services::{PrivateKafka, scale};
use crate::harness::unique;
use crate::harness::wait::{PATIENCE, wait_equal, wait_until};

#[test]
fn a_batch_whose_answer_was_lost_counts_once_when_it_comes_again() {
    let lake = TestLake::local();
    let topic = Topic::create("again", 2);
    let (start, client) = collector(&lake, &topic.name, "");
    let _eddy = start.ready();
    let batch = |method: &'static str, from: i64| -> Vec<_> {
        let numbers = from..from + 50;
        let record = |number: i64| match method {
            "AddKafkaRecord" => kafka("orders", number, "", b"v"),
            "AddSQSRecord" => filled(method, &[("messageid", text(&number.to_string()))]),
            "AddGCPRecord" => filled(method, &[("id", text(&number.to_string()))]),
            // All of them say the same at the same time, and are many all the same.
            _ => {
                let time = prost_reflect::Value::I64(1_790_000_000_000_000_001 + from);
                filled(method, &[("timestamp", time)])
            }
        };
        numbers.map(record).collect()
    };
    for (number, method) in [
        "AddKafkaRecord",
        "AddSQSRecord",
        "AddGCPRecord",
        "AddAMQPRecord",
    ]
    .into_iter()
    .enumerate()
    {
        // At once on connections of their own, as far as the first goes, and later.
        std::thread::scope(|scope| {
            for _ in 0..4 {
                let client = client.apart();
                let batch = batch(method, 1);
                scope.spawn(move || {
                    assert_eq!(client.add(method, batch).expect("it is taken"), 50);
                });
            }
        });
        assert_eq!(
            client.add(method, batch(method, 1)).expect("it is taken"),
            50
        );
        let stored = topic.consume().len();
        assert_eq!(stored, (number + 1) * 50, "{method}");
    }
    // Others of the same kind are others.
    client
        .add("AddAMQPRecord", batch("AddAMQPRecord", 2))
        .expect("it is taken");
    client
        .add("AddKafkaRecord", batch("AddKafkaRecord", 101))
        .expect("it is taken");
    assert_eq!(topic.consume().len(), 6 * 50);
}

#[test]
fn a_record_too_large_for_kafka_is_told_and_the_others_are_there() {
    let lake = TestLake::local();
    let topic = Topic::create("giant", 1);
    let (start, client) = collector(&lake, &topic.name, "");
    let eddy = start.ready();
    let giant = vec![b'x'; 33 << 20];
    let batch = || {
        vec![
            kafka("orders", 1, "", b"1"),
            kafka("orders", 2, "", &giant),
            kafka("orders", 3, "", b"3"),
        ]
    };
    // As often as a client comes again.
    for _ in 0..2 {
        let refused = client.add("AddKafkaRecord", batch()).unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{refused:?}");
        assert!(
            refused.message().starts_with("1 of 3 records"),
            "{refused:?}"
        );
    }
    assert_eq!(values(&topic.consume()), [b"1", b"3"]);
    let counted = eddy
        .http()
        .sql("SELECT events, rejected FROM system.collections");
    assert_eq!(counted, [json!({"events": 2, "rejected": 2})]);
}

#[test]
fn a_token_beyond_its_rate_waits_and_is_never_refused() {
    let lake = TestLake::local();
    let topic = Topic::create("rated_calls", 1);
    let (settings, client) = Client::configured("");
    let eddy = Start::on(&lake).toml(&settings).ready();
    let body = json!({"name": "rated", "topic": topic.name});
    eddy.http()
        .post("/api/v1/collections", &body)
        .expect("it is made");
    let tokens = "/api/v1/collections/rated/tokens";
    let token = eddy
        .http()
        .post(tokens, &json!({"rate": 100}))
        .expect("a token");
    let client = client.with_token(token["token"].as_str().expect("a token"));
    for call in 0..3 {
        let batch = (0..120)
            .map(|n| kafka("orders", 1 + call * 120 + n, "", b"v"))
            .collect();
        assert_eq!(
            client.add("AddKafkaRecord", batch).expect("it is taken"),
            120
        );
    }
    assert_eq!(topic.consume().len(), 360);
}

#[test]
fn while_kafka_is_away_calls_are_held_and_who_hung_up_and_comes_again_doubles_nothing() {
    let kafka_service = PrivateKafka::start();
    let lake = TestLake::local();
    let topic = unique("held");
    let (start, client) = collector(&lake, &topic, "");
    let settings = [("topics", topic.as_str()), ("flush.interval.ms", "200")];
    let eddy = start
        .kafka("bootstrap.servers", &kafka_service.bootstrap_servers)
        .connector("held", &settings)
        .ready();
    let batch = |call: i64| -> Vec<_> {
        let numbers = 1 + call * 10..11 + call * 10;
        let record = |number: i64| {
            let value = format!("{{\"n\":{number}}}");
            kafka("orders", number, "", value.as_bytes())
        };
        numbers.map(record).collect()
    };
    client.add("AddKafkaRecord", batch(0)).expect("it is taken");
    kafka_service.kill();
    let held: Vec<_> = (1..20)
        .map(|call| {
            let client = client.apart();
            std::thread::spawn(move || client.add("AddKafkaRecord", batch(call)))
        })
        .collect();
    // Some come again while they are held: on the same connection, and after hanging up.
    let impatient = client.apart();
    let gone = block_on(async {
        let again = impatient.adding("AddKafkaRecord", batch(5));
        let clock = Clock::system();
        tokio::select! {
            answered = again => Some(answered),
            () = clock.sleep(Duration::from_millis(200)) => None,
        }
    });
    assert!(gone.is_none(), "there is nothing to answer yet: {gone:?}");
    Clock::system().block(Duration::from_secs(scale(0, 60) as u64));
    kafka_service.restart();
    assert_eq!(
        impatient
            .add("AddKafkaRecord", batch(5))
            .expect("it is taken"),
        10
    );
    for answer in held {
        assert_eq!(answer.join().expect("an answer").expect("it is taken"), 10);
    }
    let sql = format!("SELECT count(DISTINCT n) AS n FROM \"{topic}\"");
    wait_equal(PATIENCE, "the records in SQL", Some(200), || {
        let rows = eddy.http().try_sql(&sql).ok()?;
        rows.first()?["n"].as_i64()
    });
    let sql = format!("SELECT count(*) AS n FROM \"{topic}\"");
    assert_eq!(eddy.http().number(&sql), 200, "none is there twice");
}

#[test]
fn when_kafka_is_away_for_longer_than_the_hold_calls_are_unavailable() {
    let kafka_service = PrivateKafka::start();
    let lake = TestLake::local();
    let topic = unique("lost");
    let (start, client) = collector(&lake, &topic, "grpc_hold_seconds = 1");
    let _eddy = start
        .kafka("bootstrap.servers", &kafka_service.bootstrap_servers)
        .ready();
    let add = |offset: i64| client.add("AddKafkaRecord", vec![kafka("orders", offset, "", b"v")]);
    wait_until(PATIENCE, "a record is taken", || add(1).is_ok());
    kafka_service.kill();
    let refused = add(2).unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable, "{refused:?}");
    kafka_service.restart();
    wait_until(PATIENCE, "records are taken again", || add(3).is_ok());
}

/// Relays batches as `plumber` does, which comes again with the same batch until it is taken; the
/// answer is every value that was acknowledged.
fn relay(client: &Client, worker: i64, end: &AtomicBool, taken: &AtomicUsize) -> Vec<String> {
    const BATCH: i64 = 5;
    let mut acknowledged = Vec::new();
    let mut next = 1;
    while !end.load(Ordering::SeqCst) {
        let values: Vec<String> = (next..next + BATCH)
            .map(|number| format!("{{\"worker\":{worker},\"n\":{number}}}"))
            .collect();
        let batch = || {
            let records = values.iter().zip(next..);
            let topic = format!("orders-{worker}");
            records
                .map(move |(value, offset)| kafka(&topic, offset, "", value.as_bytes()))
                .collect()
        };
        while client.add("AddKafkaRecord", batch()).is_err() {
            if end.load(Ordering::SeqCst) {
                return acknowledged;
            }
            // Nobody is there, and the processor is for whoever starts.
            Clock::system().block(Duration::from_millis(20));
        }
        acknowledged.extend(values.iter().cloned());
        taken.fetch_add(values.len(), Ordering::SeqCst);
        next += BATCH;
    }
    acknowledged
}

#[test]
fn what_was_acknowledged_over_grpc_is_in_kafka_once_whenever_the_collector_is_killed() {
    let lake = TestLake::local();
    let topic = Topic::create("killed_calls", 3);
    let (start, client) = collector(&lake, &topic.name, "");
    let mut eddy = start.ready();
    let (end, taken) = (AtomicBool::new(false), AtomicUsize::new(0));
    let acknowledged: Vec<String> = std::thread::scope(|scope| {
        let (client, end, taken) = (&client, &end, &taken);
        let workers: Vec<_> = (0..4)
            .map(|worker| scope.spawn(move || relay(&client.apart(), worker, end, taken)))
            .collect();
        for _ in 0..scale(3, 20) {
            let before = taken.load(Ordering::SeqCst);
            wait_until(PATIENCE, "records are acknowledged", || {
                taken.load(Ordering::SeqCst) > before + 100
            });
            // The token again: the harness forgets variables when it restarts.
            eddy.restart_with("EDDY_COLLECTION_TOKEN", TOKEN);
        }
        end.store(true, Ordering::SeqCst);
        let joined = workers
            .into_iter()
            .map(|worker| worker.join().expect("a worker"));
        joined.flatten().collect()
    });
    let values = values(&topic.consume());
    let stored: BTreeSet<&[u8]> = values.iter().map(Vec::as_slice).collect();
    assert_eq!(stored.len(), values.len(), "none is there twice");
    assert!(acknowledged.len() > 300);
    let lost = acknowledged
        .iter()
        .filter(|value| !stored.contains(value.as_bytes()));
    assert_eq!(lost.collect::<Vec<_>>(), Vec::<&String>::new());
}
