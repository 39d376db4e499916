//! Records that a filter takes out: no rows, and explained.

use std::sync::atomic::AtomicBool;

use super::*;
use crate::budget::Budget;
use crate::commit::TableLog;
use crate::maintain::{Keeper, Policy};
use crate::read::{Alterations, filtered};

fn passed(world: &World) -> Vec<(i64, i64)> {
    let log = TableLog::open(&world.lake, &world.table())
        .unwrap()
        .unwrap();
    let history = log.history(usize::MAX).unwrap();
    let (lake, table) = (world.lake.clone(), world.table());
    let found = world
        .lake
        .wait(async move { filtered(&lake, &table, &history, &Alterations::new()).await });
    found
        .unwrap()
        .unwrap()
        .remove(&(topic(), 0))
        .unwrap_or_default()
}

fn record(offset: i64) -> Record<'static> {
    Record {
        partition: 0,
        offset,
        timestamp_ms: Some(TIME_MS),
        timestamp_type: TimestampType::Create,
        key: None,
        value: Some(b"{\"a\": 1}"),
        headers: &[],
        decoded: Default::default(),
    }
}

#[test]
fn e1_what_a_filter_passes_over_is_recorded_by_the_commit_that_moves_past_it() {
    let world = World::on_disk();
    let mut writer = world.writer();
    writer.assign(&[(0, Start::at(10))]).unwrap();
    for offset in 10..20 {
        match offset % 5 {
            0 | 1 => writer.filter(0, offset).unwrap(),
            _ => writer.append(&record(offset)).unwrap(),
        }
    }
    assert_eq!(passed(&world), [], "nothing is committed");
    assert!(writer.cut().unwrap());
    writer.wait_cut(DEADLINE).unwrap();
    assert_eq!(passed(&world), [(10, 12), (15, 17)]);
    // A cut without rows, up to the end.
    for offset in 20..25 {
        writer.filter(0, offset).unwrap();
    }
    assert!(writer.due() || writer.has_buffered());
    let released = writer.close(DEADLINE).unwrap();
    assert!(released.dropped.is_empty(), "{released:?}");
    assert_eq!(passed(&world), [(10, 12), (15, 17), (20, 25)]);
}

#[test]
fn e1_what_was_filtered_by_a_commit_that_never_landed_explains_nothing() {
    let world = World::on_disk();
    let mut stale = world.writer();
    stale.assign(&[(0, Start::at(0))]).unwrap();
    let mut other = world.writer();
    other.assign(&[(0, Start::at(0))]).unwrap();
    for offset in 0..3 {
        stale.filter(0, offset).unwrap();
        other.append(&record(offset)).unwrap();
    }
    assert!(other.cut().unwrap());
    other.wait_cut(DEADLINE).unwrap();
    assert!(stale.cut().unwrap());
    assert!(stale.wait_cut(DEADLINE).is_err(), "its fence is lost (P8)");
    assert_eq!(passed(&world), []);
}

#[test]
fn e5_a_rewind_forgets_what_was_filtered_beyond_it() {
    let world = World::on_disk();
    let mut writer = world.writer();
    writer.assign(&[(0, Start::at(0))]).unwrap();
    for offset in 0..3 {
        writer.filter(0, offset).unwrap();
    }
    writer.reset().unwrap();
    for offset in 0..3 {
        writer.append(&record(offset)).unwrap();
    }
    writer.close(DEADLINE).unwrap();
    assert_eq!(passed(&world), []);
}

#[test]
fn many_records_of_what_was_filtered_become_one_that_says_the_same() {
    let world = World::on_disk();
    let mut writer = world.writer();
    writer.assign(&[(0, Start::at(0))]).unwrap();
    let mut expected = Vec::new();
    for cut in 0..70 {
        writer.append(&record(2 * cut)).unwrap();
        writer.filter(0, 2 * cut + 1).unwrap();
        expected.push((2 * cut + 1, 2 * cut + 2));
        assert!(writer.cut().unwrap());
        writer.wait_cut(DEADLINE).unwrap();
    }
    let objects = || {
        let (lake, table) = (world.lake.clone(), world.table());
        let kept = async move {
            crate::read::filtered::kept(&lake, &table, crate::read::filtered::Kind::Filtered).await
        };
        world.lake.wait(kept).unwrap().unwrap().len()
    };
    assert_eq!(objects(), 70);
    let mut keeper = Keeper::new(&world.lake, &Budget::unlimited());
    let policy = Policy::default();
    keeper
        .pass(&world.table(), &policy, &AtomicBool::new(false))
        .unwrap();
    assert_eq!(objects(), 1);
    assert_eq!(passed(&world), expected);
    // It stands for itself, whatever of the log is left.
    let (lake, table) = (world.lake.clone(), world.table());
    let alone = world
        .lake
        .wait(async move { filtered(&lake, &table, &[], &Alterations::new()).await });
    assert_eq!(
        alone.unwrap().unwrap().remove(&(topic(), 0)),
        Some(expected)
    );
}
