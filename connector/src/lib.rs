//! Eddy's connector: Kafka's side of a record's way.
//!
//! ```text
//! Kafka -> kafka/consumer (one per task, batch reads) -> sink/task -> engine's TableWriter
//!             ^ events: assign, revoke, lost, error        |  one per topic
//!             +--------- positions from the tables <-------+  group offsets after each commit
//! ```
//!
//! A record's way: the task's thread polls its consumer for events, reads a batch in place, hands
//! each record (through `convert` where that is configured) to the writer of its topic, then tells
//! the writers how far the consumer has come (P4). Every 200 ms the writers publish live rows; when
//! a cut is due the task asks Kafka whether the topic is still the same one (P1) and lets the
//! writer commit in the background. What a record holds never stops a task; what the broker or the
//! lake says may stop a partition, with a state that names what and what to do.
//!
//! Start reading at `sink/task`. `kafka/native` is the only file of the project with `unsafe`.
//! `collect` is the other direction: events over HTTP that are written to Kafka.
//! What is durable and what it means is the engine's; this crate writes no object by itself.

pub mod collect;
pub mod connect;
pub mod convert;
pub mod data;
mod error;
pub mod kafka;
mod keystore;
pub mod load;
pub mod sink;
mod transform;
pub mod verify;

pub use collect::Collector;
pub use connect::{
    ConnectorConfig, Connectors, Providers, Settled, Unknown, Worker, WorkerOptions,
};
pub use error::{Error, ErrorKind, Result};
pub use kafka::{EmbeddedBroker, KafkaConfig};
pub use load::{LoadOptions, LoadReport, load};
pub use verify::{VerifyReport, verify};
