//! The keys of a server's TLS, in Java's names: what it proves itself with, and what it asks of
//! clients.

use std::collections::BTreeMap;
use std::fmt;

use crate::error::{Error, Result};
use crate::keystore;

/// What `ssl.*` says of `https` listeners.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServerTls {
    /// Certificate chain and key; none while nobody asks for TLS.
    pub identity: Option<KeyStore>,
    /// The certificates that those of clients must come from.
    pub trusted: Option<KeyStore>,
    /// What is asked of clients.
    pub client_auth: ClientAuth,
}

/// Certificates or keys. Its `Debug` shows no key and no password.
#[derive(Clone, PartialEq, Eq)]
pub enum KeyStore {
    /// This file: one of Java's stores, or PEM.
    File {
        /// Where it is.
        path: String,
        /// With what it is opened.
        password: Option<String>,
        /// With what the key within is.
        key_password: Option<String>,
    },
    /// This text, in PEM.
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
        let inline = chain.map(|(chain, key)| KeyStore::Text(format!("{chain}\n{key}\n")));
        Ok(Self {
            identity: match inline {
                Some(inline) => Some(inline),
                None => file(&get, prefix, "keystore")?,
            },
            trusted: match get("ssl.truststore.certificates") {
                Some(text) => Some(KeyStore::Text(text)),
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
) -> Result<Option<KeyStore>> {
    let Some(path) = get(&format!("ssl.{what}.location")) else {
        return Ok(None);
    };
    let kind = get(&format!("ssl.{what}.type")).unwrap_or_default();
    keystore::check_type(&format!("{prefix}ssl.{what}.type"), &kind)?;
    Ok(Some(KeyStore::File {
        path,
        password: get(&format!("ssl.{what}.password")),
        key_password: get("ssl.key.password").filter(|_| what == "keystore"),
    }))
}

impl KeyStore {
    /// The certificates that are trusted, in PEM. Blocks.
    ///
    /// # Errors
    /// Names the file that can't be read or opened.
    pub fn trusted(&self) -> Result<String> {
        self.read(|store| store.trusted())
    }

    /// Certificate chain and key, in PEM. Blocks.
    ///
    /// # Errors
    /// Names the file that can't be read or opened.
    pub fn identity(&self) -> Result<String> {
        self.read(|store| store.identity().map(|(chain, key)| format!("{chain}{key}")))
    }

    fn read(&self, of: impl FnOnce(&keystore::Store) -> Result<String>) -> Result<String> {
        let (path, password, key_password) = match self {
            Self::Text(text) => return Ok(text.clone()),
            Self::File {
                path,
                password,
                key_password,
            } => (path, password.as_deref(), key_password.as_deref()),
        };
        match keystore::open(path, password, key_password)? {
            Some(store) => of(&store),
            None => std::fs::read_to_string(path).map_err(|error| {
                Error::unavailable(format!("the store `{path}` can't be read")).with_source(error)
            }),
        }
    }
}

impl fmt::Debug for KeyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, .. } => f.debug_tuple("File").field(path).finish(),
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
        let file = |path: &str| {
            Some(KeyStore::File {
                path: path.to_owned(),
                password: None,
                key_password: None,
            })
        };
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
        assert_eq!(tls.trusted, Some(KeyStore::Text("C".to_owned())));
        assert_eq!(tls.client_auth, ClientAuth::None);
        assert_eq!(read(&[]).unwrap(), ServerTls::default());
    }

    #[test]
    fn javas_stores_are_opened_with_their_passwords_which_are_never_shown() {
        let path = "../tests/fixtures/stores/keystore.jks";
        let keys = [
            ("ssl.keystore.location", path),
            ("ssl.keystore.password", "changeit"),
            ("ssl.key.password", "inside1"),
            (
                "ssl.truststore.location",
                "../tests/fixtures/stores/truststore.p12",
            ),
            ("ssl.truststore.password", "changeit"),
        ];
        let tls = read(&keys).unwrap();
        let (ours, trusted) = (tls.identity.clone().unwrap(), tls.trusted.clone().unwrap());
        let pem = ours.identity().unwrap();
        assert!(pem.contains("BEGIN CERTIFICATE") && pem.contains("BEGIN PRIVATE KEY"));
        assert!(trusted.trusted().unwrap().contains("BEGIN CERTIFICATE"));
        let shown = format!("{tls:?}");
        assert!(
            !shown.contains("changeit") && !shown.contains("inside1"),
            "{shown}"
        );
    }

    #[test]
    fn keys_in_the_file_are_taken_and_never_shown() {
        let inline = [
            ("ssl.keystore.certificate.chain", "CHAIN"),
            ("ssl.keystore.key", "KEY"),
        ];
        let tls = read(&inline).unwrap();
        let identity = tls.identity.clone().unwrap();
        assert_eq!(identity.identity().unwrap(), "CHAIN\nKEY\n");
        assert!(!format!("{tls:?}").contains("KEY"));
        for (keys, wanted) in [
            (("ssl.keystore.type", "JCEKS"), "`JCEKS`"),
            (("ssl.client.auth", "maybe"), "`maybe`"),
        ] {
            let all = [keys, ("ssl.keystore.location", "/a")];
            let error = read(&all).unwrap_err().to_string();
            assert!(error.contains(wanted), "{error}");
        }
    }
}
