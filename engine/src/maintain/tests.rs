//! The upkeep against real logs and files: what is compacted reads as before.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod alter;
mod below;
mod compaction;
mod elision;
mod encryption;
mod end_of_rows;
mod erasure;
mod filters;
mod folding;
mod partial;
mod partitions;
mod redaction;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use object_store::memory::InMemory;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::budget::Budget;
use crate::clock::Clock;
use crate::commit::invariants::{self, Report};
use crate::error::Result;
use crate::lake::Lake;
use crate::maintain::{Compaction, Keeper, Kept, Policy};
use crate::path::TablePath;
use crate::read::Snapshot;
use crate::record::{Record, TimestampType, TopicId};
use crate::testing::{FaultyStore, disk_lake, s3_lake, store_lake};
use crate::write::{Start, TableWriter, WriterOptions};

const DEADLINE: Duration = Duration::from_secs(60);

/// A lake on a clock that tests turn, and the runtime that serves it.
struct World {
    lake: Lake,
    store: FaultyStore,
    _folder: Option<TempDir>,
    _runtime: Runtime,
}

impl World {
    fn in_memory() -> Self {
        let runtime = Runtime::new().unwrap();
        let guard = runtime.enter();
        let store = FaultyStore::new(Arc::new(InMemory::new()));
        let clock = Clock::manual(Clock::system().now_us());
        let lake = store_lake(Arc::new(store.clone()), clock);
        drop(guard);
        Self {
            lake,
            store,
            _folder: None,
            _runtime: runtime,
        }
    }

    fn on_disk() -> Self {
        let runtime = Runtime::new().unwrap();
        let guard = runtime.enter();
        let folder = tempfile::tempdir().unwrap();
        let lake = disk_lake(folder.path(), Clock::manual(Clock::system().now_us()));
        drop(guard);
        Self {
            lake,
            store: FaultyStore::new(Arc::new(InMemory::new())),
            _folder: Some(folder),
            _runtime: runtime,
        }
    }

    fn on_s3() -> Self {
        let runtime = Runtime::new().unwrap();
        let guard = runtime.enter();
        let lake = s3_lake(Clock::manual(Clock::system().now_us()));
        drop(guard);
        Self {
            lake,
            store: FaultyStore::new(Arc::new(InMemory::new())),
            _folder: None,
            _runtime: runtime,
        }
    }

    fn table(&self) -> TablePath {
        self.lake.table("topics", "orders")
    }

    fn writer(&self, partitions: &[i32]) -> TableWriter {
        let topic_id = TopicId::new("AAAAAAAAAAAAAAAAAAAAAQ");
        let options = WriterOptions::new(self.table(), "orders", topic_id, "sink");
        let mut writer = TableWriter::open(&self.lake, options).unwrap();
        let starts: Vec<_> = partitions.iter().map(|p| (*p, Start::at(0))).collect();
        writer.assign(&starts).unwrap();
        writer
    }

    /// Commits one file per range of offsets of partition 0, a second of record time per offset.
    fn commits(&self, writer: &mut TableWriter, offsets: std::ops::Range<i64>, each: i64) {
        let mut from = offsets.start;
        while from < offsets.end {
            let to = (from + each).min(offsets.end);
            for offset in from..to {
                let value = format!("{{\"n\":{offset},\"name\":\"order {offset}\"}}");
                self.append(writer, 0, offset, &value);
            }
            self.commit(writer);
            from = to;
        }
    }

    fn append(&self, writer: &mut TableWriter, partition: i32, offset: i64, value: &str) {
        self.append_at(writer, partition, offset, offset, value);
    }

    /// `second` is the record's time after noon.
    fn append_at(
        &self,
        writer: &mut TableWriter,
        partition: i32,
        offset: i64,
        second: i64,
        value: &str,
    ) {
        let key = format!("key-{offset}");
        writer
            .append(&Record {
                partition,
                offset,
                timestamp_ms: Some(noon_ms() + second * 1_000),
                timestamp_type: TimestampType::Create,
                key: Some(key.as_bytes()),
                value: Some(value.as_bytes()),
                headers: &[],
                decoded: Default::default(),
            })
            .unwrap();
    }

    fn commit(&self, writer: &mut TableWriter) {
        assert!(writer.cut().unwrap());
        writer.wait_cut(DEADLINE).unwrap();
        assert!(!writer.in_flight());
    }

    fn keeper(&self) -> Keeper {
        Keeper::new(&self.lake, &Budget::unlimited())
    }

    fn pass(&self, policy: &Policy) -> Result<Kept> {
        self.keeper()
            .pass(&self.table(), policy, &AtomicBool::new(false))
    }

    fn snapshot(&self) -> Snapshot {
        Snapshot::load(&self.lake, &self.table(), None)
            .unwrap()
            .unwrap()
    }

    fn check(&self) -> Report {
        invariants::check(&self.lake, &self.table()).unwrap()
    }

    fn hours_later(&self, hours: u64) {
        self.lake.clock().advance(Duration::from_hours(hours));
    }
}

/// 2026-11-23T12:00:00Z.
fn noon_ms() -> i64 {
    1_795_435_200_000
}

/// Compacts whatever is there.
fn eager() -> Policy {
    Policy {
        compaction: Some(Compaction {
            least_files: 2,
            settle: Duration::ZERO,
            ..Compaction::default()
        }),
        ..Policy::default()
    }
}
