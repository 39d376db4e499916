//! Where a replay sends its records.
//!
//! A *kind* (`kafka`; later `http`, `rabbitmq`, `sqs`, `file`) opens a *definition* (a name and
//! options, from the configuration file or by REST) as a [`Destination`], which checks itself and
//! takes records one by one. Pacing, order, progress and repeated tries are the replay's matter.

mod definition;
mod kafka;
mod registry;
mod secret;

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use eddy_engine::Header;
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};

pub use definition::Definition;
pub use kafka::Kafka;
pub use registry::{Destinations, Listed};

use crate::error::Result;
use crate::request::Options;

/// A type of destination.
pub trait Kind: Send + Sync + 'static {
    /// The `type` of its definitions.
    fn name(&self) -> &'static str;

    /// Whether the options (references not yet resolved) can be right, without connecting.
    ///
    /// # Errors
    /// `Invalid` for an option that is missing or not known.
    fn validate(&self, options: &BTreeMap<String, String>) -> Result<()>;

    /// Opens a destination; `options` are resolved, `replay` is for whom.
    ///
    /// # Errors
    /// `Invalid` when the options can't be used.
    fn open(
        &self,
        options: BTreeMap<String, String>,
        replay: &Options,
    ) -> Result<Arc<dyn Destination>>;
}

/// An opened destination. Dropping it gives up what isn't acknowledged.
#[async_trait]
pub trait Destination: Send + Sync + 'static {
    /// What it stands for, as people say it. A replay is only taken up again when this is the
    /// same.
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
}

/// Completes when the other side has acknowledged a record, or won't.
pub type Delivery = BoxFuture<'static, Result<Landed>>;

/// A record on its way out. Null and empty stay different (E7).
#[derive(Debug, Clone, Copy)]
pub struct Outgoing<'a> {
    /// The partition to go to; `None`: by the key.
    pub partition: Option<i32>,
    /// Milliseconds since the Unix epoch; `None`: it has no timestamp, and gets none.
    pub timestamp_ms: Option<i64>,
    /// The key's bytes.
    pub key: Option<&'a [u8]>,
    /// The value's bytes; `None` is a tombstone.
    pub value: Option<&'a [u8]>,
    /// The headers in order, duplicates kept.
    pub headers: &'a [Header<'a>],
}

/// Where a record came to rest, as far as the other side says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Landed {
    /// The target partition.
    pub partition: Option<i32>,
    /// The target offset.
    pub offset: Option<i64>,
}

/// What a destination answered to a check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checked {
    /// What it stands for.
    pub target: String,
    /// The topic, for Kafka.
    pub topic: Option<String>,
    /// How many partitions the topic has.
    pub partitions: Option<i32>,
    /// The largest record it takes, in bytes, where that can be known.
    pub record_bytes_max: Option<u64>,
}
