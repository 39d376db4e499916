//! Any sequence of JSON objects in, every value out again with its type: whatever the names, the
//! drift, the budgets and the number of writers.

use std::collections::HashSet;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Fields, Schema};
use proptest::prelude::*;

use super::{record, shredder};
use crate::schema::rebuild::{Json, rebuild};
use crate::schema::{Limits, bind, columns, decide, envelope_schema, grow, project};
use crate::testing::scale;

/// How often a property is tried.
pub(super) fn cases() -> ProptestConfig {
    ProptestConfig::with_cases(scale(256, 10_000) as u32)
}

fn key() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "a",
        "A",
        "b",
        "a.b",
        "a b",
        "\\\"",
        "\\u00e9",
        "é",
        "É",
        "dt",
        "_topic",
        "_VALUE",
        "_rescued",
        "",
        "a__string",
        "a__object",
        "a__list",
        "long",
        "element",
        "\\ud800",
        "x/y",
        "10.0.0.1",
        "\\u0061",
        "\\n",
    ])
}

pub(super) fn value() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(vec![
        "null",
        "true",
        "false",
        "0",
        "-0",
        "1",
        "-17",
        "9007199254740992",
        "9007199254740993",
        "9223372036854775807",
        "-9223372036854775808",
        "9223372036854775808",
        "99999999999999999999999999999999999999",
        "-100000000000000000000000000000000000000",
        "0.5",
        "-1.25e3",
        "1.0",
        "1e22",
        "1e999",
        "1e-999",
        "-0.0",
        "\"\"",
        "\"x\"",
        "\"null\"",
        "\"\\ud83d\\ude00 \\n\"",
        "\"\\ud800\"",
        "\"ünï\"",
        "[]",
        "{}",
    ]);
    leaf.prop_map(str::to_owned)
        .prop_recursive(5, 40, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5)
                    .prop_map(|elements| format!("[ {} ]", elements.join(" , "))),
                object_of(inner),
            ]
        })
}

fn object_of(value: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    prop::collection::vec((key(), value), 0..5).prop_map(|members| {
        let members: Vec<String> = members
            .into_iter()
            .map(|(key, value)| format!("\"{key}\": {value}"))
            .collect();
        format!("{{{}}}", members.join(","))
    })
}

pub(crate) fn object() -> impl Strategy<Value = String> {
    object_of(value())
}

pub(super) fn limits() -> impl Strategy<Value = Limits> {
    (
        prop::sample::select(vec![0, 1, 3, 10, 2_000]),
        prop::sample::select(vec![0, 1, 2, 5, 200]),
        prop::sample::select(vec![0, 1, 2, 3, 4, 16]),
    )
        .prop_map(|(leaves, keys, depth)| Limits {
            leaves,
            keys,
            depth,
        })
}

pub(super) fn assert_same(batch: &RecordBatch, values: &[String]) {
    assert_eq!(batch.num_rows(), values.len());
    for (row, value) in values.iter().enumerate() {
        let Some(Json::Object(members)) = Json::parse(value.as_bytes()) else {
            panic!("{value} is no object");
        };
        let wanted = Json::Object(members).normal();
        assert_eq!(rebuild(batch, row).normal(), wanted, "row {row}: {value}");
    }
}

/// No two names in one struct are equal ignoring case, and none has what Delta forbids.
pub(super) fn assert_names(fields: &Fields) {
    let mut seen = HashSet::new();
    for field in fields {
        assert!(
            seen.insert(field.name().to_lowercase()),
            "`{}` comes twice",
            field.name()
        );
        assert!(
            !field
                .name()
                .contains([' ', ',', ';', '{', '}', '(', ')', '\n', '\t', '='])
        );
        assert!(!field.name().is_empty());
        let mut data_type = field.data_type();
        while let DataType::List(element) = data_type {
            data_type = element.data_type();
        }
        if let DataType::Struct(fields) = data_type {
            assert!(
                !fields.is_empty(),
                "`{}` is a struct without fields",
                field.name()
            );
            assert_names(fields);
        }
    }
}

/// What a writer does with a cut: decides, reserves, binds. Answers the table's new schema.
pub(super) fn cut(table: &Schema, batches: Vec<RecordBatch>, values: &[&[String]]) -> Schema {
    let batches = decide(table, batches).unwrap();
    let mut table = table.clone();
    for (batch, values) in batches.iter().zip(values) {
        assert_same(batch, values);
        table = grow(&table, batch.schema_ref()).unwrap_or(table);
        assert!(grow(&table, batch.schema_ref()).is_none());
    }
    for (batch, values) in batches.iter().zip(values) {
        let file = project(&table, batch.schema_ref()).unwrap();
        assert_same(&bind(batch, &file).unwrap(), values);
        assert_same(&bind(batch, &table).unwrap(), values);
    }
    assert_names(table.fields());
    assert_eq!(table.fields().last().unwrap().name(), "_value");
    table
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn every_value_comes_out_again_with_its_type(
        values in prop::collection::vec(object(), 1..24),
        rows in 1..8_usize,
        limits in limits(),
    ) {
        let mut table = envelope_schema();
        let mut shredder = shredder(&table, limits);
        for chunk in values.chunks(rows) {
            for value in chunk {
                shredder.append(&record(0, value.as_bytes()), 0);
            }
            let batch = shredder.finish().unwrap().remove(0);
            let reserved = cut(&table, vec![batch], &[chunk]);
            let known = table.fields().iter().map(|f| f.name());
            prop_assert!(known.clone().all(|name| reserved.field_with_name(name).is_ok()));
            table = reserved;
            shredder.rebase(&table);
        }
        prop_assert!(columns(&table).iter().all(|column| column.path.len() <= limits.depth.max(1)
            || limits.depth == 0));
    }

    #[test]
    fn two_writers_of_one_table_keep_every_value(
        first in prop::collection::vec(object(), 2..12),
        second in prop::collection::vec(object(), 2..12),
        limits in limits(),
    ) {
        let mut table = envelope_schema();
        let mut writers = [shredder(&table, limits), shredder(&table, limits)];
        let halves = [first.split_at(first.len() / 2), second.split_at(second.len() / 2)];
        for half in 0..2 {
            for (writer, values) in writers.iter_mut().zip(&halves) {
                let values = if half == 0 { values.0 } else { values.1 };
                for value in values {
                    writer.append(&record(0, value.as_bytes()), 0);
                }
                // The other's names come in the middle of a batch.
                writer.rebase(&table);
                let batch = writer.finish().unwrap().remove(0);
                table = cut(&table, vec![batch], &[values]);
                if half == 0 {
                    writer.rebase(&table);
                }
            }
        }
    }
}
