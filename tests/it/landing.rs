//! Real events of 91 kinds go through Kafka into the lake, and every value of every path comes back
//! by SQL with its type; the original bytes come back as they were produced (E1, E7, P11).

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, RecordBatch, StructArray};
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Int32Type, Int64Type, Schema};
use arrow::ipc::reader::StreamReader;
use eddy_engine::read::Snapshot;
use eddy_engine::schema::rebuild::{Json, rebuild};
use serde_json::json;
use serde_json::value::RawValue;

use crate::harness::kafka::Topic;
use crate::harness::lake::TestLake;
use crate::harness::process::{Eddy, Start};
use crate::proof::every_record_is_there_once;

const DEFAULT_LEAVES: &str = "2000";

#[test]
fn every_value_of_the_audit_logs_comes_back_on_local_disk() {
    lands(
        &TestLake::local(),
        "saas-audit-logs.ndjson",
        3_053,
        DEFAULT_LEAVES,
    );
}

#[test]
fn every_value_of_the_audit_logs_comes_back_from_s3() {
    lands(
        &TestLake::s3(),
        "saas-audit-logs.ndjson",
        3_053,
        DEFAULT_LEAVES,
    );
}

#[test]
fn every_value_of_the_audit_logs_has_a_column_when_the_budget_allows_on_local_disk() {
    lands(&TestLake::local(), "saas-audit-logs.ndjson", 3_053, "10000");
}

#[test]
fn every_value_of_the_audit_logs_has_a_column_when_the_budget_allows_on_s3() {
    lands(&TestLake::s3(), "saas-audit-logs.ndjson", 3_053, "10000");
}

#[test]
fn every_value_of_the_slack_events_comes_back() {
    lands(
        &TestLake::local(),
        "slack-events.ndjson",
        96,
        DEFAULT_LEAVES,
    );
    lands(&TestLake::s3(), "slack-events.ndjson", 96, DEFAULT_LEAVES);
}

#[test]
fn every_value_of_the_stripe_objects_comes_back() {
    lands(
        &TestLake::local(),
        "stripe-objects.ndjson",
        176,
        DEFAULT_LEAVES,
    );
    lands(
        &TestLake::s3(),
        "stripe-objects.ndjson",
        176,
        DEFAULT_LEAVES,
    );
}

fn lands(lake: &TestLake, file: &str, count: usize, leaves: &str) {
    let events = events(file);
    assert_eq!(events.len(), count, "the fixture's events");
    let topic = Topic::create("landing", 4);
    let places = topic.produce_values(&events);
    let produced: BTreeMap<(i32, i64), String> = places.into_iter().zip(events).collect();
    let eddy = Start::on(lake)
        .connector(
            &topic.name,
            &[
                ("topics", &topic.name),
                ("flush.interval.ms", "1000"),
                ("limits.leaves", leaves),
            ],
        )
        .ready();
    every_record_is_there_once(&eddy, lake, &topic, count);
    every_value_comes_back(&eddy, lake, &topic, &produced);
}

/// SQL answers each of these records with every value at its path or its alternate, and the bytes
/// beside it.
#[track_caller]
pub fn every_value_comes_back(
    eddy: &Eddy,
    lake: &TestLake,
    topic: &Topic,
    produced: &BTreeMap<(i32, i64), String>,
) {
    let opened = lake.open();
    let table = opened.table("topics", &topic.name);
    let snapshot = Snapshot::load(&opened, &table, None)
        .expect("a snapshot")
        .expect("a table");
    let mut seen = 0;
    let columns = stored_columns(eddy, topic);
    for batch in answer(eddy, &format!("SELECT {columns} FROM \"{}\"", topic.name)) {
        let batch = identified(&batch, snapshot.schema.fields());
        for row in 0..batch.num_rows() {
            let place = place(&batch, row);
            compare(&batch, row, &produced[&place]);
            seen += 1;
        }
    }
    assert_eq!(seen, produced.len());
}

/// Every stored column under its stored name, for a select list.
fn stored_columns(eddy: &Eddy, topic: &Topic) -> String {
    let described = "SELECT \"column\" AS name, stored FROM system.columns \
                     WHERE stored IS NOT NULL AND \"table\" = ";
    let quoted = |name: &serde_json::Value| {
        let name = name.as_str().expect("a name");
        format!("\"{}\"", name.replace('"', "\"\""))
    };
    let rows = eddy.http().sql(&format!("{described}'{}'", topic.name));
    let columns = rows
        .iter()
        .map(|row| format!("{} AS {}", quoted(&row["name"]), quoted(&row["stored"])));
    columns.collect::<Vec<_>>().join(", ")
}

fn compare(batch: &RecordBatch, row: usize, event: &str) {
    let stored = batch
        .column_by_name("_value")
        .expect("the column was named")
        .as_binary::<i32>();
    assert_eq!(stored.value(row), event.as_bytes());
    let expected = Json::parse(event.as_bytes())
        .expect("the fixture is JSON")
        .normal();
    let found = rebuild(batch, row).normal();
    assert!(found == expected, "{event}\ncame back as {found:?}");
}

/// SQL answers names and types; which JSON key each name stands for is said by the table.
fn identified(batch: &RecordBatch, table: &Fields) -> RecordBatch {
    let (fields, columns): (Vec<FieldRef>, Vec<ArrayRef>) = batch
        .schema_ref()
        .fields()
        .iter()
        .zip(batch.columns())
        .map(|(field, column)| tagged(field, column, table))
        .unzip();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).expect("the same columns")
}

fn tagged(field: &FieldRef, column: &ArrayRef, table: &Fields) -> (FieldRef, ArrayRef) {
    let known = table.iter().find(|known| known.name() == field.name());
    let Some(known) = known else {
        return (Arc::clone(field), Arc::clone(column));
    };
    let column = typed(column, known.data_type());
    let tagged = Field::new(field.name(), column.data_type().clone(), true)
        .with_metadata(known.metadata().clone());
    (Arc::new(tagged), column)
}

fn typed(column: &ArrayRef, known: &DataType) -> ArrayRef {
    match known {
        DataType::Struct(children) => {
            let (fields, columns, nulls) = column.as_struct().clone().into_parts();
            let (fields, columns): (Vec<FieldRef>, Vec<ArrayRef>) = fields
                .iter()
                .zip(&columns)
                .map(|(field, column)| tagged(field, column, children))
                .unzip();
            Arc::new(StructArray::new(fields.into(), columns, nulls))
        }
        DataType::List(element) => {
            let (_, offsets, values, nulls) = column.as_list::<i32>().clone().into_parts();
            let values = typed(&values, element.data_type());
            let element = Field::new("element", values.data_type().clone(), true);
            Arc::new(ListArray::new(Arc::new(element), offsets, values, nulls))
        }
        _ => Arc::clone(column),
    }
}

fn place(batch: &RecordBatch, row: usize) -> (i32, i64) {
    let partition = batch
        .column_by_name("_partition")
        .expect("`*` has `_partition`");
    let offset = batch.column_by_name("_offset").expect("`*` has `_offset`");
    (
        partition.as_primitive::<Int32Type>().value(row),
        offset.as_primitive::<Int64Type>().value(row),
    )
}

fn answer(eddy: &Eddy, sql: &str) -> Vec<RecordBatch> {
    let request = json!({"sql": sql, "format": "arrow"});
    let (_, body) = eddy.http().raw(&request).expect("an answer");
    let reader = StreamReader::try_new(body.as_slice(), None).expect("an Arrow stream");
    reader.collect::<Result<_, _>>().expect("whole batches")
}

#[derive(serde::Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    event: &'a RawValue,
}

/// The events of a fixture, byte for byte as they stand there.
pub fn events(file: &str) -> Vec<String> {
    let path = format!("{}/tests/fixtures/{file}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).expect("the fixture");
    text.lines()
        .map(|line| {
            let line: Line<'_> = serde_json::from_str(line).expect("a line of JSON");
            line.event.get().to_owned()
        })
        .collect()
}
