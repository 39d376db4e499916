//! Altered positions: the rows beyond go in the same version, zombies can't commit any more, and
//! each offset below a position stays accounted once (P5, E1, E3).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::AtomicBool;
use std::thread;

use object_store::ObjectStoreExt;

use super::{World, eager};
use crate::commit::TableLog;
use crate::error::{ErrorKind, Result};
use crate::maintain::{Alteration, Moved, Policy, Retention, Target, alter, is_untouched};
use crate::read::{Alterations, Altered, Snapshot, alterations, consistent, filtered, retired};
use crate::record::TopicId;
use crate::testing::Step;

mod random;

fn topic() -> TopicId {
    TopicId::new("AAAAAAAAAAAAAAAAAAAAAQ")
}

fn to(targets: &[(i32, i64)]) -> Alteration {
    let target = |offset: i64| Target {
        offset,
        reset: false,
    };
    Alteration {
        topic_id: topic(),
        targets: targets
            .iter()
            .map(|(partition, offset)| (*partition, target(*offset)))
            .collect(),
        reason: "asked for".to_owned(),
    }
}

fn reset(partition: i32, offset: i64) -> Alteration {
    let mut alteration = to(&[(partition, offset)]);
    for target in alteration.targets.values_mut() {
        target.reset = true;
    }
    alteration
}

impl World {
    fn alter(&self, alteration: &Alteration) -> Result<Moved> {
        let halt = AtomicBool::new(false);
        alter(&self.lake, &self.table(), alteration, &halt)
    }

    fn alterations(&self) -> Alterations {
        let (lake, table, snapshot) = (self.lake.clone(), self.table(), self.snapshot());
        let found = async move { alterations(&lake, &table, &snapshot).await };
        self.lake.wait(found).unwrap().unwrap()
    }

    fn skipped(&self, partition: i32) -> Vec<(i64, i64)> {
        let mut found = self.alterations();
        let found = found.remove(&(topic(), partition));
        found.map_or_else(Vec::new, |altered: Altered| altered.skipped)
    }

    /// Positions and epochs.
    fn positions(&self) -> BTreeMap<i32, (i64, i64)> {
        let snapshot = self.snapshot();
        let positions = snapshot.positions.iter();
        positions
            .map(|((_, partition), position)| (*partition, (position.offset, position.epoch)))
            .collect()
    }

    fn ranges(&self) -> BTreeMap<i32, Vec<(i64, i64)>> {
        let report = self.check();
        let partitions = report.partitions.into_iter();
        partitions
            .map(|((_, partition), held)| (partition, held.ranges))
            .collect()
    }

    fn is_stored(&self, path: &str) -> bool {
        let (lake, object) = (self.lake.clone(), self.table().object(path));
        let head = async move { lake.store().head(&object).await };
        self.lake.wait(head).unwrap().is_ok()
    }
}

/// Files of both partitions, 20 offsets each, 5 a file.
fn both(world: &World) {
    let mut writer = world.writer(&[0, 1]);
    for from in (0..20).step_by(5) {
        for offset in from..from + 5 {
            for partition in [0, 1] {
                world.append(
                    &mut writer,
                    partition,
                    offset,
                    &format!("{{\"n\":{offset}}}"),
                );
            }
        }
        world.commit(&mut writer);
    }
}

#[test]
fn p2_a_position_that_was_altered_has_the_leader_epoch_of_no_record() {
    let world = World::in_memory();
    let mut writer = world.writer(&[0]);
    world.append(&mut writer, 0, 0, "{\"n\":1}");
    writer.advance(0, 5, Some(3)).unwrap();
    world.commit(&mut writer);
    let leader = || world.snapshot().position(&topic(), 0).unwrap().leader_epoch;
    assert_eq!(leader(), Some(3));
    for offset in [9, 2] {
        world.alter(&to(&[(0, offset)])).unwrap();
        assert_eq!(leader(), None, "{offset}");
    }
    let mut writer = world.writer(&[0]);
    world.append(&mut writer, 0, 2, "{\"n\":1}");
    writer.advance(0, 4, Some(3)).unwrap();
    world.commit(&mut writer);
    assert_eq!(leader(), Some(3));
}

#[test]
fn p5_a_rewind_removes_the_rows_beyond_in_the_version_that_moves_the_position() {
    for world in [World::in_memory(), World::on_disk()] {
        both(&world);
        let before = world.snapshot();
        let moved = world.alter(&to(&[(0, 7)])).unwrap();
        assert_eq!(moved.version, Some(before.version + 1));
        assert_eq!(moved.moved, [(0, Some(20), 7)]);
        // The first file stays, and each other one holds rows of partition 1.
        assert_eq!((moved.files_removed, moved.files_added), (3, 3));
        assert_eq!(
            world.positions(),
            BTreeMap::from([(0, (7, 1)), (1, (20, 0))])
        );
        let rows = BTreeMap::from([(0, vec![(0, 7)]), (1, vec![(0, 20)])]);
        assert_eq!(world.ranges(), rows);
        // A version before reads as it did, as long as it is kept.
        let old = Snapshot::load(&world.lake, &world.table(), Some(before.version)).unwrap();
        assert!(
            old.unwrap()
                .files
                .iter()
                .all(|file| world.is_stored(&file.path))
        );
        // The records come again.
        let mut writer = world.writer(&[0]);
        world.commits(&mut writer, 7..20, 4);
        assert_eq!(world.ranges()[&0], [(0, 20)]);
        assert_eq!(world.positions()[&0], (20, 1));
    }
}

#[test]
fn p5_what_is_there_already_is_left_as_it_is() {
    let world = World::in_memory();
    both(&world);
    world.alter(&to(&[(0, 7), (1, 3)])).unwrap();
    let version = world.snapshot().version;
    assert_eq!(
        world.alter(&to(&[(0, 7), (1, 3)])).unwrap(),
        Moved::default()
    );
    assert_eq!(world.snapshot().version, version);
    let half = world.alter(&to(&[(0, 7), (1, 2)])).unwrap();
    assert_eq!(half.moved, [(1, Some(3), 2)]);
    assert_eq!(
        world.positions(),
        BTreeMap::from([(0, (7, 1)), (1, (2, 2))])
    );
}

#[test]
fn p2_a_zombie_can_not_commit_though_the_position_comes_back_to_where_it_was() {
    let world = World::in_memory();
    let mut writer = world.writer(&[0]);
    world.commits(&mut writer, 0..10, 5);
    let mut zombie = world.writer(&[0]);
    world.append(&mut zombie, 0, 10, "{\"n\":10}");
    // 10, 5, and 10 again.
    world.alter(&to(&[(0, 5)])).unwrap();
    world.alter(&to(&[(0, 10)])).unwrap();
    assert!(zombie.cut().unwrap());
    let fenced = zombie.wait_cut(super::DEADLINE).unwrap_err();
    assert_eq!(fenced.kind(), ErrorKind::Fenced);
    assert_eq!(world.positions()[&0], (10, 2));
    let resumed = zombie.reset().unwrap();
    assert_eq!(resumed[0].1.offset, 10);
    assert_eq!(
        (world.ranges()[&0].clone(), world.skipped(0)),
        (vec![(0, 5)], vec![(5, 10)])
    );
}

#[test]
fn e8_rows_that_were_live_are_not_readable_beyond_the_target() {
    let world = World::in_memory();
    let mut writer = world.writer(&[0]);
    world.commits(&mut writer, 0..10, 5);
    let batches = |world: &World| world.lake.live().batches(&world.table()).len();
    assert_eq!(batches(&world), 2, "within their grace time");
    world.alter(&to(&[(0, 5)])).unwrap();
    assert_eq!(batches(&world), 1);
    let answer = consistent(&world.lake, &Default::default(), &world.table(), &[]);
    let answer = answer.unwrap().unwrap();
    assert!(answer.live.is_empty());
    assert_eq!(answer.ends[&(topic(), 0)], 5);
}

#[test]
fn e1_a_jump_is_skipped_by_name_and_a_rewind_into_it_takes_it_back() {
    let world = World::in_memory();
    let mut writer = world.writer(&[0]);
    world.commits(&mut writer, 0..4, 2);
    world.alter(&to(&[(0, 10)])).unwrap();
    assert_eq!(world.skipped(0), [(4, 10)]);
    assert_eq!(world.alterations()[&(topic(), 0)].reason, "asked for");
    let mut writer = world.writer(&[0]);
    world.commits(&mut writer, 10..14, 2);
    world.alter(&to(&[(0, 6)])).unwrap();
    assert_eq!(world.skipped(0), [(4, 6)]);
    let mut writer = world.writer(&[0]);
    world.commits(&mut writer, 6..14, 3);
    assert_eq!(world.ranges()[&0], [(0, 4), (6, 14)]);
}

#[test]
fn a_reset_partition_is_as_a_new_one_until_something_moves_it() {
    let world = World::in_memory();
    let mut writer = world.writer(&[0]);
    let untouched = |world: &World| {
        let position = world.snapshot().position(&topic(), 0).unwrap();
        is_untouched(position, world.alterations().get(&(topic(), 0)))
    };
    assert!(untouched(&world), "it has just begun");
    world.commits(&mut writer, 0..4, 2);
    assert!(!untouched(&world));
    world.alter(&reset(0, 0)).unwrap();
    assert!(untouched(&world) && world.check().rows() == 0);
    let version = world.snapshot().version;
    world.alter(&reset(0, 0)).unwrap();
    assert_eq!(world.snapshot().version, version);
    world.alter(&to(&[(0, 0)])).unwrap();
    assert!(!untouched(&world), "somebody named it");
    world.alter(&reset(0, 0)).unwrap();
    let mut writer = world.writer(&[0]);
    world.commits(&mut writer, 0..1, 1);
    assert!(!untouched(&world));
}

#[test]
fn p3_a_partition_that_the_table_does_not_know_begins_where_it_is_put() {
    let world = World::in_memory();
    let mut writer = world.writer(&[0]);
    world.commits(&mut writer, 0..4, 2);
    world.alter(&to(&[(1, 50)])).unwrap();
    assert_eq!(world.positions()[&1], (50, 0));
    assert!(world.skipped(1).is_empty());
    // A rewind may go below where it began.
    world.alter(&to(&[(1, 20)])).unwrap();
    let mut writer = world.writer(&[1]);
    world.append(&mut writer, 1, 20, "{\"n\":20}");
    world.commit(&mut writer);
    assert_eq!(world.ranges()[&1], [(20, 21)]);
}

#[test]
fn e1_what_was_filtered_or_retired_beyond_the_target_explains_nothing_any_more() {
    let world = World::in_memory();
    let mut writer = world.writer(&[0]);
    world.commits(&mut writer, 0..10, 5);
    for offset in 10..20 {
        writer.filter(0, offset).unwrap();
    }
    world.commit(&mut writer);
    let policy = Policy {
        retention: Retention {
            bytes: Some(0),
            ..Retention::default()
        },
        ..Policy::default()
    };
    world.pass(&policy).unwrap();
    let explained = |world: &World| {
        let (lake, table, snapshot) = (world.lake.clone(), world.table(), world.snapshot());
        let log = TableLog::open(&lake, &table).unwrap().unwrap();
        let (history, known) = (log.history(usize::MAX).unwrap(), world.alterations());
        let found = async move {
            let passed = filtered(&lake, &table, &history, &known).await.unwrap();
            let gone = retired(&lake, &table, &snapshot).await.unwrap();
            [gone, passed].map(|mut of| of.remove(&(topic(), 0)).unwrap_or_default())
        };
        world.lake.wait(found).unwrap()
    };
    assert_eq!(explained(&world), [vec![(0, 10)], vec![(10, 20)]]);
    world.alter(&to(&[(0, 15)])).unwrap();
    assert_eq!(explained(&world), [vec![(0, 10)], vec![(10, 15)]]);
    // Recorded anew: nothing of it was filtered this time, and then a part of it was.
    let mut writer = world.writer(&[0]);
    world.commits(&mut writer, 15..18, 3);
    writer.filter(0, 18).unwrap();
    world.commit(&mut writer);
    assert_eq!(explained(&world), [vec![(0, 10)], vec![(10, 15), (18, 19)]]);
    world.alter(&to(&[(0, 3)])).unwrap();
    assert_eq!(explained(&world), [vec![(0, 3)], vec![]]);
}

#[test]
fn e6_what_a_rewind_took_out_goes_after_the_grace_time() {
    let world = World::in_memory();
    let mut writer = world.writer(&[0]);
    world.commits(&mut writer, 0..250, 2);
    let beyond = world.snapshot().files.iter().last().unwrap().path.clone();
    let all: BTreeSet<String> = world.keys("dt=").into_iter().collect();
    world.alter(&to(&[(0, 0)])).unwrap();
    assert!(world.is_stored(&beyond));
    let mut writer = world.writer(&[0]);
    world.commits(&mut writer, 0..250, 1);
    world.hours_later(200);
    world.pass(&Policy::default()).unwrap();
    assert!(world.keys("dt=").iter().all(|key| !all.contains(key)));
    assert_eq!(world.check().rows(), 250);
}

#[test]
fn an_alteration_that_dies_at_any_put_is_finished_by_the_same_request() {
    for death in [Step::FailBefore, Step::LoseAnswer] {
        let mut deaths = 0;
        loop {
            let world = World::in_memory();
            both(&world);
            let mut steps = vec![Step::Pass; deaths];
            steps.push(death);
            steps.extend(vec![Step::FailBefore; 1_000]);
            world.store.script("", steps);
            let died = world.alter(&to(&[(0, 7), (1, 12)]));
            world.store.script("", []);
            // Whatever became of it, each version is whole.
            let now = world.positions();
            let positions = [(20, 20), (7, 12)];
            assert!(positions.contains(&(now[&0].0, now[&1].0)), "{now:?}");
            world.check();
            world.alter(&to(&[(0, 7), (1, 12)])).unwrap();
            let rows = BTreeMap::from([(0, vec![(0, 7)]), (1, vec![(0, 12)])]);
            assert_eq!(world.ranges(), rows, "{deaths} {death:?}");
            assert_eq!(
                world.positions(),
                BTreeMap::from([(0, (7, 1)), (1, (12, 1))])
            );
            if died.is_ok() {
                break;
            }
            deaths += 1;
        }
        // Journals and files, the record, the commit.
        assert!(deaths > 4, "{deaths} {death:?}");
    }
}

#[test]
fn p15_a_rewind_beside_compactions_loses_and_doubles_nothing() {
    let world = World::in_memory();
    for round in 0..6 {
        let mut writer = world.writer(&[0]);
        let from = world.positions()[&0].0;
        world.commits(&mut writer, from..60, 3);
        thread::scope(|scope| {
            scope.spawn(|| world.pass(&eager()).unwrap());
            scope.spawn(|| world.alter(&to(&[(0, 50 - round * 7)])).unwrap());
        });
        assert_eq!(world.ranges()[&0], [(0, 50 - round * 7)]);
    }
}

#[test]
fn an_offset_below_zero_and_a_table_that_is_not_there_are_refused() {
    let world = World::in_memory();
    let nothing = world.alter(&to(&[(0, 1)])).unwrap_err();
    assert_eq!(nothing.kind(), ErrorKind::NotFound);
    both(&world);
    let negative = world.alter(&to(&[(0, -1)])).unwrap_err();
    assert_eq!(negative.kind(), ErrorKind::Invalid);
}
