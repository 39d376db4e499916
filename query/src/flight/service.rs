//! The listener's one service: what each call of Arrow Flight does here.

use std::pin::Pin;

use arrow_flight::flight_service_server::FlightService;
use arrow_flight::sql::server::FlightSqlService;
use arrow_flight::sql::{Any, SqlInfo};
use arrow_flight::{HandshakeRequest, HandshakeResponse, Ticket};
use futures::Stream;
use tonic::{Request, Response, Status, Streaming};

use super::door::{AUTHORIZATION, bearer};
use super::offer::{Readers, live_rows};
use super::status::refused;
use super::wire::Ask;
use crate::query::Query;

/// Live rows.
pub(super) struct Service {
    query: Query,
    readers: Readers,
}

type Shook = Pin<Box<dyn Stream<Item = Result<HandshakeResponse, Status>> + Send>>;

impl Service {
    /// Serves the live rows of `query`'s lakes.
    pub(super) fn new(query: Query) -> Self {
        Self {
            query,
            readers: Readers::new(),
        }
    }
}

#[tonic::async_trait]
impl FlightSqlService for Service {
    type FlightService = Self;

    /// Whoever came through the door is told what it came with, as clients want to be.
    async fn do_handshake(
        &self,
        request: Request<Streaming<HandshakeRequest>>,
    ) -> Result<Response<Shook>, Status> {
        let token = bearer(request.metadata());
        let said = HandshakeResponse {
            protocol_version: 0,
            payload: Default::default(),
        };
        let shook: Shook = Box::pin(futures::stream::iter([Ok(said)]));
        let mut response = Response::new(shook);
        if let Some(token) = token {
            response.metadata_mut().insert(AUTHORIZATION, token);
        }
        Ok(response)
    }

    async fn do_get_fallback(
        &self,
        _request: Request<Ticket>,
        message: Any,
    ) -> Result<Response<<Self as FlightService>::DoGetStream>, Status> {
        let ask = Ask::of(&message).ok_or_else(|| {
            Status::invalid_argument(format!("`{}` is no ticket of ours", message.type_url))
        })?;
        let ask = ask.map_err(|error| refused(&error))?;
        let rows = live_rows(&self.query, &self.readers, &ask).await;
        Ok(Response::new(rows.map_err(|error| refused(&error))?))
    }

    async fn register_sql_info(&self, _id: i32, _result: &SqlInfo) {}
}
