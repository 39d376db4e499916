//! Statements that clients send as updates, for the number of rows: they run to their end.

use arrow::array::{AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};
use arrow_flight::sql::server::PeekableFlightDataStream;
use arrow_flight::sql::{CommandPreparedStatementUpdate, CommandStatementUpdate};
use futures::StreamExt;
use tonic::Request as Call;
use tonic::metadata::MetadataMap;

use super::statement::refuse_transaction;
use super::{Sql, asked, parameters};
use crate::error::Result;
use crate::query::Request;
use crate::statement::{self, Params, Statement};

impl Sql {
    /// Runs a statement; answers how many rows it erased or sends.
    pub(in crate::flight) async fn update(
        &self,
        statement: &CommandStatementUpdate,
        headers: &MetadataMap,
    ) -> Result<i64> {
        refuse_transaction(statement.transaction_id.as_ref())?;
        let request = asked::request(headers, &statement.query, Params::None)?;
        self.run(request).await
    }

    /// Runs a prepared statement with the values that come with it, or those that it was given.
    pub(in crate::flight) async fn update_prepared(
        &self,
        statement: &CommandPreparedStatementUpdate,
        call: Call<PeekableFlightDataStream>,
    ) -> Result<i64> {
        let (headers, _, stream) = call.into_parts();
        let values = parameters::given(stream).await?;
        let handle = &statement.prepared_statement_handle;
        let (request, _) = self.bound(handle, &headers, values)?;
        self.run(request).await
    }

    /// What a query answers is counted and thrown away.
    async fn run(&self, request: Request) -> Result<i64> {
        let counts = Counts::of(&statement::parse(&request.sql, &request.params)?);
        let mut answer = self.query.execute(request).await?;
        let mut count: i64 = 0;
        while let Some(batch) = answer.batches.next().await {
            count = count.saturating_add(counts.rows(&batch?));
        }
        Ok(count)
    }
}

/// What an answer says of the rows that a statement touched.
enum Counts {
    /// The sum of this column.
    Column(&'static str),
    /// Nothing.
    None,
    /// Its own rows.
    Rows,
}

impl Counts {
    fn of(statement: &Statement) -> Self {
        match statement {
            Statement::Delete(_) => Self::Column("rows"),
            Statement::Into(_) => Self::Column("records"),
            Statement::CreateDestination(_) | Statement::DropDestination { .. } => Self::None,
            Statement::Select(_) | Statement::Explain { .. } | Statement::ExplainDelete(_) => {
                Self::Rows
            }
        }
    }

    fn rows(&self, batch: &RecordBatch) -> i64 {
        match self {
            Self::Column(name) => counted(batch, name),
            Self::None => 0,
            Self::Rows => i64::try_from(batch.num_rows()).unwrap_or(i64::MAX),
        }
    }
}

/// The sum of a column of whole numbers.
fn counted(batch: &RecordBatch, name: &str) -> i64 {
    let column = batch.column_by_name(name);
    let numbers = column.and_then(|column| cast(column, &DataType::Int64).ok());
    let numbers = numbers
        .iter()
        .flat_map(|numbers| numbers.as_primitive::<Int64Type>());
    numbers.flatten().fold(0, i64::saturating_add)
}
