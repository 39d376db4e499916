//! A client of HTTP that reaches only what it may, and what its errors mean.

use std::error::Error as StdError;
use std::sync::Arc;
use std::time::Duration;

use reqwest_tls::redirect::Policy;
use reqwest_tls::{Certificate, Client, Identity};

use super::reach::{Reach, Unreached};
use crate::error::{Error, Result};

/// How a client connects.
pub(super) struct Connecting<'a> {
    /// The longest that a request may take.
    pub(super) timeout: Duration,
    /// The longest that a connection may take to be made.
    pub(super) connect_timeout: Duration,
    /// Connections that stay open while they have nothing to do.
    pub(super) idle: usize,
    /// Further certificates to trust, in PEM.
    pub(super) trusted: Option<&'a str>,
    /// Our certificate and its key, in PEM.
    pub(super) identity: Option<&'a str>,
}

impl Connecting<'_> {
    /// Makes the client. No proxy of the environment is used: behind one the address could not be
    /// checked.
    ///
    /// # Errors
    /// `Invalid` for certificates and keys that are none.
    pub(super) fn client(&self, reach: &Reach, redirects: Policy) -> Result<Client> {
        let mut client = Client::builder()
            .no_proxy()
            .referer(false)
            .redirect(redirects)
            .dns_resolver(Arc::new(reach.clone()))
            .connect_timeout(self.connect_timeout)
            .timeout(self.timeout)
            .pool_max_idle_per_host(self.idle);
        let unfit = |key: &str, what: &str| Error::invalid(format!("`{key}` is not {what} in PEM"));
        if let Some(trusted) = self.trusted {
            let unfit = || unfit("tls.ca", "certificates");
            let bundle = Certificate::from_pem_bundle(trusted.as_bytes()).map_err(|_| unfit())?;
            if bundle.is_empty() {
                return Err(unfit());
            }
            for certificate in bundle {
                client = client.add_root_certificate(certificate);
            }
        }
        if let Some(identity) = self.identity {
            let identity = Identity::from_pem(identity.as_bytes())
                .map_err(|_| unfit("tls.identity", "a certificate and its key"))?;
            client = client.identity(identity);
        }
        let built = client.build();
        built.map_err(|error| Error::invalid(format!("no HTTP client: {}", cause(&error))))
    }
}

/// An error of a request: whom it is about is the destination's matter, since the URL may hold a
/// secret.
pub(super) fn away(error: &reqwest_tls::Error) -> Error {
    if refuses(error) {
        return Error::invalid(cause(error));
    }
    let what = if error.is_timeout() {
        "no answer in time"
    } else if error.is_connect() {
        "no connection"
    } else {
        "no answer"
    };
    Error::unavailable(format!("{what}: {}", cause(error)))
}

/// Whether the address may not be reached.
pub(super) fn refuses(error: &reqwest_tls::Error) -> bool {
    let mut cause = error.source();
    while let Some(inner) = cause {
        if inner.is::<Unreached>() {
            return true;
        }
        cause = inner.source();
    }
    false
}

/// The innermost cause; what lies around it names the URL.
fn cause(error: &reqwest_tls::Error) -> String {
    let mut cause: &dyn StdError = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    if cause.is::<reqwest_tls::Error>() {
        return "the request can't be sent".to_owned();
    }
    cause.to_string()
}
