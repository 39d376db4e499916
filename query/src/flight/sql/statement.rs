//! Statements: what one will answer, for a ticket, and its answer for the ticket.

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow_flight::sql::{
    CommandPreparedStatementQuery, CommandStatementQuery, ProstMessageExt, TicketStatementQuery,
};
use arrow_flight::{FlightDescriptor, FlightEndpoint, FlightInfo, Ticket};
use futures::{Stream, StreamExt};
use prost::Message;
use tonic::metadata::MetadataMap;
use tonic::{Request as Call, Response};

use super::reading::Reading;
use super::{Sql, asked, messages, number, plain, unknown};
use crate::error::{Error, Result};
use crate::flight::wire::Messages;
use crate::query::{Answer, Request};
use crate::statement::Params;

/// The header that says what an answer saw, usable as `eddy-as-of` and `eddy-wait-for`.
const POSITION: &str = "eddy-position";
/// The header that says that live rows may be missing, and how old the answer may be.
const STALE: &str = "eddy-stale";
/// The header with the query's id.
const QUERY_ID: &str = "eddy-query-id";

/// The longest header: some clients take 8 KiB of them, and what many partitions have seen is more.
const HEADER_BYTES_MAX: usize = 2_000;

/// What a ticket stands for.
pub(super) struct Promise {
    request: Request,
    /// The columns that were told.
    told: SchemaRef,
}

impl Sql {
    /// A ticket for a statement.
    pub(in crate::flight) async fn ask(
        &self,
        statement: &CommandStatementQuery,
        call: Call<FlightDescriptor>,
    ) -> Result<FlightInfo> {
        refuse_transaction(statement.transaction_id.as_ref())?;
        let request = asked::request(call.metadata(), &statement.query, Params::None)?;
        let told = self.told(&request).await?;
        self.promise(request, told, call.into_inner())
    }

    /// A ticket for a prepared statement, with the values that it has by now.
    pub(in crate::flight) async fn ask_prepared(
        &self,
        statement: &CommandPreparedStatementQuery,
        call: Call<FlightDescriptor>,
    ) -> Result<FlightInfo> {
        let handle = &statement.prepared_statement_handle;
        let (request, fresh) = self.bound(handle, call.metadata(), None)?;
        let told = match fresh {
            Some(told) => told,
            None => self.told(&request).await?,
        };
        self.promise(request, told, call.into_inner())
    }

    /// The columns of a statement, which doesn't run.
    async fn told(&self, request: &Request) -> Result<SchemaRef> {
        let described = self.query.describe(request.clone()).await?;
        Ok(plain::told(&described.schema))
    }

    fn promise(
        &self,
        request: Request,
        told: SchemaRef,
        descriptor: FlightDescriptor,
    ) -> Result<FlightInfo> {
        let info = FlightInfo::new()
            .try_with_schema(&told)?
            .with_descriptor(descriptor)
            .with_ordered(true);
        let bytes = asked::bytes(&request);
        let id = self.tickets.put(Promise { request, told }, bytes);
        let ticket = TicketStatementQuery {
            statement_handle: id.as_bytes().to_vec().into(),
        };
        let ticket = Ticket::new(ticket.as_any().encode_to_vec());
        Ok(info.with_endpoint(FlightEndpoint::new().with_ticket(ticket)))
    }

    /// The answer for a ticket, once.
    pub(in crate::flight) async fn give(
        &self,
        ticket: &TicketStatementQuery,
    ) -> Result<Response<Messages>> {
        let id = number(&ticket.statement_handle, TICKET)?;
        let mut reading = self.readings.begin(id)?;
        let Some(Promise { request, told }) = self.tickets.take(id) else {
            return Err(unknown(TICKET).with_hint("a ticket gives its answer once: ask again"));
        };
        let answer = tokio::select! {
            answer = self.query.execute(request) => answer?,
            cancelled = reading.cancelled() => return Err(cancelled),
        };
        let headers = headers(&answer);
        let batches = batches(answer, told.clone(), reading);
        let mut response = Response::new(messages(told, batches));
        *response.metadata_mut() = headers;
        Ok(response)
    }
}

const TICKET: &str = "ticket";

/// There are no transactions, so nobody can be in one.
pub(super) fn refuse_transaction<T>(transaction: Option<T>) -> Result<()> {
    match transaction {
        None => Ok(()),
        Some(_) => Err(Error::not_supported("not supported: transactions")),
    }
}

fn headers(answer: &Answer) -> MetadataMap {
    let mut headers = MetadataMap::new();
    let stale = answer.stale.as_ref();
    let stale = stale.and_then(|stale| serde_json::to_string(stale).ok());
    let always = [
        (POSITION, answer.position.to_string()),
        (QUERY_ID, answer.query_id.to_string()),
    ];
    for (name, value) in always.into_iter().chain(stale.map(|stale| (STALE, stale))) {
        if value.len() <= HEADER_BYTES_MAX
            && let Ok(value) = value.parse()
        {
            headers.insert(name, value);
        }
    }
    headers
}

/// The rows in the columns that were told. An error is the last of them, and dropping them ends the
/// query.
fn batches(
    answer: Answer,
    told: SchemaRef,
    reading: Reading,
) -> impl Stream<Item = Result<RecordBatch>> + Send + 'static {
    let places = plain::places(&told, &answer.schema);
    let state = Some((answer, reading));
    futures::stream::unfold(state, move |state| {
        let (told, places) = (told.clone(), places.clone());
        async move {
            let (mut answer, mut reading) = state?;
            let next = tokio::select! {
                next = answer.batches.next() => next?,
                cancelled = reading.cancelled() => Err(cancelled),
            };
            match next.and_then(|batch| plain::fit(&batch, &told, &places)) {
                Ok(batch) => Some((Ok(batch), Some((answer, reading)))),
                Err(error) => Some((Err(error), None)),
            }
        }
    })
}
