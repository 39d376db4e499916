//! Integration tests: one binary, a module per promise.
//!
//! `make test` runs them with real services beside them; `harness/` is how a test gets a topic, a
//! lake, an `eddy` process and an answer.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    unreachable_pub,
    reason = "a test that meets something unexpected ends there, and nothing links this binary"
)]

mod answers;
mod architecture;
mod blocks;
mod collect;
mod compaction;
mod connect_doors;
mod connect_rest;
mod described;
mod dev;
mod discovery;
mod encryption;
mod erasure;
mod foreign;
mod foreign_formats;
mod foreign_real;
mod foreign_sides;
mod fronts;
mod group;
mod harness;
mod hostile;
mod kills;
mod landing;
mod live_rows;
mod long_log;
mod metrics;
mod needle;
mod nodes;
mod odd_input;
mod offsets;
mod outage;
mod partitions;
mod platform;
mod positions;
mod proof;
mod readers;
mod redaction;
mod registry;
mod registry_avro;
mod replay;
mod replay_file;
mod replay_http;
mod replay_kafka;
mod replay_live;
mod replay_mapped;
mod replay_once;
mod replay_pins;
mod replay_rabbitmq;
mod replay_shaped;
mod replay_shards;
mod replay_sqs;
mod replay_stdout;
mod routing;
mod secured;
mod services;
mod transforms;
mod views;
