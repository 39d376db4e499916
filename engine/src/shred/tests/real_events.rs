//! Real events with real trouble in them: thousands of paths, drift, keys that differ only in case.

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{Int64Type, Schema};

use super::any_values::cut;
use super::{record, shredder};
use crate::schema::{Kind, Limits, columns, envelope_schema};

/// The value of each line's `event`, as it stands.
pub(super) fn events(name: &str) -> Vec<String> {
    let path = format!(
        "{}/../tests/fixtures/{name}.ndjson",
        env!("CARGO_MANIFEST_DIR")
    );
    let lines = std::fs::read_to_string(path).unwrap();
    lines
        .lines()
        .map(|line| {
            let (_, event) = line.split_once("\"event\":").unwrap();
            event.strip_suffix('}').unwrap().to_owned()
        })
        .collect()
}

fn shred_all(events: &[String], rows: usize, limits: Limits) -> Schema {
    let mut table = envelope_schema();
    let mut shredder = shredder(&table, limits);
    for cut_events in events.chunks(rows * 3) {
        let mut batches = Vec::new();
        for chunk in cut_events.chunks(rows) {
            for (offset, event) in chunk.iter().enumerate() {
                shredder.append(&record(offset as i64, event.as_bytes()), 0);
            }
            let made = shredder.finish().unwrap();
            let rows: usize = made.iter().map(RecordBatch::num_rows).sum();
            assert_eq!(rows, chunk.len());
            batches.extend(
                made.into_iter()
                    .map(|batch| (in_order_of(&batch, chunk), batch)),
            );
        }
        let (values, batches): (Vec<_>, Vec<_>) = batches.into_iter().unzip();
        let values: Vec<&[String]> = values.iter().map(Vec::as_slice).collect();
        table = cut(&table, batches, &values);
        shredder.rebase(&table);
    }
    table
}

/// The events of the batch's rows: a wide table's batches have them in an order of their own.
fn in_order_of(batch: &RecordBatch, events: &[String]) -> Vec<String> {
    let offsets = batch
        .column_by_name("_offset")
        .unwrap()
        .as_primitive::<Int64Type>();
    offsets
        .values()
        .iter()
        .map(|&offset| events[offset as usize].clone())
        .collect()
}

fn leaves(table: &Schema) -> usize {
    let nested = [Kind::Object, Kind::List, Kind::Mixed, Kind::Rescued];
    columns(table)
        .iter()
        .filter(|column| !nested.contains(&column.kind))
        .count()
}

#[test]
fn every_value_of_real_events_comes_out_again() {
    for (name, count) in [
        ("saas-audit-logs", 3_053),
        ("slack-events", 96),
        ("stripe-objects", 176),
    ] {
        let events = events(name);
        assert_eq!(events.len(), count, "{name}");
        let table = shred_all(&events, 500, Limits::default());
        assert!(leaves(&table) <= 2_000, "{name}: {}", leaves(&table));
        let wide = Limits {
            leaves: 10_000,
            ..Limits::default()
        };
        let table = shred_all(&events, 500, wide);
        assert!(leaves(&table) <= 10_000, "{name}: {}", leaves(&table));
    }
}
