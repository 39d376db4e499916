//! What a replay reads: the original records of one table that a predicate picks, in an order
//! that a resume can continue.
//!
//! One source record per row must be provable: `SELECT ... FROM one_table WHERE ...`, where the
//! predicate may hold semi-joins. The text is frozen when the statement arrives (P23): `now()` is
//! a literal, and other tables in it are pinned to a version (`"customers@12"`). What the select
//! list makes of a record is said in `projection`.
//!
//! `system.dead_letters WHERE _topic = 'orders'` is such a table too: that topic's rows with
//! `_error` (`dead`).

mod dead;
mod pin;
mod planned;
mod projection;
mod reading;
mod record;
mod shape;
mod sliced;
mod slices;
mod survey;

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::sql::sqlparser::ast::{Query as QueryTree, VisitMut};
use eddy_engine::{Lake, TablePath, TopicId};
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};

use self::pin::{Pin, table_of};
use self::planned::plan_source;
pub use self::projection::Payload;
use self::projection::asked;
use self::reading::Reading;
pub use self::reading::Sequence;
use self::shape::{check_plan, check_shape, check_tables};
use self::sliced::SLICE_BYTES;
pub(crate) use self::sliced::Sliced;
pub(crate) use self::survey::Surveys;
use crate::error::{Error, Result};
use crate::hooks::IntoRequest;
use crate::names::{DEAD, TableName};
use crate::query::{Inner, Query, Request};
use crate::run::{Pace, Seen, bind, execute, plan, resolve};
use crate::statement::{Params, Statement, freeze_time, parse, parse_select, render};

/// What a replay would send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourcePlan {
    /// The query, frozen: what the job must store and give to [`Query::source_rows`].
    pub select: String,
    /// The table.
    pub table: String,
    /// The pinned version.
    pub version: u64,
    /// The records.
    pub records: u64,
    /// The bytes of their keys and values, where they were measured.
    pub bytes: Option<u64>,
    /// The files that are read.
    pub files: u64,
    /// The earliest time of a record, in microseconds since the epoch.
    pub first_timestamp_us: Option<i64>,
    /// The latest time of a record, in microseconds since the epoch.
    pub last_timestamp_us: Option<i64>,
    /// The records of each partition.
    pub partitions: Vec<PartitionRecords>,
    /// What the value that goes out is made of.
    pub payload: Payload,
    /// The parts of the record that the select list sets, as `_key`.
    pub sets: Vec<&'static str>,
}

/// How many records of one partition a replay would send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionRecords {
    /// The topic.
    pub topic: String,
    /// The topic's id.
    pub topic_id: TopicId,
    /// The partition.
    pub partition: i32,
    /// The records.
    pub records: u64,
}

/// The columns of [`Query::source_rows`], in order.
const COLUMNS: &str = "_topic, _topic_id, _partition, _offset, _timestamp, _timestamp_type, \
                       _key, _value, _headers";

impl Query {
    /// Plans a replay of `select` on a version, the newest unless given. Without `payload` the
    /// select list says what the value is made of. Bytes are only measured when asked for: for that
    /// all keys and values are read.
    ///
    /// # Errors
    /// `NotSupported` where one source record per row isn't provable; otherwise as a query.
    pub async fn plan_source(
        &self,
        select: &str,
        payload: Option<Payload>,
        version: Option<u64>,
        measured: bool,
    ) -> Result<SourcePlan> {
        let inner = Arc::clone(&self.0);
        let select = select.to_owned();
        let work = async move {
            let planned = plan_source(&inner, &select, payload, version, measured);
            Box::pin(planned).await
        };
        let work = Box::pin(work);
        self.on_pool(work).await
    }

    /// The records that `select` picks from `version`, in the order of `sequence`, those at or
    /// below `after` left out. Committed rows alone; those with `_error` where dead letters are
    /// asked for, and only there.
    ///
    /// The columns are `_topic`, `_topic_id`, `_partition`, `_offset`, `_timestamp`,
    /// `_timestamp_type`, `_key`, `_value` and `_headers` as they are stored, and for each part of
    /// what goes out that the select list sets one more: `_set_key` (bytes), `_set_value` (bytes),
    /// `_set_headers`, `_set_partition` (32 bits) and `_set_timestamp` (microseconds).
    pub fn source_rows(
        &self,
        select: &str,
        payload: Option<Payload>,
        version: u64,
        after: BTreeMap<(TopicId, i32), i64>,
        sequence: Sequence,
    ) -> BoxStream<'static, Result<RecordBatch>> {
        self.rows_in_slices(select, payload, version, after, sequence, SLICE_BYTES)
    }

    /// The same with slices of about so many bytes of files.
    fn rows_in_slices(
        &self,
        select: &str,
        payload: Option<Payload>,
        version: u64,
        after: BTreeMap<(TopicId, i32), i64>,
        sequence: Sequence,
        slice_bytes: u64,
    ) -> BoxStream<'static, Result<RecordBatch>> {
        let query = self.clone();
        let select = select.to_owned();
        let start = async move {
            let reading = Reading {
                select: &select,
                payload,
                version,
                after: &after,
                sequence,
                slice_bytes,
            };
            let texts = Box::pin(reading.texts(&query.0)).await?;
            let layout = texts.layout;
            let pace = Pace::Unlimited(texts.sliced.map(Arc::new));
            let answer = execute(&query.0, Request::new(texts.whole), pace).await?;
            let records = move |batch: RecordBatch| match &layout {
                Some(layout) => layout.records(&batch),
                None => Ok(batch),
            };
            let batches = answer.batches.map(move |batch| batch.and_then(&records));
            Ok::<_, Error>(batches)
        };
        futures::stream::once(start).try_flatten().boxed()
    }

    /// Every table that [`Query::source_rows`] of the same reads, each with its lake and version.
    ///
    /// # Errors
    /// `UnknownTable` when one is gone; otherwise as a query.
    pub async fn source_tables(
        &self,
        select: &str,
        version: u64,
    ) -> Result<Vec<(Lake, TablePath, u64)>> {
        let inner = &self.0;
        let mut query = parse_select(select)?;
        let tables = resolve(inner, &mut query).await?;
        let mut read = Vec::with_capacity(tables.len());
        for table in tables {
            if let TableName::Topic {
                name,
                version: others,
                ..
            } = table
            {
                let tables = inner.catalog.tables();
                let (lake, path) = (tables.home(&name)?.lake, tables.path(&name)?);
                read.push((lake, path, others.unwrap_or(version)));
            }
        }
        Ok(read)
    }

    /// The newest version of the table that `select`, a frozen query, reads.
    ///
    /// # Errors
    /// `UnknownTable` when it is gone; otherwise as a query.
    pub async fn source_version(&self, select: &str) -> Result<u64> {
        let mut query = parse_select(select)?;
        resolve(&self.0, &mut query).await?;
        let table = table_of(&query)?;
        let name = table.strip_suffix(DEAD).unwrap_or(&table);
        Ok(self.0.catalog.view(name, None).await?.version)
    }

    /// Takes `SELECT ... INTO destination ... WITH (...)` apart without running it. The query in
    /// it isn't frozen yet; [`Query::plan_source`] does that.
    ///
    /// # Errors
    /// `Invalid` when the text is another statement; otherwise as a query.
    pub fn take_into_apart(&self, sql: &str) -> Result<IntoRequest> {
        match parse(sql, &Params::None)? {
            Statement::Into(into) => {
                check_shape(&into.query)?;
                asked(&into.query, Payload::asked(&into.options)?)?;
                Ok(IntoRequest {
                    select: render(&into.query)?,
                    destination: into.destination,
                    options: into.options,
                    text: sql.to_owned(),
                })
            }
            _ => Err(Error::invalid("the statement isn't a `SELECT ... INTO`")),
        }
    }

    async fn on_pool<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        let (tx, rx) = tokio::sync::oneshot::channel();
        self.0.pool.spawn(async move {
            let _ = tx.send(work.await);
        });
        rx.await
            .map_err(|_| Error::internal("the query's thread ended early"))?
    }
}

/// The text of `SELECT ... INTO` as it is stored: checked, frozen, with other tables pinned.
pub(crate) async fn freeze(
    inner: &Arc<Inner>,
    mut query: QueryTree,
    payload: Option<Payload>,
) -> Result<String> {
    check_shape(&query)?;
    asked(&query, payload)?;
    dead::name_topic(&mut query)?;
    freeze_time(&mut query, inner.clock.now_us())?;
    let tables = resolve(inner, &mut query).await?;
    let source = table_of(&query)?;
    check_tables(&query, &tables)?;
    let mut bound_tree = query.clone();
    let bound = bind(inner, &mut bound_tree, &Seen::default()).await?;
    let source = source.strip_suffix(DEAD).unwrap_or(&source);
    let versions: BTreeMap<String, u64> = bound
        .views
        .iter()
        .filter(|(name, view)| {
            let table = name.strip_suffix(DEAD).unwrap_or(name);
            table == view.name && table != source
        })
        .map(|(name, view)| (name.clone(), view.version))
        .collect();
    // Planning finds what names alone can't: unknown columns and functions, wrong types.
    check_plan(&plan(&bound.state, bound_tree.clone()).await?)?;
    let _ = VisitMut::visit(&mut query, &mut Pin(versions));
    render(&query)
}

#[cfg(test)]
mod tests;
