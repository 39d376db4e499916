//! Certificates of a registry, and ours for it.

use reqwest_tls::{Certificate, ClientBuilder, Identity};

use super::settings::{Store, Tls};
use crate::error::{Error, Result};
use crate::keystore;

/// A client that trusts the system's certificates and those of the settings.
///
/// # Errors
/// `Invalid` when a file can't be read or has no certificates.
pub(super) fn secured(client: ClientBuilder, tls: &Tls) -> Result<ClientBuilder> {
    let mut client = client;
    if let Some(trusted) = &tls.trusted {
        let text = match opened(trusted)? {
            Some(store) => store.trusted()?.into_bytes(),
            None => read(trusted)?,
        };
        let bundle = Certificate::from_pem_bundle(&text);
        let bundle = bundle.map_err(|error| wrong(trusted, "certificates").with_source(error))?;
        if bundle.is_empty() {
            return Err(wrong(trusted, "certificates"));
        }
        for trusted in bundle {
            client = client.add_root_certificate(trusted);
        }
    }
    if let Some(ours) = &tls.identity {
        let text = match opened(ours)? {
            Some(store) => {
                let (chain, key) = store.identity()?;
                format!("{chain}{key}").into_bytes()
            }
            None => read(ours)?,
        };
        let identity = Identity::from_pem(&text);
        let identity =
            identity.map_err(|error| wrong(ours, "certificate and key").with_source(error))?;
        client = client.identity(identity);
    }
    Ok(client.danger_accept_invalid_hostnames(tls.any_name))
}

/// One of Java's stores; `None` for a file in PEM.
fn opened(store: &Store) -> Result<Option<keystore::Store>> {
    let (password, key) = (store.password.as_deref(), store.key_password.as_deref());
    keystore::open(&store.path, password, key)
}

fn read(store: &Store) -> Result<Vec<u8>> {
    let path = &store.path;
    std::fs::read(path).map_err(|error| {
        Error::invalid(format!("the registry's TLS file `{path}` can't be read")).with_source(error)
    })
}

fn wrong(store: &Store, what: &str) -> Error {
    let path = &store.path;
    Error::invalid(format!(
        "the registry's TLS file `{path}` has no {what} in PEM, and is none of Java's stores"
    ))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use reqwest_tls::Client;

    use super::*;

    fn store(name: &str, password: &str, key: Option<&str>) -> Store {
        Store {
            path: format!("../tests/fixtures/stores/{name}"),
            password: Some(password.to_owned()),
            key_password: key.map(str::to_owned),
        }
    }

    #[test]
    fn a_client_is_made_with_stores_of_any_format_and_refuses_one_without_certificates() {
        for (trust, ours, key) in [
            ("truststore.jks", "keystore.jks", Some("inside1")),
            ("truststore.p12", "keystore.p12", None),
            ("authority.pem", "client.pem", None),
        ] {
            let tls = Tls {
                trusted: Some(store(trust, "changeit", None)),
                identity: Some(store(ours, "changeit", key)),
                any_name: false,
            };
            secured(Client::builder(), &tls).unwrap().build().unwrap();
        }
        let tls = Tls {
            trusted: Some(store("make", "changeit", None)),
            ..Tls::default()
        };
        let error = secured(Client::builder(), &tls).unwrap_err().to_string();
        assert!(error.contains("stores/make"), "{error}");
    }
}
