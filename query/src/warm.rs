//! What a process does before anyone asks, so that the first one who does needn't wait for it.
//!
//! Most of a fresh process's first answer is spent on reading its own code from disk, page by page
//! as it is first run. A few statements over a file in memory run the same code: reading Parquet,
//! filters, groupings, sorts.

use std::sync::Arc;

use arrow::array::{Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use datafusion::dataframe::DataFrameWriteOptions;
use datafusion::datasource::file_format::parquet::ParquetFormat;
use datafusion::datasource::listing::{
    ListingOptions, ListingTable, ListingTableConfig, ListingTableUrl,
};
use datafusion::execution::context::SessionContext;
use object_store::memory::InMemory;

use crate::error::Result;
use crate::query::Query;
use crate::session::Sessions;

/// The file, in memory.
const FILE: &str = "warm://memory/warm.parquet";

/// Rows of the file: enough for several batches of a sort, and little to write.
const ROWS: i64 = 1_000;

/// What is asked most: a few of the newest rows, counts by something, one word.
const STATEMENTS: [&str; 3] = [
    "SELECT * FROM warm WHERE number > 7 AND text = 'text 3' ORDER BY moment DESC LIMIT 10",
    "SELECT text, count(*) AS n, count(DISTINCT number) AS numbers, min(moment) AS first \
     FROM warm WHERE number >= 0 AND text <> '' GROUP BY text ORDER BY n DESC, text LIMIT 3",
    "SELECT count(*) AS n, max(moment) AS last FROM warm WHERE text LIKE '%3%' OR number IN (1, 2)",
];

impl Query {
    /// Begins to do what the first query would have to; returns at once. It runs on the queries'
    /// threads, is no query in any list, and takes part of a second of processor time.
    pub fn warm_up(&self) {
        let inner = Arc::clone(&self.0);
        self.0.pool.spawn(async move {
            if let Err(error) = warm_up(&inner.sessions).await {
                tracing::warn!(%error, "the first queries will take longer");
            }
        });
    }
}

/// Runs [`STATEMENTS`]; the rows of each answer.
async fn warm_up(sessions: &Sessions) -> Result<Vec<usize>> {
    let url = ListingTableUrl::parse(FILE)?;
    let config = ListingTableConfig::new(url.clone())
        .with_listing_options(ListingOptions::new(Arc::new(ParquetFormat::default())))
        .with_schema(rows()?.schema());
    let table = Arc::new(ListingTable::try_new(config)?);
    let (session, _memory) =
        sessions.session(vec![("warm".to_owned(), table as _)], Vec::new(), None)?;
    let runtime = Arc::clone(session.runtime_env());
    let store = url.object_store();
    runtime.register_object_store(store.as_ref(), Arc::new(InMemory::new()));
    let answers = answers(&SessionContext::new_with_state(session)).await;
    runtime.deregister_object_store(store.as_ref())?;
    answers
}

async fn answers(context: &SessionContext) -> Result<Vec<usize>> {
    let once = DataFrameWriteOptions::new().with_single_file_output(true);
    let rows = context.read_batch(rows()?)?;
    rows.write_parquet(FILE, once, None).await?;
    let mut answers = Vec::new();
    for statement in STATEMENTS {
        let batches = context.sql(statement).await?.collect().await?;
        answers.push(batches.iter().map(RecordBatch::num_rows).sum());
    }
    Ok(answers)
}

fn rows() -> Result<RecordBatch> {
    let text: StringArray = (0..ROWS)
        .map(|row| Some(format!("text {}", row % 10)))
        .collect();
    let number = Int64Array::from_iter_values(0..ROWS);
    let moment = TimestampMicrosecondArray::from_iter_values(0..ROWS).with_timezone_utc();
    let batch = RecordBatch::try_from_iter([
        ("text", Arc::new(text) as _),
        ("number", Arc::new(number) as _),
        ("moment", Arc::new(moment) as _),
    ]);
    Ok(batch?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::query::QueryOptions;

    #[tokio::test]
    async fn the_statements_run_and_leave_nothing() {
        let sessions = Sessions::new(&QueryOptions::default()).unwrap();
        assert_eq!(warm_up(&sessions).await.unwrap(), [10, 3, 1]);
        assert_eq!(warm_up(&sessions).await.unwrap(), [10, 3, 1]);
    }
}
