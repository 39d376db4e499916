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

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};

mod failing;

use crate::connect::{ConnectorConfig, Connectors, Settled, WorkerOptions};
use crate::kafka::{EmbeddedBroker, KafkaConfig, Outgoing, Producer, ProducerOptions};

fn connector(entries: &[(&str, &str)]) -> ConnectorConfig {
    let map: BTreeMap<String, String> = entries
        .iter()
        .map(|(key, value)| ((*key).into(), (*value).into()))
        .collect();
    ConnectorConfig::parse("sink", &map).unwrap()
}

fn start(lake: &Lake, kafka: &KafkaConfig, config: ConnectorConfig) -> Connectors {
    let (own, lake) = (lake.clone(), lake.clone());
    let connectors = vec![Settled { config, lake }];
    Connectors::start(&own, kafka, connectors, &WorkerOptions::default()).unwrap()
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
        live.iter().map(|batch| batch.rows()).sum::<usize>() == 1_000
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

/// A new topic on real Kafka.
fn real(partitions: i32) -> (KafkaConfig, String) {
    let servers = std::env::var("EDDY_TEST_KAFKA").expect("run this through `make test`");
    let config = KafkaConfig::default().with("bootstrap.servers", servers.as_str());
    let topic = format!("connector-{}", Clock::system().new_id());
    let admin: AdminClient<DefaultClientContext> = ClientConfig::new()
        .set("bootstrap.servers", servers)
        .create()
        .unwrap();
    let new = NewTopic::new(&topic, partitions, TopicReplication::Fixed(1));
    let made = admin.create_topics([&new], &AdminOptions::new());
    futures::executor::block_on(made).unwrap()[0]
        .as_ref()
        .unwrap();
    (config, topic)
}

async fn transact(kafka: &KafkaConfig, topic: &str, commit: bool, records: usize) {
    let producer: BaseProducer = kafka
        .client_config()
        .set("transactional.id", Clock::system().new_id().to_string())
        .create()
        .unwrap();
    let (topic, timeout) = (topic.to_owned(), Duration::from_secs(20));
    tokio::task::spawn_blocking(move || {
        producer.init_transactions(timeout).unwrap();
        producer.begin_transaction().unwrap();
        for number in 0..records {
            let value = format!("{{\"transaction\": {number}}}");
            producer
                .send(BaseRecord::<(), _>::to(&topic).partition(0).payload(&value))
                .unwrap();
        }
        producer.flush(timeout).unwrap();
        match commit {
            true => producer.commit_transaction(timeout).unwrap(),
            false => producer.abort_transaction(timeout).unwrap(),
        }
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn aborted_and_control_records_move_the_position_and_are_explained_gaps() {
    let (kafka, topic) = real(1);
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::system();
    let lake = disk_lake(folder.path(), clock.clone());
    let config = connector(&[("topics", &topic), ("flush.interval.ms", "300")]);
    produce(&kafka, &topic, 0..10).await;
    transact(&kafka, &topic, true, 5).await;
    transact(&kafka, &topic, false, 7).await;
    let connectors = start(&lake, &kafka, config);
    // 10 records, 5 and a commit marker, 7 aborted and an abort marker.
    until(&clock, &connectors, || {
        connectors.committed(&topic).get(&0) == Some(&24)
    })
    .await;
    stop(connectors).await;
    let table = lake.table("topics", &topic);
    let report = crate::verify(&lake, &table, &kafka, &clock).await.unwrap();
    assert!(report.clean(), "{report}");
    assert_eq!(report.rows(), 15, "{report}");
    assert_eq!(report.partitions[0].gaps_explained, 9, "{report}");
    assert_eq!(report.partitions[0].position, Some(24), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn tasks_come_and_go_under_load_and_nothing_is_lost_or_doubled() {
    let (kafka, topic) = real(4);
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::system();
    let lake = disk_lake(folder.path(), clock.clone());
    let config = || {
        connector(&[
            ("topics", &topic),
            ("flush.interval.ms", "200"),
            ("consumer.override.session.timeout.ms", "6000"),
            ("consumer.override.group.instance.id", ""),
        ])
    };
    let first = start(&lake, &kafka, config());
    produce(&kafka, &topic, 0..5_000).await;
    let second = start(&lake, &kafka, config());
    produce(&kafka, &topic, 5_000..10_000).await;
    until(&clock, &second, || !second.committed(&topic).is_empty()).await;
    produce(&kafka, &topic, 10_000..15_000).await;
    stop(first).await;
    produce(&kafka, &topic, 15_000..20_000).await;
    until(&clock, &second, || {
        second.committed(&topic).values().sum::<i64>() == 20_000
    })
    .await;
    stop(second).await;
    let table = lake.table("topics", &topic);
    let report = crate::verify(&lake, &table, &kafka, &clock).await.unwrap();
    assert!(report.clean() && report.rows() == 20_000, "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_made_again_stops_unless_the_policy_goes_on() {
    let (kafka, topic) = real(1);
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::system();
    let lake = disk_lake(folder.path(), clock.clone());
    let config = |policy: &str| {
        connector(&[
            ("topics", &topic),
            ("flush.interval.ms", "200"),
            ("topic.recreated", policy),
            ("consumer.override.session.timeout.ms", "6000"),
        ])
    };
    let connectors = start(&lake, &kafka, config("fail"));
    produce(&kafka, &topic, 0..100).await;
    until(&clock, &connectors, || {
        connectors.committed(&topic).get(&0) == Some(&100)
    })
    .await;
    stop(connectors).await;
    remake(&kafka, &topic).await;
    produce(&kafka, &topic, 0..150).await;

    let connectors = start(&lake, &kafka, config("fail"));
    let said = |connectors: &Connectors| {
        let status = connectors.status();
        let partitions = status[0].tasks[0].partitions.clone();
        partitions
            .first()
            .and_then(|partition| partition.error.clone())
            .unwrap_or_default()
    };
    until(&clock, &connectors, || {
        said(&connectors).contains("topic.recreated")
    })
    .await;
    stop(connectors).await;
    assert_eq!(rows(&stored(&lake, &topic).await), 100);

    let connectors = start(&lake, &kafka, config("new"));
    until(&clock, &connectors, || {
        connectors.committed(&topic).get(&0) == Some(&150)
    })
    .await;
    stop(connectors).await;
    assert_eq!(rows(&stored(&lake, &topic).await), 250);
}

async fn remake(kafka: &KafkaConfig, topic: &str) {
    let admin: AdminClient<DefaultClientContext> = kafka.client_config().create().unwrap();
    let options = AdminOptions::new().operation_timeout(Some(Duration::from_secs(10)));
    admin.delete_topics(&[topic], &options).await.unwrap()[0]
        .as_ref()
        .unwrap();
    let clock = Clock::system();
    let deadline = clock.monotonic() + Duration::from_secs(30);
    loop {
        let new = NewTopic::new(topic, 1, TopicReplication::Fixed(1));
        let made = admin.create_topics([&new], &options).await.unwrap();
        match &made[0] {
            Ok(_) => return,
            Err(error) => assert!(clock.monotonic() < deadline, "{error:?}"),
        }
        clock.sleep(Duration::from_millis(100)).await;
    }
}
