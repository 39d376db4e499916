//! The listener of the HTTP API: health, metrics, and the routers that the crates offer.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::serve::ListenerExt;
use eddy_connector::{Collector, Connectors, Worker};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tokio::net::{TcpListener, TcpStream, lookup_host};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use super::tls::TlsListener;
use crate::config::HttpSettings;

/// What `/readyz` tells: set once the lake is reached and the roles are up.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ready(Arc<AtomicBool>);

impl Ready {
    /// From now on `/readyz` answers 200, or 503 again.
    pub(crate) fn set(&self, ready: bool) {
        self.0.store(ready, Ordering::Release);
    }
}

/// A bound listener, which is not served yet.
pub(crate) struct Listener {
    socket: TcpListener,
    address: SocketAddr,
    tls: Option<TlsAcceptor>,
}

impl Listener {
    /// Binds the configured address, or nothing when it is empty.
    ///
    /// # Errors
    /// When the address is no address, is taken, or is open to others without a token and without
    /// the setting for that.
    pub(crate) async fn bind(settings: &HttpSettings, has_token: bool) -> Result<Option<Self>> {
        if settings.listen.is_empty() {
            return Ok(None);
        }
        let open = has_token || settings.allow_remote_without_token;
        let bound = Self::bind_to("http.listen", &settings.listen, open);
        bound.await.map(Some)
    }

    /// Binds an address that the setting `key` names; one that others reach if that is `open`.
    ///
    /// # Errors
    /// As [`Listener::bind`].
    pub(crate) async fn bind_to(key: &str, listen: &str, open: bool) -> Result<Self> {
        let none = || format!("`{key}`: `{listen}` is not an address such as `127.0.0.1:8480`");
        let mut found = lookup_host(listen).await.with_context(none)?;
        let address = found.next().with_context(none)?;
        let section = key.split('.').next().unwrap_or_default();
        if section == "collector" && !address.ip().is_loopback() && !open {
            bail!(
                "`{key}`: `{address}` can be reached from other machines, and tokens and events \
                 aren't encrypted on their way; listen on 127.0.0.1, set [collector.tls], or \
                 {section}.allow_remote_without_tls = true"
            );
        }
        let password = match section {
            "http" | "flight" | "postgres" => "http.token",
            _ => "a file of users",
        };
        if !address.ip().is_loopback() && !open {
            bail!(
                "`{key}`: `{address}` can be reached from other machines without a password; \
                 listen on 127.0.0.1, set {password}, or \
                 {section}.allow_remote_without_token = true"
            );
        }
        let socket = TcpListener::bind(address).await.with_context(|| {
            format!("`{key}`: `{address}` can't be bound; is another `eddy` running?")
        })?;
        let address = socket.local_addr()?;
        Ok(Self {
            socket,
            address,
            tls: None,
        })
    }

    /// The same with TLS, if there is an acceptor.
    pub(crate) fn with_tls(self, tls: Option<TlsAcceptor>) -> Self {
        Self { tls, ..self }
    }

    /// Whether it speaks TLS.
    pub(crate) fn has_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it is reached.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The bound socket, and what makes TLS of it, for who accepts connections itself.
    pub(crate) fn into_parts(self) -> (TcpListener, Option<TlsAcceptor>) {
        (self.socket, self.tls)
    }

    /// The bound socket, for what isn't HTTP/1.
    pub(crate) fn into_socket(self) -> TcpListener {
        self.socket
    }

    /// Serves `routes` until `stop` turns true; open answers may end for a bounded time.
    pub(crate) fn serve(self, routes: Router, stop: watch::Receiver<bool>) -> JoinHandle<()> {
        match self.tls {
            None => serve_on(self.socket.tap_io(at_once), routes, stop),
            Some(tls) => serve_on(TlsListener::new(self.socket, tls), routes, stop),
        }
    }
}

/// What is written in parts, as an answer and its end are, doesn't wait until the client's system
/// has acknowledged the first: that takes it up to 40 ms.
pub(super) fn at_once(stream: &mut TcpStream) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "answers of a connection may be late");
    }
}

fn serve_on<L>(listener: L, routes: Router, mut stop: watch::Receiver<bool>) -> JoinHandle<()>
where
    L: axum::serve::Listener,
    L::Addr: std::fmt::Debug,
{
    tokio::spawn(async move {
        let mut forced = stop.clone();
        let graceful = axum::serve(listener, routes).with_graceful_shutdown(async move {
            let _ = stop.wait_for(|stop| *stop).await;
        });
        let bounded = async move {
            let _ = forced.wait_for(|stop| *stop).await;
            eddy_engine::Clock::system().sleep(GRACE).await;
        };
        tokio::select! {
            ended = graceful => if let Err(error) = ended {
                tracing::error!(%error, "the HTTP listener ended");
            },
            () = bounded => tracing::warn!("open HTTP answers were cut at the end"),
        }
    })
}

/// How long open answers may take to end once the process stops.
const GRACE: Duration = Duration::from_secs(5);

/// What `/metrics` tells beside what is counted as it happens: made for each scrape, in Prometheus'
/// text format.
#[derive(Clone, Default)]
pub(crate) struct Told(Arc<OnceLock<Tell>>, Arc<OnceLock<Collector>>);

type Tell = Box<dyn Fn() -> String + Send + Sync>;

impl Told {
    /// Tells beside it what a collector took, from now on.
    pub(crate) fn of_collector(&self, collector: &Collector) {
        let _ = self.1.set(collector.clone());
    }

    /// Sets, once, who tells of the connectors: whoever knows most of them.
    pub(crate) fn by_those_who_know(
        &self,
        connectors: Option<&Arc<Connectors>>,
        worker: Option<&Worker>,
    ) {
        let tell: Tell = match (worker.cloned(), connectors.cloned()) {
            (Some(worker), _) => Box::new(move || worker.metrics()),
            (None, Some(connectors)) => Box::new(move || connectors.metrics()),
            (None, None) => return,
        };
        let _ = self.0.set(tell);
    }
}

/// `/livez`, `/readyz` and `/metrics`, and what the last tells of connectors.
///
/// # Errors
/// When another recorder of metrics is installed already.
pub(crate) fn health(ready: Ready) -> Result<(Told, Router)> {
    let told = Told::default();
    let metrics = PrometheusBuilder::new()
        .install_recorder()
        .context("the metrics recorder")?;
    let scraped = Router::new()
        .route("/metrics", get(exposition))
        .with_state((metrics, told.clone()));
    let asked = Router::new()
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(readyz))
        .with_state(ready);
    Ok((told, asked.merge(scraped)))
}

async fn readyz(State(ready): State<Ready>) -> (StatusCode, &'static str) {
    if ready.0.load(Ordering::Acquire) {
        (StatusCode::OK, "ready\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "starting\n")
    }
}

async fn exposition(State((metrics, told)): State<(PrometheusHandle, Told)>) -> String {
    metrics.run_upkeep();
    let mut text = metrics.render();
    if let Some(tell) = told.0.get() {
        text.push_str(&tell());
    }
    if let Some(collector) = told.1.get() {
        text.push_str(&collector.metrics());
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;

    #[tokio::test]
    async fn a_listener_for_other_machines_needs_its_setting() {
        let settings = |listen: &str, allow| HttpSettings {
            listen: listen.to_owned(),
            allow_remote_without_token: allow,
        };
        let Err(error) = Listener::bind(&settings("0.0.0.0:0", false), false).await else {
            panic!("bound");
        };
        assert!(
            error.to_string().contains("allow_remote_without_token"),
            "{error}"
        );
        assert!(
            Listener::bind(&settings("0.0.0.0:0", false), true)
                .await
                .unwrap()
                .is_some()
        );
        assert!(
            Listener::bind(&settings("127.0.0.1:0", false), false)
                .await
                .unwrap()
                .is_some()
        );
        assert!(
            Listener::bind(&settings("", false), false)
                .await
                .unwrap()
                .is_none()
        );
    }
}
