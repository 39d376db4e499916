//! A flat map of Kafka's own keys, as Java clients know them, and its way to librdkafka.
//!
//! Whoever has a working Java client can copy its properties. Keys that librdkafka knows pass
//! through, each under one name; Java's that it spells differently are translated; Java's that mean
//! nothing here are dropped with one warning. `Debug` never shows a secret.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Mutex, PoisonError};

use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaConfRes;

use crate::error::{Error, Result};
use crate::kafka::{jaas, stores};

/// The keys of a `[kafka]` table, a destination or a connector's overrides.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct KafkaConfig {
    entries: BTreeMap<String, String>,
}

impl KafkaConfig {
    /// Takes a flat map.
    pub fn new(entries: BTreeMap<String, String>) -> Self {
        Self::default().overlay(&entries)
    }

    /// The value of `key`, as written. Each of its spellings asks for it.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.entries.get(one_spelling(key)).map(String::as_str)
    }

    /// `bootstrap.servers`.
    pub fn bootstrap_servers(&self) -> Option<&str> {
        self.get("bootstrap.servers")
    }

    /// The same with `key` set to `value`.
    #[must_use]
    pub fn with(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        let key: String = key.into();
        let key = one_spelling(&key).to_owned();
        self.entries.insert(key, value.into());
        self
    }

    /// The same with `more` on top. Where that has both spellings of a key, the one that Eddy
    /// itself uses counts.
    #[must_use]
    pub fn overlay(&self, more: &BTreeMap<String, String>) -> Self {
        let mut entries = self.entries.clone();
        for other in [true, false] {
            for (key, value) in more {
                let one = one_spelling(key);
                if (one != key.as_str()) == other {
                    entries.insert(one.to_owned(), value.clone());
                }
            }
        }
        Self { entries }
    }

    /// Checks that librdkafka takes every key and value.
    ///
    /// # Errors
    /// `Invalid`, naming the key that is wrong.
    pub fn check(&self) -> Result<()> {
        self.client().map(|_| ())
    }

    /// A client's configuration as a test wants it.
    #[cfg(test)]
    pub(crate) fn client_config(&self) -> ClientConfig {
        #[expect(
            clippy::expect_used,
            reason = "a test has nothing better to do than to fail"
        )]
        self.client().expect("the test's configuration is right")
    }

    /// The configuration of a librdkafka client.
    pub(super) fn client(&self) -> Result<ClientConfig> {
        let servers = self.bootstrap_servers().map(str::trim).unwrap_or_default();
        if servers.is_empty() {
            return Err(Error::invalid(
                "`bootstrap.servers` is not set; name at least one broker, as `host:9092`",
            ));
        }
        let mut client = ClientConfig::new();
        let mut dropped = BTreeSet::new();
        for (key, value) in translate(&self.entries)? {
            match known(&key, &value)? {
                true => {
                    client.set(key, value);
                }
                false => {
                    dropped.insert(key);
                }
            }
        }
        warn_once(&dropped);
        Ok(client)
    }
}

impl fmt::Debug for KafkaConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut map = f.debug_map();
        for (key, value) in &self.entries {
            map.entry(key, if is_secret(key) { &"[hidden]" } else { value });
        }
        map.finish()
    }
}

/// Whether the value of `key` must never be shown.
pub(crate) fn is_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    const PARTS: [&str; 7] = [
        "password",
        "secret",
        "jaas",
        "token",
        "credential",
        "basic.auth",
        "ssl.keystore.key",
    ];
    PARTS.iter().any(|part| key.contains(part))
        || key.ends_with("ssl.key.pem")
        || key.ends_with("sasl.oauthbearer.config")
}

/// librdkafka's other names for keys, and the one that is used here. It takes both at once, and of
/// those the one that comes last by chance.
const ALIASES: [(&str, &str); 9] = [
    ("metadata.broker.list", "bootstrap.servers"),
    ("sasl.mechanisms", "sasl.mechanism"),
    ("max.partition.fetch.bytes", "fetch.message.max.bytes"),
    ("message.timeout.ms", "delivery.timeout.ms"),
    ("queue.buffering.max.ms", "linger.ms"),
    ("compression.codec", "compression.type"),
    ("request.required.acks", "acks"),
    ("message.send.max.retries", "retries"),
    ("max.in.flight", "max.in.flight.requests.per.connection"),
];

fn one_spelling(key: &str) -> &str {
    let alias = ALIASES.iter().find(|(other, _)| *other == key);
    alias.map_or(key, |(_, one)| one)
}

/// Java's spelling of keys that librdkafka spells differently.
const RENAMED: [(&str, &str); 7] = [
    ("fetch.max.wait.ms", "fetch.wait.max.ms"),
    ("ssl.truststore.certificates", "ssl.ca.pem"),
    ("ssl.keystore.certificate.chain", "ssl.certificate.pem"),
    ("ssl.keystore.key", "ssl.key.pem"),
    ("send.buffer.bytes", "socket.send.buffer.bytes"),
    ("receive.buffer.bytes", "socket.receive.buffer.bytes"),
    ("ssl.cipher.suites", "ssl.cipher.suites"),
];

fn translate(entries: &BTreeMap<String, String>) -> Result<BTreeMap<String, String>> {
    let mut keys = BTreeMap::new();
    for (key, value) in entries {
        let value = value.trim();
        match key.as_str() {
            "sasl.jaas.config" => {
                let (user, password) = jaas::credentials(value).ok_or_else(|| {
                    Error::invalid(
                        "`sasl.jaas.config` has no username and password; Eddy reads PLAIN's \
                         and SCRAM's login modules, or set `sasl.username` and `sasl.password`",
                    )
                })?;
                keys.insert("sasl.username".to_owned(), user);
                keys.insert("sasl.password".to_owned(), password);
            }
            key if stores::is_key(key) => stores::translate(entries, key, value, &mut keys)?,
            "ssl.endpoint.identification.algorithm" if value.is_empty() => {
                keys.insert(key.clone(), "none".to_owned());
            }
            // Java class names; Eddy's tasks choose the strategy themselves.
            "partition.assignment.strategy" | "auto.offset.reset" | "enable.auto.commit" => {}
            "buffer.memory" => {
                let bytes: u64 = value.parse().map_err(|_| {
                    Error::invalid(format!("`buffer.memory` is `{value}`; give bytes"))
                })?;
                let kbytes = (bytes / 1024).max(1);
                keys.insert("queue.buffering.max.kbytes".to_owned(), kbytes.to_string());
            }
            "security.protocol" => {
                keys.insert(key.clone(), value.to_ascii_lowercase());
            }
            _ => {
                let renamed = RENAMED.iter().find(|(java, _)| java == key);
                let name = renamed.map_or(key.as_str(), |(_, native)| native);
                keys.insert(name.to_owned(), value.to_owned());
            }
        }
    }
    Ok(keys)
}

/// Whether librdkafka knows the key; a value that it refuses is an error.
fn known(key: &str, value: &str) -> Result<bool> {
    let mut probe = ClientConfig::new();
    probe.set(key, value);
    match probe.create_native_config() {
        Ok(_) => Ok(true),
        Err(KafkaError::ClientConfig(RDKafkaConfRes::RD_KAFKA_CONF_UNKNOWN, ..)) => Ok(false),
        Err(KafkaError::ClientConfig(_, why, ..)) => {
            let shown = if is_secret(key) { "[hidden]" } else { value };
            let why = if is_secret(key) {
                String::new()
            } else {
                format!(": {why}")
            };
            Err(Error::invalid(format!("`{key}` can't be `{shown}`{why}")))
        }
        Err(error) => Err(Error::kafka(format!("`{key}` can't be set"), error)),
    }
}

fn warn_once(dropped: &BTreeSet<String>) {
    static SAID: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    let mut said = SAID.lock().unwrap_or_else(PoisonError::into_inner);
    let new: Vec<&str> = dropped
        .iter()
        .filter(|key| !said.contains(*key))
        .map(String::as_str)
        .collect();
    if !new.is_empty() {
        tracing::warn!(keys = %new.join(", "), "kafka keys without meaning here are ignored");
    }
    said.extend(dropped.iter().cloned());
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::kafka::producer::settings;

    fn config(entries: &[(&str, &str)]) -> KafkaConfig {
        entries.iter().fold(
            KafkaConfig::default().with("bootstrap.servers", "127.0.0.1:1"),
            |config, (key, value)| config.with(*key, *value),
        )
    }

    #[test]
    fn java_keys_become_librdkafka_keys() {
        let client = config(&[
            ("security.protocol", "SASL_SSL"),
            ("sasl.mechanism", "SCRAM-SHA-512"),
            (
                "sasl.jaas.config",
                "x.ScramLoginModule required username=\"u\" password=\"p\";",
            ),
            ("ssl.truststore.type", "PEM"),
            (
                "ssl.truststore.location",
                "../tests/fixtures/stores/authority.pem",
            ),
            (
                "ssl.keystore.location",
                "../tests/fixtures/stores/client.pem",
            ),
            ("ssl.endpoint.identification.algorithm", ""),
            ("fetch.max.wait.ms", "100"),
            ("buffer.memory", "33554432"),
            ("max.poll.records", "500"),
            ("queued.min.messages", "1000"),
        ])
        .client()
        .unwrap();
        assert_eq!(client.get("sasl.username"), Some("u"));
        assert_eq!(client.get("sasl.password"), Some("p"));
        assert_eq!(client.get("security.protocol"), Some("sasl_ssl"));
        let ca = client.get("ssl.ca.location");
        assert_eq!(ca, Some("../tests/fixtures/stores/authority.pem"));
        let key = client.get("ssl.key.location");
        assert_eq!(key, Some("../tests/fixtures/stores/client.pem"));
        assert_eq!(
            client.get("ssl.endpoint.identification.algorithm"),
            Some("none")
        );
        assert_eq!(client.get("fetch.wait.max.ms"), Some("100"));
        assert_eq!(client.get("queue.buffering.max.kbytes"), Some("32768"));
        assert_eq!(client.get("queued.min.messages"), Some("1000"));
        assert_eq!(client.get("max.poll.records"), None);
    }

    #[test]
    fn a_key_by_its_other_name_holds_over_what_eddy_sets() {
        for (other, one, value) in [
            ("message.timeout.ms", "delivery.timeout.ms", "7000"),
            ("queue.buffering.max.ms", "linger.ms", "7"),
            ("compression.codec", "compression.type", "zstd"),
        ] {
            let client = settings(&config(&[(other, value)]), &[]).unwrap();
            assert_eq!((client.get(other), client.get(one)), (None, Some(value)));
        }
        let acks = settings(&config(&[("request.required.acks", "1")]), &[]).unwrap();
        assert_eq!(acks.get("request.required.acks"), None);
        assert_eq!(acks.get("acks"), Some("all"));
        let fetched = config(&[("fetch.message.max.bytes", "1"), ("linger.ms", "1")]);
        let entries = [("max.partition.fetch.bytes", "2"), ("acks", "1")];
        let entries = entries.map(|(key, value)| (key.to_owned(), value.to_owned()));
        let fetched = fetched.overlay(&BTreeMap::from(entries));
        assert_eq!(fetched.get("max.partition.fetch.bytes"), Some("2"));
        let client = fetched.client().unwrap();
        assert_eq!(client.get("fetch.message.max.bytes"), Some("2"));
        assert_eq!(client.get("max.partition.fetch.bytes"), None);
    }

    #[test]
    fn secrets_are_hidden_in_debug_and_errors() {
        let config = config(&[
            (
                "sasl.jaas.config",
                "x.PlainLoginModule required username=\"u\" password=\"hush\";",
            ),
            ("ssl.key.password", "hush"),
            ("client.id", "shown"),
        ]);
        let text = format!("{config:?}");
        assert!(!text.contains("hush"), "{text}");
        assert!(text.contains("shown"), "{text}");
    }

    #[test]
    fn a_wrong_value_is_refused_by_name() {
        let error = config(&[("linger.ms", "soon")]).client().unwrap_err();
        assert!(error.to_string().contains("`linger.ms`"), "{error}");
        let error = config(&[("ssl.truststore.type", "BCFKS")])
            .client()
            .unwrap_err();
        assert!(error.to_string().contains("`BCFKS`"), "{error}");
        let error = KafkaConfig::default().client().unwrap_err();
        assert!(error.to_string().contains("bootstrap.servers"), "{error}");
    }
}
