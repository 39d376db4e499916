//! Any bytes as the records of a topic: serde_json says which are JSON and what they mean, and what
//! the walk made of them must say the same, put together again from the columns.
//!
//! Only the modules that are fuzzed are compiled, by their paths, so that a change is under test in
//! seconds and not behind the whole engine's dependencies.
//!
//! The first byte chooses the budgets and how the records are cut into batches, a line is a record.
#![no_main]
#![allow(
    dead_code,
    unused_imports,
    reason = "the modules' other users are not here"
)]

#[path = "../error.rs"]
mod error;
#[path = "../../src/moment.rs"]
mod moment;
#[path = "../../src/record.rs"]
mod record;
#[path = "../../src/schema/mod.rs"]
mod schema;
#[path = "../../src/shred/mod.rs"]
mod shred;
#[path = "../../src/spare.rs"]
mod spare;
#[path = "../../src/value.rs"]
mod value;

use arrow::array::{Array, AsArray};
use arrow::datatypes::Int64Type;
use error::{Error, Result};
use libfuzzer_sys::{Corpus, fuzz_target};
use record::{Record, TimestampType, TopicId};
use schema::rebuild::{Json, rebuild};
use schema::{Limits, decide, envelope_schema, grow};
use serde_json::Value;
use shred::{Converter, Shredder};

/// serde_json refuses more than 128 levels.
const DEEP: usize = 100;

fuzz_target!(|input: &[u8]| -> Corpus {
    let Some((choices, records)) = input.split_first() else {
        return Corpus::Reject;
    };
    let records: Vec<&[u8]> = records.split(|byte| *byte == b'\n').collect();
    check(*choices, &records);
    Corpus::Keep
});

fn check(choices: u8, records: &[&[u8]]) {
    let mut table = envelope_schema();
    let id = TopicId::new("id");
    let shredder = Shredder::new("t", id, &table, limits(choices));
    let mut shredder = shredder.with_converter(Converter::Json);
    let size = 1 + usize::from(choices >> 4 & 7);
    for records in records.chunks(size) {
        for (offset, value) in (0..).zip(records) {
            shredder.append(&record_of(offset, value), 0);
        }
        let batches = decide(&table, shredder.finish().unwrap()).unwrap();
        let mut seen = 0;
        for batch in &batches {
            let errors = batch.column_by_name("_error").unwrap();
            let offsets = batch.column_by_name("_offset").unwrap();
            // Rows of like keys come together where there are many columns.
            for (row, offset) in offsets
                .as_primitive::<Int64Type>()
                .values()
                .iter()
                .enumerate()
            {
                let text = records[usize::try_from(*offset).unwrap()];
                check_row(text, errors.is_valid(row), rebuild(batch, row));
                seen += 1;
            }
            table = grow(&table, batch.schema_ref()).unwrap_or(table);
        }
        assert_eq!(seen, records.len());
        if choices & 0x80 != 0 {
            shredder.rebase(&table);
        }
    }
}

fn limits(choices: u8) -> Limits {
    let small = |bit: u8, small: usize, usual: usize| {
        if choices & bit == 0 { usual } else { small }
    };
    Limits {
        leaves: small(1, 3, 2_000),
        keys: small(2, 2, 200),
        depth: small(4, 2, 16),
    }
}

fn record_of(offset: i64, value: &[u8]) -> Record<'_> {
    Record {
        partition: 0,
        offset,
        timestamp_ms: None,
        timestamp_type: TimestampType::Create,
        key: None,
        value: Some(value),
        headers: &[],
        decoded: Default::default(),
    }
}

fn check_row(text: &[u8], error: bool, columns: Json) {
    let shown = || String::from_utf8_lossy(text).into_owned();
    let levels = text
        .iter()
        .filter(|byte| matches!(byte, b'[' | b'{'))
        .count();
    if levels <= DEEP {
        // The grammar alone: neither the range of numbers nor surrogates, which the standard leaves
        // open.
        let json = std::str::from_utf8(text)
            .is_ok_and(|text| serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok());
        assert_eq!(error, !json, "{}", shown());
    }
    let parsed = Json::parse(text);
    assert_eq!(error, parsed.is_none(), "{}", shown());
    if let (Some(parsed), Ok(wanted)) = (&parsed, serde_json::from_slice::<Value>(text)) {
        assert!(same(parsed, &wanted), "{parsed:?} is not {}", shown());
    }
    let wanted = match parsed {
        Some(object @ Json::Object(_)) => object.normal(),
        _ => Json::Null,
    };
    assert_eq!(columns.normal(), wanted, "{}", shown());
}

fn same(found: &Json, wanted: &Value) -> bool {
    match (found, wanted) {
        (Json::Null, Value::Null) => true,
        (Json::Boolean(a), Value::Bool(b)) => a == b,
        (Json::Text(a), Value::String(b)) => a == b,
        (Json::Integer(a), Value::Number(b)) => {
            let integer = b.as_i64().map(i128::from).or(b.as_u64().map(i128::from));
            integer.map_or_else(|| b.as_f64() == Some(*a as f64), |b| *a == b)
        }
        (Json::Double(a), Value::Number(b)) => {
            b.as_f64().is_some_and(|b| a.to_bits() == b.to_bits())
        }
        // Too large for us or too small: serde_json rounds.
        (Json::Raw(_), Value::Number(_)) => true,
        (Json::List(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Json::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|((k, a), (l, b))| k == l && same(a, b))
        }
        _ => false,
    }
}
