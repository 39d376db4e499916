//! kill -9 of the collector under load: what was acknowledged is in Kafka.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::collector;
use std::time::Duration;

use eddy_engine::Clock;

use super::sender::Sender;
use crate::harness::kafka::Topic;
use crate::harness::lake::TestLake;
use crate::harness::services::scale;
use crate::harness::wait::{PATIENCE, wait_until};

const SENDERS: usize = 4;
/// Each batch has as many events.
const BATCH: usize = 5;

/// Sends batches until it is told to end; the answer is every event that was acknowledged. What
/// wasn't is left: it may be there or not.
fn load(sender: &Sender, number: usize, end: &AtomicBool, taken: &AtomicUsize) -> Vec<String> {
    let mut acknowledged = Vec::new();
    let mut next = 0;
    while !end.load(Ordering::SeqCst) {
        let events: Vec<String> = (next..next + BATCH)
            .map(|event| format!("{{\"sender\":{number},\"event\":{event}}}"))
            .collect();
        next += BATCH;
        let kind = [("Content-Type", "application/x-ndjson")];
        if sender.send(&kind, events.join("\n").as_bytes()).status == 200 {
            acknowledged.extend(events);
            taken.fetch_add(BATCH, Ordering::SeqCst);
        } else {
            // Nobody is there, and the processor is for whoever starts.
            Clock::system().block(Duration::from_millis(20));
        }
    }
    acknowledged
}

#[test]
fn what_was_acknowledged_is_in_kafka_whenever_the_collector_is_killed() {
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
    let stored: BTreeSet<String> = topic
        .consume()
        .into_iter()
        .map(|record| String::from_utf8(record.value.expect("a value")).expect("text"))
        .collect();
    assert!(acknowledged.len() > 300);
    let lost: Vec<&String> = acknowledged
        .iter()
        .filter(|event| !stored.contains(*event))
        .collect();
    assert!(
        lost.is_empty(),
        "{} were lost: {:?}",
        lost.len(),
        lost.first()
    );
}
