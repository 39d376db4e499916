//! Connectors: their configuration, the tasks that run them, and what these are doing.

mod config;
mod connectors;
mod memory;
mod settled;
mod system;
mod upkeep;

pub use config::{
    ConnectorConfig, Policies, PositionReset, StartAt, TopicRecreated, Topics, Upkeep,
};
pub use connectors::{Connectors, Settled, WorkerOptions};
