//! Any order of records, commits, alterations, zombies, compactions, filters and failures of the
//! store: in the end each offset below a position is a row, filtered or skipped, once.

use proptest::prelude::*;

use super::*;
use crate::error::Error;
use crate::write::TableWriter;

#[derive(Debug, Clone)]
enum Act {
    /// A writer takes so many records of a partition, or lets them be filtered.
    Take(usize, i32, i64, bool),
    Cut(usize),
    /// Another writer in the place of one, which may still hold something.
    Replace(usize),
    /// Both partitions, or one, anywhere from its beginning to beyond its position.
    Alter(Option<i64>, Option<i64>),
    Compact,
    Fail(Vec<Step>),
}

fn act() -> impl Strategy<Value = Act> {
    let offset = || proptest::option::weighted(0.7, 0_i64..30);
    let step = prop_oneof![
        Just(Step::Pass),
        Just(Step::FailBefore),
        Just(Step::LoseAnswer),
        Just(Step::FalseConflict)
    ];
    prop_oneof![
        6 => (0_usize..2, 0_i32..2, 1_i64..5, prop::bool::weighted(0.2))
            .prop_map(|(at, partition, count, filter)| Act::Take(at, partition, count, filter)),
        4 => (0_usize..2).prop_map(Act::Cut),
        2 => (0_usize..2).prop_map(Act::Replace),
        3 => (offset(), offset()).prop_map(|(zero, one)| Act::Alter(zero, one)),
        1 => Just(Act::Compact),
        1 => proptest::collection::vec(step, 1..6).prop_map(Act::Fail),
    ]
}

/// What may go wrong while a store misbehaves.
fn tolerated<T>(result: Result<T>) -> Option<T> {
    let bearable = |error: &Error| error.is_unavailable() || error.kind() == ErrorKind::Fenced;
    match result {
        Ok(done) => Some(done),
        Err(error) => {
            assert!(bearable(&error), "{error}");
            None
        }
    }
}

fn opened(world: &World) -> TableWriter {
    world.store.script("", []);
    world.writer(&[0, 1])
}

fn carry_out(world: &World, writers: &mut [TableWriter; 2], act: &Act) {
    match act {
        Act::Take(at, partition, count, filter) => {
            let writer = &mut writers[*at];
            let Some(next) = writer.next_offset(*partition) else {
                return;
            };
            for offset in next..next + count {
                let taken = match filter {
                    true => writer.filter(*partition, offset),
                    false => append(world, writer, *partition, offset),
                };
                if tolerated(taken).is_none() {
                    let _ = tolerated(writer.reset());
                    return;
                }
            }
        }
        Act::Cut(at) => {
            let begun = tolerated(writers[*at].cut());
            let ended = tolerated(writers[*at].wait_cut(super::super::DEADLINE));
            if begun.is_none() || ended.is_none() {
                world.store.script("", []);
                writers[*at].reset().unwrap();
            }
        }
        Act::Replace(at) => writers[*at] = opened(world),
        Act::Alter(zero, one) => {
            let targets = [(0, zero), (1, one)];
            let targets = targets.map(|(partition, to)| Some((partition, (*to)?)));
            let targets: Vec<_> = targets.into_iter().flatten().collect();
            let _ = tolerated(world.alter(&to(&targets)));
        }
        Act::Compact => {
            let _ = tolerated(world.pass(&eager()));
        }
        Act::Fail(steps) => world.store.script("", steps.clone()),
    }
}

fn append(world: &World, writer: &mut TableWriter, partition: i32, offset: i64) -> Result<()> {
    let value = format!("{{\"n{}\":{offset}}}", offset % 3);
    let record = world.record_of(partition, offset);
    writer.append(&crate::record::Record {
        value: Some(value.as_bytes()),
        ..record
    })
}

/// Each offset below a position is explained exactly once.
fn accounted(world: &World) {
    let (lake, table) = (world.lake.clone(), world.table());
    let log = TableLog::open(&lake, &table).unwrap().unwrap();
    let (history, known) = (log.history(usize::MAX).unwrap(), world.alterations());
    let all = known.clone();
    let passed = async move { filtered(&lake, &table, &history, &all).await };
    let mut passed = world.lake.wait(passed).unwrap().unwrap();
    for ((id, partition), held) in world.check().partitions {
        let key = (id, partition);
        let skipped = known.get(&key).map_or(&[][..], |one| &one.skipped);
        let rows = held.ranges.iter().chain(skipped).copied();
        let mut all: Vec<(i64, i64)> = rows
            .chain(passed.remove(&key).unwrap_or_default())
            .collect();
        all.sort_unstable();
        let mut next = 0;
        for (from, to) in all {
            assert_eq!(
                from, next,
                "partition {partition}: {held:?}, skipped {skipped:?}"
            );
            next = to;
        }
        assert_eq!(next, held.position, "partition {partition}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn e1_e3_any_order_of_alterations_writers_and_failures_accounts_each_offset_once(
        acts in proptest::collection::vec(act(), 5..40)
    ) {
        let world = World::in_memory();
        let mut writers = [world.writer(&[0, 1]), world.writer(&[0, 1])];
        let mut epochs = BTreeMap::from([(0, (0, 0)), (1, (0, 0))]);
        for act in &acts {
            carry_out(&world, &mut writers, act);
            let now = world.positions();
            for (partition, (offset, epoch)) in &now {
                let (before, of) = epochs[partition];
                prop_assert!((*epoch, *offset) >= (of, before), "E3: {epochs:?} to {now:?}");
            }
            epochs = now;
        }
        world.store.script("", []);
        drop(writers);
        accounted(&world);
        let mut writer = world.writer(&[0, 1]);
        for (partition, next) in writer.assigned() {
            for offset in next..next + 2 {
                append(&world, &mut writer, partition, offset).unwrap();
            }
        }
        world.commit(&mut writer);
        accounted(&world);
    }
}

impl World {
    fn record_of(&self, partition: i32, offset: i64) -> crate::record::Record<'static> {
        crate::record::Record {
            partition,
            offset,
            timestamp_ms: Some(super::super::noon_ms() + offset * 1_000),
            timestamp_type: crate::record::TimestampType::Create,
            key: None,
            value: None,
            headers: &[],
            decoded: Default::default(),
        }
    }
}
