//! Records one behind the other: objects beside the table, named by its commits.

use std::collections::BTreeSet;
use std::sync::atomic::AtomicBool;

use super::*;
use crate::commit::{TableLog, invariants};
use crate::error::ErrorKind;
use crate::flat::{Compression, Decimals, Flat, Form, Frame, Part};
use crate::layout::{Format, Names};
use crate::maintain::{Alteration, Keeper, Policy, Target, alter};
use crate::read::filtered::{Kept, Kind, kept};
use crate::read::{Account, stored};
use crate::shred::{Converter, Payload};
use crate::testing::Step;
use crate::value::Value;
use crate::write::tests::foreign::{due, get, keys, of_two, put, with, world};

/// Lines of JSON, as Confluent's sink writes them.
pub(super) fn lines(flush_size: u64) -> Layout {
    with(|foreign| {
        foreign.rotation.records = Some(flush_size);
        if let Names::Confluent(names) = &mut foreign.names {
            names.extension = ".json".to_owned();
        }
        foreign.format = Format::Flat(Flat {
            form: Form::Alone(Part::Value),
            frame: Frame::ended("\n"),
            compression: Compression::None,
            decimals: Decimals::default(),
        });
    })
}

pub(super) fn name(partition: i32, start: i64) -> String {
    format!("topics/orders/partition={partition}/orders+{partition}+{start:010}.json")
}

/// The records of an object by its key: a test's values name their offset.
pub(super) fn rows(world: &World, key: &str) -> Vec<(i32, i64)> {
    let partition = key.split('+').nth(1).unwrap().parse().unwrap();
    let text = String::from_utf8(get(world, key).to_vec()).unwrap();
    let offset = |line: &str| {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        let members = value.as_object().unwrap();
        let (_, offset) = members
            .iter()
            .find(|(key, _)| key.starts_with('n'))
            .unwrap();
        (partition, offset.as_i64().unwrap())
    };
    text.lines().map(offset).collect()
}

fn accounts(world: &World) -> BTreeMap<i32, Account> {
    let log = TableLog::open(&world.lake, &world.table())
        .unwrap()
        .unwrap();
    let history = log.history(usize::MAX).unwrap();
    let (lake, table) = (world.lake.clone(), world.table());
    let found = world
        .lake
        .wait(async move { stored(&lake, &table, &history).await });
    let found = found.unwrap().unwrap().into_iter();
    found
        .map(|((_, partition), account)| (partition, account))
        .collect()
}

/// The offsets that the table's commits say are stored.
pub(super) fn recorded(world: &World) -> Vec<(i32, i64)> {
    let accounts = accounts(world).into_iter();
    accounts
        .flat_map(|(partition, account)| {
            assert_eq!(account.doubled, [], "partition {partition}");
            let offsets = account.ranges.into_iter().flat_map(|(from, to)| from..to);
            offsets
                .map(move |offset| (partition, offset))
                .collect::<Vec<_>>()
        })
        .collect()
}

pub(super) fn records(world: &World) -> Vec<Kept> {
    let (lake, table) = (world.lake.clone(), world.table());
    let kept = world
        .lake
        .wait(async move { kept(&lake, &table, Kind::Stored).await });
    kept.unwrap().unwrap()
}

/// E1: each offset below the position is stored once, by the records and in the objects themselves.
pub(super) fn each_offset_once(world: &World) -> BTreeMap<i32, i64> {
    let log = TableLog::open(&world.lake, &world.table())
        .unwrap()
        .unwrap();
    let landed: BTreeSet<_> = log
        .history(usize::MAX)
        .unwrap()
        .into_iter()
        .filter_map(|version| version.id)
        .collect();
    let positions: BTreeMap<i32, i64> = world
        .snapshot()
        .positions
        .iter()
        .map(|((_, partition), position)| (*partition, position.offset))
        .collect();
    let expected: Vec<_> = positions
        .iter()
        .flat_map(|(partition, end)| (0..*end).map(move |offset| (*partition, offset)))
        .collect();
    assert_eq!(
        recorded(world),
        expected,
        "E1: each offset is recorded once"
    );
    let mut found = Vec::new();
    for record in records(world)
        .into_iter()
        .filter(|one| landed.contains(&one.id))
    {
        for (path, size) in record.objects {
            let key = format!("topics/orders/{path}");
            if sides::is_side(&key) {
                continue;
            }
            assert_eq!(get(world, &key).len() as u64, size, "invariant 3: `{key}`");
            found.extend(rows(world, &key));
        }
    }
    found.sort_unstable();
    assert_eq!(
        found,
        expected,
        "E1: each offset is in one object, of {:?}",
        records(world)
    );
    positions
}

#[test]
fn e1_whole_rotations_are_objects_that_commits_name_and_no_files_of_the_table() {
    let world = world(lines(3));
    let (mut writer, _) = world.assigned(&[0, 1]);
    append(&mut writer, 0, 0, 8);
    append(&mut writer, 1, 0, 4);
    due(&mut writer);
    let expected = [name(0, 0), name(0, 3), name(1, 0)];
    assert_eq!(keys(&world), BTreeSet::from(expected));
    assert_eq!(world.each_offset_once(), BTreeMap::from([(0, 6), (1, 3)]));
    let text =
        "{\"n\":3,\"p\":{\"of\":0}}\n{\"n\":4,\"p\":{\"of\":0}}\n{\"n\":5,\"p\":{\"of\":0}}\n";
    assert_eq!(get(&world, &name(0, 3)), text);
    let snapshot = world.snapshot();
    assert_eq!(snapshot.files.len(), 0);
    assert!(
        snapshot.schema.field_with_name("n").is_err(),
        "no column is reserved"
    );
    let answer = crate::read::consistent(&world.lake, &Default::default(), &world.table(), &[]);
    let live: usize = answer
        .unwrap()
        .unwrap()
        .live
        .iter()
        .map(RecordBatch::num_rows)
        .sum();
    assert_eq!(live, 3, "what is committed is no live row any more");
    drop(writer);
    // A restart goes on behind what is stored.
    let (mut writer, next) = world.assigned(&[0, 1]);
    assert_eq!(next, BTreeMap::from([(0, 6), (1, 3)]));
    append(&mut writer, 0, 6, 9);
    due(&mut writer);
    assert!(keys(&world).contains(&name(0, 6)));
    world.each_offset_once();
    invariants::check(&world.lake, &world.table()).unwrap();
}

#[test]
fn p5_a_position_goes_forward_but_not_back_over_what_is_stored_beside_the_table() {
    let world = world(lines(3));
    let (mut writer, _) = world.assigned(&[0]);
    append(&mut writer, 0, 0, 6);
    due(&mut writer);
    drop(writer);
    let to = |offset| Alteration {
        topic_id: topic(),
        targets: BTreeMap::from([(
            0,
            Target {
                offset,
                reset: false,
            },
        )]),
        reason: "by hand".to_owned(),
    };
    let put = |offset| {
        alter(
            &world.lake,
            &world.table(),
            &to(offset),
            &AtomicBool::new(false),
        )
    };
    let refused = put(2).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Invalid);
    assert!(
        refused.to_string().contains("forward but not back"),
        "{refused}"
    );
    assert_eq!(world.each_offset_once(), BTreeMap::from([(0, 6)]));
    put(9).unwrap();
    let (_, next) = world.assigned(&[0]);
    assert_eq!(next, BTreeMap::from([(0, 9)]));
    assert_eq!(
        recorded(&world),
        (0..6).map(|offset| (0, offset)).collect::<Vec<_>>()
    );
    invariants::check(&world.lake, &world.table()).unwrap();
}

#[test]
fn p13_an_objects_metadata_tells_a_lost_answer_from_a_name_that_is_taken() {
    let world = world(lines(3));
    put(&world, &name(0, 3), "a stranger's");
    let (mut writer, _) = world.assigned(&[0]);
    append(&mut writer, 0, 0, 9);
    world
        .store()
        .script(&name(0, 0), [Step::LoseAnswer, Step::FalseConflict]);
    due(&mut writer);
    let keys = keys(&world);
    assert_eq!(keys.len(), 4, "{keys:?}");
    let stem = name(0, 3).replace(".json", "-");
    let suffixed = |key: &String| key.starts_with(&stem) && key.ends_with(".json");
    assert!(keys.iter().any(suffixed), "{keys:?}");
    assert_eq!(get(&world, &name(0, 3)), "a stranger's", "P14");
    assert_eq!(world.each_offset_once(), BTreeMap::from([(0, 9)]));
}

#[test]
fn p13_a_store_that_keeps_no_metadata_of_objects_is_refused() {
    let world = World {
        layout: lines(3),
        ..World::on_disk()
    };
    let refused = TableWriter::open(&world.lake, world.options()).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Invalid);
    assert!(refused.to_string().contains("metadata"), "{refused}");
}

#[test]
fn p18_a_record_that_can_not_be_decoded_is_in_no_object_and_accounted_as_dead() {
    let world = world(lines(3));
    let mut options = world.options();
    options.converter = Converter::Json;
    let mut writer = TableWriter::open(&world.lake, options).unwrap();
    assign(&mut writer, &[0]);
    for (offset, value) in [(0, "{"), (1, "{\"n\":1}"), (2, "no JSON")] {
        writer.append(&record(0, offset, value.as_bytes())).unwrap();
    }
    due(&mut writer);
    // The first record of an object names it, and that is no dead letter.
    assert_eq!(keys(&world), BTreeSet::from([name(0, 1)]));
    assert_eq!(rows(&world, &name(0, 1)), [(0, 1)]);
    let account = &accounts(&world)[&0];
    assert_eq!((account.rows, account.dead_letters), (3, 2));
    assert_eq!(account.ranges, [(0, 3)]);
    assert_eq!(account.doubled, []);
    for offset in 3..6 {
        writer.append(&record(0, offset, b"{")).unwrap();
    }
    due(&mut writer);
    assert_eq!(keys(&world).len(), 1, "dead letters alone make no object");
    assert_eq!(accounts(&world)[&0].dead_letters, 5);
}

#[test]
fn a_decoded_value_is_stored_in_the_place_of_its_bytes() {
    let world = world(lines(3));
    let (mut writer, _) = world.assigned(&[0]);
    let made = Value::Object(vec![("n".to_owned(), Value::Integer(0))]);
    let payloads = [made, Value::Text("7".to_owned()), Value::Null];
    for (offset, made) in (0..).zip(&payloads) {
        let record = record(0, offset, b"\x00binary");
        writer
            .append_payload(&record, Payload::Value(made))
            .unwrap();
    }
    due(&mut writer);
    assert_eq!(get(&world, &name(0, 0)), "{\"n\":0}\n\"7\"\nnull\n");
}

#[test]
fn p13_objects_of_a_dead_writer_go_with_its_successor_and_those_of_a_commit_stay() {
    let (before, after) = of_two(|| lines(3));
    let (mut zombie, _) = before.assigned(&[0, 1]);
    append(&mut zombie, 0, 0, 3);
    due(&mut zombie);
    append(&mut zombie, 0, 3, 6);
    append(&mut zombie, 1, 0, 3);
    // It uploads, and its commit doesn't get through.
    let version = zombie.log.as_ref().unwrap().version() + 1;
    let commit = format!("_delta_log/{version:020}.json");
    before.store().script(&commit, [Step::FailBefore; 10_000]);
    assert!(zombie.cut_due().unwrap());
    while zombie.stalled().is_none() {
        before.lake.clock().block(Duration::from_millis(2));
    }
    assert_eq!(keys(&after).len(), 3);
    let (mut writer, next) = after.assigned(&[0]);
    assert_eq!(next, BTreeMap::from([(0, 3)]));
    let left = [name(0, 0), name(1, 0)];
    assert_eq!(
        keys(&after),
        BTreeSet::from(left),
        "only the partition's own"
    );
    append(&mut writer, 0, 3, 9);
    due(&mut writer);
    before.store().script("", []);
    let fenced = zombie.wait_cut(DEADLINE).unwrap_err();
    assert_eq!(fenced.kind(), ErrorKind::Fenced, "P8");
    assert_eq!(after.each_offset_once(), BTreeMap::from([(0, 9), (1, 0)]));
    invariants::check(&after.lake, &after.table()).unwrap();
}

#[test]
fn many_records_of_objects_become_one_that_accounts_the_same() {
    let world = world(lines(1));
    let (mut writer, _) = world.assigned(&[0]);
    for offset in 0..70 {
        append(&mut writer, 0, offset, offset + 1);
        due(&mut writer);
    }
    assert_eq!(records(&world).len(), 70);
    world.each_offset_once();
    let mut keeper = Keeper::new(&world.lake, &crate::budget::Budget::unlimited());
    let halt = std::sync::atomic::AtomicBool::new(false);
    keeper
        .pass(&world.table(), &Policy::default(), &halt)
        .unwrap();
    assert_eq!(records(&world).len(), 1);
    let account = &accounts(&world)[&0];
    assert_eq!((account.rows, &account.ranges[..]), (70, &[(0, 70)][..]));
    assert_eq!(
        keys(&world).len(),
        70,
        "E6: the keeper leaves the objects alone"
    );
}
