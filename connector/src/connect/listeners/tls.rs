//! The keys of a server's TLS, in Java's names: what it proves itself with, and what it asks of
//! clients.

use std::collections::BTreeMap;
use std::fmt;

use crate::error::{Error, Result};

/// What `ssl.*` says of `https` listeners.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServerTls {
    /// Certificate chain and key; none while nobody asks for TLS.
    pub identity: Option<PemStore>,
    /// The certificates that those of clients must come from.
    pub trusted: Option<PemStore>,
    /// What is asked of clients.
    pub client_auth: ClientAuth,
}

/// Certificates or keys in PEM. Its `Debug` shows no key.
#[derive(Clone, PartialEq, Eq)]
pub enum PemStore {
    /// This file.
    File(String),
    /// This text.
    Text(String),
}

/// `ssl.client.auth`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ClientAuth {
    /// Nothing.
    #[default]
    None,
    /// A client may show a certificate, which must be right then.
    Requested,
    /// A client must show one.
    Required,
}

impl ServerTls {
    /// Reads `ssl.*`: those under `prefix` where there is any, else those without, as Connect
    /// does.
    ///
    /// # Errors
    /// `Invalid` for a kind of store that can't be read, and for an unknown `ssl.client.auth`.
    pub fn read(keys: &BTreeMap<String, String>, prefix: &str) -> Result<Self> {
        let own = !prefix.is_empty() && keys.keys().any(|key| key.starts_with(prefix));
        let prefix = if own { prefix } else { "" };
        let get = |key: &str| {
            let value = keys.get(&format!("{prefix}{key}"))?.trim();
            (!value.is_empty()).then(|| value.to_owned())
        };
        let client_auth = match get("ssl.client.auth").as_deref() {
            None | Some("none") => ClientAuth::None,
            Some("requested") => ClientAuth::Requested,
            Some("required") => ClientAuth::Required,
            Some(other) => {
                return Err(Error::invalid(format!(
                    "`{prefix}ssl.client.auth` is `{other}`; it takes `none`, `requested` and \
                     `required`"
                )));
            }
        };
        let chain = get("ssl.keystore.certificate.chain").zip(get("ssl.keystore.key"));
        let inline = chain.map(|(chain, key)| PemStore::Text(format!("{chain}\n{key}\n")));
        Ok(Self {
            identity: match inline {
                Some(inline) => Some(inline),
                None => file(&get, prefix, "keystore")?,
            },
            trusted: match get("ssl.truststore.certificates") {
                Some(text) => Some(PemStore::Text(text)),
                None => file(&get, prefix, "truststore")?,
            },
            client_auth,
        })
    }
}

fn file(
    get: &impl Fn(&str) -> Option<String>,
    prefix: &str,
    what: &str,
) -> Result<Option<PemStore>> {
    let Some(path) = get(&format!("ssl.{what}.location")) else {
        return Ok(None);
    };
    let kind = get(&format!("ssl.{what}.type"));
    let kind = kind.unwrap_or_else(|| match path.rsplit('.').next() {
        Some("pem" | "crt" | "cer") => "PEM".to_owned(),
        _ => "JKS".to_owned(),
    });
    if kind.eq_ignore_ascii_case("PEM") {
        return Ok(Some(PemStore::File(path)));
    }
    Err(Error::invalid(format!(
        "`{prefix}ssl.{what}.location` is a store of type `{kind}`; give a file in PEM and set \
         `{prefix}ssl.{what}.type` to `PEM` (`keytool -importkeystore -deststoretype PKCS12`, then \
         `openssl pkcs12 -nodes`, make one)"
    )))
}

impl PemStore {
    /// The text. Blocks.
    ///
    /// # Errors
    /// `Unavailable`, naming the file that can't be read.
    pub fn read(&self) -> Result<String> {
        match self {
            Self::Text(text) => Ok(text.clone()),
            Self::File(path) => std::fs::read_to_string(path).map_err(|error| {
                Error::unavailable(format!("the store `{path}` can't be read")).with_source(error)
            }),
        }
    }
}

impl fmt::Debug for PemStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
            Self::Text(_) => f.debug_tuple("Text").finish_non_exhaustive(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn read(keys: &[(&str, &str)]) -> Result<ServerTls> {
        let keys = keys.iter();
        let keys = keys.map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        ServerTls::read(&keys.collect(), "listeners.https.")
    }

    #[test]
    fn the_listeners_own_keys_count_alone_where_there_are_any() {
        let file = |path: &str| Some(PemStore::File(path.to_owned()));
        let shared = [
            ("ssl.keystore.location", "/a.pem"),
            ("ssl.client.auth", "required"),
        ];
        let tls = read(&shared).unwrap();
        assert_eq!(tls.identity, file("/a.pem"));
        assert_eq!(tls.client_auth, ClientAuth::Required);
        let own = [
            shared[0],
            shared[1],
            ("listeners.https.ssl.keystore.location", "/b"),
            ("listeners.https.ssl.keystore.type", "pem"),
            ("listeners.https.ssl.truststore.certificates", "C"),
        ];
        let tls = read(&own).unwrap();
        assert_eq!(tls.identity, file("/b"));
        assert_eq!(tls.trusted, Some(PemStore::Text("C".to_owned())));
        assert_eq!(tls.client_auth, ClientAuth::None);
        assert_eq!(read(&[]).unwrap(), ServerTls::default());
    }

    #[test]
    fn keys_in_the_file_are_taken_and_never_shown() {
        let inline = [
            ("ssl.keystore.certificate.chain", "CHAIN"),
            ("ssl.keystore.key", "KEY"),
        ];
        let tls = read(&inline).unwrap();
        let identity = tls.identity.clone().unwrap();
        assert_eq!(identity.read().unwrap(), "CHAIN\nKEY\n");
        assert!(!format!("{tls:?}").contains("KEY"));
        for (keys, wanted) in [
            (("ssl.keystore.location", "/a.jks"), "`JKS`"),
            (("ssl.client.auth", "maybe"), "`maybe`"),
        ] {
            let error = read(&[keys]).unwrap_err().to_string();
            assert!(error.contains(wanted), "{error}");
        }
    }
}
