//! Decoded records: whatever the types of a batch, each value comes back with its type, beside
//! records that came as JSON.

pub(crate) mod random;
mod times;

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch, TimestampSecondArray};
use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use proptest::prelude::*;

use self::random::{Random, batch};
use super::any_values::{cases, limits, object};
use super::typed::wanted;
use super::{record, shredder};
use crate::moment;
use crate::record::Record;
use crate::schema::rebuild::{Json, rebuild};
use crate::schema::{Limits, decide, envelope_schema, grow};
use crate::shred::Shredder;
use crate::shred::whole::Whole;
use crate::value::Value;

fn append(shredder: &mut Shredder, batch: &RecordBatch) {
    let first = shredder.rows();
    let records: Vec<Record<'_>> = (first..first + batch.num_rows())
        .map(|offset| record(offset as i64, b"\x00avro"))
        .collect();
    shredder.append_batch(&records, batch, 7);
}

/// What JSON says of a value: where the budgets leave it no column, its type is lost.
fn as_json(value: Json) -> Json {
    use base64::Engine;
    match value {
        Json::Timestamp(us) => Json::Text(moment::timestamp(us)),
        Json::Date(days) => Json::Text(moment::date(days)),
        Json::Binary(bytes) => Json::Text(base64::engine::general_purpose::STANDARD.encode(bytes)),
        Json::Decimal(unscaled, scale) => {
            Json::Double(format!("{unscaled}e-{scale}").parse().unwrap())
        }
        Json::Double(value) if value.is_infinite() => {
            Json::Text(if value > 0.0 { "Infinity" } else { "-Infinity" }.to_owned())
        }
        // A number beyond 38 digits.
        Json::Raw(text) => text.parse().map_or(Json::Raw(text), Json::Double),
        Json::List(elements) => Json::List(elements.into_iter().map(as_json).collect()),
        Json::Object(members) => {
            let members = members.into_iter();
            Json::Object(members.map(|(key, value)| (key, as_json(value))).collect())
        }
        other => other,
    }
}

/// What comes before and between batches.
#[derive(Debug, Clone)]
enum Step {
    Batch(u64),
    Json(String),
    /// The columns are reserved, and a new shredder goes on.
    Cut,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => any::<u64>().prop_map(Step::Batch),
        2 => object().prop_map(Step::Json),
        1 => Just(Step::Cut),
    ];
    prop::collection::vec(step, 1..10)
}

fn check(steps: &[Step], limits: Limits, exactly: bool) {
    let mut table = envelope_schema();
    let mut rows: Vec<Json> = Vec::new();
    let mut shredder = shredder(&table, limits);
    for step in steps.iter().chain([&Step::Cut]) {
        match step {
            Step::Json(json) => {
                let offset = shredder.rows() as i64;
                shredder.append(&record(offset, json.as_bytes()), 7);
                rows.push(Json::parse(json.as_bytes()).unwrap());
            }
            Step::Batch(seed) => {
                let (batch, values) = batch(&mut Random::new(*seed));
                append(&mut shredder, &batch);
                rows.extend(values.iter().map(wanted));
            }
            Step::Cut if rows.is_empty() => {}
            Step::Cut => {
                let batch = shredder.finish().unwrap().remove(0);
                let batch = decide(&table, vec![batch]).unwrap().remove(0);
                assert_eq!(batch.num_rows(), rows.len());
                let errors = batch.column_by_name("_error").unwrap();
                assert_eq!(errors.null_count(), rows.len());
                for (row, wanted) in rows.drain(..).enumerate() {
                    let found = rebuild(&batch, row);
                    if exactly {
                        assert_eq!(found.normal(), wanted.normal(), "row {row}");
                    } else {
                        assert_eq!(as_json(found).normal(), as_json(wanted).normal());
                    }
                }
                table = grow(&table, &batch.schema()).unwrap_or(table);
                shredder = self::shredder(&table, limits);
            }
        }
    }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn any_batch_in_every_value_out_with_its_type(steps in steps()) {
        check(&steps, Limits::default(), true);
    }

    #[test]
    fn any_batch_in_every_value_out_whatever_the_budgets(
        steps in steps(),
        limits in limits(),
    ) {
        check(&steps, limits, false);
    }
}

#[test]
fn a_row_that_no_column_can_hold_is_an_error_row_and_nobody_else_suffers() {
    let moments: ArrayRef =
        Arc::new(TimestampSecondArray::from(vec![1, i64::MAX, 3]).with_timezone("UTC"));
    let numbers: ArrayRef = Arc::new(Int64Array::from(vec![10, 20, 30]));
    let zoned = DataType::Timestamp(TimeUnit::Second, Some("UTC".into()));
    let schema = Schema::new(vec![
        Field::new("n", DataType::Int64, true),
        Field::new("at", zoned, true),
    ]);
    let batch = RecordBatch::try_new(Arc::new(schema), vec![numbers, moments]).unwrap();
    let mut shredder = shredder(&envelope_schema(), Limits::default());
    append(&mut shredder, &batch);
    let rows = shredder.finish().unwrap().remove(0);
    let errors = rows.column_by_name("_error").unwrap().as_string::<i32>();
    let errors: Vec<Option<&str>> = errors.iter().collect();
    let reason = "value: column `at`: a moment 9223372036854775807 Seconds from 1970 is beyond 64 \
                  bits of microseconds";
    assert_eq!(errors, [None, Some(reason), None]);
    for (row, n) in [(0, 10), (2, 30)] {
        let members = [
            ("n", Json::Integer(n)),
            ("at", Json::Timestamp(n as i64 / 10 * 1_000_000)),
        ];
        let members = members.map(|(key, value)| (key.to_owned(), value));
        assert_eq!(rebuild(&rows, row), Json::Object(members.into()));
    }
    assert_eq!(rebuild(&rows, 1), Json::Object(BTreeMap::new()));
    let value = rows.column_by_name("_value").unwrap().as_binary::<i32>();
    assert_eq!(value.value(1), b"\x00avro", "E7");
}

#[test]
fn columns_of_plain_types_go_as_wholes_and_others_value_by_value() {
    let whole = |array: ArrayRef| {
        let field = Field::new("x", array.data_type().clone(), true);
        Whole::of(&field, &array).is_some()
    };
    let mut wholes = 0;
    for seed in 0..400 {
        let (batch, _) = batch(&mut Random::new(seed));
        wholes += batch
            .columns()
            .iter()
            .filter(|one| whole(ArrayRef::clone(one)))
            .count();
    }
    assert!(wholes > 100, "{wholes}");
    let beyond = arrow::array::UInt64Array::from(vec![1, u64::MAX]);
    assert!(!whole(Arc::new(beyond)));
    assert!(whole(Arc::new(arrow::array::UInt64Array::from(vec![1, 2]))));
}

#[test]
fn wide_tables_take_batches_row_by_row_and_lose_nothing() {
    let keys: Vec<String> = (0..500).map(|key| format!("\"k{key}\":{key}")).collect();
    let wide = format!("{{{}}}", keys.join(","));
    let mut table = envelope_schema();
    let limits = Limits {
        keys: 1_000,
        ..Limits::default()
    };
    for round in 0..2 {
        let mut shredder = shredder(&table, limits);
        shredder.append(&record(0, wide.as_bytes()), 7);
        let (batch, values) = batch(&mut Random::new(77));
        append(&mut shredder, &batch);
        let mut found = Vec::new();
        for rows in shredder.finish().unwrap() {
            let offsets = rows.column_by_name("_offset").unwrap();
            let offsets = offsets
                .as_primitive::<arrow::datatypes::Int64Type>()
                .clone();
            for row in 0..rows.num_rows() {
                found.push((offsets.value(row), rebuild(&rows, row).normal()));
            }
            table = grow(&table, &rows.schema()).unwrap_or(table);
        }
        found.sort_by_key(|(offset, _)| *offset);
        let all = std::iter::once(Value::parse(wide.as_bytes()).unwrap()).chain(values);
        let all: Vec<Json> = all.map(|value| wanted(&value).normal()).collect();
        assert_eq!(found.len(), all.len());
        for ((offset, found), wanted) in found.into_iter().zip(all) {
            assert_eq!(found, wanted, "round {round} offset {offset}");
        }
    }
}
