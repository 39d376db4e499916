//! What becomes of batches, on an embedded broker.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::*;
use crate::error::ErrorKind;
use crate::kafka::EmbeddedBroker;

fn record(value: &[u8]) -> Outgoing<'_> {
    Outgoing {
        topic: "t",
        partition: None,
        key: None,
        value: Some(value),
        headers: &[],
        timestamp_ms: None,
    }
}

async fn send(producer: &BatchProducer, values: &[&[u8]]) -> Vec<(usize, Error)> {
    let mut batch = producer.begin("t", values.len()).unwrap();
    for value in values {
        batch.add(&record(value)).await;
    }
    batch.finish().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_answered_once_and_what_failed_is_named() {
    let broker = EmbeddedBroker::start().unwrap();
    broker.create_topic("t", 2).unwrap();
    let config = broker.config().with("message.max.bytes", "1000");
    let producer = BatchProducer::new(&config, Clock::system()).unwrap();
    assert!(send(&producer, &[b"1", b"2", b"3"]).await.is_empty());
    assert!(send(&producer, &[]).await.is_empty());
    let large = [b'x'; 2_000];
    let failed = send(&producer, &[b"1", &large, b"3"]).await;
    assert_eq!(failed.len(), 1);
    assert_eq!(failed[0].0, 1);
    assert!(failed[0].1.says_too_large(), "{}", failed[0].1);
    // Whoever stops in the middle leaves nothing behind.
    let mut batch = producer.begin("t", 3).unwrap();
    batch.add(&record(b"1")).await;
    let client = Arc::clone(&batch.client);
    drop(batch);
    assert!(send(&producer, &[b"1"]).await.is_empty());
    client.flush(Duration::from_secs(60)).unwrap();
    let slots = client.context().lock();
    assert_eq!(slots.free.len(), slots.all.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_client_is_replaced_and_what_it_had_is_told_to_come_again() {
    let broker = EmbeddedBroker::start().unwrap();
    broker.create_topic("t", 1).unwrap();
    // Nothing is sent before it breaks.
    let config = broker.config().with("linger.ms", "100000");
    let clock = Clock::manual(0);
    let producer = BatchProducer::new(&config, clock.clone()).unwrap();
    let mut under_way = producer.begin("t", 1).unwrap();
    under_way.add(&record(b"1")).await;
    clock.advance(MADE_AT_MOST_EVERY);
    producer.break_client();
    let failed = under_way.finish().await.unwrap();
    assert_eq!(
        failed[0].1.kind(),
        ErrorKind::Unavailable,
        "{}",
        failed[0].1
    );
    let client = |producer: &BatchProducer| Arc::as_ptr(&producer.client());
    let second = client(&producer);
    assert_eq!(client(&producer), second, "one is enough");
    // What breaks at once isn't replaced at once, and takes nothing.
    producer.break_client();
    assert_eq!(client(&producer), second);
    let failed = send(&producer, &[b"2"]).await;
    assert_eq!(
        failed[0].1.kind(),
        ErrorKind::Unavailable,
        "{}",
        failed[0].1
    );
    clock.advance(MADE_AT_MOST_EVERY);
    let third = producer.begin("t", 1).unwrap();
    assert!(third.client.client().fatal_error().is_none());
}

#[test]
fn a_broken_clients_records_come_again_but_for_those_that_are_too_large() {
    let broken = Some((RDKafkaErrorCode::OutOfOrderSequenceNumber, "gap".to_owned()));
    let kind = |code, broken| {
        let error = KafkaError::MessageProduction(code);
        told_of("t", error, broken).kind()
    };
    use RDKafkaErrorCode::{Fatal, MessageSizeTooLarge, PurgeQueue};
    assert_eq!(kind(PurgeQueue, &broken), ErrorKind::Unavailable);
    assert_eq!(kind(Fatal, &broken), ErrorKind::Unavailable);
    assert_eq!(kind(MessageSizeTooLarge, &broken), ErrorKind::Invalid);
    assert_eq!(kind(MessageSizeTooLarge, &None), ErrorKind::Invalid);
}
