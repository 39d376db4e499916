//! Connectors: their configuration, the tasks that run them, what these are doing, and Kafka
//! Connect's REST API for all of it.
//!
//! `config` reads configurations, `validate` says what is wrong with one, `state` holds what should
//! run, `worker` and `connectors` run it, `rest` is the API, `listeners` where it is served.

mod config;
mod connectors;
mod lakes;
mod listeners;
mod memory;
pub(crate) mod metrics;
pub mod rest;
mod running;
mod settled;
mod state;
mod system;
mod upkeep;
mod validate;
mod worker;
mod worker_file;

pub(crate) use config::check_topic;
pub use config::def;
pub use config::{
    ConnectorConfig, DeadLetterTopic, Encryption, ErrorPolicy, Policies, PositionReset, Providers,
    StartAt, Tolerance, TopicRecreated, Topics, Unknown, Upkeep,
};
pub use connectors::{Connectors, Settled, WorkerOptions};
pub use lakes::OnLake;
pub use listeners::{ClientAuth, KeyStore, ListenAddress, ServerTls};
pub use state::{Group, Place};
pub use worker::Worker;
pub use worker_file::WorkerFile;

/// Our own sink's class.
pub(crate) const EDDY_SINK: &str = "io.eddy.EddySinkConnector";
