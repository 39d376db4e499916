//! Questions about topics: their ids, partitions, log starts and ends, a group's offsets.
//!
//! One client of its own, without a group, so that asking never disturbs a consumer. It sees the
//! log as it is (read_uncommitted): log ends are high watermarks.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

use eddy_engine::{Clock, TopicId};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::metadata::MetadataBroker;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use crate::error::{Error, ErrorKind, Result};
use crate::kafka::client::ClientLog;
use crate::kafka::config::KafkaConfig;
use crate::kafka::group::{self, Assignments};
use crate::kafka::native;

/// How long one question may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A client that asks. Its calls block; in async code use `spawn_blocking`.
pub struct Admin {
    consumer: BaseConsumer<ClientLog>,
    config: KafkaConfig,
    clock: Clock,
    /// The broker that answers descriptions; below zero until it is known.
    broker: AtomicI32,
}

/// What the broker says about a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicDescription {
    /// The topic's name.
    pub name: String,
    /// The topic's id, or where the broker has none a stand-in made of the name: such a broker
    /// can't tell a topic from its successor of the same name (P1).
    pub id: TopicId,
    /// The number of partitions.
    pub partitions: i32,
}

/// The ends of a partition's log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Watermarks {
    /// The first offset that the broker still has.
    pub start: i64,
    /// The next offset that it will give out.
    pub end: i64,
}

impl Admin {
    /// Makes the client; it connects at the first question.
    ///
    /// # Errors
    /// `Invalid` for a configuration that librdkafka refuses.
    pub fn new(config: &KafkaConfig, clock: Clock) -> Result<Self> {
        let mut client = config.client()?;
        client.remove("group.id");
        client.remove("group.instance.id");
        client.set("isolation.level", "read_uncommitted");
        client.set("allow.auto.create.topics", "false");
        let log = ClientLog::new(clock.clone(), "admin");
        let consumer = client
            .create_with_context(log)
            .map_err(|error| Error::kafka("the Kafka client can't be made", error))?;
        Ok(Self {
            consumer,
            config: config.clone(),
            clock,
            broker: AtomicI32::new(-1),
        })
    }

    /// Every topic of the cluster but Kafka's own, with its number of partitions.
    ///
    /// # Errors
    /// `Unavailable` when no broker answers.
    pub fn topics(&self) -> Result<BTreeMap<String, i32>> {
        let mut topics = self.all_topics()?;
        topics.retain(|topic, _| !is_internal(topic));
        Ok(topics)
    }

    /// Every topic of the cluster, Kafka's own too, with its number of partitions.
    ///
    /// # Errors
    /// `Unavailable` when no broker answers.
    pub(crate) fn all_topics(&self) -> Result<BTreeMap<String, i32>> {
        self.write_log();
        let metadata = self
            .consumer
            .fetch_metadata(None, TIMEOUT)
            .map_err(|error| self.failed("the topics can't be listed", error))?;
        Ok(metadata
            .topics()
            .iter()
            .filter(|topic| topic.error().is_none())
            .map(|topic| (topic.name().to_owned(), count(topic.partitions().len())))
            .collect())
    }

    /// The cluster's own id, if the broker tells it.
    pub fn cluster_id(&self) -> Option<String> {
        self.consumer.client().fetch_cluster_id(TIMEOUT)
    }

    /// Describes topics, ids included.
    ///
    /// # Errors
    /// `NotFound` naming the topic that doesn't exist; `Unavailable` when the broker doesn't
    /// answer.
    pub fn describe(&self, topics: &[&str]) -> Result<Vec<TopicDescription>> {
        self.describe_within(topics, TIMEOUT)
    }

    pub(crate) fn describe_within(
        &self,
        topics: &[&str],
        timeout: Duration,
    ) -> Result<Vec<TopicDescription>> {
        self.write_log();
        if topics.is_empty() {
            return Ok(Vec::new());
        }
        let broker = self.broker(timeout)?;
        let client = self.consumer.client();
        let answers =
            native::describe_topics(client, broker, topics, timeout).map_err(|(code, text)| {
                // The next attempt looks for a broker that is there.
                self.broker.store(-1, Ordering::Relaxed);
                let error = KafkaError::AdminOp(code);
                self.failed(&format!("the topics can't be described ({text})"), error)
            })?;
        answers.into_iter().map(described).collect()
    }

    /// A broker that is there. Asking one by its id spares the wait for the cluster's controller,
    /// which the embedded broker lacks.
    pub(super) fn broker(&self, timeout: Duration) -> Result<i32> {
        let known = self.broker.load(Ordering::Relaxed);
        if known >= 0 {
            return Ok(known);
        }
        let metadata = self
            .consumer
            .fetch_metadata(None, timeout)
            .map_err(|error| self.failed("no broker answers", error))?;
        let mut brokers = metadata.brokers().iter().map(MetadataBroker::id);
        let answered = metadata.orig_broker_id();
        let broker = brokers
            .clone()
            .find(|id| *id == answered)
            .or_else(|| brokers.next());
        let broker = broker.ok_or_else(|| Error::unavailable("the cluster names no broker"))?;
        self.broker.store(broker, Ordering::Relaxed);
        Ok(broker)
    }

    /// Log start and end of partitions `0..partitions`.
    ///
    /// # Errors
    /// `NotFound` when the topic or a partition doesn't exist, `Unavailable` without an answer.
    pub fn watermarks(&self, topic: &str, partitions: &[i32]) -> Result<BTreeMap<i32, Watermarks>> {
        let starts = self.offsets_at(topic, partitions, Offset::Beginning)?;
        let ends = self.offsets_at(topic, partitions, Offset::End)?;
        Ok(starts
            .into_iter()
            .filter_map(|(partition, start)| {
                let end = *ends.get(&partition)?;
                Some((partition, Watermarks { start, end }))
            })
            .collect())
    }

    /// The first offset whose record is not older than `timestamp_ms`, per partition; the log end
    /// where there is none.
    ///
    /// # Errors
    /// As [`Admin::watermarks`].
    pub fn offsets_for_time(
        &self,
        topic: &str,
        partitions: &[i32],
        timestamp_ms: i64,
    ) -> Result<BTreeMap<i32, i64>> {
        self.offsets_at(topic, partitions, Offset::Offset(timestamp_ms.max(0)))
    }

    /// The offsets that `group` has committed for `topic`; partitions without one are left out.
    ///
    /// # Errors
    /// `Unavailable` when the group's coordinator doesn't answer.
    pub fn committed(
        &self,
        group: &str,
        topic: &str,
        partitions: &[i32],
    ) -> Result<BTreeMap<i32, i64>> {
        let member = self.member(group)?;
        let mut list = TopicPartitionList::with_capacity(partitions.len());
        for partition in partitions {
            list.add_partition(topic, *partition);
        }
        let list = member
            .committed_offsets(list, TIMEOUT)
            .map_err(|error| self.failed(&format!("the offsets of group `{group}`"), error))?;
        Ok(list
            .elements()
            .iter()
            .filter_map(|element| match element.offset() {
                Offset::Offset(offset) if offset >= 0 => Some((element.partition(), offset)),
                _ => None,
            })
            .collect())
    }

    /// Commits offsets in the name of `group`, which must have no members. `false`: it has some.
    ///
    /// # Errors
    /// `Unavailable` when the group's coordinator doesn't answer.
    pub fn commit(&self, group: &str, offsets: &[(&str, i32, i64)]) -> Result<bool> {
        if offsets.is_empty() {
            return Ok(true);
        }
        let doing = || format!("the offsets of group `{group}` can't be committed");
        let member = self.member(group)?;
        let mut list = TopicPartitionList::with_capacity(offsets.len());
        for (topic, partition, offset) in offsets {
            list.add_partition_offset(topic, *partition, Offset::Offset(*offset))
                .map_err(|error| Error::kafka(doing(), error))?;
        }
        match member.commit(&list, CommitMode::Sync) {
            Ok(()) => Ok(true),
            Err(error) => match error.rdkafka_error_code() {
                Some(
                    RDKafkaErrorCode::UnknownMemberId
                    | RDKafkaErrorCode::IllegalGeneration
                    | RDKafkaErrorCode::RebalanceInProgress,
                ) => Ok(false),
                _ => Err(self.failed(&doing(), error)),
            },
        }
    }

    /// A client in the name of `group` that never joins it.
    fn member(&self, group: &str) -> Result<BaseConsumer<ClientLog>> {
        let mut client = self.config.client()?;
        client.remove("group.instance.id");
        client.set("group.id", group);
        client.set("enable.auto.commit", "false");
        let log = ClientLog::new(self.clock.clone(), "group offsets");
        client
            .create_with_context(log)
            .map_err(|error| Error::kafka("the Kafka client can't be made", error))
    }

    /// Who of `group` reads what; `None` while it rebalances or nobody can tell.
    pub(crate) fn assignments(&self, group: &str) -> Option<Assignments> {
        group::assignments(&self.consumer, group)
    }

    fn offsets_at(
        &self,
        topic: &str,
        partitions: &[i32],
        at: Offset,
    ) -> Result<BTreeMap<i32, i64>> {
        self.write_log();
        if partitions.is_empty() {
            return Ok(BTreeMap::new());
        }
        let doing = || format!("the offsets of topic `{topic}` can't be read");
        let mut list = TopicPartitionList::with_capacity(partitions.len());
        for partition in partitions {
            list.add_partition_offset(topic, *partition, at)
                .map_err(|error| Error::kafka(doing(), error))?;
        }
        let list = self
            .consumer
            .offsets_for_times(list, TIMEOUT)
            .map_err(|error| self.failed(&doing(), error))?;
        let mut offsets = BTreeMap::new();
        for element in list.elements() {
            element
                .error()
                .map_err(|error| Error::kafka(doing(), error))?;
            let offset = match element.offset() {
                Offset::Offset(offset) => offset,
                // Nothing that young: whoever asks for a time goes on at the end.
                _ => self.end_of(topic, element.partition())?,
            };
            offsets.insert(element.partition(), offset);
        }
        Ok(offsets)
    }

    fn end_of(&self, topic: &str, partition: i32) -> Result<i64> {
        self.consumer
            .fetch_watermarks(topic, partition, TIMEOUT)
            .map(|(_, end)| end)
            .map_err(|error| self.failed(&format!("the end of topic `{topic}`"), error))
    }

    fn failed(&self, doing: &str, error: KafkaError) -> Error {
        self.write_log();
        let servers = self.config.bootstrap_servers().unwrap_or_default();
        Error::kafka(format!("{doing} at `{servers}`"), error)
    }

    /// librdkafka's log lines wait in the client's queue until somebody polls it.
    fn write_log(&self) {
        for _ in 0..32 {
            self.consumer.poll(Duration::ZERO);
        }
    }
}

/// Whether a topic is one in which Kafka keeps its own state. Others' names may begin like theirs.
pub(crate) fn is_internal(topic: &str) -> bool {
    const INTERNAL: [&str; 4] = [
        "__consumer_offsets",
        "__transaction_state",
        "__share_group_state",
        "__cluster_metadata",
    ];
    INTERNAL.contains(&topic)
}

/// What librdkafka says about one topic.
#[derive(Debug)]
pub(super) struct Description {
    pub(super) name: String,
    pub(super) error: Option<(RDKafkaErrorCode, String)>,
    /// None, empty or all zeroes when the broker has no topic ids.
    pub(super) id: Option<String>,
    pub(super) partitions: usize,
}

/// The id that stands for none (KIP-516).
const ZERO_ID: &str = "AAAAAAAAAAAAAAAAAAAAAA";

fn described(answer: Description) -> Result<TopicDescription> {
    if let Some((code, text)) = answer.error {
        let kind = match code {
            RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic => {
                ErrorKind::NotFound
            }
            RDKafkaErrorCode::TopicAuthorizationFailed => ErrorKind::Invalid,
            _ => ErrorKind::Unavailable,
        };
        let message = format!("topic `{}` can't be described: {text}", answer.name);
        return Err(Error::new(kind, message));
    }
    let id = answer
        .id
        .filter(|id| !id.is_empty() && id.trim_end_matches('=') != ZERO_ID)
        .unwrap_or_else(|| format!("name:{}", answer.name));
    Ok(TopicDescription {
        id: TopicId::new(id),
        partitions: count(answer.partitions),
        name: answer.name,
    })
}

fn count(partitions: usize) -> i32 {
    i32::try_from(partitions).unwrap_or(i32::MAX)
}
