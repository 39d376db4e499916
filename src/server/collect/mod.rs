//! The collector's listeners, for HTTP and gRPC: connections that are bounded in number, each with
//! a deadline for its first words, so that whoever sends slowly holds nobody up.

mod grpc;
mod http;

use anyhow::{Context, Result};
use axum::Router;
use eddy_connector::Collector;
use eddy_connector::collect::{Declared, Grpc};
use eddy_engine::Lake;
use eddy_query::Query;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::http::{Listener, Told};
use super::{Embedded, system, tls};
use crate::cli::Role;
use crate::config::Config;

/// The bound listeners, which take no events yet.
pub(super) struct Door {
    http: Option<Listener>,
    grpc: Option<Listener>,
    broker: Embedded,
    opened: Option<(Collector, Option<Grpc>)>,
    /// Of each listener.
    connections_max: usize,
}

impl Door {
    /// Binds the configured addresses; nothing where this process is no collector, or where there
    /// is neither a Kafka to write to nor a collection that asks for one. `broker` is that Kafka if
    /// it is in this process.
    ///
    /// # Errors
    /// As [`Listener::bind_to`]; names what is wrong with the certificate of `[collector.tls]`.
    pub(super) async fn bind(
        config: &Config,
        roles: &[Role],
        broker: Embedded,
    ) -> Result<Option<Self>> {
        let settings = &config.settings.collector;
        let is_asked = !config.kafka.is_empty() || !config.collections.is_empty();
        if !roles.contains(&Role::Collector) || !is_asked {
            return Ok(None);
        }
        let http = bind(
            config,
            "collector.http_listen",
            &settings.http_listen,
            "http/1.1",
        );
        let grpc = bind(config, "collector.grpc_listen", &settings.grpc_listen, "h2");
        let (http, grpc) = (http.await?, grpc.await?);
        if http.is_none() && grpc.is_none() {
            return Ok(None);
        }
        Ok(Some(Self {
            http,
            grpc,
            broker,
            opened: None,
            connections_max: usize::try_from(settings.connections_max.max(1))?,
        }))
    }

    /// Makes the collector, of which `query` and `told` know from then on; the answer is the API
    /// that manages it.
    ///
    /// # Errors
    /// Names the collection or the setting that is wrong.
    pub(super) fn open(
        &mut self,
        config: &Config,
        lake: &Lake,
        query: &Query,
        told: &Told,
    ) -> Result<Router> {
        let options = config.settings.collector.options()?;
        let kafka = super::kafka(config)?;
        let (broker, declared) = (self.broker.clone(), declared(config)?);
        let collector = Collector::open(lake, &kafka, broker, declared, options)?;
        let grpc = self.grpc.is_some().then(|| collector.grpc()).transpose()?;
        system::register_collections(query, &collector);
        told.of_collector(&collector);
        let management = collector.management();
        self.opened = Some((collector, grpc));
        Ok(management)
    }

    /// The collector, once it is made.
    pub(super) fn collector(&self) -> Option<&Collector> {
        self.opened.as_ref().map(|(collector, _)| collector)
    }

    /// Takes events until `stop` turns true, if it was opened; requests that are under way may end
    /// for a bounded time.
    pub(super) fn serve(self, stop: &watch::Receiver<bool>) -> Vec<JoinHandle<()>> {
        let Some((collector, grpc)) = self.opened else {
            return Vec::new();
        };
        let most = self.connections_max;
        let http = self.http.map(|listener| {
            let (address, tls) = (listener.address(), listener.has_tls());
            tracing::info!(%address, tls, "events are taken over HTTP");
            http::serve(listener, collector.router(), most, stop.clone())
        });
        let grpc = self.grpc.zip(grpc).map(|(listener, grpc)| {
            let (address, tls) = (listener.address(), listener.has_tls());
            tracing::info!(%address, tls, "events are taken over gRPC");
            grpc::serve(listener, grpc, most, stop.clone())
        });
        http.into_iter().chain(grpc).collect()
    }
}

/// Binds what the setting `key` says, with the certificate if there is one; nothing if it is empty.
async fn bind(
    config: &Config,
    key: &str,
    listen: &str,
    protocol: &str,
) -> Result<Option<Listener>> {
    if listen.is_empty() {
        return Ok(None);
    }
    let tls = match &config.collector_tls {
        Some(tls) => Some(tls::acceptor(tls, protocol).context("in [collector.tls]")?),
        None => None,
    };
    let open = config.settings.collector.allow_remote_without_tls || tls.is_some();
    let listener = Listener::bind_to(key, listen, open).await?;
    Ok(Some(listener.with_tls(tls)))
}

/// The collections of `config`.
///
/// # Errors
/// Names the collection and the key or reference that is wrong.
pub(crate) fn declared(config: &Config) -> Result<Vec<Declared>> {
    let all = config.collections.iter().map(|(name, keys)| {
        let keys = config.resolve(keys);
        let keys = keys.with_context(|| format!("collection `{name}`"))?;
        Ok(Declared::read(name, &keys)?)
    });
    all.collect::<Result<_>>().context("in [collections]")
}

async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}
