//! The keys of Parquet's encryption.
//!
//! A key that is passed over would let everything land in plain, so unlike elsewhere an unknown
//! one and an empty value are refused. The secret itself is in no message.

use eddy_engine::seal::{Key, Keys};

use super::Reader;
use super::class::Class;
use crate::error::{Error, Result};

const KEY: &str = "encryption.key";
const KEY_ID: &str = "encryption.key.id";

/// The format numbers the columns of an encrypted file with 15 bits; the rest is for the envelope.
const LEAVES_MOST: usize = 32_000;

/// With what a connector's tables are encrypted.
#[derive(Debug, Clone)]
pub struct Encryption {
    /// `encryption.key.id`.
    id: String,
    /// `encryption.key`, where it isn't the process's to have it.
    key: Option<Secret>,
}

#[derive(Debug, Clone)]
enum Secret {
    Known(Key),
    /// A reference that is still one: validation resolves none.
    Reference,
}

impl Encryption {
    /// The secret that the connector brings with it.
    pub fn own_key(&self) -> Option<&Key> {
        match &self.key {
            Some(Secret::Known(key)) => Some(key),
            Some(Secret::Reference) | None => None,
        }
    }

    /// The key, out of `keys` unless the connector brings it; then it is in `keys`, too.
    ///
    /// # Errors
    /// `Invalid` when nobody has it, and when its id stands for another one.
    pub(crate) fn key(&self, keys: &Keys) -> Result<Key> {
        match &self.key {
            Some(Secret::Known(key)) => {
                keys.add(key)?;
                Ok(key.clone())
            }
            Some(Secret::Reference) => Err(Error::invalid(format!(
                "`{KEY}` refers to what no provider knows; use `${{file:PATH}}` or `${{env:NAME}}`"
            ))),
            None => keys.find(&self.id).ok_or_else(|| {
                Error::invalid(format!(
                    "`{KEY_ID}` is `{0}`, and there is no such key: set `{KEY}`, or `\"{0}\"` \
                     under [encryption.keys] of the configuration file",
                    self.id
                ))
            }),
        }
    }
}

/// Reads and checks the keys; `None` without them.
pub(super) fn read(reader: &Reader<'_>, class: Class) -> Result<Option<Encryption>> {
    let wrong = |text: String| Error::invalid(format!("connector `{}`: {text}", reader.name));
    let meant = |key: &&String| key.trim().to_lowercase().starts_with("encrypt");
    for key in reader.map.keys().filter(meant) {
        if ![KEY, KEY_ID].contains(&key.as_str()) {
            let text = format!("`{key}` is unknown; allowed is `{KEY_ID}` and `{KEY}`");
            return Err(wrong(text));
        }
        if reader.text(key).is_none() {
            let text = format!("`{key}` is empty; remove it if nothing is meant");
            return Err(wrong(text));
        }
        if class != Class::Eddy {
            let text = format!(
                "`{key}` is for Eddy's own class: files in another sink's layout aren't encrypted"
            );
            return Err(wrong(text));
        }
    }
    let Some(id) = reader.text(KEY_ID) else {
        return match reader.text(KEY) {
            Some(_) => Err(wrong(format!(
                "`{KEY}` needs a name in `{KEY_ID}`, which files have beside what it encrypts"
            ))),
            None => Ok(None),
        };
    };
    let leaves = reader.limits()?.leaves;
    if leaves > LEAVES_MOST {
        let text = format!("`limits.leaves` is `{leaves}`; with `{KEY_ID}` at most {LEAVES_MOST}");
        return Err(wrong(text));
    }
    let key = reader.text(KEY).map(|text| match text.starts_with("${") {
        true => Ok(Secret::Reference),
        false => Key::from_base64(id, text).map(Secret::Known),
    });
    let key = key.transpose().map_err(|error| wrong(error.to_string()))?;
    Ok(Some(Encryption {
        id: id.to_owned(),
        key,
    }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use eddy_engine::seal::{Key, Keys};

    use crate::connect::ConnectorConfig;
    use crate::error::Result;

    const SECRET: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";

    fn parse(entries: &[(&str, &str)]) -> Result<ConnectorConfig> {
        let entries = entries.iter().chain(&[("topics", "orders")]);
        let map = entries.map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        ConnectorConfig::parse("orders", &map.collect())
    }

    #[test]
    fn a_key_is_the_connectors_or_the_processs_and_is_shown_to_nobody() {
        assert!(parse(&[]).unwrap().encryption.is_none());
        let config = parse(&[("encryption.key.id", "k1"), ("encryption.key", SECRET)]).unwrap();
        let shown = format!("{config:?}");
        assert!(shown.contains("k1") && !shown.contains(SECRET), "{shown}");
        assert!(!shown.contains("[48, 49, 50"), "{shown}");
        let keys = Keys::default();
        assert_eq!(config.encryption.unwrap().key(&keys).unwrap().id(), "k1");
        assert!(keys.find("k1").is_some(), "readers have it, too");

        // As validation sees it.
        let reference = [("encryption.key.id", "k"), ("encryption.key", "${file:/k}")];
        let reference = parse(&reference).unwrap().encryption.unwrap();
        let error = reference.key(&keys).unwrap_err().to_string();
        assert!(reference.own_key().is_none() && error.contains("no provider"));

        let named = parse(&[("encryption.key.id", "k2")]).unwrap();
        let named = named.encryption.unwrap();
        let error = named.key(&keys).unwrap_err().to_string();
        assert!(error.contains("`k2`") && error.contains("[encryption.keys]"));
        keys.add(&Key::from_base64("k2", SECRET).unwrap()).unwrap();
        assert_eq!(named.key(&keys).unwrap().id(), "k2");
    }

    #[test]
    fn whatever_would_leave_files_in_plain_by_mistake_is_refused_by_name() {
        let refused = |entries: &[(&str, &str)], needles: &[&str]| {
            let message = parse(entries).unwrap_err().to_string();
            for needle in needles {
                assert!(message.contains(needle), "{needle}: {message}");
            }
            assert!(!message.contains(SECRET), "{message}");
        };
        refused(
            &[("encryption.key", SECRET)],
            &["`orders`", "`encryption.key.id`"],
        );
        refused(
            &[("encryption.key.id", "k"), ("encryption.key", "c2hvcnQ=")],
            &["`k`", "16 or 32 bytes", "openssl"],
        );
        refused(
            &[("encryption.key.id", "k"), ("encryption.keys", SECRET)],
            &["`encryption.keys`", "unknown"],
        );
        refused(&[("Encryption.Key.Id", "k")], &["`Encryption.Key.Id`"]);
        refused(&[("encryption.key.id", " ")], &["empty"]);
        let leaves = [("limits.leaves", "40000"), ("encryption.key.id", "k")];
        refused(&leaves, &["`limits.leaves`", "32000"]);
        let confluent = "io.confluent.connect.s3.S3SinkConnector";
        refused(
            &[
                ("connector.class", confluent),
                (
                    "format.class",
                    "io.confluent.connect.s3.format.parquet.ParquetFormat",
                ),
                ("storage.class", "io.confluent.connect.s3.storage.S3Storage"),
                ("s3.bucket.name", "b"),
                ("flush.size", "1"),
                ("encryption.key.id", "k"),
            ],
            &["`encryption.key.id`", "layout"],
        );
    }
}
