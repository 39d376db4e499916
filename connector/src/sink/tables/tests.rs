//! Several tables of one topic, through crashes between their commits.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::collections::BTreeSet;

use eddy_engine::read::{Snapshot, accounts};
use eddy_engine::testing::disk_lake;
use eddy_engine::{TimestampType, TopicId};

use super::*;

const PARTITIONS: [i32; 2] = [0, 1];
const PATIENCE: Duration = Duration::from_secs(60);

/// Where the records of the test go: the third of each four is filtered.
fn table_of(partition: i32, offset: i64) -> Option<&'static str> {
    match (offset + i64::from(partition)) % 4 {
        0 => Some("orders"),
        1 => Some("paid"),
        2 => None,
        _ => Some("open"),
    }
}

/// A lake on disk, and what keeps it there. Tests run on their own thread, as a task does.
fn lake() -> (Lake, (tempfile::TempDir, tokio::runtime::Runtime)) {
    lake_at(Clock::system())
}

fn lake_at(clock: Clock) -> (Lake, (tempfile::TempDir, tokio::runtime::Runtime)) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let guard = runtime.enter();
    let lake = disk_lake(folder.path(), clock);
    drop(guard);
    (lake, (folder, runtime))
}

fn topic_id() -> TopicId {
    TopicId::new("id-of-orders")
}

fn open(lake: &Lake, transforms: Option<&str>) -> Tables {
    let table = lake.table("topics", "orders");
    let options = WriterOptions::new(table, "orders", topic_id(), "connector");
    Tables::open(lake, options, "topics", transforms).unwrap()
}

/// Where each partition goes on.
fn start(tables: &mut Tables) -> BTreeMap<i32, i64> {
    let known = tables.known(&PARTITIONS).unwrap();
    let starts: Vec<(i32, Start)> = known
        .into_iter()
        .map(|(partition, position)| {
            (
                partition,
                Start::at(position.map_or(0, |position| position.offset)),
            )
        })
        .collect();
    let assigned = tables.assign(&starts).unwrap();
    assigned
        .into_iter()
        .map(|(partition, position)| (partition, position.offset))
        .collect()
}

/// Hands over the next records of each partition, as the task does.
fn feed(tables: &mut Tables, next: &mut BTreeMap<i32, i64>, count: i64) {
    for (partition, next) in next {
        for offset in *next..*next + count {
            let value = format!("{{\"n\": {offset}}}");
            let record = Record {
                partition: *partition,
                offset,
                timestamp_ms: Some(1_795_428_000_000),
                timestamp_type: TimestampType::Create,
                key: None,
                value: Some(value.as_bytes()),
                headers: &[],
                decoded: Default::default(),
            };
            match table_of(*partition, offset) {
                None => tables.filter(*partition, offset).unwrap(),
                Some(table) => {
                    tables
                        .append(table, &record, Payload::Original)
                        .unwrap()
                        .unwrap();
                }
            }
        }
        *next += count;
        tables.advance(*partition, *next, None).unwrap();
    }
}

/// Everything that the lake holds of the topic: (table, partition, offset), none twice.
fn held(lake: &Lake) -> BTreeSet<(&'static str, i32, i64)> {
    let mut held = BTreeSet::new();
    for name in ["orders", "paid", "open"] {
        let table = lake.table("topics", name);
        let Some(snapshot) = Snapshot::load(lake, &table, None).unwrap() else {
            continue;
        };
        let found = lake
            .runtime()
            .block_on(accounts(lake, &table, &snapshot))
            .unwrap();
        for ((id, partition), account) in found {
            assert_eq!(id, topic_id());
            assert_eq!(account.doubled, [], "{name}");
            for (from, to) in account.ranges {
                held.extend((from..to).map(|offset| (name, partition, offset)));
            }
        }
    }
    held
}

fn expected(end: i64) -> BTreeSet<(&'static str, i32, i64)> {
    let all = PARTITIONS
        .iter()
        .flat_map(|partition| (0..end).map(|offset| (*partition, offset)));
    all.filter_map(|(partition, offset)| Some((table_of(partition, offset)?, partition, offset)))
        .collect()
}

/// Commits in the tables that `which` chooses, as if the process died before the others did.
fn cut_some(tables: &mut Tables, which: u64) {
    let mut writers: Vec<&mut TableWriter> = vec![&mut tables.own];
    writers.extend(tables.routing.iter_mut().flat_map(Routing::writers_mut));
    for (number, writer) in writers.into_iter().enumerate() {
        if which >> number & 1 == 1 && writer.cut().unwrap() {
            assert!(!writer.wait_cut(PATIENCE).unwrap().is_empty());
        }
    }
}

#[test]
fn p19_every_record_lands_in_its_table_once_whichever_tables_had_committed_at_a_crash() {
    let (lake, _kept) = lake();
    for which in 0..8_u64 {
        let mut tables = open(&lake, Some("a"));
        let mut next = start(&mut tables);
        feed(&mut tables, &mut next, 5);
        cut_some(&mut tables, which);
        feed(&mut tables, &mut next, 3);
        cut_some(&mut tables, 7 - which);
        drop(tables);
    }
    let mut tables = open(&lake, Some("a"));
    let mut next = start(&mut tables);
    feed(&mut tables, &mut next, 4);
    let released = tables.close(PATIENCE).unwrap();
    assert!(released.dropped.is_empty(), "{released:?}");
    let all = expected(next.values().copied().max().unwrap()).into_iter();
    let below = all.filter(|(_, partition, offset)| *offset < next[partition]);
    assert_eq!(held(&lake), below.collect());
}

#[test]
fn p19_a_partition_goes_on_at_the_smallest_position_and_the_group_hears_of_no_other() {
    let (lake, _kept) = lake();
    let mut tables = open(&lake, Some("a"));
    let mut next = start(&mut tables);
    feed(&mut tables, &mut next, 8);
    cut_some(&mut tables, 0b111);
    feed(&mut tables, &mut next, 8);
    // Only its own table commits.
    cut_some(&mut tables, 1);
    drop(tables);
    let mut tables = open(&lake, Some("a"));
    assert_eq!(start(&mut tables), BTreeMap::from([(0, 8), (1, 8)]));
    let mut next = BTreeMap::from([(0, 8), (1, 8)]);
    feed(&mut tables, &mut next, 8);
    let released = tables.close(PATIENCE).unwrap();
    let committed: BTreeSet<(i32, i64)> = released
        .committed
        .iter()
        .map(|range| (range.partition, range.offset))
        .collect();
    assert_eq!(committed, BTreeSet::from([(0, 16), (1, 16)]));
    assert_eq!(held(&lake), expected(16));
}

#[test]
fn p19_other_transforms_are_taken_only_when_all_tables_are_equally_far() {
    let (lake, _kept) = lake();
    let mut tables = open(&lake, Some("a"));
    let mut next = start(&mut tables);
    feed(&mut tables, &mut next, 8);
    cut_some(&mut tables, 1);
    drop(tables);
    for other in [Some("b"), None] {
        let error = open(&lake, other)
            .known(&PARTITIONS)
            .unwrap_err()
            .to_string();
        assert!(error.contains("transforms have changed"), "{error}");
    }
    let mut tables = open(&lake, Some("a"));
    for (partition, at) in start(&mut tables) {
        feed(&mut tables, &mut BTreeMap::from([(partition, at)]), 8 - at);
    }
    tables.close(PATIENCE).unwrap();
    let mut tables = open(&lake, Some("b"));
    assert_eq!(start(&mut tables), BTreeMap::from([(0, 8), (1, 8)]));
    assert_eq!(
        tables.others().count(),
        0,
        "they are noted anew when something comes for them"
    );
    tables.close(PATIENCE).unwrap();
    assert_eq!(held(&lake), expected(8));
}

#[test]
fn p19_a_table_that_gets_nothing_for_long_is_let_go_and_taken_up_again_where_things_are() {
    let clock = Clock::manual(1_795_428_000_000_000);
    let (lake, _kept) = lake_at(clock.clone());
    let mut tables = open(&lake, Some("a"));
    let mut next = start(&mut tables);
    feed(&mut tables, &mut next, 8);
    commit(&mut tables);
    assert_eq!(tables.others().count(), 2);
    clock.advance(Duration::from_mins(11));
    for _ in 0..3 {
        commit(&mut tables);
        assert!(tables.poll().unwrap().is_empty());
    }
    assert_eq!(tables.others().count(), 0);
    drop(tables);

    let mut tables = open(&lake, Some("a"));
    let mut next = start(&mut tables);
    assert_eq!(next, BTreeMap::from([(0, 8), (1, 8)]));
    feed(&mut tables, &mut next, 8);
    // The process dies before anything of it is committed.
    drop(tables);
    let mut tables = open(&lake, Some("a"));
    let mut next = start(&mut tables);
    assert_eq!(next, BTreeMap::from([(0, 8), (1, 8)]));
    feed(&mut tables, &mut next, 8);
    tables.close(PATIENCE).unwrap();
    assert_eq!(held(&lake), expected(16));
}

/// Commits everything in every table, as the task does.
fn commit(tables: &mut Tables) {
    tables.cut().unwrap();
    while tables.in_flight() {
        tables.poll().unwrap();
        std::thread::yield_now();
    }
}
