//! Compaction: fewer files, the same rows, whoever commits or dies meanwhile.

use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{Int32Type, Int64Type, TimestampMicrosecondType};
use object_store::ObjectStoreExt;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::{World, eager};
use crate::commit::TableLog;
use crate::error::ErrorKind;
use crate::maintain::compact::{Limits, commit, compact};
use crate::maintain::output::FileLimits;
use crate::maintain::plan::bins;
use crate::schema::rebuild::{Json, rebuild};
use crate::schema::{bind, identify, with_identities};
use crate::testing::Step;

impl World {
    fn read(
        &self,
        path: &str,
    ) -> (
        Vec<RecordBatch>,
        ParquetRecordBatchReaderBuilder<bytes::Bytes>,
    ) {
        let (lake, object) = (self.lake.clone(), self.table().object(path));
        let bytes = self.lake.wait(async move {
            let found = lake.store().get(&object).await.unwrap();
            found.bytes().await.unwrap()
        });
        let bytes = bytes.unwrap();
        let builder = ParquetRecordBatchReaderBuilder::try_new(bytes.clone()).unwrap();
        let batches = ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap();
        let batches = batches.build().unwrap().map(Result::unwrap).collect();
        (batches, builder)
    }

    /// Each row's (partition, offset) and its columns put together again, which must be its value.
    fn payloads(&self) -> Vec<(i32, i64, String)> {
        let (snapshot, mut payloads) = (self.snapshot(), Vec::new());
        for file in snapshot.files.iter() {
            for batch in self.read(&file.path).0 {
                let known = Arc::new(identify(&batch.schema(), &snapshot.schema).unwrap());
                let batch = bind(&with_identities(&batch, &known).unwrap(), &snapshot.schema);
                let batch = batch.unwrap();
                for row in 0..batch.num_rows() {
                    let json = rebuild(&batch, row).normal();
                    let value = batch["_value"].as_binary::<i32>().value(row);
                    assert_eq!(Some(json.clone()), Json::parse(value).map(Json::normal));
                    payloads.push((
                        batch["_partition"].as_primitive::<Int32Type>().value(row),
                        batch["_offset"].as_primitive::<Int64Type>().value(row),
                        format!("{json:?}"),
                    ));
                }
            }
        }
        payloads.sort();
        payloads
    }

    fn times(&self, path: &str) -> Vec<i64> {
        let times = self.read(path).0.into_iter().flat_map(|batch| {
            let times = batch["_timestamp"].as_primitive::<TimestampMicrosecondType>();
            times.values().to_vec()
        });
        times.collect()
    }
}

#[test]
fn many_small_files_become_one_in_order_with_the_same_rows() {
    for world in [World::in_memory(), World::on_disk()] {
        let mut writer = world.writer(&[0, 1]);
        world.commits(&mut writer, 0..40, 4);
        let before = world.check();
        assert_eq!(before.files, 10);
        let kept = world.pass(&eager()).unwrap();
        assert_eq!(kept.compacted.files_removed, 10);
        let after = world.check();
        assert_eq!((after.files, after.rows()), (1, 40));
        assert_eq!(after.partitions, before.partitions);
        let path = &world.snapshot().files[0].path;
        assert!(world.times(path).is_sorted());
        let (_, builder) = world.read(path);
        let group = builder.metadata().row_group(0);
        assert_eq!(group.sorting_columns().unwrap().len(), 3);
        assert_eq!(world.pass(&eager()).unwrap().compacted.rewrites, 0, "once");
        // The writer goes on as if nothing had happened, and the next rewrite takes it in.
        world.commits(&mut writer, 40..60, 4);
        world.pass(&eager()).unwrap();
        assert_eq!(world.check().rows(), 60);
    }
}

#[test]
fn files_that_overlap_in_time_and_shape_are_merged_row_by_row() {
    let world = World::in_memory();
    let mut writer = world.writer(&[0, 1, 2]);
    // Each file spans all times; columns come, change their type and nest.
    for file in 0..6 {
        for step in 0..20 {
            let (offset, second) = (file * 20 + step, step * 7 % 20);
            for partition in 0..3 {
                let value = match (file + i64::from(partition)) % 4 {
                    0 => format!("{{\"n\":{offset}}}"),
                    1 => format!("{{\"n\":\"{offset}\",\"o\":{{\"a\":{offset}}}}}"),
                    2 => format!("{{\"o\":{{\"b\":[{{\"c\":{offset}}}]}},\"n\":{{\"x\":1}}}}"),
                    _ => r#"{"o":{"b":[{"d":true}],"a":1},"l":[1,"two"]}"#.to_owned(),
                };
                world.append_at(&mut writer, partition, offset, second, &value);
            }
        }
        world.commit(&mut writer);
    }
    let before = world.payloads();
    assert_eq!(before.len(), 360);
    world.pass(&eager()).unwrap();
    let report = world.check();
    assert_eq!((report.files, report.rows()), (1, 360));
    assert!(world.payloads() == before, "the columns changed");
}

#[test]
fn over_its_memory_a_rewrite_makes_more_files_and_each_is_in_order() {
    let world = World::in_memory();
    let mut writer = world.writer(&[0]);
    for file in 0..8 {
        for step in 0..50 {
            let value = "x".repeat(2_000);
            world.append_at(&mut writer, 0, file * 50 + step, step * 7 % 50, &value);
        }
        world.commit(&mut writer);
    }
    let snapshot = world.snapshot();
    let policy = eager().compaction.unwrap();
    let bin = bins(
        &snapshot.files,
        &policy,
        world.lake.clock().now_us() / 1_000,
    )
    .remove(0);
    let limits = Limits {
        files: FileLimits::of(policy.target_bytes),
        memory_bytes: 1,
    };
    let halt = std::sync::atomic::AtomicBool::new(false);
    let done = compact(&world.lake, &world.table(), &snapshot, &bin, limits, &halt).unwrap();
    assert_eq!(done.files_added, 8, "each file spans all times");
    let in_order = |world: &World| {
        for file in world.snapshot().files.iter() {
            let times = world.times(&file.path);
            assert!(times.is_sorted(), "{}", file.path);
        }
        assert_eq!(world.check().rows(), 400);
    };
    in_order(&world);
    // What is in order is read as streams, which takes next to no memory.
    world.pass(&eager()).unwrap();
    in_order(&world);
    assert_eq!(world.check().files, 1);
}

#[test]
fn p15_of_two_rewrites_of_one_file_the_second_is_abandoned() {
    let world = World::in_memory();
    let mut writer = world.writer(&[0]);
    world.commits(&mut writer, 0..20, 2);
    let snapshot = world.snapshot();
    let policy = eager().compaction.unwrap();
    let bin = bins(
        &snapshot.files,
        &policy,
        world.lake.clock().now_us() / 1_000,
    )
    .remove(0);
    let limits = Limits {
        files: FileLimits::of(policy.target_bytes),
        memory_bytes: 1 << 20,
    };
    let halt = std::sync::atomic::AtomicBool::new(false);
    let again = || compact(&world.lake, &world.table(), &snapshot, &bin, limits, &halt);
    again().unwrap();
    world.commits(&mut writer, 20..24, 2);
    let error = again().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Fenced, "{error}");
    let report = world.check();
    assert_eq!((report.files, report.rows()), (3, 24));
}

#[test]
fn e1_a_rewrite_that_changes_the_number_of_rows_is_refused() {
    use crate::commit::{Cut, Rewrite};
    let world = World::in_memory();
    let mut writer = world.writer(&[0]);
    world.commits(&mut writer, 0..4, 2);
    let snapshot = world.snapshot();
    let cut = Cut {
        id: world.lake.clock().new_id(),
        begun_us: world.lake.clock().now_us(),
        files: Vec::new(),
        apart: Vec::new(),
        moves: Vec::new(),
        rewrite: Some(Rewrite {
            removes: vec![Arc::clone(&snapshot.files[0])],
            planned_at: snapshot.version,
            data_change: false,
        }),
        operation: "OPTIMIZE",
    };
    let error = commit(&world.lake, &world.table(), &cut).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Internal);
    assert_eq!(world.check().rows(), 4);
}

#[test]
fn p9_a_rewrite_whose_answers_are_lost_lands_once() {
    for steps in [
        vec![Step::LoseAnswer],
        vec![Step::FailBefore; 4],
        vec![Step::FalseConflict, Step::LoseAnswer],
        vec![Step::Delay, Step::FailBefore, Step::LoseAnswer],
    ] {
        let world = World::in_memory();
        let mut writer = world.writer(&[0]);
        world.commits(&mut writer, 0..20, 2);
        world.store.script("_delta_log", steps);
        world.pass(&eager()).unwrap();
        let store = world.store.clone();
        world
            .lake
            .wait(async move { store.deliver().await.len() })
            .unwrap();
        let report = world.check();
        assert_eq!((report.files, report.rows()), (1, 20));
        let log = TableLog::open(&world.lake, &world.table())
            .unwrap()
            .unwrap();
        let rewrites = log.history(100).unwrap();
        let rewrites = rewrites
            .iter()
            .filter(|version| version.operation == "OPTIMIZE");
        assert_eq!(rewrites.count(), 1);
    }
}

#[test]
fn e1_a_writer_that_commits_all_the_while_loses_and_doubles_nothing() {
    let world = World::in_memory();
    let mut writer = world.writer(&[0]);
    world.commits(&mut writer, 0..10, 1);
    std::thread::scope(|scope| {
        let (done, halted) = std::sync::mpsc::channel::<()>();
        let upkeep = scope.spawn(|| {
            let mut rewrites = 0;
            let halted = halted;
            while halted.try_recv() == Err(std::sync::mpsc::TryRecvError::Empty) {
                rewrites += world.pass(&eager()).unwrap().compacted.rewrites;
            }
            rewrites
        });
        world.commits(&mut writer, 10..150, 1);
        drop(done);
        assert!(upkeep.join().unwrap() > 0);
    });
    world.pass(&eager()).unwrap();
    let report = world.check();
    assert_eq!(report.rows(), 150);
    assert!(report.files <= 2, "{}", report.files);
}

#[test]
fn decoded_keys_are_in_the_merged_file_whatever_fields_each_had() {
    use crate::record::{Decoded, Record, TimestampType};
    use crate::value::Value;
    let world = World::in_memory();
    let mut writer = world.writer(&[0]);
    for offset in 0..4 {
        let mut members = vec![("id".to_owned(), Value::Integer(offset.into()))];
        if offset == 2 {
            members.push(("part".to_owned(), Value::Text("p".to_owned())));
        }
        let key = Value::Object(members);
        let record = Record {
            partition: 0,
            offset,
            timestamp_ms: None,
            timestamp_type: TimestampType::None,
            key: Some(b"key"),
            value: Some(b"{\"n\":1}"),
            headers: &[],
            decoded: Decoded {
                key_schema_id: Some(7),
                value_schema_id: None,
                // One row has none.
                key: (offset != 3).then_some(&key),
                ..Decoded::default()
            },
        };
        writer.append(&record).unwrap();
        world.commit(&mut writer);
    }
    world.pass(&eager()).unwrap();
    let snapshot = world.snapshot();
    assert_eq!(snapshot.files.len(), 1);
    let (batches, _) = world.read(&snapshot.files[0].path);
    let rows = arrow::compute::concat_batches(&batches[0].schema(), &batches).unwrap();
    let offsets = rows["_offset"].as_primitive::<Int64Type>();
    let keys = rows[crate::schema::KEY_FIELDS].as_struct();
    let ids = keys.column(0).as_primitive::<Int64Type>();
    let ids_of = rows["_key_schema_id"].as_primitive::<Int32Type>();
    for (row, offset) in offsets.values().iter().enumerate() {
        let id = arrow::array::Array::is_valid(ids, row).then(|| ids.value(row));
        assert_eq!(id, (*offset != 3).then_some(*offset));
        assert_eq!(ids_of.value(row), 7);
    }
    world.check();
}
