//! Kafka's clients, with Kafka's own configuration keys.
//!
//! `config` maps Java's keys to librdkafka's, `stores` those of Java's key and trust stores;
//! `reserved` are those that nobody but the process's own file may set.
//! `consumer` is what a sink task reads with, `producer` what load, replay and dead letters are
//! written with, `batches` what collectors write with, `transactions` what is to be there exactly
//! once; `newest` reads back the end of a topic. `admin` answers questions about topics, `limits`
//! one about their batches, `create` makes one, `compacted`, `tail` and `exclusive` make, follow
//! and write small topics that hold a state, `embedded` is a broker for trying things.
//! `native` holds the calls that rust-rdkafka has no safe API for.

mod admin;
mod batches;
mod client;
mod compacted;
mod config;
mod consumer;
mod create;
mod embedded;
mod events;
mod exclusive;
mod group;
mod jaas;
mod limits;
mod native;
mod newest;
mod producer;
mod range;
mod reserved;
mod stores;
mod tail;
mod transactions;

pub use crate::error::{Error, ErrorKind};
pub(crate) use admin::is_internal;
pub use admin::{Admin, TopicDescription, Watermarks};
pub(crate) use batches::BatchProducer;
pub(crate) use compacted::make_compacted;
pub use config::KafkaConfig;
pub(crate) use consumer::{Consumer, ConsumerSettings, Seat};
pub(crate) use create::ensure_topic;
pub use embedded::EmbeddedBroker;
pub(crate) use events::ConsumerEvent;
pub(crate) use exclusive::Exclusive;
pub(crate) use group::Assignments;
pub(crate) use jaas::{credentials as login, options as login_options};
pub use limits::batch_bytes_max;
pub(crate) use native::{Headers, Message};
pub(crate) use newest::{Bounds, Newest};
pub use producer::{Delivered, Delivery, Outgoing, Producer, ProducerOptions};
pub(crate) use range::RangeReader;
pub use reserved::check_reserved;
pub(crate) use reserved::{is_reserved, refusal};
pub(crate) use tail::{Tail, Told};
pub use transactions::{KeptMark, Transactions};
