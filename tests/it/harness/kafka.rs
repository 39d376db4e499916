//! Topics of the real broker: made and deleted, records in byte for byte, records out as stored.
//!
//! The client here is a plain rdkafka one, so that what Eddy's own client does is checked by
//! another.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Header, Headers, Message, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord, Producer};
use rdkafka::{Offset, Timestamp, TopicPartitionList};

use super::services::services;
use super::wait::{PATIENCE, wait_for};
use super::{block_on, unique};

const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// How many records are in flight at once; order per partition is kept by the idempotent producer.
const WINDOW: usize = 20_000;

/// A topic of one test. It stays when the test ends: its name is never used again.
#[derive(Debug, Clone)]
pub struct Topic {
    pub name: String,
    pub partitions: i32,
}

/// A record to be produced.
#[derive(Debug, Clone, Default)]
pub struct Produce {
    pub partition: i32,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub headers: Vec<(String, Option<Vec<u8>>)>,
    /// `None`: the producer's clock. librdkafka takes 0 for "now", so the earliest is 1.
    pub timestamp_ms: Option<i64>,
}

/// A record as the broker has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    pub partition: i32,
    pub offset: i64,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub headers: Vec<(String, Option<Vec<u8>>)>,
    pub timestamp_ms: Option<i64>,
}

/// A group of Connect workers. Its topics go with it: their 64 partitions would burden the broker
/// for the rest of the run.
pub struct Group(pub String);

impl Drop for Group {
    fn drop(&mut self) {
        let topics = ["work", "configs", "status", "c", "o", "s"];
        let names = topics.map(|topic| format!("{}-{topic}", self.0));
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        // Those that aren't there, or were deleted with another worker, are no matter.
        let _ = block_on(admin().delete_topics(&names, &AdminOptions::new()));
    }
}

impl Topic {
    /// A new topic whose name begins with `prefix`.
    pub fn create(prefix: &str, partitions: i32) -> Self {
        Self::named(&unique(prefix), partitions, &[])
    }

    /// A new topic of exactly this name, with broker settings such as `cleanup.policy`.
    pub fn named(name: &str, partitions: i32, settings: &[(&str, &str)]) -> Self {
        let mut topic = NewTopic::new(name, partitions, TopicReplication::Fixed(1));
        for (key, value) in settings {
            topic = topic.set(key, value);
        }
        let options = AdminOptions::new().operation_timeout(Some(REQUEST_TIMEOUT));
        let results = block_on(admin().create_topics(&[topic], &options)).expect("an answer");
        results[0].as_ref().expect("the topic is made");
        let topic = Self {
            name: name.to_owned(),
            partitions,
        };
        wait_for(PATIENCE, "the new topic has leaders", || {
            topic.has_leaders()
        });
        topic
    }

    /// Deletes it, and waits until the broker doesn't list it any more.
    pub fn delete(&self) {
        let options = AdminOptions::new().operation_timeout(Some(REQUEST_TIMEOUT));
        let results = block_on(admin().delete_topics(&[&self.name], &options)).expect("an answer");
        results[0].as_ref().expect("the topic is deleted");
        wait_for(PATIENCE, "the topic is gone", || {
            let metadata = consumer("read_committed")
                .fetch_metadata(None, REQUEST_TIMEOUT)
                .ok()?;
            let listed = metadata
                .topics()
                .iter()
                .any(|topic| topic.name() == self.name);
            (!listed).then_some(())
        });
    }

    /// Adds partitions, up to `partitions` in all.
    pub fn grow(&mut self, partitions: i32) {
        let count = usize::try_from(partitions).expect("a positive count");
        let more = rdkafka::admin::NewPartitions::new(&self.name, count);
        let results = block_on(admin().create_partitions(&[more], &AdminOptions::new()));
        results.expect("an answer")[0]
            .as_ref()
            .expect("the partitions are made");
        self.partitions = partitions;
        wait_for(PATIENCE, "the new partitions have leaders", || {
            self.has_leaders()
        });
    }

    /// Deletes the records below these offsets, as retention would.
    pub fn delete_below(&self, offsets: &[(i32, i64)]) {
        let mut list = TopicPartitionList::new();
        for (partition, offset) in offsets {
            list.add_partition_offset(&self.name, *partition, Offset::Offset(*offset))
                .expect("an offset");
        }
        block_on(admin().delete_records(&list, &AdminOptions::new())).expect("an answer");
    }

    /// Produces the records and waits until the broker has acknowledged all of them. The answer is
    /// each record's (partition, offset), in the order given.
    pub fn produce(&self, records: &[Produce]) -> Vec<(i32, i64)> {
        let producer = producer(&[]);
        block_on(send(&producer, &self.name, records))
    }

    /// Values without key, spread over the partitions round robin.
    pub fn produce_values<V: AsRef<[u8]>>(&self, values: &[V]) -> Vec<(i32, i64)> {
        let partitions = usize::try_from(self.partitions).expect("a positive count");
        let records: Vec<Produce> = values
            .iter()
            .enumerate()
            .map(|(number, value)| Produce {
                partition: i32::try_from(number % partitions).expect("a partition"),
                value: Some(value.as_ref().to_vec()),
                ..Produce::default()
            })
            .collect();
        self.produce(&records)
    }

    /// Produces the records in one transaction, and commits or aborts it.
    pub fn produce_transaction(&self, records: &[Produce], commit: bool) -> Vec<(i32, i64)> {
        let producer = producer(&[("transactional.id", &unique("transaction"))]);
        producer
            .init_transactions(REQUEST_TIMEOUT)
            .expect("transactions");
        producer.begin_transaction().expect("a transaction");
        let offsets = block_on(send(&producer, &self.name, records));
        if commit {
            producer
                .commit_transaction(REQUEST_TIMEOUT)
                .expect("a commit");
        } else {
            producer
                .abort_transaction(REQUEST_TIMEOUT)
                .expect("an abort");
        }
        offsets
    }

    /// All records that are there now, as a read_committed consumer gets them, by partition and
    /// offset.
    pub fn consume(&self) -> Vec<Stored> {
        self.consume_as("read_committed")
    }

    /// All records, those of aborted transactions too.
    pub fn consume_uncommitted(&self) -> Vec<Stored> {
        self.consume_as("read_uncommitted")
    }

    /// The half-open range of offsets that the broker has of each partition.
    pub fn watermarks(&self) -> BTreeMap<i32, (i64, i64)> {
        self.watermarks_as("read_uncommitted")
    }

    /// The same up to the first record of a transaction that is still open.
    pub fn stable_watermarks(&self) -> BTreeMap<i32, (i64, i64)> {
        self.watermarks_as("read_committed")
    }

    fn watermarks_as(&self, isolation: &str) -> BTreeMap<i32, (i64, i64)> {
        let consumer = consumer(isolation);
        (0..self.partitions)
            .map(|partition| {
                let range = consumer.fetch_watermarks(&self.name, partition, REQUEST_TIMEOUT);
                (partition, range.expect("watermarks"))
            })
            .collect()
    }

    /// What the consumer group has committed; partitions without an offset are left out.
    pub fn group_offsets(&self, group: &str) -> BTreeMap<i32, i64> {
        let consumer: BaseConsumer = configuration()
            .set("group.id", group)
            .create()
            .expect("a consumer");
        let mut list = TopicPartitionList::new();
        list.add_partition_range(&self.name, 0, self.partitions - 1);
        let committed = consumer.committed_offsets(list, REQUEST_TIMEOUT);
        let committed = committed.expect("the group's offsets");
        let elements = committed.elements();
        elements
            .iter()
            .filter_map(|element| match element.offset() {
                Offset::Offset(offset) => Some((element.partition(), offset)),
                _ => None,
            })
            .collect()
    }

    /// Commits next offsets in the name of a group without members.
    pub fn commit_group(&self, group: &str, offsets: &[(i32, i64)]) {
        let consumer: BaseConsumer = configuration()
            .set("group.id", group)
            .create()
            .expect("a consumer");
        let mut list = TopicPartitionList::new();
        for (partition, offset) in offsets {
            list.add_partition_offset(&self.name, *partition, Offset::Offset(*offset))
                .expect("an offset");
        }
        let committed = consumer.commit(&list, CommitMode::Sync);
        committed.expect("the group's offsets are committed");
    }

    fn has_leaders(&self) -> Option<()> {
        let metadata = consumer("read_committed")
            .fetch_metadata(Some(&self.name), REQUEST_TIMEOUT)
            .ok()?;
        let partitions = metadata.topics().first()?.partitions();
        let led = partitions
            .iter()
            .filter(|partition| partition.leader() >= 0);
        (led.count() == usize::try_from(self.partitions).ok()?).then_some(())
    }

    fn consume_as(&self, isolation: &str) -> Vec<Stored> {
        let consumer = consumer(isolation);
        let mut list = TopicPartitionList::new();
        for partition in 0..self.partitions {
            list.add_partition_offset(&self.name, partition, Offset::Beginning)
                .expect("an offset");
        }
        consumer.assign(&list).expect("an assignment");
        let mut open: BTreeSet<i32> = (0..self.partitions).collect();
        let mut records = Vec::new();
        while !open.is_empty() {
            match consumer.poll(REQUEST_TIMEOUT) {
                Some(Ok(message)) => records.push(stored(&message)),
                Some(Err(KafkaError::PartitionEOF(partition))) => {
                    open.remove(&partition);
                }
                Some(Err(error)) => panic!("`{}` can't be read: {error}", self.name),
                None => panic!("`{}` gave nothing for {REQUEST_TIMEOUT:?}", self.name),
            }
        }
        records.sort_by_key(|record| (record.partition, record.offset));
        records
    }
}

/// The names of all topics.
pub fn topics() -> BTreeSet<String> {
    let metadata = consumer("read_committed").fetch_metadata(None, REQUEST_TIMEOUT);
    let metadata = metadata.expect("the broker's topics");
    let names = metadata
        .topics()
        .iter()
        .map(|topic| topic.name().to_owned());
    names.collect()
}

/// How many members the group has, and its state (`Stable`, `PreparingRebalance`, ...).
pub fn group(name: &str) -> Option<(usize, String)> {
    let groups = consumer("read_committed")
        .fetch_group_list(Some(name), REQUEST_TIMEOUT)
        .ok()?;
    let group = groups.groups().iter().find(|group| group.name() == name)?;
    Some((group.members().len(), group.state().to_owned()))
}

async fn send(producer: &FutureProducer, topic: &str, records: &[Produce]) -> Vec<(i32, i64)> {
    let mut placed = Vec::with_capacity(records.len());
    for window in records.chunks(WINDOW) {
        let mut waiting = Vec::with_capacity(window.len());
        for record in window {
            waiting.push(enqueue(producer, topic, record).await);
        }
        for delivery in waiting {
            let delivery = delivery.await.expect("the producer lives");
            let delivery = delivery.map_err(|(error, _)| error);
            let delivery = delivery.expect("the broker takes the record");
            placed.push((delivery.partition, delivery.offset));
        }
    }
    placed
}

/// Hands a record over; a full queue is emptied by its own deliveries meanwhile.
async fn enqueue(
    producer: &FutureProducer,
    topic: &str,
    record: &Produce,
) -> rdkafka::producer::DeliveryFuture {
    let mut headers = OwnedHeaders::new();
    for (key, value) in &record.headers {
        let value = value.as_deref();
        headers = headers.insert(Header { key, value });
    }
    let mut future: FutureRecord<'_, [u8], [u8]> =
        FutureRecord::to(topic).partition(record.partition);
    future.key = record.key.as_deref();
    future.payload = record.value.as_deref();
    future.timestamp = record.timestamp_ms;
    future.headers = (!record.headers.is_empty()).then_some(headers);
    loop {
        match producer.send_result(future) {
            Ok(delivery) => return delivery,
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                future = back;
                // The producer's own thread delivers; this only lets it have the processor.
                tokio::task::yield_now().await;
            }
            Err((error, _)) => panic!("a record can't be produced to `{topic}`: {error}"),
        }
    }
}

fn stored(message: &BorrowedMessage<'_>) -> Stored {
    let headers = message.headers().map(|headers| {
        let pairs = headers
            .iter()
            .map(|header| (header.key.to_owned(), header.value.map(<[u8]>::to_vec)));
        pairs.collect()
    });
    Stored {
        partition: message.partition(),
        offset: message.offset(),
        key: message.key().map(<[u8]>::to_vec),
        value: message.payload().map(<[u8]>::to_vec),
        headers: headers.unwrap_or_default(),
        timestamp_ms: match message.timestamp() {
            Timestamp::NotAvailable => None,
            Timestamp::CreateTime(ms) | Timestamp::LogAppendTime(ms) => Some(ms),
        },
    }
}

fn configuration() -> ClientConfig {
    let mut configuration = ClientConfig::new();
    configuration.set("bootstrap.servers", &services().kafka);
    configuration
}

fn admin() -> AdminClient<DefaultClientContext> {
    configuration().create().expect("an admin client")
}

fn consumer(isolation: &str) -> BaseConsumer {
    configuration()
        // Never joined, but librdkafka wants a name.
        .set("group.id", "eddy-test-reader")
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .set("isolation.level", isolation)
        .set("fetch.message.max.bytes", "33554432")
        .set("receive.message.max.bytes", "100000000")
        .set("fetch.wait.max.ms", "50")
        .create()
        .expect("a consumer")
}

fn producer(settings: &[(&str, &str)]) -> FutureProducer {
    let mut configuration = configuration();
    configuration
        .set("enable.idempotence", "true")
        .set("message.max.bytes", "33554432")
        .set("linger.ms", "5");
    for (key, value) in settings {
        configuration.set(*key, *value);
    }
    configuration.create().expect("a producer")
}
