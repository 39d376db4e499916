//! Any JSON without its text: each record comes back byte for byte from what is left of it, and
//! texts that serialisers write are really left out.

use std::sync::atomic::{AtomicU64, Ordering};

use super::*;
use crate::maintain::{Compaction, Keeper, Policy};
use crate::testing::originals;

/// Each record comes so many times, as records of one shape do.
const TIMES: usize = 4;

/// Rows, and those that kept no bytes.
#[derive(Default)]
struct Tally {
    rows: AtomicU64,
    elided: AtomicU64,
}

impl Tally {
    fn share(&self) -> f64 {
        let count = |number: &AtomicU64| number.load(Ordering::Relaxed) as f64;
        count(&self.elided) / count(&self.rows)
    }
}

/// Writes `values` as two files, and puts them together: all come back each time.
fn comes_back(lake: &Lake, name: &str, limits: Limits, values: &[Vec<u8>], tally: &Tally) {
    let table = lake.table("topics", name);
    let mut options = WriterOptions::new(table.clone(), name, topic(), "sink");
    options.limits = limits;
    options.raw = Raw::Elide;
    let mut writer = TableWriter::open(lake, options).unwrap();
    assign(&mut writer, &[0]);
    for (offset, value) in (0..).zip(values.iter().cycle().take(values.len() * TIMES)) {
        writer.append(&record(0, offset, value)).unwrap();
        if offset as usize + 1 == values.len() * TIMES / 2 {
            commit(&mut writer);
        }
    }
    commit(&mut writer);
    let check = || {
        let found = originals(lake, &table).unwrap();
        assert_eq!(found.len(), values.len() * TIMES);
        for ((_, offset), original) in &found {
            let value = &values[*offset as usize % values.len()];
            assert_eq!(original.value.as_ref(), Some(value), "E7: row {offset}");
            tally.rows.fetch_add(1, Ordering::Relaxed);
            tally
                .elided
                .fetch_add(original.elided.into(), Ordering::Relaxed);
        }
        found.values().filter(|original| original.elided).count()
    };
    let elided = check();
    let eager = Policy {
        compaction: Some(Compaction {
            least_files: 2,
            settle: Duration::ZERO,
            ..Compaction::default()
        }),
        ..Policy::default()
    };
    let halt = std::sync::atomic::AtomicBool::new(false);
    let mut keeper = Keeper::new(lake, &crate::budget::Budget::unlimited());
    keeper.pass(&table, &eager, &halt).unwrap();
    assert_eq!(check(), elided, "what moves keeps its shape");
}

fn elides(cases: usize, records: impl Strategy<Value = Vec<Vec<u8>>>, least: f64) {
    let world = World::in_memory();
    let tally = Tally::default();
    let number = std::cell::Cell::new(0);
    let config = ProptestConfig {
        cases: cases as u32,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let outcome = TestRunner::new(config).run(&(records, limits()), |(values, limits)| {
        number.set(number.get() + 1);
        let name = format!("elided-{}", number.get());
        comes_back(&world.lake, &name, limits, &values, &tally);
        Ok(())
    });
    assert!(outcome.is_ok(), "{}", outcome.unwrap_err());
    let share = tally.share();
    println!("{share:.3} of the rows gave up their bytes");
    assert!(
        share >= least,
        "only {share} of the rows gave up their bytes"
    );
}

#[test]
fn e7_any_json_comes_back_byte_for_byte_without_its_text() {
    let any = records(10).prop_map(|records| {
        let bytes = records.iter().map(|record| record.bytes().to_vec());
        bytes.collect::<Vec<_>>()
    });
    elides(scale(100, 20_000), any, 0.8);
}

/// The records that are objects, in the way that `write` has.
fn written(write: fn(&serde_json::Value) -> String) -> impl Strategy<Value = Vec<Vec<u8>>> {
    records(10).prop_map(move |records| {
        let values = records
            .iter()
            .filter_map(|record| serde_json::from_slice::<serde_json::Value>(record.bytes()).ok());
        let objects = values.filter(serde_json::Value::is_object);
        let mut texts: Vec<Vec<u8>> = objects.map(|value| write(&value).into_bytes()).collect();
        texts.push(b"{\"one\":1}".to_vec());
        texts
    })
}

#[test]
fn e7_texts_as_serialisers_write_them_are_left_out() {
    elides(scale(25, 2_000), written(serde_json::Value::to_string), 0.9);
    elides(scale(25, 2_000), written(crate::elide::dumped), 0.9);
}
