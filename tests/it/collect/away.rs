//! Kafka is away: requests are held and then answered, or told to come again.

use std::time::Duration;

use eddy_engine::Clock;

use super::collector;
use crate::harness::lake::TestLake;
use crate::harness::services::{PrivateKafka, scale};
use crate::harness::unique;
use crate::harness::wait::{PATIENCE, wait_equal};

#[test]
fn while_kafka_is_away_requests_are_held_and_then_answered() {
    let kafka = PrivateKafka::start();
    let lake = TestLake::local();
    let topic = unique("away");
    let (start, sender) = collector(&lake, &topic, "hold_seconds = 100");
    let settings = [("topics", topic.as_str()), ("flush.interval.ms", "200")];
    let eddy = start
        .kafka("bootstrap.servers", &kafka.bootstrap_servers)
        .connector("away", &settings)
        .ready();
    assert_eq!(sender.send(&[], b"{\"n\":-1}").status, 200);
    kafka.kill();
    let held: Vec<_> = (0..50)
        .map(|number| {
            let sender = sender.clone();
            std::thread::spawn(move || {
                let body = format!("{{\"n\":{number}}}");
                sender.send(&[], body.as_bytes()).status
            })
        })
        .collect();
    kafka.restart();
    for answer in held {
        assert_eq!(answer.join().expect("an answer"), 200);
    }
    let sql = format!("SELECT count(DISTINCT n) AS n FROM \"{topic}\"");
    wait_equal(PATIENCE, "the events in SQL", Some(51), || {
        let rows = eddy.http().try_sql(&sql).ok()?;
        rows.first()?["n"].as_i64()
    });
}

#[test]
fn when_kafka_is_away_for_longer_than_the_hold_clients_are_told_to_come_again() {
    let kafka = PrivateKafka::start();
    let lake = TestLake::local();
    let topic = unique("gone");
    let (start, sender) = collector(&lake, &topic, "hold_seconds = 1");
    let _eddy = start
        .kafka("bootstrap.servers", &kafka.bootstrap_servers)
        .ready();
    let sent = || sender.send(&[], b"1");
    wait_equal(PATIENCE, "an event is taken", 200, || sent().status);
    kafka.kill();
    let refused = sent();
    assert_eq!(
        (refused.status, refused.retry_after),
        (503, Some(1)),
        "{refused:?}"
    );
    kafka.restart();
    wait_equal(PATIENCE, "events are taken again", 200, || sent().status);
}

#[test]
fn what_was_given_up_is_sent_on_behind_its_key_and_is_there_once_when_it_comes_again() {
    let kafka = PrivateKafka::start();
    let lake = TestLake::local();
    let topic = unique("given_up");
    let (start, sender) = collector(&lake, &topic, "hold_seconds = 1");
    let settings = [("topics", topic.as_str()), ("flush.interval.ms", "200")];
    let eddy = start
        .kafka("bootstrap.servers", &kafka.bootstrap_servers)
        .connector("given_up", &settings)
        .ready();
    let send = |key: &str| {
        let body = format!("{{\"n\":{key}}}");
        let headers = [("Idempotency-Key", key)];
        sender.send(&headers, body.as_bytes()).status
    };
    let count = |what: &str| {
        let sql = format!("SELECT count({what}) AS n FROM \"{topic}\"");
        let rows = eddy.http().try_sql(&sql).ok()?;
        rows.first()?["n"].as_i64()
    };
    wait_equal(PATIENCE, "an event is taken", 200, || send("1"));
    kafka.kill();
    assert_eq!(send("2"), 503);
    kafka.restart();
    // Nobody has sent it again.
    wait_equal(PATIENCE, "it is there all the same", Some(2), || {
        count("DISTINCT n")
    });
    wait_equal(PATIENCE, "it comes again", 200, || send("2"));
    wait_equal(PATIENCE, "others are taken", 200, || send("3"));
    wait_equal(PATIENCE, "all in SQL", Some(3), || count("DISTINCT n"));
    assert_eq!(count("*"), Some(3), "none is there twice");
}

#[test]
fn what_is_held_while_kafka_is_away_is_bounded_and_nothing_of_it_is_lost() {
    const REQUESTS: usize = 32;
    const EVENTS: usize = 500;
    let kafka = PrivateKafka::start();
    let lake = TestLake::local();
    let topic = unique("holding");
    let settings = "hold_seconds = 300\nbody_max = \"1MiB\"\nmemory = \"4MiB\"";
    let (start, sender) = collector(&lake, &topic, settings);
    let connector = [("topics", topic.as_str()), ("flush.interval.ms", "200")];
    let eddy = start
        .kafka("bootstrap.servers", &kafka.bootstrap_servers)
        .connector("holding", &connector)
        .ready();
    assert_eq!(sender.send(&[], b"{\"n\":-1}").status, 200);
    let before = eddy.peak_memory_bytes();
    kafka.kill();
    let held: Vec<_> = (0..REQUESTS)
        .map(|number| {
            let sender = sender.clone();
            std::thread::spawn(move || {
                let event = |event: usize| {
                    let n = number * EVENTS + event;
                    format!("{{\"n\":{n},\"filler\":\"{}\"}}", "x".repeat(1_000))
                };
                let body: Vec<String> = (0..EVENTS).map(event).collect();
                let key = number.to_string();
                let headers = [
                    ("Idempotency-Key", key.as_str()),
                    ("Content-Type", "application/x-ndjson"),
                ];
                sender.send(&headers, body.join("\n").as_bytes())
            })
        })
        .collect();
    Clock::system().block(Duration::from_secs(scale(0, 60) as u64));
    kafka.restart();
    for answer in held {
        let answer = answer.join().expect("an answer");
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    // Four times as much as may be held was sent; the sink has its own part of this.
    let grown = eddy.peak_memory_bytes().saturating_sub(before) >> 20;
    assert!(grown < 256, "{grown} MiB more");
    let all = (REQUESTS * EVENTS) as i64 + 1;
    let sql = format!("SELECT count(DISTINCT n) AS n FROM \"{topic}\"");
    wait_equal(PATIENCE, "the events in SQL", Some(all), || {
        let rows = eddy.http().try_sql(&sql).ok()?;
        rows.first()?["n"].as_i64()
    });
    let sql = format!("SELECT count(*) AS n FROM \"{topic}\"");
    assert_eq!(eddy.http().number(&sql), all, "none is there twice");
}
