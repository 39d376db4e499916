//! Kafka is away: requests are held and then answered, or told to come again.

use super::collector;
use crate::harness::lake::TestLake;
use crate::harness::services::PrivateKafka;
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
