//! Erasure: the rows go from the newest version at once and from the store after the grace time,
//! and a receipt says so.

use std::sync::atomic::AtomicBool;

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch};
use arrow::datatypes::Int64Type;
use object_store::ObjectStoreExt;

use super::{World, eager};
use crate::error::{Error, Result};
use crate::maintain::{Erasure, Matches, Pin, Policy, Receipt, erase, receipts};
use crate::read::retired;
use crate::record::TopicId;

/// The number of `n`, wherever the table has it.
fn number(batch: &RecordBatch, row: usize) -> Option<i64> {
    let numbers = batch["n"].as_primitive::<Int64Type>();
    numbers.is_valid(row).then(|| numbers.value(row))
}

fn when(wanted: impl Fn(i64) -> bool) -> impl Fn(&RecordBatch) -> Result<BooleanArray> {
    move |batch| {
        let rows = 0..batch.num_rows();
        Ok(rows.map(|row| number(batch, row).map(&wanted)).collect())
    }
}

impl World {
    fn erase(&self, id: uuid::Uuid, matches: &Matches<'_>) -> Result<Receipt> {
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
    let again = world.erase(id, &when(|n| n % 10 == 3)).unwrap();
    assert_eq!(again, receipt, "the same request");

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
