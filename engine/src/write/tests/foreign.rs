//! A foreign layout: names, whole rotations, names that are taken, and what a dead writer leaves.

use std::collections::BTreeSet;
use std::sync::atomic::AtomicBool;

use futures::TryStreamExt;
use object_store::path::Path;

use super::*;
use crate::budget::Budget;
use crate::commit::invariants;
use crate::layout::{Codec, ConfluentNames, Folders, Foreign, Format, Names, Rotation};
use crate::layout::{Template, TemplateTime, TimeSource};
use crate::maintain::{Alteration, Compaction, Keeper, Policy, Target, alter};
use crate::partition::{FieldPath, Zone};
use crate::testing::Step;

/// As Confluent's sink with `flush.size` and no partitioner.
pub(super) fn confluent(flush_size: u64) -> Layout {
    Layout::Foreign(Arc::new(Foreign {
        names: Names::Confluent(ConfluentNames {
            topics_dir: "topics".to_owned(),
            directory_delim: "/".to_owned(),
            file_delim: "+".to_owned(),
            offset_digits: 10,
            extension: ".snappy.parquet".to_owned(),
        }),
        folders: Folders::Partition,
        rotation: Rotation {
            records: Some(flush_size),
            per_file: false,
            span: None,
            on_change: true,
            whole: true,
            open_most: Duration::from_hours(24),
        },
        format: Format::Parquet(Codec::Snappy),
        sides: Vec::new(),
        tags: None,
    }))
}

pub(super) fn with(change: impl FnOnce(&mut Foreign)) -> Layout {
    let Layout::Foreign(foreign) = confluent(3) else {
        panic!("it is foreign");
    };
    let mut foreign = (*foreign).clone();
    change(&mut foreign);
    Layout::Foreign(Arc::new(foreign))
}

pub(super) fn world(layout: Layout) -> World {
    World {
        layout,
        ..World::faulty()
    }
}

fn name(partition: i32, start: i64) -> String {
    format!("topics/orders/partition={partition}/orders+{partition}+{start:010}.snappy.parquet")
}

/// The keys of all objects that are no log and no state.
pub(super) fn keys(world: &World) -> BTreeSet<String> {
    let store = Arc::clone(world.lake.store());
    let root = world.lake.root().clone();
    let listed = world.lake.wait(async move {
        let objects: Vec<_> = store.list(Some(&root)).try_collect().await.unwrap();
        objects.into_iter().map(|object| object.location)
    });
    let below = listed.unwrap().map(|path| {
        let parts: Vec<String> = path
            .prefix_match(world.lake.root())
            .unwrap()
            .map(|part| part.as_ref().to_owned())
            .collect();
        parts.join("/")
    });
    below
        .filter(|key| !key.contains("_delta_log") && !key.starts_with("_eddy"))
        .collect()
}

pub(super) fn put(world: &World, key: &str, text: &'static str) {
    let (store, root) = (Arc::clone(world.lake.store()), world.lake.root().clone());
    let path = Path::parse(format!("{root}/{key}")).unwrap();
    let put = async move { store.put(&path, text.into()).await };
    world.lake.wait(put).unwrap().unwrap();
}

pub(super) fn get(world: &World, key: &str) -> bytes::Bytes {
    let (store, root) = (Arc::clone(world.lake.store()), world.lake.root().clone());
    let path = Path::parse(format!("{root}/{key}")).unwrap();
    let get = async move { store.get(&path).await.unwrap().bytes().await.unwrap() };
    world.lake.wait(get).unwrap()
}

/// Objects of somebody else under names that the writers will want.
pub(super) fn strangers(world: &World) -> BTreeSet<String> {
    let name = |partition, start| match world.layout.flat() {
        Some(_) => flat::name(partition, start),
        None => name(partition, start),
    };
    let names = (0..4).flat_map(|partition| [0, 3, 5].map(|start| name(partition, start)));
    let mut names: BTreeSet<String> = names.collect();
    if !world.layout.sides().is_empty() {
        names.insert(sides::name(0, 3, ".keys.json"));
    }
    names
        .iter()
        .for_each(|name| put(world, name, "a stranger's"));
    names
}

pub(super) fn untouched(world: &World, strangers: &BTreeSet<String>) {
    for key in strangers {
        assert_eq!(get(world, key), "a stranger's", "P14: `{key}`");
    }
}

/// Whoever goes by folders alone sees each row once, when the partitions have a living owner.
pub(super) fn each_row_once_by_name(world: &World, strangers: &BTreeSet<String>) {
    drop(world.assigned(&[0, 1, 2, 3]));
    let mut seen = BTreeSet::new();
    let left: BTreeSet<String> = keys(world).difference(strangers).cloned().collect();
    let (left, beside): (BTreeSet<_>, BTreeSet<_>) =
        left.into_iter().partition(|key| !sides::is_side(key));
    sides::each_of_a_commit(world, &beside);
    for key in &left {
        let rows = match world.layout.flat() {
            Some(_) => flat::rows(world, key),
            None => read(get(world, key)).iter().flat_map(offsets).collect(),
        };
        for row in rows {
            assert!(seen.insert(row), "{row:?} is in `{key}` and elsewhere");
        }
    }
    let rows: BTreeSet<_> = match world.layout.flat() {
        Some(_) => flat::recorded(world).into_iter().collect(),
        None if world.snapshot().files.is_empty() => BTreeSet::new(),
        None => offsets(&world.rows()).into_iter().collect(),
    };
    assert_eq!(seen, rows);
}

pub(super) fn due(writer: &mut TableWriter) {
    assert!(writer.cut_due().unwrap());
    settled(writer);
}

#[test]
fn whole_rotations_are_committed_under_their_names_and_open_ones_stay_live() {
    let world = world(confluent(3));
    let (mut writer, _) = world.assigned(&[0, 1]);
    // In batches that don't end where rotations do.
    for (partition, from, to) in [(0, 0, 2), (1, 0, 4), (0, 2, 8)] {
        append(&mut writer, partition, from, to);
        writer.publish().unwrap();
    }
    due(&mut writer);
    let expected = [name(0, 0), name(0, 3), name(1, 0)];
    assert_eq!(keys(&world), BTreeSet::from(expected));
    assert_eq!(world.each_offset_once(), BTreeMap::from([(0, 6), (1, 3)]));
    assert!(!writer.cut_due().unwrap(), "only open rotations are left");
    let live = crate::read::consistent(&world.lake, &Default::default(), &world.table(), &[]);
    let live: usize = live
        .unwrap()
        .unwrap()
        .live
        .iter()
        .map(RecordBatch::num_rows)
        .sum();
    assert_eq!(live, 3, "E8: what was left is live, and nothing twice");
    append(&mut writer, 0, 8, 9);
    due(&mut writer);
    assert!(keys(&world).contains(&name(0, 6)));
    // What must be committed ends early, and the next begins where it ended.
    append(&mut writer, 1, 4, 5);
    commit(&mut writer);
    append(&mut writer, 1, 5, 8);
    due(&mut writer);
    let more = [name(1, 3), name(1, 5)];
    assert!(BTreeSet::from(more).is_subset(&keys(&world)));
    assert_eq!(world.each_offset_once(), BTreeMap::from([(0, 9), (1, 8)]));
    let codec = read_codec(get(&world, &name(0, 0)));
    assert_eq!(codec, parquet::basic::Compression::SNAPPY);
    invariants::check(&world.lake, &world.table()).unwrap();
}

fn read_codec(bytes: bytes::Bytes) -> parquet::basic::Compression {
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap();
    reader.metadata().row_group(0).column(0).compression()
}

#[test]
fn files_are_of_one_kafka_partition_and_one_encoded_partition_each() {
    let fields = vec![(Some("p.of".to_owned()), FieldPath::parse("p.of").unwrap())];
    let world = world(with(|foreign| {
        foreign.folders = Folders::Fields {
            fields,
            delim: "/".to_owned(),
        };
        foreign.rotation.records = Some(4);
    }));
    let (mut writer, _) = world.assigned(&[0]);
    for (offset, of) in [(0, "\"x y\""), (1, "7"), (2, "null"), (3, "\"x y\"")] {
        let value = format!("{{\"p\":{{\"of\":{of}}}}}");
        writer.append(&record(0, offset, value.as_bytes())).unwrap();
    }
    due(&mut writer);
    let folder = "topics/orders/p.of=";
    let file = |of: &str, start| format!("{folder}{of}/orders+0+{start:010}.snappy.parquet");
    let expected = [file("x y", 0), file("7", 1), file("null", 2)];
    assert_eq!(keys(&world), BTreeSet::from(expected));
    world.each_offset_once();
}

#[test]
fn names_without_a_folder_of_their_topic_are_in_the_log_by_their_urls() {
    let time = TemplateTime {
        zone: Zone::UTC,
        source: TimeSource::Record,
    };
    let template = "{{topic}}-{{partition}}-{{start_offset}}";
    let template = Template::parse(template, time).unwrap();
    let world = world(with(|foreign| {
        foreign.names = Names::Template {
            prefix: "raw/".to_owned(),
        };
        foreign.folders = Folders::Template(template);
        foreign.rotation.whole = false;
    }));
    let options = WriterOptions {
        table: world.lake.table("_eddy/delta", "orders"),
        ..world.options()
    };
    let mut writer = TableWriter::open(&world.lake, options.clone()).unwrap();
    assign(&mut writer, &[0, 1]);
    append(&mut writer, 0, 0, 4);
    append(&mut writer, 1, 0, 1);
    due(&mut writer);
    let expected = ["raw/orders-0-0", "raw/orders-0-3", "raw/orders-1-0"];
    assert_eq!(keys(&world), expected.map(str::to_owned).into());
    let report = invariants::check(&world.lake, &options.table).unwrap();
    assert_eq!(report.rows(), 5);
    let listed = crate::read::tables(&world.lake).unwrap();
    assert_eq!(listed, [options.table]);
}

#[test]
fn p13_a_name_that_is_taken_gets_a_suffix_and_what_was_there_stays() {
    let world = world(confluent(3));
    put(&world, &name(0, 3), "a stranger's");
    let (mut writer, _) = world.assigned(&[0]);
    append(&mut writer, 0, 0, 9);
    due(&mut writer);
    let keys = keys(&world);
    assert_eq!(keys.len(), 4);
    let stem = name(0, 3).replace(".snappy.parquet", "-");
    assert!(keys.iter().any(|key| key.starts_with(&stem)), "{keys:?}");
    untouched(&world, &BTreeSet::from([name(0, 3)]));
    assert_eq!(world.each_offset_once(), BTreeMap::from([(0, 9)]));
    invariants::check(&world.lake, &world.table()).unwrap();
}

#[test]
fn p13_an_answer_that_was_lost_is_no_name_that_is_taken() {
    let world = world(confluent(3));
    let (mut writer, _) = world.assigned(&[0]);
    append(&mut writer, 0, 0, 6);
    let lost = [Step::LoseAnswer, Step::FalseConflict, Step::LoseAnswer];
    world.store().script("partition=", lost);
    due(&mut writer);
    let expected = [name(0, 0), name(0, 3)];
    assert_eq!(keys(&world), BTreeSet::from(expected));
    world.each_offset_once();
}

/// Two processes on one store: one whose requests can fail, and its successor.
pub(super) fn of_two(layout: fn() -> Layout) -> (World, World) {
    let inner = Arc::new(InMemory::new());
    let failing = FaultyStore::new(inner.clone());
    let store = failing.clone();
    let before = World {
        layout: layout(),
        ..World::with(|clock| (store_lake(Arc::new(store), clock), Some(failing), None))
    };
    let after = World {
        layout: layout(),
        ..World::with(|clock| (store_lake(inner, clock), None, None))
    };
    (before, after)
}

#[test]
fn p13_what_a_dead_writer_left_is_removed_by_its_successor_and_its_name_used_again() {
    let (before, after) = of_two(|| confluent(3));
    let (mut zombie, _) = before.assigned(&[0, 1]);
    append(&mut zombie, 0, 0, 6);
    append(&mut zombie, 1, 0, 3);
    // It uploads, and its commit doesn't get through.
    let version = zombie.log.as_ref().unwrap().version() + 2;
    let commit = format!("_delta_log/{version:020}.json");
    before.store().script(&commit, [Step::FailBefore; 10_000]);
    assert!(zombie.cut_due().unwrap());
    while zombie.stalled().is_none() {
        before.lake.clock().block(Duration::from_millis(2));
    }
    assert_eq!(keys(&after).len(), 3);
    put(&after, &name(0, 6), "a stranger's");
    let (mut writer, next) = after.assigned(&[0]);
    assert_eq!(next, BTreeMap::from([(0, 0)]));
    let left = [name(1, 0), name(0, 6)];
    let what = "only what is the partition's and its own";
    assert_eq!(keys(&after), BTreeSet::from(left), "{what}");
    append(&mut writer, 0, 0, 9);
    due(&mut writer);
    untouched(&after, &BTreeSet::from([name(0, 6)]));
    let used = [name(0, 0), name(0, 3)];
    assert!(BTreeSet::from(used).is_subset(&keys(&after)));
    before.store().script("", []);
    let fenced = zombie.wait_cut(DEADLINE).unwrap_err();
    assert_eq!(fenced.kind(), crate::error::ErrorKind::Fenced, "P8");
    assert_eq!(after.each_offset_once(), BTreeMap::from([(0, 9), (1, 0)]));
    invariants::check(&after.lake, &after.table()).unwrap();
}

#[test]
fn p5_p13_a_rewind_cuts_a_file_of_a_foreign_name_and_what_comes_again_has_a_name_of_its_own() {
    let world = world(confluent(3));
    let (mut writer, _) = world.assigned(&[0]);
    append(&mut writer, 0, 0, 9);
    due(&mut writer);
    drop(writer);
    let target = |offset| Target {
        offset,
        reset: false,
    };
    // Within a file, at the beginning of one, everything.
    for offset in [4, 6, 0] {
        let alteration = Alteration {
            topic_id: topic(),
            targets: BTreeMap::from([(0, target(offset))]),
            reason: String::new(),
        };
        let halt = AtomicBool::new(false);
        alter(&world.lake, &world.table(), &alteration, &halt).unwrap();
        assert_eq!(world.each_offset_once(), BTreeMap::from([(0, offset)]));
        let (mut writer, next) = world.assigned(&[0]);
        assert_eq!(next[&0], offset);
        append(&mut writer, 0, offset, 9);
        commit(&mut writer);
        assert_eq!(world.each_offset_once(), BTreeMap::from([(0, 9)]));
        invariants::check(&world.lake, &world.table()).unwrap();
    }
    let files = world.snapshot().files.len();
    assert_eq!(files, 3, "three rotations of three");
}

/// A pack tells of a file by its name, which may be another file's after a rewind and a cleaning.
#[test]
fn p13_a_file_whose_name_may_come_again_has_no_filters() {
    let policy = Policy {
        compaction: Some(Compaction {
            settle: Duration::ZERO,
            quiet: Duration::ZERO,
            ..Compaction::default()
        }),
        ..Policy::default()
    };
    for (world, files) in [(World::faulty(), 1), (world(confluent(3)), 0)] {
        let (mut writer, _) = world.assigned(&[0]);
        append(&mut writer, 0, 0, 3);
        commit(&mut writer);
        let mut keeper = Keeper::new(&world.lake, &Budget::unlimited());
        let halt = AtomicBool::new(false);
        let kept = keeper.pass(&world.table(), &policy, &halt).unwrap();
        assert_eq!(kept.compacted.rewrites, 0, "alone");
        assert_eq!((kept.filtered.files, kept.filtered.left), (files, 0));
    }
}
