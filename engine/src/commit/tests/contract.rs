//! The contract: one suite, run on memory, on local disk and on S3.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Fields, Schema};

use super::{OWNER, cut, log, position, table, topic};
use crate::clock::Clock;
use crate::commit::TableLog;
use crate::error::ErrorKind;
use crate::lake::Lake;
use crate::partition::Partitioning;
use crate::read::Snapshot;
use crate::schema::envelope_schema;
use crate::testing::{disk_lake, memory_lake, s3_lake};

#[tokio::test(flavor = "multi_thread")]
async fn the_log_keeps_its_contract_in_memory() {
    keeps_contract(&memory_lake(Clock::system()));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_keeps_its_contract_on_local_disk() {
    let folder = tempfile::tempdir().unwrap();
    keeps_contract(&disk_lake(folder.path(), Clock::system()));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_keeps_its_contract_on_s3() {
    let lake = s3_lake(Clock::system());
    lake.probe().await.unwrap();
    keeps_contract(&lake);
}

fn keeps_contract(lake: &Lake) {
    commits_are_seen_by_readers_and_other_writers(lake);
    columns_grow_and_keep_their_identities(lake);
}

fn commits_are_seen_by_readers_and_other_writers(lake: &Lake) {
    let clock = lake.clock();
    assert!(TableLog::open(lake, &table(lake)).unwrap().is_none());
    assert!(Snapshot::load(lake, &table(lake), None).unwrap().is_none());
    let mut first = log(lake);
    let mut second = log(lake);
    assert_eq!((first.version(), second.version()), (0, 0));

    first.commit(&cut(clock, 0, None, 10)).unwrap();
    let moved = cut(clock, 0, Some(position(10, 0)), 15);
    assert_eq!(first.commit(&moved).unwrap().version, 2);
    // The same cut again is the same commit.
    assert_eq!(first.commit(&moved).unwrap().version, 2);

    // Another writer has seen nothing of it: it loses the race, refreshes, and goes on.
    assert_eq!(second.commit(&cut(clock, 1, None, 7)).unwrap().version, 3);
    assert_eq!(second.position(&topic(), 0), Some(position(15, 0)));

    // What it saw of partition 0 is old news now: the fence (P8).
    first
        .commit(&cut(clock, 0, Some(position(15, 0)), 20))
        .unwrap();
    let late = second
        .commit(&cut(clock, 0, Some(position(15, 0)), 18))
        .unwrap_err();
    assert_eq!(late.kind(), ErrorKind::Fenced);

    let old = Snapshot::load(lake, &table(lake), Some(2))
        .unwrap()
        .unwrap();
    assert_eq!((old.version, old.files.len()), (2, 1));
    assert_eq!(old.files[0].rows, 5);
    let new = old.refresh(lake, &table(lake)).unwrap();
    let loaded = Snapshot::load(lake, &table(lake), None).unwrap().unwrap();
    for snapshot in [&new, &loaded] {
        assert_eq!((snapshot.version, snapshot.files.len()), (4, 2));
        assert_eq!(snapshot.position(&topic(), 0), Some(position(20, 0)));
        assert_eq!(snapshot.position(&topic(), 1), Some(position(7, 0)));
    }
    assert_eq!(new.files, loaded.files);
    assert_eq!(new.committed_at_ms, loaded.committed_at_ms);
    let absent = Snapshot::load(lake, &table(lake), Some(99)).unwrap_err();
    assert_eq!(absent.kind(), ErrorKind::NotFound);
    assert_eq!(crate::read::tables(lake).unwrap(), vec![table(lake)]);
    owner_is_checked(lake);
}

/// P2: a second connector on the same table is refused, by name.
fn owner_is_checked(lake: &Lake) {
    let refused = TableLog::create_or_open(
        lake,
        &table(lake),
        &envelope_schema(),
        &Partitioning::by_day(),
        false,
        "other",
    );
    let error = refused.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains(OWNER), "{error}");
}

fn columns_grow_and_keep_their_identities(lake: &Lake) {
    let mut log = log(lake);
    let version = log.version();
    let inner = field("c", DataType::Int64, "long");
    let list = DataType::List(Arc::new(Field::new(
        "element",
        DataType::Struct(Fields::from(vec![inner])),
        true,
    )));
    let discovered = Schema::new(vec![
        field(
            "a",
            DataType::Struct(Fields::from(vec![field("b", list, "list")])),
            "object",
        ),
        field("A", DataType::Utf8, "string"),
        field("d", DataType::Decimal128(38, 0), "decimal"),
    ]);
    let reserved = log.reserve(&discovered).unwrap();
    assert_eq!(log.version(), version + 1);
    assert_eq!(log.reserve(&discovered).unwrap(), reserved);
    assert_eq!(log.version(), version + 1);

    let reopened = TableLog::open(lake, &table(lake)).unwrap().unwrap();
    assert_eq!(reopened.schema(), reserved);
    let snapshot = Snapshot::load(lake, &table(lake), None).unwrap().unwrap();
    assert_eq!(snapshot.schema, reserved);
    // The log goes on from the grown table.
    log.commit(&cut(lake.clock(), 5, None, 1)).unwrap();
}

fn field(key: &str, data_type: DataType, kind: &str) -> Field {
    Field::new(key, data_type, true).with_metadata(
        [("eddy.key", key), ("eddy.kind", kind)]
            .map(|(k, v)| (k.to_owned(), v.to_owned()))
            .into(),
    )
}
