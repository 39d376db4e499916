//! The connection to another node: lazy, with bounds on how long it may say nothing, and with the
//! token on each request.

use std::net::SocketAddr;
use std::task::{Context, Poll};
use std::time::Duration;

use datafusion_distributed::WorkerChannel;
use datafusion_distributed::grpc::{BoxCloneSyncChannel, create_worker_client};
use tonic::body::Body;
use tonic::codegen::Service;
use tonic::codegen::http::header::AUTHORIZATION;
use tonic::codegen::http::{HeaderValue, Request, Response};
use tonic::transport::{Channel, Endpoint, Error as TransportError};

use crate::error::{Error, Result};
use crate::http::Token;

/// How long a connection may take to come about.
const CONNECT_MAX: Duration = Duration::from_secs(1);

/// How often a node that says nothing is asked whether it is there, and how long it may take to
/// say so: one whose machine is gone closes nothing.
const KEEPALIVE: Duration = Duration::from_secs(5);

/// Requests with the token.
#[derive(Clone)]
pub(super) struct Way {
    channel: Channel,
    authorization: Option<HeaderValue>,
}

impl Way {
    /// To this address; nothing is asked yet.
    ///
    /// # Errors
    /// `Invalid` when the token can't be in a header.
    pub(super) fn to(address: SocketAddr, token: Option<&Token>) -> Result<Self> {
        let wrong = |error| Error::invalid(format!("`{address}` is no address of a node: {error}"));
        let endpoint = Endpoint::from_shared(format!("http://{address}")).map_err(wrong)?;
        let channel = endpoint
            .connect_timeout(CONNECT_MAX)
            .tcp_nodelay(true)
            .http2_adaptive_window(true)
            .http2_keep_alive_interval(KEEPALIVE)
            .keep_alive_timeout(KEEPALIVE)
            .keep_alive_while_idle(true)
            .connect_lazy();
        let authorization = token.map(|token| HeaderValue::from_str(&token.bearer()));
        let authorization = authorization
            .transpose()
            .map_err(|_| Error::invalid("`http.token` can't be in a header"))?;
        // Debug output of requests leaves it out.
        let authorization = authorization.map(|mut value| {
            value.set_sensitive(true);
            value
        });
        Ok(Self {
            channel,
            authorization,
        })
    }

    /// What parts are asked with.
    pub(super) fn client(&self) -> Box<dyn WorkerChannel> {
        create_worker_client(BoxCloneSyncChannel::new(self.clone()))
    }
}

impl Service<Request<Body>> for Way {
    type Response = Response<Body>;
    type Error = TransportError;
    type Future = <Channel as Service<Request<Body>>>::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Service::poll_ready(&mut self.channel, context)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        if let Some(authorization) = &self.authorization {
            request
                .headers_mut()
                .insert(AUTHORIZATION, authorization.clone());
        }
        self.channel.call(request)
    }
}
