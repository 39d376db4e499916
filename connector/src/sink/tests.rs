//! Whole connectors, against the embedded broker and, where one runs, against real Kafka.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::collections::BTreeMap;
use std::time::Duration;

use eddy_engine::read::{Account, Snapshot, accounts};
use eddy_engine::testing::disk_lake;
use eddy_engine::{Clock, Lake, TopicId};

use crate::connect::{ConnectorConfig, Connectors, WorkerOptions};
use crate::kafka::{EmbeddedBroker, KafkaConfig, Outgoing, Producer, ProducerOptions};

fn connector(entries: &[(&str, &str)]) -> ConnectorConfig {
    let map: BTreeMap<String, String> = entries
        .iter()
        .map(|(key, value)| ((*key).into(), (*value).into()))
        .collect();
    ConnectorConfig::parse("sink", &map).unwrap()
}

fn start(lake: &Lake, kafka: &KafkaConfig, config: ConnectorConfig) -> Connectors {
    Connectors::start(lake, kafka, vec![config], &WorkerOptions::default()).unwrap()
}

/// Waits until `done`, at most a minute, and says what the connectors did meanwhile if it isn't.
async fn until(clock: &Clock, connectors: &Connectors, mut done: impl FnMut() -> bool) {
    let deadline = clock.monotonic() + Duration::from_secs(60);
    while !done() {
        let late = clock.monotonic() > deadline;
        assert!(!late, "not in time: {:#?}", connectors.status());
        clock.sleep(Duration::from_millis(20)).await;
    }
}

async fn produce(kafka: &KafkaConfig, topic: &str, records: std::ops::Range<usize>) {
    let producer = Producer::new(kafka, ProducerOptions::default(), Clock::system()).unwrap();
    let mut sent = Vec::new();
    for number in records {
        let value = format!("{{\"number\": {number}, \"user\": {{\"name\": \"ann\"}}}}");
        let key = number.to_string();
        let record = Outgoing {
            topic,
            partition: None,
            key: Some(key.as_bytes()),
            value: Some(value.as_bytes()),
            headers: &[("h", Some(b"v")), ("h", None)],
            timestamp_ms: None,
        };
        sent.push(producer.send(&record).await.unwrap());
    }
    for delivery in sent {
        delivery.wait().await.unwrap();
    }
}

async fn stored(lake: &Lake, topic: &str) -> BTreeMap<(TopicId, i32), Account> {
    let table = lake.table("topics", topic);
    let task = {
        let (lake, table) = (lake.clone(), table.clone());
        tokio::task::spawn_blocking(move || Snapshot::load(&lake, &table, None))
    };
    match task.await.unwrap().unwrap() {
        Some(snapshot) => accounts(lake, &table, &snapshot).await.unwrap(),
        None => BTreeMap::new(),
    }
}

fn rows(accounts: &BTreeMap<(TopicId, i32), Account>) -> u64 {
    assert!(
        accounts.values().all(|account| account.doubled.is_empty()),
        "{accounts:?}"
    );
    accounts.values().map(|account| account.rows).sum()
}

async fn stop(connectors: Connectors) {
    tokio::task::spawn_blocking(move || connectors.stop(Duration::from_secs(30)))
        .await
        .unwrap()
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn records_land_once_across_a_restart_and_live_rows_come_first() {
    let broker = EmbeddedBroker::start().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::system();
    let lake = disk_lake(folder.path(), clock.clone());
    broker.create_topic("orders", 3).unwrap();
    let config = || connector(&[("topics", "orders"), ("flush.interval.ms", "600000")]);
    let connectors = start(&lake, &broker.config(), config());
    produce(&broker.config(), "orders", 0..1_000).await;
    let table = lake.table("topics", "orders");
    until(&clock, &connectors, || {
        let live = lake.live().batches(&table);
        live.iter()
            .map(|batch| batch.batch.num_rows())
            .sum::<usize>()
            == 1_000
    })
    .await;
    assert_eq!(
        rows(&stored(&lake, "orders").await),
        0,
        "nothing is cut yet"
    );
    stop(connectors).await;
    assert_eq!(rows(&stored(&lake, "orders").await), 1_000);

    let connectors = start(&lake, &broker.config(), config());
    produce(&broker.config(), "orders", 1_000..1_500).await;
    let consumed = |connectors: &Connectors| {
        let status = connectors.status();
        let tasks = status.iter().flat_map(|connector| &connector.tasks);
        tasks
            .flat_map(|task| &task.partitions)
            .filter_map(|p| p.position)
            .sum::<i64>()
    };
    until(&clock, &connectors, || consumed(&connectors) == 1_500).await;
    stop(connectors).await;
    assert_eq!(rows(&stored(&lake, "orders").await), 1_500);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_made_later_is_picked_up_within_ten_seconds() {
    let broker = EmbeddedBroker::start().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::system();
    let lake = disk_lake(folder.path(), clock.clone());
    let config = connector(&[
        ("topics.regex", r"(?!skip)[a-z]+\.events"),
        ("flush.interval.ms", "200"),
    ]);
    let connectors = start(&lake, &broker.config(), config);
    broker.create_topic("skip.events", 1).unwrap();
    broker.create_topic("late.events", 2).unwrap();
    produce(&broker.config(), "late.events", 0..50).await;
    let began = clock.monotonic();
    until(&clock, &connectors, || {
        connectors.committed("late.events").values().sum::<i64>() == 50
    })
    .await;
    assert!(clock.monotonic() - began < Duration::from_secs(10));
    assert_eq!(connectors.status()[0].topics, ["late.events"]);
    stop(connectors).await;
    assert_eq!(rows(&stored(&lake, "late.events").await), 50);
}
