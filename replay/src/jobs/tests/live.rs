//! A source that grows while it is read, and that answers questions as told.

use std::collections::VecDeque;
use std::sync::Mutex;

use async_trait::async_trait;
use futures::stream::BoxStream;

use super::*;
use crate::request::Payload;
use crate::source::{After, Answered, Pinned, PinnedTable, Sequence, SourcePlan};
use crate::testing::in_batches;

/// Records, each since a version; the first is version 7.
pub(super) struct Live {
    state: Mutex<State>,
    /// Whether its rows are said to be those of the table `orders`.
    pub(super) of_table: bool,
}

struct State {
    records: Vec<(u64, Stored)>,
    newest: u64,
    answers: VecDeque<Result<bool>>,
    asked: usize,
}

impl Live {
    pub(super) fn new(records: &[Stored], of_table: bool) -> Arc<Self> {
        let records = records.iter().map(|record| (7, record.clone()));
        Arc::new(Self {
            state: Mutex::new(State {
                records: records.collect(),
                newest: 7,
                answers: VecDeque::new(),
                asked: 0,
            }),
            of_table,
        })
    }

    /// Commits a new version with these records.
    pub(super) fn commit(&self, records: &[Stored]) {
        let mut state = self.state.lock().unwrap();
        state.newest += 1;
        let newest = state.newest;
        let records = records.iter().map(|record| (newest, record.clone()));
        state.records.extend(records);
    }

    /// What it answers next; when nothing is left, `false`.
    pub(super) fn answer(&self, answers: impl IntoIterator<Item = Result<bool>>) {
        self.state.lock().unwrap().answers.extend(answers);
    }

    /// How often it was asked.
    pub(super) fn asked(&self) -> usize {
        self.state.lock().unwrap().asked
    }

    fn up_to(&self, version: u64) -> Vec<Stored> {
        let state = self.state.lock().unwrap();
        let records = state.records.iter();
        let records = records.filter(|(since, _)| *since <= version);
        let mut records: Vec<Stored> = records.map(|(_, record)| record.clone()).collect();
        records.sort_by_key(|record| (record.partition, record.offset));
        records
    }
}

#[async_trait]
impl RowSource for Live {
    async fn plan(
        &self,
        select: &str,
        payload: Option<Payload>,
        version: Option<u64>,
        measured: bool,
    ) -> Result<SourcePlan> {
        let newest = self.state.lock().unwrap().newest;
        let rows = FakeSource(self.up_to(newest));
        let version = version.or(Some(newest));
        rows.plan(select, payload, version, measured).await
    }

    fn rows(
        &self,
        pinned: &Pinned,
        after: After,
        sequence: Sequence,
    ) -> BoxStream<'static, Result<arrow::array::RecordBatch>> {
        in_batches(&self.up_to(pinned.version), &after, sequence)
    }

    async fn newest(&self, _: &Pinned) -> Result<u64> {
        Ok(self.state.lock().unwrap().newest)
    }

    async fn ask(&self, _: &str) -> Result<Answered> {
        let mut state = self.state.lock().unwrap();
        state.asked += 1;
        let holds = state.answers.pop_front().unwrap_or(Ok(false))?;
        Ok(Answered {
            holds,
            saw: holds.to_string(),
        })
    }

    async fn tables(&self, pinned: &Pinned) -> Result<Vec<PinnedTable>> {
        let table = PinnedTable {
            lake: None,
            topics_dir: "topics".to_owned(),
            topic: "orders".to_owned(),
            version: pinned.version,
        };
        Ok(if self.of_table {
            vec![table]
        } else {
            Vec::new()
        })
    }
}
