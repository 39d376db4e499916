//! What a replay reads: which records, in which order, and that a resume goes on exactly there.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::collections::BTreeMap;

use arrow::array::AsArray;
use arrow::datatypes::{Int32Type, Int64Type};
use eddy_engine::TopicId;
use futures::TryStreamExt;

use crate::error::ErrorKind;
use crate::source::{PartitionRecords, Sequence};
use crate::testing::World;

mod order;
mod projection;
mod slices;

fn numbers() -> World {
    let world = World::new();
    let mut topic = world.writer("numbers", 2);
    for n in 0..40 {
        topic.put(n % 2, &format!(r#"{{"n": {n}}}"#));
        if n % 10 == 9 {
            topic.commit();
        }
    }
    topic.put(0, "{broken");
    topic.commit();
    topic.put(0, r#"{"n": 99}"#);
    topic.publish();
    world
}

/// (partition, offset) of the rows, in the order that they come.
fn read(
    world: &World,
    select: &str,
    version: u64,
    after: BTreeMap<(TopicId, i32), i64>,
) -> Vec<(i32, i64)> {
    let sequence = Sequence::Partitions;
    let rows = world
        .query
        .source_rows(select, None, version, after, sequence);
    let batches: Vec<_> = world.runtime.block_on(rows.try_collect()).unwrap();
    let mut found = Vec::new();
    for batch in batches {
        let schema = batch.schema();
        let names: Vec<&str> = schema
            .fields()
            .iter()
            .map(|one| one.name().as_str())
            .collect();
        assert_eq!(
            names,
            [
                "_topic",
                "_topic_id",
                "_partition",
                "_offset",
                "_timestamp",
                "_timestamp_type",
                "_key",
                "_value",
                "_headers"
            ]
        );
        let partitions = batch.column(2).as_primitive::<Int32Type>();
        let offsets = batch.column(3).as_primitive::<Int64Type>();
        for row in 0..batch.num_rows() {
            found.push((partitions.value(row), offsets.value(row)));
        }
    }
    found
}

#[test]
fn p23_committed_good_rows_come_in_order_and_a_resume_goes_on_exactly_there() {
    let world = numbers();
    let plan = world
        .runtime
        .block_on(
            world
                .query
                .plan_source("SELECT * FROM numbers WHERE n >= 4", None, None, false),
        )
        .unwrap();
    assert_eq!(
        plan.records, 36,
        "live rows and dead letters are no part of a replay"
    );
    let counts: Vec<u64> = plan.partitions.iter().map(|part| part.records).collect();
    assert_eq!(counts, [18, 18]);
    let of_topic = |part: &PartitionRecords| part.topic == "numbers";
    assert!(plan.partitions.iter().all(of_topic), "{plan:?}");
    let all = read(&world, &plan.select, plan.version, BTreeMap::new());
    let expected: Vec<(i32, i64)> = (0..2)
        .flat_map(|partition| (2..20).map(move |offset| (partition, offset)))
        .collect();
    assert_eq!(all, expected);
    for done in [0, 1, 17, 18, 25, 36] {
        let mut after = BTreeMap::new();
        for (partition, offset) in &all[..done] {
            after.insert((TopicId::new("id-of-numbers"), *partition), *offset);
        }
        let rest = read(&world, &plan.select, plan.version, after);
        assert_eq!(rest, all[done..], "after {done}");
    }
}

#[test]
fn p23_a_resume_of_many_partitions_goes_on_as_that_of_few() {
    let world = numbers();
    let plan = world
        .query
        .plan_source("SELECT * FROM numbers", None, None, false);
    let plan = world.runtime.block_on(plan).unwrap();
    let topic_id = || TopicId::new("id-of-numbers");
    for partitions in [2, 300, 1_000] {
        let done = (0..partitions).map(|partition| ((topic_id(), partition), 17));
        let mut after: BTreeMap<_, _> = done.collect();
        // The topic as it was before it was made anew says nothing of this one.
        after.insert((TopicId::new("it's-another"), 0), 1_000);
        let rest = read(&world, &plan.select, plan.version, after);
        let expected = [(0, 18), (0, 19), (1, 18), (1, 19)];
        assert_eq!(rest, expected, "{partitions} partitions");
    }
}

#[test]
fn p23_a_shard_reads_its_own_partitions_whole_and_nothing_of_the_others() {
    let world = numbers();
    let plan = world
        .query
        .plan_source("SELECT * FROM numbers", None, None, false);
    let plan = world.runtime.block_on(plan).unwrap();
    for partitions in [2, 300, 1_000] {
        let others = (1..partitions).map(|partition| {
            let of = (TopicId::new("id-of-numbers"), partition);
            (of, i64::MAX - 1)
        });
        let mut after: BTreeMap<_, _> = others.collect();
        let expected: Vec<(i32, i64)> = (0..20).map(|offset| (0, offset)).collect();
        let all = read(&world, &plan.select, plan.version, after.clone());
        assert_eq!(all, expected, "{partitions} partitions");
        after.insert((TopicId::new("id-of-numbers"), 0), 16);
        let rest = read(&world, &plan.select, plan.version, after);
        assert_eq!(rest, expected[17..], "{partitions} partitions");
    }
}

#[test]
fn a_query_of_with_is_no_source() {
    let world = numbers();
    for from in ["few", "Few", "few AS numbers"] {
        let sql = format!("WITH few AS (SELECT * FROM numbers) SELECT * INTO d FROM {from}");
        let error = world.query.take_into_apart(&sql).unwrap_err();
        assert!(error.to_string().contains("a query of `WITH`"), "{error}");
    }
    let beside = "WITH few AS (SELECT n FROM numbers) SELECT * INTO d FROM numbers \
                  WHERE n IN (SELECT n FROM few)";
    assert!(world.query.take_into_apart(beside).is_ok());
}

#[test]
fn p23_a_query_of_with_is_never_taken_for_the_table_that_is_called_so() {
    let world = numbers();
    let mut other = world.writer("wanted", 1);
    other.put(0, r#"{"n": 3}"#);
    other.put(0, r#"{"n": 5}"#);
    other.commit();
    let plan = |select: &str| {
        let planned = world.query.plan_source(select, None, None, false);
        world.runtime.block_on(planned)
    };
    for select in [
        "SELECT * FROM numbers WHERE n IN \
         (WITH wanted AS (SELECT n FROM public.wanted WHERE n < 4) SELECT n FROM wanted)",
        "SELECT * FROM public.numbers WHERE n IN \
         (WITH Numbers AS (SELECT 3 AS n) SELECT n FROM Numbers)",
        "SELECT * FROM numbers WHERE n IN \
         (WITH numbers AS (SELECT 3 AS n) SELECT n FROM numbers)",
    ] {
        let error = plan(select).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotSupported, "{select}: {error}");
        assert!(error.to_string().contains("a query of `WITH`"), "{error}");
    }
    let few = "SELECT * FROM numbers WHERE n IN \
               (WITH few AS (SELECT n FROM wanted WHERE n < 4) SELECT n FROM few)";
    assert_eq!(plan(few).unwrap().records, 1);
}

#[test]
fn p23_a_semi_join_reads_its_other_table_as_it_was_planned() {
    let world = numbers();
    let mut other = world.writer("wanted", 1);
    other.put(0, r#"{"n": 3}"#);
    other.commit();
    let sql = "SELECT * INTO d FROM numbers WHERE n IN (SELECT n FROM wanted WHERE n < 50)";
    let request = world.query.take_into_apart(sql).unwrap();
    let plan = world
        .runtime
        .block_on(world.query.plan_source(&request.select, None, None, false))
        .unwrap();
    assert_eq!(plan.records, 1);
    assert!(plan.select.contains("wanted@"), "{}", plan.select);
    let tables = world
        .runtime
        .block_on(world.query.source_tables(&plan.select, plan.version));
    let tables: Vec<(String, u64)> = tables
        .unwrap()
        .into_iter()
        .map(|(_, path, version)| (path.topic().to_owned(), version))
        .collect();
    let wanted = world.value("SELECT version FROM system.tables WHERE name = 'wanted'");
    let wanted = ("wanted".to_owned(), wanted.as_u64().unwrap());
    assert_eq!(tables, [("numbers".to_owned(), plan.version), wanted]);
    other.put(0, r#"{"n": 5}"#);
    other.commit();
    let rows = read(&world, &plan.select, plan.version, BTreeMap::new());
    assert_eq!(rows, [(1, 1)]);
    let again = world
        .runtime
        .block_on(
            world
                .query
                .plan_source(&plan.select, None, Some(plan.version), false),
        )
        .unwrap();
    assert_eq!(again, plan);
}

#[test]
fn p23_a_system_table_has_no_version_and_is_refused_in_a_subquery() {
    let world = numbers();
    let plan = |condition: &str| {
        let select = format!("SELECT * FROM numbers WHERE {condition}");
        let planned = world.query.plan_source(&select, None, None, false);
        world.runtime.block_on(planned)
    };
    for condition in [
        "_offset IN (SELECT _offset FROM system.dead_letters WHERE _topic = 'numbers')",
        "n > 3 AND _topic IN (SELECT name FROM system.tables)",
        "_offset IN (SELECT _offset FROM trace('broken'))",
    ] {
        let error = plan(condition).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotSupported, "{error}");
        assert!(error.to_string().contains("a system table"), "{error}");
        assert!(error.hint().unwrap().contains("\"orders@dead\""));
    }
    let named = plan("_offset IN (SELECT _offset FROM \"numbers@dead\")").unwrap();
    assert_eq!(named.records, 0);
}

#[test]
fn p23_dead_letters_of_one_topic_are_a_source_like_its_table() {
    let world = numbers();
    let mut other = world.writer("other", 1);
    other.put(0, "{also broken");
    other.commit();
    let plan = |sql: &str| {
        let request = world.query.take_into_apart(sql)?;
        let planned = world.query.plan_source(&request.select, None, None, false);
        world.runtime.block_on(planned)
    };
    let from = "SELECT * INTO d FROM system.dead_letters";
    let all = plan(&format!("{from} WHERE _topic = 'numbers'")).unwrap();
    assert_eq!(
        (all.table.as_str(), all.records, all.files),
        ("numbers", 1, 1)
    );
    let rows = read(&world, &all.select, all.version, BTreeMap::new());
    assert_eq!(rows, [(0, 20)]);
    let after = BTreeMap::from([((TopicId::new("id-of-numbers"), 0), 20)]);
    assert_eq!(read(&world, &all.select, all.version, after), []);
    let again = world
        .query
        .plan_source(&all.select, None, Some(all.version), false);
    assert_eq!(world.runtime.block_on(again).unwrap(), all);
    let tables = world.query.source_tables(&all.select, all.version);
    let tables = world.runtime.block_on(tables).unwrap();
    assert_eq!(tables.len(), 1);
    assert_eq!((tables[0].1.topic(), tables[0].2), ("numbers", all.version));
    // What else is asked of them counts, in any order and under any name.
    for (condition, records) in [
        (
            "_error LIKE 'json: %' AND ('numbers' = dead_letters._topic)",
            1,
        ),
        (
            "_topic = 'numbers' AND _error LIKE 'nothing of the kind'",
            0,
        ),
        ("_topic = 'other' AND _offset IN (SELECT 0 FROM numbers)", 1),
    ] {
        let found = plan(&format!("{from} WHERE {condition}")).unwrap();
        assert_eq!(found.records, records, "{condition}");
    }
    let named = plan("SELECT * INTO d FROM system.dead_letters AS x WHERE x._topic = 'numbers'");
    let named = named.unwrap();
    let rows = read(&world, &named.select, named.version, BTreeMap::new());
    assert_eq!(rows, [(0, 20)], "{}", named.select);
    for (condition, part) in [
        ("_topic = 'numbers' OR _topic = 'other'", "all topics"),
        ("payload._topic = 'numbers'", "all topics"),
        ("_topic = 'nobody'", "there is no table `nobody`"),
    ] {
        let error = plan(&format!("{from} WHERE {condition}")).unwrap_err();
        assert!(error.to_string().contains(part), "{error}");
    }
}

#[test]
fn p23_a_table_and_its_dead_letters_are_read_in_one_version() {
    let world = numbers();
    // The last version alone has a dead letter.
    let of_all = "SELECT * INTO d FROM numbers \
                  WHERE _partition IN (SELECT _partition FROM \"numbers@dead\")";
    let request = world.query.take_into_apart(of_all).unwrap();
    let plan = |version| {
        let planned = world
            .query
            .plan_source(&request.select, None, version, false);
        world.runtime.block_on(planned).unwrap()
    };
    let newest = plan(None);
    assert_eq!(newest.records, 20, "{}", newest.select);
    let before = plan(Some(newest.version - 1));
    assert_eq!(before.records, 0, "{}", before.select);
    let rows = read(&world, &before.select, before.version, BTreeMap::new());
    assert_eq!(rows, []);
    let tables = world.query.source_tables(&before.select, before.version);
    let tables = world.runtime.block_on(tables).unwrap();
    assert!(
        tables
            .iter()
            .all(|(.., version)| *version == before.version)
    );
}
