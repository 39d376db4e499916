//! HTTP/1: a task for each connection, with a deadline for the head of a request.

use std::time::Duration;

use axum::Router;
use axum::serve::ListenerExt;
use eddy_connector::collect::{Place, Places};
use eddy_engine::Clock;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use super::stopped;
use crate::server::http::{Listener, at_once};
use crate::server::tls::TlsListener;

/// How long a client may take to send the head of a request, and to come with its next one.
const HEAD: Duration = Duration::from_secs(30);
/// The most that a head may have.
const HEAD_BYTES_MAX: usize = 64 << 10;
/// How long requests may take to end once the process stops.
const GRACE: Duration = Duration::from_secs(5);

/// Serves `routes` on so many connections at once, until `stop` turns true.
pub(super) fn serve(
    listener: Listener,
    routes: Router,
    connections_max: usize,
    stop: watch::Receiver<bool>,
) -> JoinHandle<()> {
    let places = Places::new(connections_max);
    match listener.into_parts() {
        (socket, None) => tokio::spawn(accept(socket.tap_io(at_once), routes, places, stop)),
        (socket, Some(tls)) => {
            let socket = TlsListener::new(socket, tls);
            tokio::spawn(accept(socket, routes, places, stop))
        }
    }
}

async fn accept<L: axum::serve::Listener>(
    mut socket: L,
    routes: Router,
    places: Places,
    mut stop: watch::Receiver<bool>,
) {
    let mut open = JoinSet::new();
    loop {
        let (stream, _) = tokio::select! {
            () = stopped(&mut stop) => break,
            Some(_) = open.join_next() => continue,
            next = socket.accept() => next,
        };
        // What waits to be accepted costs the process nothing.
        let place = tokio::select! {
            () = stopped(&mut stop) => break,
            place = places.enter() => place,
        };
        open.spawn(answer(stream, routes.clone(), stop.clone(), place));
    }
    let clock = Clock::system();
    tokio::select! {
        () = async { while open.join_next().await.is_some() {} } => {}
        () = clock.sleep(GRACE) => tracing::warn!("requests with events were cut at the end"),
    }
}

async fn answer<T: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: T,
    routes: Router,
    mut stop: watch::Receiver<bool>,
    mut place: Place,
) {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(HEAD_BYTES_MAX);
    let (routes, activity) = (TowerToHyperService::new(routes), place.activity());
    let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let (asked, answer) = (activity.ask(), routes.call(request));
        async move {
            let _asked = asked;
            answer.await
        }
    });
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = &mut connection => ended,
        // It has nothing under way, and says nothing.
        () = place.is_needed() => return,
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
