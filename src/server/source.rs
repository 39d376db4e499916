//! Where a replay's rows come from: query, bound to the version that the replay pinned.

use async_trait::async_trait;
use eddy_query::Query;
use eddy_replay::{
    After, Answered, Error, PartitionCount, Payload, Pinned, PinnedTable, RowSource, Sequence,
    SourcePlan, Statement,
};
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};

use arrow::array::RecordBatch;

/// Query as a replay sees it.
pub(crate) struct Rows(Query);

impl Rows {
    /// The rows that `query` answers.
    pub(crate) fn new(query: Query) -> Self {
        Self(query)
    }
}

#[async_trait]
impl RowSource for Rows {
    async fn plan(
        &self,
        select: &str,
        payload: Option<Payload>,
        version: Option<u64>,
        measured: bool,
    ) -> Result<SourcePlan, Error> {
        let plan = self
            .0
            .plan_source(select, payload.map(asked), version, measured);
        let plan = plan.await.map_err(refused)?;
        Ok(SourcePlan {
            payload: match plan.payload {
                eddy_query::Payload::Original => Payload::Original,
                eddy_query::Payload::Columns => Payload::Columns,
            },
            sets: plan.sets.into_iter().map(str::to_owned).collect(),
            select: plan.select,
            table: plan.table,
            version: plan.version,
            records: plan.records,
            bytes: plan.bytes,
            files: plan.files,
            first_timestamp_us: plan.first_timestamp_us,
            last_timestamp_us: plan.last_timestamp_us,
            partitions: plan
                .partitions
                .into_iter()
                .map(|part| PartitionCount {
                    topic: part.topic,
                    topic_id: part.topic_id.to_string(),
                    partition: part.partition,
                    records: part.records,
                })
                .collect(),
        })
    }

    fn rows(
        &self,
        pinned: &Pinned,
        after: After,
        sequence: Sequence,
    ) -> BoxStream<'static, Result<RecordBatch, Error>> {
        let sequence = match sequence {
            Sequence::Partitions => eddy_query::Sequence::Partitions,
            Sequence::Turns => eddy_query::Sequence::Turns,
            Sequence::Time => eddy_query::Sequence::Time,
        };
        let payload = pinned.payload.map(asked);
        self.0
            .source_rows(&pinned.select, payload, pinned.version, after, sequence)
            .map_err(refused)
            .boxed()
    }

    async fn newest(&self, pinned: &Pinned) -> Result<u64, Error> {
        let newest = self.0.source_version(&pinned.select);
        newest.await.map_err(refused)
    }

    async fn ask(&self, sql: &str) -> Result<Answered, Error> {
        let answer = self.0.ask(sql).await.map_err(refused)?;
        Ok(Answered {
            holds: answer == "true",
            saw: answer,
        })
    }

    async fn tables(&self, pinned: &Pinned) -> Result<Vec<PinnedTable>, Error> {
        let tables = self.0.source_tables(&pinned.select, pinned.version);
        let tables = tables.await.map_err(refused)?.into_iter();
        let tables = tables.map(|(lake, path, version)| PinnedTable {
            lake: Some(lake),
            topics_dir: path.topics_dir().to_owned(),
            topic: path.topic().to_owned(),
            version,
        });
        Ok(tables.collect())
    }

    async fn statement(&self, sql: &str) -> Result<Statement, Error> {
        let request = self.0.take_into_apart(sql).map_err(refused)?;
        Ok(Statement {
            select: request.select,
            destination: request.destination,
            options: request.options,
        })
    }
}

/// What a value is to be made of, in query's words.
fn asked(payload: Payload) -> eddy_query::Payload {
    match payload {
        Payload::Original => eddy_query::Payload::Original,
        Payload::Columns => eddy_query::Payload::Columns,
    }
}

/// A query's error as the replay's reason.
fn refused(error: eddy_query::Error) -> Error {
    use eddy_query::ErrorKind;
    let told = match error.kind() {
        ErrorKind::UnknownTable | ErrorKind::NotFound => Error::not_found(error.to_string()),
        ErrorKind::Unavailable
        | ErrorKind::Busy
        | ErrorKind::Timeout
        | ErrorKind::OutOfMemory
        | ErrorKind::Cancelled => Error::unavailable(error.to_string()),
        ErrorKind::Internal | ErrorKind::Data => Error::internal(error.to_string()),
        _ => Error::invalid(error.to_string()),
    };
    match error.hint() {
        Some(hint) => told.with_hint(hint),
        None => told,
    }
}
