//! The collector's listener: connections that are bounded in number, each with a deadline for the
//! head of a request, so that whoever sends slowly holds nobody up.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use axum::Router;
use eddy_connector::Collector;
use eddy_connector::collect::Declared;
use eddy_engine::{Clock, Lake};
use eddy_query::Query;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::{JoinHandle, JoinSet};

use super::http::{Listener, Told};
use super::system;
use crate::cli::Role;
use crate::config::Config;

/// How long a client may take to send the head of a request, and to come with its next one.
const HEAD: Duration = Duration::from_secs(30);
/// The most that a head may have.
const HEAD_BYTES_MAX: usize = 64 << 10;
/// How long requests may take to end once the process stops.
const GRACE: Duration = Duration::from_secs(5);

/// A bound listener, which takes no events yet.
pub(super) struct Door {
    listener: Listener,
    collector: Option<Collector>,
    connections_max: usize,
}

impl Door {
    /// Binds the configured address; nothing where this process is no collector, or where there
    /// is neither a Kafka to write to nor a collection that asks for one.
    ///
    /// # Errors
    /// As [`Listener::bind_to`].
    pub(super) async fn bind(config: &Config, roles: &[Role]) -> Result<Option<Self>> {
        let settings = &config.settings.collector;
        let is_asked = !config.kafka.is_empty() || !config.collections.is_empty();
        if settings.http_listen.is_empty() || !roles.contains(&Role::Collector) || !is_asked {
            return Ok(None);
        }
        let open = settings.allow_remote_without_tls;
        let listener = Listener::bind_to("collector.http_listen", &settings.http_listen, open);
        Ok(Some(Self {
            listener: listener.await?,
            collector: None,
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
        let collector = Collector::open(lake, &kafka, declared(config)?, options)?;
        system::register_collections(query, &collector);
        told.of_collector(&collector);
        let management = collector.management();
        self.collector = Some(collector);
        Ok(management)
    }

    /// Takes events until `stop` turns true, if it was opened; requests that are under way may end
    /// for a bounded time.
    pub(super) fn serve(self, stop: watch::Receiver<bool>) -> Option<JoinHandle<()>> {
        let collector = self.collector?;
        let address = self.listener.address();
        tracing::info!(%address, "events are taken over HTTP");
        let routes = collector.router();
        let connections = Arc::new(Semaphore::new(self.connections_max));
        Some(tokio::spawn(accept(
            self.listener.into_socket(),
            routes,
            connections,
            stop,
        )))
    }
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

async fn accept(
    mut socket: TcpListener,
    routes: Router,
    connections: Arc<Semaphore>,
    mut stop: watch::Receiver<bool>,
) {
    let mut open = JoinSet::new();
    loop {
        // What waits to be accepted costs the process nothing.
        let next = async {
            let permit = Arc::clone(&connections).acquire_owned().await;
            (permit, axum::serve::Listener::accept(&mut socket).await)
        };
        tokio::select! {
            () = stopped(&mut stop) => break,
            Some(_) = open.join_next() => {}
            (permit, (stream, _)) = next => {
                let Ok(permit) = permit else { break };
                open.spawn(serve(stream, routes.clone(), stop.clone(), permit));
            }
        }
    }
    let clock = Clock::system();
    tokio::select! {
        () = async { while open.join_next().await.is_some() {} } => {}
        () = clock.sleep(GRACE) => tracing::warn!("requests with events were cut at the end"),
    }
}

async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

async fn serve(
    stream: TcpStream,
    routes: Router,
    mut stop: watch::Receiver<bool>,
    _permit: OwnedSemaphorePermit,
) {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(HEAD_BYTES_MAX);
    let service = TowerToHyperService::new(routes);
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = &mut connection => ended,
        () = stopped(&mut stop) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        // Whoever hangs up, is too slow or speaks something else makes these.
        tracing::debug!(%error, "a connection of the collector ended");
    }
}
