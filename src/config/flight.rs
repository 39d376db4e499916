//! `[flight]`: where Arrow Flight is served, by which other processes get live rows.

use serde::Deserialize;

/// `[flight]`. `http.token` opens it too.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct FlightSettings {
    /// Where it is served; empty is off, and then other processes don't see this one's live rows.
    pub(crate) listen: String,
    /// Serve beyond loopback although requests carry no token.
    pub(crate) allow_remote_without_token: bool,
    /// `host:port` under which other processes reach it. Where it listens unless given.
    pub(crate) advertised: String,
}

impl Default for FlightSettings {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8483".to_owned(),
            allow_remote_without_token: false,
            advertised: String::new(),
        }
    }
}
