//! Where the wanted rows of a table are: by file and partition, how many, and from which offset to
//! which. Reads no more columns than the conditions and the records' places.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{AsArray, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{Int32Type, Int64Type, TimestampMicrosecondType};
use datafusion::physical_plan::{SendableRecordBatchStream, execute_stream_partitioned};
use eddy_engine::TopicId;
use futures::TryStreamExt;
use tokio::task::JoinSet;

use super::slices::{Covered, Span};
use crate::error::{Error, Result};
use crate::query::Inner;
use crate::run::{Given, Halt, Order, planned};
use crate::table::{NUMBER, TopicTable};

/// Parts of partitions in files up to which they are told apart: some 20 MB.
const SPANS_MAX: usize = 200_000;

/// Surveys that are kept: a replay asks the same thing when it is planned and when it begins.
const KEPT_MAX: usize = 4;

/// The columns that a survey selects.
pub(super) fn columns() -> String {
    format!("\"{NUMBER}\", _topic, _topic_id, _partition, _offset, _timestamp")
}

/// What a survey found.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// The files with wanted rows.
    pub(super) files: Vec<Covered>,
    /// The files that were looked into.
    pub(super) looked: u64,
    /// The earliest time of a wanted row, in microseconds since the epoch.
    pub(super) first_us: Option<i64>,
    /// The latest.
    pub(super) last_us: Option<i64>,
    /// The topics' names, by their ids.
    pub(super) topics: BTreeMap<TopicId, String>,
}

/// The newest surveys.
#[derive(Debug, Default)]
pub(crate) struct Surveys(Mutex<VecDeque<(Key, Arc<Found>)>>);

/// What a survey is of.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Key {
    /// The statement, which names the version.
    text: String,
    /// When that was committed, and how many files it has: a topic that is made anew gives its
    /// table's versions again.
    committed_at_ms: i64,
    files: usize,
}

impl Surveys {
    fn get(&self, key: &Key) -> Option<Arc<Found>> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = kept.iter().find(|(of, _)| of == key);
        found.map(|(_, found)| Arc::clone(found))
    }

    fn keep(&self, key: Key, found: &Arc<Found>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.truncate(KEPT_MAX - 1);
        kept.push_front((key, Arc::clone(found)));
    }
}

/// Where the rows are that `text` picks from `table`, which it calls `name`; nothing when they are
/// in too many places to tell.
pub(super) async fn survey(
    inner: &Arc<Inner>,
    text: &str,
    (name, table): (&str, &TopicTable),
    halt: Option<&Arc<Halt>>,
) -> Result<Option<Arc<Found>>> {
    let key = Key {
        text: text.to_owned(),
        committed_at_ms: table.view().committed_at_ms,
        files: table.view().files.len(),
    };
    if let Some(found) = inner.surveys.get(&key) {
        return Ok(Some(found));
    }
    let given = Given {
        name: name.to_owned(),
        table: table.addressed(),
        order: Order::InFiles,
    };
    let (bound, plan) = planned(inner, text, given, halt).await?;
    let mut tasks = JoinSet::new();
    for rows in execute_stream_partitioned(plan, bound.state.task_ctx())? {
        tasks.spawn(folded(rows));
    }
    let mut all = Fold::default();
    while let Some(fold) = tasks.join_next().await {
        let fold =
            fold.map_err(|error| Error::internal(format!("a survey's thread ended: {error}")))?;
        all.merge(fold?);
        if all.spans.len() > SPANS_MAX {
            return Ok(None);
        }
    }
    let looked = table.count().files.load(Ordering::Relaxed);
    let found = Arc::new(all.found(table, looked)?);
    inner.surveys.keep(key, &found);
    Ok(Some(found))
}

async fn folded(mut rows: SendableRecordBatchStream) -> Result<Fold> {
    let mut fold = Fold::default();
    while let Some(batch) = rows.try_next().await? {
        fold.add(&batch)?;
        if fold.spans.len() > SPANS_MAX {
            break;
        }
    }
    Ok(fold)
}

/// What a part of a survey has seen.
#[derive(Debug, Default)]
struct Fold {
    /// By file, topic (its place in `topics`) and partition.
    spans: HashMap<(i32, usize, i32), Extent>,
    /// Ids and names.
    topics: Vec<(String, String)>,
    first_us: Option<i64>,
    last_us: Option<i64>,
}

#[derive(Debug, Clone, Copy)]
struct Extent {
    first: i64,
    last: i64,
    rows: u64,
    in_order: bool,
}

impl Extent {
    fn add(&mut self, offset: i64) {
        self.in_order &= offset > self.last;
        self.first = self.first.min(offset);
        self.last = self.last.max(offset);
        self.rows += 1;
    }
}

impl Fold {
    fn add(&mut self, batch: &RecordBatch) -> Result<()> {
        let [numbers, names, ids, partitions, offsets, times] = batch.columns() else {
            return Err(Error::internal("a survey has other columns"));
        };
        let columns = (
            numbers.as_primitive_opt::<Int32Type>(),
            names.as_string_opt::<i32>(),
            ids.as_string_opt::<i32>(),
            partitions.as_primitive_opt::<Int32Type>(),
            offsets.as_primitive_opt::<Int64Type>(),
            times.as_primitive_opt::<TimestampMicrosecondType>(),
        );
        let (Some(numbers), Some(names), Some(ids), Some(partitions), Some(offsets), Some(times)) =
            columns
        else {
            return Err(Error::internal("a survey's columns have other types"));
        };
        self.first_us = least(self.first_us, times.iter().flatten().min());
        self.last_us = self.last_us.max(times.iter().flatten().max());
        self.add_places((names, ids), offsets, |row| {
            (numbers.value(row), partitions.value(row))
        });
        Ok(())
    }

    /// Adds rows; `place` tells the file and the partition of one.
    fn add_places(
        &mut self,
        (names, ids): (&StringArray, &StringArray),
        offsets: &Int64Array,
        place: impl Fn(usize) -> (i32, i32),
    ) {
        let mut topic = 0;
        for row in 0..offsets.len() {
            let id = ids.value(row);
            if self.topics.get(topic).is_none_or(|(known, _)| known != id) {
                topic = self.topic(id, names.value(row));
            }
            let (number, partition) = place(row);
            let offset = offsets.value(row);
            let span = self.spans.entry((number, topic, partition));
            span.and_modify(|extent| extent.add(offset))
                .or_insert(Extent {
                    first: offset,
                    last: offset,
                    rows: 1,
                    in_order: true,
                });
        }
    }

    fn topic(&mut self, id: &str, name: &str) -> usize {
        let known = self.topics.iter().position(|(known, _)| known == id);
        known.unwrap_or_else(|| {
            self.topics.push((id.to_owned(), name.to_owned()));
            self.topics.len() - 1
        })
    }

    fn merge(&mut self, other: Self) {
        self.first_us = least(self.first_us, other.first_us);
        self.last_us = self.last_us.max(other.last_us);
        let topics = other.topics.iter();
        let topics: Vec<usize> = topics.map(|(id, name)| self.topic(id, name)).collect();
        for ((number, topic, partition), extent) in other.spans {
            let topic = topics.get(topic).copied().unwrap_or_default();
            let span = self.spans.entry((number, topic, partition));
            // A file is read by one of them; were it not so, nobody knew its order.
            span.and_modify(|known| {
                known.first = known.first.min(extent.first);
                known.last = known.last.max(extent.last);
                known.rows += extent.rows;
                known.in_order = false;
            })
            .or_insert(extent);
        }
    }

    fn found(self, table: &TopicTable, looked: u64) -> Result<Found> {
        let names = self.topics.into_iter();
        let names: Vec<(TopicId, String)> =
            names.map(|(id, name)| (TopicId::new(&id), name)).collect();
        let mut files: HashMap<i32, Vec<Span>> = HashMap::new();
        for ((number, topic, partition), extent) in self.spans {
            let unknown = || Error::internal("a survey has a topic without id");
            files.entry(number).or_default().push(Span {
                topic_id: names.get(topic).ok_or_else(unknown)?.0.clone(),
                partition,
                first: extent.first,
                last: extent.last,
                rows: extent.rows,
                in_order: extent.in_order,
            });
        }
        let mut covered = Vec::with_capacity(files.len());
        for (number, spans) in files {
            let unknown = || Error::internal("a row is in a file that the view doesn't have");
            let number = usize::try_from(number).map_err(|_| unknown())?;
            let file = table.view().files.get(number).ok_or_else(unknown)?;
            covered.push(Covered {
                number,
                bytes: file.size,
                spans,
            });
        }
        covered.sort_by_key(|file| file.number);
        Ok(Found {
            files: covered,
            looked,
            first_us: self.first_us,
            last_us: self.last_us,
            topics: names.into_iter().collect(),
        })
    }
}

/// The lesser of what is known.
fn least(one: Option<i64>, other: Option<i64>) -> Option<i64> {
    one.into_iter().chain(other).min()
}

#[cfg(test)]
mod tests;
