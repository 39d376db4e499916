//! One process: opens the lake, starts the roles, merges the crates' routes and system tables.

mod collect;
mod connect;
mod flight;
mod http;
mod into;
mod keeper;
mod openapi;
mod platform;
mod postgres;
mod service;
mod source;
mod system;
mod tls;
mod worker_id;

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context, Result};
use axum::Router;
use eddy_connector::{
    ConnectorConfig, Connectors, EmbeddedBroker, KafkaConfig, Settled, Unknown, WorkerOptions,
};
use eddy_engine::seal::Key;
use eddy_engine::{Clock, Lake, LakeOptions, TablePath};
use eddy_query::Query;
use eddy_query::http::{HostGuard, Token, protect};
use eddy_replay::{Definition, Destinations, Jobs};
use tokio::sync::watch;

pub(crate) use collect::declared as collections;
pub(crate) use service::Service;

use crate::cli::Role;
use crate::config::Config;

/// The Kafka of the configuration, where it is in this process.
pub(crate) type Embedded = Option<Arc<EmbeddedBroker>>;

/// Starts `roles` as `config` says, whose Kafka is `broker` if there is one.
///
/// # Errors
/// The first thing that can't work: the listener, the lake, a connector, a destination.
pub(crate) async fn start(config: &Config, roles: &[Role], broker: Embedded) -> Result<Service> {
    let ready = http::Ready::default();
    // Bound before anything else, so that a second process on the port does no work.
    let token = config.http_token_resolved()?;
    let listener = http::Listener::bind(&config.settings.http, token.is_some()).await?;
    let flight = flight::Door::bind(&config.settings.flight, token.is_some()).await?;
    let wire = postgres::bind(config, roles, token.is_some()).await?;
    let served = config.served_connect(roles.contains(&Role::Worker));
    let doors = connect::Doors::bind(config, served).await?;
    let mut collects = collect::Door::bind(config, roles, broker).await?;
    let (told, mut routes) = http::health(ready.clone())?;
    let lake = open_lake(config).await?;
    let query = queries(config, &lake)?;
    prepare_queries(config, roles, &query, token.as_ref())?;
    // What is asked for or replayed may be in a lake that a connector has for itself.
    let settled = connectors_with_lakes(config, &lake).await?;
    for one in &settled {
        query.add_lake(one.lake.clone(), &one.config.topics_dir);
    }
    let jobs = match roles.contains(&Role::Replay) {
        true => Some(start_jobs(config, &lake, &query).await?),
        false => None,
    };
    if let Some(jobs) = &jobs {
        routes = routes.merge(eddy_replay::router(jobs.clone()));
    }
    let works = roles.contains(&Role::Worker) && (!config.connectors.is_empty() || doors.is_open());
    // Before the first record is accepted.
    let announced = match &flight {
        Some(flight) if works => Some(flight.announce(config, &lake, &query).await?),
        _ => None,
    };
    let connectors = match works {
        true => Some(start_connectors(config, &lake, settled, &query)?),
        false => None,
    };
    let rest = match &connectors {
        Some(connectors) if doors.is_open() => Some(connect::start(config, connectors, &doors)?),
        _ => None,
    };
    if let Some(door) = &mut collects {
        routes = routes.merge(door.open(config, &lake, &query, &told)?);
    }
    if roles.contains(&Role::Query) {
        routes = routes.merge(query.router());
    }
    let routes = guarded(config, &lake, &query, &jobs, &collects, &token, routes)?;
    let (stop, stopped) = watch::channel(false);
    let url = listener.as_ref().map(http::Listener::url);
    let (worker, rest) = rest.unzip();
    told.by_those_who_know(connectors.as_ref(), worker.as_ref());
    let mut serving = rest.map_or_else(Vec::new, |rest| doors.serve(&rest, &stopped));
    serving.extend(flight.map(|door| door.serve(&query, &token, roles, &stopped)));
    serving.extend(wire.map(|wire| postgres::serve(&query, wire, token.clone(), &stopped)));
    serving.extend(collects.map_or_else(Vec::new, |door| door.serve(&stopped)));
    serving.extend(listener.map(|listener| listener.serve(routes, stopped)));
    ready.set(true);
    tracing::info!(url, lake = %lake.url(), ?roles, "eddy is up");
    Ok(Service {
        lake,
        connectors,
        worker,
        jobs,
        serving,
        announced,
        stop,
        ready,
        url,
    })
}

/// All routes of the HTTP listener, each behind its guard.
fn guarded(
    config: &Config,
    lake: &Lake,
    query: &Query,
    jobs: &Option<Jobs>,
    collects: &Option<collect::Door>,
    token: &Option<Token>,
    routes: Router,
) -> Result<Router> {
    let collector = collects.as_ref().and_then(collect::Door::collector);
    let platform = platform::of_process(config, lake, query, jobs, collector, token)?;
    let routes = routes.merge(openapi::router());
    Ok(protect(routes, HostGuard::default(), token.clone()).merge(platform))
}

/// Queries over `lake`, and what they may use told.
fn queries(config: &Config, lake: &Lake) -> Result<Query> {
    let options = config.settings.query.options(&config.folder)?;
    let (all, one) = (options.memory_bytes, options.memory_bytes_per_query);
    tracing::info!(
        all,
        one,
        columns = options.cache.columns_bytes,
        "memory of queries, in bytes"
    );
    Ok(Query::new(lake.clone(), options)?)
}

/// Live rows are elsewhere too, and so may be some of the work for large queries; and nobody should
/// wait for what the first query has to do.
fn prepare_queries(
    config: &Config,
    roles: &[Role],
    query: &Query,
    token: Option<&Token>,
) -> Result<()> {
    query.look_for_workers(token.cloned());
    if !roles.contains(&Role::Query) {
        return Ok(());
    }
    let settings = &config.settings.query;
    if settings.warms_up() {
        query.warm_up();
    }
    match settings.nodes() {
        Some(nodes) => Ok(query.look_for_nodes(nodes, token.cloned())?),
        None => Ok(()),
    }
}

/// The worker's id, made when there is none.
fn worker_id(config: &Config, lake: &Lake) -> Result<String> {
    let state = config.folder.join(&config.settings.worker.state);
    worker_id::load_or_make(&state, lake.clock())
}

/// Opens and probes the lake of `config`.
///
/// # Errors
/// Says what is wrong with the URL, the credentials, the bucket or the store.
pub(crate) async fn open_lake(config: &Config) -> Result<Lake> {
    let options = LakeOptions {
        url: config.settings.lake.url.clone(),
        options: config
            .resolve(&config.lake_options)
            .context("in [lake.options]")?,
    };
    let lake = Lake::connect(&options, Clock::system())
        .await
        .context("the lake can't be used")?;
    lake.keys().add_all(&encryption_keys(config)?)?;
    Ok(lake)
}

/// The keys of encrypted tables: the file's own, and those of its connectors.
///
/// # Errors
/// Names the key or the reference that can't be used; never the secret.
pub(crate) fn encryption_keys(config: &Config) -> Result<Vec<Key>> {
    let own = config
        .resolve(&config.encryption_keys)
        .context("in [encryption.keys]")?;
    let own = own.iter().map(|(id, text)| Key::from_base64(id, text));
    let mut keys: Vec<Key> = own.collect::<eddy_engine::Result<_>>()?;
    for (name, map) in &config.connectors {
        if map.contains_key("encryption.key") {
            let connector = connector(config, name, map)?;
            let encryption = connector.encryption.iter();
            keys.extend(encryption.filter_map(|one| one.own_key().cloned()));
        }
    }
    Ok(keys)
}

/// The Kafka client settings of `config`.
///
/// # Errors
/// Names the reference or the key that can't be used.
pub(crate) fn kafka(config: &Config) -> Result<KafkaConfig> {
    let kafka = KafkaConfig::new(config.kafka_resolved()?);
    kafka.check().context("in [kafka]")?;
    Ok(kafka)
}

/// The connectors of `config`.
///
/// # Errors
/// Names the connector and the key or reference that is wrong.
pub(crate) fn connectors(config: &Config) -> Result<Vec<ConnectorConfig>> {
    let all = config.connectors.iter();
    all.map(|(name, keys)| connector(config, name, keys))
        .collect()
}

fn connector(
    config: &Config,
    name: &str,
    keys: &BTreeMap<String, String>,
) -> Result<ConnectorConfig> {
    let read = || {
        // As in Connect what no provider knows stays: `${topic}` means something to a transform.
        let keys = config.providers.resolve(keys, Unknown::Keep);
        let keys = keys.with_context(|| format!("connector `{name}`"))?;
        ConnectorConfig::parse(name, &keys).map_err(anyhow::Error::from)
    };
    read().context("in [connectors]")
}

/// The connectors of `config` with their lakes: `lake`, or one of their own, which is opened and
/// probed. Connectors that name the same place share it.
///
/// # Errors
/// Names the connector whose lake can't be used.
pub(crate) async fn connectors_with_lakes(config: &Config, lake: &Lake) -> Result<Vec<Settled>> {
    let mut opened: Vec<(LakeOptions, Lake)> = Vec::new();
    let mut settled = Vec::new();
    for config in connectors(config)? {
        let Some(options) = config.lake.clone() else {
            let lake = lake.clone();
            settled.push(Settled { config, lake });
            continue;
        };
        let known = opened
            .iter()
            .find(|(known, _)| known.url == options.url && known.options == options.options)
            .map(|(_, lake)| lake.clone());
        let own = match known {
            Some(known) => known,
            None => {
                let own = Lake::connect(&options, Clock::system())
                    .await
                    .with_context(|| {
                        format!("the bucket of connector `{}` can't be used", config.name)
                    })?;
                opened.push((options, own.clone()));
                own
            }
        };
        settled.push(Settled { config, lake: own });
    }
    Ok(settled)
}

/// The lake and the table of `topic`: those of the connector `name`, or in the process's own lake
/// under `topics_dir`.
///
/// # Errors
/// `name` is none of the file's connectors, or its lake can't be used.
pub(crate) async fn table(
    config: &Config,
    name: Option<&str>,
    topics_dir: &str,
    topic: &str,
) -> Result<(Lake, TablePath)> {
    let Some(name) = name else {
        let lake = open_lake(config).await?;
        let table = lake.table(topics_dir, topic);
        return Ok((lake, table));
    };
    let found = connectors(config)?.into_iter().find(|one| one.name == name);
    let connector = found.with_context(|| format!("the file has no connector `{name}`"))?;
    let lake = match &connector.lake {
        Some(options) => Lake::connect(options, Clock::system())
            .await
            .with_context(|| format!("the bucket of connector `{name}` can't be used"))?,
        None => open_lake(config).await?,
    };
    let table = lake.table(&connector.topics_dir, topic);
    Ok((lake, table))
}

/// Starts the connectors, which queries know of from then on.
fn start_connectors(
    config: &Config,
    lake: &Lake,
    connectors: Vec<Settled>,
    query: &Query,
) -> Result<Arc<Connectors>> {
    let options = WorkerOptions {
        worker_id: worker_id(config, lake)?,
        memory_bytes: config.settings.worker.memory.bytes(),
        providers: config.providers.clone(),
    };
    let connectors = Connectors::start(lake, &kafka(config)?, connectors, &options)?;
    let connectors = Arc::new(connectors);
    let asked = query.clone();
    connectors.set_on_lake(Box::new(move |lake, topics_dir| {
        asked.add_lake(lake.clone(), topics_dir);
    }));
    system::register_connectors(query, &connectors);
    query.set_table_keeper(Arc::new(keeper::Keeper(Arc::clone(&connectors))));
    Ok(connectors)
}

/// Starts the replays, which queries know of from then on.
async fn start_jobs(config: &Config, lake: &Lake, query: &Query) -> Result<Jobs> {
    let declared = config
        .destinations
        .iter()
        .map(|(name, destination)| Definition {
            name: name.clone(),
            kind: destination.kind.clone(),
            options: destination.options.clone(),
        })
        .collect();
    let reach = config.settings.replay.reach()?;
    let destinations = Destinations::open(lake, declared, &reach, config.providers.clone())
        .context("in [destinations]")?;
    let source = Arc::new(source::Rows::new(query.clone()));
    let shards = config.settings.replay.shards;
    let jobs = Jobs::open_for_shards(lake.clone(), source, destinations, shards).await?;
    query.set_into_handler(Arc::new(into::Replays(jobs.clone())));
    system::register_replays(query, &jobs);
    Ok(jobs)
}
