//! Arrow Flight: live rows from one process to another, and SQL for clients.
//!
//! ```text
//! a worker                                         a node that is asked
//!   live rows (engine) <-- offer -- do_get <----- peers: who the workers are, what each has told
//!                                                   |  live rows first, then a new version (P20)
//!                                                   v
//!                                                 lake: one consistent view
//! a client of Flight SQL
//!   its statements --> sql --> Query::execute, as every front
//! ```
//!
//! Both are one service on one listener (`service`); tickets say which is meant. A token opens the
//! listener, as the HTTP API; it speaks no TLS. Everything that is asked here runs on the queries'
//! threads, as queries do, and never on those of ingest.

mod door;
mod offer;
pub(crate) mod peers;
mod service;
mod sql;
mod status;
mod wire;

use std::future::Future;
use std::time::Duration;

use arrow_flight::flight_service_server::FlightServiceServer;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;

use self::door::Door;
use self::peers::Peers;
use self::service::Service;
use crate::error::{Error, Result};
use crate::http::Token;
use crate::query::Query;

/// The largest message that is taken: the numbers of what is held.
const MESSAGE_BYTES_MAX: usize = 4 << 20;

/// The largest part of a plan that is taken: it names its files, and what is in them.
const PLAN_BYTES_MAX: usize = 64 << 20;

/// Requests of one connection that are served at once; the others wait.
const REQUESTS_AT_ONCE: usize = 64;

/// How long open answers may take to end once the process stops.
const GRACE: Duration = Duration::from_secs(5);

/// What a listener serves beside live rows, and to whom.
#[derive(Debug, Clone, Default)]
pub struct Served {
    /// What opens it; without one everybody who reaches it comes in.
    pub token: Option<Token>,
    /// Whether it answers statements: those of a process that answers no queries don't.
    pub statements: bool,
}

impl Query {
    /// This process, as it says where it is reached: its live rows are numbered within it.
    pub fn process(&self) -> String {
        self.0.process.to_string()
    }

    /// From now on live rows of the lake's other workers are in answers too; only the first call
    /// counts. `token` opens their listeners.
    pub fn look_for_workers(&self, token: Option<Token>) {
        let tables = self.0.catalog.tables();
        let (process, live_bytes) = (self.process(), self.0.options.live_bytes);
        if let Some(lake) = tables.lakes().into_iter().next() {
            tables.set_peers(Peers::new(lake, process, token, live_bytes));
        }
    }

    /// Serves Arrow Flight on the queries' threads until `stop` completes; what is open then may
    /// end for a bounded time.
    ///
    /// # Errors
    /// `Internal` when the listener ends before.
    pub async fn serve_flight(
        &self,
        listener: TcpListener,
        served: Served,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> Result<()> {
        let service = Service::new(self.clone(), served.statements)?;
        let service =
            FlightServiceServer::new(service).max_decoding_message_size(MESSAGE_BYTES_MAX);
        let parts = self.0.nodes.get().map(|nodes| {
            let parts = nodes.worker.clone().into_worker_server();
            let parts = parts.max_decoding_message_size(PLAN_BYTES_MAX);
            InterceptedService::new(parts, Door(served.token.clone()))
        });
        let service = InterceptedService::new(service, Door(served.token));
        let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
        let (stopping, stopped) = oneshot::channel::<()>();
        let (tx, rx) = oneshot::channel();
        let clock = self.0.clock.clone();
        let ended = self.0.pool.spawn(async move {
            let served = Server::builder()
                .concurrency_limit_per_connection(REQUESTS_AT_ONCE)
                .http2_keepalive_interval(Some(KEEPALIVE))
                .add_service(service)
                .add_optional_service(parts)
                .serve_with_incoming_shutdown(incoming, async move {
                    stop.await;
                    let _ = stopping.send(());
                });
            let bounded = async move {
                let _ = stopped.await;
                clock.sleep(GRACE).await;
            };
            let ended = tokio::select! {
                ended = served => ended.map_err(|error| {
                    Error::internal(format!("the Flight listener ended: {error}"))
                }),
                () = bounded => {
                    tracing::warn!("open Flight answers were cut at the end");
                    Ok(())
                }
            };
            let _ = tx.send(ended);
        });
        let ended = Stops(ended);
        let result = rx.await;
        drop(ended);
        result.unwrap_or_else(|_| Err(Error::internal("the Flight listener's task has ended")))
    }
}

/// How often a silent client is asked whether it is still there; one that isn't ends its queries.
const KEEPALIVE: Duration = Duration::from_secs(20);

/// Ends a task when it is dropped.
struct Stops(tokio::task::AbortHandle);

impl Drop for Stops {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) use tests::beside;
