//! Ambiguous answers, lost ones, late ones (P9), long pauses (P10).

use std::sync::Arc;
use std::time::Duration;

use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStoreExt, PutPayload};

use super::{cut, log, position, table, topic};
use crate::budget::Budget;
use crate::clock::Clock;
use crate::commit::{Cut, GRACE, TableLog};
use crate::error::ErrorKind;
use crate::lake::Lake;
use crate::maintain::Keeper;
use crate::read::Snapshot;
use crate::testing::{FaultyStore, Step, store_lake};
use crate::write::write_journal;

/// A store, a lake over it with a clock that doesn't wait, and a log at version 1, offset 10.
fn setup() -> (FaultyStore, Lake, TableLog) {
    let store = FaultyStore::new(Arc::new(InMemory::new()));
    let lake = store_lake(
        Arc::new(store.clone()),
        Clock::manual(1_700_000_000_000_000),
    );
    let mut log = log(&lake);
    log.commit(&cut(lake.clock(), 0, None, 10)).unwrap();
    (store, lake, log)
}

fn versions(log: &TableLog) -> usize {
    log.history(usize::MAX).unwrap().len()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_lost_after_the_put_landed_is_settled_as_ours() {
    let (store, lake, mut log) = setup();
    store.script("_delta_log", [Step::LoseAnswer]);
    let cut = cut(lake.clock(), 0, Some(position(10, 0)), 20);
    assert_eq!(log.commit(&cut).unwrap().version, 2);
    assert_eq!(versions(&log), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conflict_where_nothing_landed_is_sent_again() {
    let (store, lake, mut log) = setup();
    store.script("_delta_log", [Step::FalseConflict, Step::FailBefore]);
    let cut = cut(lake.clock(), 0, Some(position(10, 0)), 20);
    assert_eq!(log.commit(&cut).unwrap().version, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unsettled_cut_is_settled_by_committing_it_again() {
    let (store, lake, mut log) = setup();
    store.script("_delta_log", [Step::LoseAnswer]);
    store.fail_reads(true);
    let cut = cut(lake.clock(), 0, Some(position(10, 0)), 20);
    // It landed at the first send; nobody can see that.
    assert_eq!(log.commit(&cut).unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(log.commit(&cut).unwrap_err().kind(), ErrorKind::Unavailable);
    store.fail_reads(false);
    assert_eq!(log.commit(&cut).unwrap().version, 2);
    assert_eq!(log.position(&topic(), 0), Some(position(20, 0)));
    assert_eq!(versions(&log), 3);
}

/// The counterexample of P9: the delayed first put lands after the writer has planned a second,
/// larger one. Rows that were never written must not be acknowledged.
#[tokio::test(flavor = "multi_thread")]
async fn a_late_first_put_is_not_taken_for_a_larger_second_one() {
    let (store, lake, mut log) = setup();
    store.script(
        "_delta_log",
        [Step::Delay, Step::FailBefore, Step::FailBefore],
    );
    let first = cut(lake.clock(), 0, Some(position(10, 0)), 20);
    assert_eq!(
        log.commit(&first).unwrap_err().kind(),
        ErrorKind::Unavailable
    );
    for answer in store.deliver().await {
        answer.unwrap();
    }
    let second = cut(lake.clock(), 0, Some(position(10, 0)), 30);
    let error = log.commit(&second).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Fenced);
    assert_eq!(log.position(&topic(), 0), Some(position(20, 0)));
    // The first, asked again, is what the table holds.
    assert_eq!(log.commit(&first).unwrap().version, 2);
    let snapshot = Snapshot::load(&lake, &table(&lake), None).unwrap().unwrap();
    assert_eq!(snapshot.files.len(), 1);
    assert_eq!(snapshot.files[0].path, first.files[0].path);
}

/// While unsettled only the identical bytes are sent; another's version ends that.
#[tokio::test(flavor = "multi_thread")]
async fn an_unsettled_cut_sends_its_own_bytes_until_another_has_the_version() {
    let (store, lake, mut log) = setup();
    let mut other = super::log(&lake);
    store.script(
        "_delta_log",
        [Step::Delay, Step::Delay, Step::Delay, Step::FailBefore],
    );
    let cut_a = cut(lake.clock(), 0, Some(position(10, 0)), 20);
    assert!(log.commit(&cut_a).unwrap_err().is_unavailable());
    // Three sends of one payload, and the fourth still of the same.
    assert_eq!(
        store
            .puts()
            .iter()
            .filter(|put| **put == table(&lake).commit(2))
            .count(),
        3
    );
    store.script("_delta_log", []);
    other.commit(&cut(lake.clock(), 1, None, 5)).unwrap();
    // All late sends lose now, and the cut goes on to the next version.
    assert!(store.deliver().await.iter().all(Result::is_err));
    assert_eq!(log.commit(&cut_a).unwrap().version, 3);
    assert_eq!(log.position(&topic(), 1), Some(position(5, 0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_position_that_went_away_and_came_back_still_fences() {
    let (store, lake, mut log) = setup();
    // Someone rewinds to 5 and forward to 10 again: same offset, higher epoch (P2, ABA).
    for (version, offset) in [(2, 5), (3, 10)] {
        let app = |suffix: &str| format!("eddy/{}/0{suffix}", topic());
        let lines = [
            serde_json::json!({"txn": {"appId": app(""), "version": offset}}),
            serde_json::json!({"txn": {"appId": app("/epoch"), "version": 1}}),
        ];
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        lake.store()
            .put(&table(&lake).commit(version), text.into())
            .await
            .unwrap();
    }
    drop(store);
    let zombie = cut(lake.clock(), 0, Some(position(10, 0)), 20);
    assert_eq!(log.commit(&zombie).unwrap_err().kind(), ErrorKind::Fenced);
    assert_eq!(log.position(&topic(), 0), Some(position(10, 1)));
}

/// P10: the writer sleeps while others commit, checkpoint and clean the log; its put then succeeds
/// on a version that nobody will ever read.
#[tokio::test(flavor = "multi_thread")]
async fn a_commit_below_a_cleaned_log_is_not_acknowledged() {
    let (store, lake, mut sleeper) = setup();
    let mut other = super::log(&lake);
    for offset in 0..120 {
        let from = (offset > 0).then(|| position(offset, 0));
        other
            .commit(&cut(lake.clock(), 1, from, offset + 1))
            .unwrap();
    }
    assert!(other.checkpoint_if_due().unwrap());
    for version in 0..=100 {
        lake.store()
            .delete(&table(&lake).commit(version))
            .await
            .unwrap();
    }
    // The pause falls between the plan and the answer: the request was long under way.
    store.script(
        "_delta_log",
        [Step::Delay, Step::FailBefore, Step::FailBefore],
    );
    let late = cut(lake.clock(), 0, Some(position(10, 0)), 20);
    assert!(sleeper.commit(&late).unwrap_err().is_unavailable());
    lake.clock().advance(Duration::from_hours(2));
    for answer in store.deliver().await {
        answer.unwrap();
    }
    let error = sleeper.commit(&late).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Fenced, "{error}");
    assert_eq!(sleeper.position(&topic(), 0), Some(position(10, 0)));
    assert_eq!(sleeper.version(), other.version());
    // Nobody took partition 0 meanwhile: what is read again from there lands.
    assert_eq!(
        sleeper
            .commit(&cut(lake.clock(), 0, Some(position(10, 0)), 25))
            .unwrap()
            .version,
        122
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_whose_upload_began_too_long_ago_is_refused() {
    let (_store, lake, mut log) = setup();
    let old = cut(lake.clock(), 0, Some(position(10, 0)), 20);
    lake.clock().advance(GRACE / 2 + Duration::from_secs(1));
    assert_eq!(log.commit(&old).unwrap_err().kind(), ErrorKind::Invalid);
}

/// What was recorded of the offsets that it passes over is taken for left over once it is old.
#[tokio::test(flavor = "multi_thread")]
async fn p14_a_cut_without_files_that_was_planned_too_long_ago_is_refused() {
    let (store, lake, mut log) = setup();
    let bare = || Cut {
        files: Vec::new(),
        ..cut(lake.clock(), 0, Some(position(10, 0)), 20)
    };
    let old = bare();
    store.script("_delta_log", [Step::FailBefore; 3]);
    assert!(log.commit(&old).unwrap_err().is_unavailable());
    lake.clock().advance(GRACE / 2 + Duration::from_secs(1));
    for _ in 0..2 {
        assert_eq!(log.commit(&old).unwrap_err().kind(), ErrorKind::Invalid);
    }
    assert_eq!(log.position(&topic(), 0), Some(position(10, 0)));
    assert_eq!(log.commit(&bare()).unwrap().version, 2);
}

/// Uploads the file of `cut` as writers do, its journal first; answers its object.
async fn upload(lake: &Lake, cut: &Cut) -> Path {
    let (file, began_us) = (&cut.files[0], lake.clock().now_us());
    let journaled = [file.path.clone()];
    write_journal(lake, &table(lake), cut.id, &journaled, began_us)
        .await
        .unwrap();
    let object = table(lake).object(&file.path);
    let body = PutPayload::from_static(b"rows");
    lake.store().put(&object, body).await.unwrap();
    object
}

fn sweep(lake: &Lake) -> u64 {
    Keeper::new(lake, &Budget::unlimited()).sweep().unwrap()
}

/// The store is away for longer than files without a commit are kept: a version that names files
/// which a sweep took could not be read.
#[tokio::test(flavor = "multi_thread")]
async fn p14_an_unsettled_cut_is_not_sent_again_once_its_files_may_be_gone() {
    let (store, lake, mut log) = setup();
    let old = cut(lake.clock(), 0, Some(position(10, 0)), 20);
    let object = upload(&lake, &old).await;
    store.script("_delta_log", [Step::FailBefore; 3]);
    assert!(log.commit(&old).unwrap_err().is_unavailable());
    lake.clock().advance(GRACE + Duration::from_hours(1));
    assert_eq!(sweep(&lake), 1);
    assert!(lake.store().head(&object).await.is_err());
    for _ in 0..2 {
        assert_eq!(log.commit(&old).unwrap_err().kind(), ErrorKind::Invalid);
    }
    let newest = Snapshot::load(&lake, &table(&lake), None).unwrap().unwrap();
    assert_eq!((newest.version, newest.files.len()), (1, 0));
    // The rows, written anew, land.
    let anew = cut(lake.clock(), 0, Some(position(10, 0)), 20);
    let object = upload(&lake, &anew).await;
    assert_eq!(log.commit(&anew).unwrap().version, 2);
    assert_eq!(sweep(&lake), 0);
    lake.store().head(&object).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn p9_an_unsettled_cut_that_landed_is_found_however_long_nobody_could_look() {
    let (store, lake, mut log) = setup();
    let landed = cut(lake.clock(), 0, Some(position(10, 0)), 20);
    let object = upload(&lake, &landed).await;
    store.script("_delta_log", [Step::LoseAnswer]);
    store.fail_reads(true);
    assert!(log.commit(&landed).unwrap_err().is_unavailable());
    store.fail_reads(false);
    lake.clock().advance(GRACE + Duration::from_hours(1));
    assert_eq!(sweep(&lake), 0);
    assert_eq!(log.commit(&landed).unwrap().version, 2);
    assert_eq!(log.position(&topic(), 0), Some(position(20, 0)));
    lake.store().head(&object).await.unwrap();
}

/// P22: what someone else does to the table is looked at on every refresh.
#[tokio::test(flavor = "multi_thread")]
async fn foreign_commits_that_break_positions_are_refused() {
    let back = format!(r#"{{"txn":{{"appId":"eddy/{}/0","version":4}}}}"#, topic());
    let upgraded = r#"{"protocol":{"minReaderVersion":3,"minWriterVersion":7,"readerFeatures":["deletionVectors"],"writerFeatures":["deletionVectors"]}}"#;
    let cases = [(back.as_str(), "went back"), (upgraded, "protocol")];
    for (line, says) in cases {
        let (_store, lake, mut log) = setup();
        let payload = PutPayload::from(format!("{line}\n"));
        lake.store()
            .put(&table(&lake).commit(2), payload)
            .await
            .unwrap();
        let error = log.refresh().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Data);
        assert!(error.to_string().contains(says), "{error}");
    }
    let (_store, lake, mut log) = setup();
    let zero = read(&lake, &table(&lake).commit(0)).await;
    let line = zero.lines().find(|line| line.contains("metaData")).unwrap();
    let expiring = line.replace(
        r#""configuration":{}"#,
        r#""configuration":{"delta.setTransactionRetentionDuration":"interval 1 day"}"#,
    );
    lake.store()
        .put(&table(&lake).commit(2), expiring.into())
        .await
        .unwrap();
    let error = log.refresh().unwrap_err();
    assert!(
        error
            .to_string()
            .contains("setTransactionRetentionDuration"),
        "{error}"
    );
}

async fn read(lake: &Lake, location: &Path) -> String {
    let bytes = lake
        .store()
        .get(location)
        .await
        .unwrap()
        .bytes()
        .await
        .unwrap();
    String::from_utf8(bytes.to_vec()).unwrap()
}
