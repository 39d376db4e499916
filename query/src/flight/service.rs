//! The listener's one service: what each call of Arrow Flight does here. Tickets for live rows are
//! of a type of their own; everything else is Flight SQL (`sql/`).

use std::pin::Pin;

use arrow_flight::flight_service_server::FlightService;
use arrow_flight::sql::server::{FlightSqlService, PeekableFlightDataStream};
use arrow_flight::sql::{
    ActionCancelQueryRequest, ActionCancelQueryResult, ActionClosePreparedStatementRequest,
    ActionCreatePreparedStatementRequest, ActionCreatePreparedStatementResult, Any,
    CommandGetCatalogs, CommandGetCrossReference, CommandGetDbSchemas, CommandGetExportedKeys,
    CommandGetImportedKeys, CommandGetPrimaryKeys, CommandGetSqlInfo, CommandGetTableTypes,
    CommandGetTables, CommandGetXdbcTypeInfo, CommandPreparedStatementQuery,
    CommandPreparedStatementUpdate, CommandStatementIngest, CommandStatementQuery,
    CommandStatementUpdate, DoPutPreparedStatementResult, ProstMessageExt, SqlInfo,
    TicketStatementQuery,
};
use arrow_flight::{
    Action, ActionType, CancelStatus, FlightDescriptor, FlightInfo, HandshakeRequest,
    HandshakeResponse, Result as Answer, Ticket,
};
use futures::Stream;
use tonic::{Request, Response, Status, Streaming};

use super::door::{AUTHORIZATION, bearer};
use super::offer::{Readers, live_rows};
use super::sql::{CANCEL, Sql};
use super::status::refused;
use super::wire::Ask;
use crate::error::{Error, Result as Eddys};
use crate::query::Query;

/// Live rows, and SQL where this process answers queries.
pub(super) struct Service {
    query: Query,
    readers: Readers,
    sql: Option<Sql>,
}

type Shook = Pin<Box<dyn Stream<Item = Result<HandshakeResponse, Status>> + Send>>;

type Given<T> = Result<Response<<T as FlightService>::DoGetStream>, Status>;

type Info = Result<Response<FlightInfo>, Status>;

impl Service {
    /// Serves the live rows of `query`'s lakes, and statements if it `answers`.
    ///
    /// # Errors
    /// As [`Sql::new`].
    pub(super) fn new(query: Query, answers: bool) -> Eddys<Self> {
        let sql = answers.then(|| Sql::new(query.clone())).transpose()?;
        Ok(Self {
            query,
            readers: Readers::new(),
            sql,
        })
    }

    fn sql(&self) -> Result<&Sql, Status> {
        self.sql.as_ref().ok_or_else(|| {
            refused(
                &Error::not_supported("this process answers no queries")
                    .with_hint("ask one whose roles have `query`"),
            )
        })
    }

    /// A ticket for a question about the catalog.
    fn ticket(&self, question: &impl ProstMessageExt, request: Request<FlightDescriptor>) -> Info {
        told(self.sql()?.ask_catalog(question, request.into_inner()))
    }
}

fn told<T>(answer: Eddys<T>) -> Result<Response<T>, Status> {
    answer.map(Response::new).map_err(|error| refused(&error))
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

    async fn do_get_fallback(&self, _request: Request<Ticket>, message: Any) -> Given<Self> {
        if let Some(ask) = Ask::of(&message) {
            let ask = ask.map_err(|error| refused(&error))?;
            return told(live_rows(&self.query, &self.readers, &ask).await);
        }
        told(self.sql()?.answer_catalog(&message).await)
    }

    async fn get_flight_info_statement(
        &self,
        statement: CommandStatementQuery,
        request: Request<FlightDescriptor>,
    ) -> Info {
        told(self.sql()?.ask(&statement, request).await)
    }

    async fn get_flight_info_prepared_statement(
        &self,
        statement: CommandPreparedStatementQuery,
        request: Request<FlightDescriptor>,
    ) -> Info {
        told(self.sql()?.ask_prepared(&statement, request).await)
    }

    async fn do_get_statement(
        &self,
        ticket: TicketStatementQuery,
        _request: Request<Ticket>,
    ) -> Given<Self> {
        let given = self.sql()?.give(&ticket).await;
        given.map_err(|error| refused(&error))
    }

    async fn do_action_create_prepared_statement(
        &self,
        statement: ActionCreatePreparedStatementRequest,
        request: Request<Action>,
    ) -> Result<ActionCreatePreparedStatementResult, Status> {
        let prepared = self.sql()?.prepare(statement, &request).await;
        prepared.map_err(|error| refused(&error))
    }

    async fn do_action_close_prepared_statement(
        &self,
        statement: ActionClosePreparedStatementRequest,
        _request: Request<Action>,
    ) -> Result<(), Status> {
        let closed = self.sql()?.close(&statement);
        closed.map_err(|error| refused(&error))
    }

    async fn do_put_prepared_statement_query(
        &self,
        statement: CommandPreparedStatementQuery,
        request: Request<PeekableFlightDataStream>,
    ) -> Result<DoPutPreparedStatementResult, Status> {
        let given = self.sql()?.give_values(statement, request.into_inner());
        given.await.map_err(|error| refused(&error))
    }

    async fn do_put_statement_update(
        &self,
        statement: CommandStatementUpdate,
        request: Request<PeekableFlightDataStream>,
    ) -> Result<i64, Status> {
        let headers = request.metadata().clone();
        let rows = self.sql()?.update(&statement, &headers).await;
        rows.map_err(|error| refused(&error))
    }

    async fn do_put_prepared_statement_update(
        &self,
        statement: CommandPreparedStatementUpdate,
        request: Request<PeekableFlightDataStream>,
    ) -> Result<i64, Status> {
        let rows = self.sql()?.update_prepared(&statement, request).await;
        rows.map_err(|error| refused(&error))
    }

    async fn do_put_statement_ingest(
        &self,
        _statement: CommandStatementIngest,
        _request: Request<PeekableFlightDataStream>,
    ) -> Result<i64, Status> {
        Err(refused(
            &Error::not_supported("not supported: rows from a client")
                .with_hint("records come into the lake through Kafka; see `eddy load`"),
        ))
    }

    async fn do_action_cancel_query(
        &self,
        query: ActionCancelQueryRequest,
        _request: Request<Action>,
    ) -> Result<ActionCancelQueryResult, Status> {
        let was = self.sql()?.cancel_query(&query.info);
        let result = match was.map_err(|error| refused(&error))? {
            true => CancelStatus::Cancelled,
            false => CancelStatus::NotCancellable,
        };
        Ok(ActionCancelQueryResult {
            result: result.into(),
        })
    }

    async fn do_action_fallback(
        &self,
        request: Request<Action>,
    ) -> Result<Response<<Self as FlightService>::DoActionStream>, Status> {
        let action = request.into_inner();
        if action.r#type != CANCEL {
            let error = Error::not_supported(format!("not supported: `{}`", action.r#type));
            return Err(refused(&error));
        }
        let status = self.sql()?.cancel(&action.body);
        let status = status.map_err(|error| refused(&error))?;
        let answer = futures::stream::iter([Ok(Answer::new(status))]);
        Ok(Response::new(Box::pin(answer)))
    }

    async fn list_custom_actions(&self) -> Option<Vec<Result<ActionType, Status>>> {
        Some(vec![Ok(ActionType {
            r#type: CANCEL.to_owned(),
            description: "Cancels a query, by what `GetFlightInfo` answered".to_owned(),
        })])
    }

    async fn get_flight_info_catalogs(
        &self,
        question: CommandGetCatalogs,
        request: Request<FlightDescriptor>,
    ) -> Info {
        self.ticket(&question, request)
    }

    async fn get_flight_info_schemas(
        &self,
        question: CommandGetDbSchemas,
        request: Request<FlightDescriptor>,
    ) -> Info {
        self.ticket(&question, request)
    }

    async fn get_flight_info_tables(
        &self,
        question: CommandGetTables,
        request: Request<FlightDescriptor>,
    ) -> Info {
        self.ticket(&question, request)
    }

    async fn get_flight_info_table_types(
        &self,
        question: CommandGetTableTypes,
        request: Request<FlightDescriptor>,
    ) -> Info {
        self.ticket(&question, request)
    }

    async fn get_flight_info_sql_info(
        &self,
        question: CommandGetSqlInfo,
        request: Request<FlightDescriptor>,
    ) -> Info {
        self.ticket(&question, request)
    }

    async fn get_flight_info_xdbc_type_info(
        &self,
        question: CommandGetXdbcTypeInfo,
        request: Request<FlightDescriptor>,
    ) -> Info {
        self.ticket(&question, request)
    }

    async fn get_flight_info_primary_keys(
        &self,
        question: CommandGetPrimaryKeys,
        request: Request<FlightDescriptor>,
    ) -> Info {
        self.ticket(&question, request)
    }

    async fn get_flight_info_exported_keys(
        &self,
        question: CommandGetExportedKeys,
        request: Request<FlightDescriptor>,
    ) -> Info {
        self.ticket(&question, request)
    }

    async fn get_flight_info_imported_keys(
        &self,
        question: CommandGetImportedKeys,
        request: Request<FlightDescriptor>,
    ) -> Info {
        self.ticket(&question, request)
    }

    async fn get_flight_info_cross_reference(
        &self,
        question: CommandGetCrossReference,
        request: Request<FlightDescriptor>,
    ) -> Info {
        self.ticket(&question, request)
    }

    async fn register_sql_info(&self, _id: i32, _result: &SqlInfo) {}
}
