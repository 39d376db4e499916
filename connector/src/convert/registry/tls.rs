//! Certificates of a registry, and ours for it.

use std::path::Path;

use reqwest_tls::{Certificate, ClientBuilder, Identity};

use super::settings::Tls;
use crate::error::{Error, Result};

/// A client that trusts the system's certificates and those of the settings.
///
/// # Errors
/// `Invalid` when a file can't be read or has no certificates.
pub(super) fn secured(client: ClientBuilder, tls: &Tls) -> Result<ClientBuilder> {
    let mut client = client;
    if let Some(path) = &tls.trusted {
        let bundle = Certificate::from_pem_bundle(&read(path)?);
        let bundle = bundle.map_err(|error| wrong(path, "certificates").with_source(error))?;
        if bundle.is_empty() {
            return Err(wrong(path, "certificates"));
        }
        for trusted in bundle {
            client = client.add_root_certificate(trusted);
        }
    }
    if let Some(path) = &tls.identity {
        let identity = Identity::from_pem(&read(path)?);
        let identity =
            identity.map_err(|error| wrong(path, "certificate and key").with_source(error))?;
        client = client.identity(identity);
    }
    Ok(client.danger_accept_invalid_hostnames(tls.any_name))
}

fn read(path: &str) -> Result<Vec<u8>> {
    std::fs::read(Path::new(path)).map_err(|error| {
        Error::invalid(format!("the registry's TLS file `{path}` can't be read")).with_source(error)
    })
}

fn wrong(path: &str, what: &str) -> Error {
    Error::invalid(format!(
        "the registry's TLS file `{path}` has no {what} in PEM"
    ))
}
