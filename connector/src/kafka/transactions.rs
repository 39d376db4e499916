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

use std::sync::Arc;
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

mod step;

use step::in_step;

/// How long the broker may take for one step. Whatever takes longer is given up, and settled by
/// whoever opens the transactions next.
const STEP: Duration = Duration::from_secs(30);

/// How often a transaction is taken back before that is given up.
const ABORTS: u32 = 6;

/// Milliseconds. A transaction that nobody ends, since its process died, holds up readers of the
/// topic for this long at most. A record is not waited for longer either, as the client demands.
const TIMEOUT: &str = "60000";

/// A writer in transactions.
pub struct Transactions {
    client: Arc<Client>,
}

/// What blocks.
struct Client {
    producer: Producer,
    keeper: BaseConsumer<ClientLog>,
    group: ConsumerGroupMetadata,
    topic: String,
    clock: Clock,
    step: Duration,
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
    /// Opens the transactions called `name` that write to `topic`, and tells the marks of the last
    /// one that was committed, of partitions `0..partitions`. In this order (P23): what is read
    /// then is what the former writer has left for good.
    ///
    /// # Errors
    /// `Unavailable` without an answer; `Invalid` for a configuration that the client refuses,
    /// where the cluster doesn't allow this name, and without the right to read the marks.
    pub async fn open(
        config: &KafkaConfig,
        name: &str,
        topic: &str,
        partitions: i32,
        options: ProducerOptions,
        clock: &Clock,
    ) -> Result<(Self, Vec<KeptMark>)> {
        let names = (name.to_owned(), topic.to_owned());
        let (config, clock) = (config.clone(), clock.clone());
        let doing = format!("the transactions `{name}` can't be opened");
        let waiting = clock.clone();
        let opened = in_step(STEP.saturating_mul(2), &waiting, move || {
            let client = Client::open(&config, &names, options, &clock, STEP)?;
            let marks = client.marks(partitions)?;
            Ok((client, marks))
        });
        let late = || Error::unavailable(format!("{doing}: no answer in time"));
        let (client, marks) = opened.await.unwrap_or_else(|| Err(late()))?;
        let client = Arc::new(client);
        Ok((Self { client }, marks))
    }

    /// What takes the records; they are in the transaction that is open.
    pub fn producer(&self) -> &Producer {
        &self.client.producer
    }

    /// Begins a transaction.
    ///
    /// # Errors
    /// `Fenced` when somebody else opened them; `Unavailable` when they have to be opened anew.
    pub fn begin(&self) -> Result<()> {
        let begun = self.producer().client().begin_transaction();
        begun.map_err(|error| self.client.failed("can't be begun", error))
    }

    /// Commits the transaction, with these marks in it. After an error the transactions have to be
    /// opened anew; then it is known whether it was committed. Who stops waiting before the marks
    /// are in it has not committed it.
    ///
    /// # Errors
    /// `Fenced` when somebody else opened them, or the broker gave the transaction up: nothing was
    /// committed. `Invalid` when marks are too long or there is no right to write them.
    /// `Unavailable` when nobody knows.
    pub async fn commit(&self, marks: Vec<KeptMark>) -> Result<()> {
        const WHAT: &str = "is not committed";
        let put = move |client: &Client| client.put(&marks);
        self.step(WHAT, put).await?;
        let commit = |client: &Client| client.producer.client().commit_transaction(client.step);
        self.step(WHAT, commit).await
    }

    /// Takes back what was sent in the transaction.
    ///
    /// # Errors
    /// As [`Transactions::begin`]; then the broker takes it back, at the next opening or when its
    /// time is over.
    pub async fn abort(&self) -> Result<()> {
        self.step("can't be aborted", Client::abort).await
    }

    async fn step(
        &self,
        what: &str,
        work: impl FnOnce(&Client) -> Result<(), KafkaError> + Send + 'static,
    ) -> Result<()> {
        let client = Arc::clone(&self.client);
        let done = in_step(self.client.step, &self.client.clock, move || work(&client));
        match done.await {
            Some(done) => done.map_err(|error| self.client.failed(what, error)),
            None => Err(self.client.late(what)),
        }
    }
}

impl Client {
    fn open(
        config: &KafkaConfig,
        (name, topic): &(String, String),
        options: ProducerOptions,
        clock: &Clock,
        step: Duration,
    ) -> Result<Self> {
        let doing = || format!("the transactions `{name}` can't be opened");
        let named = config.clone().with("transactional.id", name);
        let timeout = config.get("transaction.timeout.ms").unwrap_or(TIMEOUT);
        let limits = [
            ("transaction.timeout.ms", timeout),
            ("delivery.timeout.ms", timeout),
        ];
        let producer = Producer::with_defaults(&named, &limits, options, clock.clone())?;
        let opened = producer.client().init_transactions(step);
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
            topic: topic.clone(),
            clock: clock.clone(),
            step,
        })
    }

    fn marks(&self, partitions: i32) -> Result<Vec<KeptMark>> {
        let doing = || format!("the marks in topic `{}` can't be read", self.topic);
        let mut list = TopicPartitionList::new();
        for partition in 0..partitions {
            list.add_partition(&self.topic, partition);
        }
        let list = self.keeper.committed_offsets(list, self.step);
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

    /// Puts the marks into the transaction that is open.
    fn put(&self, marks: &[KeptMark]) -> Result<(), KafkaError> {
        let mut list = TopicPartitionList::with_capacity(marks.len());
        for mark in marks {
            let mut element = list.add_partition(&self.topic, mark.partition);
            element.set_offset(Offset::Offset(mark.number))?;
            element.set_metadata(&mark.text);
        }
        let client = self.producer.client();
        client.send_offsets_to_transaction(&list, &self.group, self.step)
    }

    /// Takes the transaction back, in several goes. The client purges what is queued as it begins,
    /// and waits for what is on its way; what comes back from there into the queue, since a record
    /// before it was refused, it neither sends nor purges before the next go.
    fn abort(&self) -> Result<(), KafkaError> {
        let go = self.step / ABORTS;
        for _ in 1..ABORTS {
            match self.producer.client().abort_transaction(go) {
                Err(KafkaError::Transaction(error)) if error.is_retriable() => {}
                ended => return ended,
            }
        }
        self.producer.client().abort_transaction(go)
    }

    fn failed(&self, what: &str, error: KafkaError) -> Error {
        explained(&self.doing(what), error, self.told())
    }

    /// A step that took longer than the client itself had time for.
    fn late(&self, what: &str) -> Error {
        let doing = self.doing(what);
        match self.told() {
            Some((why, reason)) => told(&format!("{doing} in time: {reason}"), why),
            None => Error::unavailable(format!("{doing}: no answer in time")),
        }
    }

    fn doing(&self, what: &str) -> String {
        format!("a transaction of topic `{}` {what}", self.topic)
    }

    /// What the client was told lately: the step that failed has taken its time, and it came
    /// meanwhile.
    fn told(&self) -> Option<(KafkaError, String)> {
        let begun = self.clock.monotonic();
        self.producer
            .told_since(begun.saturating_sub(self.step.saturating_mul(2)))
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

#[cfg(test)]
mod tests;
