//! `[connect]`: where Kafka Connect's REST API is served, to whom, and the group of workers.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Result;
use eddy_connector::connect::ServerTls;
use eddy_connector::{Providers, Unknown};
use serde::Deserialize;

/// `[connect]`: Kafka Connect's REST API.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ConnectSettings {
    /// Where it is served: addresses, with `https://` before those that speak TLS; empty is off.
    pub(crate) listen: String,
    /// Where `/admin` is served, with the same; with the rest unless given, nowhere if empty.
    pub(crate) admin_listen: Option<String>,
    /// Serve beyond loopback although requests carry no password.
    pub(crate) allow_remote_without_token: bool,
    /// The file with the users that may ask, `name=password` a line; everybody may unless given.
    /// Relative to the configuration file.
    pub(crate) users_file: Option<PathBuf>,
    /// The sites whose pages may use it, as patterns with commas between.
    pub(crate) allow_origin: String,
    /// What these pages may do, unless it is GET, POST and HEAD.
    pub(crate) allow_methods: String,
    /// `host:port` under which other workers and tools reach it. Where it listens unless given.
    pub(crate) advertised: String,
    /// The workers' group: those of one name share all connectors, and spread their tasks. The
    /// topic `<group_id>-configs` holds what should run, `<group_id>-status` what does.
    pub(crate) group_id: String,
    /// The file that holds it instead, for a worker alone. Relative to the configuration file.
    pub(crate) state_file: Option<PathBuf>,
    /// The topic that holds it, where it isn't `<group_id>-configs`.
    pub(crate) state_topic: String,
    /// The topic that holds what does run, where it isn't `<group_id>-status`.
    pub(crate) status_topic: String,
    /// How many brokers hold the group's topics if they have to be made; -1 is the cluster's
    /// default.
    pub(crate) state_replication: i32,
    /// The converter of keys that connectors have unless they name one; empty is Eddy's own.
    pub(crate) key_converter: String,
    /// The converter of values that connectors have unless they name one; empty is Eddy's own.
    pub(crate) value_converter: String,
}

impl Default for ConnectSettings {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8083".to_owned(),
            admin_listen: None,
            allow_remote_without_token: false,
            users_file: None,
            allow_origin: String::new(),
            allow_methods: String::new(),
            advertised: String::new(),
            group_id: "eddy".to_owned(),
            state_file: None,
            state_topic: String::new(),
            status_topic: String::new(),
            state_replication: -1,
            key_converter: String::new(),
            value_converter: String::new(),
        }
    }
}

/// Java's keys `ssl.*` of a server, with their references resolved.
///
/// # Errors
/// Names the key, or the reference that has no value.
pub(super) fn tls(keys: &BTreeMap<String, String>, providers: &Providers) -> Result<ServerTls> {
    let resolved = providers.resolve(keys, Unknown::Refuse)?;
    Ok(ServerTls::read(&resolved, "")?)
}
