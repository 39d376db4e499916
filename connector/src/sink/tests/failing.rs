//! Records that fail, and those who should be told of them but don't answer: what waits, for how
//! long, and what is counted.

use super::{connector, real, rows, start, stop, stored, until};
use crate::connect::Connectors;
use crate::kafka::{EmbeddedBroker, KafkaConfig, Outgoing, Producer, ProducerOptions};
use crate::sink::{PartitionState, TaskState, TaskStatus};
use eddy_engine::Clock;
use eddy_engine::testing::disk_lake;

async fn send(kafka: &KafkaConfig, topic: &str, values: &[&str]) {
    let producer = Producer::new(kafka, ProducerOptions::default(), Clock::system()).unwrap();
    for value in values {
        let record = Outgoing {
            topic,
            partition: Some(0),
            key: None,
            value: Some(value.as_bytes()),
            headers: &[],
            timestamp_ms: None,
        };
        producer.send(&record).await.unwrap().wait().await.unwrap();
    }
}

fn task(connectors: &Connectors) -> TaskStatus {
    connectors.status()[0].tasks[0].clone()
}

/// A value in Confluent's frame, of a schema that nobody can be asked for.
const FRAMED: &str = "\0\0\0\0\u{1}x";

/// The keys of a connector whose registry is away.
fn without_registry(more: &[(&'static str, &'static str)]) -> Vec<(&'static str, &'static str)> {
    let mut keys = vec![
        ("topics", "orders"),
        ("flush.interval.ms", "100"),
        ("value.converter", "io.confluent.connect.avro.AvroConverter"),
        // Nobody listens on the port for echoes.
        ("value.converter.schema.registry.url", "http://127.0.0.1:7"),
        ("value.converter.max.retries", "0"),
        ("errors.retry.delay.max.ms", "50"),
    ];
    keys.extend_from_slice(more);
    keys
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_waits_for_its_schema_as_long_as_the_retry_timeout_says_and_then_it_has_failed() {
    let broker = EmbeddedBroker::start().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::system();
    let lake = disk_lake(folder.path(), clock.clone());
    broker.create_topic("orders", 1).unwrap();
    send(&broker.config(), "orders", &[FRAMED, FRAMED]).await;
    let keys = without_registry(&[("errors.retry.timeout", "200")]);
    let connectors = start(&lake, &broker.config(), connector(&keys));
    until(&clock, &connectors, || {
        connectors.committed("orders").get(&0) == Some(&2)
    })
    .await;
    let counted = || task(&connectors).measures.errors;
    until(&clock, &connectors, || counted().errors == 2).await;
    let errors = counted();
    assert_eq!((errors.skipped, errors.dead_letters), (2, 0));
    assert!(errors.retries >= 2, "{errors:?}");
    assert_eq!(errors.failures, errors.retries + 2);
    stop(connectors).await;
    assert_eq!(rows(&stored(&lake, "orders").await), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_timeout_a_record_waits_and_with_none_at_all_the_task_fails_without_tolerance() {
    let broker = EmbeddedBroker::start().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::system();
    let lake = disk_lake(folder.path(), clock.clone());
    broker.create_topic("orders", 1).unwrap();
    send(&broker.config(), "orders", &[FRAMED]).await;
    let connectors = start(&lake, &broker.config(), connector(&without_registry(&[])));
    until(&clock, &connectors, || {
        let task = task(&connectors);
        task.measures.errors.retries >= 5 && task.partitions[0].state == PartitionState::Waiting
    })
    .await;
    assert_eq!(task(&connectors).measures.errors.errors, 0);
    stop(connectors).await;
    assert_eq!(rows(&stored(&lake, "orders").await), 0);
    let keys = without_registry(&[
        ("errors.retry.timeout", "0"),
        ("errors.tolerance", "none"),
        ("restart.failed.tasks", "false"),
    ]);
    let connectors = start(&lake, &broker.config(), connector(&keys));
    until(&clock, &connectors, || {
        task(&connectors).state == TaskState::Failed
    })
    .await;
    let task = task(&connectors);
    let why = task.error.unwrap();
    assert!(why.contains("errors.retry.timeout"), "{why}");
    assert_eq!(
        (task.measures.errors.retries, task.measures.errors.errors),
        (0, 1)
    );
    stop(connectors).await;
}

/// The keys of a connector that tells a dead-letter topic.
fn telling<'k>(topic: &'k str, dead: &'k str) -> Vec<(&'k str, &'k str)> {
    vec![
        ("topics", topic),
        ("flush.interval.ms", "100"),
        ("errors.deadletterqueue.topic.name", dead),
        ("errors.deadletterqueue.topic.replication.factor", "1"),
        ("consumer.override.session.timeout.ms", "6000"),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_that_is_not_acknowledged_holds_the_commit_and_no_stop_and_comes_again() {
    let (kafka, topic) = real(1);
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::system();
    let lake = disk_lake(folder.path(), clock.clone());
    let dead = format!("dead-{topic}");
    let keys = telling(&topic, &dead);
    // The client keeps what it is to send for ten minutes, as if nobody answered.
    let mut slow = keys.clone();
    slow.push(("producer.override.linger.ms", "600000"));
    send(&kafka, &topic, &["{\"a\": 1}", "{", "{\"a\": 2}"]).await;
    let connectors = start(&lake, &kafka, connector(&slow));
    until(&clock, &connectors, || {
        let task = task(&connectors);
        let why = task.error.unwrap_or_default();
        task.state == TaskState::Held && why.contains("dead-letter")
    })
    .await;
    assert_eq!(connectors.committed(&topic).get(&0), Some(&0));
    stop(connectors).await;
    assert_eq!(rows(&stored(&lake, &topic).await), 0);

    let connectors = start(&lake, &kafka, connector(&keys));
    let committed = |to| connectors.committed(&topic).get(&0) == Some(&to);
    until(&clock, &connectors, || committed(3)).await;
    send(&kafka, &topic, &["{\"a\": 3}"]).await;
    until(&clock, &connectors, || committed(4)).await;
    let counted = || task(&connectors).measures.errors;
    until(&clock, &connectors, || counted().dead_letters == 1).await;
    assert_eq!(counted().dead_letters_failed, 0);
    stop(connectors).await;
    assert_eq!(rows(&stored(&lake, &topic).await), 4);
    let admin = crate::kafka::Admin::new(&kafka, clock).unwrap();
    let copies = tokio::task::spawn_blocking(move || admin.watermarks(&dead, &[0]));
    assert!(copies.await.unwrap().unwrap()[&0].end >= 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_of_a_batch_that_are_more_than_may_be_on_their_way_come_all() {
    let (kafka, topic) = real(1);
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::system();
    let lake = disk_lake(folder.path(), clock.clone());
    let dead = format!("dead-{topic}");
    let keys = telling(&topic, &dead);
    // 24 MB, and 16 MiB of copies may be on their way.
    let large = format!("{{{}", "x".repeat(800_000));
    send(&kafka, &topic, &[large.as_str(); 30]).await;
    let connectors = start(&lake, &kafka, connector(&keys));
    until(&clock, &connectors, || {
        connectors.committed(&topic).get(&0) == Some(&30)
    })
    .await;
    until(&clock, &connectors, || {
        task(&connectors).measures.errors.dead_letters == 30
    })
    .await;
    stop(connectors).await;
    assert_eq!(rows(&stored(&lake, &topic).await), 30);
}
