//! Where a replay sends its records.
//!
//! A `Kind` opens a *definition* (a name and options, from the configuration file or by REST) as
//! a [`Destination`], which checks itself and takes records one by one, in order, with an outcome
//! for each. What such a destination does to a record is its own matter (one request each, batches,
//! several at a time as far as the order allows); pacing, progress and what an outcome means to
//! the replay are the replay's. Progress only moves behind what was acknowledged, so a destination
//! that forgets everything when it is dropped loses nothing.
//!
//! ```text
//! Outgoing -> kafka   the client's own queue
//!          -> http    lanes (what must stay in order) -> batches -> requests, with patience
//!          -> file    a lane -> full batches -> files in the lake, with patience
//!          -> stdout  a lane -> batches of lines -> the thread that writes
//!          -> rabbitmq, sqs    lanes -> batches -> rounds of messages, with patience
//! ```

mod client;
mod definition;
mod file;
mod given;
mod health;
mod http;
mod kafka;
mod kind;
mod lanes;
mod line;
mod once;
mod outgoing;
mod packed;
mod patience;
mod percent;
mod places;
mod rabbitmq;
mod reach;
mod registry;
mod round;
mod said;
mod secret;
mod sqs;
mod stdout;
mod veil;

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};

pub use definition::Definition;
pub use health::Check;
pub(crate) use kind::Kind;
pub(crate) use once::no_transactions;
pub use once::{Marked, Transactions};
pub use outgoing::{Landed, Origin, Outgoing};
pub use reach::Reach;
pub use registry::{Destinations, Listed};
pub(crate) use said::{ERROR_MAX, excerpt};

use crate::error::{Error, Result};

/// An opened destination. Dropping it gives up what isn't acknowledged.
#[async_trait]
pub trait Destination: Send + Sync + 'static {
    /// What it stands for, as people say it. A replay is only taken up again when this is the
    /// same. It holds no secrets: it is stored and shown.
    fn target(&self) -> String;

    /// Asks the other side whether it is there and can take records.
    ///
    /// # Errors
    /// `Unavailable` when nobody answers, `Invalid` when it can't be used as it is.
    async fn check(&self) -> Result<Checked>;

    /// Hands over a record, in order. The record is copied; the delivery tells when the other side
    /// has acknowledged it.
    ///
    /// # Errors
    /// `Rejected` when this record can never be sent, `Unavailable` when trying again may help.
    async fn send(&self, record: &Outgoing<'_>) -> Result<Delivery>;

    /// The most records that it has use for at a time, if it makes batches by itself; then it finds
    /// out by itself, too, which record of a batch is refused. `None`: as many as the replay
    /// allows, and one by one after a failure.
    fn window(&self) -> Option<usize> {
        None
    }

    /// Whether the other side is told where a record is from in the destination's own way. Then
    /// no headers are added to the record's.
    fn tells_origin(&self) -> bool {
        false
    }

    /// Whether it sends several records at once as far as the order allows, so that it is better
    /// given the records of several partitions by turns.
    fn takes_turns(&self) -> bool {
        false
    }

    /// Whether it takes records in transactions.
    fn has_transactions(&self) -> bool {
        false
    }

    /// Opens it for records in transactions, and tells the marks of the last one that was
    /// committed. Whoever had transactions of this name commits nothing more from then on, and what
    /// is told can't change any more. `checked` is what the check answered.
    ///
    /// # Errors
    /// `Invalid` where there are none or the name isn't allowed, `Unavailable` when nobody answers.
    async fn in_transactions(
        &self,
        name: &str,
        checked: &Checked,
    ) -> Result<(Arc<dyn Transactions>, Option<Marked>)> {
        let _ = (name, checked);
        Err(no_transactions(&self.target()))
    }

    /// The next offsets that a consumer group has committed at the other side for these partitions
    /// of a topic; those without are left out.
    ///
    /// # Errors
    /// `Invalid` where there are no consumer groups, `Unavailable` when nobody answers.
    async fn committed(
        &self,
        group: &str,
        topic: &str,
        partitions: &[i32],
    ) -> Result<BTreeMap<i32, i64>> {
        let _ = (topic, partitions);
        Err(no_groups(group, &self.target()))
    }

    /// Commits next offsets of a topic, its own if none is named, in the name of a consumer group
    /// without members.
    ///
    /// # Errors
    /// `Conflict` when the group has members; else as [`Destination::committed`].
    async fn commit(
        &self,
        group: &str,
        topic: Option<&str>,
        offsets: &BTreeMap<i32, i64>,
    ) -> Result<()> {
        let _ = (topic, offsets);
        Err(no_groups(group, &self.target()))
    }

    /// Makes what the first record needs while other things are still being asked. What goes wrong
    /// the first record tells.
    async fn warm(&self) {}

    /// Begins nothing more: what was handed over and not begun is given up, what has begun may
    /// still be acknowledged.
    fn halt(&self) {}
}

fn no_groups(group: &str, target: &str) -> Error {
    Error::invalid(format!(
        "{target} has no consumer groups, and so no `{group}`"
    ))
}

/// Completes when the other side has acknowledged a record, or won't.
pub type Delivery = BoxFuture<'static, Result<Landed>>;

/// What a destination answered to a check.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checked {
    /// What it stands for.
    pub target: String,
    /// The topic, for Kafka, as it is written down.
    pub topic: Option<String>,
    /// The topic's own name where it is written by reference: it is neither stored nor shown.
    #[serde(skip)]
    pub topic_behind: Option<String>,
    /// The id of Kafka's cluster, where it tells one: servers may get other names, it stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// How many partitions the topic has.
    pub partitions: Option<i32>,
    /// How many partitions each of the other topics has that the replay names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub topics: BTreeMap<String, i32>,
    /// The largest record it takes, in bytes, where that can be known.
    pub record_bytes_max: Option<u64>,
    /// The status of its answer, for HTTP: any means that it is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
}

impl Checked {
    /// The topic's own name, for Kafka.
    pub(crate) fn topic_itself(&self) -> Option<&str> {
        self.topic_behind.as_deref().or(self.topic.as_deref())
    }

    /// How many partitions the topic `other` has; of `None`: the destination's own.
    pub(crate) fn partitions_of(&self, other: Option<&str>) -> Option<i32> {
        match other {
            Some(topic) => self.topics.get(topic).copied(),
            None => self.partitions,
        }
    }
}
