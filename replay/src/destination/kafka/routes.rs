//! Which topic a record goes to, and in batches of which size.
//!
//! One client sends to all topics of a replay, and makes batches of one size for all of them: as
//! large as the one takes that takes least.

use std::collections::BTreeMap;

use eddy_connector::kafka::{self, KafkaConfig, Producer};
use eddy_engine::Clock;
use futures::future::FutureExt;
use futures::stream::StreamExt;

use super::batches::{Batches, Learned};
use super::refused;
use crate::destination::{Delivery, Landed, Outgoing};
use crate::error::Result;
use crate::request::Topics;

/// Topics that are asked at once how large their batches may be.
const ASKED_AT_ONCE: usize = 8;

/// The record without timestamp, as Kafka writes it.
const NO_TIMESTAMP: i64 = -1;

/// The topics that one client sends to.
pub(super) struct Routes {
    topics: Topics,
    /// The destination's own topic, for records that `topics` says nothing of.
    own: String,
    batches: Batches,
    /// The other ones.
    others: BTreeMap<String, Batches>,
}

impl Routes {
    /// Asks what the topics take. The answer has the configuration of a client that makes such
    /// batches.
    pub(super) async fn open(
        config: &KafkaConfig,
        own: &str,
        topics: &Topics,
        clock: &Clock,
        learned: &Learned,
    ) -> (Self, KafkaConfig) {
        let others = topics.targets().into_iter().filter(|topic| *topic != own);
        let names: Vec<&str> = std::iter::once(own).chain(others).collect();
        let asks = names.iter();
        let asks: Vec<_> = asks
            .map(|topic| kafka::batch_bytes_max(config, topic, clock.clone()))
            .collect();
        let limits = futures::stream::iter(asks).buffered(ASKED_AT_ONCE);
        let limits: Vec<Option<usize>> = limits.collect().await;
        let limited = names.into_iter().zip(limits);
        let limited: BTreeMap<&str, Option<usize>> = limited.collect();
        Self::limited(config, own, topics, &limited, learned)
    }

    /// The same where the topics' limits are known, in bytes.
    fn limited(
        config: &KafkaConfig,
        own: &str,
        topics: &Topics,
        limits: &BTreeMap<&str, Option<usize>>,
        learned: &Learned,
    ) -> (Self, KafkaConfig) {
        let batches = |topic: &str| {
            let limit = limits.get(topic).copied().flatten();
            Batches::new(config, topic, limit, learned)
        };
        let alone = batches(own);
        let targets = topics.targets().into_iter();
        let others: BTreeMap<String, Batches> = targets
            .map(|topic| (topic.to_owned(), batches(topic)))
            .collect();
        let bytes = others.values().map(Batches::bytes);
        let least = bytes.fold(alone.bytes(), usize::min);
        let routes = Self {
            topics: topics.clone(),
            own: own.to_owned(),
            batches: alone.at_most(least),
            others: others
                .into_iter()
                .map(|(topic, batches)| (topic, batches.at_most(least)))
                .collect(),
        };
        let config = routes.batches.bound(config);
        (routes, config)
    }

    /// The topic that records of the topic `source` go to.
    fn of(&self, source: &str) -> (&str, &Batches) {
        let other = self.topics.of(source);
        let other = other.and_then(|topic| self.others.get_key_value(topic));
        match other {
            Some((topic, batches)) => (topic.as_str(), batches),
            None => (self.own.as_str(), &self.batches),
        }
    }

    /// Hands a record to the client.
    ///
    /// # Errors
    /// As [`crate::destination::Destination::send`].
    pub(super) async fn send(
        &self,
        producer: &Producer,
        record: &Outgoing<'_>,
    ) -> Result<Delivery> {
        let (topic, batches) = self.of(record.origin.topic);
        let headers = record.headers.iter();
        let headers: Vec<(&str, Option<&[u8]>)> =
            headers.map(|header| (header.name, header.value)).collect();
        // Without what is around them.
        let length = |bytes: Option<&[u8]>| bytes.map_or(0, <[u8]>::len);
        let of_headers = headers.iter();
        let of_headers = of_headers.map(|(name, value)| name.len() + length(*value));
        let bytes = length(record.key) + length(record.value) + of_headers.sum::<usize>();
        let outgoing = kafka::Outgoing {
            topic,
            partition: record.partition,
            key: record.key,
            value: record.value,
            headers: &headers,
            // The producer takes nothing for "now"; a record without timestamp stays without.
            timestamp_ms: Some(record.timestamp_ms.unwrap_or(NO_TIMESTAMP)),
        };
        let delivery = producer.send(&outgoing).await.map_err(refused)?;
        let batches = batches.clone();
        let landed = async move {
            let delivered = delivery.wait().await;
            let delivered = delivered.map_err(|error| batches.refused(bytes, error))?;
            Ok(Landed {
                partition: Some(delivered.partition),
                offset: (delivered.offset >= 0).then_some(delivered.offset),
            })
        };
        Ok(landed.boxed())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::request::Options;

    #[test]
    fn each_topic_has_its_way_and_the_client_makes_what_all_of_them_take() {
        let given = ("topics", "orders:copy, payments:own, refunds:copy");
        let given = BTreeMap::from([(given.0.to_owned(), given.1.to_owned())]);
        let topics = Options::parse(&given).unwrap().topics;
        let servers = ("bootstrap.servers".to_owned(), "h:1".to_owned());
        let config = KafkaConfig::new(BTreeMap::from([servers]));
        let limits = BTreeMap::from([("own", Some(320_000)), ("copy", Some(160_000))]);
        let learned = Learned::default();
        let (routes, bound) = Routes::limited(&config, "own", &topics, &limits, &learned);
        let to = |source| routes.of(source).0;
        assert_eq!(
            ["orders", "payments", "refunds", "others"].map(to),
            ["copy", "own", "copy", "own"]
        );
        for source in ["orders", "payments", "others"] {
            assert_eq!(routes.of(source).1.bytes(), 150_000);
        }
        assert_eq!(bound.get("batch.size"), Some("150000"));
    }
}
