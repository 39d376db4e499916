//! `[http]` and `[postgres]`: where SQL is served, and to whom.

use serde::Deserialize;

/// `[http]`.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct HttpSettings {
    /// Where SQL, tables and replays are served; empty is off.
    pub(crate) listen: String,
    /// Serve beyond loopback although requests carry no token and no TLS.
    pub(crate) allow_remote_without_token: bool,
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8480".to_owned(),
            allow_remote_without_token: false,
        }
    }
}

/// `[postgres]`.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct PostgresSettings {
    /// Where SQL is served to clients of Postgres; empty is off. With `http.token` that token is
    /// their password.
    pub(crate) listen: String,
    /// Serve beyond loopback although nobody needs a password. Connections aren't encrypted.
    pub(crate) allow_remote_without_token: bool,
}

impl Default for PostgresSettings {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8484".to_owned(),
            allow_remote_without_token: false,
        }
    }
}
