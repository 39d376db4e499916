//! What leaves: rows by retention, objects and commits with the versions that needed them, what
//! dead writers left; and what must not.

use std::time::Duration;

use futures::TryStreamExt;
use object_store::ObjectStoreExt;

use super::{World, eager, noon_ms};
use crate::commit::GRACE;
use crate::error::ErrorKind;
use crate::maintain::retain::retire;
use crate::maintain::{Pin, Policy, Retention, pins};
use crate::read::retired::{record, rows_of};
use crate::read::{Snapshot, retired};
use crate::record::TopicId;
use crate::write::write_journal;

impl World {
    /// The keys of every object whose key holds `part`.
    pub(super) fn keys(&self, part: &str) -> Vec<String> {
        let lake = self.lake.clone();
        let listed = self.lake.wait(async move {
            let root = lake.root().clone();
            let objects: Vec<_> = lake.store().list(Some(&root)).try_collect().await.unwrap();
            objects
        });
        let keys = listed
            .unwrap()
            .into_iter()
            .map(|object| object.location.to_string());
        let mut keys: Vec<String> = keys.filter(|key| key.contains(part)).collect();
        keys.sort();
        keys
    }

    fn put(&self, key: &str) {
        let (lake, path) = (self.lake.clone(), object_store::path::Path::from(key));
        let put = self
            .lake
            .wait(async move { lake.store().put(&path, "x".into()).await });
        put.unwrap().unwrap();
    }

    fn read_version(&self, version: u64) -> crate::Result<u64> {
        let snapshot = Snapshot::load(&self.lake, &self.table(), Some(version))?.unwrap();
        for file in snapshot.files.iter() {
            let (lake, path) = (self.lake.clone(), self.table().object(&file.path));
            self.lake
                .wait(async move { lake.store().head(&path).await })??;
        }
        Ok(snapshot.files.iter().map(|file| file.rows).sum())
    }
}

fn aged(hours: u64) -> Policy {
    Policy {
        compaction: None,
        retention: Retention {
            age: Some(Duration::from_hours(hours)),
            bytes: None,
        },
        ..Policy::default()
    }
}

#[test]
fn e1_rows_that_retention_removes_are_explained_offset_by_offset() {
    let world = World::in_memory();
    let mut writer = world.writer(&[0, 1]);
    let now_s = world.lake.clock().now_us() / 1_000_000 - noon_ms() / 1_000;
    // Old and new records take turns, in files of their own days.
    for offset in 0..20 {
        let second = if offset % 2 == 0 {
            now_s
        } else {
            now_s - 72 * 3_600
        };
        world.append_at(&mut writer, 0, offset, second, "{}");
    }
    world.commit(&mut writer);
    assert_eq!(world.pass(&aged(100)).unwrap().retired.files, 0);
    let kept = world.pass(&aged(48)).unwrap();
    assert_eq!((kept.retired.files, kept.retired.rows), (1, 10));
    let report = world.check();
    assert_eq!(report.rows(), 10);
    let (lake, table, snapshot) = (world.lake.clone(), world.table(), world.snapshot());
    let gone = world
        .lake
        .wait(async move { retired(&lake, &table, &snapshot).await });
    let gone = gone.unwrap().unwrap();
    let topic_id = TopicId::new("AAAAAAAAAAAAAAAAAAAAAQ");
    let held = &report.partitions[&(topic_id.clone(), 0)];
    let mut all: Vec<(i64, i64)> = gone[&(topic_id, 0)].clone();
    all.extend(&held.ranges);
    all.sort_unstable();
    let offsets: Vec<(i64, i64)> = (0..20).map(|offset| (offset, offset + 1)).collect();
    assert_eq!(all, offsets, "each a row or retired");
    assert_eq!(held.position, 20, "the position stays");
}

#[test]
fn a_record_of_retirement_whose_commit_never_came_explains_nothing() {
    let world = World::in_memory();
    let mut writer = world.writer(&[0]);
    world.commits(&mut writer, 0..4, 2);
    let snapshot = world.snapshot();
    let id = world.lake.clock().new_id();
    let gone = rows_of(&world.lake, &world.table(), &snapshot.files).unwrap();
    record(
        &world.lake,
        &world.table(),
        id,
        "retention",
        gone,
        &snapshot,
    )
    .unwrap();
    let (lake, table) = (world.lake.clone(), world.table());
    let gone = world
        .lake
        .wait(async move { retired(&lake, &table, &snapshot).await });
    assert!(gone.unwrap().unwrap().is_empty());
}

#[test]
fn a_retirement_that_lost_its_files_to_a_compaction_explains_nothing() {
    let world = World::in_memory();
    let mut writer = world.writer(&[0]);
    world.commits(&mut writer, 0..40, 2);
    let planned = world.snapshot();
    assert!(world.pass(&eager()).unwrap().compacted.rewrites > 0);
    let lost = retire(
        &world.lake,
        &world.table(),
        &planned,
        planned.files.to_vec(),
    );
    assert_eq!(lost.unwrap_err().kind(), ErrorKind::Fenced);
    let (lake, table, snapshot) = (world.lake.clone(), world.table(), world.snapshot());
    let gone = world
        .lake
        .wait(async move { retired(&lake, &table, &snapshot).await });
    assert!(gone.unwrap().unwrap().is_empty());
    assert_eq!(world.check().rows(), 40);
}

/// A table of 250 commits and two checkpoints whose first files were put together.
fn old_table(world: &World) {
    let mut writer = world.writer(&[0]);
    world.commits(&mut writer, 0..20, 1);
    world.pass(&eager()).unwrap();
    world.commits(&mut writer, 20..250, 1);
    assert_eq!(world.keys(".checkpoint.parquet").len(), 2);
}

#[test]
fn p10_old_commits_go_below_a_checkpoint_with_the_objects_that_only_they_named() {
    let world = World::in_memory();
    old_table(&world);
    let keep = Policy {
        compaction: None,
        history: Duration::ZERO,
        ..Policy::default()
    };
    let (log, data) = (world.keys("_delta_log").len(), world.keys("dt=").len());
    assert_eq!(world.pass(&keep).unwrap().cleaned.objects, 0);
    world.hours_later(23);
    world.pass(&keep).unwrap();
    assert_eq!(
        world.keys("_delta_log").len(),
        log,
        "never younger than a day"
    );
    world.hours_later(2);
    let cleaned = world.pass(&keep).unwrap().cleaned;
    assert_eq!(cleaned.objects, 20);
    assert_eq!(world.keys("dt=").len(), data - 20);
    assert_eq!(
        world.keys(".checkpoint.parquet").len(),
        1,
        "keeps a checkpoint"
    );
    let snapshot = world.snapshot();
    assert_eq!(world.check().rows(), 250);
    let oldest = (0..=snapshot.version).find(|version| world.read_version(*version).is_ok());
    let oldest = oldest.unwrap();
    assert!((1..=snapshot.version).contains(&oldest));
    for version in oldest..=snapshot.version {
        world.read_version(version).unwrap();
    }
    // The log goes on: a writer that opens it, and one more cleaning that finds nothing.
    let mut writer = world.writer(&[0]);
    world.commits(&mut writer, 250..252, 1);
    assert_eq!(world.check().rows(), 252);
    let again = world.pass(&keep).unwrap().cleaned;
    assert_eq!((again.log_files, again.objects), (0, 0));
}

#[test]
fn p16_a_pinned_version_and_what_it_reads_stays() {
    let world = World::in_memory();
    let mut writer = world.writer(&[0]);
    world.commits(&mut writer, 0..110, 1);
    let pinned = world.snapshot().version;
    let (id, lake) = (world.lake.clock().new_id(), &world.lake);
    let pin = Pin::make(lake, &world.table(), pinned, id, "replay `a`").unwrap();
    world.pass(&eager()).unwrap();
    world.commits(&mut writer, 110..330, 1);
    let two_days = Policy {
        history: Duration::from_hours(48),
        ..Policy::default()
    };
    world.hours_later(3 * 24);
    world.pass(&two_days).unwrap();
    assert_eq!(world.read_version(pinned).unwrap(), 110);
    pin.release(&world.lake).unwrap();
    world.hours_later(2);
    world.pass(&two_days).unwrap();
    assert!(world.read_version(pinned).is_err());
    let late = Pin::make(&world.lake, &world.table(), pinned, id, "replay `a`").unwrap_err();
    assert_eq!(late.kind(), ErrorKind::NotFound);
    assert!(world.keys("_eddy/pins").is_empty());
    assert_eq!(world.check().rows(), 330);
}

#[test]
fn p16_a_pin_holds_as_long_as_it_is_renewed_and_a_week_after_a_crash() {
    let world = World::in_memory();
    let mut writer = world.writer(&[0]);
    world.commits(&mut writer, 0..110, 1);
    let (lake, table, pinned) = (&world.lake, world.table(), world.snapshot().version);
    Pin::keep(lake, &table, pinned, "replay `a`").unwrap();
    world.pass(&eager()).unwrap();
    world.commits(&mut writer, 110..330, 1);
    // Renewed every day, two weeks long; there is never more than one pin of an owner.
    for _ in 0..14 {
        world.hours_later(24);
        Pin::keep(lake, &table, pinned, "replay `a`").unwrap();
        Pin::keep(lake, &table, pinned, "replay `a`").unwrap();
        world.pass(&Policy::default()).unwrap();
        assert_eq!(pins(lake, &table).unwrap().len(), 1);
        assert_eq!(world.read_version(pinned).unwrap(), 110);
    }
    // Its owner is dead: nobody renews it.
    world.hours_later(6 * 24);
    world.pass(&Policy::default()).unwrap();
    assert_eq!(world.read_version(pinned).unwrap(), 110);
    world.hours_later(2 * 24);
    world.pass(&Policy::default()).unwrap();
    assert!(world.read_version(pinned).is_err());
    assert_eq!(pins(lake, &table).unwrap(), []);
    assert!(world.keys("_eddy/pins").is_empty());
    let late = Pin::keep(lake, &table, pinned, "replay `a`").unwrap_err();
    assert_eq!(late.kind(), ErrorKind::NotFound);
}

#[test]
fn p16_an_owner_gives_up_its_own_pins_alone() {
    let world = World::in_memory();
    let mut writer = world.writer(&[0]);
    world.commits(&mut writer, 0..2, 1);
    let (lake, table, version) = (&world.lake, world.table(), world.snapshot().version);
    for owner in ["a", "b"] {
        Pin::keep(lake, &table, version, owner).unwrap();
        Pin::keep(lake, &table, version - 1, owner).unwrap();
    }
    Pin::release_all(lake, &table, version, "a").unwrap();
    Pin::release_all(lake, &table, version, "a").unwrap();
    let mut left: Vec<(String, u64)> = pins(lake, &table)
        .unwrap()
        .into_iter()
        .map(|pin| (pin.owner, pin.version))
        .collect();
    left.sort();
    let named = |owner: &str, version| (owner.to_owned(), version);
    assert_eq!(
        left,
        [
            named("a", version - 1),
            named("b", version - 1),
            named("b", version)
        ]
    );
}

#[test]
fn e6_only_what_a_journal_names_goes_and_only_after_the_grace_time() {
    for world in [World::in_memory(), World::on_disk(), World::on_s3()] {
        only_what_a_journal_names_goes(&world);
    }
}

fn only_what_a_journal_names_goes(world: &World) {
    let mut writer = world.writer(&[0]);
    world.commits(&mut writer, 0..4, 2);
    let table = world.table();
    let (abandoned, unnamed) = (
        "dt=2026-11-23/abandoned.parquet",
        "dt=2026-11-23/other.parquet",
    );
    for path in [abandoned, unnamed] {
        world.put(table.object(path).as_ref());
    }
    let others = world
        .lake
        .root()
        .clone()
        .join("years")
        .join("other-s.parquet");
    world.put(others.as_ref());
    let live = world.snapshot().files[0].path.clone();
    let (id, now_us) = (world.lake.clock().new_id(), world.lake.clock().now_us());
    let (lake, of, files) = (
        world.lake.clone(),
        table.clone(),
        vec![abandoned.to_owned(), live],
    );
    let journal = async move { write_journal(&lake, &of, id, &files, now_us).await };
    world.lake.wait(journal).unwrap().unwrap();
    let mut keeper = world.keeper();
    assert_eq!(keeper.sweep().unwrap(), 0);
    world.lake.clock().advance(GRACE);
    assert_eq!(keeper.sweep().unwrap(), 0);
    assert_eq!(world.keys("abandoned").len(), 1);
    world.hours_later(1);
    assert_eq!(keeper.sweep().unwrap(), 1);
    assert!(world.keys("abandoned").is_empty());
    assert!(world.keys("_eddy/uploads").is_empty());
    assert_eq!(world.keys("other").len(), 2, "what nobody named stays");
    assert_eq!(world.check().rows(), 4);
}

#[test]
fn p14_a_file_leaves_the_table_only_once_no_journal_names_it() {
    let world = World::in_memory();
    let mut writer = world.writer(&[0]);
    world.commits(&mut writer, 0..4, 1);
    let table = world.table();
    let files: Vec<String> = world
        .snapshot()
        .files
        .iter()
        .map(|f| f.path.clone())
        .collect();
    // A journal of two files, one of which is in no version: it can't have landed.
    let named = vec![
        files[0].clone(),
        "dt=2026-11-23/under-way.parquet".to_owned(),
    ];
    let (id, now_us) = (world.lake.clock().new_id(), world.lake.clock().now_us());
    let (lake, of) = (world.lake.clone(), table.clone());
    let journal = async move { write_journal(&lake, &of, id, &named, now_us).await };
    world.lake.wait(journal).unwrap().unwrap();
    world.pass(&eager()).unwrap();
    let left: Vec<String> = world
        .snapshot()
        .files
        .iter()
        .map(|f| f.path.clone())
        .collect();
    assert!(left.contains(&files[0]) && left.len() == 2);
    assert_eq!(world.check().rows(), 4);
}

#[test]
fn a_death_in_the_middle_of_a_rewrite_leaves_only_what_the_journal_names() {
    let world = World::in_memory();
    let mut writer = world.writer(&[0]);
    world.commits(&mut writer, 0..20, 2);
    // The commit never gets through, as if the process had died before it.
    let steps = vec![crate::testing::Step::FailBefore; 1_000];
    world.store.script("_delta_log", steps);
    assert!(world.pass(&eager()).is_err());
    world.store.script("_delta_log", []);
    assert_eq!(world.keys("dt=").len(), 11);
    assert_eq!(world.keys("_eddy/uploads").len(), 2, "and their filters");
    world.hours_later(25);
    assert_eq!(world.keeper().sweep().unwrap(), 2);
    assert_eq!(world.keys("dt=").len(), 10);
    assert_eq!(world.check().rows(), 20);
    world.pass(&eager()).unwrap();
    assert_eq!((world.check().files, world.check().rows()), (1, 20));
}
