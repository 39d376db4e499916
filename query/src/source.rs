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
mod projection;
mod reading;
mod record;
mod shape;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{Int32Type, Int64Type, TimestampMicrosecondType};
use datafusion::sql::sqlparser::ast::{Query as QueryTree, VisitMut};
use eddy_engine::{Lake, TablePath, TopicId};
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};

use self::pin::{Pin, pin, table_of};
pub use self::projection::Payload;
use self::projection::asked;
pub use self::reading::Sequence;
use self::reading::{Reading, project};
use self::shape::{check_plan, check_shape, check_tables};
use crate::error::{Error, ErrorKind, Result};
use crate::hooks::IntoRequest;
use crate::names::{DEAD, TableName};
use crate::query::{Inner, Query, Request};
use crate::run::{Pace, Seen, bind, execute, plan, resolve, rows};
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
    /// The bytes of their keys and values.
    pub bytes: u64,
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
    /// select list says what the value is made of.
    ///
    /// # Errors
    /// `NotSupported` where one source record per row isn't provable; otherwise as a query.
    pub async fn plan_source(
        &self,
        select: &str,
        payload: Option<Payload>,
        version: Option<u64>,
    ) -> Result<SourcePlan> {
        let inner = Arc::clone(&self.0);
        let select = select.to_owned();
        let work = async move { Box::pin(plan_source(&inner, &select, payload, version)).await };
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
        let query = self.clone();
        let select = select.to_owned();
        let start = async move {
            let reading = Reading {
                select: &select,
                payload,
                version,
                after: &after,
                sequence,
            };
            let (text, layout) = Box::pin(reading.statement(&query.0)).await?;
            let answer = execute(&query.0, Request::new(text), Pace::Unlimited).await?;
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

fn not_committed_yet(error: Error) -> Error {
    match error.kind() {
        ErrorKind::UnknownColumn => error.with_hint(
            "so far it is only in rows that are not committed yet, and a replay reads committed \
             rows; try again after the next commit",
        ),
        _ => error,
    }
}

async fn plan_source(
    inner: &Arc<Inner>,
    select: &str,
    payload: Option<Payload>,
    version: Option<u64>,
) -> Result<SourcePlan> {
    let frozen = freeze(inner, parse_select(select)?, payload).await?;
    let mut query = parse_select(&frozen)?;
    let (table, newest) = newest(inner, query.clone()).await?;
    let version = version.unwrap_or(newest);
    let projection = asked(&query, payload)?;
    if projection.is_some() {
        let reading = Reading {
            select: &frozen,
            payload,
            version,
            after: &BTreeMap::new(),
            sequence: Sequence::default(),
        };
        let checked = Box::pin(reading.check(inner)).await;
        checked.map_err(not_committed_yet)?;
    }
    let pinned = format!("{table}@{version}");
    pin(&mut query, &table, version);
    project(
        &mut query,
        "_topic_id, _partition, count(*), min(_timestamp), max(_timestamp), \
         sum(coalesce(byte_length(_key), 0) + coalesce(byte_length(_value), 0)), min(_topic)",
        Some("_topic_id, _partition"),
        Vec::new(),
    )?;
    // The same text was planned with live rows a moment ago, so a column that is unknown now is
    // only in those.
    let planned = async {
        let bound = bind(inner, &mut query, &Seen::default()).await?;
        let plan = plan(&bound.state, query).await?;
        Ok::<_, Error>((bound, plan))
    };
    let (bound, plan) = planned.await.map_err(not_committed_yet)?;
    let batches: Vec<RecordBatch> = rows(&bound.state, &plan).await?.try_collect().await?;
    let mut found = SourcePlan {
        select: frozen,
        table: table.strip_suffix(DEAD).unwrap_or(&table).to_owned(),
        version,
        records: 0,
        bytes: 0,
        files: bound
            .views
            .iter()
            .zip(&bound.counts)
            .filter(|((name, _), _)| *name == pinned)
            .map(|(_, count)| count.files.load(Ordering::Relaxed))
            .sum(),
        first_timestamp_us: None,
        last_timestamp_us: None,
        partitions: Vec::new(),
        payload: match &projection {
            Some(projection) if projection.has_members() => Payload::Columns,
            _ => Payload::Original,
        },
        sets: projection.map_or_else(Vec::new, |projection| projection.sets()),
    };
    for batch in &batches {
        add(&mut found, batch)?;
    }
    found.partitions.sort_by(|one, other| {
        (&one.topic_id, one.partition).cmp(&(&other.topic_id, other.partition))
    });
    Ok(found)
}

/// The table that a query reads, and its newest version.
async fn newest(inner: &Arc<Inner>, mut query: QueryTree) -> Result<(String, u64)> {
    let bound = bind(inner, &mut query, &Seen::default()).await?;
    let table = table_of(&query)?;
    let view = bound.views.iter().find(|(name, _)| *name == table);
    let (_, view) = view.ok_or_else(|| Error::internal("the source's table has no view"))?;
    Ok((table, view.version))
}

fn add(plan: &mut SourcePlan, batch: &RecordBatch) -> Result<()> {
    let [ids, partitions, counts, firsts, lasts, bytes, topics] = batch.columns() else {
        return Err(Error::internal("a replay's plan has other columns"));
    };
    let number = |value: i64| u64::try_from(value).unwrap_or(0);
    let ids = ids.as_string::<i32>();
    let topics = topics.as_string::<i32>();
    let partitions = partitions.as_primitive::<Int32Type>();
    let counts = counts.as_primitive::<Int64Type>();
    let firsts = firsts.as_primitive::<TimestampMicrosecondType>();
    let lasts = lasts.as_primitive::<TimestampMicrosecondType>();
    let bytes = bytes.as_primitive::<Int64Type>();
    for (row, (id, topic)) in ids.iter().zip(topics).enumerate() {
        let records = number(counts.value(row));
        plan.records += records;
        plan.bytes += number(bytes.value(row));
        plan.partitions.push(PartitionRecords {
            topic: topic.unwrap_or_default().to_owned(),
            topic_id: TopicId::new(id.unwrap_or_default()),
            partition: partitions.value(row),
            records,
        });
    }
    let first = firsts.iter().flatten().min();
    let last = lasts.iter().flatten().max();
    plan.first_timestamp_us = [plan.first_timestamp_us, first].into_iter().flatten().min();
    plan.last_timestamp_us = [plan.last_timestamp_us, last].into_iter().flatten().max();
    Ok(())
}

#[cfg(test)]
mod tests;
