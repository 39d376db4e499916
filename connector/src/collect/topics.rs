//! Sees to it that a collection's topic is there, and makes it where the broker allows that.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use eddy_engine::Clock;

use super::CollectorOptions;
use crate::error::{Error, ErrorKind, Result};
use crate::kafka::{Admin, EmbeddedBroker, KafkaConfig, ensure_topic};

/// How long a broker may take to say whether a topic is there.
const ASKED: Duration = Duration::from_secs(5);
/// How often it is asked after the topic was made: brokers learn of it one by one.
const LOOKS: u32 = 50;
const BETWEEN: Duration = Duration::from_millis(100);

/// Topics that are known to be there.
pub(super) struct Topics {
    admin: Arc<Admin>,
    kafka: KafkaConfig,
    /// The broker, where it is in this process: it makes no topic for a client.
    embedded: Option<Arc<EmbeddedBroker>>,
    clock: Clock,
    partitions: i32,
    replication: i32,
    there: Mutex<BTreeSet<String>>,
    /// Whose turn it is to make a topic: one that can't be made holds up no other.
    making: Mutex<BTreeMap<String, Arc<tokio::sync::Mutex<()>>>>,
}

impl Topics {
    pub(super) fn new(
        kafka: &KafkaConfig,
        embedded: Option<Arc<EmbeddedBroker>>,
        options: &CollectorOptions,
        clock: Clock,
    ) -> Result<Self> {
        Ok(Self {
            admin: Arc::new(Admin::new(kafka, clock.clone())?),
            kafka: kafka.clone(),
            embedded,
            clock,
            partitions: options.partitions,
            replication: options.replication,
            there: Mutex::default(),
            making: Mutex::default(),
        })
    }

    /// Makes the topic unless it is there, with as many partitions as this or the setting says.
    ///
    /// # Errors
    /// `Invalid` when it isn't there and the broker doesn't let it be made; `Unavailable` when no
    /// broker answers.
    pub(super) async fn make(&self, topic: &str, partitions: Option<i32>) -> Result<()> {
        if self.is_known(topic) {
            return Ok(());
        }
        let turn = self.turn(topic);
        let _one = turn.lock().await;
        if self.is_known(topic) {
            return Ok(());
        }
        if !self.is_there(topic).await? {
            let partitions = partitions.unwrap_or(self.partitions);
            self.ask_for(topic, partitions).await?;
            self.wait_for(topic).await?;
            tracing::info!(topic, "a topic for a collection was made");
        }
        self.known().insert(topic.to_owned());
        Ok(())
    }

    /// Looks again next time, since the topic isn't where it was.
    pub(super) fn forget(&self, topic: &str) {
        self.known().remove(topic);
    }

    /// Asks for the topic, as a client does or the embedded broker itself.
    async fn ask_for(&self, topic: &str, partitions: i32) -> Result<()> {
        let Some(broker) = &self.embedded else {
            let clock = self.clock.clone();
            return ensure_topic(&self.kafka, topic, partitions, self.replication, clock).await;
        };
        let (broker, asked) = (Arc::clone(broker), topic.to_owned());
        let made = tokio::task::spawn_blocking(move || broker.create_topic(&asked, partitions));
        made.await.map_err(|error| {
            Error::new(ErrorKind::Internal, "making a topic broke off").with_source(error)
        })?
    }

    async fn wait_for(&self, topic: &str) -> Result<()> {
        for _ in 0..LOOKS {
            if self.is_there(topic).await? {
                return Ok(());
            }
            self.clock.sleep(BETWEEN).await;
        }
        Err(Error::invalid(format!(
            "there is no topic `{topic}`, and the broker doesn't let this client make it; make it \
             by hand, or allow CREATE on it"
        )))
    }

    async fn is_there(&self, topic: &str) -> Result<bool> {
        let (admin, asked) = (Arc::clone(&self.admin), topic.to_owned());
        let described =
            tokio::task::spawn_blocking(move || admin.describe_within(&[&asked], ASKED)).await;
        let described = described.map_err(|error| {
            Error::new(ErrorKind::Internal, "asking for a topic broke off").with_source(error)
        })?;
        match described {
            Ok(found) => Ok(!found.is_empty()),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn turn(&self, topic: &str) -> Arc<tokio::sync::Mutex<()>> {
        let mut making = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        // As many as there are requests that wait, whatever they ask for.
        making.retain(|_, turn| Arc::strong_count(turn) > 1);
        Arc::clone(making.entry(topic.to_owned()).or_default())
    }

    fn is_known(&self, topic: &str) -> bool {
        self.known().contains(topic)
    }

    fn known(&self) -> std::sync::MutexGuard<'_, BTreeSet<String>> {
        self.there.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn an_embedded_broker_makes_topics_with_the_partitions_that_are_asked_for() {
        let broker = Arc::new(EmbeddedBroker::start().unwrap());
        let (kafka, options) = (broker.config(), CollectorOptions::default());
        let own = Some(Arc::clone(&broker));
        let topics = Topics::new(&kafka, own, &options, Clock::system()).unwrap();
        for (topic, partitions) in [("few", None), ("many", Some(7)), ("many", Some(2))] {
            topics.make(topic, partitions).await.unwrap();
        }
        // One that is there already stays as it is.
        topics.forget("many");
        topics.make("many", Some(2)).await.unwrap();
        let made = BTreeMap::from([("few".to_owned(), 4), ("many".to_owned(), 7)]);
        assert_eq!(topics.admin.topics().unwrap(), made);
    }
}
