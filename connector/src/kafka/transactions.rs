//! Records that go out in transactions, each with marks of its writer in it: both are there, or
//! neither is.
//!
//! The marks are offsets of a consumer group that has the name of the transactions and no members.
//! An offset has a number and a text, and is kept for a partition of a topic that exists; here it
//! is the topic that is written, so that nothing has to be made in somebody's cluster. Kafka
//! forgets such offsets some time after the last one (`offsets.retention.minutes`, a week), and
//! with their topic.
//!
//! Whoever opens transactions of a name takes the place of whoever had them: what was begun before
//! is ended first, and what the former one sends or commits from then on is refused (`Fenced`).

use std::time::Duration;

use eddy_engine::Clock;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerGroupMetadata};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::Producer as _;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use crate::error::{Error, ErrorKind, Result};
use crate::kafka::client::ClientLog;
use crate::kafka::config::KafkaConfig;
use crate::kafka::producer::{Producer, ProducerOptions};

/// How long the broker may take for one step. Whatever takes longer is given up, and settled by
/// whoever opens the transactions next.
const STEP: Duration = Duration::from_secs(30);

/// Milliseconds. A transaction that nobody ends, since its process died, holds up readers of the
/// topic for this long at most. A record is not waited for longer either, as the client demands.
const TIMEOUT: &str = "60000";

/// A writer in transactions. Its calls block but for those of [`Transactions::producer`].
pub struct Transactions {
    producer: Producer,
    keeper: BaseConsumer<ClientLog>,
    group: ConsumerGroupMetadata,
    topic: String,
    clock: Clock,
}

/// What a transaction leaves for its writer's successor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptMark {
    /// The partition of the topic for which it is kept.
    pub partition: i32,
    /// A number from 0 on.
    pub number: i64,
    /// A text; how long it may be is the broker's matter (`offset.metadata.max.bytes`, 4096).
    pub text: String,
}

impl Transactions {
    /// Opens the transactions called `name` that write to `topic`.
    ///
    /// # Errors
    /// `Unavailable` without an answer; `Invalid` for a configuration that the client refuses, and
    /// where the cluster doesn't allow this name.
    pub fn open(
        config: &KafkaConfig,
        name: &str,
        topic: &str,
        options: ProducerOptions,
        clock: &Clock,
    ) -> Result<Self> {
        let doing = || format!("the transactions `{name}` can't be opened");
        let named = config.clone().with("transactional.id", name);
        let timeout = config.get("transaction.timeout.ms").unwrap_or(TIMEOUT);
        let limits = [
            ("transaction.timeout.ms", timeout),
            ("delivery.timeout.ms", timeout),
        ];
        let producer = Producer::with_defaults(&named, &limits, options, clock.clone())?;
        let opened = producer.client().init_transactions(STEP);
        opened.map_err(|error| explained(&doing(), error, producer.told_since(Duration::ZERO)))?;
        let mut client = config.client()?;
        client.remove("group.instance.id");
        client.set("group.id", name);
        client.set("enable.auto.commit", "false");
        // Marks of a transaction that is just ending are waited for.
        client.set("isolation.level", "read_committed");
        let log = ClientLog::new(clock.clone(), "marks");
        let keeper: BaseConsumer<ClientLog> = client
            .create_with_context(log)
            .map_err(|error| Error::kafka(doing(), error))?;
        let group = keeper
            .group_metadata()
            .ok_or_else(|| Error::new(ErrorKind::Internal, doing()))?;
        Ok(Self {
            producer,
            keeper,
            group,
            topic: topic.to_owned(),
            clock: clock.clone(),
        })
    }

    /// What takes the records; they are in the transaction that is open.
    pub fn producer(&self) -> &Producer {
        &self.producer
    }

    /// The marks of the last transaction that was committed, of partitions `0..partitions`.
    ///
    /// # Errors
    /// `Unavailable` when the group's coordinator doesn't answer; `Invalid` without the right to
    /// read them.
    pub fn marks(&self, partitions: i32) -> Result<Vec<KeptMark>> {
        let doing = || format!("the marks in topic `{}` can't be read", self.topic);
        let mut list = TopicPartitionList::new();
        for partition in 0..partitions {
            list.add_partition(&self.topic, partition);
        }
        let list = self.keeper.committed_offsets(list, STEP);
        let list = list.map_err(|error| Error::kafka(doing(), error))?;
        let mut marks = Vec::new();
        for element in list.elements() {
            let known = element.error();
            known.map_err(|error| Error::kafka(doing(), error))?;
            if let Offset::Offset(number) = element.offset() {
                marks.push(KeptMark {
                    partition: element.partition(),
                    number,
                    text: element.metadata().to_owned(),
                });
            }
        }
        Ok(marks)
    }

    /// Begins a transaction. Doesn't block.
    ///
    /// # Errors
    /// `Fenced` when somebody else opened them; `Unavailable` when they have to be opened anew.
    pub fn begin(&self) -> Result<()> {
        let begun = self.producer.client().begin_transaction();
        begun.map_err(|error| self.failed("can't be begun", error))
    }

    /// Commits the transaction, with these marks in it. After an error the transactions have to be
    /// opened anew; then it is known whether it was committed.
    ///
    /// # Errors
    /// `Fenced` when somebody else opened them, or the broker gave the transaction up: nothing was
    /// committed. `Invalid` when marks are too long or there is no right to write them.
    /// `Unavailable` when nobody knows.
    pub fn commit(&self, marks: &[KeptMark]) -> Result<()> {
        let failed = |error| self.failed("is not committed", error);
        let mut list = TopicPartitionList::with_capacity(marks.len());
        for mark in marks {
            let mut element = list.add_partition(&self.topic, mark.partition);
            let set = element.set_offset(Offset::Offset(mark.number));
            set.map_err(failed)?;
            element.set_metadata(&mark.text);
        }
        let client = self.producer.client();
        let sent = client.send_offsets_to_transaction(&list, &self.group, STEP);
        sent.map_err(failed)?;
        client.commit_transaction(STEP).map_err(failed)
    }

    /// Takes back what was sent in the transaction.
    ///
    /// # Errors
    /// As [`Transactions::begin`]; then the broker takes it back, at the next opening or when its
    /// time is over.
    pub fn abort(&self) -> Result<()> {
        let aborted = self.producer.client().abort_transaction(STEP);
        aborted.map_err(|error| self.failed("can't be aborted", error))
    }

    fn failed(&self, what: &str, error: KafkaError) -> Error {
        let doing = format!("a transaction of topic `{}` {what}", self.topic);
        // The step that failed has taken its time, and what was told came while it did.
        let begun = self.clock.monotonic().saturating_sub(2 * STEP);
        explained(&doing, error, self.producer.told_since(begun))
    }
}

/// An error of a transaction; that a step took too long says nothing of why, what the client was
/// `told` meanwhile does.
fn explained(doing: &str, error: KafkaError, told_then: Option<(KafkaError, String)>) -> Error {
    let code = match &error {
        KafkaError::Transaction(error) => Some(error.code()),
        error => error.rdkafka_error_code(),
    };
    match told_then.filter(|_| code == Some(RDKafkaErrorCode::OperationTimedOut)) {
        Some((why, reason)) => told(&format!("{doing} in time: {reason}"), why),
        None => told(doing, error),
    }
}

/// An error of a transaction.
pub(super) fn told(doing: &str, error: KafkaError) -> Error {
    use RDKafkaErrorCode as Code;
    let code = match &error {
        KafkaError::Transaction(error) => Some(error.code()),
        error => error.rdkafka_error_code(),
    };
    let kind = match code {
        Some(Code::Fenced | Code::ProducerFenced | Code::InvalidProducerEpoch) => ErrorKind::Fenced,
        Some(
            Code::TransactionalIdAuthorizationFailed
            | Code::ClusterAuthorizationFailed
            | Code::TopicAuthorizationFailed
            | Code::GroupAuthorizationFailed
            | Code::InvalidTransactionTimeout
            | Code::OffsetMetadataTooLarge,
        ) => ErrorKind::Invalid,
        _ => return Error::kafka(doing.to_owned(), error),
    };
    Error::new(kind, doing.to_owned()).with_source(error)
}
