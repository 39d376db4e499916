//! The configuration file: one TOML file, an `EDDY__` environment overlay, secrets by reference.
//!
//! Eddy's own tables go through the `config` crate. `[kafka]`, `[connectors.*]` and
//! `[destinations.*]` hold Kafka's dotted keys and stay flat maps, read straight from the TOML:
//! `config` would take `a.b` for a path and lose `a`.

mod cache;
mod collector;
mod connect;
mod flight;
mod listeners;
mod machine;
mod platform;
mod query;
mod replay;
mod size;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use eddy_connector::connect::ServerTls;
use eddy_connector::{Providers, Unknown};
use eddy_query::http::Token;
use serde::Deserialize;

pub(crate) use collector::CollectorSettings;
pub(crate) use connect::ConnectSettings;
pub(crate) use flight::FlightSettings;
pub(crate) use listeners::HttpSettings;
use listeners::PostgresSettings;
use platform::PlatformSettings;
pub(crate) use query::QuerySettings;
pub(crate) use replay::ReplaySettings;
pub(crate) use size::ByteSize;

/// The whole configuration. It has no `Debug`, since its maps may hold secrets.
pub(crate) struct Config {
    /// Eddy's own tables.
    pub(crate) settings: Settings,
    /// `[kafka]`: client settings by Kafka's own names.
    pub(crate) kafka: BTreeMap<String, String>,
    /// `[connect.tls]`: the certificate of Connect's `https` listeners, by Java's names `ssl.*`.
    pub(crate) connect_tls: ServerTls,
    /// The same of those for `/admin`.
    pub(crate) admin_tls: ServerTls,
    /// `[collector.tls]`: the certificate of the collector's listeners, by the same names.
    pub(crate) collector_tls: Option<ServerTls>,
    /// `[http] token`: what a request has to carry, by reference. With one the listener may be
    /// reached from other machines.
    pub(crate) http_token: Option<String>,
    /// `[lake.options]`: the store's own keys.
    pub(crate) lake_options: BTreeMap<String, String>,
    /// `[encryption.keys]`: keys of encrypted tables by their ids, by reference.
    pub(crate) encryption_keys: BTreeMap<String, String>,
    /// `[connectors.NAME]`: a connector's flat configuration.
    pub(crate) connectors: BTreeMap<String, BTreeMap<String, String>>,
    /// `[destinations.NAME]`: `type`, and the options of `[destinations.NAME.options]`.
    pub(crate) destinations: BTreeMap<String, DestinationConfig>,
    /// `[collections.NAME]`: a collection's topic and tokens, by reference.
    pub(crate) collections: BTreeMap<String, BTreeMap<String, String>>,
    /// What `${...}` refers to; `[providers]` has Connect's keys `config.providers...`.
    pub(crate) providers: Providers,
    /// Where relative paths of the file start.
    pub(crate) folder: PathBuf,
}

/// A destination as the file declares it. References stay unresolved until it is used.
pub(crate) struct DestinationConfig {
    /// `kafka`, `http` or `file`.
    pub(crate) kind: String,
    /// The destination's own keys.
    pub(crate) options: BTreeMap<String, String>,
}

/// Eddy's own tables, with their defaults.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Settings {
    /// `[lake]`.
    pub(crate) lake: LakeSettings,
    /// `[http]`.
    pub(crate) http: HttpSettings,
    /// `[flight]`.
    pub(crate) flight: FlightSettings,
    /// `[postgres]`.
    pub(crate) postgres: PostgresSettings,
    /// `[query]`.
    pub(crate) query: QuerySettings,
    /// `[replay]`.
    pub(crate) replay: ReplaySettings,
    /// `[worker]`.
    pub(crate) worker: WorkerSettings,
    /// `[connect]`.
    pub(crate) connect: ConnectSettings,
    /// `[collector]`.
    pub(crate) collector: CollectorSettings,
    /// `[platform]`.
    pub(crate) platform: PlatformSettings,
}

/// `[lake]`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct LakeSettings {
    /// `s3://bucket/prefix`, `gs://...`, `az://...` or `file:///dir`.
    pub(crate) url: String,
}

/// `[worker]`.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct WorkerSettings {
    /// Bounds what builders, live rows, uploads and the Kafka client's queues hold together. More
    /// makes larger files; less makes the cut come earlier.
    pub(crate) memory: ByteSize,
    /// Where the worker keeps its id, so that a restart keeps its partitions. Relative to the
    /// configuration file.
    pub(crate) state: PathBuf,
}

impl Default for WorkerSettings {
    fn default() -> Self {
        Self {
            memory: ByteSize::gibibytes(1),
            state: PathBuf::from("eddy-state"),
        }
    }
}

impl Config {
    /// Reads and checks the file at `path`.
    ///
    /// # Errors
    /// Names the table, the key and the value that is wrong.
    pub(crate) fn load(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("the configuration file `{}`", path.display()))?;
        let folder = path.parent().unwrap_or(Path::new(".")).to_owned();
        Self::parse(&text, folder)
            .with_context(|| format!("the configuration file `{}`", path.display()))
    }

    /// As [`Config::load`], from the file's text; relative paths start at `folder`.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub(crate) fn parse(text: &str, folder: PathBuf) -> Result<Self> {
        let mut tables: toml::Table = text.parse().context("it is not TOML")?;
        let kafka = flat(tables.remove("kafka"), "kafka")?;
        let connectors = flat_tables(tables.remove("connectors"), "connectors")?;
        let collections = flat_tables(tables.remove("collections"), "collections")?;
        let providers = flat(tables.remove("providers"), "providers")?;
        let providers = Providers::read(&providers).context("in [providers]")?;
        let destinations = destinations(tables.remove("destinations"))?;
        let encryption_keys = encryption_keys(tables.remove("encryption"))?;
        let lake_options = inner(&mut tables, "lake", "options")?;
        let http_token = http_token(&mut tables)?;
        let tls = inner(&mut tables, "connect", "tls")?;
        let connect_tls = connect::tls(&tls, &providers).context("in [connect.tls]")?;
        let tls = inner(&mut tables, "collector", "tls")?;
        let collector_tls = match tls.is_empty() {
            true => None,
            false => Some(connect::tls(&tls, &providers).context("in [collector.tls]")?),
        };
        let settings: Settings = config::Config::builder()
            .add_source(config::File::from_str(
                &toml::to_string(&tables)?,
                config::FileFormat::Toml,
            ))
            .add_source(
                config::Environment::with_prefix("EDDY")
                    .prefix_separator("__")
                    .separator("__"),
            )
            .build()?
            .try_deserialize()?;
        if settings.lake.url.is_empty() {
            bail!("`lake.url` is missing; set it to `s3://bucket/prefix` or `file:///dir`");
        }
        Ok(Self {
            settings,
            kafka,
            admin_tls: connect_tls.clone(),
            connect_tls,
            collector_tls,
            http_token,
            lake_options,
            encryption_keys,
            connectors,
            destinations,
            collections,
            providers,
            folder,
        })
    }

    /// Everything at its default, for a lake.
    pub(crate) fn new(lake_url: String, folder: PathBuf) -> Self {
        let lake = LakeSettings { url: lake_url };
        Self {
            providers: Providers::default(),
            settings: Settings {
                lake,
                ..Settings::default()
            },
            kafka: BTreeMap::new(),
            connect_tls: ServerTls::default(),
            admin_tls: ServerTls::default(),
            collector_tls: None,
            http_token: None,
            lake_options: BTreeMap::new(),
            encryption_keys: BTreeMap::new(),
            connectors: BTreeMap::new(),
            destinations: BTreeMap::new(),
            collections: BTreeMap::new(),
            folder,
        }
    }

    /// Where Connect's REST API is served: nowhere unless this process is a worker.
    pub(crate) fn served_connect(&self, works: bool) -> &ConnectSettings {
        static OFF: std::sync::LazyLock<ConnectSettings> =
            std::sync::LazyLock::new(|| ConnectSettings {
                listen: String::new(),
                ..ConnectSettings::default()
            });
        if works { &self.settings.connect } else { &OFF }
    }

    /// The token that requests have to carry, with its reference resolved.
    ///
    /// # Errors
    /// Names the reference that has no value; an empty token is none.
    pub(crate) fn http_token_resolved(&self) -> Result<Option<Token>> {
        let Some(given) = &self.http_token else {
            return Ok(None);
        };
        let key = "http.token".to_owned();
        let resolved = self.resolve(&BTreeMap::from([(key, given.clone())]))?;
        match resolved.values().next().map(String::as_str) {
            None | Some("") => bail!("`http.token` is empty"),
            Some(token) => Ok(Some(Token::new(token))),
        }
    }

    /// `[kafka]` with its references resolved.
    ///
    /// # Errors
    /// Names the reference that has no value.
    pub(crate) fn kafka_resolved(&self) -> Result<BTreeMap<String, String>> {
        self.resolve(&self.kafka).context("in [kafka]")
    }

    /// A map with its references resolved.
    ///
    /// # Errors
    /// Names the key and the reference that has no value, or that nothing is known of.
    pub(crate) fn resolve(
        &self,
        map: &BTreeMap<String, String>,
    ) -> Result<BTreeMap<String, String>> {
        Ok(self.providers.resolve(map, Unknown::Refuse)?)
    }
}

/// The flat table `[OUTER.INNER]`, taken out.
fn inner(tables: &mut toml::Table, outer: &str, inner: &str) -> Result<BTreeMap<String, String>> {
    let outside = tables.get_mut(outer).and_then(toml::Value::as_table_mut);
    let inside = outside.and_then(|table| table.remove(inner));
    flat(inside, &format!("{outer}.{inner}"))
}

/// `[http] token`, taken out: it may be a secret, which `settings` would show.
fn http_token(tables: &mut toml::Table) -> Result<Option<String>> {
    let http = tables.get_mut("http").and_then(toml::Value::as_table_mut);
    match http.and_then(|http| http.remove("token")) {
        None => Ok(None),
        Some(toml::Value::String(token)) => Ok(Some(token)),
        Some(_) => bail!("`http.token` must be text, such as `${{env:EDDY_TOKEN}}`"),
    }
}

fn encryption_keys(value: Option<toml::Value>) -> Result<BTreeMap<String, String>> {
    let mut table = match value {
        None => return Ok(BTreeMap::new()),
        Some(toml::Value::Table(table)) => table,
        Some(_) => bail!("`encryption` must be a table"),
    };
    let keys = flat(table.remove("keys"), "encryption.keys")?;
    match table.keys().next() {
        Some(key) => bail!("`encryption.{key}` is unknown; keys are under [encryption.keys]"),
        None => Ok(keys),
    }
}

fn flat(value: Option<toml::Value>, name: &str) -> Result<BTreeMap<String, String>> {
    let Some(value) = value else {
        return Ok(BTreeMap::new());
    };
    let toml::Value::Table(table) = value else {
        bail!("`{name}` must be a table")
    };
    table
        .into_iter()
        .map(|(key, value)| {
            let text = match value {
                toml::Value::String(text) => text,
                toml::Value::Integer(number) => number.to_string(),
                toml::Value::Float(number) => number.to_string(),
                toml::Value::Boolean(flag) => flag.to_string(),
                toml::Value::Table(_) => bail!(
                    "`{name}.{key}` is a table; keys with dots are written in quotes, as \
                     \"bootstrap.servers\""
                ),
                _ => bail!("`{name}.{key}` must be text, a number or a boolean"),
            };
            Ok((key, text))
        })
        .collect()
}

fn flat_tables(
    value: Option<toml::Value>,
    name: &str,
) -> Result<BTreeMap<String, BTreeMap<String, String>>> {
    let Some(value) = value else {
        return Ok(BTreeMap::new());
    };
    let toml::Value::Table(table) = value else {
        bail!("`{name}` must be a table of tables")
    };
    table
        .into_iter()
        .map(|(key, value)| {
            let inner = flat(Some(value), &format!("{name}.{key}"))?;
            Ok((key, inner))
        })
        .collect()
}

fn destinations(value: Option<toml::Value>) -> Result<BTreeMap<String, DestinationConfig>> {
    let Some(value) = value else {
        return Ok(BTreeMap::new());
    };
    let toml::Value::Table(table) = value else {
        bail!("`destinations` must be a table of tables")
    };
    table
        .into_iter()
        .map(|(name, value)| {
            let toml::Value::Table(mut inner) = value else {
                bail!("`destinations.{name}` must be a table");
            };
            let options = flat(
                inner.remove("options"),
                &format!("destinations.{name}.options"),
            )?;
            let kind = match inner.remove("type") {
                Some(toml::Value::String(kind)) => kind,
                _ => bail!("`destinations.{name}.type` is missing; use `kafka`, `http` or `file`"),
            };
            if let Some(key) = inner.keys().next() {
                bail!(
                    "`destinations.{name}.{key}` is unknown; a destination has `type` and \
                     `[destinations.{name}.options]`"
                );
            }
            Ok((name, DestinationConfig { kind, options }))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;

    fn parse(text: &str) -> Result<Config> {
        Config::parse(text, PathBuf::from("."))
    }

    #[test]
    fn dotted_kafka_keys_survive_beside_their_prefixes() {
        let config = parse(
            "[lake]\nurl = \"file:///tmp/lake\"\n[kafka]\n\"a\" = 1\n\"a.b\" = \"x\"\n\
             [connectors.orders]\n\"topics\" = \"orders\"\n\"tasks.max\" = 2\n",
        )
        .unwrap();
        assert_eq!(config.kafka.get("a").map(String::as_str), Some("1"));
        assert_eq!(config.kafka.get("a.b").map(String::as_str), Some("x"));
        let orders = config.connectors.get("orders").unwrap();
        assert_eq!(orders.get("tasks.max").map(String::as_str), Some("2"));
    }

    #[test]
    fn an_unquoted_dotted_key_is_refused_by_name() {
        let Err(error) = parse("[lake]\nurl = \"file:///x\"\n[kafka]\nbootstrap.servers = \"x\"\n")
        else {
            panic!("accepted");
        };
        assert!(
            format!("{error:#}").contains("\"bootstrap.servers\""),
            "{error:#}"
        );
    }

    #[test]
    fn providers_have_connects_keys_and_limit_what_is_read() {
        let class = "EnvVarConfigProvider";
        let config = parse(&format!(
            "[lake]\nurl = \"file:///x\"\n[providers]\n\"config.providers\" = \"env\"\n\
             \"config.providers.env.class\" = \"{class}\"\n\
             \"config.providers.env.param.allowlist.pattern\" = \"EDDY_NONE_.*\"\n"
        ))
        .unwrap();
        let map = BTreeMap::from([("a".to_owned(), "${env:PATH}".to_owned())]);
        let error = format!("{:#}", config.resolve(&map).unwrap_err());
        assert!(
            error.contains("`a`") && error.contains("allowlist"),
            "{error}"
        );
        let map = BTreeMap::from([("a".to_owned(), "${topic}".to_owned())]);
        assert!(
            config.resolve(&map).is_err(),
            "nothing else can be meant there"
        );
        assert_eq!(config.providers.resolve(&map, Unknown::Keep).unwrap(), map);
    }

    #[test]
    fn an_unknown_setting_is_refused_by_name() {
        let Err(error) = parse("[lake]\nurl = \"file:///x\"\nurll = \"y\"\n") else {
            panic!("accepted");
        };
        assert!(format!("{error:#}").contains("urll"), "{error:#}");
    }

    #[test]
    fn a_file_without_a_lake_says_what_to_set() {
        let Err(error) = parse("[kafka]\n") else {
            panic!("accepted")
        };
        assert!(format!("{error:#}").contains("lake.url"), "{error:#}");
    }
}
