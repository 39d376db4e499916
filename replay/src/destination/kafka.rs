//! Kafka as a destination: the record goes out byte for byte through the connector's producer.
//!
//! The producer is idempotent and waits for all in-sync replicas, so a lost answer doubles nothing
//! within one attempt. With transactions (`once`) nothing doubles at all. Its keys are the client's
//! own, Java's names included; `topic` is ours. A replay may name further topics for the records of
//! some (`routes`).

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use eddy_connector::kafka::{self, Admin, KafkaConfig, Producer, ProducerOptions};
use eddy_engine::Clock;
use tokio::sync::OnceCell;

use super::{Checked, Delivery, Destination, Marked, Outgoing, Transactions, secret};
use crate::error::{Error, ErrorKind, Result};
use crate::request::{OnError, Options, Topics};

mod batches;
mod marks;
mod once;
mod routes;

use batches::Learned;
use routes::Routes;

/// Destinations of type `kafka`: the client's own keys, and `topic`.
#[derive(Debug, Clone)]
pub(crate) struct Kafka {
    clock: Clock,
    learned: Learned,
}

/// More than a replay has under way, so that `send` never waits for a delivery that only its
/// caller could take.
const IN_FLIGHT: ProducerOptions = ProducerOptions {
    in_flight_records: 50_000,
    in_flight_bytes: 256 << 20,
};

impl Kafka {
    /// The kind; `clock` is the lake's.
    pub(crate) fn new(clock: Clock) -> Self {
        Self {
            clock,
            learned: Learned::default(),
        }
    }

    /// Whether the options can be right.
    ///
    /// # Errors
    /// `Invalid` for a key that is missing or that the client doesn't take.
    pub(super) fn validate(&self, options: &BTreeMap<String, String>) -> Result<()> {
        for needed in ["topic", "bootstrap.servers"] {
            if options
                .get(needed)
                .is_none_or(|value| value.trim().is_empty())
            {
                return Err(Error::invalid(format!(
                    "a Kafka destination needs the option `{needed}`"
                ))
                .with_hint("give `topic`, `bootstrap.servers` and any Kafka client keys"));
            }
        }
        kafka::check_reserved(options.keys()).map_err(kept)?;
        if options.contains_key("transactional.id") {
            return Err(Error::invalid("`transactional.id` is made for each replay")
                .with_hint("leave it out, and replay WITH (exactly_once = true)"));
        }
        // A value that is still a reference can't be judged yet.
        let known = options
            .iter()
            .filter(|(key, value)| *key != "topic" && !value.contains("${"))
            .map(|(key, value)| (key.clone(), value.clone()));
        let config = KafkaConfig::new(known.collect());
        if options
            .get("bootstrap.servers")
            .is_some_and(|value| value.contains("${"))
        {
            return Ok(());
        }
        config
            .check()
            .map_err(|error| Error::invalid(error.to_string()))
    }

    /// Opens the topic: `written` are the options with their references.
    ///
    /// # Errors
    /// `Invalid` when the client doesn't take the options.
    pub(super) fn open(
        &self,
        written: &BTreeMap<String, String>,
        mut options: BTreeMap<String, String>,
        replay: &Options,
    ) -> Result<Arc<dyn Destination>> {
        // What an earlier version stored was not asked for it.
        kafka::check_reserved(options.keys()).map_err(kept)?;
        let topic = options
            .remove("topic")
            .unwrap_or_default()
            .trim()
            .to_owned();
        let mut config = KafkaConfig::new(options);
        let stops = replay.on_error == OnError::Stop && !replay.exactly_once;
        if stops && config.get("enable.gapless.guarantee").is_none() {
            // A failed record must not be overtaken: whatever comes after it fails too, and the
            // next attempt sends them in their order. A transaction is taken back as a whole, which
            // a client that has failed so could not do any more.
            config = config.with("enable.gapless.guarantee", "true");
        }
        check(&config, written)?;
        let shown = |key: &str| written.get(key).map_or("", |text| text.trim());
        Ok(Arc::new(Target {
            topic,
            shown_topic: shown("topic").to_owned(),
            shown_servers: shown("bootstrap.servers").to_owned(),
            topics: replay.topics.clone(),
            config,
            clock: self.clock.clone(),
            learned: self.learned.clone(),
            writer: (!replay.exactly_once).then(Arc::default),
        }))
    }
}

/// Whether the client takes the options. It repeats what it doesn't take, so of what is by
/// reference it is not heard.
fn check(config: &KafkaConfig, written: &BTreeMap<String, String>) -> Result<()> {
    let Err(error) = config.check() else {
        return Ok(());
    };
    let is_open = |value: &str| value.contains("${");
    let open = written.iter().filter(|(_, value)| is_open(value));
    let open: Vec<String> = open.map(|(key, _)| format!("`{key}`")).collect();
    if open.is_empty() {
        return Err(kept(error));
    }
    let literal = written
        .iter()
        .filter(|(key, value)| *key != "topic" && !is_open(value));
    let literal = literal.map(|(key, value)| (key.clone(), value.clone()));
    let literal = KafkaConfig::new(literal.collect());
    let literal = match literal.bootstrap_servers() {
        Some(_) => literal,
        None => literal.with("bootstrap.servers", "127.0.0.1:1"),
    };
    literal.check().map_err(kept)?;
    let open = open.join(", ");
    Err(Error::invalid(format!(
        "the client doesn't take what one of these options refers to: {open}"
    )))
}

/// An opened topic, and those that a replay names beside it.
#[derive(Clone)]
struct Target {
    topic: String,
    /// Its name as it is written, and its servers: references stay such.
    shown_topic: String,
    shown_servers: String,
    topics: Topics,
    config: KafkaConfig,
    clock: Clock,
    learned: Learned,
    /// Made with the first record, once the broker was asked what the topic takes. None where
    /// records only go out in transactions.
    writer: Option<Arc<OnceCell<Writer>>>,
}

/// What takes the records.
struct Writer {
    producer: Producer,
    routes: Routes,
}

impl Target {
    /// The topics with their batches, and the configuration of a client that makes such.
    async fn routes(&self) -> (Routes, KafkaConfig) {
        let (own, clock) = (&self.topic, &self.clock);
        Routes::open(&self.config, own, &self.topics, clock, &self.learned).await
    }

    async fn make_writer(&self) -> Result<Writer> {
        let (routes, config) = self.routes().await;
        let producer = Producer::new(&config, IN_FLIGHT, self.clock.clone());
        Ok(Writer {
            producer: producer.map_err(kept)?,
            routes,
        })
    }

    /// How many partitions a topic has that is called `shown`.
    fn partitions(&self, there: &BTreeMap<String, i32>, topic: &str, shown: &str) -> Result<i32> {
        let found = there.get(topic).copied();
        found.ok_or_else(|| {
            Error::not_found(format!(
                "topic `{shown}` does not exist at `{}`",
                self.shown_servers
            ))
            .with_hint("make it with at least as many partitions as the source has")
        })
    }
}

#[async_trait]
impl Destination for Target {
    fn target(&self) -> String {
        let topic = secret::place(&self.shown_topic, &self.topic);
        let own = format!("kafka topic {topic}");
        match self.topics.is_empty() {
            true => own,
            false => format!("{own} ({})", self.topics),
        }
    }

    async fn check(&self) -> Result<Checked> {
        let (config, clock) = (self.config.clone(), self.clock.clone());
        // The list of all topics, because asking for one by name may make it, and the embedded
        // broker can't describe one.
        let asked = tokio::task::spawn_blocking(move || {
            let admin = Admin::new(&config, clock)?;
            let topics = admin.topics()?;
            Ok::<_, kafka::Error>((topics, admin.cluster_id()))
        });
        let (topics, cluster) = asked
            .await
            .map_err(|error| Error::internal("the check ended early").with_source(error))?
            .map_err(kept)?;
        let partitions = self.partitions(&topics, &self.topic, &self.shown_topic)?;
        let mut others = BTreeMap::new();
        for topic in self.topics.targets() {
            let partitions = self.partitions(&topics, topic, topic)?;
            others.insert(topic.to_owned(), partitions);
        }
        Ok(Checked {
            target: self.target(),
            topic: Some(self.shown_topic.clone()),
            topic_behind: (self.topic != self.shown_topic).then(|| self.topic.clone()),
            cluster,
            partitions: Some(partitions),
            topics: others,
            ..Checked::default()
        })
    }

    fn has_transactions(&self) -> bool {
        true
    }

    async fn warm(&self) {
        if let Some(writer) = &self.writer {
            let _ = writer.get_or_try_init(|| self.make_writer()).await;
        }
    }

    async fn in_transactions(
        &self,
        name: &str,
        checked: &Checked,
    ) -> Result<(Arc<dyn Transactions>, Option<Marked>)> {
        once::open(self, name, checked.partitions.unwrap_or_default()).await
    }

    async fn committed(
        &self,
        group: &str,
        topic: &str,
        partitions: &[i32],
    ) -> Result<BTreeMap<i32, i64>> {
        let (config, clock) = (self.config.clone(), self.clock.clone());
        let (group, topic) = (group.to_owned(), topic.to_owned());
        let partitions = partitions.to_vec();
        let asked = move || Admin::new(&config, clock)?.committed(&group, &topic, &partitions);
        tokio::task::spawn_blocking(asked)
            .await
            .map_err(|error| Error::internal("the question ended early").with_source(error))?
            .map_err(kept)
    }

    async fn commit(
        &self,
        group: &str,
        topic: Option<&str>,
        offsets: &BTreeMap<i32, i64>,
    ) -> Result<()> {
        let (config, clock) = (self.config.clone(), self.clock.clone());
        let topic = topic.unwrap_or(&self.topic).to_owned();
        let name = group.to_owned();
        let offsets = offsets.clone();
        let committed = tokio::task::spawn_blocking(move || {
            let offsets = offsets.iter();
            let offsets: Vec<(&str, i32, i64)> = offsets
                .map(|(partition, offset)| (topic.as_str(), *partition, *offset))
                .collect();
            Admin::new(&config, clock)?.commit(&name, &offsets)
        });
        let committed = committed
            .await
            .map_err(|error| Error::internal("the commit ended early").with_source(error))?;
        if committed.map_err(kept)? {
            return Ok(());
        }
        Err(Error::conflict(format!("group `{group}` has members"))
            .with_hint("stop its consumers first; they would commit over it"))
    }

    async fn send(&self, record: &Outgoing<'_>) -> Result<Delivery> {
        let Some(writer) = &self.writer else {
            return Err(Error::internal("a record is to be sent in no transaction"));
        };
        let writer = writer.get_or_try_init(|| self.make_writer()).await?;
        writer.routes.send(&writer.producer, record).await
    }
}

/// An error of the connection.
fn kept(error: kafka::Error) -> Error {
    use kafka::ErrorKind as Connector;
    let kind = match error.kind() {
        // Who else has the transactions, if it isn't the broker that gave them up, is in the lake.
        Connector::Unavailable | Connector::Fenced => ErrorKind::Unavailable,
        Connector::Invalid => ErrorKind::Invalid,
        Connector::NotFound => ErrorKind::NotFound,
        _ => ErrorKind::Internal,
    };
    with_hint(kind, &error)
}

/// An error of one record: what is wrong with it won't get better, unless it is about who sends. A
/// producer whose order is broken (fatal, for librdkafka) is made anew by the next attempt.
fn refused(error: kafka::Error) -> Error {
    use kafka::ErrorKind as Connector;
    let kind = match error.kind() {
        Connector::Invalid if error.is_denied() => ErrorKind::Invalid,
        Connector::Invalid => ErrorKind::Rejected,
        Connector::NotFound => ErrorKind::NotFound,
        _ => ErrorKind::Unavailable,
    };
    with_hint(kind, &error)
}

fn with_hint(kind: ErrorKind, error: &kafka::Error) -> Error {
    let told = Error::new(kind, error.to_string());
    match error.is_denied() {
        true => told.with_hint(
            "mend the destination's credentials or its rights to the topic, then resume the replay",
        ),
        false => told,
    }
}

#[cfg(test)]
mod tests;
