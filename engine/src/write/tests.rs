//! The writer against a real log on memory, on local disk and on a store that fails.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod any_json;
mod chaos;
mod columns;
mod decoded;
mod fences;
mod filtered;
mod flat;
mod foreign;
mod json_test_suite;
mod live;
mod partitions;
mod payloads;
mod real_events;
mod release;
mod rolling;
mod round_trip;
mod sides;
mod stores;
mod times;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::{Int32Type, Int64Type, TimestampMicrosecondType};
use object_store::ObjectStoreExt;
use object_store::memory::InMemory;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::clock::Clock;
use crate::lake::Lake;
use crate::layout::Layout;
use crate::partition::Partitioning;
use crate::path::TablePath;
use crate::read::Snapshot;
use crate::record::{Header, Record, TimestampType, TopicId};
use crate::schema::bind;
use crate::testing::{FaultyStore, disk_lake, memory_lake, store_lake};
use crate::write::{CommittedRange, Start, TableWriter, WriterOptions};

/// Far beyond what any commit here takes: a test that reaches it has failed.
const DEADLINE: Duration = Duration::from_secs(60);

/// 2026-11-23T10:00:00Z.
const TIME_MS: i64 = 1_795_428_000_000;

/// A lake and the runtime that serves it; tests run on their own thread, as a sink task does.
struct World {
    lake: Lake,
    layout: Layout,
    store: Option<FaultyStore>,
    _folder: Option<TempDir>,
    _runtime: Runtime,
}

impl World {
    fn in_memory() -> Self {
        Self::with(|clock| (memory_lake(clock), None, None))
    }

    fn on_disk() -> Self {
        Self::with(|clock| {
            let folder = tempfile::tempdir().unwrap();
            (disk_lake(folder.path(), clock), None, Some(folder))
        })
    }

    fn faulty() -> Self {
        Self::with(|clock| {
            let store = FaultyStore::new(Arc::new(InMemory::new()));
            let lake = store_lake(Arc::new(store.clone()), clock);
            (lake, Some(store), None)
        })
    }

    fn with(make: impl FnOnce(Clock) -> (Lake, Option<FaultyStore>, Option<TempDir>)) -> Self {
        let runtime = Runtime::new().unwrap();
        let guard = runtime.enter();
        let (lake, store, folder) = make(Clock::system());
        drop(guard);
        Self {
            lake,
            layout: Layout::Native,
            store,
            _folder: folder,
            _runtime: runtime,
        }
    }

    fn store(&self) -> &FaultyStore {
        self.store.as_ref().unwrap()
    }

    fn table(&self) -> TablePath {
        self.lake.table("topics", "orders")
    }

    fn options(&self) -> WriterOptions {
        let mut options = WriterOptions::new(self.table(), "orders", topic(), "sink");
        options.retry.first = Duration::from_millis(5);
        options.retry.most = Duration::from_millis(20);
        if self.layout.foreign().is_some() {
            options.partitioning = Arc::new(Partitioning::none());
            options.cut.interval = Duration::ZERO;
        }
        options.layout = self.layout.clone();
        options
    }

    fn writer(&self) -> TableWriter {
        TableWriter::open(&self.lake, self.options()).unwrap()
    }

    /// A writer that owns `partitions`, new ones from offset 0, and where each goes on.
    fn assigned(&self, partitions: &[i32]) -> (TableWriter, BTreeMap<i32, i64>) {
        let mut writer = self.writer();
        let next = assign(&mut writer, partitions);
        (writer, next)
    }

    fn snapshot(&self) -> Snapshot {
        Snapshot::load(&self.lake, &self.table(), None)
            .unwrap()
            .unwrap()
    }

    /// All committed rows, bound to the table's columns.
    fn rows(&self) -> RecordBatch {
        self.rows_of(&self.snapshot())
    }

    fn rows_of(&self, snapshot: &Snapshot) -> RecordBatch {
        let mut batches = Vec::new();
        for file in snapshot.files.iter() {
            let bytes = self.bytes(&file.path);
            assert_eq!(
                bytes.len() as u64,
                file.size,
                "invariant 3: the logged size"
            );
            for batch in read(bytes) {
                batches.push(widen(&batch, snapshot));
            }
        }
        concat_batches(&snapshot.schema, &batches).unwrap()
    }

    fn bytes(&self, path: &str) -> bytes::Bytes {
        let (lake, object) = (self.lake.clone(), self.table().object(path));
        self.lake
            .wait(async move {
                lake.store()
                    .get(&object)
                    .await
                    .unwrap()
                    .bytes()
                    .await
                    .unwrap()
            })
            .unwrap()
    }

    /// E1: each offset below the position is exactly one row; returns the positions.
    fn each_offset_once(&self) -> BTreeMap<i32, i64> {
        // One version: a commit that was given up may still land at any time.
        if self.layout.flat().is_some() {
            return flat::each_offset_once(self);
        }
        let snapshot = self.snapshot();
        let positions: BTreeMap<i32, i64> = snapshot
            .positions
            .iter()
            .map(|((_, partition), position)| (*partition, position.offset))
            .collect();
        let expected: Vec<_> = positions
            .iter()
            .flat_map(|(partition, end)| (0..*end).map(move |offset| (*partition, offset)))
            .collect();
        let mut found = if positions.values().all(|end| *end == 0) {
            Vec::new()
        } else {
            offsets(&self.rows_of(&snapshot))
        };
        found.sort_unstable();
        assert_eq!(found, expected, "E1: each offset exactly once");
        positions
    }
}

fn topic() -> TopicId {
    TopicId::new("AAAAAAAAAAAAAAAAAAAAAQ")
}

fn assign(writer: &mut TableWriter, partitions: &[i32]) -> BTreeMap<i32, i64> {
    let starts: Vec<_> = partitions.iter().map(|p| (*p, Start::at(0))).collect();
    writer
        .assign(&starts)
        .unwrap()
        .into_iter()
        .map(|(partition, position)| (partition, position.offset))
        .collect()
}

fn read(bytes: bytes::Bytes) -> Vec<RecordBatch> {
    ParquetRecordBatchReaderBuilder::try_new(bytes)
        .unwrap()
        .build()
        .unwrap()
        .map(Result::unwrap)
        .collect()
}

/// A file's rows under the table's schema: files carry names only, so the identities come from the
/// table's columns of the same name.
fn widen(batch: &RecordBatch, snapshot: &Snapshot) -> RecordBatch {
    use arrow::array::new_null_array;
    let columns = snapshot
        .schema
        .fields()
        .iter()
        .map(|field| match batch.column_by_name(field.name()) {
            Some(column) if column.data_type() == field.data_type() => column.clone(),
            Some(column) => widen_column(column, field.data_type()),
            None => new_null_array(field.data_type(), batch.num_rows()),
        })
        .collect();
    let named = RecordBatch::try_new(snapshot.schema.clone(), columns).unwrap();
    bind(&named, &snapshot.schema).unwrap()
}

fn widen_column(
    column: &arrow::array::ArrayRef,
    to: &arrow::datatypes::DataType,
) -> arrow::array::ArrayRef {
    use arrow::array::{ListArray, StructArray, new_null_array};
    use arrow::datatypes::DataType;
    match (column.data_type(), to) {
        (DataType::Struct(_), DataType::Struct(fields)) => {
            let source = column.as_struct();
            let columns = fields
                .iter()
                .map(|field| match source.column_by_name(field.name()) {
                    Some(inner) => widen_column(inner, field.data_type()),
                    None => new_null_array(field.data_type(), source.len()),
                })
                .collect();
            Arc::new(StructArray::new(
                fields.clone(),
                columns,
                source.nulls().cloned(),
            ))
        }
        (DataType::List(_), DataType::List(element)) => {
            let source = column.as_list::<i32>();
            Arc::new(ListArray::new(
                element.clone(),
                source.offsets().clone(),
                widen_column(source.values(), element.data_type()),
                source.nulls().cloned(),
            ))
        }
        (from, to) if from == to => column.clone(),
        (from, to) => panic!("a file has `{from}` where the table has `{to}`"),
    }
}

fn offsets(rows: &RecordBatch) -> Vec<(i32, i64)> {
    let partitions = rows["_partition"].as_primitive::<Int32Type>();
    let offsets = rows["_offset"].as_primitive::<Int64Type>();
    partitions
        .values()
        .iter()
        .copied()
        .zip(offsets.values().iter().copied())
        .collect()
}

fn record(partition: i32, offset: i64, value: &[u8]) -> Record<'_> {
    Record {
        partition,
        offset,
        timestamp_ms: Some(TIME_MS),
        timestamp_type: TimestampType::Create,
        key: None,
        value: Some(value),
        headers: &[],
        decoded: Default::default(),
    }
}

/// Appends the offsets `[from, to)` of a partition as small JSON objects.
fn append(writer: &mut TableWriter, partition: i32, from: i64, to: i64) {
    for offset in from..to {
        let value = format!("{{\"n\":{offset},\"p\":{{\"of\":{partition}}}}}");
        writer
            .append(&record(partition, offset, value.as_bytes()))
            .unwrap();
    }
}

/// Cuts and waits until it is committed.
fn commit(writer: &mut TableWriter) -> Vec<CommittedRange> {
    assert!(writer.cut().unwrap());
    settled(writer)
}

fn settled(writer: &mut TableWriter) -> Vec<CommittedRange> {
    let committed = writer.wait_cut(DEADLINE).unwrap();
    assert!(
        !writer.in_flight(),
        "the commit did not end within the deadline"
    );
    committed
}

fn range(partition: i32, offset: i64) -> CommittedRange {
    CommittedRange { partition, offset }
}
