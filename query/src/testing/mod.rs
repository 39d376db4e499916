//! What the tests of this crate stand on: a lake on disk, writers as a sink task uses them, and
//! queries over both.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::json::LineDelimitedWriter;
use eddy_engine::budget::Budget;
use eddy_engine::elide::Raw;
use eddy_engine::maintain::{Compaction, Keeper, Policy};
use eddy_engine::testing::disk_lake;
use eddy_engine::write::{Start, TableWriter, WriterOptions};
use eddy_engine::{Clock, Header, Lake, Record, TimestampType, TopicId};
use futures::TryStreamExt;
use serde_json::Value as Json;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::error::{Error, Result};
use crate::query::{Query, QueryOptions, Request};

/// 2026-11-23T10:00:00Z.
pub(crate) const TIME_MS: i64 = 1_795_428_000_000;

/// Far beyond what any commit here takes.
const DEADLINE: Duration = Duration::from_secs(60);

pub(crate) struct World {
    pub(crate) query: Query,
    pub(crate) lake: Lake,
    pub(crate) runtime: Runtime,
    /// Where the lake is.
    pub(crate) folder: TempDir,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    /// A world whose queries have other limits.
    pub(crate) fn with(change: impl FnOnce(&mut QueryOptions)) -> Self {
        Self::over(|folder| disk_lake(folder, Clock::system()), change)
    }

    /// A world over a lake that `open` makes, given a folder.
    pub(crate) fn over(
        open: impl FnOnce(&Path) -> Lake,
        change: impl FnOnce(&mut QueryOptions),
    ) -> Self {
        let runtime = Runtime::new().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let lake = {
            let _guard = runtime.enter();
            open(folder.path())
        };
        let mut options = QueryOptions {
            threads: 2,
            timeout: Duration::from_secs(60),
            ..QueryOptions::default()
        };
        change(&mut options);
        let query = Query::new(lake.clone(), options).unwrap();
        Self {
            query,
            lake,
            runtime,
            folder,
        }
    }

    pub(crate) fn writer(&self, topic: &str, partitions: i32) -> Topic {
        self.writer_with(topic, partitions, Raw::Keep)
    }

    pub(crate) fn writer_with(&self, topic: &str, partitions: i32, raw: Raw) -> Topic {
        self.writer_as(topic, partitions, |options| options.raw = raw)
    }

    pub(crate) fn writer_as(
        &self,
        topic: &str,
        partitions: i32,
        change: impl FnOnce(&mut WriterOptions),
    ) -> Topic {
        let table = self.lake.table("topics", topic);
        let id = TopicId::new(format!("id-of-{topic}"));
        let mut options = WriterOptions::new(table, topic, id, "tests");
        change(&mut options);
        let mut writer = TableWriter::open(&self.lake, options).unwrap();
        let starts: Vec<(i32, Start)> = (0..partitions).map(|one| (one, Start::at(0))).collect();
        writer.assign(&starts).unwrap();
        Topic {
            writer,
            next: vec![0; usize::try_from(partitions).unwrap()],
        }
    }

    /// Puts small files of each day together and gives all files filters.
    pub(crate) fn compact(&self, topic: &str) {
        let policy = Policy {
            compaction: Some(Compaction {
                least_files: 2,
                settle: Duration::ZERO,
                quiet: Duration::ZERO,
                ..Compaction::default()
            }),
            ..Policy::default()
        };
        let mut keeper = Keeper::new(&self.lake, &Budget::unlimited());
        let table = self.lake.table("topics", topic);
        let halt = AtomicBool::new(false);
        keeper.pass(&table, &policy, &halt).unwrap();
    }

    /// The rows of a statement, as JSON.
    pub(crate) fn rows(&self, sql: &str) -> Vec<Json> {
        self.ask(Request::new(sql))
            .unwrap_or_else(|error| panic!("{sql}: {error}"))
            .1
    }

    /// The only value of a statement's only row.
    pub(crate) fn value(&self, sql: &str) -> Json {
        let rows = self.rows(sql);
        let row = rows.first().unwrap_or_else(|| panic!("{sql}: no row"));
        let object = row.as_object().unwrap();
        object.values().next().cloned().unwrap_or(Json::Null)
    }

    pub(crate) fn error(&self, sql: &str) -> Error {
        match self.ask(Request::new(sql)) {
            Err(error) => error,
            Ok((_, rows)) => panic!("{sql} is no error: {rows:?}"),
        }
    }

    /// An answer's position and its rows.
    pub(crate) fn ask(&self, request: Request) -> Result<(Json, Vec<Json>)> {
        self.runtime.block_on(async {
            let answer = self.query.execute(request).await?;
            let schema = answer.schema.clone();
            let batches: Vec<RecordBatch> = answer.batches.try_collect().await?;
            let batch = concat_batches(&schema, &batches)?;
            let mut bytes = Vec::new();
            let mut writer = LineDelimitedWriter::new(&mut bytes);
            writer.write(&batch)?;
            writer.finish()?;
            let text = String::from_utf8(bytes).unwrap();
            let rows = text.lines().map(|line| serde_json::from_str(line).unwrap());
            Ok((answer.position, rows.collect()))
        })
    }

    /// The names of a statement's columns.
    pub(crate) fn columns(&self, sql: &str) -> Vec<String> {
        self.runtime.block_on(async {
            let answer = self.query.execute(Request::new(sql)).await.unwrap();
            let fields = answer.schema.fields();
            fields.iter().map(|field| field.name().clone()).collect()
        })
    }
}

/// A topic and the writer of its table.
pub(crate) struct Topic {
    pub(crate) writer: TableWriter,
    pub(crate) next: Vec<i64>,
}

impl Topic {
    pub(crate) fn put(&mut self, partition: i32, value: &str) {
        self.put_at(partition, TIME_MS, Some(value.as_bytes()));
    }

    pub(crate) fn put_at(&mut self, partition: i32, time_ms: i64, value: Option<&[u8]>) {
        self.append(partition, time_ms, Some(b"key"), value, &[]);
    }

    /// A record with a key of its own, and headers.
    pub(crate) fn put_keyed(
        &mut self,
        time_ms: i64,
        key: &[u8],
        value: &str,
        headers: &[Header<'_>],
    ) {
        self.append(0, time_ms, Some(key), Some(value.as_bytes()), headers);
    }

    fn append(
        &mut self,
        partition: i32,
        time_ms: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[Header<'_>],
    ) {
        let next = &mut self.next[usize::try_from(partition).unwrap()];
        let record = Record {
            partition,
            offset: *next,
            timestamp_ms: Some(time_ms + *next),
            timestamp_type: TimestampType::Create,
            key,
            value,
            headers,
            decoded: Default::default(),
        };
        self.writer.append(&record).unwrap();
        *next += 1;
    }

    /// Makes what was put visible.
    pub(crate) fn publish(&mut self) {
        self.writer.publish().unwrap();
    }

    /// Commits everything.
    pub(crate) fn commit(&mut self) {
        self.writer.publish().unwrap();
        self.writer.cut().unwrap();
        self.writer.wait_cut(DEADLINE).unwrap();
    }
}
