//! Kills, zombies and lost fences: each offset exactly once, whatever happens.

use super::*;
use crate::error::ErrorKind;

/// Goes on reading where the table says, as a consumer that seeks would.
fn read_on(writer: &mut TableWriter, next: &BTreeMap<i32, i64>, to: i64) {
    for (partition, from) in next {
        append(writer, *partition, *from, to.max(*from));
    }
}

#[test]
fn e1_a_writer_that_dies_at_any_moment_leaves_each_offset_exactly_once() {
    let world = World::in_memory();
    for round in 0..12_i64 {
        let (mut writer, next) = world.assigned(&[0, 1]);
        read_on(&mut writer, &next, round * 10);
        match round % 4 {
            // Dies with rows in the shredder, in the buffer, in flight, and after a commit.
            0 => {}
            1 => writer.publish().unwrap(),
            2 => assert!(writer.cut().unwrap()),
            _ => drop(commit(&mut writer)),
        }
        drop(writer);
        assert!(world.lake.live().batches(&world.table()).len() <= 16);
    }
    let (mut writer, next) = world.assigned(&[0, 1]);
    read_on(&mut writer, &next, 200);
    // A commit that its writer left in flight may land between our look and our cut.
    while writer.cut().unwrap() {
        if let Err(error) = writer.wait_cut(DEADLINE) {
            assert_eq!(error.kind(), ErrorKind::Fenced);
            for (partition, position) in writer.reset().unwrap() {
                append(&mut writer, partition, position.offset, 200);
            }
        }
    }
    assert_eq!(
        world.each_offset_once(),
        BTreeMap::from([(0, 200), (1, 200)])
    );
}

#[test]
fn p8_a_zombie_commits_nothing_and_goes_on_after_a_reset() {
    let world = World::in_memory();
    let (mut zombie, _) = world.assigned(&[0, 1]);
    append(&mut zombie, 0, 0, 10);
    append(&mut zombie, 1, 0, 10);
    let (mut successor, next) = world.assigned(&[0]);
    append(&mut successor, 0, next[&0], 5);
    commit(&mut successor);

    assert!(zombie.cut().unwrap());
    let lost = zombie.wait_cut(DEADLINE).unwrap_err();
    assert_eq!(lost.kind(), ErrorKind::Fenced);
    assert_eq!(world.each_offset_once(), BTreeMap::from([(0, 5), (1, 0)]));
    // Everything is refused until the reset.
    assert_eq!(
        zombie.append(&record(1, 10, b"{}")).unwrap_err().kind(),
        ErrorKind::Fenced
    );
    assert_eq!(zombie.poll().unwrap_err().kind(), ErrorKind::Fenced);
    assert!(
        world
            .lake
            .live()
            .batches(&world.table())
            .iter()
            .all(|live| {
                live.ranges
                    .iter()
                    .all(|range| range.partition == 0 && range.hi <= 5)
            })
    );

    let positions = zombie.reset().unwrap();
    assert_eq!(positions[0].1.offset, 5);
    assert_eq!(positions[1].1.offset, 0);
    // A record that was on its way before the seek doesn't open a gap.
    assert_eq!(
        zombie.append(&record(1, 10, b"{}")).unwrap_err().kind(),
        ErrorKind::Invalid
    );
    append(&mut zombie, 0, 5, 8);
    append(&mut zombie, 1, 0, 12);
    commit(&mut zombie);
    assert_eq!(world.each_offset_once(), BTreeMap::from([(0, 8), (1, 12)]));
}

/// A compacted topic: the records that the writer had buffered were replaced by later ones.
#[test]
fn p7_what_was_dropped_and_is_gone_from_the_topic_holds_up_nothing_after_a_seek() {
    let world = World::in_memory();
    let (mut writer, _) = world.assigned(&[0]);
    append(&mut writer, 0, 0, 10);
    let positions = writer.reset().unwrap();
    assert_eq!(positions[0].1.offset, 0);
    let late = writer.append(&record(0, 10, b"{}")).unwrap_err();
    assert_eq!(late.kind(), ErrorKind::Invalid);
    writer.sought(0, 0);
    append(&mut writer, 0, 10, 12);
    writer.advance(0, 13, None).unwrap();
    assert_eq!(commit(&mut writer), [range(0, 13)]);
    assert_eq!(offsets(&world.rows()), [(0, 10), (0, 11)]);
}

#[test]
fn two_writers_of_one_table_take_turns_without_losing_a_row() {
    let world = World::in_memory();
    let (mut a, _) = world.assigned(&[0]);
    let (mut b, _) = world.assigned(&[1]);
    for round in 0..20 {
        append(&mut a, 0, round * 10, round * 10 + 10);
        append(&mut b, 1, round * 10, round * 10 + 10);
        assert!(a.cut().unwrap() && b.cut().unwrap());
        settled(&mut a);
        settled(&mut b);
    }
    assert_eq!(
        world.each_offset_once(),
        BTreeMap::from([(0, 200), (1, 200)])
    );
}

#[test]
fn assigning_more_while_a_commit_is_in_flight_disturbs_nothing() {
    let world = World::in_memory();
    let (mut writer, _) = world.assigned(&[0]);
    append(&mut writer, 0, 0, 5_000);
    assert!(writer.cut().unwrap());
    assert_eq!(assign(&mut writer, &[1, 2])[&2], 0);
    append(&mut writer, 1, 0, 10);
    settled(&mut writer);
    append(&mut writer, 2, 0, 10);
    commit(&mut writer);
    assert_eq!(
        world.each_offset_once(),
        BTreeMap::from([(0, 5_000), (1, 10), (2, 10)])
    );
}
