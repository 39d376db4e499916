//! The crash table's rows that a store can play: the process is gone, a new one opens the lake.
//! The rows that need a real death are killed by fault points in the integration tests.

use std::sync::Arc;

use object_store::memory::InMemory;

use super::{cut, log, position, table, topic};
use crate::clock::Clock;
use crate::commit::invariants::{Report, check};
use crate::commit::{Cut, TableLog};
use crate::error::ErrorKind;
use crate::lake::Lake;
use crate::partition::Partitioning;
use crate::record::Position;
use crate::testing::{FaultyStore, Step, disk_lake, rows_file, s3_lake, store_lake};

/// A cut with a real file.
fn real_cut(lake: &Lake, partition: i32, from: Position, to: i64) -> Cut {
    let file = rows_file(lake, &table(lake), &topic(), partition, from.offset..to);
    Cut {
        files: vec![file],
        ..cut(lake.clock(), partition, Some(from), to)
    }
}

fn setup() -> (FaultyStore, Lake, TableLog) {
    let store = FaultyStore::new(Arc::new(InMemory::new()));
    let lake = store_lake(Arc::new(store.clone()), Clock::system());
    let mut log = log(&lake);
    log.commit(&cut(lake.clock(), 0, None, 3)).unwrap();
    log.commit(&real_cut(&lake, 0, position(3, 0), 10)).unwrap();
    (store, lake, log)
}

/// What a new process finds, and that it can go on from there.
fn recovered(lake: &Lake) -> Report {
    let mut successor = log(lake);
    let at = successor.position(&topic(), 0).unwrap();
    successor
        .commit(&real_cut(lake, 0, at, at.offset + 5))
        .unwrap();
    let report = check(lake, &table(lake)).unwrap();
    let held = &report.partitions[&(topic(), 0)];
    assert_eq!(held.base, Some(3));
    // Nothing lost, nothing doubled: one range from the base to the position.
    assert_eq!(held.ranges, [(3, held.position)]);
    report
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_before_the_put_leaves_files_that_no_version_names() {
    let (_store, lake, log) = setup();
    let orphan = real_cut(&lake, 0, position(10, 0), 20);
    drop(log);
    let report = recovered(&lake);
    assert_eq!((report.files, report.rows()), (2, 12));
    assert_eq!(orphan.files.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_after_the_put_landed_leaves_the_position_past_its_rows() {
    let (store, lake, mut log) = setup();
    store.script("_delta_log", [Step::LoseAnswer]);
    store.fail_reads(true);
    let cut = real_cut(&lake, 0, position(10, 0), 20);
    assert!(log.commit(&cut).unwrap_err().is_unavailable());
    drop(log);
    store.fail_reads(false);
    let report = recovered(&lake);
    assert_eq!((report.files, report.rows()), (3, 22));
}

/// The put was under way when the process died, and lands after its successor has read the
/// position: the successor is fenced, and reads again from there.
#[tokio::test(flavor = "multi_thread")]
async fn a_put_that_lands_after_its_process_died_fences_the_successor() {
    let (store, lake, mut log) = setup();
    store.script(
        "_delta_log",
        [Step::Delay, Step::FailBefore, Step::FailBefore],
    );
    let late = real_cut(&lake, 0, position(10, 0), 20);
    assert!(log.commit(&late).unwrap_err().is_unavailable());
    drop(log);
    let mut successor = super::log(&lake);
    let again = real_cut(&lake, 0, successor.position(&topic(), 0).unwrap(), 15);
    for answer in store.deliver().await {
        answer.unwrap();
    }
    assert_eq!(
        successor.commit(&again).unwrap_err().kind(),
        ErrorKind::Fenced
    );
    let report = recovered(&lake);
    assert_eq!((report.files, report.rows()), (3, 22));
}

/// The same, but the successor is first: the late put finds its version taken.
#[tokio::test(flavor = "multi_thread")]
async fn a_put_that_lands_after_its_successor_committed_is_refused_by_the_store() {
    let (store, lake, mut log) = setup();
    store.script(
        "_delta_log",
        [Step::Delay, Step::FailBefore, Step::FailBefore],
    );
    let late = real_cut(&lake, 0, position(10, 0), 20);
    assert!(log.commit(&late).unwrap_err().is_unavailable());
    let report = recovered(&lake);
    assert!(store.deliver().await.iter().all(Result::is_err));
    assert_eq!(check(&lake, &table(&lake)).unwrap(), report);
    // The zombie asks again what became of it.
    assert_eq!(log.commit(&late).unwrap_err().kind(), ErrorKind::Fenced);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_while_the_table_is_made_leaves_what_the_next_start_opens() {
    for step in [Step::FailBefore, Step::LoseAnswer, Step::Delay] {
        let store = FaultyStore::new(Arc::new(InMemory::new()));
        let lake = store_lake(Arc::new(store.clone()), Clock::system());
        store.script("_delta_log", [step, Step::FailBefore, Step::FailBefore]);
        store.fail_reads(true);
        let schema = crate::schema::envelope_schema();
        let made = TableLog::create_or_open(
            &lake,
            &table(&lake),
            &schema,
            &Partitioning::by_day(),
            false,
            super::OWNER,
        );
        assert!(made.is_err());
        store.fail_reads(false);
        store.script("", []);
        let mut successor = log(&lake);
        drop(store.deliver().await);
        successor.commit(&cut(lake.clock(), 0, None, 3)).unwrap();
        assert_eq!(recovered(&lake).version, 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_invariants_hold_on_disk_and_on_s3_and_a_broken_one_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let disk = disk_lake(folder.path(), Clock::system());
    for lake in [disk, s3_lake(Clock::system())] {
        let mut log = log(&lake);
        log.commit(&cut(lake.clock(), 0, None, 3)).unwrap();
        recovered(&lake);
        // A row that is there twice.
        log.refresh().unwrap();
        let at = log.position(&topic(), 0).unwrap();
        let mut doubled = real_cut(&lake, 0, at, at.offset + 2);
        doubled
            .files
            .push(rows_file(&lake, &table(&lake), &topic(), 0, 4..5));
        log.commit(&doubled).unwrap();
        let error = check(&lake, &table(&lake)).unwrap_err();
        assert!(error.to_string().contains("doubled"), "{error}");
    }
}
