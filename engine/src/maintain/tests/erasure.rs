//! Erasure: the rows go from the newest version at once and from the store after the grace time,
//! and a receipt says so.

use std::sync::atomic::AtomicBool;

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch};
use arrow::datatypes::Int64Type;
use object_store::ObjectStoreExt;

use super::{World, eager};
use crate::commit::TableLog;
use crate::error::{Error, Result};
use crate::maintain::clean::clean;
use crate::maintain::{Erasure, Matches, Pin, Policy, Receipt, erase, receipts};
use crate::read::retired;
use crate::record::TopicId;
use crate::testing::Step;

/// The number of `n`, wherever the table has it.
fn number(batch: &RecordBatch, row: usize) -> Option<i64> {
    let numbers = batch["n"].as_primitive::<Int64Type>();
    numbers.is_valid(row).then(|| numbers.value(row))
}

pub(super) fn when(wanted: impl Fn(i64) -> bool) -> impl Fn(&RecordBatch) -> Result<BooleanArray> {
    move |batch| {
        let rows = 0..batch.num_rows();
        Ok(rows.map(|row| number(batch, row).map(&wanted)).collect())
    }
}

impl World {
    pub(super) fn erase(&self, id: uuid::Uuid, matches: &Matches<'_>) -> Result<Receipt> {
        let erasure = Erasure {
            id,
            reference: "ticket 7".to_owned(),
            columns: vec!["n".to_owned(), "dt".to_owned()],
            may_match: &|_| true,
            matches,
        };
        erase(&self.lake, &self.table(), &erasure, &AtomicBool::new(false))
    }

    /// Whether any object of the lake holds `text`, compressed or not as it may be.
    fn objects_with(&self, path: &str) -> bool {
        let (lake, object) = (self.lake.clone(), self.table().object(path));
        let found = self
            .lake
            .wait(async move { lake.store().head(&object).await });
        found.unwrap().is_ok()
    }
}

#[test]
fn erased_rows_leave_the_table_at_once_and_the_store_after_the_grace_time() {
    let world = World::in_memory();
    let mut writer = world.writer(&[0]);
    world.commits(&mut writer, 0..40, 4);
    world.append(&mut writer, 0, 40, "not an object");
    world.commit(&mut writer);
    let pinned = world.snapshot();
    let pin = world.lake.clock().new_id();
    Pin::make(&world.lake, &world.table(), pinned.version, pin, "replay").unwrap();

    let id = world.lake.clock().new_id();
    let receipt = world
        .erase(id, &when(|n| n % 10 == 3 || (20..24).contains(&n)))
        .unwrap();
    assert_eq!((receipt.rows, receipt.files.len()), (7, 4));
    assert_eq!(receipt.versions.len(), 1);
    assert_eq!(receipt.removed_us, None);
    let report = world.check();
    assert_eq!(
        (report.rows(), report.files),
        (34, 10),
        "a file without rows is none"
    );
    let again = world.erase(id, &when(|n| n % 10 == 5)).unwrap();
    assert_eq!(again, receipt, "the same request");
    assert_eq!(
        world.check().rows(),
        34,
        "what a receipt doesn't tell stays"
    );

    // Each offset is a row or explained.
    let (lake, table, snapshot) = (world.lake.clone(), world.table(), world.snapshot());
    let gone = world
        .lake
        .wait(async move { retired(&lake, &table, &snapshot).await });
    let gone = gone.unwrap().unwrap();
    let key = (TopicId::new("AAAAAAAAAAAAAAAAAAAAAQ"), 0);
    assert_eq!(gone[&key], [(3, 4), (13, 14), (20, 24), (33, 34)]);

    // Compaction and further commits don't bring anything back.
    world.commits(&mut writer, 41..45, 2);
    world.pass(&eager()).unwrap();
    assert_eq!(world.check().rows(), 38);
    world.hours_later(23);
    world.pass(&Policy::default()).unwrap();
    assert!(
        world.objects_with(&receipt.files[0]),
        "not before the grace time"
    );
    world.hours_later(2);
    world.pass(&Policy::default()).unwrap();
    let receipt = receipts(&world.lake, &world.table()).unwrap().remove(0);
    assert!(receipt.removed_us.is_some(), "{receipt:?}");
    for file in &receipt.files {
        assert!(!world.objects_with(file), "a pin does not keep them");
    }
    assert_eq!(world.check().rows(), 38);
}

#[test]
fn a_compaction_in_the_middle_of_an_erasure_hides_no_row_from_it() {
    let world = World::in_memory();
    let mut writer = world.writer(&[0]);
    world.commits(&mut writer, 0..20, 2);
    let first = std::cell::Cell::new(true);
    let matches = |batch: &RecordBatch| {
        if first.replace(false) {
            // Every file that was not looked at yet is another one from now on.
            world.pass(&eager()).unwrap();
        }
        when(|n| n == 1 || n == 19)(batch)
    };
    let receipt = world.erase(world.lake.clock().new_id(), &matches).unwrap();
    assert_eq!(receipt.rows, 2);
    let report = world.check();
    assert_eq!((report.rows(), report.files), (18, 1));
}

#[test]
fn an_erasure_takes_as_many_commits_as_it_needs_while_it_comes_on() {
    let world = World::in_memory();
    let mut writer = world.writer(&[0]);
    world.commits(&mut writer, 0..88, 2);
    let receipt = world
        .erase(world.lake.clock().new_id(), &when(|n| n % 2 == 1))
        .unwrap();
    // More than it may lose to others.
    assert_eq!((receipt.rows, receipt.versions.len()), (44, 11));
    let report = world.check();
    assert_eq!((report.rows(), report.files), (44, 44));
}

#[test]
fn a_condition_that_fails_or_answers_for_other_rows_changes_nothing() {
    let world = World::in_memory();
    let mut writer = world.writer(&[0]);
    world.commits(&mut writer, 0..4, 2);
    let version = world.snapshot().version;
    let wrong = |_: &RecordBatch| Ok(BooleanArray::from(vec![true]));
    assert!(world.erase(world.lake.clock().new_id(), &wrong).is_err());
    let failing = |_: &RecordBatch| Err(Error::invalid("no such column"));
    assert!(world.erase(world.lake.clock().new_id(), &failing).is_err());
    assert_eq!(world.snapshot().version, version);
    let nothing = world
        .erase(world.lake.clock().new_id(), &when(|_| false))
        .unwrap();
    assert_eq!((nothing.rows, world.snapshot().version), (0, version));
}

#[test]
fn a_receipt_is_complete_only_once_no_lost_rewrite_may_hold_the_rows() {
    let world = World::in_memory();
    let mut writer = world.writer(&[0]);
    world.commits(&mut writer, 0..20, 2);
    let compaction_dies = || {
        world
            .store
            .script("_delta_log", vec![Step::FailBefore; 1_000]);
        assert!(world.pass(&eager()).is_err());
        world.store.script("_delta_log", []);
    };
    let removed_us = || {
        receipts(&world.lake, &world.table())
            .unwrap()
            .remove(0)
            .removed_us
    };
    let committed = world.keys("dt=");
    compaction_dies();
    let id = world.lake.clock().new_id();
    assert_eq!(world.erase(id, &when(|n| n == 3)).unwrap().rows, 1);
    // As one does that has read the files before the erasure.
    world.hours_later(2);
    compaction_dies();
    // Of each one for its files and one for their filters.
    let journals = world.keys("_eddy/uploads").len();
    assert_eq!(journals, 4);
    let snapshot = world.snapshot();
    let lost = |key: &String| !snapshot.files.iter().any(|file| key.ends_with(&file.path));
    let mut lost: Vec<String> = world.keys("dt=").into_iter().filter(lost).collect();
    lost.retain(|key| !committed.contains(key));
    assert_eq!(lost.len(), 2, "{lost:?}");
    world.hours_later(23);
    world.pass(&Policy::default()).unwrap();
    assert_eq!(world.keys("_eddy/uploads").len(), journals / 2);
    assert_eq!(removed_us(), None, "the younger upload may hold the row");
    world.hours_later(2);
    world.pass(&Policy::default()).unwrap();
    assert!(world.keys("_eddy/uploads").is_empty());
    assert!(removed_us().is_some());
    let left = world.keys("dt=");
    assert!(!lost.iter().any(|key| left.contains(key)), "{left:?}");
}

#[test]
fn two_erasures_side_by_side_take_each_row_once() {
    let world = World::in_memory();
    let mut writer = world.writer(&[0]);
    world.commits(&mut writer, 0..20, 5);
    let others = std::cell::Cell::new(None);
    let first = std::cell::Cell::new(true);
    let matches = |batch: &RecordBatch| {
        if first.replace(false) {
            let id = world.lake.clock().new_id();
            others.set(Some(world.erase(id, &when(|n| n == 1 || n == 19)).unwrap()));
        }
        when(|n| n == 1 || n == 2 || n == 9)(batch)
    };
    let receipt = world.erase(world.lake.clock().new_id(), &matches).unwrap();
    assert_eq!((receipt.rows, others.take().unwrap().rows), (2, 2));
    assert_eq!(world.check().rows(), 16);
}

#[test]
fn an_erasure_that_dies_at_any_put_is_finished_by_the_same_request() {
    for death in [Step::FailBefore, Step::LoseAnswer] {
        let mut deaths = 0;
        loop {
            let world = World::in_memory();
            let mut writer = world.writer(&[0]);
            world.commits(&mut writer, 0..12, 6);
            let id = world.lake.clock().new_id();
            let matches = when(|n| n % 3 == 1);
            let mut steps = vec![Step::Pass; deaths];
            steps.push(death);
            steps.extend(vec![Step::FailBefore; 1_000]);
            world.store.script("", steps);
            let died = world.erase(id, &matches);
            world.store.script("", []);
            let receipt = world.erase(id, &matches).unwrap();
            assert_eq!(
                (receipt.rows, receipt.files.len()),
                (4, 2),
                "{deaths} {death:?}"
            );
            assert_eq!(receipts(&world.lake, &world.table()).unwrap(), [receipt]);
            assert_eq!(world.check().rows(), 8, "{deaths} {death:?}");
            if died.is_ok() {
                break;
            }
            deaths += 1;
        }
        // The request, the record, the uploads and their journals, the commit, the receipt.
        assert!(deaths > 6, "{deaths} {death:?}");
    }
}

/// Whoever erases dies behind the commit, and is asked again when the log has been cleaned since.
#[test]
fn a_receipt_tells_of_commits_that_were_cleaned_away_before_it_was_finished() {
    let world = World::in_memory();
    let mut writer = world.writer(&[0]);
    world.commits(&mut writer, 0..12, 6);
    let id = world.lake.clock().new_id();
    let matches = when(|n| n % 3 == 1);
    let mut steps = vec![Step::Pass];
    steps.extend(vec![Step::FailBefore; 1_000]);
    world.store.script("erasures", steps);
    assert!(world.erase(id, &matches).is_err());
    world.store.script("", []);
    assert_eq!(world.check().rows(), 8);
    let erased_at = world.snapshot().version;

    world.commits(&mut writer, 12..13, 1);
    let log = || TableLog::open(&world.lake, &world.table());
    assert!(log().unwrap().unwrap().checkpoint().unwrap());
    world.hours_later(8 * 24);
    let history = Policy::default().history;
    let cleaned = clean(&world.lake, &world.table(), history, None).unwrap();
    assert!(cleaned.log_files > 0 && cleaned.objects >= 2, "{cleaned:?}");
    let known = log().unwrap().unwrap().history(usize::MAX).unwrap();
    assert!(known.iter().all(|version| version.version > erased_at));

    let receipt = world.erase(id, &matches).unwrap();
    assert_eq!((receipt.rows, receipt.files.len()), (4, 2));
    assert!(receipt.erased_us.is_some() && receipt.versions.is_empty());
    assert_eq!(world.check().rows(), 9);
}
