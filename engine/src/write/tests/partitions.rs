//! Tables that are partitioned otherwise than by day.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::commit::DataFile;
use crate::error::ErrorKind;
use crate::partition::{FieldPath, Part, Partitioning, TimePart, Unit, Zone};
use crate::path::partition_value;

fn field(text: &str) -> Part {
    Part::Field(FieldPath::parse(text).unwrap())
}

fn hour(zone: &str) -> Part {
    let zone = Zone::parse(zone).unwrap();
    Part::Time(TimePart::new(Some(Unit::Hour), zone, None, None).unwrap())
}

fn by(parts: Vec<Part>) -> Arc<Partitioning> {
    Arc::new(Partitioning::new(parts).unwrap())
}

fn writer(world: &World, partitioning: &Arc<Partitioning>) -> TableWriter {
    let options = WriterOptions {
        partitioning: Arc::clone(partitioning),
        ..world.options()
    };
    let mut writer = TableWriter::open(&world.lake, options).unwrap();
    assign(&mut writer, &[0, 1]);
    writer
}

fn append_at(writer: &mut TableWriter, offset: i64, time_ms: i64, value: &Value) {
    let value = value.to_string();
    let mut record = record(0, offset, value.as_bytes());
    record.timestamp_ms = Some(time_ms);
    writer.append(&record).unwrap();
}

/// The file's folder, its values in the order of their names, and the numbers `n` in it.
fn seen(world: &World, file: &DataFile) -> (String, Vec<Option<String>>, Vec<i64>) {
    let folder = file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut numbers = Vec::new();
    for batch in read(world.bytes(&file.path)) {
        assert_eq!(
            batch.column_by_name("dt").map(|_| ()),
            None,
            "not in the file"
        );
        numbers.extend(batch["n"].as_primitive::<Int64Type>().values().iter());
    }
    let values = file.partition_values.values().cloned().collect();
    (folder.to_owned(), values, numbers)
}

#[test]
fn by_field_and_hour_each_row_is_in_the_folder_of_its_values() {
    for world in [World::in_memory(), World::on_disk()] {
        let partitioning = by(vec![field("region"), hour("Europe/Berlin")]);
        let mut writer = writer(&world, &partitioning);
        let hour_ms = 3_600_000;
        for (offset, region) in (0..).zip(["eu", "a/b", "eu", ".."]) {
            let value = json!({"n": offset, "region": region});
            append_at(&mut writer, offset, TIME_MS, &value);
        }
        let old = json!({"n": 4, "region": "eu"});
        append_at(&mut writer, 4, TIME_MS - 11 * hour_ms, &old);
        append_at(&mut writer, 5, TIME_MS, &json!({"n": 5}));
        commit(&mut writer);
        let snapshot = world.snapshot();
        let mut files: Vec<_> = snapshot
            .files
            .iter()
            .map(|file| seen(&world, file))
            .collect();
        files.sort();
        let day = "2026-11-23";
        let file = |folder: &str, hour: &str, region: Option<&str>, numbers: &[i64]| {
            let values = [Some(day), Some(hour), region];
            let values = values.map(|value| value.map(str::to_owned)).to_vec();
            (folder.to_owned(), values, numbers.to_vec())
        };
        let null = "region=__HIVE_DEFAULT_PARTITION__/dt=2026-11-23/hour=11";
        assert_eq!(
            files,
            [
                file("region=../dt=2026-11-23/hour=11", "11", Some(".."), &[3]),
                file(null, "11", None, &[5]),
                file(
                    "region=a%2Fb/dt=2026-11-23/hour=11",
                    "11",
                    Some("a/b"),
                    &[1]
                ),
                file("region=eu/dt=2026-11-23/hour=00", "00", Some("eu"), &[4]),
                file("region=eu/dt=2026-11-23/hour=11", "11", Some("eu"), &[0, 2]),
            ]
        );
        // The payload's column steps aside, and says what it holds.
        let column = snapshot.schema.field_with_name("region_2").unwrap();
        assert_eq!(column.metadata()["eddy.key"], "region");
        assert!(snapshot.schema.field_with_name("region").is_err());
        world.each_offset_once();
        crate::commit::invariants::check(&world.lake, &world.table()).unwrap();
    }
}

#[test]
fn without_partitions_files_lie_in_the_tables_folder_and_dt_is_a_name_like_any_other() {
    let world = World::on_disk();
    let mut writer = writer(&world, &Arc::new(Partitioning::none()));
    append_at(&mut writer, 0, TIME_MS, &json!({"dt": 1}));
    append_at(&mut writer, 1, TIME_MS - 86_400_000, &json!({"dt": 2}));
    commit(&mut writer);
    let snapshot = world.snapshot();
    assert_eq!(snapshot.files.len(), 1);
    assert!(!snapshot.files[0].path.contains('/'));
    assert!(snapshot.files[0].partition_values.is_empty());
    assert!(snapshot.schema.field_with_name("dt").is_ok());
    world.each_offset_once();
}

#[test]
fn a_tables_partitioning_is_fixed_and_asking_for_another_is_refused() {
    let world = World::in_memory();
    let berlin = by(vec![field("region"), hour("Europe/Berlin")]);
    drop(writer(&world, &berlin));
    drop(writer(&world, &berlin));
    let utc = by(vec![field("region"), hour("UTC")]);
    for other in [utc, by(vec![field("region")]), Arc::default()] {
        let options = WriterOptions {
            partitioning: Arc::clone(&other),
            ..world.options()
        };
        let error = TableWriter::open(&world.lake, options).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        let text = error.to_string();
        assert!(text.contains(&format!("partitioned by {berlin}")), "{text}");
        assert!(text.contains(&format!("{other} was asked for")), "{text}");
    }
}

#[test]
fn columns_and_partitions_are_the_same_after_a_restart_and_for_a_second_writer() {
    let world = World::in_memory();
    let partitioning = by(vec![field("a.b")]);
    let mut first = writer(&world, &partitioning);
    append_at(
        &mut first,
        0,
        TIME_MS,
        &json!({"n": 0, "a": {"b": "x"}, "a_b": 1}),
    );
    commit(&mut first);
    drop(first);
    let mut second = writer(&world, &partitioning);
    append_at(
        &mut second,
        1,
        TIME_MS,
        &json!({"n": 1, "a": {"b": 7}, "A_B": 1}),
    );
    commit(&mut second);
    let snapshot = world.snapshot();
    let mut values: Vec<_> = snapshot
        .files
        .iter()
        .map(|file| seen(&world, file).1)
        .collect();
    values.sort();
    assert_eq!(values, [[Some("7".to_owned())], [Some("x".to_owned())]]);
    let names: Vec<_> = snapshot
        .schema
        .fields()
        .iter()
        .map(|field| field.name())
        .collect();
    assert!(names.contains(&&"a_b_2".to_owned()), "{names:?}");
    assert!(names.contains(&&"A_B_2".to_owned()) || names.contains(&&"A_B_3".to_owned()));
    world.each_offset_once();
}

#[test]
fn a_cut_comes_before_it_has_too_many_files_and_those_count_as_memory() {
    let world = World::in_memory();
    let mut options = world.options();
    options.partitioning = by(vec![field("n")]);
    options.cut.partitions = 100;
    let mut writer = TableWriter::open(&world.lake, options).unwrap();
    assign(&mut writer, &[0]);
    append(&mut writer, 0, 0, 99);
    writer.publish().unwrap();
    let few = writer.memory();
    assert!(!writer.due());
    // The same partitions again.
    append_at(&mut writer, 99, TIME_MS, &json!({"n": 3}));
    writer.publish().unwrap();
    assert!(!writer.due());
    append_at(&mut writer, 100, TIME_MS, &json!({"n": 100}));
    writer.publish().unwrap();
    assert!(writer.due());
    assert!(few > 99 * 1_024, "{few} bytes with 99 files to come");
    commit(&mut writer);
    assert_eq!(world.snapshot().files.len(), 100);
    assert!(writer.memory() < few / 10);
    world.each_offset_once();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn any_values_are_partitions_whose_rows_all_have_them(
        values in prop::collection::vec(prop_oneof![
            prop::option::of(".{0,80}").prop_map(Value::from),
            prop::option::of("[/%=. ~a]{0,4}").prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<bool>().prop_map(Value::from),
        ], 1..30),
    ) {
        let world = World::on_disk();
        let mut writer = writer(&world, &by(vec![field("v")]));
        for (offset, value) in (0..).zip(&values) {
            append_at(&mut writer, offset, TIME_MS, &json!({"n": offset, "v": value}));
        }
        commit(&mut writer);
        let mut rows = 0;
        for file in world.snapshot().files.iter() {
            let (_, partition, numbers) = seen(&world, file);
            for number in &numbers {
                let text = match &values[usize::try_from(*number).unwrap()] {
                    Value::String(text) => text.clone(),
                    Value::Null => String::new(),
                    other => other.to_string(),
                };
                let expected = (!text.is_empty()).then(|| partition_value(&text).into_owned());
                prop_assert_eq!(&partition, &vec![expected]);
            }
            rows += numbers.len();
        }
        prop_assert_eq!(rows, values.len());
    }
}
