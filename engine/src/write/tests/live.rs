//! Live rows of a real writer joined with a real table (P20, E8).

use super::*;
use crate::read::{SnapshotCache, consistent};
use crate::testing::Step;

/// What a query sees: committed and live rows together.
pub(super) fn answer(world: &World, cache: &SnapshotCache) -> Vec<(i32, i64)> {
    let answer = consistent(&world.lake, cache, &world.table(), &[])
        .unwrap()
        .unwrap();
    let mut seen = Vec::new();
    for file in answer.snapshot.files.iter() {
        for batch in read(world.bytes(&file.path)) {
            seen.extend(offsets(&batch));
        }
    }
    for batch in &answer.live {
        seen.extend(offsets(batch));
    }
    seen.sort_unstable();
    let expected: Vec<_> = answer
        .ends
        .iter()
        .flat_map(|((_, partition), end)| (0..*end).map(|offset| (*partition, offset)))
        .collect();
    assert_eq!(seen, expected, "E8: one contiguous prefix per partition");
    seen
}

#[test]
fn e8_a_record_is_visible_once_published_and_once_only_after_the_commit() {
    let world = World::faulty();
    let cache = SnapshotCache::new();
    let (mut writer, _) = world.assigned(&[0, 1]);
    append(&mut writer, 0, 0, 4);
    assert!(answer(&world, &cache).is_empty());
    writer.publish().unwrap();
    assert_eq!(answer(&world, &cache).len(), 4);
    append(&mut writer, 1, 0, 2);
    // In flight, not yet committed.
    world
        .store()
        .script("_delta_log", vec![Step::FailBefore; 10_000]);
    assert!(writer.cut().unwrap());
    assert_eq!(answer(&world, &cache).len(), 6);
    world.store().script("", []);
    settled(&mut writer);
    assert_eq!(answer(&world, &cache).len(), 6);
    append(&mut writer, 0, 4, 5);
    writer.publish().unwrap();
    assert_eq!(answer(&world, &cache).len(), 7);
    drop(writer);
    assert_eq!(
        answer(&world, &cache).len(),
        6,
        "live rows are read-uncommitted"
    );
}

#[test]
fn p20_hand_overs_between_tasks_neither_miss_nor_double_a_record() {
    let world = World::in_memory();
    let cache = SnapshotCache::new();
    let (mut a, _) = world.assigned(&[0, 1]);
    let mut b = world.writer();
    let mut seed = 7_u64;
    for round in 0..60 {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let (from, to) = if round % 2 == 0 {
            (&mut a, &mut b)
        } else {
            (&mut b, &mut a)
        };
        for (partition, next) in from.assigned() {
            append(from, partition, next, next + 3);
        }
        from.publish().unwrap();
        let before = answer(&world, &cache);
        if (seed >> 33).is_multiple_of(3) {
            from.cut().unwrap();
        }
        assert!(
            answer(&world, &cache).len() >= before.len(),
            "round {round}"
        );
        if (seed >> 40).is_multiple_of(2) {
            let moving: Vec<_> = from
                .assigned()
                .iter()
                .map(|(partition, _)| *partition)
                .collect();
            from.release(&moving, DEADLINE).unwrap();
            assert!(
                answer(&world, &cache).len() >= before.len(),
                "round {round}"
            );
            assign(to, &moving);
        }
        if from.in_flight() {
            settled(from);
        }
        assert!(
            answer(&world, &cache).len() >= before.len(),
            "round {round}"
        );
    }
    world.each_offset_once();
}
