//! Slices have the rows of the whole statement, and a survey counts what a query counts.

use std::collections::BTreeMap;

use arrow::array::AsArray;
use arrow::datatypes::{Int32Type, Int64Type};
use eddy_engine::TopicId;
use futures::TryStreamExt;

use super::numbers;
use crate::source::{Sequence, SourcePlan};
use crate::testing::World;

type Place = (i32, i64);

const SELECT: &str = "SELECT * FROM numbers WHERE n % 3 <> 0";

fn planned(world: &World, measured: bool) -> SourcePlan {
    let planned = world.query.plan_source(SELECT, None, None, measured);
    world.runtime.block_on(planned).unwrap()
}

/// The rows beyond `done`, of slices of one file each.
fn read(world: &World, plan: &SourcePlan, sequence: Sequence, done: &[Place]) -> Vec<Place> {
    let mut after = BTreeMap::new();
    for (partition, offset) in done {
        after.insert((TopicId::new("id-of-numbers"), *partition), *offset);
    }
    let (select, version) = (&plan.select, plan.version);
    let rows = world
        .query
        .rows_in_slices(select, None, version, after, sequence, 1);
    let batches: Vec<_> = world.runtime.block_on(rows.try_collect()).unwrap();
    let mut found = Vec::new();
    for batch in batches {
        let partitions = batch.column(2).as_primitive::<Int32Type>();
        let offsets = batch.column(3).as_primitive::<Int64Type>();
        let rows = 0..batch.num_rows();
        found.extend(rows.map(|row| (partitions.value(row), offsets.value(row))));
    }
    found
}

fn sorted(places: &[Place]) -> Vec<Place> {
    let mut places = places.to_vec();
    places.sort_unstable();
    places
}

#[test]
fn p23_slices_have_every_row_once_and_each_partition_in_its_order() {
    let world = numbers();
    let plan = planned(&world, false);
    let wanted: Vec<Place> = (0..40)
        .filter(|n| n % 3 != 0)
        .map(|n| (n % 2, i64::from(n / 2)))
        .collect();
    for sequence in [Sequence::Partitions, Sequence::Turns] {
        let all = read(&world, &plan, sequence, &[]);
        assert_ne!(all, sorted(&all), "one file after the other");
        assert_eq!(sorted(&all), sorted(&wanted));
        for done in (0..=all.len()).step_by(5) {
            let rest = read(&world, &plan, sequence, &all[..done]);
            assert_eq!(sorted(&rest), sorted(&all[done..]), "after {done}");
            for partition in 0..2 {
                let own = rest.iter().filter(|place| place.0 == partition);
                let own: Vec<Place> = own.copied().collect();
                assert_eq!(own, sorted(&own));
            }
        }
    }
}

#[test]
fn a_survey_counts_what_a_query_counts() {
    let world = numbers();
    let counted = planned(&world, true);
    assert!(counted.bytes > Some(0));
    let surveyed = planned(&world, false);
    assert_eq!(surveyed.bytes, None);
    let bytes = counted.bytes;
    assert_eq!(SourcePlan { bytes, ..surveyed }, counted);
}
