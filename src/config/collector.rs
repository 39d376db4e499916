//! `[collector]`: where events are taken over HTTP and gRPC, and how many at once.

use std::time::Duration;

use anyhow::{Result, bail};
use eddy_connector::collect::CollectorOptions;
use serde::Deserialize;

use super::ByteSize;

/// `[collector]`.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct CollectorSettings {
    /// Where events are taken over HTTP; empty is off.
    pub(crate) http_listen: String,
    /// Where they are over gRPC; empty is off.
    pub(crate) grpc_listen: String,
    /// Serve beyond loopback although tokens and events aren't encrypted on their way.
    pub(crate) allow_remote_without_tls: bool,
    /// Connections of each listener at once; others wait to be accepted.
    pub(crate) connections_max: u32,
    /// Of one request's body, inflated too.
    body_max: ByteSize,
    /// Events of one request.
    events_max: u32,
    /// For bodies that are held at once, and as much again for what is on its way to Kafka.
    memory: ByteSize,
    /// How long a body may take to arrive.
    body_timeout_seconds: u32,
    /// How long a request waits for room and for Kafka before it is told to come again.
    hold_seconds: u32,
    /// The same over gRPC, whose clients wait for an answer but drop what is refused.
    grpc_hold_seconds: u32,
    /// Partitions of topics that are made; -1 is the broker's default.
    partitions: i32,
    /// Copies of topics that are made; -1 is the broker's default.
    replication: i32,
    /// Request headers that become headers of the records, with commas between.
    headers: String,
    /// How long an `Idempotency-Key`, and a record that came over gRPC, is remembered.
    keys_seconds: u32,
    /// How many keys are remembered at most.
    keys_max: u32,
    /// How many such records are.
    records_max: u32,
}

impl Default for CollectorSettings {
    fn default() -> Self {
        Self {
            http_listen: "127.0.0.1:8481".to_owned(),
            grpc_listen: "127.0.0.1:8482".to_owned(),
            allow_remote_without_tls: false,
            connections_max: 1_024,
            body_max: ByteSize::mebibytes(16),
            events_max: 10_000,
            memory: ByteSize::mebibytes(128),
            body_timeout_seconds: 30,
            hold_seconds: 30,
            grpc_hold_seconds: 600,
            partitions: -1,
            replication: -1,
            headers: String::new(),
            keys_seconds: 600,
            keys_max: 100_000,
            records_max: 500_000,
        }
    }
}

impl CollectorSettings {
    /// The same as the collector takes it.
    ///
    /// # Errors
    /// Names a header that is a secret.
    pub(crate) fn options(&self) -> Result<CollectorOptions> {
        let names = self
            .headers
            .split(',')
            .map(|name| name.trim().to_ascii_lowercase());
        let headers: Vec<String> = names.filter(|name| !name.is_empty()).collect();
        let is_secret =
            |name: &&String| ["authorization", "batch-token", "cookie"].contains(&name.as_str());
        if let Some(secret) = headers.iter().find(is_secret) {
            bail!("`collector.headers` names `{secret}`, which holds a secret; leave it out");
        }
        let defaults = CollectorOptions::default();
        Ok(CollectorOptions {
            body_bytes_max: self.body_max.bytes(),
            events_max: usize::try_from(self.events_max).unwrap_or(defaults.events_max),
            memory_bytes: self.memory.bytes().max(self.body_max.bytes()),
            body_timeout: Duration::from_secs(self.body_timeout_seconds.into()),
            hold: Duration::from_secs(self.hold_seconds.max(1).into()),
            grpc_hold: Duration::from_secs(self.grpc_hold_seconds.max(1).into()),
            partitions: self.partitions,
            replication: self.replication,
            headers,
            keys_for: Duration::from_secs(self.keys_seconds.into()),
            keys_max: usize::try_from(self.keys_max).unwrap_or(defaults.keys_max),
            records_max: usize::try_from(self.records_max).unwrap_or(defaults.records_max),
            ..defaults
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn headers_are_read_in_any_case_and_secrets_refused() {
        let settings = |headers: &str| CollectorSettings {
            headers: headers.to_owned(),
            ..CollectorSettings::default()
        };
        let options = settings("X-Request-Id, user-agent ,").options().unwrap();
        assert_eq!(options.headers, ["x-request-id", "user-agent"]);
        let error = settings("Authorization").options().unwrap_err();
        assert!(error.to_string().contains("authorization"), "{error}");
    }
}
