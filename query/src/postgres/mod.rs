//! The Postgres wire: `psql`, drivers, and tools that speak to Postgres.
//!
//! ```text
//! socket, codec --> connection: who is it? then one message after the other
//!                     |  simple     Query: statements, one after the other
//!                     |  extended   Parse, Bind, Describe, Execute: prepared ones, with parameters
//!                     |               \--> parameters: what they are
//!                     |  session    BEGIN, SET, SHOW, ...: what drivers send of themselves
//!                     v
//!                   running: Query::execute on the queries' threads --> value/: rows of the wire
//! ```
//!
//! Only the messages are a library's (`pgwire`). What a statement does is decided where it is for
//! every other front, in `run/`: limits, refusals, `system.queries`, cancelling. What is special
//! here: a client can't say `as_of` with its statement, so `SET` says it; and it may send a
//! statement twice, so `INTO` needs a name.
//!
//! Connections aren't encrypted (`SSLRequest` is answered with no). Where the process wants a
//! token, it is the password.

mod cancel;
mod codec;
mod connection;
mod dialect;
mod error;
mod extended;
mod parameters;
mod prepared;
mod running;
mod session;
mod simple;
mod socket;
mod starting;
mod told;
mod value;

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};

pub(crate) use dialect::understood;
pub(crate) use session::DEFAULTS as SETTINGS;
pub(crate) use value::{SqlType, format_type, known_types, sql_type};

use crate::http::Token;
use crate::query::Query;
use cancel::Cancels;
use starting::{Place, Starting};

/// Connections at once; more are told so. Each has a buffer and a task, even if it does nothing.
const CONNECTIONS_MAX: usize = 256;

/// What all connections share.
struct Front {
    query: Query,
    token: Option<Token>,
    cancels: Cancels,
    starting: Starting,
    places: Arc<Semaphore>,
}

impl Query {
    /// Serves the Postgres wire on `listener` until `stop` turns true; then open connections are
    /// cut. With a `token` clients need it as their password.
    pub async fn serve_postgres(
        &self,
        listener: TcpListener,
        token: Option<Token>,
        mut stop: watch::Receiver<bool>,
    ) {
        let front = Arc::new(Front {
            query: self.clone(),
            token,
            cancels: Cancels::default(),
            starting: Starting::default(),
            places: Arc::new(Semaphore::new(CONNECTIONS_MAX)),
        });
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                _ = stop.wait_for(|stop| *stop) => return,
            };
            match accepted {
                Ok((stream, peer)) => {
                    let place = front.starting.place();
                    let (front, stop) = (Arc::clone(&front), stop.clone());
                    tokio::spawn(serve(front, stream, peer, place, stop));
                }
                // Out of file descriptors, say: it passes, and mustn't be asked in a tight loop.
                Err(error) => {
                    tracing::warn!(%error, "a Postgres client could not be accepted");
                    self.0.clock.sleep(RETRY).await;
                }
            }
        }
    }
}

/// What `version()` says.
pub(crate) const VERSION: &str = concat!(
    "PostgreSQL 9.4.26 (Eddy ",
    env!("CARGO_PKG_VERSION"),
    ", which speaks its wire)"
);

/// How long to wait after a connection could not be accepted.
const RETRY: std::time::Duration = std::time::Duration::from_millis(100);

async fn serve(
    front: Arc<Front>,
    stream: TcpStream,
    peer: SocketAddr,
    place: Place,
    mut stop: watch::Receiver<bool>,
) {
    let served = tokio::select! {
        served = Box::pin(connection::serve(front, stream, place)) => served,
        _ = stop.wait_for(|stop| *stop) => return,
    };
    if let Err(error) = served {
        tracing::debug!(%peer, %error, "a Postgres client went away");
    }
}

#[cfg(test)]
mod tests;
