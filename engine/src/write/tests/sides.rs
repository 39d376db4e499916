//! What lies beside files and objects: keys, headers, tags.

use std::collections::BTreeSet;

use super::*;
use crate::commit::{TableLog, invariants};
use crate::error::ErrorKind;
use crate::flat::{Avro, BlockCodec, Compression, Decimals, Flat, Form, Frame, Shape};
use crate::layout::{Codec, Foreign, Holds, Part, Side, Tags};
use crate::maintain::{Erasure, erase};
use crate::testing::Step;
use crate::write::tests::foreign::{confluent, due, get, keys, of_two, put, world};

/// The layout with each record's key beside it, a line of JSON.
pub(super) fn keys_beside(layout: Layout) -> Layout {
    with_sides(layout, |foreign| {
        foreign.sides.push(side(Part::KeyText, ".keys.json"))
    })
}

fn with_sides(layout: Layout, change: impl FnOnce(&mut Foreign)) -> Layout {
    let Layout::Foreign(foreign) = layout else {
        panic!("it is foreign");
    };
    let mut foreign = (*foreign).clone();
    change(&mut foreign);
    Layout::Foreign(Arc::new(foreign))
}

fn side(part: Part, extension: &str) -> Side {
    Side {
        holds: Holds::Flat(Flat {
            form: Form::Alone(part),
            frame: Frame::ended("\n"),
            compression: Compression::None,
            decimals: Decimals::default(),
        }),
        extension: extension.to_owned(),
    }
}

pub(super) fn is_side(key: &str) -> bool {
    key.contains(".keys.") || key.contains(".headers.")
}

pub(super) fn name(partition: i32, start: i64, extension: &str) -> String {
    format!("topics/orders/partition={partition}/orders+{partition}+{start:010}{extension}")
}

fn text(world: &World, key: &str) -> String {
    String::from_utf8(get(world, key).to_vec()).unwrap()
}

/// `found` are those that commits name, and each holds the keys of as many records as it should:
/// the tests' keys are offsets.
pub(super) fn each_of_a_commit(world: &World, found: &BTreeSet<String>) {
    let log = TableLog::open(&world.lake, &world.table()).unwrap();
    let Some(log) = log else {
        assert_eq!(found.len(), 0);
        return;
    };
    let history = log.history(usize::MAX).unwrap();
    let landed: BTreeSet<_> = history
        .into_iter()
        .filter_map(|version| version.id)
        .collect();
    let records = flat::records(world).into_iter();
    let objects = records.filter(|one| landed.contains(&one.id));
    let objects = objects.flat_map(|one| one.objects.into_iter().map(|(path, _)| path));
    let named: BTreeSet<String> = objects
        .map(|path| format!("topics/orders/{path}"))
        .filter(|key| is_side(key))
        .collect();
    assert_eq!(*found, named, "E1: keys lie there for commits alone");
    let mut seen = BTreeSet::new();
    for key in found {
        let partition: i32 = key.split('+').nth(1).unwrap().parse().unwrap();
        for line in text(world, key).lines() {
            let offset: i64 = line.trim_matches('"').parse().unwrap();
            assert!(
                seen.insert((partition, offset)),
                "`{key}` has {offset}, and another too"
            );
        }
    }
    if world.layout.sides().is_empty() {
        return;
    }
    let positions = world.snapshot().positions;
    let all = positions.iter().flat_map(|((_, partition), position)| {
        (0..position.offset).map(move |offset| (*partition, offset))
    });
    assert_eq!(seen, all.collect(), "E1: each record's key is there once");
}

/// Records with keys and a header, but for the second.
fn append_keyed(writer: &mut TableWriter, from: i64, to: i64) {
    for offset in from..to {
        let (key, value) = (
            format!("k{offset}"),
            format!("{{\"n{}\":{offset}}}", offset % 2),
        );
        let headers = [Header {
            name: "h",
            value: Some(b"1"),
        }];
        let mut record = record(0, offset, value.as_bytes());
        if offset != 1 {
            record.key = Some(key.as_bytes());
            record.headers = &headers;
        }
        writer.append(&record).unwrap();
    }
}

#[test]
fn e1_keys_and_headers_come_with_their_records_commit_in_the_order_of_the_records() {
    let layout = with_sides(flat::lines(3), |foreign| {
        foreign.sides.push(side(Part::Key, ".keys.json"));
        foreign.sides.push(side(Part::Headers, ".headers.json"));
    });
    let world = world(layout);
    let (mut writer, _) = world.assigned(&[0]);
    append_keyed(&mut writer, 0, 4);
    due(&mut writer);
    let names = [".json", ".keys.json", ".headers.json"].map(|end| name(0, 0, end));
    assert_eq!(keys(&world), BTreeSet::from(names.clone()));
    assert_eq!(text(&world, &names[1]), "\"k0\"\nnull\n\"k2\"\n");
    let header = "[{\"key\":\"h\",\"value\":\"1\"}]";
    assert_eq!(text(&world, &names[2]), format!("{header}\n[]\n{header}\n"));
    world.each_offset_once();
    invariants::check(&world.lake, &world.table()).unwrap();
}

#[test]
fn e1_a_parquet_files_keys_stand_in_the_order_of_its_rows() {
    let layout = with_sides(confluent(4), |foreign| {
        foreign.sides.push(side(Part::Key, ".keys.json"));
        foreign.sides.push(Side {
            holds: Holds::Column(Part::Key, Codec::Gzip),
            extension: ".keys.gz.parquet".to_owned(),
        });
        foreign.sides.push(Side {
            holds: Holds::Column(Part::Headers, Codec::None),
            extension: ".headers.parquet".to_owned(),
        });
    });
    let world = world(layout);
    let (mut writer, _) = world.assigned(&[0]);
    // Records of two shapes, which the shredder puts together by their shapes.
    append_keyed(&mut writer, 0, 4);
    due(&mut writer);
    let rows = world.rows();
    let offsets = rows
        .column_by_name("_offset")
        .unwrap()
        .as_primitive::<Int64Type>();
    let key = |offset: &i64| (*offset != 1).then(|| format!("k{offset}"));
    let wanted: Vec<Option<String>> = offsets.values().iter().map(key).collect();
    let lines = wanted.iter().map(|key| match key {
        Some(key) => format!("\"{key}\"\n"),
        None => "null\n".to_owned(),
    });
    assert_eq!(
        text(&world, &name(0, 0, ".keys.json")),
        lines.collect::<String>()
    );
    let [batch] = read(get(&world, &name(0, 0, ".keys.gz.parquet")))
        .try_into()
        .unwrap();
    assert_eq!(batch.num_columns(), 1);
    let column = batch.column_by_name("key").unwrap().as_string::<i32>();
    let found: Vec<Option<String>> = column.iter().map(|key| key.map(str::to_owned)).collect();
    assert_eq!(found, wanted);
    let [batch] = read(get(&world, &name(0, 0, ".headers.parquet")))
        .try_into()
        .unwrap();
    let lists = batch.column_by_name("headers").unwrap().as_list::<i32>();
    let lengths: Vec<usize> = (0..4).map(|row| lists.value(row).len()).collect();
    let wanted: Vec<usize> = wanted
        .iter()
        .map(|key| usize::from(key.is_some()))
        .collect();
    assert_eq!(lengths, wanted);
    assert_eq!(world.each_offset_once(), BTreeMap::from([(0, 4)]));
    let report = invariants::check(&world.lake, &world.table()).unwrap();
    assert_eq!(report.rows(), 4, "keys are no rows");
}

#[test]
fn p13_keys_under_a_name_that_is_taken_or_whose_answer_was_lost() {
    let taken = name(0, 3, ".keys.json");
    for layout in [flat::lines(3), confluent(3)] {
        let world = world(keys_beside(layout));
        put(&world, &taken, "a stranger's");
        let (mut writer, _) = world.assigned(&[0]);
        let lost = name(0, 0, ".keys.json");
        world
            .store()
            .script(&lost, [Step::LoseAnswer, Step::FalseConflict]);
        append_keyed(&mut writer, 0, 9);
        due(&mut writer);
        assert_eq!(text(&world, &taken), "a stranger's", "P14");
        let keys = keys(&world);
        assert_eq!(keys.len(), 7, "{keys:?}");
        let stem = taken.replace(".keys.json", "-");
        let suffixed = |key: &String| key.starts_with(&stem) && key.ends_with(".keys.json");
        assert!(keys.iter().any(suffixed), "{keys:?}");
        assert!(keys.contains(&lost), "{keys:?}");
        assert_eq!(world.each_offset_once(), BTreeMap::from([(0, 9)]));
    }
}

#[test]
fn p13_keys_of_a_dead_writer_go_with_its_successor_and_those_of_a_commit_stay() {
    let (before, after) = of_two(|| keys_beside(confluent(3)));
    let (mut zombie, _) = before.assigned(&[0]);
    append_keyed(&mut zombie, 0, 3);
    due(&mut zombie);
    append_keyed(&mut zombie, 3, 6);
    // It uploads, and its commit doesn't get through.
    let version = zombie.log.as_ref().unwrap().version() + 1;
    let commit = format!("_delta_log/{version:020}.json");
    before.store().script(&commit, [Step::FailBefore; 10_000]);
    assert!(zombie.cut_due().unwrap());
    while zombie.stalled().is_none() {
        before.lake.clock().block(Duration::from_millis(2));
    }
    assert_eq!(keys(&after).len(), 4);
    let (mut writer, next) = after.assigned(&[0]);
    assert_eq!(next, BTreeMap::from([(0, 3)]));
    let left = [".snappy.parquet", ".keys.json"].map(|end| name(0, 0, end));
    assert_eq!(keys(&after), BTreeSet::from(left));
    append_keyed(&mut writer, 3, 9);
    due(&mut writer);
    before.store().script("", []);
    let fenced = zombie.wait_cut(DEADLINE).unwrap_err();
    assert_eq!(fenced.kind(), ErrorKind::Fenced, "P8");
    assert_eq!(after.each_offset_once(), BTreeMap::from([(0, 9)]));
    assert_eq!(keys(&after).len(), 6);
    invariants::check(&after.lake, &after.table()).unwrap();
}

#[test]
fn nothing_is_erased_from_a_table_whose_keys_lie_beside_it() {
    let world = world(keys_beside(confluent(3)));
    let (mut writer, _) = world.assigned(&[0]);
    append_keyed(&mut writer, 0, 3);
    due(&mut writer);
    let erasure = Erasure {
        id: world.lake.clock().new_id(),
        reference: "r".to_owned(),
        columns: vec!["_offset".to_owned()],
        may_match: &|_| true,
        matches: &|batch| Ok(vec![true; batch.num_rows()].into()),
    };
    let halt = std::sync::atomic::AtomicBool::new(false);
    let refused = erase(&world.lake, &world.table(), &erasure, &halt).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Invalid);
    assert!(
        refused.to_string().contains("beside the table"),
        "{refused}"
    );
}

#[test]
fn avro_of_two_schemas_is_an_object_for_each_however_they_alternate() {
    let layout = with_sides(flat::lines(6), |foreign| {
        let (codec, shape) = (BlockCodec::Null, Shape::Alone(Part::Value));
        if let crate::layout::Format::Flat(flat) = &mut foreign.format {
            flat.form = Form::Avro(Avro {
                codec,
                shape,
                record: "R".to_owned(),
                envelope: "E".to_owned(),
            });
        }
    });
    let world = world(layout);
    let (mut writer, _) = world.assigned(&[0]);
    let schemas: [Arc<str>; 2] = ["\"int\"", "\"boolean\""].map(Arc::from);
    let made = crate::value::Value::Boolean(true);
    for (offset, schema) in (0..6).zip(schemas.iter().cycle()) {
        let mut record = record(0, offset, b"?");
        record.decoded.value_avro = Some(crate::record::Avro {
            schema,
            bytes: &[0],
        });
        writer
            .append_payload(&record, crate::shred::Payload::Value(&made))
            .unwrap();
    }
    due(&mut writer);
    let names = [0, 1].map(|start| name(0, start, ".json"));
    assert_eq!(keys(&world), BTreeSet::from(names.clone()));
    for (name, schema) in names.iter().zip(&schemas) {
        let file = get(&world, name);
        let holds = |text: &[u8]| file.windows(text.len()).any(|window| window == text);
        assert!(
            holds(schema.as_bytes()) && holds(&[6, 6, 0, 0, 0]),
            "`{name}`"
        );
    }
    assert_eq!(
        flat::recorded(&world),
        (0..6).map(|offset| (0, offset)).collect::<Vec<_>>()
    );
    invariants::check(&world.lake, &world.table()).unwrap();
}

#[test]
fn tags_say_what_an_object_holds_and_may_be_refused_or_not() {
    let tagged = |may_miss| {
        world(with_sides(keys_beside(flat::lines(3)), |foreign| {
            let more = vec![("team".to_owned(), "a b".to_owned())];
            foreign.tags = Some(Tags { more, may_miss });
        }))
    };
    let own = tagged(false);
    let (mut writer, _) = own.assigned(&[0]);
    append_keyed(&mut writer, 0, 6);
    due(&mut writer);
    let tags: BTreeMap<String, String> = own
        .store()
        .tags()
        .into_iter()
        .map(|(path, tags)| (path.filename().unwrap().to_owned(), tags))
        .collect();
    let of = |from: i64| {
        let to = from + 2;
        format!("startOffset={from}&endOffset={to}&recordCount=3&team=a+b")
    };
    let wanted = [".json", ".keys.json"]
        .into_iter()
        .flat_map(|end| [0, 3].map(|from| (format!("orders+0+{from:010}{end}"), of(from))));
    assert_eq!(tags, wanted.collect());

    let store = |may_miss| {
        let world = tagged(may_miss);
        let (mut writer, _) = world.assigned(&[0]);
        world.store().script("orders+0", [Step::RefuseTags; 4]);
        append_keyed(&mut writer, 0, 3);
        assert!(writer.cut_due().unwrap());
        writer.wait_cut(DEADLINE).map(|_| keys(&world).len())
    };
    assert_eq!(store(true).unwrap(), 2);
    assert_eq!(store(false).unwrap_err().kind(), ErrorKind::Invalid);
}
