//! Java's keys of key and trust stores, as librdkafka takes them: in PEM, from a file or as text.
//!
//! librdkafka knows one format of stores (PKCS#12, of keys) and no trust store at all, so what
//! Java's users have is read here and handed over as text.

use std::collections::BTreeMap;

use crate::error::Result;
use crate::keystore;

const TRUST: &str = "ssl.truststore.location";
const KEYS: &str = "ssl.keystore.location";
const KEY_PASSWORD: &str = "ssl.key.password";

/// Whether the key says where a store is, or how it is opened.
pub(super) fn is_key(key: &str) -> bool {
    let of_store = key.strip_prefix("ssl.truststore.");
    let of_store = of_store.or_else(|| key.strip_prefix("ssl.keystore."));
    matches!(of_store, Some("location" | "password" | "type")) || key == KEY_PASSWORD
}

/// Adds what `key` says to librdkafka's `keys`.
///
/// # Errors
/// `Invalid` for a store that can't be opened, and a type that Eddy doesn't read.
pub(super) fn translate(
    entries: &BTreeMap<String, String>,
    key: &str,
    value: &str,
    keys: &mut BTreeMap<String, String>,
) -> Result<()> {
    let text = |key: &str| {
        let value = entries.get(key).map(|value| value.trim());
        value.filter(|value| !value.is_empty())
    };
    let mut set = |key: &str, value: &str| keys.insert(key.to_owned(), value.to_owned());
    match key {
        "ssl.truststore.type" | "ssl.keystore.type" => keystore::check_type(key, value)?,
        TRUST if !value.is_empty() => {
            match keystore::open(value, text("ssl.truststore.password"), None)? {
                Some(store) => set("ssl.ca.pem", &store.trusted()?),
                None => set("ssl.ca.location", value),
            };
        }
        KEYS if !value.is_empty() => {
            match keystore::open(value, text("ssl.keystore.password"), text(KEY_PASSWORD))? {
                Some(store) => {
                    let (chain, key) = store.identity()?;
                    set("ssl.certificate.pem", &chain);
                    set("ssl.key.pem", &key);
                }
                None => {
                    // One PEM file holds the certificate chain and the key; librdkafka names it
                    // twice.
                    set("ssl.certificate.location", value);
                    set("ssl.key.location", value);
                    if let Some(password) = text(KEY_PASSWORD) {
                        set(KEY_PASSWORD, password);
                    }
                }
            }
        }
        // The key is given in another way than by a store.
        KEY_PASSWORD if text(KEYS).is_none() => {
            set(KEY_PASSWORD, value);
        }
        // Said with the store.
        _ => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use rdkafka::consumer::BaseConsumer;

    use super::*;
    use crate::kafka::KafkaConfig;

    fn config(entries: &[(&str, &str)]) -> KafkaConfig {
        let base = KafkaConfig::default()
            .with("bootstrap.servers", "127.0.0.1:1")
            .with("security.protocol", "SSL");
        entries.iter().fold(base, |config, (key, value)| {
            let is_file = key.ends_with("location");
            let folder = if is_file {
                "../tests/fixtures/stores/"
            } else {
                ""
            };
            config.with(*key, format!("{folder}{value}"))
        })
    }

    #[test]
    fn a_client_is_made_with_the_stores_of_a_java_client_of_any_format() {
        for (trust, keys, of_key) in [
            ("truststore.jks", "keystore.jks", "inside1"),
            ("truststore.p12", "keystore.p12", "changeit"),
            ("authority.pem", "client.pem", ""),
            ("truststore.p12", "keystore.jks", "inside1"),
        ] {
            let client = config(&[
                ("ssl.truststore.location", trust),
                ("ssl.truststore.password", "changeit"),
                ("ssl.truststore.type", "JKS"),
                ("ssl.keystore.location", keys),
                ("ssl.keystore.password", "changeit"),
                ("ssl.key.password", of_key),
            ])
            .client_config();
            // librdkafka reads certificates and key when a client is made.
            let made: Result<BaseConsumer, _> = client.create();
            made.unwrap();
            let is_text = client.get("ssl.key.pem").is_some();
            assert_eq!(is_text, !keys.ends_with("pem"), "{keys}");
            assert_eq!(client.get("ssl.keystore.location"), None);
        }
    }

    #[test]
    fn a_store_that_cannot_be_opened_is_told_when_the_configuration_is_checked() {
        let error = config(&[
            ("ssl.truststore.location", "truststore.jks"),
            ("ssl.truststore.password", "hush"),
        ]);
        let error = error.check().unwrap_err().to_string();
        assert!(error.contains("truststore.jks"), "{error}");
        assert!(!error.contains("hush"), "{error}");
    }
}
