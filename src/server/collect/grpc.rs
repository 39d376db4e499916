//! gRPC: connections as they are accepted, each with its place among those that there may be.

use axum::serve::ListenerExt;
use eddy_connector::collect::{Connection, Grpc, Places};
use eddy_engine::Clock;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::stopped;
use crate::server::http::{Listener, at_once};
use crate::server::tls::TlsListener;

/// Serves `grpc` on so many connections at once, until `stop` turns true.
pub(super) fn serve(
    listener: Listener,
    grpc: Grpc,
    connections_max: usize,
    stop: watch::Receiver<bool>,
) -> JoinHandle<()> {
    match listener.into_parts() {
        (socket, None) => {
            let socket = socket.tap_io(at_once);
            tokio::spawn(accept(socket, grpc, connections_max, stop))
        }
        (socket, Some(tls)) => {
            let socket = TlsListener::new(socket, tls);
            tokio::spawn(accept(socket, grpc, connections_max, stop))
        }
    }
}

async fn accept<L: axum::serve::Listener>(
    socket: L,
    grpc: Grpc,
    connections_max: usize,
    mut stop: watch::Receiver<bool>,
) {
    let (places, clock) = (Places::new(connections_max), Clock::system());
    let connections = futures::stream::unfold(socket, |mut socket| {
        let (places, clock) = (places.clone(), clock.clone());
        async move {
            let (stream, _) = socket.accept().await;
            // What waits to be accepted costs the process nothing.
            let place = places.enter().await;
            Some((Ok(Connection::new(stream, place, &clock)), socket))
        }
    });
    let ended = grpc.serve(connections, async move { stopped(&mut stop).await });
    if let Err(error) = ended.await {
        tracing::error!(%error, "the collector's gRPC listener ended");
    }
}
