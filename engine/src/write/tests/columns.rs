//! Columns that come late, and two writers that discover them at once (P11).

use super::*;

fn append_values(writer: &mut TableWriter, partition: i32, from: i64, values: &[&str]) -> i64 {
    let mut offset = from;
    for value in values {
        writer
            .append(&record(partition, offset, value.as_bytes()))
            .unwrap();
        offset += 1;
    }
    offset
}

fn names(world: &World) -> Vec<String> {
    let snapshot = world.snapshot();
    let fields = snapshot.schema.fields();
    fields
        .iter()
        .map(|field| field.name().clone())
        .filter(|name| !name.starts_with('_'))
        .collect()
}

#[test]
fn columns_may_come_between_cuts_and_within_one() {
    let world = World::in_memory();
    let (mut writer, _) = world.assigned(&[0]);
    let next = append_values(&mut writer, 0, 0, &["{\"a\":1}", "{\"b\":{\"c\":1}}"]);
    writer.publish().unwrap();
    let next = append_values(
        &mut writer,
        0,
        next,
        &["{\"b\":{\"d\":true}}", "{\"e\":[1]}"],
    );
    commit(&mut writer);
    let next = append_values(&mut writer, 0, next, &["{\"a\":\"text\"}", "{\"A\":2}"]);
    commit(&mut writer);
    append_values(&mut writer, 0, next, &["{\"e\":[{\"f\":1}],\"a\":3}"]);
    commit(&mut writer);
    assert_eq!(world.each_offset_once()[&0], 7);
    let rows = world.rows();
    let at = |offset: i64| {
        let row = offsets(&rows).iter().position(|(_, at)| *at == offset);
        row.unwrap()
    };
    let a = rows["a"].as_primitive::<Int64Type>();
    assert_eq!((a.value(at(0)), a.value(at(6))), (1, 3));
    assert_eq!(rows["a__string"].as_string::<i32>().value(at(4)), "text");
    // Names are injective ignoring case.
    let mut lower: Vec<_> = names(&world).iter().map(|n| n.to_lowercase()).collect();
    lower.sort_unstable();
    let count = lower.len();
    lower.dedup();
    assert_eq!(lower.len(), count);
}

#[test]
fn a_file_holds_only_the_columns_that_its_rows_have() {
    let world = World::in_memory();
    let (mut writer, _) = world.assigned(&[0]);
    let next = append_values(&mut writer, 0, 0, &["{\"a\":1}"]);
    commit(&mut writer);
    append_values(&mut writer, 0, next, &["{\"b\":1}"]);
    commit(&mut writer);
    for file in world.snapshot().files.iter() {
        let batch = &read(world.bytes(&file.path))[0];
        let payload = batch
            .schema()
            .fields()
            .iter()
            .filter(|f| !f.name().starts_with('_'))
            .count();
        assert_eq!(payload, 1);
        assert_eq!(batch.schema().fields().last().unwrap().name(), "_value");
    }
}

#[test]
fn p11_two_writers_that_discover_conflicting_columns_at_once_agree_on_names() {
    for round in 0..20 {
        let world = World::in_memory();
        let (mut a, _) = world.assigned(&[0]);
        let (mut b, _) = world.assigned(&[1]);
        append_values(
            &mut a,
            0,
            0,
            &["{\"x\":1,\"y\":\"s\",\"Z\":1}", "{\"x\":{\"u\":1}}"],
        );
        append_values(
            &mut b,
            1,
            0,
            &["{\"x\":\"s\",\"y\":2,\"z\":1}", "{\"x\":{\"u\":\"v\"}}"],
        );
        assert!(a.cut().unwrap() && b.cut().unwrap(), "round {round}");
        settled(&mut a);
        settled(&mut b);
        assert_eq!(world.each_offset_once(), BTreeMap::from([(0, 2), (1, 2)]));
        let rows = world.rows();
        let row = |partition: i32, offset: i64| {
            let wanted = (partition, offset);
            offsets(&rows).iter().position(|at| *at == wanted).unwrap()
        };
        // Whichever type came first has the plain name; the values are where the types say.
        let long = ["x", "x__long"]
            .iter()
            .filter_map(|name| rows.column_by_name(name))
            .find_map(|column| column.as_primitive_opt::<Int64Type>())
            .unwrap();
        let text = ["x", "x__string"]
            .iter()
            .filter_map(|name| rows.column_by_name(name))
            .find_map(|column| column.as_string_opt::<i32>())
            .unwrap();
        assert_eq!(long.value(row(0, 0)), 1);
        assert!(long.is_null(row(1, 0)));
        assert_eq!(text.value(row(1, 0)), "s");
        assert!(text.is_null(row(0, 0)));
    }
}

#[test]
fn a_column_says_since_which_version_the_table_has_it() {
    let world = World::in_memory();
    let (mut writer, _) = world.assigned(&[0]);
    let before = world.snapshot().version;
    let next = append_values(&mut writer, 0, 0, &["{\"a\":1,\"o\":{\"x\":[{\"y\":1}]}}"]);
    commit(&mut writer);
    let next = append_values(&mut writer, 0, next, &["{\"a\":2}"]);
    commit(&mut writer);
    drop(writer);
    // Another writer, which read the schema from the log.
    let (mut writer, _) = world.assigned(&[0]);
    append_values(
        &mut writer,
        0,
        next,
        &["{\"a\":\"s\",\"o\":{\"x\":[{\"z\":1}]}}"],
    );
    commit(&mut writer);
    let snapshot = world.snapshot();
    let history = snapshot.schema_history().read().unwrap();
    let since = |names: &[&str]| {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        history.get(&names).map(|since| since.version - before)
    };
    // A reservation and a cut each, and a cut alone between them.
    assert_eq!(since(&["a"]), Some(1));
    assert_eq!(since(&["o", "x", "element", "y"]), Some(1));
    assert_eq!(since(&["a__string"]), Some(4));
    assert_eq!(since(&["o", "x", "element", "z"]), Some(4));
    assert_eq!(since(&["_value"]), None);
    let times: Vec<_> = history
        .values()
        .map(|since| since.time().unwrap())
        .collect();
    assert!(times.iter().all(|time| time.starts_with("20")), "{times:?}");
    // Batches are compared with schemas that know nothing of it.
    assert!(!format!("{:?}", snapshot.schema).contains("since"));
}

#[test]
fn statistics_say_whether_they_name_all_leaves_of_a_file() {
    let world = World::in_memory();
    let (mut writer, _) = world.assigned(&[0]);
    let mut next = 0;
    let wide: Vec<String> = (0..40).map(|key| format!("\"k{key}\":1")).collect();
    let wide = format!("{{{}}}", wide.join(","));
    // What is in lists has no statistics either way.
    for value in ["{\"a\":1,\"b\":{\"c\":\"x\"},\"l\":[1]}", &wide] {
        next = append_values(&mut writer, 0, next, &[value]);
        commit(&mut writer);
    }
    let mut complete = Vec::new();
    for file in world.snapshot().files.iter() {
        let stats: serde_json::Value = serde_json::from_str(&file.stats_json).unwrap();
        let counted = stats["nullCount"]["b"]["c"].is_u64();
        complete.push((counted, stats[crate::write::STATS_COMPLETE].as_bool()));
    }
    complete.sort_unstable();
    assert_eq!(complete, [(false, Some(false)), (true, Some(true))]);
}
