//! `services.GRPCCollector`: records of other message buses, as `plumber relay` and its kin send
//! them over gRPC.
//!
//! ```text
//! token -> UNAUTHENTICATED    message (bounded) -> records, by the thousand -> Kafka -> OK
//! ```
//!
//! Such clients send a batch a few times, some seconds apart, and then drop it; but they wait for
//! an answer as long as it takes. So whatever a wait may save waits: for room, for a token's rate,
//! for Kafka, for a topic that isn't there yet. What isn't answered with OK may be there in part,
//! and a batch that comes again doubles nothing that is remembered (`seen`, `recall`).
//!
//! `frame` reads and writes messages, `fields` says what the fields of each record become and
//! `record` makes an event of one, both pure; `take` sends them. `described` are the `.proto`
//! files, `connection` is what is served.

mod connection;
mod described;
mod fields;
mod frame;
mod record;
mod take;

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::http::{HeaderMap, Request, Response, header};
use futures::Stream;
use futures::future::BoxFuture;
use tokio::io::{AsyncRead, AsyncWrite};
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::Service;
use tonic::server::NamedService;
use tonic::transport::Server;

use super::collection::State;
use super::door::Opened;
use super::places::Activity;
use super::produce::Sender;
use super::tokens::Token;
use super::{Collector, within};
use crate::error::{Error, Result};
pub use connection::Connection;
use fields::Method;

/// What carries the token, in every spelling that clients have.
const TOKENS: [&str; 3] = ["streamdal-token", "batch-token", "batch.token"];
/// Calls of one connection that are served at once; others wait.
const CALLS_AT_ONCE: u32 = 64;
/// What a connection may have sent that nobody has looked at yet.
const UNREAD_BYTES: u32 = 128 << 10;
/// How often a silent client is asked whether it is still there.
const KEEPALIVE: Duration = Duration::from_secs(20);
/// How long open calls may take to end once the process stops.
const GRACE: Duration = Duration::from_secs(5);
/// How long a call waits before it asks again what couldn't be told.
const AGAIN: Duration = Duration::from_secs(1);

/// Takes records over gRPC for the collections of a collector. Cheap to clone.
#[derive(Clone)]
pub struct Grpc(Arc<Inner>);

struct Inner {
    collector: Collector,
    /// One of its own, which tries for as long as calls are held.
    sender: Sender,
}

impl Grpc {
    pub(super) fn new(collector: Collector) -> Result<Self> {
        let (options, clock) = (&collector.0.options, collector.0.clock.clone());
        let (memory_bytes, hold) = (options.memory_bytes, options.grpc_hold);
        let sender = Sender::new(&collector.0.kafka, memory_bytes, hold, hold, clock)?;
        Ok(Self(Arc::new(Inner { collector, sender })))
    }

    /// Serves the collector, health checks and reflection on these connections until `stop`
    /// completes; open calls may end for a bounded time.
    ///
    /// # Errors
    /// `Internal` when it ends before.
    pub async fn serve<T>(
        self,
        connections: impl Stream<Item = io::Result<Connection<T>>> + Send,
        stop: impl Future<Output = ()> + Send,
    ) -> Result<()>
    where
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let clock = self.0.collector.0.clock.clone();
        let (health, service) = tonic_health::server::health_reporter();
        health.set_serving::<Self>().await;
        let (reflection, earlier) = described::reflection()?;
        let (stopping, stopped) = tokio::sync::oneshot::channel();
        let served = Server::builder()
            .max_concurrent_streams(CALLS_AT_ONCE)
            .initial_stream_window_size(UNREAD_BYTES)
            .initial_connection_window_size(UNREAD_BYTES)
            .http2_keepalive_interval(Some(KEEPALIVE))
            .add_service(self)
            .add_service(service)
            .add_service(reflection)
            .add_service(earlier)
            .serve_with_incoming_shutdown(connections, async move {
                stop.await;
                health.set_not_serving::<Self>().await;
                let _ = stopping.send(());
            });
        let bounded = async {
            let _ = stopped.await;
            clock.sleep(GRACE).await;
        };
        tokio::select! {
            ended = served => ended.map_err(|error| {
                let text = "the collector's gRPC listener ended";
                Error::new(crate::error::ErrorKind::Internal, text).with_source(error)
            }),
            () = bounded => {
                tracing::warn!("calls with records were cut at the end");
                Ok(())
            }
        }
    }

    /// The answer to one call.
    async fn answer(self, request: Request<Body>) -> Response<Body> {
        let answered = match name(&request) {
            "Test" => self.test(request.headers()).await,
            name => match fields::method(name) {
                Some(method) => self.add(method, request).await,
                None => Err(Status::unimplemented(format!(
                    "`services.GRPCCollector` has no method `{name}`"
                ))),
            },
        };
        answered.unwrap_or_else(Status::into_http)
    }

    /// Whether the token opens a collection, whatever the collection's state.
    async fn test(&self, headers: &HeaderMap) -> Result<Response<Body>, Status> {
        self.open(headers).await?;
        Ok(frame::answer(&frame::Tested::ok()))
    }

    async fn add(
        &self,
        method: &'static Method,
        request: Request<Body>,
    ) -> Result<Response<Body>, Status> {
        let (parts, body) = request.into_parts();
        let opened = self.open(&parts.headers).await?;
        let counts = self.0.collector.0.statistics.of(&opened.collection);
        let added = self.added(method, &parts.headers, body, opened).await;
        added.inspect_err(|_| counts.count_rejected())
    }

    async fn added(
        &self,
        method: &'static Method,
        headers: &HeaderMap,
        body: Body,
        opened: Opened,
    ) -> Result<Response<Body>, Status> {
        match opened.state {
            State::Active => {}
            // At "is paused" clients drop the batch at once, as a paused collection means it.
            state => {
                let text = format!("collection is {}", state.as_str());
                return Err(Status::failed_precondition(text));
            }
        }
        let collector = &self.0.collector;
        let (clock, hold) = (&collector.0.clock, collector.0.options.grpc_hold);
        let until = clock.monotonic() + hold;
        let read = frame::read(headers, body, collector);
        let read = within(clock, hold, read).await;
        let (message, room) = read.unwrap_or_else(|| Err(frame::slow()))?;
        // A task of its own: whoever hangs up doesn't stop what has begun, or a batch that comes
        // again would find it half done. It keeps its room until it ends.
        let taking = take::Taking {
            grpc: self.clone(),
            opened,
            method,
            until,
        };
        let taken = tokio::spawn(async move {
            let _room = room;
            taking.take(message).await
        });
        let taken = taken.await;
        let taken = taken.unwrap_or_else(|_| Err(Status::unavailable("sending broke off")))?;
        Ok(frame::answer(&frame::Added::ok(taken)))
    }

    /// The collection that the call's token opens. While nobody can tell, it waits.
    async fn open(&self, headers: &HeaderMap) -> Result<Opened, Status> {
        let collector = &self.0.collector;
        let looking = async {
            let token = token(headers)?;
            loop {
                match collector.0.door.open(token.clone()).await {
                    Ok(opened) => return opened,
                    Err(error) => tracing::warn!(%error, "tokens can't be looked up"),
                }
                collector.0.clock.sleep(AGAIN).await;
            }
        };
        let hold = collector.0.options.grpc_hold;
        let opened = within(&collector.0.clock, hold, looking).await;
        let away = || Status::unavailable("tokens can't be looked up just now");
        opened.ok_or_else(away)?.ok_or_else(|| {
            collector.0.statistics.count_unauthorized();
            Status::unauthenticated(
                "unauthorized: the call carries no token that is known here; send it as \
                 `streamdal-token` or `batch-token`",
            )
        })
    }
}

impl Service<Request<Body>> for Grpc {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let activity = request.extensions().get::<Activity>();
        let asked = activity.map(Activity::ask);
        let answer = self.clone().answer(request);
        Box::pin(async move {
            let _asked = asked;
            Ok(answer.await)
        })
    }
}

impl NamedService for Grpc {
    const NAME: &'static str = "services.GRPCCollector";
}

/// The last part of the path, the method's name.
fn name<T>(request: &Request<T>) -> &str {
    let path = request.uri().path();
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

/// What the first of [`TOKENS`] carries, or `authorization: Bearer`.
fn token(headers: &HeaderMap) -> Option<Token> {
    let text = |name: &str| headers.get(name)?.to_str().ok();
    if let Some(token) = TOKENS.into_iter().find_map(text) {
        return Some(Token::given(token.trim()));
    }
    let (scheme, token) = text(header::AUTHORIZATION.as_str())?.split_once(' ')?;
    let is_bearer = scheme.eq_ignore_ascii_case("bearer");
    is_bearer.then(|| Token::given(token.trim()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_token_has_four_spellings_and_bearer() {
        for (name, value) in [
            ("streamdal-token", "secret"),
            ("Batch-Token", " secret "),
            ("batch-token", "secret"),
            ("batch.token", "secret"),
            ("authorization", "Bearer secret"),
        ] {
            let request = Request::post("/services.GRPCCollector/AddRecord");
            let request = request.header(name, value).body(()).unwrap();
            assert_eq!(super::name(&request), "AddRecord");
            let found = token(request.headers()).unwrap();
            assert_eq!(found.reveal(), "secret", "{name}");
        }
        assert_eq!(token(&HeaderMap::new()), None);
    }
}
