//! Timestamps that no calendar has: they never become another time.

use super::*;
use crate::shred::Payload;
use crate::write::tests::flat::{lines, name};
use crate::write::tests::foreign::{due, get, world};

/// Nanoseconds that a producer took for milliseconds.
const NANOS: i64 = TIME_MS * 1_000_000;

/// The outermost that microseconds hold.
const LAST_MS: i64 = i64::MAX / 1_000;

fn at(offset: i64, timestamp_ms: i64, value: &[u8]) -> Record<'_> {
    Record {
        timestamp_ms: Some(timestamp_ms),
        ..record(0, offset, value)
    }
}

#[test]
fn e7_a_timestamp_that_microseconds_cannot_hold_is_null_and_its_row_says_what_it_was() {
    let world = World::in_memory();
    let (mut writer, _) = world.assigned(&[0]);
    let times = [TIME_MS, NANOS, LAST_MS, LAST_MS + 1, -LAST_MS, i64::MIN, -1];
    for (offset, time) in (0..).zip(times) {
        writer.append(&at(offset, time, br#"{"n":1}"#)).unwrap();
    }
    let failed = at(7, NANOS, b"\x00");
    let why = Payload::Failed("avro: broken off");
    writer.append_payload(&failed, why).unwrap();
    commit(&mut writer);
    assert_eq!(world.each_offset_once(), BTreeMap::from([(0, 8)]));

    let rows = world.rows();
    let landed = rows["_timestamp"].as_primitive::<TimestampMicrosecondType>();
    let (errors, numbers) = (
        rows["_error"].as_string::<i32>(),
        rows["n"].as_primitive::<Int64Type>(),
    );
    let mut seen = 0;
    for (row, (_, offset)) in offsets(&rows).into_iter().enumerate() {
        let offset = usize::try_from(offset).unwrap();
        let time = times.get(offset).copied().unwrap_or(NANOS);
        let us = time.checked_mul(1_000);
        assert_eq!(
            landed.is_valid(row).then(|| landed.value(row)),
            us,
            "{time}"
        );
        let error = errors.is_valid(row).then(|| errors.value(row));
        let says = |text: &str| error.is_some_and(|error| error.contains(text));
        assert_eq!(says(&time.to_string()), us.is_none(), "{error:?}");
        assert_eq!(says("avro: broken off"), offset == 7, "{error:?}");
        assert_eq!(error.is_some(), us.is_none() || offset == 7, "{error:?}");
        assert_eq!(numbers.is_valid(row), offset != 7, "the columns are there");
        seen += usize::from(us.is_none());
    }
    assert_eq!(seen, 4);
}

#[test]
fn a_value_in_an_object_of_its_own_lands_whatever_its_time() {
    let world = world(lines(1));
    let (mut writer, _) = world.assigned(&[0]);
    writer.append(&at(0, NANOS, br#"{"n":0}"#)).unwrap();
    due(&mut writer);
    assert_eq!(get(&world, &name(0, 0)), "{\"n\":0}\n");
    assert_eq!(world.each_offset_once(), BTreeMap::from([(0, 1)]));
}
