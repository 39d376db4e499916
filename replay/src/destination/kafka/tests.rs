//! The destination against librdkafka's mock cluster. What arrives byte for byte in a real Kafka
//! is shown by the integration tests.

#![allow(clippy::unwrap_used)]

use eddy_connector::kafka::EmbeddedBroker;
use eddy_engine::Header;

use super::*;
use crate::destination::Origin;

fn open(bootstrap_servers: &str, topic: &str, replay: &Options) -> Arc<dyn Destination> {
    let options = [("topic", topic), ("bootstrap.servers", bootstrap_servers)];
    let options: BTreeMap<_, _> = options
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into();
    let kind = Kafka::new(Clock::system());
    kind.validate(&options).unwrap();
    kind.open(&options, options.clone(), replay).unwrap()
}

fn record<'a>(partition: Option<i32>, key: Option<&'a [u8]>) -> Outgoing<'a> {
    Outgoing {
        origin: Origin {
            replay: "r",
            topic: "orders",
            topic_id: "id",
            partition: 0,
            offset: 0,
        },
        partition,
        timestamp_ms: Some(1),
        key,
        value: None,
        headers: &[],
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_tells_the_partitions_or_what_is_missing() {
    let broker = EmbeddedBroker::start().unwrap();
    broker.create_topic("target", 3).unwrap();
    let there = open(broker.bootstrap_servers(), "target", &Options::default());
    let checked = there.check().await.unwrap();
    assert_eq!(checked.topic.as_deref(), Some("target"));
    assert_eq!(checked.partitions, Some(3));
    assert_eq!(checked.target, "kafka topic `target`");
    let other = EmbeddedBroker::start().unwrap();
    other.create_topic("target", 3).unwrap();
    let elsewhere = open(other.bootstrap_servers(), "target", &Options::default());
    let elsewhere = elsewhere.check().await.unwrap();
    assert!(checked.cluster.is_some());
    assert_ne!(checked.cluster, elsewhere.cluster);
    let missing = open(broker.bootstrap_servers(), "missing", &Options::default());
    let error = missing.check().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    assert!(
        error.to_string().contains("`missing` does not exist"),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn records_land_in_order_where_they_are_sent_and_keys_where_java_puts_them() {
    let broker = EmbeddedBroker::start().unwrap();
    broker.create_topic("target", 3).unwrap();
    let target = open(broker.bootstrap_servers(), "target", &Options::default());
    let headers = [
        Header {
            name: "h",
            value: None,
        },
        Header {
            name: "h",
            value: Some(b""),
        },
        Header {
            name: "",
            value: Some(&[0xff, 0]),
        },
    ];
    let mut deliveries = Vec::new();
    for n in 0..30 {
        let outgoing = Outgoing {
            headers: &headers,
            timestamp_ms: (n % 2 == 0).then_some(1),
            value: (n % 3 == 0).then_some(b"".as_slice()),
            ..record(Some(n % 3), None)
        };
        deliveries.push(target.send(&outgoing).await.unwrap());
    }
    for (n, delivery) in (0..30).zip(deliveries) {
        let landed = delivery.await.unwrap();
        assert_eq!(landed.partition, Some(n % 3));
        assert_eq!(landed.offset, Some(i64::from(n / 3)));
    }
    let by_key = target.send(&record(None, Some(b"21"))).await.unwrap();
    assert_eq!(
        by_key.await.unwrap().partition,
        Some(murmur2_partition(b"21", 3))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn records_go_to_the_topic_that_the_replay_names_for_theirs() {
    let broker = EmbeddedBroker::start().unwrap();
    broker.create_topic("target", 1).unwrap();
    broker.create_topic("copy", 2).unwrap();
    let replay = |map: &str| {
        let given = BTreeMap::from([("topics".to_owned(), map.to_owned())]);
        Options::parse(&given).unwrap()
    };
    let servers = broker.bootstrap_servers();
    let target = open(servers, "target", &replay("orders:copy"));
    assert_eq!(target.target(), "kafka topic `target` (`orders` to `copy`)");
    let checked = target.check().await.unwrap();
    let there = [None, Some("copy")].map(|topic| checked.partitions_of(topic));
    assert_eq!(there, [Some(1), Some(2)]);
    // Each topic counts for itself, and one alone has the other partition.
    for (topic, partition, offset) in [
        ("orders", 0, 0),
        ("payments", 0, 0),
        ("payments", 0, 1),
        ("orders", 1, 0),
        ("orders", 0, 1),
    ] {
        let record = record(Some(partition), None);
        let origin = Origin {
            topic,
            ..record.origin
        };
        let sent = target.send(&Outgoing { origin, ..record }).await.unwrap();
        let landed = sent.await.unwrap();
        assert_eq!(
            (landed.partition, landed.offset),
            (Some(partition), Some(offset)),
            "{topic}"
        );
    }
    let missing = open(servers, "target", &replay("orders:copy, refunds:missing"));
    let error = missing.check().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(
        error.to_string().contains("`missing` does not exist"),
        "{error}"
    );
}

/// Kafka's default partitioner for a key, as its Java producer computes it.
fn murmur2_partition(key: &[u8], partitions: i32) -> i32 {
    let mut hash: u32 = 0x9747_b28c ^ u32::try_from(key.len()).unwrap();
    let mut chunks = key.chunks_exact(4);
    let mix = |k: u32| {
        let k = k.wrapping_mul(0x5bd1_e995);
        (k ^ (k >> 24)).wrapping_mul(0x5bd1_e995)
    };
    for chunk in &mut chunks {
        let k = u32::from_le_bytes(chunk.try_into().unwrap());
        hash = hash.wrapping_mul(0x5bd1_e995) ^ mix(k);
    }
    let rest = chunks.remainder();
    if !rest.is_empty() {
        for (at, byte) in rest.iter().enumerate() {
            hash ^= u32::from(*byte) << (8 * at);
        }
        hash = hash.wrapping_mul(0x5bd1_e995);
    }
    hash = (hash ^ (hash >> 13)).wrapping_mul(0x5bd1_e995);
    hash ^= hash >> 15;
    i32::try_from(hash & 0x7fff_ffff).unwrap() % partitions
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_is_too_large_is_refused_and_the_others_are_fine() {
    let broker = EmbeddedBroker::start().unwrap();
    broker.create_topic("target", 1).unwrap();
    let replay = Options {
        on_error: OnError::Skip,
        ..Options::default()
    };
    let target = open(broker.bootstrap_servers(), "target", &replay);
    let large = vec![0; 64 << 20];
    let outgoing = Outgoing {
        value: Some(&large),
        ..record(Some(0), None)
    };
    let error = target.send(&outgoing).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Rejected, "{error}");
    let fine = target.send(&record(Some(0), None)).await.unwrap();
    assert_eq!(fine.await.unwrap().offset, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_is_too_large_comes_again_in_smaller_ones_and_alone_it_is_refused() {
    let broker = EmbeddedBroker::start().unwrap();
    broker.create_topic("target", 1).unwrap();
    let options = [
        ("topic", "target"),
        ("bootstrap.servers", broker.bootstrap_servers()),
    ];
    let options = options.map(|(key, value)| (key.to_owned(), value.to_owned()));
    let options = BTreeMap::from(options);
    let kind = Kafka::new(Clock::system());
    let replay = Options {
        on_error: OnError::Skip,
        ..Options::default()
    };
    for (attempt, expected) in [
        (1, ErrorKind::Unavailable),
        (2, ErrorKind::Unavailable),
        (3, ErrorKind::Rejected),
    ] {
        let target = kind.open(&options, options.clone(), &replay).unwrap();
        broker.refuse_next_batch().unwrap();
        let sent = target.send(&record(Some(0), Some(b"k"))).await.unwrap();
        let error = sent.await.unwrap_err();
        assert_eq!(error.kind(), expected, "attempt {attempt}: {error}");
    }
}

#[test]
fn a_client_key_with_a_wrong_value_is_refused_when_it_is_written_down() {
    let options = [
        ("topic", "t"),
        ("bootstrap.servers", "h:1"),
        ("linger.ms", "soon"),
    ];
    let options = options
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into();
    let error = Kafka::new(Clock::system()).validate(&options).unwrap_err();
    assert!(error.to_string().contains("linger.ms"), "{error}");
}

#[test]
fn no_destination_makes_the_client_load_a_library() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("text.so");
    std::fs::write(&file, "no library").unwrap();
    let options = [
        ("topic", "t"),
        ("bootstrap.servers", "h:1"),
        ("plugin.library.paths", file.to_str().unwrap()),
    ];
    let options: BTreeMap<_, _> = options
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into();
    let kind = Kafka::new(Clock::system());
    let opened = kind.open(&options, options.clone(), &Options::default());
    for error in [kind.validate(&options).unwrap_err(), opened.err().unwrap()] {
        assert_eq!(error.kind(), ErrorKind::Invalid);
        let error = error.to_string();
        assert!(error.contains("`plugin.library.paths`"), "{error}");
        assert!(
            !error.contains("ELF") && !error.contains("text.so"),
            "{error}"
        );
    }
}

#[test]
fn another_topic_behind_the_same_reference_is_another_target() {
    let options = |topic: &str| -> BTreeMap<String, String> {
        [("topic", topic), ("bootstrap.servers", "h:1")]
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into()
    };
    let kind = Kafka::new(Clock::system());
    let target = |topic| {
        let written = options("${env:TOPIC}");
        let opened = kind.open(&written, options(topic), &Options::default());
        opened.unwrap().target()
    };
    assert_eq!(target("first"), target("first"));
    assert_ne!(target("first"), target("second"));
    assert!(target("first").starts_with("kafka topic `${env:TOPIC}` ("));
    assert!(!target("first").contains("first"));
}
