//! What schemas do when tables grow: two writers, names, decisions, Delta's log.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod delta_log;

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;

use super::rebuild::{Json, kinds, rebuild};
use super::{Kind, Limits, bind, columns, decide, envelope_schema, grow, project};
use crate::record::{Record, TimestampType, TopicId};
use crate::shred::Shredder;

fn shred(reserved: &Schema, values: &[&str]) -> RecordBatch {
    let id = TopicId::new("id");
    let mut shredder = Shredder::new("t", id, reserved, Limits::default());
    for (offset, value) in values.iter().enumerate() {
        let record = Record {
            partition: 0,
            offset: offset as i64,
            timestamp_ms: None,
            timestamp_type: TimestampType::None,
            key: None,
            value: Some(value.as_bytes()),
            headers: &[],
            decoded: Default::default(),
        };
        shredder.append(&record, 0);
    }
    shredder.finish().unwrap().remove(0)
}

fn assert_rows(batch: &RecordBatch, values: &[&str]) {
    for (row, value) in values.iter().enumerate() {
        let wanted = Json::parse(value.as_bytes()).unwrap().normal();
        assert_eq!(rebuild(batch, row).normal(), wanted, "row {row}: {value}");
    }
}

#[test]
fn a_batch_binds_to_another_writers_names() {
    let empty = envelope_schema();
    let values = [r#"{"x": 1, "o": {"y": [true], "Z": 1}, "l": [1]}"#];
    let others = [r#"{"x": "a", "o": {"z": "b", "y": "c"}, "l": ["d"]}"#];
    let table = grow(&empty, shred(&empty, &others).schema_ref()).unwrap();
    let batch = shred(&empty, &values);
    assert_eq!(batch.schema_ref().field(0).name(), "x");
    let grown = grow(&table, batch.schema_ref()).unwrap();
    for field in table.fields() {
        assert!(grown.field_with_name(field.name()).is_ok(), "{field}");
    }
    let bound = bind(&batch, &grown).unwrap();
    let named = kinds(&bound, "x");
    assert_eq!(
        named,
        [
            ("x".to_owned(), Kind::String),
            ("x__long".to_owned(), Kind::Long)
        ]
    );
    assert_eq!(kinds(&bound, "l")[1], ("l__list".to_owned(), Kind::List));
    assert_rows(&bound, &values);
    let file = project(&grown, batch.schema_ref()).unwrap();
    assert_eq!(file.fields().len(), batch.num_columns());
    assert_rows(&bind(&batch, &file).unwrap(), &values);
    // What was reserved for the one binds the other's next batch too.
    assert_rows(&bind(&shred(&grown, &values), &grown).unwrap(), &values);
}

#[test]
fn a_column_without_a_reserved_name_is_refused() {
    let empty = envelope_schema();
    let batch = shred(&empty, &[r#"{"o": {"a": 1}}"#]);
    let other = grow(&empty, shred(&empty, &[r#"{"o": {"b": 1}}"#]).schema_ref()).unwrap();
    let error = bind(&batch, &other).unwrap_err().to_string();
    assert!(error.contains("key `a`"), "{error}");
    assert!(project(&other, batch.schema_ref()).is_err());
}

#[test]
fn the_first_cut_decides_for_doubles_if_no_integer_suffers() {
    let empty = envelope_schema();
    let first = [r#"{"x": 1, "o": {"l": [{"y": 2}]}, "n": [[1]], "z": 9007199254740993}"#];
    let second = [
        r#"{"x": 1.5, "o": {"l": [{"y": 2.5}]}, "n": [[1.5]], "z": 0.5}"#,
        r#"{"x": 7}"#,
    ];
    let batches = vec![shred(&empty, &first), shred(&empty, &second)];
    let batches = decide(&empty, batches).unwrap();
    assert_rows(&batches[0], &first);
    assert_rows(&batches[1], &second);
    let mut table = empty.clone();
    for batch in &batches {
        table = grow(&table, batch.schema_ref()).unwrap_or(table);
    }
    let kind = |path: &[&str]| -> Vec<Kind> {
        let found = columns(&table)
            .into_iter()
            .filter(|column| column.path == path);
        found.map(|column| column.kind).collect()
    };
    assert_eq!(kind(&["x"]), [Kind::Double]);
    assert_eq!(kind(&["o", "l", "[]", "y"]), [Kind::Double]);
    assert_eq!(kind(&["n", "[]", "[]"]), [Kind::Double]);
    assert_eq!(kind(&["z"]), [Kind::Long, Kind::Double]);
    // Decided for integers is decided.
    let longs = grow(&empty, shred(&empty, &[r#"{"x": 1}"#]).schema_ref()).unwrap();
    let batch = decide(
        &longs,
        vec![shred(&longs, &[r#"{"x": 2}"#, r#"{"x": 2.5}"#])],
    )
    .unwrap();
    assert_eq!(kinds(&batch[0], "x").len(), 2);
    // Another writer decided for doubles meanwhile.
    let doubles = grow(&empty, shred(&empty, &[r#"{"x": 1.5}"#]).schema_ref()).unwrap();
    let batch = decide(&doubles, vec![shred(&empty, &[r#"{"x": 2}"#])]).unwrap();
    assert_eq!(kinds(&batch[0], "x")[0].1, Kind::Double);
}

#[test]
fn columns_name_every_level() {
    let empty = envelope_schema();
    let batch = shred(&empty, &[r#"{"a b": {"c": [{"d": 1}, "x"]}, "é": [1]}"#]);
    let found: Vec<String> = columns(&grow(&empty, batch.schema_ref()).unwrap())
        .iter()
        .map(|column| {
            let (path, names) = (column.path.join("/"), column.names.join("/"));
            format!("{path} {} {names}", column.kind)
        })
        .collect();
    let wanted = [
        "a b object a_b",
        "a b/c mixed a_b/c",
        "a b/c/[] object a_b/c/element/object",
        "a b/c/[]/d long a_b/c/element/object/d",
        "a b/c/[] string a_b/c/element/string",
        "é list é",
        "é/[] long é/element",
    ];
    assert_eq!(found, wanted);
}
