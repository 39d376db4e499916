//! What becomes of packs: put, put together, forgotten, removed, broken.

use std::collections::BTreeSet;
use std::ops::Range;
use std::time::Duration;

use super::{MEMORY, column};
use crate::filter::{Allowed, Filters, Wanted};
use crate::maintain::compact::{Limits, compact};
use crate::maintain::output::FileLimits;
use crate::maintain::packs::Packs;
use crate::maintain::tests::erasure::when;
use crate::maintain::tests::{World, eager};
use crate::maintain::{Compaction, Policy, Retention, receipts};
use crate::testing::Step;
use crate::write::TableWriter;

#[test]
fn rows_held_back_for_a_sample_are_written_into_however_many_files_they_fill() {
    let world = World::in_memory();
    let mut writer = world.writer(&[0]);
    world.commits(&mut writer, 0..60, 10);
    let snapshot = world.snapshot();
    let limits = Limits {
        files: FileLimits::of(1),
        memory_bytes: 1,
    };
    let halt = std::sync::atomic::AtomicBool::new(false);
    let bin = snapshot.files.to_vec();
    compact(&world.lake, &world.table(), &snapshot, &bin, limits, &halt).unwrap();
    let report = world.check();
    assert_eq!(
        (report.files, report.rows()),
        (6, 60),
        "a file of each batch"
    );
    for n in 0..60 {
        assert_eq!(world.may_hold(&Wanted::words(&format!("order {n}"))).1, 0);
    }
}

/// A table of one file per range, compacted from two each, so that each has filters.
pub(super) fn compacted(
    world: &World,
    ranges: impl IntoIterator<Item = Range<i64>>,
) -> TableWriter {
    let mut writer = world.writer(&[0]);
    for range in ranges {
        let middle = (range.start + range.end) / 2;
        let before = world.snapshot_or_none();
        world.commits(&mut writer, range.start..middle, 1_000);
        world.commits(&mut writer, middle..range.end, 1_000);
        world.compact_what_is_new(before);
    }
    writer
}

impl World {
    fn snapshot_or_none(&self) -> BTreeSet<String> {
        let snapshot = crate::read::Snapshot::load(&self.lake, &self.table(), None).unwrap();
        let files = snapshot.iter().flat_map(|snapshot| snapshot.files.iter());
        files.map(|file| file.path.clone()).collect()
    }

    fn compact_what_is_new(&self, before: BTreeSet<String>) {
        let snapshot = self.snapshot();
        let new = snapshot
            .files
            .iter()
            .filter(|file| !before.contains(&file.path));
        let bin = new.cloned().collect();
        let limits = Limits {
            files: FileLimits::of(1 << 20),
            memory_bytes: 1 << 20,
        };
        let halt = std::sync::atomic::AtomicBool::new(false);
        compact(&self.lake, &self.table(), &snapshot, &bin, limits, &halt).unwrap();
    }
}

#[test]
fn many_packs_become_one_that_says_the_same_and_the_old_ones_go_after_the_grace_time() {
    let world = World::in_memory();
    let ranges = (0..20).map(|at| at * 40..at * 40 + 10 + at);
    let mut writer = compacted(&world, ranges);
    assert_eq!(world.keys("_eddy/filters").len(), 20);
    let probes: Vec<Wanted> = (0..800)
        .step_by(13)
        .flat_map(|n| {
            [
                Wanted::words(&format!("key {n}")),
                Wanted::bytes(&column(&["_key"]), format!("key-{n}").as_bytes()),
                Wanted::bytes(&column(&["name"]), format!("order {n}").as_bytes()),
            ]
        })
        .collect();
    let answers = |world: &World| {
        let (snapshot, filters) = (world.snapshot(), Filters::new(&world.lake, MEMORY));
        let verdicts = probes
            .iter()
            .map(|wanted| world.ask_of(&snapshot, &filters, wanted));
        verdicts
            .map(|verdict| verdict.row_groups)
            .collect::<Vec<_>>()
    };
    let before = answers(&world);
    let kept = world.pass(&lazy()).unwrap();
    assert_eq!((kept.filtered.packs, kept.filtered.files), (20, 0));
    assert_eq!(world.keys("_eddy/filters").len(), 21);
    assert!(answers(&world) == before);
    assert_eq!(world.pass(&lazy()).unwrap().filtered.packs, 0, "once");
    let one = world.ask(&probes[0]);
    assert!(
        one.requests <= 1 + 21 + 2,
        "{one:?}: a listing, the footers, a section for each word"
    );

    world.hours_later(25);
    assert_eq!(world.keeper().sweep().unwrap(), 20);
    assert_eq!(world.keys("_eddy/filters").len(), 1);
    assert_eq!(world.keys("_eddy/uploads").len(), 0);
    assert!(answers(&world) == before);
    // What is compacted further leaves the pack, once it is due again.
    world.commits(&mut writer, 800..810, 5);
    world.pass(&eager()).unwrap();
    assert_eq!(world.check().files, 1);
}

/// Leaves files as they are.
pub(super) fn lazy() -> Policy {
    Policy {
        compaction: Some(Compaction {
            least_files: 1_000,
            quiet: Duration::from_hours(24 * 365),
            ..Compaction::default()
        }),
        ..Policy::default()
    }
}

#[test]
fn a_file_that_compaction_leaves_alone_gets_its_filters_later() {
    let world = World::on_disk();
    let mut writer = world.writer(&[0]);
    world.commits(&mut writer, 0..30, 30);
    let policy = Policy::default();
    assert_eq!(
        world.pass(&policy).unwrap().filtered.files,
        0,
        "it may be compacted yet"
    );
    assert_eq!(world.may_hold(&Wanted::words("1999")), (0, 1));
    world.hours_later(3);
    assert_eq!(world.pass(&policy).unwrap().filtered.files, 1);
    for n in 0..30 {
        assert_eq!(
            world.may_hold(&Wanted::words(&format!("order {n}"))),
            (1, 0)
        );
        let key = format!("key-{n}");
        assert_eq!(
            world.may_hold(&Wanted::bytes(&column(&["_key"]), key.as_bytes())),
            (1, 0)
        );
    }
    assert_eq!(world.may_hold(&Wanted::words("1999")), (0, 0));
    world.hours_later(3);
    assert_eq!(world.pass(&policy).unwrap().filtered.files, 0, "once");
    assert_eq!(world.keys("_eddy/uploads").len(), 0);
}

#[test]
fn a_query_sees_the_filters_of_each_version_that_it_asks_of() {
    let world = World::in_memory();
    let filters = Filters::new(&world.lake, MEMORY);
    let mut writer = world.writer(&[0]);
    world.commits(&mut writer, 0..20, 5);
    let wanted = Wanted::words("19");
    assert_eq!(
        world.ask_through(&filters, &wanted).row_groups,
        [None, None, None, None]
    );
    world.compact_into_groups_of(10, 5);
    let verdict = world.ask_through(&filters, &wanted);
    let last = Allowed::Slices {
        wanted: std::iter::once(5..10).collect(),
        rows: 10,
    };
    assert_eq!(verdict.row_groups, [Some(vec![Allowed::Nothing, last])]);
    assert!(verdict.requests > 0 && verdict.bytes > 0);
    let again = world.ask_through(&filters, &wanted);
    assert_eq!((again.requests, again.bytes), (0, 0), "from memory");
    assert_eq!(again.row_groups, verdict.row_groups);
}

#[test]
fn e6_packs_go_with_the_last_of_their_files() {
    let world = World::in_memory();
    let mut writer = compacted(&world, [0..20, 20..40]);
    world.hours_later(25);
    let policy = Policy {
        retention: Retention {
            age: Some(Duration::from_hours(24)),
            bytes: None,
        },
        history: Duration::from_hours(24),
        ..lazy()
    };
    world.pass(&policy).unwrap();
    assert_eq!(world.check().files, 0);
    assert_eq!(
        world.keys("_eddy/filters").len(),
        2,
        "older versions have them"
    );
    // A checkpoint, and then a day.
    for offset in 40..145 {
        world.append_at(&mut writer, 0, offset, 25 * 3_600, "{}");
        world.commit(&mut writer);
    }
    world.hours_later(25);
    world.pass(&policy).unwrap();
    assert_eq!(world.keys("_eddy/filters").len(), 0);
    world.check();
}

#[test]
fn erased_rows_leave_the_filters_too_also_those_that_were_put_together_meanwhile() {
    let world = World::in_memory();
    compacted(&world, (0..18).map(|at| at * 20..at * 20 + 20));
    let erased = Wanted::words("key 33");
    assert_eq!(world.may_hold(&erased).0, 1);
    let id = world.lake.clock().new_id();
    // Somebody begins to put packs together before the erasure and is done after it.
    let before = Packs::read(&world.lake, &world.table()).unwrap();
    let snapshot = world.snapshot();
    let live = snapshot.files.iter().map(|file| file.path.as_str());
    let receipt = world.erase(id, &when(|n| n == 33)).unwrap();
    assert_eq!((receipt.rows, receipt.filters.len()), (1, 1));
    assert_eq!(
        world.may_hold(&erased),
        (0, 0),
        "the rewritten file has filters of its own"
    );
    let none = BTreeSet::new();
    let merged = before.merge(&world.lake, &world.table(), &live.collect(), &none);
    assert_eq!(merged.unwrap(), 18);
    assert!(world.packed_files().contains(&receipt.files[0]));
    for hours in [25, 25, 2] {
        world.hours_later(hours);
        world.pass(&lazy()).unwrap();
    }
    let receipt = receipts(&world.lake, &world.table()).unwrap().remove(0);
    assert!(receipt.removed_us.is_some(), "{receipt:?}");
    assert!(!world.packed_files().contains(&receipt.files[0]));
    assert_eq!(world.check().rows(), 359);
}

#[test]
fn a_compaction_that_dies_leaves_no_filters_that_nobody_names() {
    let world = World::in_memory();
    let mut writer = world.writer(&[0]);
    world.commits(&mut writer, 0..20, 2);
    world
        .store
        .script("_delta_log", vec![Step::FailBefore; 1_000]);
    assert!(world.pass(&eager()).is_err());
    world.store.script("_delta_log", []);
    assert_eq!(world.keys("_eddy/filters").len(), 1);
    world.hours_later(23);
    world.keeper().sweep().unwrap();
    assert_eq!(
        world.keys("_eddy/filters").len(),
        1,
        "its commit may be under way"
    );
    world.hours_later(2);
    assert_eq!(world.keeper().sweep().unwrap(), 2);
    assert_eq!(world.keys("_eddy/filters").len(), 0);
    assert_eq!(world.keys("_eddy/uploads").len(), 0);
    assert_eq!(world.check().rows(), 20);
}

#[test]
fn filters_that_can_not_be_put_cost_nothing_but_themselves() {
    let world = World::in_memory();
    let mut writer = world.writer(&[0]);
    world.commits(&mut writer, 0..20, 2);
    world
        .store
        .script("_eddy/filters", vec![Step::FailBefore; 1_000]);
    world.pass(&eager()).unwrap();
    assert_eq!((world.check().files, world.check().rows()), (1, 20));
    assert_eq!(world.may_hold(&Wanted::words("1999")), (0, 1));
    world.store.script("_eddy/filters", []);
    world.hours_later(3);
    assert_eq!(world.pass(&eager()).unwrap().filtered.files, 1);
    assert_eq!(world.may_hold(&Wanted::words("1999")), (0, 0));
}

#[test]
fn a_pack_that_is_missing_or_broken_is_as_none_and_is_made_anew() {
    for broken in ["missing", "short", "flipped", "empty", "other"] {
        let world = World::in_memory();
        compacted(&world, [0..20, 20..40]);
        let wanted = Wanted::words("1999");
        assert_eq!(world.may_hold(&wanted), (0, 0));
        let warm = Filters::new(&world.lake, MEMORY);
        world.ask_through(&warm, &Wanted::words("7"));
        let key = world.keys("_eddy/filters").remove(0);
        match broken {
            "missing" => world.remove(&key),
            "short" => world.overwrite(&key, |bytes| bytes.truncate(bytes.len() - 9)),
            "flipped" => world.overwrite(&key, |bytes| bytes.iter_mut().for_each(|b| *b ^= 1)),
            "empty" => world.overwrite(&key, Vec::clear),
            _ => world.overwrite(&key, |bytes| *bytes = vec![7; 100_000]),
        }
        assert_eq!(world.may_hold(&wanted), (0, 1), "{broken}");
        for _ in 0..2 {
            let verdict = world.ask_through(&warm, &Wanted::words("1999"));
            let may: Vec<bool> = verdict
                .row_groups
                .iter()
                .map(|file| {
                    let nothing = |groups: &Vec<Allowed>| {
                        groups.iter().all(|group| *group == Allowed::Nothing)
                    };
                    !file.as_ref().is_some_and(nothing)
                })
                .collect();
            let denied = may.iter().filter(|may| !**may).count();
            assert!(denied >= 1, "{broken}: the other pack still helps");
        }
        world.hours_later(3);
        let kept = world.pass(&lazy_but_filtering()).unwrap();
        assert_eq!(kept.filtered.files, 1, "{broken}");
        assert_eq!(world.may_hold(&wanted), (0, 0));
        world.hours_later(25);
        world.keeper().sweep().unwrap();
        assert_eq!(world.keys("_eddy/filters").len(), 2, "{broken}");
        assert_eq!(world.may_hold(&wanted), (0, 0));
    }
}

pub(super) fn lazy_but_filtering() -> Policy {
    Policy {
        compaction: Some(Compaction {
            target_bytes: 1,
            ..Compaction::default()
        }),
        ..Policy::default()
    }
}
