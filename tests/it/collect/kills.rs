//! kill -9 of the collector under load, from clients that come again with the same request until it
//! is taken: what was acknowledged is in Kafka, and nothing is there twice.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use std::time::Duration;

use eddy_engine::Clock;

use super::collector;
use super::sender::Sender;
use crate::harness::kafka::Topic;
use crate::harness::lake::TestLake;
use crate::harness::services::scale;
use crate::harness::wait::{PATIENCE, wait_until};

const SENDERS: usize = 4;
/// Each batch has as many events.
const BATCH: usize = 5;

/// Sends batches until it is told to end, each as often as it takes; the answer is every event that
/// was acknowledged.
fn load(sender: &Sender, number: usize, end: &AtomicBool, taken: &AtomicUsize) -> Vec<String> {
    let mut acknowledged = Vec::new();
    let mut next = 0;
    while !end.load(Ordering::SeqCst) {
        let events: Vec<String> = (next..next + BATCH)
            .map(|event| format!("{{\"sender\":{number},\"event\":{event}}}"))
            .collect();
        let key = format!("{number}/{next}");
        let headers = [
            ("Content-Type", "application/x-ndjson"),
            ("Idempotency-Key", key.as_str()),
        ];
        let body = events.join("\n");
        while sender.send(&headers, body.as_bytes()).status != 200 {
            if end.load(Ordering::SeqCst) {
                return acknowledged;
            }
            // Nobody is there, and the processor is for whoever starts.
            Clock::system().block(Duration::from_millis(20));
        }
        acknowledged.extend(events);
        taken.fetch_add(BATCH, Ordering::SeqCst);
        next += BATCH;
    }
    acknowledged
}

#[test]
fn what_was_acknowledged_is_in_kafka_once_whenever_the_collector_is_killed() {
    let lake = TestLake::local();
    let topic = Topic::create("killed", 3);
    let (start, sender) = collector(&lake, &topic.name, "");
    // The token again for each life: the harness forgets variables when it restarts.
    let mut eddy = start.ready();
    let (end, taken) = (AtomicBool::new(false), AtomicUsize::new(0));
    let acknowledged: Vec<String> = std::thread::scope(|scope| {
        let (sender, end, taken) = (&sender, &end, &taken);
        let senders: Vec<_> = (0..SENDERS)
            .map(|number| scope.spawn(move || load(sender, number, end, taken)))
            .collect();
        for _ in 0..scale(3, 20) {
            let before = taken.load(Ordering::SeqCst);
            wait_until(PATIENCE, "events are acknowledged", || {
                taken.load(Ordering::SeqCst) > before + 100
            });
            eddy.restart_with("EDDY_COLLECTION_TOKEN", super::TOKEN);
        }
        end.store(true, Ordering::SeqCst);
        let joined = senders
            .into_iter()
            .map(|sender| sender.join().expect("a sender"));
        joined.flatten().collect()
    });
    let stored: Vec<String> = topic
        .consume()
        .into_iter()
        .map(|record| String::from_utf8(record.value.expect("a value")).expect("text"))
        .collect();
    assert!(acknowledged.len() > 300);
    let distinct: BTreeSet<&String> = stored.iter().collect();
    assert_eq!(distinct.len(), stored.len(), "none is there twice");
    let lost = acknowledged
        .iter()
        .filter(|event| !distinct.contains(event));
    assert_eq!(lost.collect::<Vec<_>>(), Vec::<&String>::new());
}
