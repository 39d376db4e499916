//! Connect's own worker file: a Java properties file, and what its keys mean here. Pure.
//!
//! The client keys go to Kafka's clients as they are. What Connect's file can't say, where the lake
//! is, stands under `eddy.` in the same file: `eddy.lake.url`, `eddy.lake.KEY` for the store's own
//! keys, `eddy.http.listen`, `eddy.flight.listen`, `eddy.state`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::connect::config::{Providers, properties};
use crate::connect::listeners::{ListenAddress, ServerTls, users_file};
use crate::error::{Error, Result};

/// What a worker file says.
#[derive(Clone)]
pub struct WorkerFile {
    /// Where Connect's REST API is served.
    pub listen: String,
    /// Where its `/admin` is; nowhere when empty, and with the rest where the file doesn't say it.
    pub admin_listen: Option<String>,
    /// The certificate of `https` listeners, and what they ask of clients.
    pub tls: ServerTls,
    /// The same of `https` listeners for `/admin`.
    pub admin_tls: ServerTls,
    /// The file with users and their passwords; everybody may ask without.
    pub users_file: Option<PathBuf>,
    /// The sites whose pages may use the API.
    pub allow_origin: String,
    /// What these may do.
    pub allow_methods: String,
    /// `host:port` under which others reach it; empty is where it listens.
    pub advertised: String,
    /// The workers' group.
    pub group: String,
    /// The topic that holds what connectors should run; empty is the group's own.
    pub state_topic: String,
    /// The topic that holds what does run; empty is the group's own.
    pub status_topic: String,
    /// How many brokers hold topics that are made; -1 is the cluster's default.
    pub state_replication: i32,
    /// The converter of keys; empty is Eddy's own.
    pub key_converter: String,
    /// The converter of values; empty is Eddy's own.
    pub value_converter: String,
    /// What references are looked up in.
    pub providers: Providers,
    /// Kafka's client keys.
    pub kafka: BTreeMap<String, String>,
    /// Where the lake is.
    pub lake_url: String,
    /// The store's own keys.
    pub lake_options: BTreeMap<String, String>,
    /// Where Eddy's own HTTP API is served; `None` where the file doesn't say it.
    pub http_listen: Option<String>,
    /// Where Arrow Flight is served; `None` where the file doesn't say it.
    pub flight_listen: Option<String>,
    /// Where the worker's id is kept; `None` where the file doesn't say it.
    pub state: Option<String>,
}

/// Prefixes of keys that are no client's.
const NOT_CLIENTS: [&str; 19] = [
    "admin.",
    "config.",
    "connect.",
    "consumer.",
    "eddy.",
    "exactly.once.",
    "header.converter",
    "java.",
    "key.converter",
    "listeners.",
    "offset.",
    "plugin.",
    "producer.",
    "response.",
    "rest.",
    "scheduled.rebalance.",
    "status.",
    "topic.",
    "value.converter",
];

/// Keys of a worker that are no client's.
const OF_WORKERS: [&str; 9] = [
    "access.control.allow.methods",
    "access.control.allow.origin",
    "admin.listeners",
    "client.id",
    "group.id",
    "listeners",
    "rebalance.timeout.ms",
    "ssl.client.auth",
    "task.shutdown.graceful.timeout.ms",
];

impl WorkerFile {
    /// Reads the text of a worker file, and the JAAS file that it or `java_options` (`KAFKA_OPTS`)
    /// may name.
    ///
    /// # Errors
    /// `Invalid`, naming the line or the key.
    pub fn parse(text: &str, java_options: &str) -> Result<Self> {
        let keys = properties::parse(text);
        let get = |key: &str| keys.get(key).cloned();
        let or_empty = |key: &str| get(key).unwrap_or_default();
        let needed = |key: &str, why: &str| {
            get(key).ok_or_else(|| Error::invalid(format!("`{key}` is missing: {why}")))
        };
        let why = "Connect's own keys don't say where the lake is; add \
                   `eddy.lake.url=s3://bucket/prefix`";
        let lake_url = needed("eddy.lake.url", why)?;
        let group = needed("group.id", "it names the workers' group")?;
        let listeners = get("listeners").unwrap_or_else(|| "http://127.0.0.1:8083".to_owned());
        let advertised = advertised(&keys, &listeners)?;
        let users_file = match get("eddy.rest.users.file") {
            Some(file) => Some(PathBuf::from(file)),
            None => users_file(
                &or_empty("rest.extension.classes"),
                get("java.security.auth.login.config").as_deref(),
                java_options,
            )?,
        };
        let replication = "config.storage.replication.factor";
        let state_replication = match get(replication) {
            None => -1,
            Some(text) => text
                .trim()
                .parse()
                .map_err(|_| Error::invalid(format!("`{replication}` is `{text}`, no number")))?,
        };
        let mut lake_options = under(&keys, "eddy.lake.");
        lake_options.remove("url");
        Ok(Self {
            listen: listeners,
            admin_listen: get("admin.listeners").map(|list| list.trim().to_owned()),
            tls: ServerTls::read(&keys, "listeners.https.")?,
            admin_tls: ServerTls::read(&keys, "admin.listeners.https.")?,
            users_file,
            allow_origin: or_empty("access.control.allow.origin"),
            allow_methods: or_empty("access.control.allow.methods"),
            advertised,
            group,
            state_topic: or_empty("config.storage.topic"),
            status_topic: or_empty("status.storage.topic"),
            state_replication,
            key_converter: or_empty("key.converter"),
            value_converter: or_empty("value.converter"),
            providers: Providers::read(&keys)?,
            kafka: kafka(&keys),
            lake_url,
            lake_options,
            http_listen: get("eddy.http.listen"),
            flight_listen: get("eddy.flight.listen"),
            state: get("eddy.state"),
        })
    }
}

/// `host:port` under which others reach the worker, where the file says more of it than where it
/// listens: as Connect, that of the first `http` listener, or of `https` where there is none or
/// `rest.advertised.listener` says so.
fn advertised(keys: &BTreeMap<String, String>, listeners: &str) -> Result<String> {
    let addresses = ListenAddress::parse("listeners", listeners)?;
    let get = |key: &str| keys.get(key).map(|value| value.trim());
    let tls = match get("rest.advertised.listener") {
        Some(scheme) => scheme.eq_ignore_ascii_case("https"),
        None => addresses.iter().all(|address| address.tls),
    };
    let Some(address) = addresses.iter().find(|address| address.tls == tls) else {
        let missing = "`listeners` has no listener of the kind that is advertised";
        return Err(Error::invalid(missing));
    };
    Ok(match get("rest.advertised.host.name") {
        Some(host) => {
            let port = get("rest.advertised.port").unwrap_or(address.port());
            format!("{host}:{port}")
        }
        None if addresses.first() == Some(address) => String::new(),
        None => address.host_port.clone(),
    })
}

/// The client keys: the worker's own, and over them those of `consumer.`.
fn kafka(keys: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let is_clients = |key: &str| {
        !OF_WORKERS.contains(&key) && !NOT_CLIENTS.iter().any(|prefix| key.starts_with(prefix))
    };
    let mut kafka = keys.clone();
    kafka.retain(|key, _| is_clients(key));
    kafka.extend(under(keys, "consumer."));
    kafka.remove("group.id");
    kafka
}

fn under(keys: &BTreeMap<String, String>, prefix: &str) -> BTreeMap<String, String> {
    keys.iter()
        .filter_map(|(key, value)| Some((key.strip_prefix(prefix)?.to_owned(), value.clone())))
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_keys_of_connects_worker_find_their_place() {
        let file = WorkerFile::parse(
            "# a worker\nbootstrap.servers = broker:9092\ngroup.id=cluster\n\
             config.storage.topic=cluster-configs\nconfig.storage.replication.factor=1\n\
             offset.storage.topic=o\nstatus.storage.topic=s\nplugin.path=/x\n\
             listeners=http://:18083\nrest.advertised.host.name=here\n\
             security.protocol=SASL_SSL\nconsumer.max.poll.interval.ms=60000\n\
             producer.linger.ms=1\nvalue.converter=Json\nvalue.converter.schemas.enable=false\n\
             eddy.lake.url=file:///x\neddy.lake.aws_region=eu\neddy.http.listen=\n\
             listeners.https.ssl.keystore.location=/a.pem\nresponse.http.headers.config=\n\
             ssl.client.auth=required\njava.security.auth.login.config=/jaas\n",
            "",
        )
        .unwrap();
        assert_eq!(file.listen, "http://:18083");
        assert_eq!((file.admin_listen, file.users_file), (None, None));
        assert_eq!(file.advertised, "here:18083");
        assert_eq!(file.group, "cluster");
        assert_eq!(file.state_topic, "cluster-configs");
        assert_eq!(
            (file.status_topic.as_str(), file.state_replication),
            ("s", 1)
        );
        assert_eq!(file.value_converter, "Json");
        assert_eq!(file.http_listen.as_deref(), Some(""));
        let kafka: Vec<&str> = file.kafka.keys().map(String::as_str).collect();
        let clients = [
            "bootstrap.servers",
            "max.poll.interval.ms",
            "security.protocol",
        ];
        assert_eq!(kafka, clients);
        assert_eq!(file.lake_options.len(), 1);
    }

    #[test]
    fn who_may_ask_and_where_is_read_as_connect_reads_it() {
        let parse = |more: &str| {
            let text = format!("eddy.lake.url=file:///x\ngroup.id=g\n{more}");
            WorkerFile::parse(&text, "").unwrap()
        };
        let file = parse(
            "listeners=https://:8443,http://h:8083\nadmin.listeners=\nssl.keystore.type=PEM\n\
             ssl.keystore.location=/a\neddy.rest.users.file=/users\n\
             access.control.allow.origin=*\naccess.control.allow.methods=GET",
        );
        assert_eq!(file.advertised, "h:8083");
        assert_eq!(file.admin_listen.as_deref(), Some(""));
        assert!(file.tls.identity.is_some() && file.admin_tls.identity.is_some());
        assert_eq!(file.users_file, Some(PathBuf::from("/users")));
        assert_eq!(
            (file.allow_origin.as_str(), file.allow_methods.as_str()),
            ("*", "GET")
        );
        let both = "listeners=http://h:1,https://h:2\n";
        let named = "rest.advertised.listener=HTTPS\nrest.advertised.host.name=x\n";
        assert_eq!(parse(&format!("{both}{named}")).advertised, "x:2");
        assert_eq!(parse(both).advertised, "");
    }

    #[test]
    fn what_is_missing_or_not_served_is_told_by_its_key() {
        for (text, wanted) in [
            ("group.id=g", "eddy.lake.url"),
            ("eddy.lake.url=file:///x", "group.id"),
            (
                "eddy.lake.url=file:///x\ngroup.id=g\nlisteners=ftp://:1",
                "https",
            ),
        ] {
            let Err(error) = WorkerFile::parse(text, "") else {
                unreachable!("accepted {text}");
            };
            assert!(error.to_string().contains(wanted), "{error}");
        }
    }
}
