//! Where a RabbitMQ is, and as whom it is spoken to.

use std::fmt;

use reqwest_tls::Url;

use super::super::percent;
use crate::error::{Error, Result};

/// The virtual host that a URL without one means.
const VHOST: &str = "/";
/// The user and the password of a URL without them.
const GUEST: &str = "guest";

/// What `amqp://user:password@host:port/vhost` says.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Address {
    /// Whether it is spoken to over TLS.
    pub(super) tls: bool,
    /// The host, as it stands in the URL.
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) vhost: String,
    pub(super) user: String,
    pub(super) password: String,
}

impl Address {
    /// Reads a URL. The error doesn't repeat it: it may hold a password.
    ///
    /// # Errors
    /// `Invalid` when it is none of a RabbitMQ.
    pub(super) fn parse(text: &str) -> Result<Self> {
        let invalid = |what: &str| Error::invalid(format!("`url` {what}"));
        let url = Url::parse(text)
            .map_err(|_| invalid("is not a URL such as `amqps://host:5671/vhost`"))?;
        let tls = match url.scheme() {
            "amqp" => false,
            "amqps" => true,
            _ => return Err(invalid("has to begin with `amqps://` or `amqp://`")),
        };
        let host = url.host_str().filter(|host| !host.is_empty());
        let host = host.ok_or_else(|| invalid("names no host"))?.to_owned();
        if url.query().is_some() || url.fragment().is_some() {
            return Err(invalid("may have no `?` and no `#`"));
        }
        let part = |text: &str| {
            percent::decoded(text).ok_or_else(|| invalid("has a `%` that encodes no text"))
        };
        let path = url.path();
        let vhost = part(path.strip_prefix('/').unwrap_or(path))?;
        Ok(Self {
            tls,
            host,
            port: url.port().unwrap_or(if tls { 5671 } else { 5672 }),
            vhost: if vhost.is_empty() {
                VHOST.to_owned()
            } else {
                vhost
            },
            user: match url.username() {
                "" => GUEST.to_owned(),
                user => part(user)?,
            },
            password: url.password().map_or(Ok(GUEST.to_owned()), part)?,
        })
    }
}

/// A URL as it is written down, without user and password; a reference stays one.
pub(super) fn shown(written: &str) -> String {
    let Some((scheme, rest)) = written.trim().split_once("://") else {
        return written.trim().to_owned();
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let host = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    format!("{scheme}://{host}{path}")
}

/// Says where it is, and no password.
impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Address")
            .field("tls", &self.tls)
            .field("host", &self.host)
            .field("port", &self.port)
            .field("vhost", &self.vhost)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_url_says_host_vhost_and_user() {
        let plain = Address::parse("amqp://h").unwrap();
        assert_eq!(
            (plain.tls, plain.host.as_str(), plain.port),
            (false, "h", 5672)
        );
        let all = (
            plain.vhost.as_str(),
            plain.user.as_str(),
            plain.password.as_str(),
        );
        assert_eq!(all, ("/", "guest", "guest"));
        let full = Address::parse("amqps://a%40b:c%2Fd@[::1]:1234/e%2Ff").unwrap();
        assert_eq!(
            (full.tls, full.host.as_str(), full.port),
            (true, "[::1]", 1234)
        );
        let all = (
            full.vhost.as_str(),
            full.user.as_str(),
            full.password.as_str(),
        );
        assert_eq!(all, ("e/f", "a@b", "c/d"));
        assert_eq!(Address::parse("amqp://h/").unwrap().vhost, "/");
        assert!(!format!("{full:?}").contains("c/d"));
    }

    #[test]
    fn what_is_no_address_is_refused_without_being_repeated() {
        for bad in [
            "",
            "hunter2",
            "http://h/",
            "amqp://",
            "amqp://u:hunter2@/v",
            "amqp://h/?hunter2=1",
            "amqp://h/#hunter2",
            "amqp://hunter2:%FF@h/",
        ] {
            let error = Address::parse(bad).unwrap_err().to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn what_is_shown_has_no_user_and_no_password() {
        for (written, told) in [
            ("amqp://u:p@ss@h:1/v", "amqp://h:1/v"),
            ("amqps://h/v@w", "amqps://h/v@w"),
            ("${env:RABBIT}", "${env:RABBIT}"),
            ("amqp://${env:USER}:${env:PASSWORD}@h", "amqp://h"),
        ] {
            assert_eq!(shown(written), told);
        }
    }
}
