//! Rows of several partitions by turns and by time: each partition in its order, and a resume goes
//! on from any marks.

use std::collections::BTreeMap;

use arrow::array::AsArray;
use arrow::datatypes::{Int32Type, Int64Type, TimestampMicrosecondType};
use eddy_engine::{Record, TimestampType, TopicId};
use futures::TryStreamExt;

use crate::source::Sequence;
use crate::testing::{Topic, World};

type Place = (i32, i64);

/// (partition, offset) and time in milliseconds of the rows, in the order that they come.
fn read(world: &World, sequence: Sequence, done: &[Place]) -> (Vec<Place>, Vec<Option<i64>>) {
    let mut after = BTreeMap::new();
    for (partition, offset) in done {
        after.insert((TopicId::new("id-of-t"), *partition), *offset);
    }
    let plan = world
        .query
        .plan_source("SELECT * FROM t", None, None, false);
    let plan = world.runtime.block_on(plan).unwrap();
    let rows = world
        .query
        .source_rows(&plan.select, None, plan.version, after, sequence);
    let batches: Vec<_> = world.runtime.block_on(rows.try_collect()).unwrap();
    let (mut places, mut times) = (Vec::new(), Vec::new());
    for batch in batches {
        assert_eq!(batch.num_columns(), 9, "nothing of the order stays");
        let partitions = batch.column(2).as_primitive::<Int32Type>();
        let offsets = batch.column(3).as_primitive::<Int64Type>();
        let timestamps = batch.column(4).as_primitive::<TimestampMicrosecondType>();
        places.extend(
            partitions
                .values()
                .iter()
                .copied()
                .zip(offsets.values().iter().copied()),
        );
        times.extend(timestamps.iter().map(|time| time.map(|us| us / 1_000)));
    }
    (places, times)
}

/// What the rows of these partitions are in the order of a merge: always the earliest head.
fn merged(partitions: &[Vec<Option<i64>>]) -> Vec<Place> {
    let mut heads = vec![0; partitions.len()];
    let mut latest = vec![None; partitions.len()];
    let mut merged = Vec::new();
    loop {
        let next = (0..partitions.len())
            .filter(|one| heads[*one] < partitions[*one].len())
            .min_by_key(|one| latest[*one].max(partitions[*one][heads[*one]]));
        let Some(next) = next else {
            return merged;
        };
        latest[next] = latest[next].max(partitions[next][heads[next]]);
        merged.push((
            i32::try_from(next).unwrap(),
            i64::try_from(heads[next]).unwrap(),
        ));
        heads[next] += 1;
    }
}

/// A table of these times, over several commits.
fn table(partitions: &[Vec<Option<i64>>]) -> World {
    let world = World::new();
    let mut topic = world.writer("t", i32::try_from(partitions.len()).unwrap());
    let longest = partitions.iter().map(Vec::len).max().unwrap();
    for at in 0..longest {
        for (partition, times) in (0..).zip(partitions) {
            if let Some(time_ms) = times.get(at) {
                put(&mut topic, partition, *time_ms);
            }
        }
        if at % 3 == 2 {
            topic.commit();
        }
    }
    topic.commit();
    world
}

fn put(topic: &mut Topic, partition: i32, timestamp_ms: Option<i64>) {
    let next = &mut topic.next[usize::try_from(partition).unwrap()];
    let record = Record {
        partition,
        offset: *next,
        timestamp_ms,
        timestamp_type: TimestampType::Create,
        key: None,
        value: Some(br#"{"n": 1}"#),
        headers: &[],
        decoded: Default::default(),
    };
    topic.writer.append(&record).unwrap();
    *next += 1;
}

fn times(of: &[i64]) -> Vec<Option<i64>> {
    of.iter().map(|time| Some(*time)).collect()
}

#[test]
fn the_earliest_comes_first_and_no_partition_loses_its_order() {
    let partitions = [
        times(&[5, 3, 9, 9, 1, 40]),
        times(&[4, 6, 7, 30, 31]),
        times(&[100]),
        vec![None, Some(2), None, Some(8)],
    ];
    let world = table(&partitions);
    let (all, _) = read(&world, Sequence::Time, &[]);
    assert_eq!(all, merged(&partitions));
    for done in 0..all.len() {
        let (rest, _) = read(&world, Sequence::Time, &all[..done]);
        let mut sorted = rest.clone();
        sorted.sort_unstable();
        let mut left = all[done..].to_vec();
        left.sort_unstable();
        assert_eq!(sorted, left, "after {done}");
        for partition in 0..4 {
            let of = |one: &&Place| one.0 == partition;
            assert!(rest.iter().filter(of).is_sorted(), "after {done}");
        }
    }
}

#[test]
fn times_that_rise_in_each_partition_rise_over_all() {
    let partitions: Vec<_> = (0..3)
        .map(|partition| times(&(0..20).map(|n| n * 7 + partition * 3).collect::<Vec<_>>()))
        .collect();
    let world = table(&partitions);
    let (_, found) = read(&world, Sequence::Time, &[]);
    assert_eq!(found.len(), 60);
    assert!(found.is_sorted());
}

#[test]
fn partitions_take_turns_until_they_have_no_more() {
    let partitions = [times(&[1, 1, 1]), times(&[1]), times(&[1, 1])];
    let world = table(&partitions);
    let (found, _) = read(&world, Sequence::Turns, &[]);
    assert_eq!(found, [(0, 0), (1, 0), (2, 0), (0, 1), (2, 1), (0, 2)]);
    let (rest, _) = read(&world, Sequence::Turns, &[(0, 1), (1, 0)]);
    assert_eq!(rest, [(0, 2), (2, 0), (2, 1)]);
}
