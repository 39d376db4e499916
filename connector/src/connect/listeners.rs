//! Where Connect's REST API is served, and how its listeners prove who they are: Connect's own keys
//! as plain data.
//!
//! `tls` is the certificate of `https` listeners and what they ask of clients, `jaas` finds the
//! file of users as Connect's extension for basic authentication does.

mod jaas;
mod tls;

pub use tls::{ClientAuth, KeyStore, ServerTls};

pub(super) use jaas::users_file;

use crate::error::{Error, Result};

/// A listener's address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenAddress {
    /// Whether it speaks TLS.
    pub tls: bool,
    /// `host:port`; every interface without a host.
    pub host_port: String,
}

impl ListenAddress {
    /// The addresses of a list such as `http://:8083, https://:8443`; one without scheme is `http`.
    ///
    /// # Errors
    /// `Invalid` for another scheme, or without a port.
    pub fn parse(key: &str, list: &str) -> Result<Vec<Self>> {
        let all = list.split(',').map(str::trim);
        all.filter(|one| !one.is_empty())
            .map(|one| Self::one(key, one))
            .collect()
    }

    fn one(key: &str, text: &str) -> Result<Self> {
        let (scheme, rest) = text.split_once("://").unwrap_or(("http", text));
        let tls = match scheme.to_ascii_lowercase().as_str() {
            "http" => false,
            "https" => true,
            _ => {
                return Err(Error::invalid(format!(
                    "`{key}` has `{text}`; a listener begins with `http://` or `https://`"
                )));
            }
        };
        let host_port = match rest.trim_end_matches('/') {
            rest if rest.starts_with(':') => format!("0.0.0.0{rest}"),
            rest => rest.to_owned(),
        };
        let port = host_port.rsplit_once(':').map(|(_, port)| port.parse());
        match port {
            Some(Ok(0u16..)) => Ok(Self { tls, host_port }),
            _ => Err(Error::invalid(format!(
                "`{key}` has `{text}`, which doesn't end in a port"
            ))),
        }
    }

    /// The port.
    pub fn port(&self) -> &str {
        let port = self.host_port.rsplit_once(':');
        port.map_or("", |(_, port)| port)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn listeners_have_a_scheme_a_host_and_a_port() {
        let parse = |list| ListenAddress::parse("listeners", list);
        let address = |tls, host_port: &str| ListenAddress {
            tls,
            host_port: host_port.to_owned(),
        };
        assert_eq!(
            parse("HTTP://:8083, https://[::1]:8443,127.0.0.1:1").unwrap(),
            [
                address(false, "0.0.0.0:8083"),
                address(true, "[::1]:8443"),
                address(false, "127.0.0.1:1"),
            ]
        );
        assert_eq!(parse(" ").unwrap(), []);
        assert_eq!(address(true, "[::1]:8443").port(), "8443");
        for (wrong, wanted) in [
            ("ftp://x:1", "https://"),
            ("http://x", "port"),
            ("x:99999", "port"),
        ] {
            let error = parse(wrong).unwrap_err().to_string();
            assert!(
                error.contains("`listeners`") && error.contains(wanted),
                "{error}"
            );
        }
    }
}
