//! Rows from records in memory.

use std::collections::BTreeMap;

use arrow::array::RecordBatch;
use async_trait::async_trait;
use eddy_engine::TopicId;
use futures::stream::{BoxStream, StreamExt};

use super::{Stored, batch};
use crate::error::Result;
use crate::request::Payload;
use crate::source::{After, PartitionCount, Pinned, PinnedTable, RowSource, Sequence, SourcePlan};

/// A row source over records in memory; it gives them in batches of seven.
pub(crate) struct FakeSource(pub(crate) Vec<Stored>);

#[async_trait]
impl RowSource for FakeSource {
    async fn plan(
        &self,
        select: &str,
        payload: Option<Payload>,
        version: Option<u64>,
        measured: bool,
    ) -> Result<SourcePlan> {
        let mut partitions = BTreeMap::new();
        for record in &self.0 {
            let of = (record.topic.as_str(), record.partition);
            *partitions.entry(of).or_insert(0) += 1;
        }
        let times = || self.0.iter().filter_map(|record| record.timestamp_ms);
        Ok(SourcePlan {
            select: select.to_owned(),
            table: "orders".to_owned(),
            version: version.unwrap_or(7),
            records: self.0.len() as u64,
            bytes: measured.then_some(0),
            files: 1,
            first_timestamp_us: times().min().map(|ms| ms * 1_000),
            last_timestamp_us: times().max().map(|ms| ms * 1_000),
            partitions: partitions
                .into_iter()
                .map(|((topic, partition), records)| PartitionCount {
                    topic: topic.to_owned(),
                    topic_id: "id".to_owned(),
                    partition,
                    records,
                })
                .collect(),
            payload: payload.unwrap_or_default(),
            sets: Vec::new(),
        })
    }

    /// Its table is in no lake.
    async fn tables(&self, _: &Pinned) -> Result<Vec<PinnedTable>> {
        Ok(Vec::new())
    }

    fn rows(
        &self,
        pinned: &Pinned,
        after: After,
        sequence: Sequence,
    ) -> BoxStream<'static, Result<RecordBatch>> {
        assert_eq!(pinned.version, 7, "the pinned version is read (E4)");
        in_batches(&self.0, &after, sequence)
    }
}

/// The records beyond `after` in the order of `sequence`.
pub(crate) fn in_batches(
    records: &[Stored],
    after: &After,
    sequence: Sequence,
) -> BoxStream<'static, Result<RecordBatch>> {
    let beyond = |record: &&Stored| {
        let mark = after.get(&(TopicId::new("id"), record.partition));
        mark.is_none_or(|mark| record.offset > *mark)
    };
    let mut rows: Vec<Stored> = records.iter().filter(beyond).cloned().collect();
    let mut turns: BTreeMap<i32, i64> = BTreeMap::new();
    rows.sort_by_cached_key(|record| {
        let turn = turns.entry(record.partition).or_insert(i64::MIN);
        match sequence {
            Sequence::Partitions => {}
            Sequence::Turns => *turn += 1,
            Sequence::Time => *turn = (*turn).max(record.timestamp_ms.unwrap_or(i64::MIN)),
        }
        (*turn, record.partition, record.offset)
    });
    let batches: Vec<_> = rows.chunks(7).map(|rows| Ok(batch(rows))).collect();
    futures::stream::iter(batches).boxed()
}
