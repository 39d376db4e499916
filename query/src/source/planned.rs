//! What a replay would send, counted: from where its rows are, or by a query of its own.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{Int32Type, Int64Type, TimestampMicrosecondType};
use datafusion::sql::sqlparser::ast::Query as QueryTree;
use eddy_engine::TopicId;
use futures::TryStreamExt;

use super::pin::{pin, table_of};
use super::projection::{Payload, asked};
use super::reading::{Reading, Sequence, project};
use super::sliced::SLICE_BYTES;
use super::survey::Found;
use super::{PartitionRecords, SourcePlan, freeze};
use crate::error::{Error, ErrorKind, Result};
use crate::names::DEAD;
use crate::query::Inner;
use crate::run::{Seen, bind, plan, rows};
use crate::statement::parse_select;

/// The plan of a replay, as [`Query::plan_source`](crate::Query::plan_source) answers it.
pub(super) async fn plan_source(
    inner: &Arc<Inner>,
    select: &str,
    payload: Option<Payload>,
    version: Option<u64>,
    measured: bool,
) -> Result<SourcePlan> {
    let frozen = freeze(inner, parse_select(select)?, payload).await?;
    let query = parse_select(&frozen)?;
    let (table, newest) = newest(inner, query.clone()).await?;
    let version = version.unwrap_or(newest);
    let projection = asked(&query, payload)?;
    let reading = Reading {
        select: &frozen,
        payload,
        version,
        after: &BTreeMap::new(),
        sequence: Sequence::default(),
        slice_bytes: SLICE_BYTES,
    };
    if projection.is_some() {
        let checked = Box::pin(reading.check(inner)).await;
        checked.map_err(not_committed_yet)?;
    }
    let places = match measured {
        true => None,
        false => places(inner, &reading).await.map_err(not_committed_yet)?,
    };
    let mut planned = SourcePlan {
        table: table.strip_suffix(DEAD).unwrap_or(&table).to_owned(),
        version,
        records: 0,
        bytes: None,
        files: 0,
        first_timestamp_us: None,
        last_timestamp_us: None,
        partitions: Vec::new(),
        payload: match &projection {
            Some(projection) if projection.has_members() => Payload::Columns,
            _ => Payload::Original,
        },
        sets: projection.map_or_else(Vec::new, |projection| projection.sets()),
        select: frozen,
    };
    match places {
        Some(found) => planned.found(&found),
        None => planned.count(inner, query, &table).await?,
    }
    planned.partitions.sort_by(|one, other| {
        (&one.topic_id, one.partition).cmp(&(&other.topic_id, other.partition))
    });
    Ok(planned)
}

/// Where the rows are, if that can be told.
async fn places(inner: &Arc<Inner>, reading: &Reading<'_>) -> Result<Option<Arc<Found>>> {
    let texts = Box::pin(reading.texts(inner)).await?;
    let Some(sliced) = texts.sliced else {
        return Ok(None);
    };
    let table = sliced.open(inner).await?;
    Box::pin(sliced.found(inner, &table, None)).await
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

/// The table that a query reads, and its newest version.
async fn newest(inner: &Arc<Inner>, mut query: QueryTree) -> Result<(String, u64)> {
    let bound = bind(inner, &mut query, &Seen::default()).await?;
    let table = table_of(&query)?;
    let view = bound.views.iter().find(|(name, _)| *name == table);
    let (_, view) = view.ok_or_else(|| Error::internal("the source's table has no view"))?;
    Ok((table, view.version))
}

impl SourcePlan {
    /// Takes over where the rows are.
    fn found(&mut self, found: &Found) {
        self.files = found.looked;
        self.first_timestamp_us = found.first_us;
        self.last_timestamp_us = found.last_us;
        let mut records: BTreeMap<(&TopicId, i32), u64> = BTreeMap::new();
        for span in found.files.iter().flat_map(|file| &file.spans) {
            *records.entry((&span.topic_id, span.partition)).or_default() += span.rows;
        }
        self.records = records.values().sum();
        let partitions = records.into_iter();
        let partitions = partitions.map(|((topic_id, partition), records)| PartitionRecords {
            topic: found.topics.get(topic_id).cloned().unwrap_or_default(),
            topic_id: topic_id.clone(),
            partition,
            records,
        });
        self.partitions = partitions.collect();
    }

    /// Counts the rows, and measures their keys and values.
    async fn count(&mut self, inner: &Arc<Inner>, mut query: QueryTree, table: &str) -> Result<()> {
        let pinned = format!("{table}@{}", self.version);
        pin(&mut query, table, self.version);
        project(
            &mut query,
            "_topic_id, _partition, count(*), min(_timestamp), max(_timestamp), \
             sum(coalesce(byte_length(_key), 0) + coalesce(byte_length(_value), 0)), min(_topic)",
            Some("_topic_id, _partition"),
            Vec::new(),
        )?;
        // The same text was planned with live rows a moment ago, so a column that is unknown now
        // is only in those.
        let counting = async {
            let bound = bind(inner, &mut query, &Seen::default()).await?;
            let plan = plan(&bound.state, query).await?;
            Ok::<_, Error>((bound, plan))
        };
        let (bound, plan) = counting.await.map_err(not_committed_yet)?;
        let batches: Vec<RecordBatch> = rows(&bound.state, &plan).await?.try_collect().await?;
        let counts = bound.views.iter().zip(&bound.counts);
        let counts = counts.filter(|((name, _), _)| *name == pinned);
        self.files = counts
            .map(|(_, count)| count.files.load(Ordering::Relaxed))
            .sum();
        for batch in &batches {
            self.add(batch)?;
        }
        Ok(())
    }

    fn add(&mut self, batch: &RecordBatch) -> Result<()> {
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
            self.records += records;
            self.bytes = Some(self.bytes.unwrap_or(0) + number(bytes.value(row)));
            self.partitions.push(PartitionRecords {
                topic: topic.unwrap_or_default().to_owned(),
                topic_id: TopicId::new(id.unwrap_or_default()),
                partition: partitions.value(row),
                records,
            });
        }
        let first = firsts.iter().flatten().min();
        let last = lasts.iter().flatten().max();
        self.first_timestamp_us = [self.first_timestamp_us, first].into_iter().flatten().min();
        self.last_timestamp_us = [self.last_timestamp_us, last].into_iter().flatten().max();
        Ok(())
    }
}
