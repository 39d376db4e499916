//! Prepared statements: made, given values, closed.

use arrow::datatypes::SchemaRef;
use arrow_flight::Action;
use arrow_flight::sql::server::PeekableFlightDataStream;
use arrow_flight::sql::{
    ActionClosePreparedStatementRequest, ActionCreatePreparedStatementRequest,
    ActionCreatePreparedStatementResult, CommandPreparedStatementQuery,
    DoPutPreparedStatementResult,
};
use tonic::Request as Call;
use tonic::metadata::MetadataMap;

use super::statement::refuse_transaction;
use super::{Sql, asked, ipc, number, parameters, plain, unknown};
use crate::error::Result;
use crate::query::Request;
use crate::statement::{Literal, Params};

/// A prepared statement.
pub(super) struct Prepared {
    sql: String,
    /// The values that it was given last.
    values: Vec<Literal>,
    /// The columns as they were told when it was made, until it is asked for: most are asked for at
    /// once, and whoever does so later wants to see what came since.
    fresh: Option<SchemaRef>,
}

const WHAT: &str = "prepared statement";

impl Sql {
    /// Prepares a statement: it is described and doesn't run.
    pub(in crate::flight) async fn prepare(
        &self,
        statement: ActionCreatePreparedStatementRequest,
        call: &Call<Action>,
    ) -> Result<ActionCreatePreparedStatementResult> {
        refuse_transaction(statement.transaction_id.as_ref())?;
        let sql = statement.query;
        let request = asked::request(call.metadata(), &sql, Params::Unbound)?;
        let described = self.query.describe(request).await?;
        let told = plain::told(&described.schema);
        let dataset_schema = ipc(&told)?;
        let parameter_schema = ipc(&parameters::schema(&described.placeholders))?;
        // Without values the types of columns aren't known for good.
        let fresh = described.placeholders.is_empty().then_some(told);
        let prepared = Prepared {
            sql,
            values: Vec::new(),
            fresh,
        };
        let bytes = prepared.bytes();
        let id = self.prepared.put(prepared, bytes);
        Ok(ActionCreatePreparedStatementResult {
            prepared_statement_handle: id.as_bytes().to_vec().into(),
            dataset_schema,
            parameter_schema,
        })
    }

    /// Gives a prepared statement the values that it runs with from now on.
    pub(in crate::flight) async fn give_values(
        &self,
        statement: CommandPreparedStatementQuery,
        stream: PeekableFlightDataStream,
    ) -> Result<DoPutPreparedStatementResult> {
        let handle = statement.prepared_statement_handle;
        let id = number(&handle, WHAT)?;
        let values = parameters::given(stream).await?.unwrap_or_default();
        let given = self.prepared.with(id, |prepared| {
            prepared.values = values;
            prepared.fresh = None;
            ((), prepared.bytes())
        });
        given.ok_or_else(|| unknown(WHAT))?;
        Ok(DoPutPreparedStatementResult {
            prepared_statement_handle: Some(handle),
        })
    }

    /// Closes a prepared statement; one that isn't there is closed already.
    pub(in crate::flight) fn close(
        &self,
        statement: &ActionClosePreparedStatementRequest,
    ) -> Result<()> {
        self.prepared
            .take(number(&statement.prepared_statement_handle, WHAT)?);
        Ok(())
    }

    /// The request for a prepared statement, with these values or those that it was given; and its
    /// columns, if those that were told still hold.
    pub(super) fn bound(
        &self,
        handle: &[u8],
        headers: &MetadataMap,
        values: Option<Vec<Literal>>,
    ) -> Result<(Request, Option<SchemaRef>)> {
        let id = number(handle, WHAT)?;
        let found = self.prepared.with(id, |prepared| {
            let values = values.unwrap_or_else(|| prepared.values.clone());
            let found = (prepared.sql.clone(), values, prepared.fresh.take());
            (found, prepared.bytes())
        });
        let (sql, values, fresh) = found.ok_or_else(|| unknown(WHAT))?;
        let params = match values.is_empty() {
            true => Params::None,
            false => Params::List(values),
        };
        Ok((asked::request(headers, &sql, params)?, fresh))
    }
}

impl Prepared {
    fn bytes(&self) -> usize {
        self.sql.len() + parameters::bytes(&self.values)
    }
}
