//! What makes a cut due, on a clock that is turned by hand.

use super::*;
use crate::partition::Zone;
use crate::write::{CutPolicy, Schedule};

const MINUTE: Duration = Duration::from_mins(1);

/// A world at 2026-11-23T10:00:00Z, and a writer whose cuts no age makes due.
fn world(change: impl FnOnce(&mut CutPolicy)) -> (World, TableWriter) {
    let world = World::with(|_| (memory_lake(Clock::manual(TIME_MS * 1_000)), None, None));
    let mut options = world.options();
    options.cut.interval = Duration::from_hours(24);
    change(&mut options.cut);
    let mut writer = TableWriter::open(&world.lake, options).unwrap();
    assign(&mut writer, &[0, 1]);
    (world, writer)
}

fn append_at(writer: &mut TableWriter, partition: i32, offset: i64, minutes: i64) {
    let mut record = record(partition, offset, b"{\"n\":1}");
    record.timestamp_ms = Some(TIME_MS + minutes * 60_000);
    writer.append(&record).unwrap();
}

#[test]
fn idle_partitions_are_cut_by_age_though_nothing_more_comes() {
    let (world, mut writer) = world(|policy| policy.interval = 10 * MINUTE);
    append_at(&mut writer, 0, 0, 0);
    writer.publish().unwrap();
    world.lake.clock().advance(9 * MINUTE);
    assert!(!writer.due());
    world.lake.clock().advance(MINUTE);
    assert!(writer.due());
    commit(&mut writer);
    world.lake.clock().advance(20 * MINUTE);
    assert!(!writer.due(), "nothing to cut");
    writer.advance(1, 5, None).unwrap();
    assert!(!writer.due());
    world.lake.clock().advance(10 * MINUTE);
    assert!(writer.due(), "progress without rows is committed too");
}

#[test]
fn record_time_makes_a_cut_due_per_kafka_partition_and_late_data_never_does() {
    let (_world, mut writer) = world(|policy| policy.span = Some(30 * MINUTE));
    append_at(&mut writer, 0, 0, -600);
    // Another partition is hours ahead of the first, which makes no span.
    append_at(&mut writer, 1, 0, 0);
    append_at(&mut writer, 1, 1, 29);
    append_at(&mut writer, 1, 2, -5_000);
    append_at(&mut writer, 1, 3, 29);
    assert!(!writer.due());
    append_at(&mut writer, 1, 4, 30);
    assert!(writer.due());
    commit(&mut writer);
    // Files that begin with late data are no smaller for it.
    for offset in 5..40 {
        let late = offset % 2 == 1;
        append_at(&mut writer, 1, offset, if late { -90 } else { 31 });
        assert!(!writer.due(), "{offset}");
    }
    // Clocks that were never set, or are years ahead, say nothing.
    for (offset, minutes) in [(40, -20_000_000), (41, 50_000_000), (42, 32)] {
        append_at(&mut writer, 1, offset, minutes);
        assert!(!writer.due(), "{minutes}");
    }
    append_at(&mut writer, 1, 43, 61);
    assert!(writer.due());
    commit(&mut writer);
}

#[test]
fn the_clock_on_the_wall_makes_a_cut_due_without_new_records() {
    let zone = Zone::parse("Asia/Kathmandu").unwrap();
    let (world, mut writer) = world(|policy| {
        policy.schedule = Some(Schedule::new(60 * MINUTE, zone).unwrap());
    });
    world.lake.clock().advance(20 * MINUTE);
    assert!(!writer.due(), "nothing to cut");
    append_at(&mut writer, 0, 0, 0);
    // It is 16:05 there.
    world.lake.clock().advance(54 * MINUTE);
    assert!(!writer.due());
    world.lake.clock().advance(MINUTE);
    assert!(writer.due());
    commit(&mut writer);
    append_at(&mut writer, 0, 1, 0);
    assert!(!writer.due(), "the next moment is an hour away");
}

#[test]
fn schemas_that_alternate_make_no_cut_due_and_one_file() {
    let (world, mut writer) = world(|_| {});
    for offset in 0..2_000 {
        let value: &[u8] = match offset % 4 {
            0 => b"{\"a\":1,\"b\":{\"c\":\"x\"}}",
            1 => b"{\"a\":\"one\",\"b\":[1,2]}",
            2 => b"{\"d\":[{\"e\":1.5}]}",
            _ => b"not JSON",
        };
        writer.append(&record(0, offset, value)).unwrap();
        assert!(!writer.due(), "{offset}");
    }
    commit(&mut writer);
    assert_eq!(world.snapshot().files.len(), 1);
    world.each_offset_once();
}
