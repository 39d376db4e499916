//! The traps of the Delta kernel and of object_store that Eddy steps around, a test for each.

use std::sync::Arc;
use std::thread;

use arrow::datatypes::{DataType, Field, Schema};
use futures::TryStreamExt;
use object_store::{ObjectStoreExt, PutMode};

use super::{cut, log, position, table, topic};
use crate::clock::Clock;
use crate::commit::{Move, TableLog, columns};
use crate::error::ErrorKind;
use crate::lake::Lake;
use crate::read::Snapshot;
use crate::testing::{disk_lake, memory_lake};

/// Commits `count` times to partition 0, from nothing.
fn fill(lake: &Lake, log: &mut TableLog, count: i64) {
    for offset in 0..count {
        let from = (offset > 0).then(|| position(offset, 0));
        log.commit(&cut(lake.clock(), 0, from, offset + 1)).unwrap();
    }
}

/// Trap 1: the kernel's `create_table` makes protocol 3/7.
#[tokio::test(flavor = "multi_thread")]
async fn a_table_is_made_at_protocol_1_2_and_stays_there() {
    let lake = memory_lake(Clock::system());
    let mut log = log(&lake);
    fill(&lake, &mut log, 3);
    let mut protocols = Vec::new();
    for version in 0..=log.version() {
        let location = table(&lake).commit(version);
        let bytes = lake
            .store()
            .get(&location)
            .await
            .unwrap()
            .bytes()
            .await
            .unwrap();
        protocols.extend(super::super::Actions::parse(&bytes).unwrap().protocol);
    }
    assert_eq!(protocols, [(1, 2)]);
}

/// Trap 2: a duplicate id in one transaction is an error, and going back is not.
#[tokio::test(flavor = "multi_thread")]
async fn a_cut_that_goes_back_or_moves_a_partition_twice_is_refused() {
    let lake = memory_lake(Clock::system());
    let mut log = log(&lake);
    fill(&lake, &mut log, 5);
    let mut back = cut(lake.clock(), 0, Some(position(5, 0)), 5);
    back.moves[0].to = 4;
    assert_eq!(log.commit(&back).unwrap_err().kind(), ErrorKind::Internal);
    let mut twice = cut(lake.clock(), 1, None, 5);
    twice.moves.push(twice.moves[0].clone());
    assert_eq!(log.commit(&twice).unwrap_err().kind(), ErrorKind::Internal);
    // Several partitions in one commit are what commits are for.
    let mut several = cut(lake.clock(), 1, None, 5);
    several.moves.push(Move {
        partition: 2,
        leader_epoch: Some(7),
        ..several.moves[0].clone()
    });
    log.commit(&several).unwrap();
    let reopened = TableLog::open(&lake, &table(&lake)).unwrap().unwrap();
    assert_eq!(reopened.positions().len(), 3);
    assert_eq!(
        reopened.position(&topic(), 2).unwrap().leader_epoch,
        Some(7)
    );
}

/// Trap 4: on the kernel's default executor a checkpoint hangs.
/// Traps 5 and 6: readers and writers behind a new checkpoint, whose log may be cleaned.
#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_completes_and_whoever_is_behind_it_catches_up() {
    let lake = memory_lake(Clock::system());
    let (mut writer, mut behind) = (log(&lake), log(&lake));
    fill(&lake, &mut writer, 50);
    let reader = Snapshot::load(&lake, &table(&lake), None).unwrap().unwrap();
    for offset in 50..120 {
        writer
            .commit(&cut(lake.clock(), 0, Some(position(offset, 0)), offset + 1))
            .unwrap();
    }
    assert!(writer.checkpoint_if_due().unwrap());
    assert!(!writer.checkpoint_if_due().unwrap());
    writer
        .commit(&cut(lake.clock(), 0, Some(position(120, 0)), 121))
        .unwrap();

    let refreshed = reader.refresh(&lake, &table(&lake)).unwrap();
    let loaded = Snapshot::load(&lake, &table(&lake), None).unwrap().unwrap();
    assert_eq!(refreshed.version, 121);
    assert_eq!(refreshed.files, loaded.files);
    assert_eq!(refreshed.positions, loaded.positions);
    behind.commit(&cut(lake.clock(), 9, None, 1)).unwrap();

    // Cleaned up to the checkpoint, the table is still the same to all.
    for version in 0..120 {
        lake.store()
            .delete(&table(&lake).commit(version))
            .await
            .unwrap();
    }
    let cleaned = Snapshot::load(&lake, &table(&lake), None).unwrap().unwrap();
    assert_eq!(cleaned.files, loaded.files);
    assert_eq!(cleaned.position(&topic(), 0), Some(position(121, 0)));
    assert_eq!(log(&lake).position(&topic(), 9), Some(position(1, 0)));
}

/// Trap 7 is about statistics that the kernel writes; ours pass through it untouched, also
/// through a checkpoint.
#[tokio::test(flavor = "multi_thread")]
async fn statistics_and_paths_come_back_as_they_were_written() {
    let lake = memory_lake(Clock::system());
    let mut log = log(&lake);
    log.commit(&cut(lake.clock(), 0, None, 0)).unwrap();
    let mut odd = cut(lake.clock(), 0, Some(position(0, 0)), 2);
    odd.files[0].path = "dt=a b%2F\u{fc}/x.parquet".to_owned();
    odd.files[0].partition_values.insert("dt".to_owned(), None);
    odd.files[0].stats_json =
        r#"{"numRecords":2,"maxValues":{"_timestamp":"2026-11-23T00:00:00.123456Z"}}"#.to_owned();
    log.commit(&odd).unwrap();
    for offset in 2..110 {
        log.commit(&cut(lake.clock(), 0, Some(position(offset, 0)), offset + 1))
            .unwrap();
    }
    assert!(log.checkpoint_if_due().unwrap());
    let loaded = Snapshot::load(&lake, &table(&lake), None).unwrap().unwrap();
    let found = loaded
        .files
        .iter()
        .find(|file| file.path == odd.files[0].path)
        .unwrap();
    assert_eq!(**found, odd.files[0]);
}

/// Trap 8: object_store's local put isn't durable. That bytes survive a power cut can't be tested
/// here; that the replacement is still an atomic create can.
#[tokio::test(flavor = "multi_thread")]
async fn of_many_creates_of_one_local_object_one_wins_and_nothing_is_left_over() {
    let folder = tempfile::tempdir().unwrap();
    let lake = disk_lake(folder.path(), Clock::system());
    let location = lake.root().clone().join("a").join("b").join("object");
    let wins: usize = thread::scope(|scope| {
        let tries: Vec<_> = (0..8)
            .map(|number: u8| {
                let (lake, location) = (&lake, location.clone());
                scope.spawn(move || {
                    let store = Arc::clone(lake.store());
                    let body = vec![number; 10_000].into();
                    let put = async move {
                        store
                            .put_opts(&location, body, PutMode::Create.into())
                            .await
                    };
                    usize::from(lake.wait(put).unwrap().is_ok())
                })
            })
            .collect();
        tries.into_iter().map(|tried| tried.join().unwrap()).sum()
    });
    assert_eq!(wins, 1);
    let bytes = lake
        .store()
        .get(&location)
        .await
        .unwrap()
        .bytes()
        .await
        .unwrap();
    assert!(bytes.len() == 10_000 && bytes.iter().all(|byte| *byte == bytes[0]));
    let names: Vec<_> = std::fs::read_dir(folder.path().join("a/b"))
        .unwrap()
        .collect();
    assert_eq!(names.len(), 1);
}

/// Trap 9: keys derive from the URL's path, escapes and all.
#[tokio::test(flavor = "multi_thread")]
async fn a_lake_below_an_odd_path_works() {
    let folder = tempfile::tempdir().unwrap();
    let odd = folder.path().join("a b#d");
    let lake = disk_lake(&odd, Clock::system());
    lake.probe().await.unwrap();
    let mut log = log(&lake);
    fill(&lake, &mut log, 2);
    assert!(
        odd.join("topics/orders/_delta_log/00000000000000000002.json")
            .exists()
    );
    let loaded = Snapshot::load(&lake, &table(&lake), None).unwrap().unwrap();
    assert_eq!(loaded.files.len(), 1);
    let objects: Vec<_> = lake
        .store()
        .list(Some(lake.root()))
        .try_collect()
        .await
        .unwrap();
    // Three versions and the owner's name; the probe's object is gone.
    assert_eq!(objects.len(), 4);
}

/// Trap 10: what readers of Delta refuse is never written.
#[test]
fn columns_that_readers_refuse_are_never_written() {
    let text = |name: &str| Field::new(name, DataType::Utf8, true);
    let refused = [
        vec![text("a b")],
        vec![text("")],
        vec![text("a"), text("A")],
        vec![Field::new("a", DataType::Utf8, false)],
        vec![Field::new(
            "a",
            DataType::Struct(vec![text("x"), text("X")].into()),
            true,
        )],
        vec![Field::new("a", DataType::Utf8View, true)],
    ];
    for fields in refused {
        assert!(columns::to_delta(&Schema::new(fields)).is_err());
    }
}

/// Thousands of columns are reserved and read back in a moment.
#[tokio::test(flavor = "multi_thread")]
async fn five_thousand_columns_are_reserved_in_one_commit() {
    let lake = memory_lake(Clock::system());
    let mut log = log(&lake);
    let fields = (0..5_000).map(|number| {
        let key = format!("key.{number}");
        let metadata = [("eddy.key", key.as_str()), ("eddy.kind", "long")];
        let metadata = metadata.map(|(key, value)| (key.to_owned(), value.to_owned()));
        Field::new(key.as_str(), DataType::Int64, true).with_metadata(metadata.into())
    });
    let discovered = Schema::new(fields.collect::<Vec<_>>());
    let started = lake.clock().monotonic();
    let reserved = log.reserve(&discovered).unwrap();
    let taken = lake.clock().monotonic() - started;
    println!("5,000 columns reserved in {taken:?}");
    assert_eq!(log.version(), 1);
    assert_eq!(
        TableLog::open(&lake, &table(&lake))
            .unwrap()
            .unwrap()
            .schema(),
        reserved
    );
}
