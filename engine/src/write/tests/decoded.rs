//! What a converter knows beside the payload: schema ids and the fields of structured keys, through
//! commits and restarts and back through a plain Parquet reader.

use proptest::prelude::*;

use super::*;
use crate::record::Decoded;
use crate::redact::{Action, Options, Redaction, Rule};
use crate::schema::KEY_FIELDS;
use crate::schema::rebuild::{Json, rebuild};
use crate::shred::tests::any_values::object;
use crate::shred::tests::typed::wanted;
use crate::value::Value;
use crate::write::Payload;
use arrow::array::Int32Array;

#[derive(Debug, Clone)]
struct One {
    ids: (Option<i32>, Option<i32>),
    key: Option<Value>,
}

fn any_key() -> impl Strategy<Value = Option<Value>> {
    prop_oneof![
        2 => Just(None),
        1 => Just(Some(Value::Null)),
        1 => Just(Some(Value::Text("k".to_owned()))),
        6 => object().prop_map(|json| Value::parse(json.as_bytes())),
    ]
}

fn any_one() -> impl Strategy<Value = One> {
    let ids = (
        prop::option::of(any::<i32>()),
        prop::option::of(any::<i32>()),
    );
    (ids, any_key()).prop_map(|(ids, key)| One { ids, key })
}

fn structured(key: Option<&Value>) -> Json {
    match key.map(|key| wanted(key).normal()) {
        Some(key @ Json::Object(_)) => key,
        _ => Json::Null,
    }
}

fn key_of(rows: &RecordBatch, row: usize) -> Json {
    let Some(keys) = rows.column_by_name(KEY_FIELDS) else {
        return Json::Null;
    };
    match keys.is_valid(row) {
        true => {
            let keys = keys.as_struct();
            let schema = arrow::datatypes::Schema::new(keys.fields().clone());
            let columns = keys.columns().to_vec();
            let keys = RecordBatch::try_new(Arc::new(schema), columns).unwrap();
            rebuild(&keys, row).normal()
        }
        false => Json::Null,
    }
}

fn take(writer: &mut TableWriter, one: &One, offset: i64, value: &Value) {
    let decoded = Decoded {
        key_schema_id: one.ids.0,
        value_schema_id: one.ids.1,
        key: one.key.as_ref(),
        ..Decoded::default()
    };
    let record = Record {
        decoded,
        ..record(0, offset, b"\x00bytes")
    };
    writer
        .append_payload(&record, Payload::Value(value))
        .unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn schema_ids_and_structured_keys_come_back_across_cuts_and_restarts(
        cuts in prop::collection::vec(prop::collection::vec(any_one(), 1..8), 1..4),
        restarts in any::<bool>(),
        wide in prop::bool::weighted(0.2),
    ) {
        let world = World::in_memory();
        let mut writer = world.assigned(&[0]).0;
        // Above 400 leaves rows are put into another order.
        let width = if wide { 450 } else { 1 };
        let members = (0..width).map(|at| (format!("v{at}"), Value::Integer(at)));
        let value = Value::Object(members.collect());
        let mut sent = Vec::new();
        for cut in &cuts {
            for one in cut {
                take(&mut writer, one, sent.len() as i64, &value);
                sent.push(one.clone());
            }
            commit(&mut writer);
            if restarts {
                writer = world.assigned(&[0]).0;
            }
        }
        let rows = world.rows();
        let ids = |name: &str| rows[name].as_primitive::<Int32Type>().clone();
        let (keys, values) = (ids("_key_schema_id"), ids("_value_schema_id"));
        for (row, (_, offset)) in offsets(&rows).into_iter().enumerate() {
            let one = &sent[offset as usize];
            let id = |ids: &Int32Array| ids.is_valid(row).then(|| ids.value(row));
            prop_assert_eq!((id(&keys), id(&values)), one.ids);
            prop_assert_eq!(key_of(&rows, row), structured(one.key.as_ref()));
            prop_assert_eq!(rebuild(&rows, row), wanted(&value));
        }
        prop_assert_eq!(rows.num_rows(), sent.len());
        let schema = rows.schema();
        prop_assert_eq!(schema.fields().last().unwrap().name(), "_value");
        crate::commit::invariants::check(&world.lake, &world.table()).unwrap();
    }
}

#[test]
fn a_table_whose_records_nobody_decoded_has_no_column_for_keys() {
    let world = World::in_memory();
    let mut writer = world.assigned(&[0]).0;
    append(&mut writer, 0, 0, 3);
    commit(&mut writer);
    let rows = world.rows();
    assert!(rows.column_by_name(KEY_FIELDS).is_none());
    assert_eq!(rows["_value_schema_id"].null_count(), 3);
}

#[test]
fn a_decoded_key_does_not_land_where_rules_are_about_the_key() {
    let world = World::in_memory();
    let mut options = world.options();
    let rules = Rule::parse_list("key:", Action::Drop).unwrap();
    options.redaction = Some(Redaction::new(rules, Options::default()).unwrap());
    let mut writer = TableWriter::open(&world.lake, options).unwrap();
    assign(&mut writer, &[0]);
    let key = Value::Object(vec![("id".to_owned(), Value::Integer(1))]);
    let one = One {
        ids: (Some(1), None),
        key: Some(key),
    };
    take(&mut writer, &one, 0, &Value::Object(Vec::new()));
    commit(&mut writer);
    let rows = world.rows();
    assert!(rows.column_by_name(KEY_FIELDS).is_none());
}

/// Why a record can't be converted may repeat what of it never lands.
#[test]
fn an_error_tells_nothing_of_a_record_where_rules_are_about_a_part_of_it() {
    let secret = "4111-1111-1111-1111";
    let why = format!("the key `{secret}` is no number");
    for (rules, told) in [
        (None, true),
        (Some("key:card"), false),
        (Some("other"), false),
    ] {
        let world = World::in_memory();
        let mut options = world.options();
        options.redaction = rules.map(|rules| {
            let rules = Rule::parse_list(rules, Action::Drop).unwrap();
            Redaction::new(rules, Options::default()).unwrap()
        });
        let mut writer = TableWriter::open(&world.lake, options).unwrap();
        assign(&mut writer, &[0]);
        let key = format!(r#"{{"id":1,"card":"{secret}"}}"#);
        let record = Record {
            key: Some(key.as_bytes()),
            ..record(0, 0, b"\x00bytes")
        };
        writer
            .append_payload(&record, Payload::Failed(&why))
            .unwrap();
        commit(&mut writer);
        let rows = world.rows();
        let errors = rows["_error"].as_string::<i32>();
        assert!(errors.is_valid(0), "{rules:?}");
        assert_eq!(errors.value(0).contains(secret), told, "{rules:?}");
        let keys = rows["_key"].as_binary::<i32>();
        let landed = String::from_utf8_lossy(keys.value(0));
        assert_eq!(
            landed.contains(secret),
            rules != Some("key:card"),
            "{rules:?}"
        );
    }
}
