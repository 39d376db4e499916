//! Giving partitions up (P7, E5).

use super::*;
use crate::error::ErrorKind;
use crate::testing::Step;

fn live_partitions(world: &World) -> Vec<i32> {
    let snapshot = world.snapshot();
    let live = world.lake.live().batches(&world.table());
    let beyond = crate::read::clip::clip(&live, &snapshot.positions).unwrap();
    let mut partitions: Vec<i32> = beyond
        .batches
        .iter()
        .flat_map(offsets)
        .map(|(partition, _)| partition)
        .collect();
    partitions.sort_unstable();
    partitions.dedup();
    partitions
}

#[test]
fn e5_revoked_partition_is_committed_before_the_revoke_is_acknowledged() {
    let world = World::in_memory();
    let (mut writer, _) = world.assigned(&[0, 1]);
    append(&mut writer, 0, 0, 10);
    append(&mut writer, 1, 0, 10);
    assert!(writer.cut().unwrap());
    append(&mut writer, 0, 10, 20);
    append(&mut writer, 1, 10, 20);
    let released = writer.release(&[0], DEADLINE).unwrap();
    assert!(released.rewind.is_empty() && released.dropped.is_empty());
    assert!(released.committed.contains(&range(0, 20)));
    assert!(released.committed.contains(&range(1, 20)));
    assert_eq!(writer.assigned(), [(1, 20)]);
    assert!(writer.append(&record(0, 20, b"{}")).is_err());
    assert_eq!(world.each_offset_once(), BTreeMap::from([(0, 20), (1, 20)]));
}

#[test]
fn releasing_what_has_nothing_buffered_needs_no_store() {
    let world = World::faulty();
    let (mut writer, _) = world.assigned(&[0, 1]);
    world.store().script("", vec![Step::FailBefore; 100]);
    append(&mut writer, 1, 0, 10);
    let released = writer.release(&[0], Duration::ZERO).unwrap();
    assert_eq!(released, crate::write::Released::default());
    assert_eq!(writer.assigned(), [(1, 10)]);
}

#[test]
fn p7_beyond_the_deadline_the_partition_is_dropped_and_its_co_tenants_are_rewound() {
    let world = World::faulty();
    let (mut writer, _) = world.assigned(&[0, 1, 2]);
    append(&mut writer, 0, 0, 10);
    append(&mut writer, 1, 0, 10);
    commit(&mut writer);
    world.store().script("", vec![Step::FailBefore; 10_000]);
    append(&mut writer, 0, 10, 15);
    append(&mut writer, 1, 10, 17);
    assert!(writer.cut().unwrap());
    append(&mut writer, 1, 17, 19);
    let released = writer.release(&[0], Duration::from_millis(50)).unwrap();
    assert_eq!(released.dropped, [0]);
    assert_eq!(released.rewind, [(1, 10)]);
    assert_eq!(writer.assigned(), [(1, 10), (2, 0)]);
    assert!(
        live_partitions(&world).is_empty(),
        "E5: nothing stays visible"
    );
    assert_eq!(writer.memory(), 0);

    world.store().script("", []);
    append(&mut writer, 1, 10, 25);
    commit(&mut writer);
    let (mut successor, next) = world.assigned(&[0]);
    append(&mut successor, 0, next[&0], 30);
    commit(&mut successor);
    assert_eq!(
        world.each_offset_once(),
        BTreeMap::from([(0, 30), (1, 25), (2, 0)])
    );
}

#[test]
fn p7_what_shares_no_cut_in_flight_with_the_revoked_partition_stays_in_flight() {
    let world = World::faulty();
    let (mut writer, _) = world.assigned(&[0, 1]);
    append(&mut writer, 1, 0, 10);
    // The first cut waits for the store; the second can't begin.
    world
        .store()
        .script("_delta_log", vec![Step::FailBefore; 10_000]);
    assert!(writer.cut().unwrap());
    append(&mut writer, 0, 0, 5);
    append(&mut writer, 1, 10, 12);
    let released = writer.release(&[0], Duration::from_millis(50)).unwrap();
    assert_eq!(released.dropped, [0]);
    assert_eq!(released.rewind, [(1, 10)]);
    world.store().script("", []);
    assert_eq!(settled(&mut writer), [range(1, 10)]);
    append(&mut writer, 1, 10, 20);
    commit(&mut writer);
    assert_eq!(world.each_offset_once(), BTreeMap::from([(0, 0), (1, 20)]));
}

#[test]
fn p7_a_commit_that_lands_after_its_deadline_is_noticed_by_the_fence_and_doubles_nothing() {
    let world = World::faulty();
    let (mut writer, _) = world.assigned(&[0, 1]);
    append(&mut writer, 0, 0, 1);
    append(&mut writer, 1, 0, 1);
    commit(&mut writer);
    append(&mut writer, 0, 1, 10);
    append(&mut writer, 1, 1, 10);
    let mut steps = vec![Step::Delay];
    steps.extend(vec![Step::FailBefore; 10_000]);
    world.store().script("_delta_log", steps);
    let commits = || {
        let puts = world.store().puts().into_iter();
        puts.filter(|path| path.as_ref().contains("_delta_log"))
            .count()
    };
    let before = commits();
    assert!(writer.cut().unwrap());
    // However slow the machine: the deadline is to pass while the put is under way.
    let clock = Clock::system();
    let until = clock.monotonic() + DEADLINE;
    while commits() == before {
        assert!(clock.monotonic() < until, "no commit was put");
        clock.block(Duration::from_millis(1));
    }
    let released = writer.release(&[0], Duration::from_millis(200)).unwrap();
    assert_eq!(released.rewind, [(1, 1)]);
    // The first put was under way all the time and arrives now.
    let store = world.store().clone();
    let delivered = world.lake.wait(async move { store.deliver().await.len() });
    assert_eq!(delivered.unwrap(), 1);
    world.store().script("", []);
    append(&mut writer, 1, 1, 20);
    assert!(writer.cut().unwrap());
    assert_eq!(
        writer.wait_cut(DEADLINE).unwrap_err().kind(),
        ErrorKind::Fenced
    );
    assert_eq!(writer.reset().unwrap()[0].1.offset, 10);
    append(&mut writer, 1, 10, 20);
    commit(&mut writer);
    assert_eq!(world.each_offset_once(), BTreeMap::from([(0, 10), (1, 20)]));
}

#[test]
fn closing_commits_what_is_buffered() {
    let world = World::in_memory();
    let (mut writer, _) = world.assigned(&[0]);
    append(&mut writer, 0, 0, 10);
    assert_eq!(writer.close(DEADLINE).unwrap().committed, [range(0, 10)]);
    assert_eq!(world.each_offset_once()[&0], 10);
}
