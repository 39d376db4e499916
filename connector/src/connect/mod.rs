//! Connectors: their configuration, the tasks that run them, and what these are doing.

mod config;
mod connectors;
mod memory;
mod settled;
mod system;
mod upkeep;

pub(crate) use config::check_topic;
pub use config::{
    ConnectorConfig, DeadLetterTopic, ErrorPolicy, Policies, PositionReset, Providers, StartAt,
    Tolerance, TopicRecreated, Topics, Unknown, Upkeep,
};
pub use connectors::{Connectors, WorkerOptions};
